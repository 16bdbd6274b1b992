#include "config.h"

#include <string.h>

#include "ledger-private.h"

/* --- selecting ------------------------------------------------------ */

void
bind_filter(struct query *q, const struct ledger_filter *f)
{
	bind_text(q, 1, f->suffix);
	bind_text(q, 2, f->agent);
	bind_text(q, 3, f->task);
	bind_text(q, 4, f->kid);
	bind_int(q, 5, f->issued_before);
	bind_int(q, 6, f->held);
	bind_int(q, 7, f->state);
	bind_int(q, 8, f->now);
	bind_text(q, 9, f->root);
	if (f->id != NULL)
		bind_text(q, 10, f->id);
}

#define EACH(SPAN)                                                            \
	"WITH RECURSIVE " SPAN " SELECT " IDENTITY_COLUMNS                    \
	" FROM span CROSS JOIN identity ON identity.id = span.id"             \
	" WHERE " FILTER_TERMS " ORDER BY identity.id"

/* Rows with a holder are asked for by sweeps, which are in a hurry: those
 * that ended are not of interest unless a state asks for them. */
static const char *
each_sql(const struct ledger_filter *f)
{
	if (f->id != NULL)
		return EACH(SPAN_ID);
	if (f->root != NULL)
		return EACH(SPAN_ROOT);
	if (f->held &&
	    (f->state == SELECT_ANY || f->state == SELECT_ACTIVE))
		return EACH(SPAN_HELD);
	if (f->state == SELECT_ACTIVE)
		return EACH(SPAN_LIVE);
	return "SELECT " IDENTITY_COLUMNS " FROM identity WHERE " FILTER_TERMS
	       " ORDER BY identity.id";
}

int
ledger_each(struct ledger *l, const struct ledger_filter *f,
    ledger_identity_fn *fn, void *arg, struct err *e)
{
	scoped(query_done) struct query *q = query(l, each_sql(f), e);
	int rc;

	if (q == NULL)
		return -1;
	bind_filter(q, f);
	if (f->id != NULL)
		bind_int(q, 11, f->only);
	while ((rc = query_step(q, e)) == 1) {
		struct identity id;
		int stop;

		identity_of_row(q, &id);
		if ((stop = fn(&id, arg)) != 0)
			return stop;
	}
	return rc;
}

/* --- revoking ------------------------------------------------------- */

/* What is chosen, and beneath it unless `only': the walk goes through rows
 * that ended already, for a child spared then may be meant now. "+live" keeps
 * the planner from walking all that lives to find a few ids. */
#define REVOKE(SPAN)                                                          \
	"WITH RECURSIVE " SPAN ","                                            \
	" chosen(id) AS (SELECT identity.id FROM span CROSS JOIN identity"    \
	"  ON identity.id = span.id WHERE " FILTER_TERMS "),"                 \
	" tree(id) AS (SELECT id FROM chosen"                                 \
	"  UNION SELECT c.id FROM tree JOIN identity AS c"                    \
	"  ON c.parent = tree.id WHERE NOT ?11)"                              \
	" UPDATE identity SET revoked_at = ?12, reason = ?13,"                \
	" revoked_epoch = ?14, live = 0"                                      \
	" WHERE +live = 1 AND id IN (SELECT id FROM tree)"                    \
	" RETURNING " IDENTITY_COLUMNS

static const char *
revoke_sql(const struct ledger_filter *f)
{
	if (f->id != NULL)
		return REVOKE(SPAN_ID);
	if (f->root != NULL)
		return REVOKE(SPAN_ROOT);
	return REVOKE(SPAN_LIVE);
}

/* Superseded ones too, but not what has expired: its list is gone, or soon. */
static const char revoke_credentials_sql[] =
    "UPDATE credential SET revoked_at = ?2, revocation ="
    " CASE issuer WHEN 'local' THEN 'done' ELSE 'pending' END"
    " WHERE jti IN (SELECT ?1 UNION ALL SELECT jti FROM credential"
    "  WHERE identity = ?1 AND jti <> identity)"
    " AND identity = ?1 AND expires_at > ?2 AND revoked_at IS NULL";

static int
revoke_credentials(struct ledger *l, const char *id, struct err *e)
{
	scoped(query_done) struct query *q =
	    query(l, revoke_credentials_sql, e);

	if (q == NULL)
		return -1;
	bind_text(q, 1, id);
	bind_int(q, 2, l->now);
	return query_run(q, e);
}

void
ledger_rehearse_revocation(struct ledger *l)
{
	const struct ledger_filter f = {.id = ""};
	scoped(query_done) struct query *tree = NULL, *credentials = NULL,
					*outcome = NULL;
	struct err ignored; /* it would come again, and be told then */

	tree = query(l, revoke_sql(&f), &ignored);
	credentials = query(l, revoke_credentials_sql, &ignored);
	outcome = ledger_outcome_query(l, &ignored);
}

int
ledger_revoke(struct ledger *l, const struct ledger_filter *f,
    enum event_kind kind, const char *reason, ledger_identity_fn *fn,
    void *arg, struct err *e)
{
	scoped(query_done) struct query *q = query(l, revoke_sql(f), e);
	int rc, stop = 0;

	ledger_must_have_begun(l);
	if (q == NULL)
		return -1;
	bind_filter(q, f);
	bind_int(q, 11, f->only);
	bind_int(q, 12, l->now);
	bind_text(q, 13, reason);
	bind_int(q, 14, l->epoch);
	/* SQLite changes all the rows before it returns the first. */
	while ((rc = query_step(q, e)) == 1) {
		struct identity id;

		identity_of_row(q, &id);
		if (revoke_credentials(l, id.id, e) < 0 ||
		    ledger_add_event(l, kind, id.id, id.root, reason, e) < 0)
			return -1;
		if (fn != NULL && stop == 0)
			stop = fn(&id, arg);
	}
	return rc < 0 ? rc : stop;
}

int
ledger_end_restored(struct ledger *l, struct err *e)
{
	static const char why[] = "ledger was restored from a backup";
	const struct ledger_filter all = {.now = l->now};

	if (ledger_revoke(l, &all, EVENT_REVOKED, why, NULL, NULL, e) < 0)
		return -1;
	return ledger_add_event(l, EVENT_RESTORED, NULL, NULL, why, e);
}

/* --- housekeeping --------------------------------------------------- */

#define PRUNE_ROWS "64" /* at most so many of each kind in one go */

/* The guardian of a held row may be asleep with its machine, and renew it
 * when it wakes; such rows end by revocation or sweep. */
static int
close_expired(struct ledger *l, int64_t now, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "UPDATE identity SET live = 0 WHERE id IN"
	    " (SELECT id FROM identity WHERE live = 1 AND expires_at <= ?1"
	    "  AND holder_pid = 0 ORDER BY expires_at LIMIT " PRUNE_ROWS ")"
	    " RETURNING id, root",
	    e);
	int rc;

	if (q == NULL)
		return -1;
	bind_int(q, 1, now);
	while ((rc = query_step(q, e)) == 1)
		if (ledger_add_event(l, EVENT_EXPIRED, column_text(q, 0),
			column_text(q, 1), NULL, e) < 0)
			return -1;
	return rc;
}

static int
drop_credentials(struct ledger *l, const char *id, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "DELETE FROM credential WHERE jti IN"
	    " (SELECT ?1 UNION ALL SELECT jti FROM credential"
	    "  WHERE identity = ?1 AND jti <> identity)"
	    " AND identity = ?1",
	    e);

	if (q == NULL)
		return -1;
	bind_text(q, 1, id);
	return query_run(q, e);
}

static int
drop_identities(struct ledger *l, int64_t before, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "DELETE FROM identity WHERE id IN"
	    " (SELECT id FROM identity WHERE live = 0 AND expires_at < ?1"
	    "  ORDER BY expires_at LIMIT " PRUNE_ROWS ") RETURNING id",
	    e);
	int rc;

	if (q == NULL)
		return -1;
	bind_int(q, 1, before);
	while ((rc = query_step(q, e)) == 1)
		if (drop_credentials(l, column_text(q, 0), e) < 0)
			return -1;
	return rc;
}

static int
drop_older(struct ledger *l, const char *sql, int64_t before, struct err *e)
{
	scoped(query_done) struct query *q = query(l, sql, e);

	if (q == NULL)
		return -1;
	bind_int(q, 1, before);
	return query_run(q, e);
}

#define LIST_KEPT 3600 /* seconds past its window */

int
ledger_prune(struct ledger *l, int64_t now, int64_t retention, struct err *e)
{
	static const char events[] =
	    "DELETE FROM event WHERE seq IN (SELECT seq FROM"
	    " (SELECT seq, time FROM event ORDER BY seq LIMIT " PRUNE_ROWS ")"
	    " WHERE time < ?1)";
	static const char lists[] =
	    "DELETE FROM status_list WHERE id IN (SELECT id FROM"
	    " (SELECT id, window_end FROM status_list ORDER BY id LIMIT "
	    PRUNE_ROWS ") WHERE window_end <= ?1)";

	ledger_must_have_begun(l);
	/* A row outlives the list that its credential is on. */
	if (retention < 2 * LIST_KEPT)
		retention = 2 * LIST_KEPT;
	if (close_expired(l, now, e) < 0 ||
	    drop_identities(l, now - retention, e) < 0 ||
	    drop_older(l, events, now - retention, e) < 0)
		return -1;
	return drop_older(l, lists, now - LIST_KEPT, e);
}
