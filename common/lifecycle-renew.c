#include "config.h"

#include "lifecycle-mint.h"

#include <string.h>

#include "lifecycle-audit.h"

/* Whoever was revoked stays so; who has only expired may have slept through
 * it with the machine, and so may its ancestors. */
static int
look_at_ancestors(struct mint *m, enum renewal *what, struct err *e)
{
	const char *parent = m->out->identity.parent;
	struct identity dead = {0};
	int found;

	if (parent[0] == '\0')
		return 0;
	found = ledger_dead_ancestor(m->lc->ledger, parent, m->now, &dead, e);
	if (found > 0)
		*what = dead.revoked_at != 0 ? RENEWAL_OVER : RENEWAL_WAITS;
	identity_clear(&dead);
	return found != 0 ? found
			  : ledger_find(m->lc->ledger, parent, &m->parent, e);
}

static int
is_from_the_future(const struct credential *c, void *arg)
{
	const struct mint *m = arg;

	return c->issued_at - NBF_LEEWAY > m->now;
}

/* The clock was set back, and what was issued before is valid only when it has
 * come so far again. 1: so it is; -1. */
static int
is_ahead_of_us(struct mint *m, struct err *e)
{
	return ledger_each_credential(
	    m->lc->ledger, m->rq->id, is_from_the_future, m, e);
}

/* A renewal a second before the end of all would only make rows. 1: it is
 * worth it; -1. */
static int
is_worth_it(struct mint *m, int64_t expired_at, struct err *e)
{
	int64_t ttl = m->rq->ttl != 0 ? m->rq->ttl : m->policy->ttl;
	int64_t gain = m->out->identity.expires_at - expired_at;

	if (gain >= 1 && gain >= ttl / 10)
		return 1;
	return is_ahead_of_us(m, e);
}

static int
describe(struct mint *m, struct err *e)
{
	if (mint_check_home(m->lc, e) < 0 ||
	    mint_refresh_issuer_url(m->lc, e) < 0 ||
	    mint_describe_credentials(m, false, e) < 0)
		return -1;
	mint_choose_terms(m);
	mint_choose_expiry(m);
	return 0;
}

static int
record(struct mint *m, struct err *e)
{
	const struct identity *id = &m->out->identity;
	struct ledger *l = m->lc->ledger;

	if (mint_issue(m, e) < 0 ||
	    ledger_extend(l, id->id, id->expires_at, e) < 0 ||
	    ledger_add_event(l, EVENT_RENEWED, id->id, id->root,
		m->out->issued[0].credential.jti, e) < 0)
		return -1;
	return ledger_prune(l, m->now, m->policy->retention, e);
}

static int
in_transaction(struct mint *m, enum renewal *what, struct err *e)
{
	struct identity *id = &m->out->identity;
	int64_t expired_at;
	int dead, worth;

	if (ledger_find(m->lc->ledger, m->rq->id, id, e) < 0)
		return -1;
	*what = RENEWAL_OVER;
	if (id->revoked_at != 0)
		return 0;
	if ((dead = look_at_ancestors(m, what, e)) != 0)
		return dead < 0 ? -1 : 0;
	*what = RENEWAL_TOO_SOON;
	expired_at = id->expires_at;
	if (describe(m, e) < 0 || (worth = is_worth_it(m, expired_at, e)) < 0)
		return -1;
	if (worth == 0) {
		id->expires_at = expired_at;
		return 0;
	}
	*what = RENEWED;
	return record(m, e);
}

static int
renew(struct mint *m, enum renewal *what, struct err *e)
{
	struct ledger *l = m->lc->ledger;

	if (issuer_find(m->rq->issuer != NULL ? m->rq->issuer : "local",
		&m->ops, e) < 0 ||
	    ledger_begin(l, m->now, e) < 0)
		return -1;
	/* It may be this transaction that found the ledger restored, and
	 * revoked all: that is kept. */
	if (in_transaction(m, what, e) < 0 ||
	    ((*what == RENEWED || *what == RENEWAL_OVER) &&
		ledger_commit(l, e) < 0)) {
		ledger_rollback(l);
		return -1;
	}
	ledger_rollback(l); /* where nothing was to be recorded */
	if (*what == RENEWED)
		mint_settle_keys(m->lc);
	return 0;
}

int
lifecycle_renew(struct lifecycle *lc, const struct mint_request *rq,
    enum renewal *what, struct minted *out, struct err *e)
{
	struct mint m = {.lc = lc,
	    .rq = rq,
	    .policy = &lc->settings.policy,
	    .out = out,
	    .now = lifecycle_now(lc)};
	int result;

	*out = (struct minted){0};
	*what = RENEWAL_OVER;
	result = renew(&m, what, e);
	if (result < 0) {
		lifecycle_audit(lc, EVENT_FAILED, rq->id, NULL, e->text);
		minted_clear(out);
	} else if (*what == RENEWED)
		lifecycle_audit(lc, EVENT_RENEWED, out->identity.id,
		    out->identity.root, NULL);
	identity_clear(&m.parent);
	return result;
}
