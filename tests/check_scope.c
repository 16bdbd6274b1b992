#include "config.h"

#include <check.h>
#include <string.h>

#include "scope.h"

static void
check_parse(const char *text, const char *expected)
{
	scoped(buf_free) struct buf out = {0};
	struct err e;

	ck_assert_int_eq(scope_parse(text, &out, &e), 0);
	ck_assert_str_eq(buf_str(&out), expected);
}

START_TEST(becomes_canonical)
{
	check_parse("", "");
	check_parse(" \t\n ", "");
	check_parse("a", "a");
	check_parse("  b \t a\n b  a ", "b a");
	check_parse("repo:read repo repo:read repos", "repo:read repo repos");
	check_parse("! # [ ] ~ a/b?c=d", "! # [ ] ~ a/b?c=d");
}
END_TEST

START_TEST(refuses_bad_bytes)
{
	static const char *const bad[] = {
	    "a\"", "a\\b", "\x7f", "a \x01", "caf\xc3\xa9"};
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		scoped(buf_free) struct buf out = {0};

		buf_adds(&out, "before");
		ck_assert_int_eq(scope_parse(bad[i], &out, &e), -1);
		ck_assert_int_eq(e.code, ERR_USAGE);
		ck_assert_str_eq(buf_str(&out), "before");
	}
}
END_TEST

START_TEST(adds_after_what_is_there)
{
	scoped(buf_free) struct buf out = {0};
	struct err e;

	buf_adds(&out, "a ");
	ck_assert_int_eq(scope_parse("a b", &out, &e), 0);
	ck_assert_str_eq(buf_str(&out), "a a b");
}
END_TEST

START_TEST(covers_subsets_only)
{
	scoped(buf_free) struct buf missing = {0};

	ck_assert(scope_covers("", "", NULL));
	ck_assert(scope_covers("a", "", NULL));
	ck_assert(scope_covers("a b c", "c a", NULL));
	ck_assert(!scope_covers("", "a", NULL));
	ck_assert(!scope_covers("ab", "a", NULL));
	ck_assert(!scope_covers("a", "ab", NULL));
	ck_assert(!scope_covers("repo:*", "repo:read", NULL));
	ck_assert(!scope_covers("repo", "repo:read", NULL));
	ck_assert(!scope_covers("A", "a", NULL));
	ck_assert(!scope_covers("a b", "b x a y", &missing));
	ck_assert_str_eq(buf_str(&missing), "x");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("scope");
	TCase *t = tcase_create("scope");
	SRunner *runner;
	int failed;

	tcase_add_test(t, becomes_canonical);
	tcase_add_test(t, refuses_bad_bytes);
	tcase_add_test(t, adds_after_what_is_there);
	tcase_add_test(t, covers_subsets_only);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
