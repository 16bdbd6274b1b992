#include "config.h"

#include <check.h>
#include <string.h>

#include "env.h"

static char *from[] = {"PATH=/bin", "EPHID_TOKEN=old", "odd", "EPHID_TOKEN=2",
    "EPHID=x", "EPHID_TOKEN_FILE=/t", "EMPTY=", "EPHID_", NULL};

START_TEST(test_copy_keeps_order_and_bytes)
{
	struct env e;

	env_copy(&e, from);
	ck_assert_uint_eq(e.n, 8);
	for (size_t i = 0; i < e.n; i++) {
		ck_assert_str_eq(e.list[i], from[i]);
		ck_assert_ptr_ne(e.list[i], from[i]);
	}
	ck_assert_ptr_null(e.list[e.n]);
	ck_assert_str_eq(env_get(&e, "EMPTY"), "");
	ck_assert_ptr_null(env_get(&e, "odd"));
	ck_assert_ptr_null(env_get(&e, "PAT"));
	env_free(&e);
}
END_TEST

START_TEST(test_set_replaces_all_of_the_name)
{
	struct env e;

	env_copy(&e, from);
	env_set(&e, "EPHID_TOKEN", "new");
	ck_assert_uint_eq(e.n, 7);
	ck_assert_str_eq(env_get(&e, "EPHID_TOKEN"), "new");
	ck_assert_str_eq(env_get(&e, "EPHID_TOKEN_FILE"), "/t");
	env_set(&e, "COPY", env_get(&e, "EPHID_TOKEN"));
	env_set(&e, "COPY", env_get(&e, "COPY")); /* from its own memory */
	ck_assert_str_eq(env_get(&e, "COPY"), "new");
	env_free(&e);
}
END_TEST

START_TEST(test_unset)
{
	struct env e;

	env_copy(&e, from);
	env_unset(&e, "EPHID_TOKEN");
	ck_assert_ptr_null(env_get(&e, "EPHID_TOKEN"));
	ck_assert_uint_eq(e.n, 6);
	env_unset(&e, "odd");
	ck_assert_uint_eq(e.n, 5);
	env_unset(&e, "absent");
	env_unset_prefix(&e, "EPHID_");
	ck_assert_uint_eq(e.n, 3);
	ck_assert_str_eq(env_get(&e, "EPHID"), "x");
	ck_assert_ptr_null(e.list[3]);
	env_free(&e);
}
END_TEST

static void
list_is(const struct env *e, const char *want)
{
	char got[256] = "";

	for (size_t i = 0; i < e->n; i++) {
		strcat(got, e->list[i]);
		strcat(got, " ");
	}
	ck_assert_str_eq(got, want);
	ck_assert_ptr_null(e->list[e->n]);
}

START_TEST(test_keep)
{
	static char *many[] = {"PATH=/a", "LC_ALL=C", "PATHS=x", "LC_=y",
	    "KEY=secret", "PATH=/b", "lc_all=C", "LC", "=odd", "KEY=PATH",
	    "A=PATH=/c", NULL};
	static const char *const globs[] = {"PATH", "LC_*", NULL};
	static const char *const all[] = {"*", NULL}, *const none[] = {NULL};
	struct env e;

	env_copy(&e, many);
	env_keep(&e, all);
	ck_assert_uint_eq(e.n, 11);
	env_keep(&e, globs); /* both of a name that stands twice */
	list_is(&e, "PATH=/a LC_ALL=C LC_=y PATH=/b ");
	env_keep(&e, none);
	list_is(&e, "");
	env_free(&e);
}
END_TEST

static bool
is_secret(const char *value, const void *arg)
{
	return strcmp(value, arg) == 0;
}

START_TEST(test_unset_values)
{
	static char *many[] = {"T=1", "T=secret", "EMPTY=", "U=secret",
	    "SHORT=secre", "V=xsecret", "secret", "U=2", NULL};
	struct env e;

	env_copy(&e, many);
	/* T's other value goes with it */
	env_unset_values(&e, is_secret, "secret");
	list_is(&e, "EMPTY= SHORT=secre V=xsecret secret ");
	env_unset_values(&e, is_secret, "");
	list_is(&e, "SHORT=secre V=xsecret secret ");
	env_free(&e);
}
END_TEST

START_TEST(test_empty)
{
	char *none[] = {NULL};
	struct env e;

	env_copy(&e, none);
	ck_assert_ptr_null(e.list[0]);
	env_unset_prefix(&e, "");
	env_set(&e, "A", "");
	ck_assert_str_eq(e.list[0], "A=");
	env_free(&e);
	ck_assert_ptr_null(e.list);
}
END_TEST

START_TEST(test_names)
{
	ck_assert(env_name_is_valid("GITHUB_TOKEN"));
	ck_assert(env_name_is_valid("_a1"));
	ck_assert(!env_name_is_valid(""));
	ck_assert(!env_name_is_valid("1A"));
	ck_assert(!env_name_is_valid("A=B"));
	ck_assert(!env_name_is_valid("A-B"));
	ck_assert(!env_name_is_valid("\xc3\xa9"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("env");
	TCase *t = tcase_create("env");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_copy_keeps_order_and_bytes);
	tcase_add_test(t, test_set_replaces_all_of_the_name);
	tcase_add_test(t, test_unset);
	tcase_add_test(t, test_keep);
	tcase_add_test(t, test_unset_values);
	tcase_add_test(t, test_empty);
	tcase_add_test(t, test_names);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
