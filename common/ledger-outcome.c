#include "config.h"

#include <stdlib.h>

#include "ledger-private.h"

void
outcome_clear(struct outcome *o)
{
	free(o->left);
	*o = (struct outcome){0};
}

/* A ledger that could not be migrated has no table for it. */
static bool
has_outcomes(const struct ledger *l)
{
	return l->schema >= 2;
}

struct query *
ledger_outcome_query(struct ledger *l, struct err *e)
{
	return query(l,
	    "INSERT OR REPLACE INTO outcome"
	    "(identity, ended_at, status, signal, timed_out, left_over)"
	    " SELECT id, ?2, ?3, ?4, ?5, ?6 FROM identity WHERE id = ?1",
	    e);
}

int
ledger_set_outcome(struct ledger *l, const char *id, const struct outcome *o,
    struct err *e)
{
	scoped(query_done) struct query *q = NULL;

	ledger_must_have_begun(l);
	if (!has_outcomes(l))
		return 0;
	if ((q = ledger_outcome_query(l, e)) == NULL)
		return -1;
	bind_text(q, 1, id);
	bind_int(q, 2, o->ended_at);
	bind_int(q, 3, o->status);
	bind_int(q, 4, o->signal);
	bind_int(q, 5, o->timed_out);
	bind_text(q, 6, o->left);
	return query_run(q, e);
}

static void
outcome_of_row(struct query *q, struct outcome *out)
{
	const char *left = column_text(q, 4);

	*out = (struct outcome){
	    .ended_at = column_int(q, 0),
	    .status = (int)column_int(q, 1),
	    .signal = (int)column_int(q, 2),
	    .timed_out = column_int(q, 3) != 0,
	    .left = left != NULL ? xstrdup(left) : NULL,
	};
}

int
ledger_find_outcome(
    struct ledger *l, const char *id, struct outcome *out, struct err *e)
{
	scoped(query_done) struct query *q = NULL;
	int rc = 0;

	*out = (struct outcome){0};
	if (has_outcomes(l)) {
		q = query(l,
		    "SELECT ended_at, status, signal, timed_out, left_over"
		    " FROM outcome WHERE identity = ?1",
		    e);
		if (q == NULL)
			return -1;
		bind_text(q, 1, id);
		if ((rc = query_step(q, e)) < 0)
			return -1;
	}
	if (rc == 0)
		return err_set(e, ERR_MISSING,
		    "run %.*s: how it ended is not known", ID_LEN, id);
	outcome_of_row(q, out);
	return 0;
}
