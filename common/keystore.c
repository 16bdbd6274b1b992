#include "config.h"

#include "keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

#define PEM_MAX 32768
#define VERIFY_GRACE 60 /* seconds past the last exp */

struct loaded {
	struct loaded *next;
	struct key *key;
};

struct keystore {
	const struct home *home;
	struct ledger *ledger;
	int64_t now;
	struct loaded *loaded;
};

void
keystore_open(const struct home *h, struct ledger *l, int64_t now,
    struct keystore **out)
{
	struct keystore *s = xcalloc(1, sizeof *s);

	*s = (struct keystore){.home = h, .ledger = l, .now = now};
	*out = s;
}

static void
forget_loaded(struct keystore *s)
{
	while (s->loaded != NULL) {
		struct loaded *k = s->loaded;

		s->loaded = k->next;
		key_free(k->key);
		free(k);
	}
}

void
keystore_set_now(struct keystore *s, int64_t now)
{
	s->now = now;
}

void
keystore_close(struct keystore *s)
{
	if (s == NULL)
		return;
	forget_loaded(s);
	free(s);
}

void
free_keystore(struct keystore **s)
{
	keystore_close(*s);
}

/* --- files ---------------------------------------------------------- */

#define PUBLIC ".pub.pem"
#define PRIVATE ".pem"
#define KEY_FILE_MAX (KEY_KID_LEN + sizeof PUBLIC)

static void
key_file(const char *kid, const char *suffix, char out[static KEY_FILE_MAX])
{
	snprintf(out, KEY_FILE_MAX, "%.*s%s", KEY_KID_LEN, kid, suffix);
}

/* Rows come from ourselves, yet nothing but base64url becomes a file name. */
static bool
is_kid(const char *kid)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";

	return strnlen(kid, KEY_KID_LEN + 1) == KEY_KID_LEN &&
	    strspn(kid, alphabet) == KEY_KID_LEN;
}

static int
open_keys(const struct keystore *s, struct err *e)
{
	int fd = openat(s->home->fd, "keys",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open '%s/keys'", s->home->path);
	return fd;
}

static int
read_half(const struct keystore *s, const char *kid, const char *suffix,
    struct buf *pem, struct err *e)
{
	scoped(close_fd) int dir = -1;
	char name[KEY_FILE_MAX];

	if (!is_kid(kid))
		return err_set(e, ERR_INVALID, "key: malformed kid");
	if ((dir = open_keys(s, e)) < 0)
		return -1;
	key_file(kid, suffix, name);
	if (io_read_file(dir, name, PEM_MAX, pem, e) == 0)
		return 0;
	/* Its row exists: that the file does not is the machine's failure. */
	e->code = ERR_SYSTEM;
	return err_in(e, "key %s", kid);
}

static int
write_halves(const struct keystore *s, const struct key *k, struct err *e)
{
	scoped(buf_free) struct buf private = {0}, public = {0};
	scoped(close_fd) int dir = open_keys(s, e);
	char name[KEY_FILE_MAX];

	if (dir < 0)
		return -1;
	key_private_pem(k, &private);
	key_public_pem(k, &public);
	key_file(key_kid(k), PUBLIC, name);
	if (io_create_file(dir, name, 0600, public.ptr, public.len, true, e) <
	    0)
		return -1;
	key_file(key_kid(k), PRIVATE, name);
	return io_create_file(
	    dir, name, 0600, private.ptr, private.len, true, e);
}

static const struct key *
remember(struct keystore *s, struct key *k)
{
	struct loaded *l = xcalloc(1, sizeof *l);

	*l = (struct loaded){.next = s->loaded, .key = k};
	s->loaded = l;
	return k;
}

static const struct key *
recall(const struct keystore *s, const char *kid, bool private)
{
	for (const struct loaded *l = s->loaded; l != NULL; l = l->next)
		if (strcmp(key_kid(l->key), kid) == 0 &&
		    (key_is_private(l->key) || !private))
			return l->key;
	return NULL;
}

/* The key in a file must be the one that the file is named after, in the
 * algorithm that its row has. */
static const struct key *
load(struct keystore *s, const struct key_row *row, bool private,
    struct err *e)
{
	scoped(buf_free) struct buf pem = {0};
	const struct key *known = recall(s, row->kid, private);
	struct key *k = NULL;

	if (known != NULL)
		return known;
	if (read_half(s, row->kid, private ? PRIVATE : PUBLIC, &pem, e) < 0)
		return NULL;
	if ((private ? key_from_private_pem(pem.ptr, pem.len, &k, e)
		     : key_from_public_pem(pem.ptr, pem.len, &k, e)) < 0) {
		err_in(e, "key %s", row->kid);
		return NULL;
	}
	if (strcmp(key_kid(k), row->kid) != 0 || key_alg(k) != row->alg) {
		err_set(e, ERR_SYSTEM, "key %s: its file holds another key",
		    row->kid);
		key_free(k);
		return NULL;
	}
	return remember(s, k);
}

/* --- states --------------------------------------------------------- */

enum key_state
keystore_state(const struct key_row *row, int64_t now)
{
	if (row->state == KEYSTATE_RETIRING && row->verify_until != 0 &&
	    row->verify_until <= now)
		return KEYSTATE_RETIRED;
	return row->state;
}

const char *
keystore_state_name(enum key_state s)
{
	static const char *const names[] = {
	    "next", "active", "retiring", "retired"};

	return (size_t)s < sizeof names / sizeof *names ? names[s] : "unknown";
}

struct rows {
	struct key_row *at;
	int n;
};

static void
free_rows(struct rows *r)
{
	free(r->at);
}

/* All of them: an old active key may stand behind many retired ones. */
static int
read_rows(struct keystore *s, struct rows *out, struct err *e)
{
	for (int max = 16;; max *= 2) {
		out->at = xreallocarray(
		    out->at, (size_t)max, sizeof *out->at);
		out->n = ledger_keys(s->ledger, out->at, (size_t)max, e);
		if (out->n < max)
			return out->n < 0 ? -1 : 0;
	}
}

static const struct key_row *
in_state(const struct rows *r, enum key_alg alg, enum key_state state)
{
	for (int i = 0; i < r->n; i++)
		if (r->at[i].alg == alg && r->at[i].state == state)
			return &r->at[i];
	return NULL;
}

/* An active key stops signing: what it signed verifies to the end. */
static int
begin_retiring(struct keystore *s, struct key_row row, struct err *e)
{
	int64_t last;

	if (ledger_last_expiry(s->ledger, row.kid, &last, e) < 0)
		return -1;
	row.state = KEYSTATE_RETIRING;
	row.verify_until = (last > s->now ? last : s->now) + VERIFY_GRACE;
	return ledger_put_key(s->ledger, &row, e);
}

/* Makes `row' the active key of its algorithm, in the place of the one that
 * is; *row is what it became. */
static int
activate(struct keystore *s, const struct rows *rows, struct key_row *row,
    struct err *e)
{
	const struct key_row *old = in_state(rows, row->alg, KEYSTATE_ACTIVE);

	if (old != NULL && begin_retiring(s, *old, e) < 0)
		return -1;
	row->state = KEYSTATE_ACTIVE;
	return ledger_put_key(s->ledger, row, e);
}

/* Files before row: a row whose files are lost could not sign. What a
 * rollback leaves of them is a key that no row names and nobody trusts. */
static int
make_key(struct keystore *s, enum key_alg alg, struct key_row *row,
    struct err *e)
{
	struct key *k;

	if (key_generate(alg, &k, e) < 0)
		return -1;
	if (write_halves(s, k, e) < 0) {
		key_free(k);
		return -1;
	}
	*row = (struct key_row){
	    .alg = alg,
	    .state = KEYSTATE_NEXT,
	    .created_at = s->now,
	    .activate_at = s->now,
	};
	snprintf(row->kid, sizeof row->kid, "%s", key_kid(k));
	remember(s, k);
	return 0;
}

/* Promotes the next key when its time has come; *rows is read again then. */
static int
promote_due(struct keystore *s, enum key_alg alg, struct rows *rows,
    struct err *e)
{
	const struct key_row *next = in_state(rows, alg, KEYSTATE_NEXT);
	struct key_row row;

	if (next == NULL || next->activate_at > s->now ||
	    !ledger_has_begun(s->ledger))
		return 0;
	row = *next;
	if (activate(s, rows, &row, e) < 0)
		return -1;
	return read_rows(s, rows, e);
}

/* --- signing and verifying ------------------------------------------ */

int
keystore_active(struct keystore *s, enum key_alg alg, bool create,
    const struct key **out, struct err *e)
{
	scoped(free_rows) struct rows rows = {0};
	const struct key_row *active;
	struct key_row row;

	*out = NULL;
	if (read_rows(s, &rows, e) < 0 || promote_due(s, alg, &rows, e) < 0)
		return -1;
	if ((active = in_state(&rows, alg, KEYSTATE_ACTIVE)) != NULL) {
		*out = load(s, active, true, e);
		return *out != NULL ? 0 : -1;
	}
	if (!create)
		return err_set(e, ERR_MISSING, "no active key for %s",
		    key_alg_name(alg));
	if (make_key(s, alg, &row, e) < 0 || activate(s, &rows, &row, e) < 0)
		return -1;
	*out = recall(s, row.kid, true);
	return 0;
}

const struct key *
keystore_find(void *ctx, const char *kid)
{
	struct keystore *s = ctx;
	struct key_row row;
	enum key_state state;
	struct err e;

	if (kid == NULL || !is_kid(kid) ||
	    ledger_find_key(s->ledger, kid, &row, &e) < 0)
		return NULL;
	state = keystore_state(&row, s->now);
	if (state != KEYSTATE_ACTIVE && state != KEYSTATE_RETIRING)
		return NULL;
	return load(s, &row, false, &e);
}

/* --- rotation ------------------------------------------------------- */

int
keystore_rotate(struct keystore *s, enum key_alg alg, bool at_once,
    struct key_row *out, struct err *e)
{
	scoped(free_rows) struct rows rows = {0};
	scoped(free_string) char *url = NULL;
	const struct key_row *waiting;
	bool published;

	if (keystore_issuer_url(s, &url, &published, e) < 0 ||
	    read_rows(s, &rows, e) < 0 || promote_due(s, alg, &rows, e) < 0)
		return -1;
	if ((waiting = in_state(&rows, alg, KEYSTATE_NEXT)) != NULL) {
		if (!at_once)
			return err_set(e, ERR_DENIED,
			    "there is a next key for %s already",
			    key_alg_name(alg));
		*out = *waiting;
		return activate(s, &rows, out, e);
	}
	if (make_key(s, alg, out, e) < 0)
		return -1;
	if (at_once || !published ||
	    in_state(&rows, alg, KEYSTATE_ACTIVE) == NULL)
		return activate(s, &rows, out, e);
	/* Verifiers may have cached the key set a moment ago. */
	out->activate_at = s->now + KEYSTORE_MAX_AGE;
	return ledger_put_key(s->ledger, out, e);
}

/* What signs in the place of an active key: the one that waits, or a new
 * one, at once. */
static int
succeed(struct keystore *s, const struct rows *rows, enum key_alg alg,
    struct key_row *successor, struct err *e)
{
	const struct key_row *next = in_state(rows, alg, KEYSTATE_NEXT);

	if (next != NULL)
		*successor = *next;
	else if (make_key(s, alg, successor, e) < 0)
		return -1;
	return activate(s, rows, successor, e);
}

int
keystore_retire(struct keystore *s, const char *kid,
    struct key_row *successor, struct err *e)
{
	scoped(free_rows) struct rows rows = {0};
	struct key_row row;

	*successor = (struct key_row){0};
	if (!is_kid(kid))
		return err_set(e, ERR_MISSING, "no key of this kid");
	if (ledger_find_key(s->ledger, kid, &row, e) < 0)
		return e->code == ERR_MISSING
		    ? err_set(e, ERR_MISSING, "key %s: not found", kid)
		    : -1;
	if (row.state == KEYSTATE_RETIRED)
		return 0;
	if (row.state == KEYSTATE_ACTIVE &&
	    (read_rows(s, &rows, e) < 0 ||
		succeed(s, &rows, row.alg, successor, e) < 0))
		return -1;
	row.state = KEYSTATE_RETIRED;
	row.verify_until = s->now;
	return ledger_put_key(s->ledger, &row, e);
}

int
keystore_settle(struct keystore *s, struct err *e)
{
	scoped(free_rows) struct rows rows = {0};
	scoped(close_fd) int dir = open_keys(s, e);
	char name[KEY_FILE_MAX];
	bool removed = false;

	if (dir < 0 || read_rows(s, &rows, e) < 0)
		return -1;
	for (int i = 0; i < rows.n; i++) {
		if (rows.at[i].state < KEYSTATE_RETIRING ||
		    !is_kid(rows.at[i].kid))
			continue;
		key_file(rows.at[i].kid, PRIVATE, name);
		if (unlinkat(dir, name, 0) == 0)
			removed = true;
		else if (errno != ENOENT)
			return err_sys(e, "cannot remove 'keys/%s'", name);
	}
	if (!removed)
		return 0;
	forget_loaded(s);
	return fsync(dir) < 0 ? err_sys(e, "cannot sync the key folder") : 0;
}

/* --- what others are given ------------------------------------------ */

int
keystore_jwks(struct keystore *s, struct buf *out, struct err *e)
{
	scoped(free_json) cJSON *set = json_object();
	scoped(free_rows) struct rows rows = {0};
	cJSON *keys = cJSON_AddArrayToObject(set, "keys");

	if (read_rows(s, &rows, e) < 0)
		return -1;
	for (int i = 0; i < rows.n; i++) {
		const struct key *k;

		if (keystore_state(&rows.at[i], s->now) == KEYSTATE_RETIRED)
			continue;
		if ((k = load(s, &rows.at[i], false, e)) == NULL)
			return -1;
		cJSON_AddItemToArray(keys, key_jwk(k));
	}
	json_print(set, out);
	return 0;
}

int
keystore_pem(struct keystore *s, const char *kid, enum key_alg alg,
    struct buf *out, struct err *e)
{
	scoped(free_rows) struct rows rows = {0};
	const struct key_row *active;
	struct key_row row;

	if (kid != NULL && (!is_kid(kid) ||
		ledger_find_key(s->ledger, kid, &row, e) < 0))
		return err_set(e, ERR_MISSING, "no key of this kid");
	if (kid == NULL) {
		if (read_rows(s, &rows, e) < 0)
			return -1;
		active = in_state(&rows, alg, KEYSTATE_ACTIVE);
		if (active == NULL)
			return err_set(e, ERR_MISSING,
			    "no active key for %s", key_alg_name(alg));
		row = *active;
	}
	return read_half(s, row.kid, PUBLIC, out, e);
}

/* --- the issuer's URL ----------------------------------------------- */

#define URL "issuer_url"
#define PUBLISHED "issuer_published"

/* Unique, so that tokens of two homes are never taken for each other, and in
 * a domain that RFC 6761 keeps from ever existing. */
static char *
random_url(void)
{
	static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t rnd[10];
	char name[sizeof rnd + 1] = "";

	io_random(rnd, sizeof rnd);
	for (size_t i = 0; i < sizeof rnd; i++)
		name[i] = base32[rnd[i] & 31];
	return xasprintf("https://%s.ephid.invalid", name);
}

int
keystore_issuer_url(
    struct keystore *s, char **url, bool *published, struct err *e)
{
	scoped(free_string) char *flag = NULL;

	*published = false;
	if (ledger_get(s->ledger, URL, url, e) < 0)
		return -1;
	if (*url == NULL) {
		if (!ledger_has_begun(s->ledger))
			return err_set(
			    e, ERR_MISSING, "the issuer has no URL yet");
		*url = random_url();
		return ledger_set(s->ledger, URL, *url, e);
	}
	if (ledger_get(s->ledger, PUBLISHED, &flag, e) < 0)
		return -1;
	*published = flag != NULL;
	return 0;
}

int
keystore_set_url(struct keystore *s, const char *url, struct err *e)
{
	if (issuer_url_check(url, e) < 0 ||
	    ledger_set(s->ledger, URL, url, e) < 0)
		return -1;
	return ledger_set(s->ledger, PUBLISHED, "1", e);
}
