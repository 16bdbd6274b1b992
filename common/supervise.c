#include "config.h"

#include "supervise.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

/* After KILL a process is gone in no time, or sits in the kernel. */
#define KILL_WAIT_MS 5000
/* A rescan while waiting: what a descendant forks sends us no SIGCHLD. */
#define RESCAN_MS 20

void
signals_save(struct signals *s)
{
	struct sigaction sa;

	memset(s, 0, sizeof *s);
	sigprocmask(SIG_SETMASK, NULL, &s->mask);
	for (int i = 1; i <= 64; i++)
		s->ignored[i] = sigaction(i, NULL, &sa) == 0 &&
		    sa.sa_handler == SIG_IGN;
}

void
signals_restore(const struct signals *s)
{
	struct sigaction sa = {
	    .sa_handler = s->ignored[SIGCHLD] ? SIG_IGN : SIG_DFL};

	sigaction(SIGCHLD, &sa, NULL);
	/* libc's sigprocmask() keeps 32 and 33 open, for its threads. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &s->mask, NULL, _NSIG / 8);
}

int
signals_capture(const struct signals *caller, int *fd, struct err *e)
{
	static const int faults[] = {
	    SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&set, faults[i]);
	for (int i = 1; caller != NULL && i <= 64; i++)
		if (caller->ignored[i] && i != SIGCHLD)
			sigdelset(&set, i);
	sigaction(SIGCHLD, &sa, NULL);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0 ||
	    (*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return err_sys(e, "cannot watch for signals");
	return 0;
}

bool
signals_ask_for_the_end(int sig)
{
	return sig == SIGTERM || sig == SIGINT || sig == SIGHUP ||
	    sig == SIGQUIT;
}

bool
signal_is_terminals(const struct signalfd_siginfo *si)
{
	static const uint32_t made_by_it[] = {SIGINT, SIGQUIT, SIGTSTP, SIGHUP,
	    SIGCONT, SIGWINCH, SIGTTIN, SIGTTOU};

	for (size_t i = 0; i < sizeof made_by_it / sizeof *made_by_it; i++)
		if (si->ssi_signo == made_by_it[i])
			return si->ssi_code == SI_KERNEL;
	return false;
}

const char *
signal_name(int sig, char out[static SIGNAL_NAME_MAX])
{
	const char *known = sigabbrev_np(sig);

	if (known != NULL)
		snprintf(out, SIGNAL_NAME_MAX, "%s", known);
	else
		snprintf(out, SIGNAL_NAME_MAX, "RTMIN+%d", sig - SIGRTMIN);
	return out;
}

/* Ours are all close-on-exec and the caller's cannot be, or the exec that
 * made us had closed them. */
static void
note_if_inherited(struct descriptors *d, int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (fd < 3 || flags < 0 || (flags & FD_CLOEXEC) != 0)
		return;
	d->list = xreallocarray(d->list, d->n + 1, sizeof *d->list);
	d->list[d->n++] = fd;
}

/* An undumpable process is closed to others, not to itself. Without /proc, the
 * first thousand are tried. */
void
descriptors_note(struct descriptors *d)
{
	DIR *all = opendir("/proc/self/fd");
	struct dirent *entry;

	if (all == NULL) {
		for (int fd = 3; fd < 1024; fd++)
			note_if_inherited(d, fd);
		return;
	}
	while ((entry = readdir(all)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			note_if_inherited(d, atoi(entry->d_name));
	closedir(all);
}

void
descriptors_drop(const struct descriptors *d, int keep)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < d->n; i++)
		close(d->list[i]);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		if (fd != keep)
			dup2(null, fd);
	if (null >= 3)
		close(null);
}

/* --- ending a tree --------------------------------------------------- */

static bool
is_ours(pid_t pid)
{
	pid_t parent, self = getpid();
	uint64_t start;

	while (pid > 1 && proc_stat(pid, &parent, &start) == 0) {
		if (parent == self)
			return true;
		pid = parent;
	}
	return false;
}

/* The pidfd holds the process fast before it is looked at, so a pid that was
 * given to a stranger in between is seen to be no descendant. 1 when it was
 * sent, -1 when it may not be, 0 when it was not, and another round may. */
static int
signal_descendant(pid_t pid, int sig)
{
	scoped(close_fd) int fd = pidfd_open(pid, 0);

	if (fd < 0 || !is_ours(pid))
		return 0;
	if (pidfd_send_signal(fd, sig, NULL, 0) < 0)
		return errno == EPERM ? -1 : 0;
	if (sig == SIGTERM)
		pidfd_send_signal(fd, SIGCONT, NULL, 0);
	return 1;
}

/* What forks and exits in a chain leaves us more of the dead than can be looked
 * up one by one. */
static void
reap(const struct pids *spare)
{
	struct pids children = {0};
	struct err ignored;

	if (spare == NULL || spare->n == 0) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		return;
	}
	proc_children(getpid(), &children, &ignored);
	for (size_t i = 0; i < children.n; i++)
		if (!pids_has(spare, children.list[i]))
			waitpid(children.list[i], NULL, WNOHANG);
	pids_free(&children);
}

static void
await_a_death(void)
{
	struct timespec ts = {0, RESCAN_MS * 1000000L};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &ts);
}

static void
name_the_rest(const struct pids *rest, struct buf *left)
{
	char name[32];

	for (size_t i = 0; i < rest->n; i++) {
		proc_name(rest->list[i], name, sizeof name);
		buf_addf(left, "%spid %d (%s)", i > 0 ? ", " : "",
		    (int)rest->list[i], name);
	}
}

int
supervise_name_tree(struct buf *left, size_t *n, struct err *e)
{
	scoped(pids_free) struct pids all = {0};

	if (proc_descendants(getpid(), NULL, &all, e) < 0)
		return -1;
	name_the_rest(&all, left);
	*n = all.n;
	return 0;
}

static bool
is_child(pid_t pid)
{
	pid_t parent;
	uint64_t start;

	return proc_stat(pid, &parent, &start) == 0 && parent == getpid();
}

/* KILL goes out on each round: a pid may be another's now. TERM is told once,
 * and not to what one that was told starts to tidy up with, unless it outlives
 * that one. */
static bool
is_to_be_told(pid_t pid, int sig, bool first, const struct pids *told)
{
	return sig == SIGKILL ||
	    (!pids_has(told, pid) && (first || is_child(pid)));
}

/* True when all there are refuse. */
static bool
signal_all(const struct pids *all, int sig, struct pids *told)
{
	bool all_refuse = true, first = told->n == 0;

	for (size_t i = 0; i < all->n; i++) {
		int sent;

		if (!is_to_be_told(all->list[i], sig, first, told)) {
			all_refuse = false;
			continue;
		}
		sent = signal_descendant(all->list[i], sig);
		if (sent >= 0)
			all_refuse = false;
		if (sent != 0 && sig != SIGKILL)
			pids_add(told, all->list[i]);
	}
	return all_refuse;
}

int
supervise_end_tree(int first, int64_t grace_ms, const struct pids *spare,
    struct buf *left, struct err *e)
{
	scoped(pids_free) struct pids told = {0}, rest = {0};
	int sig = first;
	int64_t end = clock_add(clock_boot_ms(),
	    sig == SIGKILL ? KILL_WAIT_MS : grace_ms);

	for (;;) {
		bool seen, late;

		reap(spare);
		rest.n = 0;
		/* It may fail for want of a descriptor, say: then there is
		 * another round, and who was seen is signalled in this one. */
		seen = proc_descendants(getpid(), spare, &rest, e) == 0;
		if (seen && rest.n == 0)
			return 0;
		if (sig != SIGKILL && clock_boot_ms() >= end) {
			sig = SIGKILL;
			end = clock_add(clock_boot_ms(), KILL_WAIT_MS);
		}
		late = sig == SIGKILL && clock_boot_ms() >= end;
		if (late && !seen)
			return -1;
		if ((signal_all(&rest, sig, &told) && seen) || late) {
			name_the_rest(&rest, left);
			return 0;
		}
		await_a_death();
	}
}

/* --- as the command does ---------------------------------------------- */

void
supervise_stop_as(const siginfo_t *stop, const struct signals *caller)
{
	int sig = stop->si_status;
	sigset_t set, before;

	if (!proc_is_stopped(stop->si_pid))
		return;
	if (sig < 1 || sig > 64 || caller->ignored[sig])
		sig = SIGSTOP;
	sigemptyset(&set);
	sigaddset(&set, sig);
	/* Raised while blocked, it is one with what the terminal sent to us. */
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* --- the end ---------------------------------------------------------- */

_Noreturn void
supervise_mirror(const siginfo_t *end)
{
	struct rlimit none = {0, 0};
	sigset_t set;

	if (end->si_code == CLD_EXITED)
		_exit(end->si_status);
	/* The command left a core where it should; we leave none. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	signal(end->si_status, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, end->si_status);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), end->si_status); /* raise() knows of no 32 and 33 */
	_exit(128 + end->si_status);
}
