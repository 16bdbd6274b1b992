/*
 * home - the folder with the keys, the ledger and the configuration.
 *
 *	config.json		optional (config.h)
 *	ledger.db[-wal,-shm]	identities and events (ledger.h)
 *	witness			the newest epoch seen (ledger.h)
 *	keys/<kid>.pem		private halves, <kid>.pub.pem public ones
 *	runs/<id>		a lock file for each live run
 *	run/			token files, where no tmpfs is to be had
 *
 * It belongs to the user that runs the program, mode 0700, and lies on a file
 * system whose locks can be trusted: NFS, SMB, 9p and FUSE are refused.
 *
 * A run's liveness is an flock(2) on runs/<id>.  Front takes it, guardian
 * inherits the open file, and the kernel lets go when the last of the two is
 * dead, in whichever PID namespace they are.
 */
#ifndef EPHID_HOME_H
#define EPHID_HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "identity.h"

struct home {
	char *path; /* absolute */
	int fd;
};

/* Where home is: `option', else env_home ($EPHID_HOME), else
 * /var/lib/ephid for root, $XDG_STATE_HOME/ephid, ~/.local/state/ephid.
 * Absolute; the caller frees it. */
int home_locate(const char *option, char **path, struct err *e);

/* Opens it, after checking owner, mode and file system. Absent: ERR_MISSING
 * ("no home at '...'"), or with `create' it is made, with keys/ and runs/. */
int home_open(
    const char *path, bool create, struct home *out, struct err *e);
void home_close(struct home *h);

/* Makes runs/<id> and locks it. EEXIST and a file that a sweep took away in
 * between come back as ERR_DENIED: take another id. *fd is the lock. */
int home_lock_run(
    const struct home *h, const char *id, int *fd, struct err *e);

/* Is somebody holding runs/<id>? RUN_DEAD also when there is no such file.
 * RUN_UNKNOWN when it cannot be told; such a run is left alone. When dead and
 * `lock' is given, *lock is the lock, taken (or -1 where no file is), so that
 * two sweeps do not meet. */
enum run_liveness { RUN_LIVE, RUN_DEAD, RUN_UNKNOWN };
enum run_liveness home_probe_run(
    const struct home *h, const char *id, int *lock);
/* Removes the lock file; for the holder, or who took over the lock. */
void home_forget_run(const struct home *h, const char *id);
/* Calls fn for each file name in runs/ that is an id. */
int home_each_run(const struct home *h,
    void (*fn)(const char *id, void *arg), void *arg, struct err *e);

#endif
