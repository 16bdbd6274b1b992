#include "config.h"

#include "tokendir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "buf.h"
#include "identity.h"
#include "io.h"

#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool
is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid();
}

/* Ours, and to others as closed as this mode is, or more. */
static bool
is_ours_within(int fd, mode_t mode)
{
	struct stat st;

	return is_ours(fd) && fstat(fd, &st) == 0 &&
	    (st.st_mode & 077 & ~mode) == 0;
}

static bool
is_on_tmpfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* Makes the folder of all runs where it is absent. Another user may have been
 * first in /dev/shm, so what stands there is judged, not trusted; what is ours
 * has the mode then, whatever took from it (the umask). */
static bool
can_hold(const char *base, mode_t mode, bool want_tmpfs)
{
	scoped(close_fd) int fd = -1;
	bool made = mkdir(base, mode) == 0;

	if ((fd = open(base, OPEN_FOLDER)) < 0)
		return false;
	if (is_ours_within(fd, mode) && (!want_tmpfs || is_on_tmpfs(fd)) &&
	    fchmod(fd, mode) == 0)
		return true;
	if (made)
		rmdir(base);
	return false;
}

/* The XDG specification: owned by the user, mode 0700. */
static bool
is_runtime_dir(const char *dir)
{
	scoped(close_fd) int fd = -1;

	if (dir == NULL || *dir != '/')
		return false;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && is_ours_within(fd, 0700) && is_on_tmpfs(fd);
}

/* --- where ----------------------------------------------------------- */

/* What another user's command must be able to pass through. */
static const char *const users_bases[] = {
    "/run/ephid-users", "/dev/shm/ephid-users"};

static mode_t
base_mode(const struct account *owner)
{
	return owner == NULL ? 0700 : 0711;
}

/* An id whose time is random too: 128 bits that nobody can guess. */
static void
make_secret(char out[static ID_LEN + 1])
{
	uint8_t rnd[ID_RANDOM];
	uint64_t time;

	io_random(rnd, sizeof rnd);
	io_random(&time, sizeof time);
	id_make((int64_t)(time >> 16), rnd, out);
}

static int
plan_for(const struct account *owner, const char *id, struct tokendir *out,
    struct err *e)
{
	char secret[ID_LEN + 1];

	make_secret(secret);
	for (size_t i = 0; i < sizeof users_bases / sizeof *users_bases; i++) {
		if (!can_hold(users_bases[i], base_mode(owner), true))
			continue;
		out->owner = owner;
		out->path = owner->alone
		    ? xasprintf("%s/%s", users_bases[i], id)
		    : xasprintf("%s/%s-%s", users_bases[i], id, secret);
		return 0;
	}
	return err_set(e, ERR_SYSTEM,
	    "no place for token files of user '%s': neither '%s' nor '%s' is "
	    "root's, 0711 and on a tmpfs",
	    owner->name, users_bases[0], users_bases[1]);
}

/* The i-th choice, or NULL where it is none. */
static char *
choice(int i, const struct home *h, const char *runtime_dir)
{
	switch (i) {
	case 0:
		return is_runtime_dir(runtime_dir)
		    ? xasprintf("%s/ephid", runtime_dir)
		    : NULL;
	case 1:
		return geteuid() == 0 ? xstrdup("/run/ephid") : NULL;
	case 2:
		return xasprintf(
		    "/dev/shm/ephid-%u", (unsigned)geteuid());
	default:
		return xasprintf("%s/run", h->path);
	}
}

int
tokendir_plan(const struct home *h, const char *runtime_dir, const char *id,
    const struct account *owner, struct tokendir *out, bool *on_disk,
    struct err *e)
{
	char exact[ID_LEN + 1];

	*out = (struct tokendir){.fd = -1};
	*on_disk = false;
	if (id_parse(id, exact) < 0)
		return err_set(e, ERR_INVALID, "a run's folder: not an id");
	if (owner != NULL)
		return plan_for(owner, exact, out, e);
	for (int i = 0; i < 4; i++) {
		scoped(free_string) char *base = choice(i, h, runtime_dir);

		if (base == NULL || !can_hold(base, base_mode(NULL), i < 3))
			continue;
		out->path = xasprintf("%s/%s", base, exact);
		if (i == 3) {
			scoped(close_fd) int fd = open(base, OPEN_FOLDER);

			*on_disk = fd < 0 || !is_on_tmpfs(fd);
		}
		return 0;
	}
	return err_set(e, ERR_SYSTEM,
	    "no place for token files: neither a runtime folder nor '%s/run' "
	    "is ours and closed to others",
	    h->path);
}

/* --- making and writing ----------------------------------------------- */

/* The folder that holds `path', and what `path' is called in it. */
static int
open_parent(const char *path, const char **name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	scoped(free_string) char *base = NULL;
	int fd;

	if (slash == NULL || slash == path || *path != '/')
		return err_set(
		    e, ERR_INVALID, "token folder: not an absolute path");
	base = xasprintf("%.*s", (int)(slash - path), path);
	*name = slash + 1;
	if ((fd = open(base, OPEN_FOLDER)) < 0)
		return err_sys(e, "cannot open '%s'", base);
	return fd;
}

static int
make_base(const struct tokendir *d, struct err *e)
{
	scoped(free_string) char *base = xasprintf(
	    "%.*s", (int)(strrchr(d->path, '/') - d->path), d->path);

	if (!can_hold(base, base_mode(d->owner), false))
		return err_set(e, ERR_SYSTEM,
		    "folder '%s' is not ours and closed to others", base);
	return 0;
}

static mode_t
folder_mode(const struct account *owner)
{
	if (owner == NULL)
		return 0700;
	return owner->alone ? 0750 : 0711;
}

/* The group first: the mode would open it to the one that it had. */
static int
open_up(int fd, const struct account *owner)
{
	if (owner != NULL &&
	    fchown(fd, (uid_t)-1, owner->alone ? owner->gid : 0) < 0)
		return -1;
	return fchmod(fd, folder_mode(owner));
}

int
tokendir_make(struct tokendir *d, struct err *e)
{
	scoped(close_fd) int base = -1;
	scoped(close_fd) int fd = -1;
	const char *name;
	bool made;

	if (make_base(d, e) < 0 ||
	    (base = open_parent(d->path, &name, e)) < 0)
		return -1;
	made = mkdirat(base, name, 0700) == 0;
	if (!made && errno != EEXIST)
		return err_sys(e, "cannot make folder '%s'", d->path);
	if ((fd = openat(base, name, OPEN_FOLDER)) < 0 ||
	    (made && open_up(fd, d->owner) < 0))
		return err_sys(e, "cannot open folder '%s'", d->path);
	if (!is_ours_within(fd, folder_mode(d->owner)))
		return err_set(e, ERR_SYSTEM,
		    "folder '%s' is not ours and closed to others", d->path);
	close_fd(&d->fd);
	d->fd = fd;
	fd = -1;
	return 0;
}

/* Cleaners of /dev/shm and log-outs remove it while a run goes on; what has
 * its name now may be another one. */
static bool
is_still_there(const struct tokendir *d)
{
	struct stat open_one, named;

	return d->fd >= 0 && fstat(d->fd, &open_one) == 0 &&
	    lstat(d->path, &named) == 0 && open_one.st_ino == named.st_ino &&
	    open_one.st_dev == named.st_dev;
}

static int
put_file(const struct tokendir *d, const char *name, const char *text,
    size_t n, struct err *e)
{
	if (d->owner == NULL)
		return io_replace_file(d->fd, name, 0600, text, n, false, e);
	return io_replace_file_of(d->fd, name, 0400, d->owner->uid,
	    d->owner->gid, text, n, e);
}

int
tokendir_write(struct tokendir *d, const char *name, const char *text,
    size_t n, struct err *e)
{
	if (strchr(name, '/') != NULL || *name == '.' || *name == '\0')
		return err_set(
		    e, ERR_INVALID, "'%.40s': not the name of a file", name);
	if (!is_still_there(d) && tokendir_make(d, e) < 0)
		return -1;
	if (put_file(d, name, text, n, e) < 0)
		return err_in(e, "folder '%s'", d->path);
	return 0;
}

void
tokendir_close(struct tokendir *d)
{
	if (d->path != NULL)
		close_fd(&d->fd);
	free(d->path);
	*d = (struct tokendir){.fd = -1};
}

/* --- removing ------------------------------------------------------- */

#define DEPTH_MAX 32 /* of what a command may have put there */

static int empty_folder(int fd, const char *path, int depth, struct err *e);

/* A folder below `dir' of the same mount: what a command mounted there (a
 * bind mount has the same device) is others' and not to be emptied. */
static int
open_below(int dir, const char *name)
{
	const struct open_how how = {.flags = OPEN_FOLDER,
	    .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
	struct stat above, below;

	/* Seccomp filters older than the call refuse it. */
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
	fd = openat(dir, name, OPEN_FOLDER);
	if (fd >= 0 && fstat(dir, &above) == 0 && fstat(fd, &below) == 0 &&
	    above.st_dev == below.st_dev)
		return fd;
	close_fd(&fd);
	errno = EXDEV;
	return -1;
}

/* The run is over, and what it put beside its token goes with it, folders
 * too; links are removed, never followed. */
static int
remove_entry(int dir, const char *name, const char *path, int depth,
    struct err *e)
{
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR || depth == 0 ||
	    (fd = open_below(dir, name)) < 0)
		return err_sys(e, "cannot remove '%s/%s'", path, name);
	if (empty_folder(fd, path, depth - 1, e) < 0)
		return -1;
	if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s/%s'", path, name);
	return 0;
}

/* Takes fd. Goes on after a failure: the token may come behind it. */
static int
empty_folder(int fd, const char *path, int depth, struct err *e)
{
	DIR *dir = fdopendir(fd);
	int rc = 0;

	if (dir == NULL) {
		err_sys(e, "cannot read folder '%s'", path);
		close(fd);
		return -1;
	}
	for (struct dirent *f; (f = readdir(dir)) != NULL;)
		if (strcmp(f->d_name, ".") != 0 &&
		    strcmp(f->d_name, "..") != 0 &&
		    remove_entry(dirfd(dir), f->d_name, path, depth, e) < 0)
			rc = -1;
	closedir(dir);
	return rc;
}

static bool
is_gone(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Does it begin with an id, spelled as we would? */
static bool
begins_with_id(const char *s)
{
	char digits[ID_LEN + 1] = {0}, exact[ID_LEN + 1];

	memcpy(digits, s, strnlen(s, ID_LEN));
	return id_parse(digits, exact) == 0 && strcmp(digits, exact) == 0;
}

/* "<id>", or "<id>-<secret>". */
static bool
is_name_of_run(const char *name)
{
	if (!begins_with_id(name))
		return false;
	name += ID_LEN;
	return *name == '\0' ||
	    (*name == '-' && begins_with_id(name + 1) &&
		name[1 + ID_LEN] == '\0');
}

/* What a command put in the place of its folder. What it links to is not ours
 * to touch; what another user put there neither. */
static bool
remove_impostor(int base, const char *name)
{
	struct stat st;

	return fstatat(base, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	    unlinkat(base, name, 0) == 0;
}

int
tokendir_remove(const char *path, struct err *e)
{
	scoped(close_fd) int base = -1;
	const char *name;
	int fd;

	if ((name = strrchr(path, '/')) == NULL || !is_name_of_run(name + 1))
		return err_set(e, ERR_INVALID,
		    "will not remove a folder that is not named by an id");
	if (is_gone(path))
		return 0;
	if ((base = open_parent(path, &name, e)) < 0)
		return -1;
	if ((fd = open_below(base, name)) < 0) {
		err_sys(e, "cannot open folder '%s'", path);
		return remove_impostor(base, name) ? 0 : -1;
	}
	/* Its mode does not matter: what others can read should go at once. */
	if (!is_ours(fd)) {
		close(fd);
		return err_set(
		    e, ERR_SYSTEM, "folder '%s' is not ours", path);
	}
	if (empty_folder(fd, path, DEPTH_MAX, e) < 0)
		return -1;
	if (unlinkat(base, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove folder '%s'", path);
	return 0;
}
