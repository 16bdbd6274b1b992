/*
 * grant - what a child may have: narrowing, and policy, as pure rules.
 *
 * Whatever a verifier may decide on can only shrink from parent to child:
 * scope, audience, agent, subject, life and depth.  lifecycle asks here
 * inside the transaction that inserts the child, so that what was checked is
 * what is stored.  Each refusal has its own message (ERR_DENIED) and names
 * what was asked for and what the parent has.
 */
#ifndef EPHID_GRANT_H
#define EPHID_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "identity.h"
#include "json.h"

/* A list of strings from each configuration file that sets it (system, home);
 * NULL when it does not. A file can narrow what the other allows, never widen
 * it. Entries may end in "*", which stands for any rest. */
struct rule {
	const cJSON *lists[2];
};
bool rule_is_set(const struct rule *r);
/* Does every list that is set have `text'? With none set: `otherwise'. */
bool rule_allows(const struct rule *r, const char *text, bool otherwise);

/* Policy bounds every mint. Times are seconds. */
struct policy {
	int64_t ttl;       /* when none is asked for; 900 */
	int64_t max_ttl;   /* 3600, which no configuration can raise */
	int64_t max_life;  /* 86400 */
	int64_t retention; /* of ended identities and their events; 30 d */
	int max_depth;     /* of a tree; 8 */
	int max_children;  /* live children of one identity; 100 */
	int max_live;      /* live identities in the ledger; 10000 */
	struct rule agents, audiences, scopes;
	struct rule may_spawn;     /* agents that any agent may spawn */
	struct rule subject_agent; /* agents that may drop /run/... from sub;
				    * not set: roots may, children may not */
	bool new_root_inside;
	bool audit_syslog;
	bool openssl_conf; /* load the system's OpenSSL configuration */
};

#define TTL_MIN 5
#define TTL_HARD_MAX 3600
void policy_default(struct policy *p);

/* What policy says of any mint, root or child. The issuer itself is an
 * audience that no policy refuses: such a token opens nothing else. */
int grant_check_policy(const struct policy *p, const struct identity *id,
    const struct credential *c, const char *issuer_url, struct err *e);

/* What a parent allows its child. `parent_audiences' are those it holds and
 * those it was given for its children. The issuer itself is always allowed. */
int grant_check_child(const struct policy *p, const struct identity *parent,
    const cJSON *parent_audiences, const struct identity *child,
    const struct credential *c, const char *issuer_url, struct err *e);

#endif
