#include "config.h"

#include "tokendir.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"

#define ID "01KB0000000000000000000000"
#define ok(call) ck_assert_msg((call) == 0, "%s", e.text)

/* On a tmpfs, where the machine has one there. */
static char folder[] = "/dev/shm/check-XXXXXX";
static char *runtime;
static struct home home;
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
	runtime = xasprintf("%s/runtime", folder);
	ck_assert_int_eq(mkdir(runtime, 0700), 0);
	ok(home_open(path, true, &home, &e));
}

static void
teardown(void)
{
	home_close(&home);
	free(runtime);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool
on_tmpfs(void)
{
	struct statfs fs;

	return statfs(folder, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static struct tokendir
plan(const char *dir)
{
	struct tokendir d;
	bool on_disk;

	ok(tokendir_plan(&home, dir, ID, &d, &on_disk, &e));
	return d;
}

/* One in a folder of our own, wherever the plan would have put it. */
static struct tokendir
make(void)
{
	struct tokendir d = {
	    .path = xasprintf("%s/run/" ID, home.path), .fd = -1};

	ok(tokendir_make(&d, &e));
	return d;
}

static bool
exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

START_TEST(prefers_the_runtime_folder)
{
	scoped(free_string) char *want =
	    xasprintf("%s/ephid/" ID, runtime);
	struct tokendir d;

	if (!on_tmpfs())
		return;
	d = plan(runtime);
	ck_assert_str_eq(d.path, want);
	ck_assert(!exists(d.path)); /* planned, not made */
	ok(tokendir_make(&d, &e));
	ck_assert(exists(want));
	tokendir_close(&d);
	ck_assert_int_eq(d.fd, -1);
}
END_TEST

START_TEST(passes_by_what_is_open_to_others)
{
	scoped(free_string) char *sub = xasprintf("%s/ephid", runtime);
	struct tokendir d;

	ck_assert_int_eq(chmod(runtime, 0750), 0);
	d = plan(runtime);
	ck_assert_ptr_null(strstr(d.path, runtime));
	tokendir_close(&d);
	ck_assert_int_eq(chmod(runtime, 0700), 0);
	/* a link in the place of our folder */
	ck_assert_int_eq(symlink("/tmp", sub), 0);
	d = plan(runtime);
	ck_assert_ptr_null(strstr(d.path, runtime));
	tokendir_close(&d);
	d = plan("relative");
	ck_assert_int_eq(*d.path, '/');
	tokendir_close(&d);
}
END_TEST

START_TEST(a_plan_wants_an_id)
{
	struct tokendir d;
	bool on_disk;

	ck_assert_int_eq(
	    tokendir_plan(&home, runtime, "../x", &d, &on_disk, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

START_TEST(writes_and_replaces)
{
	struct tokendir d;
	scoped(buf_free) struct buf got = {0};
	struct stat st;

	umask(0);
	d = make();
	ck_assert_int_eq(fstat(d.fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ok(tokendir_write(&d, "token", "one", 3, &e));
	ok(tokendir_write(&d, "token", "second", 6, &e));
	ok(io_read_file(d.fd, "token", 100, &got, &e));
	ck_assert_str_eq(buf_str(&got), "second");
	ck_assert_int_eq(fstatat(d.fd, "token", &st, 0), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	tokendir_close(&d);
}
END_TEST

START_TEST(a_file_has_a_plain_name)
{
	static const char *const bad[] = {"", ".", "..", "../x", "a/b"};
	struct tokendir d = make();

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_eq(
		    tokendir_write(&d, bad[i], "x", 1, &e), -1);
	tokendir_close(&d);
}
END_TEST

START_TEST(is_made_again_when_it_vanished)
{
	scoped(free_string) char *base = xasprintf("%s/run", home.path);
	struct tokendir d = make();

	ok(tokendir_write(&d, "token", "one", 3, &e));
	ok(tokendir_remove(d.path, &e));
	ck_assert_int_eq(rmdir(base), 0);
	ok(tokendir_write(&d, "token", "two", 3, &e));
	ck_assert_int_eq(faccessat(d.fd, "token", F_OK, 0), 0);
	ck_assert(exists(d.path));
	tokendir_close(&d);
}
END_TEST

START_TEST(removing_is_idempotent)
{
	struct tokendir d = make();

	ok(tokendir_write(&d, "token", "one", 3, &e));
	ok(tokendir_write(&d, "index.json", "{}", 2, &e));
	ok(tokendir_remove(d.path, &e));
	ck_assert(!exists(d.path));
	ok(tokendir_remove(d.path, &e));
	ok(tokendir_remove("/nowhere/" ID, &e));
	tokendir_close(&d);
}
END_TEST

START_TEST(removes_nothing_else)
{
	scoped(free_string) char *link =
	    xasprintf("%s/01KB0000000000000000000001", folder);
	scoped(free_string) char *dotted = NULL;
	struct tokendir d = make();

	dotted = xasprintf("%s/..", d.path);
	ok(tokendir_write(&d, "token", "one", 3, &e));
	ck_assert_int_eq(tokendir_remove(home.path, &e), -1);
	ck_assert_int_eq(tokendir_remove(dotted, &e), -1);
	ck_assert_int_eq(tokendir_remove("", &e), -1);
	ck_assert_int_eq(tokendir_remove(ID, &e), -1);
	ck_assert_int_eq(symlink(d.path, link), 0);
	ck_assert_int_eq(tokendir_remove(link, &e), -1); /* follows no link */
	ck_assert_int_eq(faccessat(d.fd, "token", F_OK, 0), 0);
	tokendir_close(&d);
}
END_TEST

START_TEST(a_link_in_it_is_removed_not_followed)
{
	scoped(free_string) char *victim = xasprintf("%s/victim", folder);
	struct tokendir d = make();

	ok(io_create_file(AT_FDCWD, victim, 0600, "x", 1, false, &e));
	ck_assert_int_eq(symlinkat(victim, d.fd, "token"), 0);
	ok(tokendir_write(&d, "token", "one", 3, &e));
	ck_assert_int_eq(symlinkat(victim, d.fd, "more"), 0);
	ok(tokendir_remove(d.path, &e));
	ck_assert(exists(victim) && !exists(d.path));
	tokendir_close(&d);
}
END_TEST

START_TEST(what_the_command_put_there_goes_too)
{
	scoped(free_string) char *kept = xasprintf("%s/kept", folder);
	struct tokendir d = make();

	ck_assert_int_eq(mkdir(kept, 0700), 0);
	ck_assert_int_eq(mkdirat(d.fd, "a", 0700), 0);
	ck_assert_int_eq(mkdirat(d.fd, "a/b", 0700), 0);
	ck_assert_int_eq(symlinkat(kept, d.fd, "a/b/link"), 0);
	ok(tokendir_write(&d, "token", "one", 3, &e));
	ok(tokendir_remove(d.path, &e));
	ck_assert(!exists(d.path));
	ck_assert(exists(kept));
	tokendir_close(&d);
}
END_TEST

START_TEST(what_is_open_to_others_is_refused)
{
	scoped(free_string) char *base = xasprintf("%s/run", home.path);
	struct tokendir d = make();

	ck_assert_int_eq(chmod(d.path, 0755), 0);
	ck_assert_int_eq(tokendir_make(&d, &e), -1);
	/* All the more reason to take away what lies in it. */
	ok(tokendir_write(&d, "token", "one", 3, &e));
	ok(tokendir_remove(d.path, &e));
	ck_assert(!exists(d.path));
	ck_assert_int_eq(chmod(base, 0777), 0);
	ck_assert_int_eq(tokendir_make(&d, &e), -1);
	tokendir_close(&d);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tokendir");
	TCase *t = tcase_create("tokendir");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, prefers_the_runtime_folder);
	tcase_add_test(t, passes_by_what_is_open_to_others);
	tcase_add_test(t, a_plan_wants_an_id);
	tcase_add_test(t, writes_and_replaces);
	tcase_add_test(t, a_file_has_a_plain_name);
	tcase_add_test(t, is_made_again_when_it_vanished);
	tcase_add_test(t, removing_is_idempotent);
	tcase_add_test(t, removes_nothing_else);
	tcase_add_test(t, a_link_in_it_is_removed_not_followed);
	tcase_add_test(t, what_the_command_put_there_goes_too);
	tcase_add_test(t, what_is_open_to_others_is_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
