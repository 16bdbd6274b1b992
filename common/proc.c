#include "config.h"

#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"

void
pids_add(struct pids *p, pid_t pid)
{
	if (p->n == p->cap) {
		p->cap = p->cap > 0 ? p->cap * 2 : 16;
		p->list = xreallocarray(p->list, p->cap, sizeof *p->list);
	}
	p->list[p->n++] = pid;
}

bool
pids_has(const struct pids *p, pid_t pid)
{
	for (size_t i = 0; p != NULL && i < p->n; i++)
		if (p->list[i] == pid)
			return true;
	return false;
}

void
pids_free(struct pids *p)
{
	free(p->list);
	*p = (struct pids){0};
}

/* Files of /proc are short and come whole in one read. */
static int
read_proc(const char *path, char *out, size_t n)
{
	scoped(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, out, n - 1);

	if (got < 0)
		return -1;
	out[got] = '\0';
	return 0;
}

/* --- a /proc of other numbers ----------------------------------------- */

/* It has those of the PID namespace that it was mounted in, which is an outer
 * one after unshare -pf without --mount-proc. */
static bool
is_proc_ours(void)
{
	static int known = -1;
	char self[16] = "";

	if (known < 0)
		known = readlink("/proc/self", self, sizeof self - 1) < 0 ||
		    atoi(self) == (int)getpid();
	return known;
}

static int
number_after(const char *text, const char *name, int skip)
{
	const char *at = strstr(text, name);
	char *end;
	long n = 0;

	if (at == NULL)
		return 0;
	for (at += strlen(name); skip >= 0; skip--, at = end) {
		n = strtol(at, &end, 10);
		if (end == at)
			return 0;
	}
	return (int)n;
}

/* The kernel translates what a pidfd is of. 0: gone, or not to be seen. */
static pid_t
pid_there(pid_t pid)
{
	scoped(close_fd) int fd = -1;
	char path[64], text[1024];
	int n;

	if (is_proc_ours())
		return pid;
	fd = pidfd_open(pid, 0);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	if (fd < 0 || read_proc(path, text, sizeof text) < 0)
		return 0;
	n = number_after(text, "\nPid:", 0);
	return n > 0 ? n : 0;
}

/* Each namespace down to its own has numbered a process. A namespace beside
 * ours has its numbers in the same place, hence the way back. */
static pid_t
pid_here(pid_t there)
{
	char path[64], text[4096];
	int depth = -1;
	pid_t pid;

	if (is_proc_ours())
		return there;
	if (read_proc("/proc/self/status", text, sizeof text) < 0)
		return 0;
	while (number_after(text, "\nNSpid:", depth + 1) != 0)
		depth++;
	snprintf(path, sizeof path, "/proc/%d/status", (int)there);
	if (depth < 0 || read_proc(path, text, sizeof text) < 0)
		return 0;
	pid = number_after(text, "\nNSpid:", depth);
	return pid > 0 && pid_there(pid) == there ? pid : 0;
}

/* --- processes -------------------------------------------------------- */

int
proc_stat(pid_t pid, pid_t *parent, uint64_t *start)
{
	char path[64], text[1024], *after;
	unsigned long long ticks;
	int ppid;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid_there(pid));
	if (read_proc(path, text, sizeof text) < 0)
		return -1;
	/* The name is in brackets and may hold anything, brackets too. */
	if ((after = strrchr(text, ')')) == NULL ||
	    sscanf(after + 1,
		" %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u"
		" %*d %*d %*d %*d %*d %*d %llu",
		&ppid, &ticks) != 2)
		return -1;
	*parent = pid_here(ppid);
	*start = ticks;
	return 0;
}

bool
proc_is_stopped(pid_t pid)
{
	char path[64], text[1024], *after;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid_there(pid));
	return read_proc(path, text, sizeof text) == 0 &&
	    (after = strrchr(text, ')')) != NULL &&
	    strncmp(after, ") T", 3) == 0;
}

int
proc_self(struct holder *out, struct err *e)
{
	struct stat st;
	pid_t parent;

	*out = (struct holder){.pid = getpid()};
	if (proc_stat(getpid(), &parent, &out->start) < 0)
		return err_sys(e, "cannot read /proc/self/stat");
	if (stat("/proc/self/ns/pid", &st) == 0)
		out->pidns = st.st_ino;
	/* Where /proc has processes alone it stays empty: it decides nothing. */
	if (read_proc("/proc/sys/kernel/random/boot_id", out->boot,
		sizeof out->boot) == 0)
		out->boot[strcspn(out->boot, "\n")] = '\0';
	return 0;
}

static void
add_numbers(const char *text, struct pids *out)
{
	char *end;

	for (;; text = end) {
		long pid = strtol(text, &end, 10);

		if (end == text)
			return;
		if ((pid = pid_here((pid_t)pid)) > 0)
			pids_add(out, (pid_t)pid);
	}
}

/* What is gone has no children: they are another's now. Anything else that
 * keeps us from reading is an error, for whom we do not see we do not end. */
static bool
is_gone(void)
{
	return errno == ENOENT || errno == ESRCH;
}

/* Both numbers are those of /proc. */
static int
read_children(pid_t pid, pid_t thread, struct pids *out, struct err *e)
{
	char path[80];
	scoped(buf_free) struct buf text = {0};
	scoped(close_fd) int fd = -1;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid,
	    (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return is_gone() ? 0 : err_sys(e, "cannot read %s", path);
	if (io_read_all(fd, 1 << 20, path, &text, e) < 0)
		return is_gone() ? 0 : -1;
	add_numbers(buf_str(&text), out);
	return 0;
}

static DIR *
open_tasks(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	return opendir(path);
}

static void
scan_for_children(pid_t pid, struct pids *out)
{
	DIR *all = opendir("/proc");
	struct dirent *d;
	pid_t parent;
	uint64_t start;

	while (all != NULL && (d = readdir(all)) != NULL) {
		pid_t other = pid_here((pid_t)atoi(d->d_name));

		if (other > 0 && proc_stat(other, &parent, &start) == 0 &&
		    parent == pid)
			pids_add(out, other);
	}
	if (all != NULL)
		closedir(all);
}

/* CONFIG_PROC_CHILDREN: common, not certain. */
static bool
kernel_lists_children(void)
{
	static int known = -1;
	char path[64];

	if (known < 0) {
		snprintf(path, sizeof path, "/proc/self/task/%d/children",
		    (int)pid_there(getpid()));
		known = access(path, F_OK) == 0;
	}
	return known;
}

static int
read_tasks(DIR *tasks, pid_t pid, struct pids *out, struct err *e)
{
	struct dirent *d;

	while (errno = 0, (d = readdir(tasks)) != NULL)
		if (isdigit((unsigned char)d->d_name[0]) &&
		    read_children(pid, (pid_t)atoi(d->d_name), out, e) < 0)
			return -1;
	if (errno == 0 || is_gone())
		return 0;
	return err_sys(e, "cannot read /proc/%d/task", (int)pid);
}

int
proc_children(pid_t pid, struct pids *out, struct err *e)
{
	pid_t there = pid_there(pid);
	DIR *tasks;
	int result;

	if (access("/proc/self/stat", R_OK) < 0)
		return err_sys(e, "cannot read /proc");
	if (!kernel_lists_children()) {
		scan_for_children(pid, out);
		return 0;
	}
	if ((tasks = open_tasks(there)) == NULL)
		return is_gone() ? 0
				 : err_sys(e, "cannot read /proc/%d/task",
				       (int)there);
	result = read_tasks(tasks, there, out, e);
	closedir(tasks);
	return result;
}

int
proc_descendants(pid_t pid, const struct pids *spare, struct pids *out,
    struct err *e)
{
	size_t next = out->n;
	struct pids level = {0};

	for (;;) {
		level.n = 0;
		if (proc_children(pid, &level, e) < 0) {
			pids_free(&level);
			return -1;
		}
		for (size_t i = 0; i < level.n; i++)
			if (!pids_has(spare, level.list[i]) &&
			    !pids_has(out, level.list[i]))
				pids_add(out, level.list[i]);
		if (next == out->n)
			break;
		pid = out->list[next++];
	}
	pids_free(&level);
	return 0;
}

void
proc_name(pid_t pid, char *out, size_t n)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid_there(pid));
	if (read_proc(path, out, n) < 0)
		snprintf(out, n, "?");
	out[strcspn(out, "\n")] = '\0';
}
