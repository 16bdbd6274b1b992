#include "config.h"

#include "history.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "io.h"
#include "ledger.h"
#include "record.h"
#include "watch.h"

struct reader {
	struct lifecycle *lc;
	const char *id; /* NULL: of all */
	int64_t since;
	int64_t seq; /* of the last event shown */
	bool quiet;
};

bool
history_is_narrowed(const struct history *h)
{
	return h->since != NULL || h->follow;
}

static int
show_event(const struct event *ev, void *arg)
{
	struct reader *r = arg;
	scoped(free_json) cJSON *record = record_event(ev);

	r->seq = ev->seq;
	if (!r->quiet)
		record_print_json(record);
	return 0;
}

static int
read_on(struct reader *r, struct err *e)
{
	return ledger_each_event(
	    r->lc->ledger, r->id, r->seq, r->since, show_event, r, e);
}

static int
follow(struct reader *r, struct err *e)
{
	scoped(close_fd) int fd = -1;
	int more = 1;

	/* Before the first reading, so that nothing falls in between. */
	if (watch_open(&r->lc->home, &fd, e) < 0)
		return -1;
	while (more > 0) {
		if (read_on(r, e) < 0)
			return -1;
		if (fflush(stdout) != 0)
			return err_sys(e, "cannot write to stdout");
		more = watch_wait(fd, STDOUT_FILENO, e);
	}
	return more;
}

int
history_print(const struct history *h, const char *id, struct lifecycle *lc,
    struct outlet *out)
{
	struct reader r = {.lc = lc, .quiet = out->quiet};
	char full[ID_LEN + 1];
	struct err e;

	if (id != NULL) {
		if (lifecycle_resolve(lc, id, full, &e) < 0)
			return outlet_fail(&e);
		r.id = full;
	}
	if (h->since != NULL)
		r.since = lifecycle_now(lc) -
		    cli_duration("since", h->since) / CLOCK_SECOND;
	return (h->follow ? follow(&r, &e) : read_on(&r, &e)) < 0
	    ? outlet_fail(&e)
	    : 0;
}
