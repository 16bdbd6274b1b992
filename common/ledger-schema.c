#include "config.h"

#include <time.h>

#include "ledger-private.h"

/*
 * Version 1, as it was released: a new ledger begins with it and goes through
 * the steps that an old one takes.
 *
 * Live rows and history are apart in the indexes, so that what a mint or a
 * sweep costs follows what lives.  `live' is 1 until a row is revoked, or
 * closed after it expired with no holder to renew it.
 *
 * A parent is NULL for a root.  `revoked_epoch' is the transaction that
 * revoked, for who publishes lists.  Events are not updated; only pruning
 * removes them.
 */
static const char schema[] =
    "CREATE TABLE meta ("
    " name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE identity ("
    " id TEXT PRIMARY KEY,"
    " parent TEXT,"
    " root TEXT NOT NULL,"
    " depth INTEGER NOT NULL,"
    " max_depth INTEGER NOT NULL,"
    " agent TEXT NOT NULL,"
    " task TEXT,"
    " scope TEXT NOT NULL,"
    " audiences TEXT NOT NULL," /* JSON */
    " issued_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL,"
    " revoked_at INTEGER,"
    " reason TEXT,"
    " revoked_epoch INTEGER,"
    " live INTEGER NOT NULL,"
    " pending INTEGER NOT NULL,"
    " holder_pid INTEGER NOT NULL," /* 0: none */
    " holder_start INTEGER NOT NULL,"
    " holder_pidns INTEGER NOT NULL,"
    " holder_boot TEXT NOT NULL,"
    " token_dir TEXT,"
    " origin TEXT" /* JSON */
    ") WITHOUT ROWID;"
    "CREATE INDEX identity_live ON identity(expires_at) WHERE live = 1;"
    "CREATE INDEX identity_held ON identity(id)"
    " WHERE live = 1 AND holder_pid <> 0;"
    "CREATE INDEX identity_ended ON identity(expires_at) WHERE live = 0;"
    "CREATE INDEX identity_parent ON identity(parent)"
    " WHERE parent IS NOT NULL;"
    "CREATE INDEX identity_root ON identity(root)"
    " WHERE parent IS NOT NULL;"
    "CREATE INDEX identity_revoked ON identity(revoked_epoch)"
    " WHERE revoked_epoch IS NOT NULL;"
    "CREATE TABLE credential ("
    " jti TEXT PRIMARY KEY,"
    " identity TEXT NOT NULL,"
    " issuer TEXT NOT NULL,"
    " form INTEGER NOT NULL,"
    " subject_is_agent INTEGER NOT NULL,"
    " alg INTEGER NOT NULL,"
    " kid TEXT NOT NULL,"
    " audience TEXT NOT NULL,"
    " issued_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL,"
    " published INTEGER NOT NULL," /* its token names its list */
    " list INTEGER NOT NULL,"
    " idx INTEGER NOT NULL,"
    " revocation TEXT NOT NULL DEFAULT 'none',"
    " revoked_at INTEGER,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " last_error TEXT,"
    " sealed BLOB,"
    " UNIQUE (list, idx)"
    ") WITHOUT ROWID;"
    /* The first credential of an identity has its id. */
    "CREATE INDEX credential_further ON credential(identity)"
    " WHERE jti <> identity;"
    "CREATE TABLE status_list ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* never used again */
    " issuer_url TEXT NOT NULL,"
    " window_end INTEGER NOT NULL,"
    " generation INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " uri TEXT NOT NULL UNIQUE,"
    " UNIQUE (issuer_url, window_end, generation, seq));"
    "CREATE TABLE event ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time INTEGER NOT NULL,"
    " kind TEXT NOT NULL,"
    " id TEXT,"
    " root TEXT,"
    " why TEXT,"
    " uid INTEGER NOT NULL,"
    " pid INTEGER NOT NULL,"
    " program TEXT NOT NULL);"
    "CREATE TRIGGER event_is_append_only BEFORE UPDATE ON event"
    " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;"
    "CREATE TABLE key ("
    " kid TEXT PRIMARY KEY,"
    " alg INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " activate_at INTEGER NOT NULL,"
    " verify_until INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta(name, value) VALUES ('epoch', 0), ('generation', 1);"
    "PRAGMA user_version = 1;";

/* How a run's command ended.  A trigger prunes it with its identity, for a
 * program of version 1 prunes too, and does not know of it. */
static const char to_2[] =
    "CREATE TABLE outcome ("
    " identity TEXT PRIMARY KEY,"
    " ended_at INTEGER NOT NULL,"
    " status INTEGER NOT NULL," /* -1: none */
    " signal INTEGER NOT NULL," /* 0: none */
    " timed_out INTEGER NOT NULL,"
    " left_over TEXT" /* what could not be ended */
    ") WITHOUT ROWID;"
    "CREATE TRIGGER outcome_goes_with_its_identity AFTER DELETE ON identity"
    " BEGIN DELETE FROM outcome WHERE identity = old.id; END;"
    "PRAGMA user_version = 2;";

int
ledger_read_schema(struct ledger *l, struct err *e)
{
	scoped(query_done) struct query *q =
	    query(l, "PRAGMA user_version", e);

	if (q == NULL || query_step(q, e) < 0)
		return -1;
	l->schema = (int)column_int(q, 0);
	return 0;
}

/* Two processes may do this at once, and SQLite gives up on a change of the
 * journal mode without asking the busy handler. */
static int
set_journal_mode(struct ledger *l, struct err *e)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int tries = 0;; tries++) {
		int rc = sqlite3_exec(
		    l->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);

		if (rc == SQLITE_OK)
			return 0;
		if ((rc != SQLITE_BUSY && rc != SQLITE_LOCKED) ||
		    tries > 10000)
			return ledger_fail(l, e);
		nanosleep(&pause, NULL);
	}
}

static int
take_steps(struct ledger *l, struct err *e)
{
	if (ledger_read_schema(l, e) < 0 ||
	    (l->schema < 1 && ledger_exec(l, schema, e) < 0) ||
	    (l->schema < 2 && ledger_exec(l, to_2, e) < 0))
		return -1;
	return ledger_exec(l, "COMMIT", e);
}

/* Whoever comes second finds it done, under the writer's lock. */
static int
migrate(struct ledger *l, struct err *e)
{
	if (ledger_exec(l, "BEGIN IMMEDIATE", e) < 0)
		return -1;
	if (take_steps(l, e) < 0) {
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	return ledger_read_schema(l, e);
}

int
ledger_prepare_schema(struct ledger *l, bool create, struct err *e)
{
	struct err ignored;

	if (ledger_read_schema(l, e) < 0)
		return -1;
	/* An empty file: its maker died, or has not come to it yet. */
	if (l->schema == 0 && !create)
		return err_set(e, ERR_MISSING, "no ledger at '%s'", l->path);
	if (l->schema >= LEDGER_SCHEMA || l->read_only)
		return 0;
	if (create)
		return (l->schema == 0 && set_journal_mode(l, e) < 0)
		    ? -1
		    : migrate(l, e);
	/* Not for want of a new table does a revocation fail. */
	migrate(l, &ignored);
	return 0;
}
