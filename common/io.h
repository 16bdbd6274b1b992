/*
 * io - files and descriptors, done the careful way once.
 *
 * Descriptors are -1 when empty and always close-on-exec.  Files are reached
 * through the descriptor of the folder that was checked, never by building
 * paths from what a token says.  Errors name the file as the caller knows it.
 */
#ifndef EPHID_IO_H
#define EPHID_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* Closes *fd and makes it -1; for scoped(). Keeps errno. */
void close_fd(int *fd);

/* Fills p from getrandom(2). It does not fail once the machine is up. */
void io_random(void *p, size_t n);

/* Adds all that fd has to *out, or fails beyond `limit' bytes. `name' is what
 * the message calls it. */
int io_read_all(
    int fd, size_t limit, const char *name, struct buf *out, struct err *e);
/* Opens `path' below dirfd (or AT_FDCWD) and reads it: ERR_MISSING when there
 * is none. Only regular files; a fifo or a device is refused, not waited on. */
int io_read_file(
    int dirfd, const char *path, size_t limit, struct buf *out, struct err *e);
int io_write_all(
    int fd, const void *p, size_t n, const char *name, struct err *e);

/* Makes a new file: O_EXCL and O_NOFOLLOW, with exactly this mode whatever
 * the umask. Synced when `durable', and removed again when writing fails. */
int io_create_file(int dirfd, const char *name, mode_t mode, const void *p,
    size_t n, bool durable, struct err *e);
/* Puts a file in the place of another in one step (rename), so a reader sees
 * the old bytes or the new ones. The same modes and promises. */
int io_replace_file(int dirfd, const char *name, mode_t mode, const void *p,
    size_t n, bool durable, struct err *e);
/* The same for a file that another user is to have: it is given away before
 * it has its name. For root. */
int io_replace_file_of(int dirfd, const char *name, mode_t mode, uid_t uid,
    gid_t gid, const void *p, size_t n, struct err *e);

/* Could io_replace_file() put a file there, as far as can be told without
 * writing? Asked before there is something to take back. A link would be
 * replaced, and not what it leads to: /dev/stderr, for root. */
int io_check_target(const char *path, struct err *e);

/* Waits for an exclusive flock(2) behind those who asked before: the kernel
 * wakes the next in line and nobody else, where many who try again and again
 * keep the machine busy with it and come by luck. False when it was not to be
 * had for `ms'. Uses SIGRTMAX - 1 meanwhile. */
bool io_lock_in_turn(int fd, int64_t ms);

/* Flushes stdout and says whether everything reached it (a full disk, a
 * closed pipe): 0, or -1 with errno. */
int io_flush_stdout(void);

#endif
