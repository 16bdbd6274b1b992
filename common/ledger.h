/*
 * ledger - the SQLite file: identities, credentials, status indexes, events.
 *
 * One writer at a time: whatever checks and then acts does so between
 * ledger_begin() (BEGIN IMMEDIATE, in the order in which writers came, by an
 * flock(2) on home; where others write without it, after an own busy handler
 * with short growing sleeps) and ledger_commit(), which returns when the
 * transaction is on the disk (WAL, synchronous=FULL).  Every statement is written out,
 * prepared and bound.  Never carry an open ledger across a fork that goes on
 * to use it.
 *
 * Versions.  Migrations only add, and whoever can write to an older ledger
 * migrates it on opening.  A program that meets a newer schema still reads,
 * revokes and sweeps; ledger_can_mint() tells it not to mint, as ledger_open()
 * and each ledger_begin() found it.
 *
 * Restored backups.  Each transaction raises an epoch, which after its commit
 * is written, unsynced, to the file `witness' beside the ledger.  A ledger
 * behind its witness was restored, and may have forgotten revocations: the
 * next ledger_begin() revokes all that is live, starts a new generation of
 * status lists, and ledger_was_restored() says so once.
 *
 * Status indexes.  Each credential has one from the first version on: random
 * in a list of 2^16 of (issuer URL, window of exp, generation), unique by
 * constraint, never used again.  A list's URI is final once made.
 *
 * Secrets are not stored.
 */
#ifndef EPHID_LEDGER_H
#define EPHID_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "home.h"
#include "identity.h"
#include "json.h"

struct ledger;

enum ledger_mode {
	LEDGER_CREATE, /* made when absent */
	LEDGER_WRITE,  /* ERR_MISSING when absent */
	LEDGER_READ    /* for a home that cannot be written to */
};

/* `program' is who the events name. Files are 0600 whatever the umask. */
int ledger_open(const struct home *home, enum ledger_mode mode,
    const char *program, struct ledger **out, struct err *e);
void ledger_close(struct ledger *l); /* NULL is fine; rolls back */
void free_ledger(struct ledger **l); /* for scoped() */
/* How long it waits for other writers before it says that it is busy. */
void ledger_set_patience(struct ledger *l, int64_t ms);
#define LEDGER_PATIENCE_MS 10000 /* unless told otherwise */
bool ledger_can_mint(const struct ledger *l);
bool ledger_is_newer(const struct ledger *l); /* than this program */
bool ledger_is_read_only(const struct ledger *l);
bool ledger_was_restored(struct ledger *l); /* true once after it happened */
/* Rises with each commit of any process. */
int ledger_epoch(struct ledger *l, int64_t *epoch, struct err *e);

/* Fails, too, where the file was moved or removed since it was opened. */
int ledger_begin(struct ledger *l, int64_t now, struct err *e);
int ledger_commit(struct ledger *l, struct err *e);
void ledger_rollback(struct ledger *l); /* nothing to do is fine */
bool ledger_has_begun(const struct ledger *l);

/* The issuer's settings and other single values; NULL when not set. The
 * caller frees *value. */
int ledger_get(
    struct ledger *l, const char *name, char **value, struct err *e);
int ledger_set(
    struct ledger *l, const char *name, const char *value, struct err *e);

/* --- identities and credentials ------------------------------------- */

int ledger_add_identity(
    struct ledger *l, const struct identity *id, struct err *e);
/* Chooses the status list and index and fills them in, then records it;
 * `issuer_url' is where the list will be published, and status_uri is set
 * only when `published'. */
int ledger_add_credential(struct ledger *l, struct credential *c,
    const char *issuer_url, bool published, struct err *e);

/* ERR_MISSING when there is none. *out is the caller's to clear. */
int ledger_find(
    struct ledger *l, const char *id, struct identity *out, struct err *e);
int ledger_find_credential(
    struct ledger *l, const char *jti, struct credential *out, struct err *e);

/* The nearest ancestor of `id', itself included, that is revoked or expired:
 * 1 with *dead filled, 0 when all live, -1 (ERR_MISSING: an ancestor that the
 * ledger does not know). */
int ledger_dead_ancestor(struct ledger *l, const char *id, int64_t now,
    struct identity *dead, struct err *e);
/* What children of `id' may ask for: the audiences it holds and those it was
 * given for them, as an array the caller owns. */
int ledger_audiences(
    struct ledger *l, const char *id, cJSON **out, struct err *e);
int ledger_count_live(struct ledger *l, int64_t now, int64_t *n, struct err *e);
int ledger_count_children(struct ledger *l, const char *id, int64_t now,
    int64_t *n, struct err *e);

/* Renewal: moves the expiry of an identity that is not revoked, forwards or
 * not at all. An expired one comes back when it has a holder; else it is
 * ERR_DENIED, as a revoked one is. The event is the caller's. */
int ledger_extend(
    struct ledger *l, const char *id, int64_t expires_at, struct err *e);

/* What to list or revoke. Zero values do not select; those set must all hold.
 * `now' decides what is expired. */
struct ledger_filter {
	enum { SELECT_ANY, SELECT_ACTIVE, SELECT_REVOKED, SELECT_EXPIRED }
	state;
	const char *id;     /* this identity and its descendants */
	bool only;          /* with id: not the descendants */
	const char *root;   /* a root's id: its whole tree */
	const char *suffix; /* ids that end in it */
	const char *agent, *task, *kid; /* kid: signed by that key */
	int64_t issued_before;
	bool held; /* has a holder */
	int64_t now;
};

/* Calls fn for each identity in the order of ids (that is, of time), with
 * `id' borrowed. fn returns 0 to go on; anything else ends it and is
 * returned. */
typedef int ledger_identity_fn(const struct identity *id, void *arg);
int ledger_each(struct ledger *l, const struct ledger_filter *f,
    ledger_identity_fn *fn, void *arg, struct err *e);
/* Of those that have a holder and have not ended, at most `max' (0: all) after
 * the first `skip', in the order of ids, with id and holder alone: for who
 * passes by, and looks at many. */
int ledger_each_held(struct ledger *l, int64_t skip, int64_t max,
    ledger_identity_fn *fn, void *arg, struct err *e);
int ledger_count_held(struct ledger *l, int64_t *n, struct err *e);
typedef int ledger_credential_fn(const struct credential *c, void *arg);
int ledger_each_credential(struct ledger *l, const char *id,
    ledger_credential_fn *fn, void *arg, struct err *e);

/* Revokes all that the filter selects and is not revoked yet, in one
 * statement, with an event each (`kind' EVENT_REVOKED or EVENT_SWEPT), and
 * calls fn, which may be NULL, for each. Nothing selected is success. Inside
 * a transaction. */
enum event_kind {
	EVENT_MINTED,
	EVENT_RENEWED,
	EVENT_DELEGATED, /* minted as a child; its id is in detail */
	EVENT_REVOKED,
	EVENT_EXPIRED, /* and was never revoked */
	EVENT_REFUSED,
	EVENT_SWEPT,
	EVENT_FAILED,
	EVENT_RESTORED
};
int ledger_revoke(struct ledger *l, const struct ledger_filter *f,
    enum event_kind kind, const char *reason, ledger_identity_fn *fn,
    void *arg, struct err *e);

/* Prepares the statements that revoking one identity takes: for who has time
 * now and will be in a hurry then. */
void ledger_rehearse_revocation(struct ledger *l);

/* A small piece of the housekeeping that goes with ordinary writes: closes
 * rows that expired by themselves, drops what is past `retention' seconds and
 * status lists an hour past their window. */
int ledger_prune(
    struct ledger *l, int64_t now, int64_t retention, struct err *e);

/* --- how commands ended -------------------------------------------- */

struct outcome {
	int64_t ended_at; /* of the command */
	int status;       /* its exit status; -1: none */
	int signal;       /* that ended it; 0: none */
	bool timed_out;
	char *left; /* "pid 71 (sudo)": what could not be ended, or NULL */
};
void outcome_clear(struct outcome *o);
/* In the place of an earlier one. Of a run that the ledger does not know
 * nothing is kept, and that is success, as revoking it is. */
int ledger_set_outcome(struct ledger *l, const char *id,
    const struct outcome *o, struct err *e);
/* ERR_MISSING: its command goes on, was swept, or there was none. */
int ledger_find_outcome(
    struct ledger *l, const char *id, struct outcome *out, struct err *e);

/* --- events, append-only -------------------------------------------- */

struct event {
	int64_t seq, time;
	enum event_kind kind;
	const char *id, *root; /* NULL where none */
	const char *why;       /* NULL where none */
	const char *program;
	int64_t uid, pid;
};
const char *event_name(enum event_kind kind);
/* time is that of ledger_begin(); seq, program, uid and pid are filled in. */
int ledger_add_event(struct ledger *l, enum event_kind kind, const char *id,
    const char *root, const char *why, struct err *e);
/* Events after `after_seq' that are not older than `since', of the identity
 * `id' (NULL: of all), in order. */
typedef int ledger_event_fn(const struct event *ev, void *arg);
int ledger_each_event(struct ledger *l, const char *id, int64_t after_seq,
    int64_t since, ledger_event_fn *fn, void *arg, struct err *e);

/* --- keys; keystore.h is their meaning ------------------------------ */

enum key_state { KEYSTATE_NEXT, KEYSTATE_ACTIVE, KEYSTATE_RETIRING,
	KEYSTATE_RETIRED };
struct key_row {
	char kid[KEY_KID_LEN + 1];
	enum key_alg alg;
	enum key_state state;
	int64_t created_at;
	int64_t activate_at;  /* of a next key */
	int64_t verify_until; /* of a retiring one; 0 while it has no end */
};
int ledger_put_key(
    struct ledger *l, const struct key_row *row, struct err *e);
int ledger_find_key(
    struct ledger *l, const char *kid, struct key_row *out, struct err *e);
/* Newest first; at most `max' rows into out, returns how many or -1. */
int ledger_keys(struct ledger *l, struct key_row *out, size_t max,
    struct err *e);
/* The last exp among the credentials that kid signed; 0 when none. */
int ledger_last_expiry(
    struct ledger *l, const char *kid, int64_t *exp, struct err *e);

#endif
