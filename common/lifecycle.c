#include "config.h"

#include "lifecycle.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "home.h"
#include "lifecycle-audit.h"

int64_t
lifecycle_now(const struct lifecycle *lc)
{
	return lc->now_ms / CLOCK_SECOND;
}

void
lifecycle_set_now(struct lifecycle *lc, int64_t now_ms)
{
	lc->now_ms = now_ms;
	keystore_set_now(lc->keys, lifecycle_now(lc));
}

/* A home on a read-only file system can still be looked at. */
static int
open_ledger(struct lifecycle *lc, enum ledger_mode mode, struct err *e)
{
	struct err again;

	if (ledger_open(&lc->home, mode, lc->program, &lc->ledger, e) == 0)
		return 0;
	if (mode == LEDGER_WRITE && e->code == ERR_SYSTEM &&
	    ledger_open(&lc->home, LEDGER_READ, lc->program, &lc->ledger,
		&again) == 0)
		return 0;
	return -1;
}

/* A new home has no URL until its first mint, whose transaction makes it. */
static int
read_issuer_url(struct lifecycle *lc, struct err *e)
{
	if (keystore_issuer_url(
		lc->keys, &lc->issuer_url, &lc->published, e) < 0 &&
	    e->code != ERR_MISSING)
		return -1;
	return 0;
}

static int
open_parts(struct lifecycle *lc, const struct lifecycle_where *where,
    const char *path, struct err *e)
{
	bool create = where->mode == LEDGER_CREATE;

	if (home_open(path, create, &lc->home, e) < 0)
		return -1;
	if (settings_load(SYSCONFDIR "/config.json", &lc->home, &lc->settings,
		e) < 0) {
		if (!where->only_ends)
			return -1;
		lc->unread = *e;
		policy_default(&lc->settings.policy);
	}
	key_start(lc->settings.policy.openssl_conf);
	if (open_ledger(lc, where->mode, e) < 0)
		return -1;
	keystore_open(&lc->home, lc->ledger, lifecycle_now(lc), &lc->keys);
	return read_issuer_url(lc, e);
}

int
lifecycle_open(
    const struct lifecycle_where *where, struct lifecycle *out, struct err *e)
{
	scoped(free_string) char *path = NULL;

	*out = (struct lifecycle){.home.fd = -1,
	    .program = where->program,
	    .now_ms = where->now_ms};
	if (home_locate(where->home, &path, e) < 0)
		return -1;
	if (open_parts(out, where, path, e) < 0) {
		lifecycle_close(out);
		return -1;
	}
	return 0;
}

int
lifecycle_no_home(const char *homeless, struct err *e)
{
	char id[ID_LEN + 1];

	if (homeless == NULL || id_parse(homeless, id) < 0)
		return err_in(e, "parent token: wrong_issuer");
	return err_set(e, ERR_INVALID,
	    "run %s was given no home, so it can mint no children", id);
}

void
lifecycle_close(struct lifecycle *lc)
{
	if (lc->keys != NULL)
		keystore_close(lc->keys);
	ledger_close(lc->ledger);
	settings_free(&lc->settings);
	home_close(&lc->home);
	free(lc->issuer_url);
	*lc = (struct lifecycle){.home.fd = -1};
}

/* --- finding what an operand means ----------------------------------- */

static int
must_exist(struct lifecycle *lc, const char *id, struct err *e)
{
	struct identity found = {0};

	if (ledger_find(lc->ledger, id, &found, e) == 0) {
		identity_clear(&found);
		return 0;
	}
	if (e->code != ERR_MISSING)
		return -1;
	return err_set(e, ERR_MISSING, "%s: not found in home '%s'", id,
	    lc->home.path);
}

static int
say_candidates(
    const struct idlist *found, const char *suffix, struct err *e)
{
	scoped(buf_free) struct buf list = {0};
	size_t shown = found->n < 8 ? found->n : 8;

	for (size_t i = 0; i < shown; i++)
		buf_addf(&list, " %s", found->ids[i]);
	if (shown < found->n)
		buf_addf(&list, " and %zu more", found->n - shown);
	return err_set(
	    e, ERR_USAGE, "%s: could be any of%s", suffix, buf_str(&list));
}

static int
resolve_suffix(struct lifecycle *lc, const char *suffix,
    char id[static ID_LEN + 1], struct err *e)
{
	const struct ledger_filter f = {
	    .suffix = suffix, .now = lifecycle_now(lc)};
	scoped(idlist_free) struct idlist found = {0};

	if (ledger_each(lc->ledger, &f, idlist_note, &found, e) < 0)
		return -1;
	if (found.n == 0)
		return err_set(e, ERR_MISSING, "%s: not found in home '%s'",
		    suffix, lc->home.path);
	if (found.n > 1)
		return say_candidates(&found, suffix, e);
	memcpy(id, found.ids[0], ID_LEN + 1);
	return 0;
}

int
lifecycle_resolve(struct lifecycle *lc, const char *text,
    char id[static ID_LEN + 1], struct err *e)
{
	char suffix[ID_LEN + 1];

	if (id_parse(text, id) == 0)
		return must_exist(lc, id, e);
	/* Not repeated in the message: it may be a secret gone astray. */
	if (id_parse_suffix(text, suffix) < 0)
		return err_set(e, ERR_USAGE,
		    "operand: neither an id nor the end of one "
		    "(6 characters or more)");
	return resolve_suffix(lc, suffix, id, e);
}

int
lifecycle_root(struct lifecycle *lc, const char *member,
    char root[static ID_LEN + 1], struct err *e)
{
	struct identity id = {0};

	if (lifecycle_resolve(lc, member, root, e) < 0 ||
	    ledger_find(lc->ledger, root, &id, e) < 0)
		return -1;
	memcpy(root, id.root, ID_LEN + 1);
	identity_clear(&id);
	return 0;
}
