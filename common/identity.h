/*
 * identity - the record of one run, and the credentials it holds.
 *
 * An identity is known by its id, a ULID: 26 characters of Crockford base32,
 * the first 10 its time.  The id is a handle that suffices to inspect and to
 * revoke; it authenticates nobody.  `root' is the first identity of a tree,
 * `parent' the one that bore this one (empty for a root, whose depth is 0).
 *
 * A credential is one secret given to a run.  The first has the identity's
 * id as its jti; renewals and further audiences have ids of their own.
 *
 * Here is only what follows from the values themselves: no IO, no clock.
 */
#ifndef EPHID_IDENTITY_H
#define EPHID_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "key.h"

#define ID_LEN 26
#define ID_RANDOM 10 /* bytes of randomness in an id */
#define SUBJECT_MAX 127
#define NBF_LEEWAY 30 /* seconds a verifier's clock may be behind ours */
#define NOTE_MAX 256

enum identity_state { ID_PENDING, ID_ACTIVE, ID_REVOKED, ID_EXPIRED };
enum form { FORM_OAUTH, FORM_FEDERATION };

/* Who holds a run, recorded for people; what decides is the run's lock
 * (home.h), for pids and start times lie across containers. */
struct holder {
	int64_t pid;    /* 0: minted by hand, no holder */
	uint64_t start; /* clock ticks since boot, /proc/PID/stat field 22 */
	uint64_t pidns; /* inode of its PID namespace */
	char boot[37];  /* boot id */
};

struct identity {
	char id[ID_LEN + 1], parent[ID_LEN + 1], root[ID_LEN + 1];
	int depth, max_depth;
	char *agent, *task; /* task may be NULL */
	char *scope;        /* canonical, "" for none */
	char *audiences;    /* JSON array: what children may ask for */
	int64_t issued_at, expires_at;
	int64_t revoked_at; /* 0 while it is not */
	char *reason;       /* of the revocation; NULL while there is none */
	bool pending;
	struct holder holder;
	char *token_dir; /* NULL, or the folder a sweep removes */
	char *origin;    /* NULL, or a JSON object: asserted, not verified */
};

struct credential {
	char jti[ID_LEN + 1], identity[ID_LEN + 1];
	char *issuer; /* name in the configuration: "local" */
	enum form form;
	bool subject_is_agent; /* sub has no /run/... */
	enum key_alg alg;
	char kid[KEY_KID_LEN + 1];
	char *audience;
	int64_t issued_at, expires_at;
	char *status_uri; /* NULL until the issuer has a published URL */
	uint32_t status_index;
	int64_t revoked_at;
	char revocation[16]; /* none, pending, done, failed, irrevocable */
};

void identity_clear(struct identity *id); /* frees what it points to */
void credential_clear(struct credential *c);

/* A new id for this millisecond. */
void id_make(int64_t now_ms, const uint8_t rnd[static ID_RANDOM],
    char out[static ID_LEN + 1]);
/* Takes any case and Crockford's look-alikes (i l o); upper case comes out.
 * Returns 0, or -1 when text is no ULID. */
int id_parse(const char *text, char out[static ID_LEN + 1]);
/* The last characters of an id, 6 to 26 of them, in any case; upper case
 * comes out. Returns 0 or -1. */
int id_parse_suffix(const char *text, char out[static ID_LEN + 1]);

enum identity_state identity_state(const struct identity *id, int64_t now);
const char *identity_state_name(enum identity_state s);

const char *form_name(enum form f);
int form_parse(const char *name, enum form *out);

/* Agent names are segments of [A-Za-z0-9._-] joined by "/"; other bytes
 * become "-". ERR_USAGE for an empty one, an empty segment, "." or "..". */
int agent_parse(const char *text, char **out, struct err *e);
/* Is `name' the same agent as `of', or one beneath it ("of/...")? */
bool agent_is_within(const char *name, const char *of);

/* A task or a reason: UTF-8, at most 256 bytes. ERR_USAGE names `what'. */
int note_check(const char *what, const char *note, struct err *e);

/* An absolute URI with a scheme, printable, without a fragment (RFC 8707
 * section 2), and not "*": "audience 'x': not an absolute URI". */
int audience_check(const char *uri, struct err *e);
/* An https URL as RFC 8414 wants an issuer: lower-case host, no user, query
 * or fragment, no slash at the end. */
int issuer_url_check(const char *url, struct err *e);

/* Adds "spiffe://<the issuer's host>/agent/<agent>[/run/<id>]". ERR_USAGE
 * when it is over 127 bytes. */
int identity_subject(const struct identity *id, const char *issuer_url,
    bool with_run, struct buf *out, struct err *e);

/* The claims of a credential in its form (RFC 9068, or a plain JWT for
 * federation). `status_uri' decides whether there is a status claim. */
int identity_claims(const struct identity *id, const struct credential *c,
    const char *issuer_url, cJSON **out, struct err *e);
const char *form_typ(enum form f); /* "at+jwt", "JWT" */

#endif
