#include "config.h"

#include "custody.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "clock.h"
#include "keystore.h"
#include "ledger.h"

/* --- the frame of each act ---------------------------------------------- */

static int
begin(struct custody *c, struct err *e)
{
	*c->kid = '\0';
	return ledger_begin(c->lc->ledger, lifecycle_now(c->lc), e);
}

static int
commit(struct custody *c, struct err *e)
{
	if (ledger_commit(c->lc->ledger, e) < 0)
		return -1;
	return keystore_settle(c->lc->keys, e);
}

/* The rollback is nothing where it was committed. */
static int
end(struct custody *c, int result)
{
	ledger_rollback(c->lc->ledger);
	return result;
}

static void
keep_kid(struct custody *c, const char *kid)
{
	snprintf(c->kid, sizeof c->kid, "%s", kid);
}

/* Commits what was changed so far with it: a crash leaves neither a key that
 * is retired nor a URL that is new beside what still counts on the old. */
static int
revoke_all(struct custody *c, const char *kid, const char *why, struct err *e)
{
	const struct ledger_filter f = {
	    .kid = kid, .now = lifecycle_now(c->lc)};
	size_t n;

	if (lifecycle_revoke(c->lc, &f, why, NULL, NULL, &n, e) < 0)
		return -1;
	if (n > 0)
		cli_warn(
		    "%zu %s revoked", n, n == 1 ? "identity" : "identities");
	return 0;
}

/* --- acts --------------------------------------------------------------- */

static int
make_key(struct custody *c, enum key_alg alg, struct err *e)
{
	struct keystore *keys = c->lc->keys;
	const struct key *key;
	bool there = keystore_active(keys, alg, false, &key, e) == 0;

	if (!there && e->code != ERR_MISSING)
		return -1;
	if (!there && keystore_active(keys, alg, true, &key, e) < 0)
		return -1;
	if (commit(c, e) < 0)
		return -1;
	if (there)
		cli_warn(
		    "there is an active %s key already", key_alg_name(alg));
	keep_kid(c, key_kid(key));
	return 0;
}

int
custody_make(struct custody *c, enum key_alg alg, struct err *e)
{
	return begin(c, e) < 0 ? -1 : end(c, make_key(c, alg, e));
}

static int
rotate(struct custody *c, enum key_alg alg, bool at_once, struct err *e)
{
	char when[CLOCK_STAMP_MAX];
	struct key_row next;

	if (keystore_rotate(c->lc->keys, alg, at_once, &next, e) < 0 ||
	    commit(c, e) < 0)
		return -1;
	if (next.state == KEYSTATE_NEXT)
		cli_warn(
		    "it signs from %s on", clock_stamp(next.activate_at, when));
	keep_kid(c, next.kid);
	return 0;
}

int
custody_rotate(struct custody *c, enum key_alg alg, bool at_once, struct err *e)
{
	return begin(c, e) < 0 ? -1 : end(c, rotate(c, alg, at_once, e));
}

static int
retire(struct custody *c, const char *kid, struct err *e)
{
	struct key_row successor = {.kid = ""};

	if (keystore_retire(c->lc->keys, kid, &successor, e) < 0 ||
	    revoke_all(c, kid, "its key was retired", e) < 0)
		return -1;
	keep_kid(c, successor.kid);
	/* Last: that a file cannot be removed revokes nothing less. */
	return keystore_settle(c->lc->keys, e);
}

int
custody_retire(struct custody *c, const char *kid, struct err *e)
{
	return begin(c, e) < 0 ? -1 : end(c, retire(c, kid, e));
}

static int
set_url(struct custody *c, const char *url, bool force, struct err *e)
{
	scoped(free_string) char *old = NULL;
	bool published = false;
	int64_t live;

	if (keystore_issuer_url(c->lc->keys, &old, &published, e) < 0 ||
	    ledger_count_live(c->lc->ledger, lifecycle_now(c->lc), &live, e) <
		0)
		return -1;
	if (published && strcmp(old, url) == 0)
		return 0;
	if (published && !force)
		return err_set(e, ERR_DENIED,
		    "the issuer is '%s' already; --force changes it", old);
	if (live > 0 && !force)
		return err_set(e, ERR_DENIED,
		    "live identities under the old URL: %lld; --force "
		    "revokes %s",
		    (long long)live, live == 1 ? "it" : "them");
	if (keystore_set_url(c->lc->keys, url, e) < 0)
		return -1;
	return revoke_all(c, NULL, "the issuer's URL changed", e);
}

int
custody_set_url(struct custody *c, const char *url, bool force, struct err *e)
{
	return begin(c, e) < 0 ? -1 : end(c, set_url(c, url, force, e));
}
