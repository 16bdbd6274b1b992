/*
 * tokendir - the folder where a run finds its token.
 *
 * One folder for each run, 0700, with the file `token', 0600, in the first of
 * $XDG_RUNTIME_DIR/ephid, /run/ephid (root), /dev/shm/ephid-<uid> and
 * home/run that is ours, closed to others and on a tmpfs.  The last need not
 * be a tmpfs; the caller is told, to warn.  Files are replaced by rename, so
 * a reader never sees half a token.
 *
 * Where the command is another user's (and we are root) the folder lies in
 * /run/ephid-users or /dev/shm/ephid-users, which is root's, 0711 and on a
 * tmpfs.  It stays root's, so that the command cannot put anything in the
 * place of a file that we are about to write or remove; its group, which the
 * user has alone, may list it (0750).  Where the group has others in it
 * nobody may (0711), and a name that cannot be guessed keeps them out.  The
 * files are the user's, 0400.
 */
#ifndef EPHID_TOKENDIR_H
#define EPHID_TOKENDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "account.h"
#include "err.h"
#include "home.h"

struct tokendir {
	char *path; /* absolute */
	int fd;
	const struct account *owner; /* borrowed; NULL: ourselves */
};

/* Chooses the place and names the run's folder (without making it), so that
 * the path can be recorded first. `runtime_dir' is $XDG_RUNTIME_DIR or NULL;
 * `owner' is the user that the command will be, or NULL; *on_disk says that
 * no tmpfs was to be had. */
int tokendir_plan(const struct home *h, const char *runtime_dir,
    const char *id, const struct account *owner, struct tokendir *out,
    bool *on_disk, struct err *e);
int tokendir_make(struct tokendir *d, struct err *e);
/* Puts a file of this name into it; makes the folder again if it is gone. */
int tokendir_write(struct tokendir *d, const char *name, const char *text,
    size_t n, struct err *e);
void tokendir_close(struct tokendir *d);

/* Removes the folder of a run with its files, or what a command put in its
 * place; what is gone already is success. Refuses a path whose last part is
 * not such a name, and follows no links: the path comes from a ledger row. */
int tokendir_remove(const char *path, struct err *e);

#endif
