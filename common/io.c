#include "config.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

void
close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void
io_random(void *p, size_t n)
{
	char *at = p;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno != EINTR)
			abort(); /* ENOSYS or EFAULT: nothing to go on with */
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
}

int
io_read_all(
    int fd, size_t limit, const char *name, struct buf *out, struct err *e)
{
	size_t start = out->len;

	for (;;) {
		ssize_t n = read(fd, buf_room(out, 4096), 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot read %s", name);
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->ptr[out->len] = '\0';
		if (out->len - start > limit)
			return err_set(e, ERR_INVALID,
			    "%s: longer than %zu bytes", name, limit);
	}
}

int
io_read_file(
    int dirfd, const char *path, size_t limit, struct buf *out, struct err *e)
{
	scoped(close_fd) int fd = -1;
	scoped(free_string) char *quoted = xasprintf("'%s'", path);
	struct stat st;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(
		    e, ERR_MISSING, "cannot read %s: no such file", quoted);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot read %s", quoted);
	if (!S_ISREG(st.st_mode))
		return err_set(
		    e, ERR_INVALID, "cannot read %s: not a file", quoted);
	return io_read_all(fd, limit, quoted, out, e);
}

int
io_write_all(int fd, const void *p, size_t n, const char *name, struct err *e)
{
	const char *at = p;

	while (n > 0) {
		ssize_t put = write(fd, at, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys(e, "cannot write %s", name);
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

struct access {
	mode_t mode;
	uid_t uid; /* -1: stays ours */
	gid_t gid;
};
#define OURS(mode) (&(struct access){mode, (uid_t)-1, (gid_t)-1})

/* fchmod: the umask may have taken from the mode that open was given. */
static int
fill_file(int fd, const struct access *as, const void *p, size_t n,
    bool durable, struct err *e)
{
	if (fchmod(fd, as->mode) < 0)
		return err_sys(e, "cannot set its mode");
	if (as->uid != (uid_t)-1 && fchown(fd, as->uid, as->gid) < 0)
		return err_sys(e, "cannot give it to its user");
	if (io_write_all(fd, p, n, "it", e) < 0)
		return -1;
	if (durable && fsync(fd) < 0)
		return err_sys(e, "cannot sync it");
	return 0;
}

static int
sync_folder(int dirfd, const char *name, struct err *e)
{
	if (dirfd != AT_FDCWD && fsync(dirfd) < 0)
		return err_sys(e, "cannot sync the folder of '%s'", name);
	return 0;
}

static int
create_file(int dirfd, const char *name, const struct access *as,
    const void *p, size_t n, bool durable, struct err *e)
{
	scoped(close_fd) int fd = -1;

	fd = openat(dirfd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, as->mode);
	if (fd < 0)
		return err_sys(e, "cannot create '%s'", name);
	if (fill_file(fd, as, p, n, durable, e) < 0) {
		unlinkat(dirfd, name, 0);
		return err_in(e, "cannot create '%s'", name);
	}
	return durable ? sync_folder(dirfd, name, e) : 0;
}

static int
replace_file(int dirfd, const char *name, const struct access *as,
    const void *p, size_t n, bool durable, struct err *e)
{
	scoped(free_string) char *draft = NULL;
	uint64_t tag;

	io_random(&tag, sizeof tag);
	draft = xasprintf("%s.%016llx.new", name, (unsigned long long)tag);
	if (create_file(dirfd, draft, as, p, n, durable, e) < 0)
		return -1;
	if (renameat(dirfd, draft, dirfd, name) < 0) {
		err_sys(e, "cannot replace '%s'", name);
		unlinkat(dirfd, draft, 0);
		return -1;
	}
	return durable ? sync_folder(dirfd, name, e) : 0;
}

int
io_create_file(int dirfd, const char *name, mode_t mode, const void *p,
    size_t n, bool durable, struct err *e)
{
	return create_file(dirfd, name, OURS(mode), p, n, durable, e);
}

int
io_replace_file(int dirfd, const char *name, mode_t mode, const void *p,
    size_t n, bool durable, struct err *e)
{
	return replace_file(dirfd, name, OURS(mode), p, n, durable, e);
}

int
io_replace_file_of(int dirfd, const char *name, mode_t mode, uid_t uid,
    gid_t gid, const void *p, size_t n, struct err *e)
{
	const struct access as = {mode, uid, gid};

	return replace_file(dirfd, name, &as, p, n, false, e);
}

int
io_check_target(const char *path, struct err *e)
{
	scoped(free_string) char *copy = xstrdup(path);
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(
		    e, ERR_SYSTEM, "cannot write '%s': not a file", path);
	if (*path == '\0')
		errno = ENOENT;
	if (*path == '\0' || access(dirname(copy), W_OK | X_OK) < 0)
		return err_sys(e, "cannot write '%s'", path);
	return 0;
}

int
io_flush_stdout(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return -1;
	/* NFS and full disks may tell only now; EBADF is a closed stdout. */
	if (fclose(stdout) != 0 && errno != EBADF)
		return -1;
	return 0;
}

/* --- waiting for a lock ----------------------------------------------- */

#define INTERRUPT (SIGRTMAX - 1) /* the last one is valgrind's own */

static void
interrupt(int sig)
{
	(void)sig;
}

/* Comes again, for the first may come before the wait does. */
static int
set_interrupt(timer_t timer, int64_t ms)
{
	const struct itimerspec then = {
	    .it_value = {ms / CLOCK_SECOND, ms % CLOCK_SECOND * 1000000 + 1},
	    .it_interval = {0, 20 * 1000000}};

	return timer_settime(timer, 0, &then, NULL);
}

static bool
lock_until(int fd, int64_t end)
{
	int rc;

	while ((rc = flock(fd, LOCK_EX)) < 0 && errno == EINTR &&
	    clock_boot_ms() < end)
		;
	return rc == 0;
}

/* Not alarm(2): the caller's may run in us, who only was given exec. */
static bool
lock_with_timer(int fd, int64_t ms)
{
	struct sigevent ev = {
	    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = INTERRUPT};
	int64_t end = clock_add(clock_boot_ms(), ms);
	timer_t timer;
	bool locked;

	if (timer_create(CLOCK_BOOTTIME, &ev, &timer) < 0)
		return false;
	locked = set_interrupt(timer, ms) == 0 && lock_until(fd, end);
	timer_delete(timer);
	return locked;
}

bool
io_lock_in_turn(int fd, int64_t ms)
{
	const struct sigaction sa = {.sa_handler = interrupt};
	struct sigaction old_action = {.sa_handler = SIG_DFL};
	sigset_t set, old_set;
	bool locked;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	sigemptyset(&set);
	sigaddset(&set, INTERRUPT);
	sigaction(INTERRUPT, &sa, &old_action);
	sigprocmask(SIG_UNBLOCK, &set, &old_set);
	locked = lock_with_timer(fd, ms);
	sigprocmask(SIG_SETMASK, &old_set, NULL);
	sigaction(INTERRUPT, &old_action, NULL);
	return locked;
}
