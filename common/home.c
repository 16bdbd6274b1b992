#include "config.h"

#include "home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "buf.h"
#include "io.h"

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* --- where it is ---------------------------------------------------- */

static const char *
set_variable(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0' ? v : NULL;
}

/* A relative path would mean another home after a chdir. */
static int
make_absolute(const char *path, char **out, struct err *e)
{
	char cwd[PATH_MAX];

	if (*path == '/') {
		*out = xstrdup(path);
		return 0;
	}
	if (getcwd(cwd, sizeof cwd) == NULL)
		return err_sys(e, "cannot find the working directory");
	*out = xasprintf("%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, path);
	return 0;
}

static void
cut_slashes(char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
}

static char *
default_home(void)
{
	const char *dir;

	if (geteuid() == 0)
		return xstrdup("/var/lib/ephid");
	/* The XDG specification: a relative value is to be ignored. */
	if ((dir = set_variable("XDG_STATE_HOME")) != NULL && *dir == '/')
		return xasprintf("%s/ephid", dir);
	if ((dir = set_variable("HOME")) != NULL && *dir == '/')
		return xasprintf("%s/.local/state/ephid", dir);
	return NULL;
}

int
home_locate(const char *option, char **path, struct err *e)
{
	if (option != NULL && *option == '\0')
		return err_set(e, ERR_USAGE, "--home: empty");
	if (option == NULL)
		option = set_variable("EPHID_HOME");
	if (option == NULL) {
		if ((*path = default_home()) == NULL)
			return err_set(e, ERR_USAGE,
			    "no home: neither --home nor $EPHID_HOME nor "
			    "$HOME says where");
		return 0;
	}
	if (make_absolute(option, path, e) < 0)
		return -1;
	cut_slashes(*path);
	return 0;
}

/* --- opening -------------------------------------------------------- */

/* The file systems on which two machines, or two clients of one server, can
 * hold the same lock; a run would be swept while it lives. What does not say
 * what it is may be one of them. */
static int
check_filesystem(int fd, const char *path, struct err *e)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} refused[] = {
	    {NFS_SUPER_MAGIC, "NFS"},
	    {SMB_SUPER_MAGIC, "SMB"},
	    {CIFS_SUPER_MAGIC, "SMB"},
	    {SMB2_SUPER_MAGIC, "SMB"},
	    {V9FS_MAGIC, "9p"},
	    {FUSE_SUPER_MAGIC, "FUSE"},
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return err_sys(
		    e, "cannot tell the file system of home '%s'", path);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if ((uint32_t)fs.f_type == refused[i].magic)
			return err_set(e, ERR_SYSTEM,
			    "home '%s' is on %s, whose locks cannot be "
			    "trusted",
			    path, refused[i].name);
	return 0;
}

static int
check_home(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot open home '%s'", path);
	if (st.st_uid != geteuid())
		return err_set(e, ERR_SYSTEM,
		    "home '%s' belongs to uid %u, not to uid %u", path,
		    (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 022) != 0)
		return err_set(e, ERR_SYSTEM,
		    "home '%s' can be written to by others (mode %04o)", path,
		    (unsigned)(st.st_mode & 07777));
	return check_filesystem(fd, path, e);
}

/* mkdir -p. What exists already keeps its mode; the rest is 0700. */
static int
make_folders(const char *path, struct err *e)
{
	scoped(free_string) char *copy = xstrdup(path);

	for (char *s = copy + 1;; s++) {
		char was = *s;

		if (was != '/' && was != '\0')
			continue;
		*s = '\0';
		if (mkdir(copy, 0700) == 0)
			chmod(copy, 0700); /* whatever the umask */
		else if (errno != EEXIST && access(copy, F_OK) < 0)
			return err_sys(e, "cannot make '%s'", copy);
		if (was == '\0')
			return 0;
		*s = was;
	}
}

static int
make_subfolder(const struct home *h, const char *name, struct err *e)
{
	int made = mkdirat(h->fd, name, 0700);

	if (made == 0)
		made = fchmodat(h->fd, name, 0700, 0); /* whatever the umask */
	if (made < 0 && errno != EEXIST)
		return err_sys(e, "cannot make '%s/%s'", h->path, name);
	return 0;
}

static int
open_folder(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
home_open(const char *path, bool create, struct home *out, struct err *e)
{
	struct home h = {.fd = open_folder(path)};

	*out = (struct home){.fd = -1};
	if (h.fd < 0 && errno == ENOENT && !create)
		return err_set(e, ERR_MISSING, "no home at '%s'", path);
	if (h.fd < 0 && errno == ENOENT) {
		if (make_folders(path, e) < 0)
			return -1;
		h.fd = open_folder(path);
	}
	if (h.fd < 0)
		return err_sys(e, "cannot open home '%s'", path);
	h.path = xstrdup(path);
	if (check_home(h.fd, path, e) < 0 ||
	    (create &&
		(make_subfolder(&h, "keys", e) < 0 ||
		    make_subfolder(&h, "runs", e) < 0))) {
		home_close(&h);
		return -1;
	}
	*out = h;
	return 0;
}

void
home_close(struct home *h)
{
	free(h->path);
	if (h->path != NULL)
		close_fd(&h->fd);
	*h = (struct home){.fd = -1};
}

/* --- the locks of runs ---------------------------------------------- */

#define RUN_PATH_MAX (sizeof "runs/" + ID_LEN)

/* Nothing but an id becomes a part of a path. */
static int
run_path(const char *id, char out[static RUN_PATH_MAX])
{
	char exact[ID_LEN + 1];

	if (id_parse(id, exact) < 0 || strcmp(id, exact) != 0)
		return -1;
	snprintf(out, RUN_PATH_MAX, "runs/%s", exact);
	return 0;
}

/* Is the locked file still the one that has the name? */
static bool
is_linked(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int
home_lock_run(const struct home *h, const char *id, int *fd, struct err *e)
{
	char path[RUN_PATH_MAX];
	int lock;

	*fd = -1;
	if (run_path(id, path) < 0)
		return err_set(e, ERR_INVALID, "a run's lock: not an id");
	lock = openat(h->fd, path,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0 && errno == EEXIST)
		return err_set(e, ERR_DENIED, "run %s exists already", id);
	if (lock < 0)
		return err_sys(e, "cannot create '%s/%s'", h->path, path);
	if (flock(lock, LOCK_EX | LOCK_NB) == 0 && is_linked(lock)) {
		*fd = lock;
		return 0;
	}
	/* A sweep found it in the instant before it was locked. */
	close_fd(&lock);
	return err_set(e, ERR_DENIED, "run %s was swept as it started", id);
}

enum run_liveness
home_probe_run(const struct home *h, const char *id, int *lock)
{
	scoped(close_fd) int fd = -1;
	char path[RUN_PATH_MAX];

	if (lock != NULL)
		*lock = -1;
	if (run_path(id, path) < 0)
		return RUN_UNKNOWN;
	fd = openat(h->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? RUN_DEAD : RUN_UNKNOWN;
	/* Shared when only looking, so that two who look do not take each
	 * other for the holder. */
	if (flock(fd, (lock != NULL ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? RUN_LIVE : RUN_UNKNOWN;
	if (lock != NULL && is_linked(fd)) {
		*lock = fd;
		fd = -1;
	}
	return RUN_DEAD;
}

void
home_forget_run(const struct home *h, const char *id)
{
	char path[RUN_PATH_MAX];

	if (run_path(id, path) == 0)
		unlinkat(h->fd, path, 0);
}

int
home_each_run(const struct home *h, void (*fn)(const char *id, void *arg),
    void *arg, struct err *e)
{
	char path[RUN_PATH_MAX];
	int fd = openat(h->fd, "runs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL) {
		if (fd < 0 && errno == ENOENT)
			return 0;
		err_sys(e, "cannot read '%s/runs'", h->path);
		close_fd(&fd);
		return -1;
	}
	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		if (run_path(d->d_name, path) == 0)
			fn(d->d_name, arg);
	closedir(dir);
	return 0;
}
