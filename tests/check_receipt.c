#include "config.h"

#include "receipt.h"

#include <check.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

#define NOW INT64_C(1795985600) /* 2026-11-29T20:53:20Z */
#define ok(call) ck_assert_msg((call) == 0, "%s", e.text)

static char folder[] = "/tmp/ephid-check-XXXXXX";
static struct home home;
static struct ledger *l;
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
	ok(ledger_open(&home, LEDGER_CREATE, "check_receipt", &l, &e));
}

static void
teardown(void)
{
	ledger_close(l);
	l = NULL;
	home_close(&home);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- making rows ---------------------------------------------------------- */

#define RUN "01KB0000000000000000000001"
#define SECOND "01KB0000000000000000000002"

static void
add_credential(const char *jti, int64_t issued_at, int64_t expires_at)
{
	struct credential c = {.issuer = (char *)"local",
	    .audience = (char *)"https://mcp.example",
	    .identity = RUN,
	    .kid = "k1",
	    .issued_at = issued_at,
	    .expires_at = expires_at};

	strcpy(c.jti, jti);
	ok(ledger_add_credential(l, &c, "https://id.example", false, &e));
}

static void
mint(void)
{
	struct identity id = {.id = RUN,
	    .root = RUN,
	    .agent = (char *)"reviewer",
	    .scope = (char *)"a b",
	    .issued_at = NOW,
	    .expires_at = NOW + 900};

	ok(ledger_begin(l, NOW, &e));
	ok(ledger_add_identity(l, &id, &e));
	add_credential(RUN, NOW, NOW + 900);
	ok(ledger_commit(l, &e));
}

static void
renew(int64_t now)
{
	ok(ledger_begin(l, now, &e));
	add_credential(SECOND, now, now + 900);
	ok(ledger_extend(l, RUN, now + 900, &e));
	ok(ledger_commit(l, &e));
}

static void
end_run(int64_t now, const struct outcome *o)
{
	const struct ledger_filter f = {.id = RUN, .now = now};

	ok(ledger_begin(l, now, &e));
	ok(ledger_revoke(l, &f, EVENT_REVOKED, "it ended", NULL, NULL, &e));
	if (o != NULL)
		ok(ledger_set_outcome(l, RUN, o, &e));
	ok(ledger_commit(l, &e));
}

static void
receipt_is(int64_t now, const char *want)
{
	scoped(free_json) cJSON *receipt = NULL;
	scoped(buf_free) struct buf text = {0};

	ok(receipt_of(l, RUN, now, &receipt, &e));
	json_print(receipt, &text);
	ck_assert_str_eq(buf_str(&text), want);
}

static bool
is_over(int64_t now)
{
	scoped(free_json) cJSON *receipt = NULL;

	ok(receipt_of(l, RUN, now, &receipt, &e));
	return receipt_is_over(receipt, now);
}

#define WHO                                                                   \
	"{\"receipt\":1,\"id\":\"" RUN "\",\"root\":\"" RUN "\","             \
	"\"parent\":null,\"agent\":\"reviewer\",\"task\":null,"               \
	"\"scope\":\"a b\","
#define HELD(JTI, FROM, TO)                                                   \
	"{\"jti\":\"" JTI "\",\"issuer\":\"local\",\"form\":\"oauth\","       \
	"\"audience\":\"https://mcp.example\","                               \
	"\"issued_at\":\"" FROM "\",\"expires_at\":\"" TO "\","
#define START "2026-11-29T20:53:20Z"
#define LIVES                                                                 \
	WHO "\"state\":\"active\",\"issued_at\":\"" START "\","               \
	    "\"ended_at\":null,\"exit_status\":null,\"signal\":null,"         \
	    "\"revoked_at\":null,\"reason\":null,\"credentials\":["           \
	HELD(RUN, START, "2026-11-29T21:08:20Z")                              \
	"\"revocation\":\"none\",\"revoked_at\":null}]}"

/* --- composing ---------------------------------------------------------- */

START_TEST(a_live_run_says_so)
{
	mint();
	receipt_is(NOW, LIVES);
	ck_assert(!is_over(NOW));
}
END_TEST

/* Renewed once, its first token had expired by then. */
START_TEST(an_ended_run_says_how)
{
	const struct outcome o = {.ended_at = NOW + 1000, .status = 0};

	mint();
	renew(NOW + 600);
	end_run(NOW + 1001, &o);
	receipt_is(NOW + 1001, WHO
	    "\"state\":\"revoked\",\"issued_at\":\"" START "\","
	    "\"ended_at\":\"2026-11-29T21:10:00Z\",\"exit_status\":0,"
	    "\"signal\":null,\"revoked_at\":\"2026-11-29T21:10:01Z\","
	    "\"reason\":\"it ended\",\"credentials\":["
	    HELD(RUN, START, "2026-11-29T21:08:20Z")
	    "\"revocation\":\"expired\",\"revoked_at\":null},"
	    HELD(SECOND, "2026-11-29T21:03:20Z", "2026-11-29T21:18:20Z")
	    "\"revocation\":\"done\","
	    "\"revoked_at\":\"2026-11-29T21:10:01Z\"}]}");
	ck_assert(is_over(NOW + 1001));
}
END_TEST

START_TEST(and_what_was_left)
{
	const struct outcome o = {.ended_at = NOW + 1,
	    .status = -1,
	    .signal = SIGTERM,
	    .timed_out = true,
	    .left = (char *)"pid 71 (sudo)"};

	mint();
	end_run(NOW + 1, &o);
	receipt_is(NOW + 1, WHO
	    "\"state\":\"revoked\",\"issued_at\":\"" START "\","
	    "\"ended_at\":\"2026-11-29T20:53:21Z\",\"exit_status\":null,"
	    "\"signal\":\"TERM\",\"timed_out\":true,"
	    "\"revoked_at\":\"2026-11-29T20:53:21Z\","
	    "\"reason\":\"it ended\",\"left\":\"pid 71 (sudo)\","
	    "\"credentials\":["
	    HELD(RUN, START, "2026-11-29T21:08:20Z")
	    "\"revocation\":\"done\","
	    "\"revoked_at\":\"2026-11-29T20:53:21Z\"}]}");
	ck_assert(is_over(NOW + 1));
}
END_TEST

START_TEST(a_real_time_signal_has_a_name)
{
	const struct outcome o = {
	    .ended_at = NOW + 1, .status = -1, .signal = SIGRTMIN + 3};
	scoped(free_json) cJSON *receipt = NULL;

	mint();
	end_run(NOW + 1, &o);
	ok(receipt_of(l, RUN, NOW + 1, &receipt, &e));
	ck_assert_str_eq(json_string(receipt, "signal"), "RTMIN+3");
}
END_TEST

/* It was swept: nobody saw its end. */
START_TEST(what_is_not_known_is_null)
{
	scoped(free_json) cJSON *receipt = NULL;

	mint();
	end_run(NOW + 1, NULL);
	ok(receipt_of(l, RUN, NOW + 1, &receipt, &e));
	ck_assert_str_eq(json_string(receipt, "state"), "revoked");
	ck_assert(cJSON_IsNull(json_get(receipt, "ended_at")));
	ck_assert(cJSON_IsNull(json_get(receipt, "exit_status")));
	ck_assert(cJSON_IsNull(json_get(receipt, "signal")));
	ck_assert(receipt_is_over(receipt, NOW + 1));
	cJSON_Delete(receipt);
	ck_assert_int_eq(receipt_of(l, SECOND, NOW, &receipt, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_ptr_null(receipt);
}
END_TEST

START_TEST(expiry_ends_a_run_too)
{
	mint();
	ck_assert(!is_over(NOW + 899));
	ck_assert(is_over(NOW + 900));
}
END_TEST

/* As another issuer may answer, one day. */
static void
set_revocation(const char *jti, const char *word)
{
	scoped(free_string) char *file =
	    xasprintf("%s/home/ledger.db", folder);
	scoped(free_string) char *sql =
	    xasprintf("UPDATE credential SET revocation = '%s',"
		      " revoked_at = NULL WHERE jti = '%s'",
		word, jti);
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(
	    sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

START_TEST(what_could_not_be_revoked_lives_until_it_expires)
{
	static const char *const words[] = {
	    "pending", "failed", "irrevocable"};

	mint();
	renew(NOW + 600);
	end_run(NOW + 700, NULL);
	ck_assert(is_over(NOW + 700));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		scoped(free_json) cJSON *receipt = NULL;

		set_revocation(SECOND, words[i]);
		ck_assert(!is_over(NOW + 1499));
		ck_assert(is_over(NOW + 1500));
		ok(receipt_of(l, RUN, NOW + 1500, &receipt, &e));
		ck_assert_str_eq(
		    json_string(cJSON_GetArrayItem(
				    json_get(receipt, "credentials"), 1),
			"revocation"),
		    words[i]);
	}
}
END_TEST

/* --- reading one back ---------------------------------------------------- */

/* LIVES with the first `old' replaced; the caller's. */
static char *
changed(const char *old, const char *new)
{
	const char *at = strstr(LIVES, old);

	ck_assert_ptr_nonnull(at);
	return xasprintf("%.*s%s%s", (int)(at - LIVES), LIVES, new,
	    at + strlen(old));
}

static int
parse(const char *text, cJSON **out)
{
	return receipt_parse(text, strlen(text), out, &e);
}

START_TEST(reads_back_what_was_written)
{
	const struct outcome o = {.ended_at = NOW + 1,
	    .status = -1,
	    .signal = SIGKILL,
	    .timed_out = true,
	    .left = (char *)"pid 71 (sudo)"};
	scoped(free_json) cJSON *receipt = NULL, *again = NULL;
	scoped(buf_free) struct buf text = {0}, back = {0};
	scoped(free_string) char *want = NULL;
	size_t first = strlen("{\"receipt\":1,");

	mint();
	renew(NOW + 1);
	end_run(NOW + 2, &o);
	ok(receipt_of(l, RUN, NOW + 2, &receipt, &e));
	json_print(receipt, &text);
	ok(parse(buf_str(&text), &again));
	json_print(again, &back);
	want = xasprintf("%.*s\"unsigned\":true,%s", (int)first,
	    buf_str(&text), buf_str(&text) + first);
	ck_assert_str_eq(buf_str(&back), want);
	ck_assert(receipt_is_over(again, NOW + 2));
}
END_TEST

/* A file says no more than we know the meaning of, nor that it is good. */
START_TEST(nothing_else_is_read)
{
	scoped(free_string) char *text = changed("\"id\"",
	    "\"iss\":\"https://x\",\"aud\":\"y\",\"verified\":true,"
	    "\"unsigned\":false,\"signature\":\"z\",\"id\"");
	scoped(free_json) cJSON *receipt = NULL;
	scoped(buf_free) struct buf back = {0};

	ok(parse(text, &receipt));
	json_print(receipt, &back);
	ck_assert_ptr_nonnull(strstr(buf_str(&back), "\"unsigned\":true"));
	for (const char *const *name = (const char *const[]){"iss", "aud",
		 "verified", "signature", NULL};
	     *name != NULL; name++)
		ck_assert_ptr_null(json_get(receipt, *name));
}
END_TEST

/* It may have been renewed since. */
START_TEST(one_that_lived_when_it_was_written_is_not_over)
{
	scoped(free_json) cJSON *receipt = NULL;

	ok(parse(LIVES, &receipt));
	ck_assert(!receipt_is_over(receipt, NOW + 900));
}
END_TEST

START_TEST(only_receipts_are_receipts)
{
	static const struct {
		const char *old, *new, *why;
	} bad[] = {
	    {"{\"receipt\":1,", "{", "not a receipt"},
	    {"\"receipt\":1", "\"receipt\":\"1\"", "not a receipt"},
	    {"\"receipt\":1", "\"receipt\":0", "not a receipt"},
	    {"\"receipt\":1", "\"receipt\":2", "newer version"},
	    {"\"id\":\"" RUN "\",", "", "no id"},
	    {"\"id\":\"" RUN "\"", "\"id\":\"x\"", "id is not"},
	    {"\"id\":\"" RUN "\"", "\"id\":null", "id is not"},
	    {"\"root\":\"" RUN "\"", "\"root\":7", "root is not"},
	    {"\"parent\":null", "\"parent\":\"\"", "parent is not"},
	    {"\"parent\":null,", "", "no parent"},
	    {"\"agent\":\"reviewer\"", "\"agent\":[]", "agent is not"},
	    {"\"state\":\"active\"", "\"state\":\"gone\"", "state is not"},
	    {"\"" START "\"", "\"now\"", "issued_at is not"},
	    {"\"" START "\"", "\"2026-11-29T20:53:20+01:00\"",
		"issued_at is not"},
	    {"\"" START "\"", "\"" START "Z\"", "issued_at is not"},
	    {"\"ended_at\":null", "\"ended_at\":0", "ended_at is not"},
	    {"\"exit_status\":null", "\"exit_status\":\"0\"",
		"exit_status is not"},
	    {"\"signal\":null", "\"signal\":15", "signal is not"},
	    {"\"signal\":null", "\"signal\":null,\"timed_out\":null",
		"timed_out is not"},
	    {"\"reason\":null", "\"reason\":null,\"left\":null",
		"left is not"},
	    {"\"credentials\":[", "\"credentials\":[7,", "no jti"},
	    {"\"credentials\"", "\"Credentials\"", "no credentials"},
	    {"\"revocation\":\"none\"", "\"revocation\":\"maybe\"",
		"revocation is not"},
	    {"\"revocation\":\"none\",", "", "no revocation"},
	    {"\"id\":", "\"id\":\"" SECOND "\",\"id\":", "not a receipt: "},
	    {"}]}", "}]", "not a receipt: "},
	    {"}]}", "}]}{}", "not a receipt: "},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		scoped(free_string) char *text =
		    changed(bad[i].old, bad[i].new);
		cJSON *receipt;

		ck_assert_msg(parse(text, &receipt) == -1, "%s", text);
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert_ptr_null(receipt);
		ck_assert_msg(strstr(e.text, bad[i].why) != NULL,
		    "%s, not %s: %s", e.text, bad[i].why, text);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("receipt");
	TCase *t = tcase_create("receipt");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_live_run_says_so);
	tcase_add_test(t, an_ended_run_says_how);
	tcase_add_test(t, and_what_was_left);
	tcase_add_test(t, a_real_time_signal_has_a_name);
	tcase_add_test(t, what_is_not_known_is_null);
	tcase_add_test(t, expiry_ends_a_run_too);
	tcase_add_test(
	    t, what_could_not_be_revoked_lives_until_it_expires);
	tcase_add_test(t, reads_back_what_was_written);
	tcase_add_test(t, nothing_else_is_read);
	tcase_add_test(
	    t, one_that_lived_when_it_was_written_is_not_over);
	tcase_add_test(t, only_receipts_are_receipts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
