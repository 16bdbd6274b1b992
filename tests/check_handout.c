#include "config.h"

#include "handout.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"

#define ID "01KB0000000000000000000000"
#define ROOT "01KB0000000000000000000001"
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define ok(call) ck_assert_msg((call) == 0, "%s", e.text)

static struct err e;

/* --- one run with three audiences -------------------------------------- */

static struct issued issued[3];
static struct minted minted = {.issued = issued, .n = 3};

static void
set_issued(int i, const char *token, const char *audience, enum form form)
{
	issued[i].credential = (struct credential){.issuer = xstrdup("local"),
	    .audience = xstrdup(audience),
	    .form = form,
	    .expires_at = 1764063000 + i};
	buf_adds(&issued[i].token, token);
}

static void
setup(void)
{
	strcpy(minted.identity.id, ID);
	strcpy(minted.identity.root, ROOT);
	set_issued(0, "first", "https://a.example", FORM_OAUTH);
	set_issued(1, "second", "https://b.example/\"x", FORM_FEDERATION);
	set_issued(2, "third", "urn:c", FORM_OAUTH);
}

static void
teardown(void)
{
	for (int i = 0; i < 3; i++) {
		credential_clear(&issued[i].credential);
		buf_free(&issued[i].token);
	}
}

/* --- files ------------------------------------------------------------ */

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(name);
}

static void
file_is(const struct tokendir *d, const char *name, const char *want)
{
	scoped(buf_free) struct buf got = {0};

	ok(io_read_file(d->fd, name, 4096, &got, &e));
	ck_assert_str_eq(buf_str(&got), want);
}

START_TEST(a_file_for_each_audience)
{
	char folder[] = "/tmp/check-XXXXXX";
	struct tokendir d = {.fd = -1};

	ck_assert_ptr_nonnull(mkdtemp(folder));
	d.path = xasprintf("%s/base/" ID, folder);
	ok(handout_write(&d, &minted, &e));
	file_is(&d, "token", "first");
	file_is(&d, "token-2", "second");
	file_is(&d, "token-3", "third");
	file_is(&d, "index.json",
	    "{\"id\":\"" ID "\",\"tokens\":["
	    "{\"file\":\"token\",\"audience\":\"https://a.example\","
	    "\"issuer\":\"local\",\"form\":\"oauth\","
	    "\"expires_at\":\"2025-11-25T09:30:00Z\"},"
	    "{\"file\":\"token-2\",\"audience\":\"https://b.example/\\\"x\","
	    "\"issuer\":\"local\",\"form\":\"federation\","
	    "\"expires_at\":\"2025-11-25T09:30:01Z\"},"
	    "{\"file\":\"token-3\",\"audience\":\"urn:c\","
	    "\"issuer\":\"local\",\"form\":\"oauth\","
	    "\"expires_at\":\"2025-11-25T09:30:02Z\"}]}\n");
	buf_adds(&issued[1].token, "-renewed");
	issued[1].credential.expires_at = 0;
	ok(handout_write(&d, &minted, &e));
	file_is(&d, "token", "first");
	file_is(&d, "token-2", "second-renewed");
	tokendir_close(&d);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
END_TEST

START_TEST(a_file_that_cannot_be_written)
{
	struct tokendir d = {.path = xstrdup("/proc/none/" ID), .fd = -1};

	ck_assert_int_eq(handout_write(&d, &minted, &e), -1);
	ck_assert_int_eq(e.code, ERR_SYSTEM);
	tokendir_close(&d);
}
END_TEST

/* --- environment ------------------------------------------------------ */

static char *callers[] = {"PATH=/a", "EPHID_TOKEN=parent", "SECRET=x",
    "PATH=/b", "EPHID_TOKEN=again", "OUTER=parent", "OUTER=other",
    "HOME=/root", "HOME=/root2", "USER=root", "LC_TIME=C",
    "MAIL=/var/mail/root", "XDG_RUNTIME_DIR=/run/user/0", "EPHID_HOME=/old",
    "EPHID_WHATEVER=1", "TRACEPARENT=00-" TRACE "-00f067aa0ba902b7-01",
    "SHELL=/bin/bash", "EMPTY=", NULL};
/* The parent's, by the id in it: its first, say, when the presented one is a
 * renewed one. And one of somebody else. */
#define HEADER "eyJhbGciOiJFUzI1NiJ9."
#define OF_PARENT                                                             \
	HEADER "eyJlcGhpZCI6eyJpZCI6IjAxS0IwMDAwMDAwMDAwMDAwMDAwMDAwMDAxIn19" \
	       ".AAAA"
#define OF_ANOTHER                                                            \
	HEADER "eyJlcGhpZCI6eyJpZCI6IjAxS0IwMDAwMDAwMDAwMDAwMDAwMDAwMDA5In19" \
	       ".AAAA"
static char *credentials[] = {"A=" OF_PARENT, "B=Bearer " OF_PARENT,
    "C=x-parent-x", "D=" OF_ANOTHER " " OF_PARENT "\n", "E=" OF_ANOTHER,
    "F=" HEADER, "G=eyJ.eyJ.eyJ", NULL};
static struct account user = {.name = (char[]){"worker"},
    .home = (char[]){"/home/worker"}, .shell = (char[]){"/bin/zsh"}};

static struct env
environment(const struct handout *h)
{
	struct env env;

	handout_environment(
	    h, callers, "parent", &minted, "/home", "/dir", &env);
	return env;
}

static void
is_set(const struct env *env, const char *name, const char *want)
{
	const char *got = env_get(env, name);
	int times = 0;

	for (size_t i = 0; i < env->n; i++)
		times += strncmp(env->list[i], name, strlen(name)) == 0 &&
		    env->list[i][strlen(name)] == '=';
	if (want == NULL)
		ck_assert_int_eq(times, 0);
	else {
		ck_assert_msg(got != NULL, "%s is not set", name);
		ck_assert_str_eq(got, want);
		ck_assert_int_eq(times, 1);
	}
}

static void
has_identity(const struct env *env)
{
	is_set(env, "EPHID_ID", ID);
	is_set(env, "EPHID_ROOT", ROOT);
	is_set(env, "EPHID_TOKEN_DIR", "/dir");
	is_set(env, "EPHID_TOKEN_FILE", "/dir/token");
	is_set(env, "EPHID_WHATEVER", NULL);
	is_set(env, "OUTER", NULL); /* neither of the two */
	ck_assert_ptr_nonnull(
	    strstr(env_get(env, "TRACEPARENT"), "00-" TRACE "-"));
	ck_assert_ptr_null(
	    strstr(env_get(env, "TRACEPARENT"), "00f067aa0ba902b7"));
}

START_TEST(the_callers_and_ours)
{
	const struct handout h = {.env_name = "GITHUB_TOKEN"};
	struct env env = environment(&h);

	has_identity(&env);
	is_set(&env, "EPHID_HOME", "/home");
	is_set(&env, "EPHID_TOKEN", "first");
	is_set(&env, "GITHUB_TOKEN", "first");
	is_set(&env, "SECRET", "x");
	is_set(&env, "EMPTY", "");
	is_set(&env, "MAIL", "/var/mail/root");
	/* What stands twice and is the caller's comes through as it is. */
	ck_assert_str_eq(env.list[0], "PATH=/a");
	ck_assert_str_eq(env.list[2], "PATH=/b");
	env_free(&env);
}
END_TEST

START_TEST(without_what_the_parent_held)
{
	const struct handout h = {.no_env_token = true};
	struct env env;

	strcpy(minted.identity.parent, ROOT);
	handout_environment(
	    &h, credentials, "parent", &minted, "/home", "/dir", &env);
	is_set(&env, "A", NULL);
	is_set(&env, "B", NULL);
	is_set(&env, "C", NULL);
	is_set(&env, "D", NULL);
	is_set(&env, "E", OF_ANOTHER);
	is_set(&env, "F", HEADER);
	is_set(&env, "G", "eyJ.eyJ.eyJ");
	env_free(&env);
	/* A root has no parent, and takes nothing from anybody. */
	minted.identity.parent[0] = '\0';
	handout_environment(
	    &h, credentials, NULL, &minted, "/home", "/dir", &env);
	is_set(&env, "A", OF_PARENT);
	env_free(&env);
}
END_TEST

START_TEST(without_the_token)
{
	const struct handout h = {.no_env_token = true};
	struct env env = environment(&h);

	has_identity(&env);
	is_set(&env, "EPHID_TOKEN", NULL);
	for (size_t i = 0; i < env.n; i++)
		ck_assert_ptr_null(strstr(env.list[i], "first"));
	env_free(&env);
}
END_TEST

START_TEST(a_clean_one)
{
	const struct handout h = {.clean_env = true};
	struct env env = environment(&h);

	has_identity(&env);
	is_set(&env, "EPHID_HOME", NULL);
	is_set(&env, "EPHID_TOKEN", "first");
	is_set(&env, "SECRET", NULL);
	is_set(&env, "EMPTY", NULL);
	is_set(&env, "MAIL", NULL);
	is_set(&env, "USER", "root");
	is_set(&env, "LC_TIME", "C");
	/* PATH, HOME twice each, USER, SHELL, LC_TIME; and ours */
	ck_assert_uint_eq(env.n, 7 + 6);
	env_free(&env);
}
END_TEST

START_TEST(a_clean_one_with_exceptions)
{
	scoped(free_json) cJSON *keep = cJSON_CreateArray();
	const struct handout h = {.clean_env = true, .keep = keep};
	struct env env;

	json_push_string(keep, "SEC*");
	json_push_string(keep, "EPHID_*"); /* which is not theirs to keep */
	json_push_string(keep, "OUT?R");
	env = environment(&h);
	has_identity(&env);
	is_set(&env, "SECRET", "x");
	is_set(&env, "EPHID_HOME", NULL);
	is_set(&env, "EMPTY", NULL);
	env_free(&env);
}
END_TEST

static void
is_users(const struct env *env)
{
	has_identity(env);
	is_set(env, "HOME", "/home/worker");
	is_set(env, "USER", "worker");
	is_set(env, "LOGNAME", "worker");
	is_set(env, "SHELL", "/bin/zsh");
	is_set(env, "MAIL", NULL);
	is_set(env, "XDG_RUNTIME_DIR", NULL);
	is_set(env, "EPHID_HOME", NULL);
}

START_TEST(another_users)
{
	struct handout h = {.user = &user};
	struct env env = environment(&h);

	is_users(&env);
	is_set(&env, "SECRET", "x");
	env_free(&env);
	h.clean_env = true;
	env = environment(&h);
	is_users(&env);
	is_set(&env, "SECRET", NULL);
	env_free(&env);
}
END_TEST

/* As --dry-run has it: the names of what would be set. */
START_TEST(nothing_issued_yet)
{
	const struct handout h = {.env_name = "MY_TOKEN"};
	struct env env;

	minted.n = 0;
	env = environment(&h);
	has_identity(&env);
	is_set(&env, "EPHID_TOKEN", "");
	is_set(&env, "MY_TOKEN", "");
	env_free(&env);
	minted.n = 3;
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("handout");
	TCase *t = tcase_create("handout");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_file_for_each_audience);
	tcase_add_test(t, a_file_that_cannot_be_written);
	tcase_add_test(t, the_callers_and_ours);
	tcase_add_test(t, without_what_the_parent_held);
	tcase_add_test(t, without_the_token);
	tcase_add_test(t, a_clean_one);
	tcase_add_test(t, a_clean_one_with_exceptions);
	tcase_add_test(t, another_users);
	tcase_add_test(t, nothing_issued_yet);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
