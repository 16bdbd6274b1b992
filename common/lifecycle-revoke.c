#include "config.h"

#include "lifecycle.h"

#include "clock.h"
#include "lifecycle-audit.h"
#include "tokendir.h"

/* One transaction, the caller's where it has begun one; what it ended is
 * noted in *ended. With `o' it is the end of the run f->id. */
static int
revoke_durably(struct lifecycle *lc, const struct ledger_filter *f,
    const char *reason, const struct outcome *o, struct idlist *ended,
    struct err *e)
{
	if (!ledger_has_begun(lc->ledger) &&
	    ledger_begin(lc->ledger, lifecycle_now(lc), e) < 0)
		return -1;
	if (ledger_revoke(lc->ledger, f, EVENT_REVOKED, reason, idlist_note,
		ended, e) < 0 ||
	    (o != NULL && ledger_set_outcome(lc->ledger, f->id, o, e) < 0) ||
	    ledger_commit(lc->ledger, e) < 0) {
		ledger_rollback(lc->ledger);
		lifecycle_audit(lc, EVENT_FAILED, f->id, NULL, e->text);
		return -1;
	}
	for (size_t i = 0; i < ended->n; i++)
		lifecycle_audit(
		    lc, EVENT_REVOKED, ended->ids[i], NULL, reason);
	return 0;
}

/* Reports what is durably so, hence reads it again. */
static int
report(struct lifecycle *lc, const struct idlist *ended,
    ledger_identity_fn *fn, void *arg, struct err *e)
{
	for (size_t i = 0; i < ended->n; i++) {
		struct identity id = {0};
		int stop;

		if (ledger_find(lc->ledger, ended->ids[i], &id, e) < 0)
			return -1;
		stop = fn(&id, arg);
		identity_clear(&id);
		if (stop != 0)
			return stop;
	}
	return 0;
}

int
lifecycle_revoke(struct lifecycle *lc, const struct ledger_filter *f,
    const char *reason, ledger_identity_fn *fn, void *arg, size_t *n,
    struct err *e)
{
	scoped(idlist_free) struct idlist ended = {0};

	*n = 0;
	if (revoke_durably(lc, f, reason, NULL, &ended, e) < 0)
		return -1;
	*n = ended.n;
	return fn != NULL ? report(lc, &ended, fn, arg, e) : 0;
}

static int
remove_token_files(const struct identity *id, struct err *e)
{
	if (id->token_dir == NULL || *id->token_dir == '\0')
		return 0;
	return tokendir_remove(id->token_dir, e);
}

/* The token files go even when the revocation failed: the run is over. */
static int
end_known_run(struct lifecycle *lc, const struct identity *run,
    const char *reason, const struct outcome *o, bool *revoked,
    struct err *e)
{
	const struct ledger_filter f = {
	    .id = run->id, .now = lifecycle_now(lc)};
	scoped(idlist_free) struct idlist ended = {0};
	struct err ignored;

	if (revoke_durably(lc, &f, reason, o, &ended, e) < 0) {
		remove_token_files(run, &ignored);
		return err_in(e, "run %s is not revoked", run->id);
	}
	*revoked = true;
	if (remove_token_files(run, e) < 0)
		return err_in(e,
		    "run %s is revoked, its token files are not removed",
		    run->id);
	return 0;
}

/* The lock file of a run that could not be ended stays, so that a sweep tries
 * again. */
int
lifecycle_end_run(struct lifecycle *lc, const char *id, const char *reason,
    const struct outcome *o, bool *revoked, struct err *e)
{
	struct identity run = {0};
	int result = 0;

	*revoked = false;
	if (ledger_find(lc->ledger, id, &run, e) == 0)
		result = end_known_run(lc, &run, reason, o, revoked, e);
	else if (e->code != ERR_MISSING)
		result = err_in(e, "run %s is not revoked", id);
	else
		*revoked = true;
	identity_clear(&run);
	if (result == 0)
		home_forget_run(&lc->home, id);
	return result;
}

int
lifecycle_set_outcome(struct lifecycle *lc, const char *id,
    const struct outcome *o, struct err *e)
{
	if (ledger_begin(lc->ledger, lifecycle_now(lc), e) < 0)
		return -1;
	if (ledger_set_outcome(lc->ledger, id, o, e) < 0 ||
	    ledger_commit(lc->ledger, e) < 0) {
		ledger_rollback(lc->ledger);
		return -1;
	}
	return 0;
}
