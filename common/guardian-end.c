#include "config.h"

#include "guardian-private.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "receipt.h"
#include "statusfd.h"

#define STRAGGLERS_MS (2 * CLOCK_SECOND)

static void
announce_end_of_identity(const struct guardian *g, const char *reason)
{
	cJSON *event =
	    statusfd_event("revoked", g->id, lifecycle_now(&g->lc));

	json_add_string(event, "reason", reason);
	guardian_announce(g, event);
}

/* Somebody else may have come first, a moment ago, and the ledger keeps the
 * first reason. */
static void
report_end(struct guardian *g, const char *reason)
{
	scoped(identity_clear) struct identity id = {0};
	struct err ignored;

	if (g->revoked)
		return;
	if (ledger_find(g->lc.ledger, g->id, &id, &ignored) == 0 &&
	    id.reason != NULL && strcmp(id.reason, reason) != 0)
		guardian_was_revoked(g, &id);
	else
		announce_end_of_identity(g, reason);
}

/* One that failed is tried again by who comes next, and insist_on_end() has
 * the last word. */
void
guardian_end_identity(struct guardian *g, const char *reason)
{
	bool files_stay;

	if (g->ended)
		return;
	lifecycle_set_now(&g->lc, clock_now_ms());
	files_stay = lifecycle_end_run(&g->lc, g->id, reason, &g->outcome,
			 &g->ended, &g->trouble) < 0 && g->ended;
	/* What was not minted is tried too, for a commit may fail and hold,
	 * but there is one thing to say then, and the mint says it. */
	if (!g->ended || !g->minted)
		return;
	report_end(g, reason);
	if (files_stay) {
		g->warned = true;
		guardian_complain(g, &g->trouble);
	}
}

/* When there is nothing else to do, there is time to wait for the ledger. */
static void
insist_on_end(struct guardian *g, const char *reason)
{
	ledger_set_patience(g->lc.ledger, LEDGER_PATIENCE_MS);
	guardian_end_identity(g, reason);
	if (!g->ended && g->minted)
		guardian_complain(g, &g->trouble);
}

void
guardian_announce_stragglers(struct guardian *g, size_t n)
{
	static const char *const policies[] = {"kill", "wait", "leave"};
	cJSON *event =
	    statusfd_event("stragglers", g->id, lifecycle_now(&g->lc));

	json_add_string(event, "policy", policies[g->rq->stragglers]);
	json_add_int(event, "count", (int64_t)n);
	guardian_announce(g, event);
}

/* What crashed leaves nothing: nobody is there to look after it. */
static void
end_stragglers(struct guardian *g, bool crashed)
{
	scoped(buf_free) struct buf left = {0};
	struct err e;

	if (supervise_end_tree(crashed ? SIGKILL : SIGTERM, STRAGGLERS_MS,
		NULL, &left, &e) < 0)
		guardian_warn(g, "cannot end what the command left: %s",
		    e.text);
	else if (left.len > 0) {
		guardian_warn(g, "left running: %s", left.ptr);
		g->outcome.left = buf_steal(&left);
	}
}

static void
settle_stragglers(struct guardian *g, bool crashed)
{
	scoped(buf_free) struct buf names = {0};
	struct err e;
	bool known;
	size_t n;

	known = supervise_name_tree(&names, &n, &e) == 0;
	if (known && n == 0)
		return;
	if (known)
		guardian_announce_stragglers(g, n);
	if (known && g->rq->stragglers == STRAGGLERS_LEAVE && !crashed)
		g->outcome.left = buf_steal(&names);
	else
		end_stragglers(g, crashed);
}

/* The outcome went with the revocation, unless that came before the end or
 * something is known only now. */
static void
record_the_rest(struct guardian *g, bool known)
{
	struct err e;

	if (!g->ended || (known && g->outcome.left == NULL))
		return;
	lifecycle_set_now(&g->lc, clock_now_ms());
	if (lifecycle_set_outcome(&g->lc, g->id, &g->outcome, &e) < 0)
		guardian_warn(g, "the receipt of run %s is not complete: %s",
		    g->id, e.text);
}

static void
write_receipt(struct guardian *g)
{
	struct err e;

	if (g->rq->receipt != NULL &&
	    receipt_write(g->lc.ledger, g->id, lifecycle_now(&g->lc),
		g->rq->receipt, &e) < 0)
		guardian_warn(g, "no receipt: %s", e.text);
}

static _Noreturn void
leave(struct guardian *g)
{
	lifecycle_close(&g->lc);
	tokendir_close(&g->dir);
	env_free(&g->env);
	_exit(0);
}

void
guardian_note_outcome(struct guardian *g)
{
	const siginfo_t *end = &g->main_end;
	bool exited = end->si_code == CLD_EXITED;

	if (!g->main_ended || g->outcome.ended_at != 0)
		return;
	g->outcome.ended_at = clock_now_ms() / CLOCK_SECOND;
	g->outcome.status = exited ? end->si_status : -1;
	g->outcome.signal = exited ? 0 : end->si_status;
}

/* `crashed': front is gone, and nobody waits for a grace. Where the ledger is
 * busy, what still runs does not get the time that it takes. */
_Noreturn void
guardian_finish(struct guardian *g, const char *reason, bool crashed)
{
	struct guardian_message m = {.kind = GUARDIAN_ENDED};
	bool early = g->ended;

	if (g->timed_out && !crashed)
		reason = "its time limit was over";
	g->outcome.timed_out = g->timed_out;
	guardian_end_identity(g, reason);
	if (g->main_ended) /* and was waited for, or is a zombie still */
		waitpid(g->main, NULL, WNOHANG);
	settle_stragglers(g, crashed);
	insist_on_end(g, reason);
	if (g->revoked && g->rq->kill_on_revoke)
		guardian_note(g, "the command was ended with run %s, which "
				 "was revoked",
		    g->id); /* what came before may be off the screen */
	record_the_rest(g, !early);
	write_receipt(g);
	guardian_wake_front(g); /* stopped, it would never tell */
	m.end = g->main_end;
	m.timed_out = g->timed_out;
	m.warned = g->warned || !g->ended;
	guardian_tell(g, &m);
	leave(g);
}

/* Nothing runs, and nothing live is left. */
_Noreturn void
guardian_fail(struct guardian *g, int status, const struct err *e)
{
	struct guardian_message m = {.kind = GUARDIAN_FAILED};

	if (g->lc.ledger != NULL) {
		insist_on_end(g, "the command did not start");
		if (g->minted)
			write_receipt(g);
	}
	settle_stragglers(g, true); /* it may have run without our hearing */
	m.status = status;
	snprintf(m.text, sizeof m.text, "%s", e->text);
	guardian_tell(g, &m);
	leave(g);
}
