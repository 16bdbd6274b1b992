#include "config.h"

#include "lifecycle.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "io.h"
#include "lifecycle-audit.h"
#include "tokendir.h"

#define WHY "swept: its holder was gone"

/* Dead runs are ended some at a time: each keeps its lock open, so that two
 * sweeps do not meet, and descriptors are few. */
#define BATCH 64
struct batch {
	struct {
		char id[ID_LEN + 1];
		int lock;
	} dead[BATCH];
	size_t n;
};

static void
batch_release(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		close_fd(&b->dead[i].lock);
	b->n = 0;
}

static int
end_batch(struct lifecycle *lc, const struct batch *b, struct idlist *ended,
    struct err *e)
{
	if (ledger_begin(lc->ledger, lifecycle_now(lc), e) < 0)
		return -1;
	for (size_t i = 0; i < b->n; i++) {
		const struct ledger_filter f = {
		    .id = b->dead[i].id, .now = lifecycle_now(lc)};

		if (ledger_revoke(lc->ledger, &f, EVENT_SWEPT, WHY,
			idlist_note, ended, e) < 0)
			goto fail;
	}
	if (ledger_commit(lc->ledger, e) == 0)
		return 0;
fail:
	ledger_rollback(lc->ledger);
	return -1;
}

/* Removes what a dead run left on the disk. When the token files cannot be
 * removed the lock file stays too, and a full sweep tries again. */
static int
clean_up(struct lifecycle *lc, const char *id, struct err *e)
{
	struct identity run = {0};
	int result = 0;

	if (ledger_find(lc->ledger, id, &run, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
	} else if (run.token_dir != NULL && *run.token_dir != '\0')
		result = tokendir_remove(run.token_dir, e);
	identity_clear(&run);
	if (result == 0)
		home_forget_run(&lc->home, id);
	return result;
}

static int
flush_batch(struct lifecycle *lc, struct batch *b, size_t *n, struct err *e)
{
	scoped(idlist_free) struct idlist ended = {0};
	int result = 0;

	if (b->n == 0)
		return 0;
	if (end_batch(lc, b, &ended, e) < 0) {
		batch_release(b);
		return -1;
	}
	*n += ended.n;
	for (size_t i = 0; i < ended.n; i++)
		lifecycle_audit(lc, EVENT_SWEPT, ended.ids[i], NULL, WHY);
	for (size_t i = 0; i < b->n; i++)
		if (clean_up(lc, b->dead[i].id, e) < 0)
			result = -1;
	batch_release(b);
	return result;
}

static void
look_at(struct lifecycle *lc, const char *id, struct batch *b)
{
	int lock = -1;

	if (home_probe_run(&lc->home, id, &lock) != RUN_DEAD)
		return;
	memcpy(b->dead[b->n].id, id, ID_LEN + 1);
	b->dead[b->n++].lock = lock;
}

/* A passing sweep begins anywhere, so that all get their turn. */
static int64_t
random_start(int64_t n)
{
	uint64_t r;

	io_random(&r, sizeof r);
	return (int64_t)(r % (uint64_t)n);
}

static int
choose_held(
    struct lifecycle *lc, size_t max, struct idlist *out, struct err *e)
{
	int64_t n, most = (int64_t)max;
	int64_t start = 0;

	if (max != 0) {
		if (ledger_count_held(lc->ledger, &n, e) < 0)
			return -1;
		if (n > most)
			start = random_start(n);
	}
	if (ledger_each_held(
		lc->ledger, start, most, idlist_note, out, e) < 0)
		return -1;
	if (start == 0 || out->n >= max)
		return 0;
	return ledger_each_held(lc->ledger, 0, most - (int64_t)out->n,
	    idlist_note, out, e);
}

/* Expired ones too: nothing else ends the row of a run whose holder died
 * after its token, and its files would stay. */
static int
sweep_held(struct lifecycle *lc, size_t max, size_t *n, struct err *e)
{
	scoped(idlist_free) struct idlist held = {0};
	struct batch batch = {.n = 0};
	int result = 0;

	if (choose_held(lc, max, &held, e) < 0)
		return -1;
	for (size_t i = 0; i < held.n; i++) {
		look_at(lc, held.ids[i], &batch);
		if (batch.n == BATCH && flush_batch(lc, &batch, n, e) < 0)
			result = -1;
	}
	return flush_batch(lc, &batch, n, e) < 0 ? -1 : result;
}

static void
note_run(const char *id, void *arg)
{
	idlist_add(arg, id);
}

/* Lock files of runs that are not live (those were swept) and that nobody
 * holds: front died before anything was minted, or a run expired unswept. */
static int
sweep_locks(struct lifecycle *lc, struct err *e)
{
	scoped(idlist_free) struct idlist runs = {0};
	int result = 0;

	if (home_each_run(&lc->home, note_run, &runs, e) < 0)
		return -1;
	for (size_t i = 0; i < runs.n; i++) {
		int lock = -1;

		if (home_probe_run(&lc->home, runs.ids[i], &lock) == RUN_DEAD &&
		    clean_up(lc, runs.ids[i], e) < 0)
			result = -1;
		close_fd(&lock);
	}
	return result;
}

int
lifecycle_sweep(
    struct lifecycle *lc, size_t max, size_t *n, struct err *e)
{
	int result = 0;

	*n = 0;
	if (ledger_is_read_only(lc->ledger))
		return 0;
	/* What cannot be ended or removed keeps nothing else alive. */
	if (sweep_held(lc, max, n, e) < 0)
		result = -1;
	if (max == 0 && sweep_locks(lc, e) < 0)
		result = -1;
	return result;
}
