/*
 * lifecycle - mint, revoke, verify, sweep: the acts.
 *
 * The only place where policy, issuer and ledger meet.  ephid-mint and
 * ephid-wrap both come through here, and so does everything that ends an
 * identity, whether it ended well or was killed.
 *
 *	struct lifecycle *lc;
 *	if (lifecycle_open(&where, &lc, &e) < 0) ...
 *	lifecycle_mint(lc, &request, &minted, &e);
 *	lifecycle_close(lc);
 */
#ifndef EPHID_LIFECYCLE_H
#define EPHID_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "identity.h"
#include "jwt.h"
#include "keystore.h"
#include "ledger.h"
#include "settings.h"

struct lifecycle {
	struct home home;
	struct settings settings;
	struct ledger *ledger;
	struct keystore *keys;
	char *issuer_url; /* NULL in a home that has none yet */
	bool published;
	const char *program;
	int64_t now_ms;
	struct err unread; /* with only_ends: why no configuration was read */
};

struct lifecycle_where {
	const char *program;
	const char *home;     /* --home, or NULL */
	enum ledger_mode mode; /* LEDGER_CREATE makes a home too */
	int64_t now_ms;
	bool only_ends; /* runs, for which no configuration is needed */
};

/* ERR_MISSING ("no home at '...'") unless it creates; a home that cannot be
 * written is opened for reading where `mode' is not LEDGER_CREATE. */
int lifecycle_open(
    const struct lifecycle_where *where, struct lifecycle *out, struct err *e);
void lifecycle_close(struct lifecycle *lc);
/* Words, in *e, why a child finds no home. `homeless' is the run around us
 * when it was given none (another user's, or with a clean environment);
 * otherwise the parent's token is of another home. Always -1. */
int lifecycle_no_home(const char *homeless, struct err *e);
int64_t lifecycle_now(const struct lifecycle *lc); /* seconds */
/* For who keeps it open: the time of what comes next. */
void lifecycle_set_now(struct lifecycle *lc, int64_t now_ms);

/* --- mint ------------------------------------------------------------ */

struct mint_request {
	const cJSON *audiences; /* array of URIs, a credential for each;
				 * NULL: one, for the issuer itself */
	const char *scope;    /* as the user wrote it, or NULL */
	int64_t ttl;          /* seconds; 0: policy's */
	int64_t max_life;     /* seconds, over all renewals; 0: policy's */
	const char *agent;    /* NULL: the parent's, else default_agent */
	const char *default_agent;
	const char *task;
	enum form form;
	int subject_is_agent; /* -1: as the form has it */
	int alg;              /* -1: ES256 */
	const char *issuer;   /* NULL: "local" */
	const cJSON *may_audiences; /* array of strings, or NULL */
	const char *parent_token;   /* NULL: a root */
	const char *homeless;       /* for lifecycle_no_home(); or NULL */
	const cJSON *origin;        /* or NULL */
	/* ephid-wrap chooses the id first and holds its lock. */
	const char *id;       /* NULL: a new one */
	const struct holder *holder;
	const char *token_dir;
};

#define AUDIENCES_MAX 16 /* of one identity */

struct issued {
	struct credential credential;
	struct buf token;
};
struct minted {
	struct identity identity;
	struct issued *issued; /* in the order of the audiences */
	size_t n;
	bool cut_short; /* the parent's expiry shortened it */
};
void minted_clear(struct minted *m);

/* Checks parent, narrowing, policy and limits in the transaction that
 * records what was signed, and commits it before it returns the token. A
 * refusal is ERR_DENIED or ERR_INVALID and an event. */
int lifecycle_mint(struct lifecycle *lc, const struct mint_request *rq,
    struct minted *out, struct err *e);

/* Does what was minted live shorter than was asked for? Then *why says it. */
bool lifecycle_is_cut_short(const struct lifecycle *lc,
    const struct mint_request *rq, const struct minted *m, struct buf *why);

/* What lifecycle_mint() would record, checked as it checks, with claims for
 * each credential (an array, the caller's) and no tokens; nothing is written.
 * A home that has no ledger yet, or no issuer, is no error: `iss' is then one
 * that stands for it. */
int lifecycle_preview(struct lifecycle *lc, const struct mint_request *rq,
    struct minted *out, cJSON **claims, struct err *e);

/* --- renew ----------------------------------------------------------- */

enum renewal {
	RENEWED,
	RENEWAL_TOO_SOON, /* it would gain less than a tenth of the ttl: the
			   * parent, or max_life, ends it. Not when the clock
			   * was set back before what was issued */
	RENEWAL_WAITS,    /* an ancestor has expired, and may come back */
	RENEWAL_OVER      /* it, or an ancestor, was revoked */
};
/* New credentials of the identity rq->id, one for each audience of the request
 * that it was minted with: new jti, new status index, one transaction that
 * asks again whether it and all its ancestors live.  The superseded ones are
 * valid to their own exp.  Only the holder of the run may ask: an expired
 * identity that nobody revoked lives again.  *out has the identity whatever
 * *what is, and what was issued when RENEWED. */
int lifecycle_renew(struct lifecycle *lc, const struct mint_request *rq,
    enum renewal *what, struct minted *out, struct err *e);
/* When no renewal can extend it any more: seconds since 1970. */
int64_t lifecycle_last_expiry(const struct lifecycle *lc,
    const struct mint_request *rq, const struct identity *id);

/* --- verify ---------------------------------------------------------- */

enum status_source { STATUS_LEDGER, STATUS_NONE };
struct verify_request {
	const char *token;
	size_t len;
	const char *audience; /* NULL: any */
	enum status_source status;
	bool for_lineage; /* as a parent: no skew, whatever the audience */
	bool any_time;    /* for revoking: expired and revoked ones too */
};
struct verdict {
	enum jwt_verdict word;
	cJSON *claims;      /* NULL unless valid */
	char detail[160];   /* for people: "run 01K... was revoked at ..." */
	char id[ID_LEN + 1]; /* of the identity; empty unless it verified */
};
void verdict_clear(struct verdict *v);
/* -1 only when it could not be found out; a refusal is a verdict. */
int lifecycle_verify(struct lifecycle *lc, const struct verify_request *rq,
    struct verdict *out, struct err *e);

/* --- revoke and sweep ------------------------------------------------ */

/* Finds the identity that an operand means: an id, or a unique suffix of at
 * least 6 characters. ERR_MISSING when the ledger has none, ERR_USAGE with
 * the candidates when several. */
int lifecycle_resolve(struct lifecycle *lc, const char *text,
    char id[static ID_LEN + 1], struct err *e);

/* The root of the tree that an operand's identity is a member of. */
int lifecycle_root(struct lifecycle *lc, const char *member,
    char root[static ID_LEN + 1], struct err *e);

/* Revokes what the filter selects, with its descendants where the filter has
 * them, durably. *n counts identities; none is success. A transaction that the
 * caller has begun is committed with it: both hold or neither does. */
int lifecycle_revoke(struct lifecycle *lc, const struct ledger_filter *f,
    const char *reason, ledger_identity_fn *fn, void *arg, size_t *n,
    struct err *e);

/* What the end of a run does, from guardian or, when that was killed, front:
 * revoke durably, then remove token files and lock. No row is success. When it
 * fails *revoked says whether it is the revocation that did. `o' is recorded with
 * the revocation, in the same transaction; NULL when it is not known yet. */
int lifecycle_end_run(struct lifecycle *lc, const char *id,
    const char *reason, const struct outcome *o, bool *revoked,
    struct err *e);
/* For what became known only after that. */
int lifecycle_set_outcome(struct lifecycle *lc, const char *id,
    const struct outcome *o, struct err *e);

/* Revokes what dead holders left: at most `max' of them looked at (0: all),
 * *n swept. Live runs are never touched. */
int lifecycle_sweep(
    struct lifecycle *lc, size_t max, size_t *n, struct err *e);
#define SWEEP_HABIT 64 /* what every program looks at in passing */

#endif
