#include "config.h"

#include "keystore.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

#define NOW INT64_C(1796000000)
#define URL "https://id.acme.example"
#define ok(call) ck_assert_msg((call) == 0, "%s", e.text)

static char folder[] = "/tmp/ephid-check-XXXXXX";
static struct home home;
static struct ledger *l;
static struct keystore *ks;
static struct err e;

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(name);
}

static void
setup(void)
{
	scoped(free_string) char *path = NULL;

	strcpy(strrchr(folder, '-'), "-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	path = xasprintf("%s/home", folder);
	ok(home_open(path, true, &home, &e));
	ok(ledger_open(&home, LEDGER_CREATE, "check_keystore", &l, &e));
	keystore_open(&home, l, NOW, &ks);
}

static void
teardown(void)
{
	keystore_close(ks);
	ledger_close(l);
	home_close(&home);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* As another process would meet it at that time. */
static void
at(int64_t now)
{
	keystore_close(ks);
	keystore_open(&home, l, now, &ks);
}

static void
begin(void)
{
	ok(ledger_begin(l, NOW, &e));
}

static void
commit(void)
{
	ok(ledger_commit(l, &e));
	ok(keystore_settle(ks, &e));
}

static void
active_kid(char out[static KEY_KID_LEN + 1])
{
	const struct key *k;

	begin();
	ok(keystore_active(ks, KEY_ES256, true, &k, &e));
	ck_assert(key_is_private(k));
	strcpy(out, key_kid(k));
	commit();
}

static struct key_row
row_of(const char *kid)
{
	struct key_row row;

	ok(ledger_find_key(l, kid, &row, &e));
	return row;
}

static bool
has_file(const char *kid, const char *suffix)
{
	scoped(free_string) char *name = xasprintf("keys/%s%s", kid, suffix);
	struct stat st;

	if (fstatat(home.fd, name, &st, 0) < 0)
		return false;
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	return true;
}

static void
publish(void)
{
	begin();
	ok(keystore_set_url(ks, URL, &e));
	commit();
}

static void
record_token(const char *kid, int64_t exp)
{
	static const char id[] = "01KB0000000000000000000000";
	struct credential c = {.issuer = (char *)"local",
	    .audience = (char *)URL,
	    .issued_at = NOW,
	    .expires_at = exp};

	strcpy(c.jti, id);
	strcpy(c.identity, id);
	strcpy(c.kid, kid);
	begin();
	ok(ledger_add_credential(l, &c, URL, false, &e));
	commit();
}

START_TEST(makes_the_first_key_when_asked)
{
	char kid[KEY_KID_LEN + 1], again[KEY_KID_LEN + 1];
	const struct key *k;

	ck_assert_int_eq(keystore_active(ks, KEY_ES256, false, &k, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_ptr_null(k);
	active_kid(kid);
	ck_assert(has_file(kid, ".pem") && has_file(kid, ".pub.pem"));
	at(NOW);
	active_kid(again);
	ck_assert_str_eq(kid, again);
	ck_assert_ptr_nonnull(keystore_find(ks, kid));
	/* another algorithm has keys of its own */
	ck_assert_int_eq(
	    keystore_active(ks, KEY_ED25519, false, &k, &e), -1);
}
END_TEST

START_TEST(an_unpublished_issuer_rotates_at_once)
{
	char kid[KEY_KID_LEN + 1];
	struct key_row next;

	active_kid(kid);
	record_token(kid, NOW + 900);
	begin();
	ok(keystore_rotate(ks, KEY_ES256, false, &next, &e));
	ck_assert(has_file(kid, ".pem")); /* until the commit */
	commit();
	ck_assert_int_eq(next.state, KEYSTATE_ACTIVE);
	ck_assert_int_eq(row_of(kid).state, KEYSTATE_RETIRING);
	ck_assert_int_eq(row_of(kid).verify_until, NOW + 900 + 60);
	ck_assert(!has_file(kid, ".pem") && has_file(kid, ".pub.pem"));
	ck_assert_ptr_nonnull(keystore_find(ks, kid));
	at(NOW + 900 + 59);
	ck_assert_ptr_nonnull(keystore_find(ks, kid));
	at(NOW + 900 + 60);
	ck_assert_ptr_null(keystore_find(ks, kid));
	ck_assert_ptr_nonnull(keystore_find(ks, next.kid));
}
END_TEST

START_TEST(a_published_one_waits)
{
	char kid[KEY_KID_LEN + 1], now[KEY_KID_LEN + 1];
	struct key_row next, another;

	publish();
	active_kid(kid);
	begin();
	ok(keystore_rotate(ks, KEY_ES256, false, &next, &e));
	commit();
	ck_assert_int_eq(next.state, KEYSTATE_NEXT);
	ck_assert_int_eq(next.activate_at, NOW + KEYSTORE_MAX_AGE);
	active_kid(now);
	ck_assert_str_eq(now, kid);
	ck_assert_ptr_null(keystore_find(ks, next.kid)); /* signs nothing */
	begin();
	ck_assert_int_eq(
	    keystore_rotate(ks, KEY_ES256, false, &another, &e), -1);
	ck_assert_int_eq(e.code, ERR_DENIED);
	ledger_rollback(l);
	at(NOW + KEYSTORE_MAX_AGE - 1);
	active_kid(now);
	ck_assert_str_eq(now, kid);
	at(NOW + KEYSTORE_MAX_AGE);
	active_kid(now);
	ck_assert_str_eq(now, next.kid);
	ck_assert_int_eq(row_of(kid).state, KEYSTATE_RETIRING);
	ck_assert(!has_file(kid, ".pem"));
	begin();
	ok(keystore_rotate(ks, KEY_ES256, true, &another, &e));
	commit();
	ck_assert_int_eq(another.state, KEYSTATE_ACTIVE);
}
END_TEST

START_TEST(a_waiting_key_can_be_hurried)
{
	struct key_row next, hurried;
	char now[KEY_KID_LEN + 1];

	publish();
	active_kid(now);
	begin();
	ok(keystore_rotate(ks, KEY_ES256, false, &next, &e));
	commit();
	begin();
	ok(keystore_rotate(ks, KEY_ES256, true, &hurried, &e));
	commit();
	ck_assert_str_eq(hurried.kid, next.kid);
	ck_assert_int_eq(hurried.state, KEYSTATE_ACTIVE);
	active_kid(now);
	ck_assert_str_eq(now, next.kid);
}
END_TEST

START_TEST(a_rollback_keeps_the_old_key)
{
	char kid[KEY_KID_LEN + 1], again[KEY_KID_LEN + 1];
	struct key_row next;

	active_kid(kid);
	begin();
	ok(keystore_rotate(ks, KEY_ES256, true, &next, &e));
	ledger_rollback(l);
	ok(keystore_settle(ks, &e));
	at(NOW);
	active_kid(again);
	ck_assert_str_eq(kid, again);
	ck_assert_ptr_null(keystore_find(ks, next.kid));
}
END_TEST

START_TEST(retiring_the_active_key_makes_another)
{
	char kid[KEY_KID_LEN + 1];
	struct key_row successor, none;

	active_kid(kid);
	record_token(kid, NOW + 900);
	begin();
	ok(keystore_retire(ks, kid, &successor, &e));
	commit();
	ck_assert_int_eq(row_of(kid).state, KEYSTATE_RETIRED);
	ck_assert_int_eq(row_of(successor.kid).state, KEYSTATE_ACTIVE);
	ck_assert_ptr_null(keystore_find(ks, kid));
	ck_assert(!has_file(kid, ".pem") && has_file(kid, ".pub.pem"));
	begin();
	ok(keystore_retire(ks, kid, &none, &e)); /* is so already */
	ck_assert_str_eq(none.kid, "");
	ledger_rollback(l);
}
END_TEST

START_TEST(retiring_promotes_the_one_that_waits)
{
	char kid[KEY_KID_LEN + 1];
	struct key_row next, successor;

	publish();
	active_kid(kid);
	begin();
	ok(keystore_rotate(ks, KEY_ES256, false, &next, &e));
	ok(keystore_retire(ks, kid, &successor, &e));
	commit();
	ck_assert_str_eq(successor.kid, next.kid);
	ck_assert_int_eq(row_of(next.kid).state, KEYSTATE_ACTIVE);
}
END_TEST

START_TEST(a_hostile_kid_reaches_no_file)
{
	static const char *const hostile[] = {"", "../../x", "..",
	    "/etc/passwd",
	    "../../../../../../../../../../../etc/passwd",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	struct key_row row;
	char kid[KEY_KID_LEN + 1];

	active_kid(kid);
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		scoped(buf_free) struct buf pem = {0};

		ck_assert_ptr_null(keystore_find(ks, hostile[i]));
		ck_assert_int_eq(keystore_pem(
				     ks, hostile[i], KEY_ES256, &pem, &e),
		    -1);
		ck_assert_int_eq(e.code, ERR_MISSING);
		begin();
		ck_assert_int_eq(
		    keystore_retire(ks, hostile[i], &row, &e), -1);
		ck_assert_int_eq(e.code, ERR_MISSING);
		ledger_rollback(l);
	}
	ck_assert_ptr_null(keystore_find(ks, NULL));
}
END_TEST

START_TEST(a_file_must_hold_the_key_it_is_named_for)
{
	char kid[KEY_KID_LEN + 1];
	struct key_row next;
	scoped(free_string) char *from = NULL;
	scoped(free_string) char *to = NULL;

	active_kid(kid);
	begin();
	ok(keystore_rotate(ks, KEY_ES256, true, &next, &e));
	commit();
	from = xasprintf("keys/%s.pub.pem", next.kid);
	to = xasprintf("keys/%s.pub.pem", kid);
	ck_assert_int_eq(renameat(home.fd, from, home.fd, to), 0);
	at(NOW);
	ck_assert_ptr_null(keystore_find(ks, kid));
	ck_assert_ptr_null(keystore_find(ks, next.kid)); /* gone */
}
END_TEST

START_TEST(the_key_set_has_what_verifiers_need)
{
	scoped(buf_free) struct buf set = {0}, later = {0}, pem = {0};
	char kid[KEY_KID_LEN + 1];
	struct key_row next;

	publish();
	active_kid(kid);
	begin();
	ok(keystore_rotate(ks, KEY_ES256, false, &next, &e));
	commit();
	ok(keystore_jwks(ks, &set, &e));
	ck_assert_ptr_nonnull(strstr(buf_str(&set), kid));
	ck_assert_ptr_nonnull(strstr(buf_str(&set), next.kid));
	ck_assert_ptr_null(strstr(buf_str(&set), "\"d\""));
	begin();
	ok(keystore_retire(ks, kid, &next, &e));
	commit();
	ok(keystore_jwks(ks, &later, &e));
	ck_assert_ptr_null(strstr(buf_str(&later), kid));
	ok(keystore_pem(ks, kid, KEY_ES256, &pem, &e)); /* for receipts */
	ck_assert_ptr_nonnull(strstr(buf_str(&pem), "BEGIN PUBLIC KEY"));
}
END_TEST

START_TEST(the_url_is_unique_until_it_is_set)
{
	char *url = NULL, *again = NULL;
	bool published = true;

	ck_assert_int_eq(keystore_issuer_url(ks, &url, &published, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	begin();
	ok(keystore_issuer_url(ks, &url, &published, &e));
	commit();
	ck_assert(!published);
	ok(issuer_url_check(url, &e));
	ck_assert_ptr_nonnull(strstr(url, ".ephid.invalid"));
	ok(keystore_issuer_url(ks, &again, &published, &e));
	ck_assert_str_eq(url, again);
	free(again);
	free(url);
	begin();
	ck_assert_int_eq(
	    keystore_set_url(ks, "http://plain.example", &e), -1);
	ledger_rollback(l);
	publish();
	ok(keystore_issuer_url(ks, &url, &published, &e));
	ck_assert_str_eq(url, URL);
	ck_assert(published);
	free(url);
}
END_TEST

START_TEST(an_old_key_is_found_behind_many)
{
	char kid[KEY_KID_LEN + 1], again[KEY_KID_LEN + 1];

	active_kid(kid);
	begin();
	for (int i = 0; i < 100; i++) {
		struct key_row row = {.alg = KEY_ES256,
		    .state = KEYSTATE_RETIRED,
		    .created_at = NOW + 1 + i};

		snprintf(row.kid, sizeof row.kid, "%043d", i);
		ok(ledger_put_key(l, &row, &e));
	}
	commit();
	at(NOW + 200);
	active_kid(again);
	ck_assert_str_eq(kid, again);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("keystore");
	TCase *t = tcase_create("keystore");
	SRunner *r;
	int failed;

	key_start(false);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, makes_the_first_key_when_asked);
	tcase_add_test(t, an_unpublished_issuer_rotates_at_once);
	tcase_add_test(t, a_published_one_waits);
	tcase_add_test(t, a_waiting_key_can_be_hurried);
	tcase_add_test(t, a_rollback_keeps_the_old_key);
	tcase_add_test(t, retiring_the_active_key_makes_another);
	tcase_add_test(t, retiring_promotes_the_one_that_waits);
	tcase_add_test(t, a_hostile_kid_reaches_no_file);
	tcase_add_test(t, a_file_must_hold_the_key_it_is_named_for);
	tcase_add_test(t, the_key_set_has_what_verifiers_need);
	tcase_add_test(t, the_url_is_unique_until_it_is_set);
	tcase_add_test(t, an_old_key_is_found_behind_many);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
