#include "config.h"

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"

enum step { STEP_GROUP, STEP_USER, STEP_RETURN, STEP_PARENT, STEP_EXEC };

struct failure {
	enum step step;
	int error;
};

/* Where the program may be, in order, as execvp(3) would look: made before
 * the fork, since allocating is not allowed after it. */
struct candidates {
	char **paths;
	size_t n;
	char **shell_argv; /* for a script without "#!": sh PATH ARG... */
};

static const char *
path_of(char *const *envp)
{
	for (; *envp != NULL; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return "/bin:/usr/bin";
}

static void
add_candidate(struct candidates *c, char *path)
{
	c->paths = xreallocarray(c->paths, c->n + 1, sizeof *c->paths);
	c->paths[c->n++] = path;
}

static void
find_candidates(struct candidates *c, const char *name, char *const *envp)
{
	const char *at = path_of(envp), *end;

	if (*name == '\0')
		return; /* not "/bin/", which is found */
	if (strchr(name, '/') != NULL) {
		add_candidate(c, xstrdup(name));
		return;
	}
	do {
		end = strchrnul(at, ':');
		add_candidate(c,
		    end == at ? xasprintf("./%s", name)
			      : xasprintf("%.*s/%s", (int)(end - at), at,
				    name));
		at = end + 1;
	} while (*end != '\0');
}

static void
make_shell_argv(struct candidates *c, char *const *argv)
{
	static char shell[] = "sh";
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	c->shell_argv = xcalloc(n + 2, sizeof *c->shell_argv);
	c->shell_argv[0] = shell;
	for (size_t i = 1; i < n; i++)
		c->shell_argv[i + 1] = argv[i];
}

static void
free_candidates(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->paths[i]);
	free(c->paths);
	free(c->shell_argv);
}

static _Noreturn void
report(int fd, enum step step, int error)
{
	struct failure f = {step, error};

	while (write(fd, &f, sizeof f) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* A folder of the PATH that is closed to us, as root's often are to another
 * user, does not hold what we look for. Not so one that was named. */
static bool
is_out_of_reach(const char *path, const char *name)
{
	return strchr(name, '/') == NULL && access(path, F_OK) < 0;
}

/* What was found but could not be run outweighs what was not found. */
static int
try_exec(const struct child_setup *s, const struct candidates *c)
{
	int error = ENOENT;

	for (size_t i = 0; i < c->n; i++) {
		execve(c->paths[i], s->argv, s->envp);
		if (errno == ENOEXEC) {
			c->shell_argv[1] = c->paths[i];
			execve("/bin/sh", c->shell_argv, s->envp);
		}
		if (errno == EACCES &&
		    is_out_of_reach(c->paths[i], s->argv[0]))
			continue;
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			break;
	}
	return error;
}

/* A change of user leaves the keyring of the caller's session, and whoever has
 * that can read its keys. Where the call is refused to us (no keyrings; a
 * seccomp filter) it is refused to the command. */
static int
leave_keyring(void)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 ||
	    errno == ENOSYS || errno == EPERM)
		return 0;
	return -1;
}

static int
switch_user(const struct account *u)
{
	if (setgroups((size_t)u->ngroups, u->groups) < 0 ||
	    setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return -1;
	return leave_keyring();
}

/* Capabilities that the switch did not take (secure bits can keep them), or
 * a uid that setresuid(2) took for "leave it". */
static bool
can_return(void)
{
	return geteuid() == 0 || setresuid((uid_t)-1, 0, (uid_t)-1) == 0;
}

/* PDEATHSIG comes after all that could clear it, and the parent is looked at
 * after it: one that died before would never be told of. */
static _Noreturn void
become(const struct child_setup *s, const struct candidates *c, pid_t parent,
    int fd)
{
	if (s->group > 0 && setpgid(0, s->group) < 0)
		report(fd, STEP_GROUP, errno);
	if (s->prepare != NULL)
		s->prepare(s->arg);
	if (s->user != NULL && switch_user(s->user) < 0)
		report(fd, STEP_USER, errno);
	if (s->user != NULL && can_return())
		report(fd, STEP_RETURN, 0);
	if (s->death_signal != 0 &&
	    prctl(PR_SET_PDEATHSIG, s->death_signal) < 0)
		report(fd, STEP_PARENT, errno);
	if (getppid() != parent)
		report(fd, STEP_PARENT, ESRCH);
	report(fd, STEP_EXEC, try_exec(s, c));
}

static int
explain(const struct child_setup *s, const struct failure *f, int *status,
    struct err *e)
{
	const char *name = s->argv[0];

	*status = 125;
	errno = f->error;
	if (f->step == STEP_GROUP)
		return err_sys(e, "cannot join the caller's process group");
	if (f->step == STEP_USER)
		return err_sys(e, "cannot become user '%s'", s->user->name);
	if (f->step == STEP_RETURN)
		return err_set(e, ERR_SYSTEM,
		    "as user '%s' the command could become root again",
		    s->user->name);
	if (f->step == STEP_PARENT)
		return err_sys(e, "cannot tie the command to its guardian");
	*status = f->error == ENOENT ? 127 : 126;
	if (f->error == ENOENT)
		return err_set(e, ERR_MISSING, "%s: command not found", name);
	return err_sys(e, "cannot run %s", name);
}

/* End of file is the exec that closed the pipe. */
int
child_await_exec(const struct child_setup *s, pid_t pid, int *exec_fd,
    int *status, struct err *e)
{
	struct failure f;
	ssize_t n;

	do
		n = read(*exec_fd, &f, sizeof f);
	while (n < 0 && errno == EINTR);
	close_fd(exec_fd);
	if (n == 0)
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof f) {
		*status = 125;
		return err_set(e, ERR_SYSTEM, "cannot start %s", s->argv[0]);
	}
	return explain(s, &f, status, e);
}

int
child_start(
    const struct child_setup *s, pid_t *pid, int *exec_fd, struct err *e)
{
	scoped(free_candidates) struct candidates c = {0};
	pid_t self = getpid();
	int ends[2];

	*exec_fd = -1;
	find_candidates(&c, s->argv[0], s->envp);
	make_shell_argv(&c, s->argv);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");
	if ((*pid = fork()) < 0) {
		err_sys(e, "cannot fork");
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	if (*pid == 0)
		become(s, &c, self, ends[1]);
	close(ends[1]);
	*exec_fd = ends[0];
	return 0;
}
