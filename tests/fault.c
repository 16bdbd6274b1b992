/*
 * fault - runs a program and spoils one system call of one of its processes.
 *
 *	fault [-w front|guardian|only] [-k N | -K N | -e ERROR:N[:CALL]]
 *	      [-a CALL] [-c] [-o FILE] [-t SECONDS] [--] COMMAND [ARG...]
 *
 * COMMAND is traced from its exec on: it is the front, and the first process
 * it forks is the guardian.  Nothing beneath the guardian is traced.  `only'
 * is a program that is alone.
 *
 *	-k N	the chosen process gets SIGKILL as it enters its N-th call
 *	-K N	and the other one gets it too
 *	-e E:N	its N-th call is not made and fails with ERROR; with CALL only
 *		calls of that name are counted. close(2) is made all the same,
 *		for Linux lets go of the descriptor whatever it answers;
 *		brk(2), which has no errors, does not move; and of fcntl(2)
 *		those are counted that take a lock
 *	-a CALL	counts from the first CALL of the front on: not what loads it
 *	-c	names every call of the chosen process in FILE, in order
 *	-o FILE	ends with the line "REACHED CALL MS CALLS FRONT GUARDIAN": yes
 *		or no; the call that was spoiled, or -; how long after it (or
 *		after the start) the last of both was gone; how many calls of
 *		the chosen process were seen; and how the two ended, as a shell
 *		would say it, - for one that was not there
 *	-t S	both are killed when it takes longer; the status is then 142
 *
 * The status is the front's; 77 where there is nothing to trace with, and 99
 * for its own failures.
 *
 * strace(1) would nearly do: its --inject counts the calls of each process,
 * but spoils the N-th of every one that it follows, front's as well as
 * guardian's and the command's. Which of them it was is what is asked here.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANNOT_TRACE 77
#define OWN_FAILURE 99

static _Noreturn void
die(int status, const char *what)
{
	fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
	exit(status);
}

static _Noreturn void
usage(void)
{
	fputs("usage: fault [-w front|guardian|only]\n"
	      "             [-k N | -K N | -e ERROR:N[:CALL]] [-a CALL]\n"
	      "             [-c] [-o FILE] [-t SECONDS] [--] COMMAND [ARG...]\n",
	    stderr);
	exit(OWN_FAILURE);
}

/* --- names ------------------------------------------------------------ */

struct name {
	const char *name;
	long number;
};

static const struct name errors[] = {{"EACCES", EACCES}, {"EAGAIN", EAGAIN},
    {"EINTR", EINTR}, {"EIO", EIO}, {"EMFILE", EMFILE}, {"ENFILE", ENFILE},
    {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC}, {"EPERM", EPERM}, {NULL, 0}};

/* Those that our programs make; others are known by their number. */
#define CALL(name) {#name, SYS_##name}
static const struct name calls[] = {CALL(brk), CALL(capget), CALL(chdir),
    CALL(clock_nanosleep), CALL(clone), CALL(clone3), CALL(close),
    CALL(connect), CALL(dup), CALL(dup3), CALL(execve), CALL(exit),
    CALL(exit_group), CALL(faccessat), CALL(faccessat2), CALL(fchmod),
    CALL(fchmodat), CALL(fchown), CALL(fcntl), CALL(fdatasync), CALL(flock),
    CALL(fstat), CALL(fstatfs), CALL(fsync), CALL(ftruncate), CALL(futex),
    CALL(getcwd), CALL(getdents64), CALL(geteuid), CALL(getgid),
    CALL(getgroups), CALL(getpgid), CALL(getpid), CALL(getppid),
    CALL(getrandom), CALL(gettid), CALL(getuid), CALL(inotify_add_watch),
    CALL(inotify_init1), CALL(ioctl), CALL(kill), CALL(lseek),
    CALL(madvise), CALL(mkdirat), CALL(mmap), CALL(mprotect), CALL(munmap),
    CALL(nanosleep), CALL(newfstatat), CALL(openat), CALL(openat2),
    CALL(pidfd_open), CALL(pidfd_send_signal), CALL(pipe2), CALL(ppoll),
    CALL(prctl), CALL(pread64), CALL(prlimit64), CALL(pwrite64), CALL(read),
    CALL(readlinkat), CALL(recvfrom), CALL(renameat), CALL(rseq),
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn),
    CALL(rt_sigtimedwait), CALL(sendto), CALL(set_robust_list),
    CALL(set_tid_address), CALL(setpgid), CALL(setsockopt), CALL(signalfd4),
    CALL(socket), CALL(socketpair), CALL(statfs), CALL(statx),
    CALL(sysinfo), CALL(tgkill), CALL(timerfd_create),
    CALL(timerfd_settime), CALL(umask), CALL(uname), CALL(unlinkat),
    CALL(wait4), CALL(waitid), CALL(write),
#ifdef __x86_64__
    CALL(access), CALL(arch_prctl), CALL(chmod), CALL(dup2), CALL(fork),
    CALL(getpgrp), CALL(lstat), CALL(mkdir), CALL(open), CALL(pipe),
    CALL(poll), CALL(readlink), CALL(rename), CALL(rmdir), CALL(stat),
    CALL(unlink), CALL(vfork),
#endif
    {NULL, -1}};

static long
number_of(const struct name *table, const char *name)
{
	for (; table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table->number;
	usage();
}

static const char *
name_of(long number)
{
	static char text[24];

	for (const struct name *c = calls; c->name != NULL; c++)
		if (c->number == number)
			return c->name;
	snprintf(text, sizeof text, "%ld", number);
	return text;
}

/* --- what the machines differ in --------------------------------------- */

/* The beginning of the kernel's struct ptrace_syscall_info, whose name
 * differs between C libraries. */
struct call_info {
	uint8_t op;
	uint8_t pad[3];
	uint32_t arch;
	uint64_t ip, sp, number, args[6];
};

#if defined __x86_64__
static int
skip_call(pid_t pid)
{
	return (int)ptrace(PTRACE_POKEUSER, pid,
	    offsetof(struct user_regs_struct, orig_rax), -1L);
}

static int
set_result(pid_t pid, long result)
{
	return (int)ptrace(PTRACE_POKEUSER, pid,
	    offsetof(struct user_regs_struct, rax), result);
}
#elif defined __aarch64__
#define NT_PRSTATUS 1
#define NT_ARM_SYSTEM_CALL 0x404
static int
skip_call(pid_t pid)
{
	int none = -1;
	struct iovec v = {&none, sizeof none};

	return (int)ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v);
}

static int
set_result(pid_t pid, long result)
{
	struct user_regs_struct regs;
	struct iovec v = {&regs, sizeof regs};

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0)
		return -1;
	regs.regs[0] = (unsigned long)result;
	return (int)ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
}
#else
static int
skip_call(pid_t pid)
{
	(void)pid;
	errno = ENOSYS;
	return -1;
}
#define set_result(pid, result) skip_call(pid)
#define NOT_HERE
#endif

/* --- tracing ---------------------------------------------------------- */

struct process {
	pid_t pid;     /* 0: not there yet */
	bool counting; /* it is the chosen one, and under way */
	bool failing;  /* in the call that is to fail */
	int end;       /* of waitpid(2); -1: none */
};

struct fault {
	enum { FRONT, GUARDIAN } who;
	bool alone, kills, kills_both, lists, reached;
	int error;
	long result;
	long call, nth; /* call -1: any */
	long after;     /* -1: it has begun */
	long counted, seen;
	long spoiled; /* the call; -1: none yet */
	struct process process[2];
	struct timespec since;
	FILE *out;
};

static void
take_time(struct timespec *ts)
{
	clock_gettime(CLOCK_MONOTONIC, ts);
}

static void
resume(const struct fault *f, const struct process *p, int sig)
{
	bool stops = p->counting && !(f->kills && f->reached);

	ptrace(stops ? PTRACE_SYSCALL : PTRACE_CONT, p->pid, NULL, (long)sig);
}

static void
spoil(struct fault *f, struct process *p, long number)
{
	f->reached = true;
	f->spoiled = number;
	take_time(&f->since);
	for (int i = 0; f->kills_both && i < 2; i++)
		if (f->process[i].pid != 0 && f->process[i].end < 0)
			kill(f->process[i].pid, SIGKILL);
	if (f->kills)
		kill(p->pid, SIGKILL);
	else if (number != SYS_close && skip_call(p->pid) < 0)
		die(OWN_FAILURE, "cannot spoil a call");
	else
		p->failing = true;
	/* The C library looks for where the break is when it is told 0. */
	f->result = number == SYS_brk ? 0 : -f->error;
}

/* Letting go of a lock cannot fail. What cannot be read, for the process is
 * undumpable and we are not root, is left alone. */
static bool
takes_lock(pid_t pid, const struct call_info *info)
{
	struct flock lock;
	long word;

	if (info->args[1] != F_SETLK && info->args[1] != F_SETLKW)
		return false;
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, (long)info->args[2], NULL);
	memcpy(&lock, &word, sizeof word);
	return errno == 0 && lock.l_type != F_UNLCK;
}

static bool
is_meant(const struct fault *f, pid_t pid, const struct call_info *info)
{
	if (f->call == -1)
		return true;
	return f->call == (long)info->number &&
	    (f->call != SYS_fcntl || takes_lock(pid, info));
}

static void
on_call(struct fault *f, struct process *p)
{
	struct call_info info;
	long number;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof info, &info) < 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && p->failing) {
		p->failing = false;
		set_result(p->pid, f->result);
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	number = (long)info.number;
	if (f->after == number || f->who == GUARDIAN)
		f->after = -1;
	if (f->after != -1)
		return;
	f->seen++;
	if (f->lists)
		fprintf(f->out, "%s\n", name_of(number));
	if (is_meant(f, p->pid, &info))
		f->counted++;
	if (!f->reached && f->counted == f->nth)
		spoil(f, p, number);
}

/* The options of the front came with it: what it forks is not ours. */
static struct process *
adopt(struct fault *f, pid_t pid)
{
	struct process *p = &f->process[GUARDIAN];

	ptrace(PTRACE_SETOPTIONS, pid, NULL,
	    (long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	if (p->pid != 0) {
		ptrace(PTRACE_DETACH, pid, NULL, 0L);
		return NULL;
	}
	p->pid = pid;
	p->counting = f->who == GUARDIAN;
	return p;
}

static void
on_stop(struct fault *f, struct process *p, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		on_call(f, p);
		sig = 0;
	} else if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		ptrace(PTRACE_LISTEN, p->pid, NULL, NULL); /* stopped it stays */
		return;
	} else if (event != 0) {
		if (event == PTRACE_EVENT_EXEC)
			p->counting = f->who == FRONT;
		sig = 0;
	}
	resume(f, p, sig);
}

static void
follow(struct fault *f)
{
	struct process *p;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		p = &f->process[pid == f->process[GUARDIAN].pid];
		if (pid != p->pid && (!WIFSTOPPED(status) ||
					 (p = adopt(f, pid)) == NULL))
			continue;
		if (WIFSTOPPED(status))
			on_stop(f, p, status);
		else
			p->end = status;
	}
}

/* --- beginning and end ------------------------------------------------ */

/* It waits on the pipe until it is traced. */
static _Noreturn void
become(int from, char **argv)
{
	char c;

	if (read(from, &c, 1) == 0)
		execvp(*argv, argv);
	die(127, *argv);
}

static void
begin(struct fault *f, char **argv)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
	    PTRACE_O_TRACEEXEC |
	    (f->alone ? 0
		      : PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			    PTRACE_O_TRACECLONE);
	pid_t pid;
	int ends[2];

	take_time(&f->since);
	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die(OWN_FAILURE, "cannot fork");
	if (pid == 0) {
		close(ends[1]);
		become(ends[0], argv);
	}
	f->process[FRONT].pid = pid;
	close(ends[0]);
	if (ptrace(PTRACE_SEIZE, pid, NULL, options) < 0) {
		kill(pid, SIGKILL);
		die(CANNOT_TRACE, "cannot trace");
	}
	close(ends[1]);
}

static int
as_shell(int end)
{
	return WIFEXITED(end) ? WEXITSTATUS(end) : 128 + WTERMSIG(end);
}

static void
report(const struct fault *f)
{
	struct timespec now;

	take_time(&now);
	fprintf(f->out, "%s %s %ld %ld", f->reached ? "yes" : "no",
	    f->reached ? name_of(f->spoiled) : "-",
	    (now.tv_sec - f->since.tv_sec) * 1000 +
		(now.tv_nsec - f->since.tv_nsec) / 1000000,
	    f->seen);
	for (int i = 0; i < 2; i++)
		if (f->process[i].end < 0)
			fputs(" -", f->out);
		else
			fprintf(f->out, " %d", as_shell(f->process[i].end));
	fputc('\n', f->out);
	if (fclose(f->out) != 0)
		die(OWN_FAILURE, "cannot write");
}

/* "EIO:3" or "EIO:3:openat" */
static void
parse_error(struct fault *f, char *text)
{
	char *error = strtok(text, ":"), *nth = strtok(NULL, ":"),
	     *call = strtok(NULL, ":");

	if (error == NULL || nth == NULL)
		usage();
	f->error = (int)number_of(errors, error);
	f->nth = atol(nth);
	f->call = call != NULL ? number_of(calls, call) : -1;
}

static void
parse_who(struct fault *f, const char *text)
{
	f->alone = strcmp(text, "only") == 0;
	f->who = strcmp(text, "guardian") == 0 ? GUARDIAN : FRONT;
	if (!f->alone && f->who == FRONT && strcmp(text, "front") != 0)
		usage();
}

int
main(int argc, char **argv)
{
	struct fault f = {.call = -1,
	    .after = -1,
	    .spoiled = -1,
	    .process = {{.end = -1}, {.end = -1}},
	    .out = stderr};
	int opt;

	while ((opt = getopt(argc, argv, "+w:k:K:e:a:co:t:")) != -1)
		switch (opt) {
		case 'w':
			parse_who(&f, optarg);
			break;
		case 'K':
			f.kills_both = true;
			/* fall through */
		case 'k':
			f.kills = true;
			f.nth = atol(optarg);
			break;
		case 'e':
			parse_error(&f, optarg);
			break;
		case 'a':
			f.after = number_of(calls, optarg);
			break;
		case 'c':
			f.lists = true;
			break;
		case 'o':
			if ((f.out = fopen(optarg, "we")) == NULL)
				die(OWN_FAILURE, optarg);
			break;
		case 't':
			alarm((unsigned)atol(optarg));
			break;
		default:
			usage();
		}
	if (optind == argc)
		usage();
#ifdef NOT_HERE
	errno = ENOSYS;
	die(CANNOT_TRACE, "on this machine");
#endif
	begin(&f, argv + optind);
	follow(&f);
	report(&f);
	return f.process[FRONT].end < 0 ? OWN_FAILURE
					: as_shell(f.process[FRONT].end);
}
