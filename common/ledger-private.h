/*
 * ledger-private - what the files of the ledger share; nobody else includes it.
 *
 * A statement is prepared at its first use and kept.  It is taken out of the
 * cache with query(), bound, stepped, and goes back when its variable leaves
 * the scope:
 *
 *	scoped(query_done) struct query *q = query(l, SQL, e);
 *
 *	if (q == NULL)
 *		return -1;
 *	bind_text(q, 1, id);
 *	return query_run(q, e);
 *
 * The SQL is a constant; the cache knows it by its address.
 */
#ifndef EPHID_LEDGER_PRIVATE_H
#define EPHID_LEDGER_PRIVATE_H

#include <sqlite3.h>

#include "ledger.h"

#define LEDGER_SCHEMA 2 /* PRAGMA user_version */

struct query {
	struct query *next;
	struct ledger *ledger;
	const char *sql;
	sqlite3_stmt *st;
	bool taken;
};

struct ledger {
	sqlite3 *db;
	char *path;
	const struct home *home; /* borrowed */
	const char *program;
	int schema;
	bool read_only;
	int64_t patience_ms, waits_since;
	bool waits;   /* for a transaction, since then */
	bool in_turn; /* has the lock that writers queue for */
	struct query *queries;
	/* the open transaction */
	bool begun;
	bool restoring; /* it ends all that was live; see ledger_begin() */
	int64_t now, epoch; /* the epoch that its commit will set */
	int changes;        /* sqlite3_total_changes() when it began */
	bool restored;      /* not said yet */
};

/* NULL with *e. */
struct query *query(struct ledger *l, const char *sql, struct err *e);
void query_done(struct query **q); /* for scoped() */
int query_step(struct query *q, struct err *e); /* 1 a row, 0 done, -1 */
int query_run(struct query *q, struct err *e);  /* to the end */

/* Texts are borrowed until the query is done; NULL binds NULL. */
void bind_text(struct query *q, int i, const char *text);
void bind_int(struct query *q, int i, int64_t value);
/* As bind_int, where 0 stands for no value. */
void bind_time(struct query *q, int i, int64_t value);
const char *column_text(struct query *q, int i); /* borrowed, or NULL */
int64_t column_int(struct query *q, int i);
void column_copy(struct query *q, int i, char *out, size_t size);

/* "ledger '...': what SQLite says" */
int ledger_fail(struct ledger *l, struct err *e);
/* Statements without parameters or rows. */
int ledger_exec(struct ledger *l, const char *sql, struct err *e);
/* Whatever changes the ledger comes here first; outside a transaction it is
 * a bug. */
void ledger_must_have_begun(const struct ledger *l);

/* What new status lists are made under; raised when a ledger was restored. */
int ledger_generation(struct ledger *l, int64_t *generation, struct err *e);

/* PRAGMA user_version, into l->schema. */
int ledger_read_schema(struct ledger *l, struct err *e);
/* Reads it.  With `create' it makes the tables, and
 * unless the ledger is read-only it migrates what an older version made; who
 * does not create goes on with the old tables where that fails. */
int ledger_prepare_schema(struct ledger *l, bool create, struct err *e);
/* What revoking ends with; see ledger_rehearse_revocation(). */
struct query *ledger_outcome_query(struct ledger *l, struct err *e);

/* Ends all that is live, in the transaction that found the ledger restored. */
int ledger_end_restored(struct ledger *l, struct err *e);

#define IDENTITY_COLUMNS                                                      \
	"identity.id, parent, root, depth, max_depth, agent, task, scope, "   \
	"audiences, issued_at, expires_at, revoked_at, reason, pending, "     \
	"holder_pid, holder_start, holder_pidns, holder_boot, token_dir, "    \
	"origin"
#define IDENTITY_NCOLUMNS 20
/* From a row of IDENTITY_COLUMNS; texts are borrowed from the query. */
void identity_of_row(struct query *q, struct identity *out);

/* The terms of a filter, ?1 to ?9; with an identity to begin at, ?10. All are
 * bound by bind_filter(). */
#define FILTER_TERMS                                                          \
	"(?1 IS NULL OR substr(identity.id, -length(?1)) = ?1)"               \
	" AND (?2 IS NULL OR agent = ?2)"                                     \
	" AND (?3 IS NULL OR task = ?3)"                                      \
	" AND (?4 IS NULL OR identity.id IN"                                  \
	"  (SELECT identity FROM credential WHERE kid = ?4))"                 \
	" AND (?5 = 0 OR issued_at < ?5)"                                     \
	" AND (?6 = 0 OR holder_pid <> 0)"                                    \
	" AND CASE ?7"                                                        \
	"  WHEN 0 THEN 1"                                                     \
	"  WHEN 1 THEN revoked_at IS NULL AND expires_at > ?8"                \
	"  WHEN 2 THEN revoked_at IS NOT NULL"                                \
	"  ELSE revoked_at IS NULL AND expires_at <= ?8 END"                  \
	" AND (?9 IS NULL OR root = ?9)"
/* Where the search begins: at an identity (?10) and, unless `only' (?11),
 * beneath it; in a tree; among live rows with a holder; among live rows.
 * Each has an index. */
#define SPAN_ID                                                               \
	"span(id) AS (SELECT id FROM identity WHERE id = ?10"                 \
	" UNION SELECT c.id FROM span JOIN identity AS c"                     \
	"  ON c.parent = span.id WHERE NOT ?11)"
#define SPAN_ROOT                                                             \
	"span(id) AS (SELECT id FROM identity WHERE id = ?9"                  \
	" UNION SELECT id FROM identity"                                      \
	"  WHERE root = ?9 AND parent IS NOT NULL)"
#define SPAN_HELD                                                             \
	"span(id) AS (SELECT id FROM identity"                                \
	" WHERE live = 1 AND holder_pid <> 0)"
#define SPAN_LIVE "span(id) AS (SELECT id FROM identity WHERE live = 1)"
void bind_filter(struct query *q, const struct ledger_filter *f);

#endif
