#include "config.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "ledger-private.h"

static const char *const names[] = {
    [EVENT_MINTED] = "minted",
    [EVENT_RENEWED] = "renewed",
    [EVENT_DELEGATED] = "delegated",
    [EVENT_REVOKED] = "revoked",
    [EVENT_EXPIRED] = "expired-unrevoked",
    [EVENT_REFUSED] = "refused",
    [EVENT_SWEPT] = "swept",
    [EVENT_FAILED] = "failed",
    [EVENT_RESTORED] = "restored",
};
#define NAMES (sizeof names / sizeof *names)

const char *
event_name(enum event_kind kind)
{
	assert((size_t)kind < NAMES);
	return names[kind];
}

/* False for what a newer version wrote. */
static bool
parse_kind(const char *name, enum event_kind *out)
{
	for (size_t i = 0; name != NULL && i < NAMES; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum event_kind)i;
			return true;
		}
	return false;
}

int
ledger_add_event(struct ledger *l, enum event_kind kind, const char *id,
    const char *root, const char *why, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "INSERT INTO event(time, kind, id, root, why, uid, pid, program)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	    e);

	ledger_must_have_begun(l);
	if (q == NULL)
		return -1;
	bind_int(q, 1, l->now);
	bind_text(q, 2, event_name(kind));
	bind_text(q, 3, id);
	bind_text(q, 4, root);
	bind_text(q, 5, why);
	bind_int(q, 6, getuid());
	bind_int(q, 7, getpid());
	bind_text(q, 8, l->program != NULL ? l->program : "");
	return query_run(q, e);
}

int
ledger_each_event(struct ledger *l, const char *id, int64_t after_seq,
    int64_t since, ledger_event_fn *fn, void *arg, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT seq, time, kind, id, root, why, program, uid, pid"
	    " FROM event WHERE seq > ?1 AND time >= ?2"
	    " AND (?3 IS NULL OR id = ?3) ORDER BY seq",
	    e);
	int rc;

	if (q == NULL)
		return -1;
	bind_int(q, 1, after_seq);
	bind_int(q, 2, since);
	bind_text(q, 3, id);
	while ((rc = query_step(q, e)) == 1) {
		struct event ev = {
		    .seq = column_int(q, 0),
		    .time = column_int(q, 1),
		    .id = column_text(q, 3),
		    .root = column_text(q, 4),
		    .why = column_text(q, 5),
		    .program = column_text(q, 6),
		    .uid = column_int(q, 7),
		    .pid = column_int(q, 8),
		};
		int stop;

		if (!parse_kind(column_text(q, 2), &ev.kind))
			continue;
		if ((stop = fn(&ev, arg)) != 0)
			return stop;
	}
	return rc;
}
