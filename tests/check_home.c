#include "config.h"

#include "home.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"

#define ID "01KB0000000000000000000000"
#define NOBODY 65534

static char folder[] = "/tmp/ephid-check-XXXXXX";
static char *path;
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
	strcpy(strrchr(folder, '-'), "-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	path = xasprintf("%s/a/b/home", folder);
	e = (struct err){0};
}

static void
teardown(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(name, &st), 0);
	return st.st_mode & 07777;
}

START_TEST(locates_by_rank)
{
	char *where;

	setenv("EPHID_HOME", "/elsewhere/", 1);
	ck_assert_int_eq(home_locate("/x/y//", &where, &e), 0);
	ck_assert_str_eq(where, "/x/y");
	free(where);
	ck_assert_int_eq(home_locate(NULL, &where, &e), 0);
	ck_assert_str_eq(where, "/elsewhere");
	free(where);
	unsetenv("EPHID_HOME");
	if (geteuid() == 0) {
		ck_assert_int_eq(home_locate(NULL, &where, &e), 0);
		ck_assert_str_eq(where, "/var/lib/ephid");
		free(where);
	}
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(home_locate("rel", &where, &e), 0);
	ck_assert_int_eq(*where, '/');
	ck_assert_str_eq(where + strlen(where) - 4, "/rel");
	free(where);
	ck_assert_int_eq(home_locate("", &where, &e), -1);
	ck_assert_int_eq(e.code, ERR_USAGE);
}
END_TEST

START_TEST(only_create_makes_it)
{
	struct home h;

	ck_assert_int_eq(home_open(path, false, &h, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_ptr_nonnull(strstr(e.text, path));
	umask(0);
	ck_assert_int_eq(home_open(path, true, &h, &e), 0);
	ck_assert_str_eq(h.path, path);
	ck_assert_int_eq(mode_of(path), 0700);
	home_close(&h);
	ck_assert_int_eq(home_open(path, false, &h, &e), 0);
	home_close(&h);
	ck_assert_int_eq(h.fd, -1);
}
END_TEST

START_TEST(an_odd_umask_changes_no_mode)
{
	scoped(free_string) char *keys = xasprintf("%s/keys", path);
	struct home h;

	umask(0777);
	ck_assert_msg(home_open(path, true, &h, &e) == 0, "%s", e.text);
	ck_assert_int_eq(mode_of(path), 0700);
	ck_assert_int_eq(mode_of(keys), 0700);
	home_close(&h);
}
END_TEST

START_TEST(refuses_what_others_can_write)
{
	struct home h;

	ck_assert_int_eq(home_open(path, true, &h, &e), 0);
	home_close(&h);
	chmod(path, 0770);
	ck_assert_int_eq(home_open(path, false, &h, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "written to by others"));
	chmod(path, 0702);
	ck_assert_int_eq(home_open(path, true, &h, &e), -1);
	ck_assert_int_eq(h.fd, -1);
}
END_TEST

START_TEST(refuses_another_owner)
{
	struct home h;

	if (geteuid() != 0)
		return; /* it takes root to give a folder away */
	ck_assert_int_eq(home_open(path, true, &h, &e), 0);
	home_close(&h);
	ck_assert_int_eq(chown(path, NOBODY, NOBODY), 0);
	ck_assert_int_eq(home_open(path, false, &h, &e), -1);
	ck_assert_ptr_nonnull(
	    strstr(e.text, "belongs to uid 65534, not to uid 0"));
}
END_TEST

START_TEST(a_file_is_no_home)
{
	struct home h;

	ck_assert_int_eq(
	    io_create_file(AT_FDCWD, path, 0600, "", 0, false, &e), -1);
	ck_assert_int_eq(home_open("/dev/null", true, &h, &e), -1);
	ck_assert_int_eq(e.code, ERR_SYSTEM);
}
END_TEST

START_TEST(the_lock_is_the_liveness)
{
	struct home h;
	int lock, again, taken;

	ck_assert_int_eq(home_open(path, true, &h, &e), 0);
	ck_assert_int_eq(home_probe_run(&h, ID, NULL), RUN_DEAD);
	ck_assert_int_eq(home_lock_run(&h, ID, &lock, &e), 0);
	ck_assert_int_eq(home_probe_run(&h, ID, NULL), RUN_LIVE);
	ck_assert_int_eq(home_probe_run(&h, ID, &taken), RUN_LIVE);
	ck_assert_int_eq(taken, -1);
	ck_assert_int_eq(home_lock_run(&h, ID, &again, &e), -1);
	ck_assert_int_eq(e.code, ERR_DENIED);
	close_fd(&lock);
	ck_assert_int_eq(home_probe_run(&h, ID, &taken), RUN_DEAD);
	ck_assert_int_ge(taken, 0);
	/* two sweeps do not meet */
	ck_assert_int_eq(home_probe_run(&h, ID, &again), RUN_LIVE);
	home_forget_run(&h, ID);
	close_fd(&taken);
	ck_assert_int_eq(home_probe_run(&h, ID, &taken), RUN_DEAD);
	ck_assert_int_eq(taken, -1);
	home_close(&h);
}
END_TEST

/* Front and guardian share the open file: the last of them lets go. */
START_TEST(a_fork_keeps_it)
{
	struct home h;
	int lock, gate[2];
	pid_t pid;

	ck_assert_int_eq(home_open(path, true, &h, &e), 0);
	ck_assert_int_eq(home_lock_run(&h, ID, &lock, &e), 0);
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	if ((pid = fork()) == 0) {
		char c;

		close(gate[1]);
		_exit(read(gate[0], &c, 1) == 0 ? 0 : 1);
	}
	close_fd(&lock);
	ck_assert_int_eq(home_probe_run(&h, ID, NULL), RUN_LIVE);
	close(gate[1]);
	close(gate[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(home_probe_run(&h, ID, NULL), RUN_DEAD);
	home_close(&h);
}
END_TEST

START_TEST(no_path_passes_for_an_id)
{
	static const char *const hostile[] = {"", ".", "../ledger.db",
	    "../../../../../etc/passwd1", "01kb0000000000000000000000",
	    "01KB000000000000000000000/"};
	struct home h;
	int fd;

	ck_assert_int_eq(home_open(path, true, &h, &e), 0);
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		ck_assert_int_eq(
		    home_probe_run(&h, hostile[i], NULL), RUN_UNKNOWN);
		ck_assert_int_eq(home_lock_run(&h, hostile[i], &fd, &e), -1);
		ck_assert_int_eq(fd, -1);
		home_forget_run(&h, hostile[i]);
	}
	home_close(&h);
}
END_TEST

START_TEST(a_link_is_unknown)
{
	scoped(free_string) char *run = xasprintf("%s/runs/" ID, path);
	struct home h;
	int fd;

	ck_assert_int_eq(home_open(path, true, &h, &e), 0);
	ck_assert_int_eq(symlink("/dev/null", run), 0);
	ck_assert_int_eq(home_probe_run(&h, ID, &fd), RUN_UNKNOWN);
	ck_assert_int_eq(home_lock_run(&h, ID, &fd, &e), -1);
	home_close(&h);
}
END_TEST

static void
note(const char *id, void *arg)
{
	ck_assert_str_eq(id, ID);
	++*(int *)arg;
}

START_TEST(lists_runs_only)
{
	struct home h;
	int lock, n = 0;

	ck_assert_int_eq(home_open(path, true, &h, &e), 0);
	ck_assert_int_eq(home_lock_run(&h, ID, &lock, &e), 0);
	ck_assert_int_eq(io_create_file(h.fd, "runs/README", 0600, "", 0,
			     false, &e),
	    0);
	ck_assert_int_eq(home_each_run(&h, note, &n, &e), 0);
	ck_assert_int_eq(n, 1);
	close_fd(&lock);
	home_close(&h);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("home");
	TCase *t = tcase_create("home");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, locates_by_rank);
	tcase_add_test(t, only_create_makes_it);
	tcase_add_test(t, an_odd_umask_changes_no_mode);
	tcase_add_test(t, refuses_what_others_can_write);
	tcase_add_test(t, refuses_another_owner);
	tcase_add_test(t, a_file_is_no_home);
	tcase_add_test(t, the_lock_is_the_liveness);
	tcase_add_test(t, a_fork_keeps_it);
	tcase_add_test(t, no_path_passes_for_an_id);
	tcase_add_test(t, a_link_is_unknown);
	tcase_add_test(t, lists_runs_only);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
