#include "config.h"

#include <string.h>

#include "ledger-private.h"

#define KEY_COLUMNS "kid, alg, state, created_at, activate_at, verify_until"

static void
key_of_row(struct query *q, struct key_row *out)
{
	*out = (struct key_row){
	    .alg = (enum key_alg)column_int(q, 1),
	    .state = (enum key_state)column_int(q, 2),
	    .created_at = column_int(q, 3),
	    .activate_at = column_int(q, 4),
	    .verify_until = column_int(q, 5),
	};
	column_copy(q, 0, out->kid, sizeof out->kid);
}

int
ledger_put_key(struct ledger *l, const struct key_row *row, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "INSERT INTO key(" KEY_COLUMNS ")"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
	    " ON CONFLICT (kid) DO UPDATE SET state = excluded.state,"
	    " activate_at = excluded.activate_at,"
	    " verify_until = excluded.verify_until",
	    e);

	ledger_must_have_begun(l);
	if (q == NULL)
		return -1;
	bind_text(q, 1, row->kid);
	bind_int(q, 2, row->alg);
	bind_int(q, 3, row->state);
	bind_int(q, 4, row->created_at);
	bind_int(q, 5, row->activate_at);
	bind_int(q, 6, row->verify_until);
	return query_run(q, e);
}

int
ledger_find_key(
    struct ledger *l, const char *kid, struct key_row *out, struct err *e)
{
	scoped(query_done) struct query *q = query(
	    l, "SELECT " KEY_COLUMNS " FROM key WHERE kid = ?1", e);
	int rc;

	*out = (struct key_row){0};
	if (q == NULL)
		return -1;
	bind_text(q, 1, kid);
	if ((rc = query_step(q, e)) < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_MISSING, "no such key");
	key_of_row(q, out);
	return 0;
}

int
ledger_keys(
    struct ledger *l, struct key_row *out, size_t max, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT " KEY_COLUMNS " FROM key"
	    " ORDER BY created_at DESC, kid LIMIT ?1",
	    e);
	int n = 0, rc;

	if (q == NULL)
		return -1;
	bind_int(q, 1, (int64_t)max);
	while ((rc = query_step(q, e)) == 1)
		key_of_row(q, &out[n++]);
	return rc < 0 ? -1 : n;
}

int
ledger_last_expiry(
    struct ledger *l, const char *kid, int64_t *exp, struct err *e)
{
	scoped(query_done) struct query *q = query(
	    l, "SELECT MAX(expires_at) FROM credential WHERE kid = ?1", e);

	if (q == NULL)
		return -1;
	bind_text(q, 1, kid);
	if (query_step(q, e) < 0)
		return -1;
	*exp = column_int(q, 0);
	return 0;
}
