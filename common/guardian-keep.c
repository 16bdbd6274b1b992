#include "config.h"

#include "guardian-private.h"

#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "statusfd.h"
#include "timer.h"
#include "watch.h"

/* Each commit of anybody wakes us; many in a row are looked at together. */
#define LOOK_AFTER_MS 100
#define LOOK_EVERY_MS 1000 /* where the home cannot be watched */
#define RETRY_MS 1000      /* doubled with each failure */
#define RETRY_MAX_MS 30000

/* --- renewal ---------------------------------------------------------- */

/* Two thirds of its life are on the wall clock, which exp is held against;
 * the way there is on the boot clock, which sleeps and jumps with nobody. */
void
guardian_schedule_renewal(struct guardian *g, int64_t issued_at)
{
	int64_t life = (g->expires_at - issued_at) * CLOCK_SECOND;
	int64_t at = issued_at * CLOCK_SECOND + life / 3 * 2;
	int64_t left = at - clock_now_ms();

	g->renewals_failed = 0;
	g->renew_at = timer_in(left > 0 ? left : 0);
}

static void
try_again(struct guardian *g)
{
	int64_t wait = RETRY_MS;

	for (int i = 0; i < g->renewals_failed && wait < RETRY_MAX_MS; i++)
		wait *= 2;
	g->renewals_failed++;
	g->renew_at = timer_in(wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
}

/* What it has it keeps until it expires. */
static void
stop_renewing(struct guardian *g, const char *why)
{
	char at[CLOCK_STAMP_MAX];

	g->renew_at = 0;
	guardian_warn(g,
	    "not renewed any more: run %s %s, and expires at %s", g->id, why,
	    clock_stamp(g->expires_at, at));
}

/* A parent that is renewed itself will let it grow again. Half of what is left
 * each time, so that the last try is before the end. */
static void
wait_for_more(struct guardian *g)
{
	int64_t left =
	    g->expires_at * CLOCK_SECOND - lifecycle_now(&g->lc) * CLOCK_SECOND;

	if (g->expires_at >= g->last_expiry)
		stop_renewing(g, "has reached its max-life");
	else if (left <= 2 * RETRY_MS)
		try_again(g);
	else
		g->renew_at = timer_in(left / 2);
}

static void
announce_renewal(const struct guardian *g)
{
	cJSON *event =
	    statusfd_event("renewed", g->id, lifecycle_now(&g->lc));
	char at[CLOCK_STAMP_MAX];

	json_add_string(event, "expires_at",
	    clock_stamp(g->fresh.identity.expires_at, at));
	guardian_announce(g, event);
}

/* What is in the ledger and could not be written is written later, not
 * renewed once more. */
static void
hand_out(struct guardian *g)
{
	struct err e;

	if (handout_write(&g->dir, &g->fresh, &e) < 0) {
		if (g->renewals_failed == 0)
			guardian_warn(g,
			    "a renewed token cannot be handed out, and is "
			    "tried again: %s",
			    e.text);
		try_again(g);
		return;
	}
	g->expires_at = g->fresh.identity.expires_at;
	guardian_schedule_renewal(
	    g, g->fresh.issued[0].credential.issued_at);
	announce_renewal(g);
	minted_clear(&g->fresh);
}

void
guardian_was_revoked(struct guardian *g, const struct identity *id)
{
	cJSON *event =
	    statusfd_event("revoked", g->id, lifecycle_now(&g->lc));
	const char *why = id->reason;

	g->revoked = true;
	if (why != NULL)
		json_add_string(event, "reason", why);
	guardian_announce(g, event);
	guardian_warn(g, "run %s was revoked%s%s", g->id,
	    why != NULL ? ": " : "", why != NULL ? why : "");
}

static void
heed_revocation(struct guardian *g, const struct identity *id)
{
	struct err e;

	guardian_was_revoked(g, id);
	g->renew_at = g->look_at = 0;
	close_fd(&g->home_fd);
	if (tokendir_remove(g->dir.path, &e) < 0)
		guardian_warn(g, "its token files are not removed: %s", e.text);
	if (g->rq->kill_on_revoke)
		guardian_end_command(g, SIGTERM);
}

static void
renew(struct guardian *g)
{
	struct minted m;
	enum renewal what;
	struct err e;

	lifecycle_set_now(&g->lc, clock_now_ms());
	if (lifecycle_renew(&g->lc, &g->mint, &what, &m, &e) < 0) {
		if (g->renewals_failed == 0)
			guardian_warn(g, "cannot renew, and tries again: %s",
			    e.text);
		try_again(g);
		return;
	}
	if (what == RENEWED) {
		g->fresh = m;
		hand_out(g);
		return;
	}
	if (what == RENEWAL_TOO_SOON)
		wait_for_more(g);
	else if (what == RENEWAL_WAITS)
		try_again(g);
	else if (m.identity.revoked_at != 0)
		heed_revocation(g, &m.identity);
	else /* ephid-revoke --only spared it */
		stop_renewing(g, "came from one that was revoked");
	minted_clear(&m);
}

/* --- noticing --------------------------------------------------------- */

/* The watch begins, or what is queued is taken, before the ledger is read, so
 * that nothing falls in between. */
static void
look(struct guardian *g)
{
	struct identity id = {0};
	struct err e;

	if (g->home_fd < 0)
		watch_open(&g->lc.home, &g->home_fd, &e);
	else if (!watch_take(g->home_fd))
		close_fd(&g->home_fd);
	g->look_at = g->home_fd < 0 ? timer_in(LOOK_EVERY_MS) : 0;
	lifecycle_set_now(&g->lc, clock_now_ms());
	if (ledger_find(g->lc.ledger, g->id, &id, &e) < 0)
		g->look_at = timer_in(LOOK_EVERY_MS);
	else if (id.revoked_at != 0)
		heed_revocation(g, &id);
	identity_clear(&id);
}

void
guardian_keep_begin(struct guardian *g)
{
	struct err ignored;

	if (timer_open_clock_watch(&g->clock_fd, &ignored) < 0)
		g->clock_fd = -1;
	/* The watch begins with the first look: to close one waits for the
	 * kernel, 10 ms and more, which is the length of a short run. */
	g->look_at = timer_in(LOOK_AFTER_MS);
}

bool
guardian_keeps(const struct guardian *g)
{
	return !g->ended && !g->revoked;
}

void
guardian_keep(struct guardian *g, bool home_changed, bool clock_set)
{
	if (!guardian_keeps(g))
		return;
	if (home_changed && g->look_at == 0)
		g->look_at = timer_in(LOOK_AFTER_MS);
	if (clock_set) {
		timer_rearm_clock_watch(g->clock_fd);
		if (g->renew_at != 0)
			g->renew_at = timer_in(0);
	}
	if (timer_is_due(g->look_at))
		look(g);
	if (timer_is_due(g->renew_at) && !g->revoked) {
		if (g->fresh.n > 0)
			hand_out(g);
		else
			renew(g);
	}
}

int64_t
guardian_keep_next(const struct guardian *g)
{
	if (!guardian_keeps(g))
		return 0;
	if (g->look_at == 0 || g->renew_at == 0)
		return g->look_at + g->renew_at;
	return g->look_at < g->renew_at ? g->look_at : g->renew_at;
}
