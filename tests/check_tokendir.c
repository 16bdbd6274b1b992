#include "config.h"

#include "tokendir.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"

#define ID "01KB0000000000000000000000"
#define SECRET "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
#define ok(call) ck_assert_msg((call) == 0, "%s", e.text)

/* On a tmpfs, where the machine has one there. */
static char folder[] = "/dev/shm/check-XXXXXX";
static char *runtime;
static struct home home;
static struct err e;

/* The users that a command may be; this one has its group to itself. */
static struct account lone = {
    .name = (char[]){"lone"}, .uid = 1000, .gid = 1001, .alone = true};
static struct account shared = {
    .name = (char[]){"shared"}, .uid = 1002, .gid = 1003};

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

	ok(tokendir_plan(&home, dir, ID, NULL, &d, &on_disk, &e));
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
	    tokendir_plan(&home, runtime, "../x", NULL, &d, &on_disk, &e),
	    -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_int_eq(
	    tokendir_plan(&home, runtime, "../x", &lone, &d, &on_disk, &e),
	    -1);
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
	ok(tokendir_remove(link, &e)); /* follows no link */
	ck_assert_int_eq(faccessat(d.fd, "token", F_OK, 0), 0);
	ck_assert(!exists(link));
	tokendir_close(&d);
}
END_TEST

/* A command can put anything in the place of its folder, and no sweep should
 * stumble over that for ever. */
START_TEST(what_took_its_place_is_removed)
{
	struct tokendir d = make();

	ck_assert_int_eq(rmdir(d.path), 0);
	ok(io_create_file(AT_FDCWD, d.path, 0600, "x", 1, false, &e));
	ok(tokendir_remove(d.path, &e));
	ck_assert(!exists(d.path));
	ck_assert_int_eq(symlink("/nowhere", d.path), 0);
	ok(tokendir_remove(d.path, &e));
	ck_assert_int_eq(mkfifo(d.path, 0600), 0);
	ok(tokendir_remove(d.path, &e));
	if (geteuid() == 0) {
		ck_assert_int_eq(mkfifo(d.path, 0600), 0);
		ck_assert_int_eq(chown(d.path, 1000, 1000), 0);
		ck_assert_int_eq(tokendir_remove(d.path, &e), -1);
		ck_assert(exists(d.path));
	}
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

/* --- another user's --------------------------------------------------- */

static void
is_like(int dir, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dir, name, &st, AT_EMPTY_PATH), 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
	ck_assert_uint_eq(st.st_uid, uid);
	ck_assert_uint_eq(st.st_gid, gid);
}

/* Can this user open the path, as access(2) would not say it for another? */
static bool
can_open(const char *path, uid_t uid, gid_t gid)
{
	pid_t pid = fork();
	int st;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(gid) < 0 ||
		    setuid(uid) < 0)
			_exit(99);
		_exit(open(path, O_RDONLY) >= 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	ck_assert(WIFEXITED(st) && WEXITSTATUS(st) != 99);
	return WEXITSTATUS(st) == 0;
}

/* In a folder of our own, that others may pass through. */
static struct tokendir
make_for(const struct account *owner)
{
	struct tokendir d = {.fd = -1, .owner = owner};

	ck_assert_int_eq(chmod(folder, 0711), 0);
	d.path = xasprintf("%s/users/%s", folder,
	    owner->alone ? ID : ID "-" SECRET);
	ok(tokendir_make(&d, &e));
	ok(tokendir_write(&d, "token", "one", 3, &e));
	return d;
}

START_TEST(a_plan_for_another_user)
{
	struct tokendir a, b;
	bool on_disk;

	if (geteuid() != 0)
		return;
	umask(077); /* as root's often is */
	ok(tokendir_plan(&home, runtime, ID, &lone, &a, &on_disk, &e));
	ck_assert(!on_disk);
	ck_assert_ptr_eq(a.owner, &lone);
	ck_assert_str_eq(strrchr(a.path, '/') + 1, ID);
	ck_assert_ptr_nonnull(strstr(a.path, "/ephid-users/"));
	*strrchr(a.path, '/') = '\0';
	is_like(AT_FDCWD, a.path, 0711, 0, 0);
	tokendir_close(&a);
	ck_assert_ptr_null(a.owner);

	ok(tokendir_plan(&home, runtime, ID, &shared, &a, &on_disk, &e));
	ok(tokendir_plan(&home, runtime, ID, &shared, &b, &on_disk, &e));
	ck_assert_str_ne(a.path, b.path);
	ck_assert_uint_eq(
	    strlen(strrchr(a.path, '/') + 1), strlen(ID "-" SECRET));
	ok(tokendir_remove(a.path, &e)); /* planned and not made */
	tokendir_close(&a);
	tokendir_close(&b);
}
END_TEST

START_TEST(a_group_of_its_own_may_list)
{
	struct tokendir d;
	scoped(free_string) char *file = NULL;

	if (geteuid() != 0)
		return;
	umask(077);
	d = make_for(&lone);
	file = xasprintf("%s/token", d.path);
	is_like(d.fd, "", 0750, 0, lone.gid);
	is_like(d.fd, "token", 0400, lone.uid, lone.gid);
	ck_assert(can_open(d.path, lone.uid, lone.gid));
	ck_assert(can_open(file, lone.uid, lone.gid));
	ck_assert(!can_open(file, shared.uid, lone.gid));
	ck_assert(!can_open(d.path, shared.uid, shared.gid));
	ck_assert(!can_open(file, shared.uid, shared.gid));
	ok(tokendir_remove(d.path, &e));
	ck_assert(!exists(d.path));
	tokendir_close(&d);
}
END_TEST

START_TEST(a_shared_group_may_not)
{
	struct tokendir d;
	scoped(free_string) char *file = NULL;

	if (geteuid() != 0)
		return;
	umask(077);
	d = make_for(&shared);
	file = xasprintf("%s/token", d.path);
	is_like(d.fd, "", 0711, 0, 0);
	is_like(d.fd, "token", 0400, shared.uid, shared.gid);
	ck_assert(can_open(file, shared.uid, shared.gid));
	ck_assert(!can_open(d.path, shared.uid, shared.gid));
	ck_assert(!can_open(d.path, lone.uid, shared.gid));
	ck_assert(!can_open(file, lone.uid, shared.gid));
	ok(tokendir_remove(d.path, &e));
	ck_assert(!exists(d.path));
	tokendir_close(&d);
}
END_TEST

START_TEST(a_users_file_is_replaced_and_its_folder_made_again)
{
	scoped(free_string) char *base = xasprintf("%s/users", folder);
	scoped(buf_free) struct buf got = {0};
	struct tokendir d;

	if (geteuid() != 0)
		return;
	umask(077);
	d = make_for(&shared);
	ok(tokendir_write(&d, "token", "second", 6, &e));
	is_like(d.fd, "token", 0400, shared.uid, shared.gid);
	ok(tokendir_remove(d.path, &e));
	ck_assert_int_eq(rmdir(base), 0);
	ok(tokendir_write(&d, "token", "third", 5, &e));
	ok(io_read_file(d.fd, "token", 100, &got, &e));
	ck_assert_str_eq(buf_str(&got), "third");
	is_like(AT_FDCWD, base, 0711, 0, 0);
	is_like(AT_FDCWD, d.path, 0711, 0, 0);
	is_like(d.fd, "token", 0400, shared.uid, shared.gid);
	tokendir_close(&d);
}
END_TEST

START_TEST(a_users_base_is_judged)
{
	scoped(free_string) char *base = xasprintf("%s/users", folder);
	struct tokendir d;

	if (geteuid() != 0)
		return;
	d = make_for(&lone);
	ck_assert_int_eq(chmod(base, 0755), 0); /* could be listed */
	ck_assert_int_eq(tokendir_make(&d, &e), -1);
	ck_assert_int_eq(chmod(base, 0711), 0);
	ck_assert_int_eq(chmod(d.path, 0751), 0);
	ck_assert_int_eq(tokendir_make(&d, &e), -1);
	ck_assert_int_eq(chmod(d.path, 0750), 0);
	ok(tokendir_make(&d, &e));
	ck_assert_int_eq(chown(base, lone.uid, lone.gid), 0);
	ck_assert_int_eq(tokendir_make(&d, &e), -1);
	ck_assert_int_eq(rename(base, runtime), 0); /* empty until now */
	ck_assert_int_eq(symlink(runtime, base), 0);
	ck_assert_int_eq(tokendir_make(&d, &e), -1);
	tokendir_close(&d);
}
END_TEST

/* What a row names is removed only where the name is that of a run. */
START_TEST(names_of_runs)
{
	static const char *const after_id[] = {"-", "x", SECRET, "-" SECRET "0",
	    "_" SECRET, "-" SECRET "-", "-8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
	    "-7zzzzzzzzzzzzzzzzzzzzzzzzz", "-IIIIIIIIIIIIIIIIIIIIIIIIII"};

	for (size_t i = 0; i < sizeof after_id / sizeof *after_id; i++) {
		scoped(free_string) char *path =
		    xasprintf("%s/" ID "%s", folder, after_id[i]);

		mkdir(path, 0700);
		ck_assert_int_eq(tokendir_remove(path, &e), -1);
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert(exists(path));
	}
	ok(tokendir_remove("/nowhere/" ID "-" SECRET, &e));
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
	tcase_add_test(t, what_took_its_place_is_removed);
	tcase_add_test(t, a_link_in_it_is_removed_not_followed);
	tcase_add_test(t, what_the_command_put_there_goes_too);
	tcase_add_test(t, what_is_open_to_others_is_refused);
	tcase_add_test(t, a_plan_for_another_user);
	tcase_add_test(t, a_group_of_its_own_may_list);
	tcase_add_test(t, a_shared_group_may_not);
	tcase_add_test(t, a_users_file_is_replaced_and_its_folder_made_again);
	tcase_add_test(t, a_users_base_is_judged);
	tcase_add_test(t, names_of_runs);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
