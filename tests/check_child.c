#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "child.h"
#include "io.h"
#include "proc.h"

static char dir[] = "/tmp/ephid-child.XXXXXX";
static struct err e;
static pid_t pid;
static int status;

static void
setup(void)
{
	strcpy(dir, "/tmp/ephid-child.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	status = -1;
}

static void
teardown(void)
{
	scoped(free_string) char *cmd = xasprintf("rm -rf '%s'", dir);

	ck_assert_int_eq(system(cmd), 0);
}

/* Starts it and waits for the exec. */
static int
run(const struct child_setup *s)
{
	int exec_fd;

	status = 125;
	if (child_start(s, &pid, &exec_fd, &e) < 0)
		return -1;
	return child_await_exec(s, pid, &exec_fd, &status, &e);
}

static int
start(const char *program, const char *path, pid_t group)
{
	scoped(free_string) char *env = xasprintf("PATH=%s", path);
	char *argv[] = {(char[256]){0}, NULL};
	char *envp[] = {env, NULL};
	struct child_setup s = {.argv = argv, .envp = envp, .group = group};

	snprintf(argv[0], 256, "%s", program);
	return run(&s);
}

static int
exit_of(pid_t child)
{
	int st;

	ck_assert_int_eq(waitpid(child, &st, 0), child);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}

/* Nothing of a failed start is left to be waited for. */
static void
refused(int wanted)
{
	ck_assert_int_eq(status, wanted);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static char *
file(const char *name, mode_t mode, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

START_TEST(it_runs)
{
	ck_assert_int_eq(start("true", "/nowhere:/bin:/usr/bin", 0), 0);
	ck_assert_int_eq(exit_of(pid), 0);
	ck_assert_int_eq(start("/bin/false", "", 0), 0);
	ck_assert_int_eq(exit_of(pid), 1);
}
END_TEST

START_TEST(a_script_without_a_first_line_is_for_sh)
{
	scoped(free_string) char *path = file("plain", 0755, "exit 9\n");

	ck_assert_int_eq(start(path, "", 0), 0);
	ck_assert_int_eq(exit_of(pid), 9);
	ck_assert_int_eq(start("plain", dir, 0), 0);
	ck_assert_int_eq(exit_of(pid), 9);
}
END_TEST

START_TEST(missing_is_127)
{
	ck_assert_int_eq(start("/no/such/program", "/bin", 0), -1);
	refused(127);
	ck_assert_str_eq(e.text, "/no/such/program: command not found");
	ck_assert_int_eq(start("no-such-program", "/bin:/nowhere", 0), -1);
	refused(127);
	ck_assert_int_eq(start("", "/bin", 0), -1);
	refused(127);
}
END_TEST

START_TEST(what_cannot_be_run_is_126)
{
	scoped(free_string) char *plain = file("plain", 0644, "exit 0\n");

	ck_assert_int_eq(start(plain, "", 0), -1);
	refused(126);
	ck_assert_int_eq(start(dir, "", 0), -1);
	refused(126);
	/* Found but not executable outweighs what comes later and is not. */
	ck_assert_int_eq(start("plain", dir, 0), -1);
	refused(126);
}
END_TEST

START_TEST(a_group_that_is_gone_starts_nothing)
{
	pid_t other;

	if ((other = fork()) == 0)
		_exit(setpgid(0, 0) < 0);
	ck_assert_int_eq(exit_of(other), 0);
	ck_assert_int_eq(start("true", "/bin:/usr/bin", other), -1);
	refused(125);
	ck_assert_ptr_nonnull(strstr(e.text, "process group"));
}
END_TEST

/* In the child: tell that we were here, by a descriptor. */
static void
prepare(void *arg)
{
	int *fd = arg;

	if (write(*fd, "x", 1) != 1)
		_exit(99);
}

START_TEST(preparation_runs_and_descriptors_close)
{
	int ends[2];
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"},
	    (char[]){"read -r x <&8"}, NULL};
	char *envp[] = {NULL};
	struct child_setup s = {.argv = argv,
	    .envp = envp,
	    .prepare = prepare,
	    .arg = &ends[1]};
	char c;

	ck_assert_int_eq(pipe2(ends, 0), 0);
	ck_assert_int_eq(run(&s), 0);
	ck_assert_int_eq(read(ends[0], &c, 1), 1);
	ck_assert_int_ne(exit_of(pid), 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static void
dies_with_its_parent(const struct account *who)
{
	int ends[2], st;
	pid_t middle;
	char c;

	/* The command holds the pipe's other end: its end of file is its
	 * death, which nobody here could wait for. */
	ck_assert_int_eq(pipe(ends), 0);
	if ((middle = fork()) == 0) {
		char *argv[] = {(char[]){"sleep"}, (char[]){"1000"}, NULL};
		char *envp[] = {(char[]){"PATH=/bin:/usr/bin"}, NULL};
		struct child_setup s = {
		    .argv = argv, .envp = envp, .death_signal = SIGKILL,
		    .user = who};

		close(ends[0]);
		if (run(&s) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	close(ends[1]);
	ck_assert_int_eq(waitpid(middle, &st, 0), middle);
	ck_assert(WIFSIGNALED(st));
	ck_assert_int_eq(read(ends[0], &c, 1), 0);
	close(ends[0]);
}

START_TEST(it_dies_with_its_parent)
{
	dies_with_its_parent(NULL);
}
END_TEST

/* --- as another user ------------------------------------------------- */

/* valgrind's /proc/self/exe is not this program. */
static bool
is_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "/vgpreload") != NULL;
}

/* What this program, run as the command, says of itself; see main(). */
struct self_report {
	uid_t uid[3];
	gid_t gid[3];
	gid_t groups[64];
	int ngroups, death_signal;
	bool can_return, has_key;
};

/* A key in the session's keyring, which a child has, too. False where there
 * are no keyrings. */
#define KEY "ephid-check"
static bool
add_key(void)
{
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 &&
	    syscall(SYS_add_key, "user", KEY, "x", (size_t)1,
		KEY_SPEC_SESSION_KEYRING) >= 0;
}

static bool
has_key(void)
{
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING,
		   "user", KEY, 0) >= 0;
}

static int
report_self(void)
{
	struct self_report r = {0};

	getresuid(&r.uid[0], &r.uid[1], &r.uid[2]);
	getresgid(&r.gid[0], &r.gid[1], &r.gid[2]);
	r.ngroups = getgroups(64, r.groups);
	prctl(PR_GET_PDEATHSIG, &r.death_signal);
	r.has_key = has_key();
	r.can_return = setuid(0) == 0 || setreuid(0, 0) == 0 ||
	    setgid(0) == 0 || setgroups(0, NULL) == 0;
	return write(STDOUT_FILENO, &r, sizeof r) != sizeof r;
}

static gid_t more[] = {1001, 1002, 1005};
static struct account user = {
    .name = (char[]){"worker"}, .uid = 1000, .gid = 1001, .groups = more,
    .ngroups = 3};

/* Its stdout is a pipe to us. */
static void
to_stdout(void *arg)
{
	dup2(*(int *)arg, STDOUT_FILENO);
}

static int
start_as(const struct account *who, char *program, int *out)
{
	scoped(free_string) char *path = xasprintf("PATH=/nowhere:%s", dir);
	char *argv[] = {program, (char[]){"report"}, NULL};
	char *envp[] = {path, NULL};
	int ends[2], rc;
	struct child_setup s = {.argv = argv,
	    .envp = envp,
	    .death_signal = SIGUSR2,
	    .user = who,
	    .prepare = to_stdout,
	    .arg = &ends[1]};

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	rc = run(&s);
	close(ends[1]);
	*out = ends[0];
	return rc;
}

START_TEST(another_user_in_all_respects)
{
	struct self_report r;
	int out;

	if (geteuid() != 0 || is_under_valgrind())
		return;
	add_key();
	ck_assert_msg(
	    start_as(&user, (char[]){"/proc/self/exe"}, &out) == 0, "%s",
	    e.text);
	ck_assert_int_eq(read(out, &r, sizeof r), sizeof r);
	ck_assert_int_eq(exit_of(pid), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(r.uid[i], user.uid);
		ck_assert_uint_eq(r.gid[i], user.gid);
	}
	ck_assert_int_eq(r.ngroups, user.ngroups);
	ck_assert_mem_eq(r.groups, more, sizeof more);
	ck_assert_int_eq(r.death_signal, SIGUSR2);
	ck_assert(!r.can_return && !r.has_key);
	close(out);
}
END_TEST

START_TEST(another_user_dies_with_its_parent_too)
{
	if (geteuid() == 0)
		dies_with_its_parent(&user);
}
END_TEST

START_TEST(without_a_user_nothing_changes)
{
	struct self_report r;
	bool added;
	int out;

	if (is_under_valgrind())
		return;
	added = add_key();
	ck_assert_int_eq(
	    start_as(NULL, (char[]){"/proc/self/exe"}, &out), 0);
	ck_assert_int_eq(read(out, &r, sizeof r), sizeof r);
	ck_assert_int_eq(exit_of(pid), 0);
	ck_assert_uint_eq(r.uid[2], getuid());
	ck_assert_int_eq(r.ngroups, getgroups(0, NULL));
	ck_assert_int_eq(r.death_signal, SIGUSR2);
	ck_assert_int_eq(r.has_key, added);
	close(out);
}
END_TEST

START_TEST(the_program_is_looked_for_as_that_user)
{
	scoped(free_string) char *path = file("private", 0700, "exit 0\n");
	int out;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(start_as(&user, path, &out), -1);
	refused(126);
	close(out);
	ck_assert_int_eq(start_as(&user, (char[]){"private"}, &out), -1);
	refused(126);
	close(out);
	/* What a closed folder holds was named, or was not found. */
	ck_assert_int_eq(chmod(dir, 0700), 0);
	ck_assert_int_eq(start_as(&user, path, &out), -1);
	refused(126);
	close(out);
	ck_assert_int_eq(start_as(&user, (char[]){"private"}, &out), -1);
	refused(127);
	close(out);
	ck_assert_int_eq(start_as(NULL, path, &out), 0);
	ck_assert_int_eq(exit_of(pid), 0);
	close(out);
}
END_TEST

START_TEST(who_may_not_switch_starts_nothing)
{
	uid_t we = geteuid();
	int out;

	ck_assert(we != 0 || seteuid(1000) == 0);
	ck_assert_int_eq(start_as(&user, (char[]){"/bin/true"}, &out), -1);
	refused(125);
	ck_assert_str_eq(e.text,
	    "cannot become user 'worker': Operation not permitted");
	ck_assert_int_eq(seteuid(we), 0);
	close(out);
}
END_TEST

/* setresuid(2) leaves the capabilities where this bit is set, and for an id
 * of -1 leaves all as it is. */
START_TEST(a_switch_that_could_be_undone_is_refused)
{
	struct account none = user;
	int out;

	if (geteuid() != 0)
		return;
	none.uid = (uid_t)-1;
	ck_assert_int_eq(start_as(&none, (char[]){"/bin/true"}, &out), -1);
	refused(125);
	close(out);
	ck_assert_int_eq(
	    prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP), 0);
	ck_assert_int_eq(start_as(&user, (char[]){"/bin/true"}, &out), -1);
	refused(125);
	ck_assert_str_eq(e.text,
	    "as user 'worker' the command could become root again");
	close(out);
}
END_TEST

/* --- proc ------------------------------------------------------------ */

START_TEST(proc_knows_us)
{
	struct holder h;
	pid_t parent;
	uint64_t start_time;

	ck_assert_int_eq(proc_self(&h, &e), 0);
	ck_assert_int_eq(h.pid, getpid());
	ck_assert_uint_ne(h.pidns, 0);
	ck_assert_uint_eq(strlen(h.boot), 36);
	ck_assert_int_eq(proc_stat(getpid(), &parent, &start_time), 0);
	ck_assert_int_eq(parent, getppid());
	ck_assert_uint_eq(start_time, h.start);
	ck_assert_int_eq(proc_stat(-5, &parent, &start_time), -1);
}
END_TEST

/* Its name in /proc/PID/stat is what a careless parser trips over. */
START_TEST(a_hostile_name_does_not_move_the_fields)
{
	int ends[2];
	pid_t child, parent;
	uint64_t start_time;
	char name[32], c;

	ck_assert_int_eq(pipe(ends), 0);
	if ((child = fork()) == 0) {
		prctl(PR_SET_NAME, ") R 1 (x");
		if (write(ends[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ends[0], &c, 1), 1);
	ck_assert_int_eq(proc_stat(child, &parent, &start_time), 0);
	ck_assert_int_eq(parent, getpid());
	proc_name(child, name, sizeof name);
	ck_assert_str_eq(name, ") R 1 (x");
	kill(child, SIGKILL);
	exit_of(child);
	proc_name(child, name, sizeof name);
	ck_assert_str_eq(name, "?");
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(descendants_are_found_and_spared)
{
	struct pids all = {0}, spare = {0};
	int ends[2];
	pid_t child, grandchild;

	ck_assert_int_eq(pipe(ends), 0);
	if ((child = fork()) == 0) {
		if ((grandchild = fork()) == 0)
			pause();
		if (write(ends[1], &grandchild, sizeof grandchild) < 0)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(ends[0], &grandchild, sizeof grandchild),
	    sizeof grandchild);
	ck_assert_int_eq(proc_children(getpid(), &all, &e), 0);
	ck_assert(pids_has(&all, child));
	ck_assert(!pids_has(&all, grandchild));
	pids_free(&all);
	ck_assert_int_eq(proc_descendants(getpid(), NULL, &all, &e), 0);
	ck_assert(pids_has(&all, child));
	ck_assert(pids_has(&all, grandchild));
	pids_free(&all);
	pids_add(&spare, child);
	ck_assert_int_eq(proc_descendants(getpid(), &spare, &all, &e), 0);
	ck_assert(!pids_has(&all, child));
	ck_assert(!pids_has(&all, grandchild));
	pids_free(&all);
	pids_free(&spare);
	kill(grandchild, SIGKILL);
	kill(child, SIGKILL);
	exit_of(child);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

int
main(int argc, char **argv)
{
	Suite *s;
	TCase *c, *u, *p;
	SRunner *r;
	int failed;

	if (argc == 2 && strcmp(argv[1], "report") == 0)
		return report_self();
	s = suite_create("child");
	c = tcase_create("child");
	u = tcase_create("user");
	p = tcase_create("proc");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, it_runs);
	tcase_add_test(c, a_script_without_a_first_line_is_for_sh);
	tcase_add_test(c, missing_is_127);
	tcase_add_test(c, what_cannot_be_run_is_126);
	tcase_add_test(c, a_group_that_is_gone_starts_nothing);
	tcase_add_test(c, preparation_runs_and_descriptors_close);
	tcase_add_test(c, it_dies_with_its_parent);
	tcase_add_checked_fixture(u, setup, teardown);
	tcase_add_test(u, another_user_in_all_respects);
	tcase_add_test(u, another_user_dies_with_its_parent_too);
	tcase_add_test(u, without_a_user_nothing_changes);
	tcase_add_test(u, the_program_is_looked_for_as_that_user);
	tcase_add_test(u, who_may_not_switch_starts_nothing);
	tcase_add_test(u, a_switch_that_could_be_undone_is_refused);
	tcase_add_test(p, proc_knows_us);
	tcase_add_test(p, a_hostile_name_does_not_move_the_fields);
	tcase_add_test(p, descendants_are_found_and_spared);
	suite_add_tcase(s, c);
	suite_add_tcase(s, u);
	suite_add_tcase(s, p);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
