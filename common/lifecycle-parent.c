#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "lifecycle-audit.h"
#include "lifecycle-mint.h"
#include "proc.h"

/* Its lineage is taken from the presented token, never from what the caller
 * says. That it lives is asked again inside the transaction. */
int
mint_present_parent(struct mint *m, struct err *e)
{
	const struct verify_request rq = {.token = m->rq->parent_token,
	    .len = strlen(m->rq->parent_token),
	    .status = STATUS_LEDGER,
	    .for_lineage = true};
	struct verdict v;
	int result = 0;

	if (lifecycle_verify(m->lc, &rq, &v, e) < 0)
		return -1;
	/* Known even when refused: the event is then the parent's. */
	memcpy(m->parent.id, v.id, sizeof m->parent.id);
	if (v.word == JWT_EXPIRED ||
	    (v.word == JWT_REVOKED && strncmp(v.detail, "run ", 4) == 0))
		result = err_set(e, ERR_DENIED, "%s", v.detail);
	else if (v.word == JWT_WRONG_ISSUER && m->rq->homeless != NULL)
		result = lifecycle_no_home(m->rq->homeless, e);
	else if (v.word != JWT_VALID)
		result = err_set(e, ERR_INVALID, "parent token: %s%s%s%s",
		    jwt_verdict_word(v.word), *v.detail ? " (" : "", v.detail,
		    *v.detail ? ")" : "");
	verdict_clear(&v);
	return result;
}

/* Our ancestors, as far as /proc shows them. */
#define ANCESTORS 128
struct ancestry {
	struct holder self;
	struct {
		pid_t pid;
		uint64_t start;
	} list[ANCESTORS];
	size_t n;
	struct ledger *ledger;
	const struct home *home;
	struct idlist live; /* runs whose rows were looked at, in order */
	char inside[ID_LEN + 1];
};

static void
read_ancestry(struct ancestry *a)
{
	pid_t pid = getppid(), parent;
	uint64_t start;

	for (; pid > 0 && a->n < ANCESTORS; pid = parent) {
		if (proc_stat(pid, &parent, &start) < 0)
			return;
		a->list[a->n].pid = pid;
		a->list[a->n++].start = start;
	}
}

static int
is_our_guardian(const struct identity *id, void *arg)
{
	struct ancestry *a = arg;

	if (id->holder.pidns != a->self.pidns ||
	    strcmp(id->holder.boot, a->self.boot) != 0)
		return 0;
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].pid == id->holder.pid &&
		    a->list[i].start == id->holder.start) {
			memcpy(a->inside, id->id, sizeof a->inside);
			return 1;
		}
	return 0;
}

static int
look_at_live(const struct identity *id, void *arg)
{
	struct ancestry *a = arg;

	idlist_add(&a->live, id->id);
	return is_our_guardian(id, a);
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A lock file whose row is not among the live: that of a run which was revoked
 * while it went on, or one on its way. */
static void
look_at_lock(const char *id, void *arg)
{
	struct ancestry *a = arg;
	struct identity run = {0};
	struct err ignored;

	if (a->inside[0] != '\0' ||
	    (a->live.n > 0 &&
		bsearch(id, a->live.ids, a->live.n, sizeof *a->live.ids,
		    compare_ids) != NULL) ||
	    ledger_find(a->ledger, id, &run, &ignored) < 0)
		return;
	if (home_probe_run(a->home, id, NULL) == RUN_LIVE)
		is_our_guardian(&run, a);
	identity_clear(&run);
}

/* Whether their identities live is not asked: what such a run holds is dead,
 * and a root of its own would be the way around it. */
static int
find_our_guardian(struct mint *m, struct ancestry *a, struct err *e)
{
	int result;

	read_ancestry(a);
	result = ledger_each_held(m->lc->ledger, 0, 0, look_at_live, a, e);
	if (result == 0)
		result = home_each_run(&m->lc->home, look_at_lock, a, e);
	idlist_free(&a->live);
	return result;
}

/* Against accidents: a run that forgets to present its token would leave its
 * tree. It is no wall against the same uid, so what cannot be read is let
 * pass. */
int
mint_check_new_root(struct mint *m, struct err *e)
{
	struct ancestry a = {
	    .ledger = m->lc->ledger, .home = &m->lc->home};
	struct err ignored;

	if (m->policy->new_root_inside || proc_self(&a.self, &ignored) < 0)
		return 0;
	if (find_our_guardian(m, &a, e) < 0)
		return -1;
	if (a.inside[0] != '\0')
		return err_set(e, ERR_DENIED,
		    "started inside run %s, which it must present", a.inside);
	return 0;
}

/* Inside the transaction: what the ledger has of the parent now. */
int
mint_load_parent(struct mint *m, struct err *e)
{
	struct identity dead = {0};
	char id[ID_LEN + 1], when[CLOCK_STAMP_MAX];
	int found;

	memcpy(id, m->parent.id, sizeof id);
	found = ledger_dead_ancestor(m->lc->ledger, id, m->now, &dead, e);
	if (found > 0) {
		bool revoked = dead.revoked_at != 0;

		err_set(e, ERR_DENIED, "run %s %s at %s", dead.id,
		    revoked ? "was revoked" : "expired",
		    clock_stamp(
			revoked ? dead.revoked_at : dead.expires_at, when));
	}
	identity_clear(&dead);
	return found != 0 ? -1
			  : ledger_find(m->lc->ledger, id, &m->parent, e);
}
