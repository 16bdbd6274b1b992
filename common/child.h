/*
 * child - starting one program exactly as the caller would have, or as
 * another user.
 *
 * Between fork and exec only async-signal-safe calls are made, in this order:
 * the process group (the target user might not be allowed to join it), the
 * user, for good, with a session keyring of its own, then PDEATHSIG, which changing the user clears, and at last
 * the look at the parent.  The program is thus looked for as the user that it
 * will run as.  A failure comes back over a close-on-exec pipe as the step
 * and its errno, and is worded by the parent.
 */
#ifndef EPHID_CHILD_H
#define EPHID_CHILD_H

#include <sys/types.h>

#include "account.h"
#include "err.h"

struct child_setup {
	char *const *argv;
	char *const *envp;
	pid_t group; /* joined; gone means not started. 0: stay */
	int death_signal; /* PDEATHSIG, 0 for none */
	const struct account *user; /* NULL: stay who we are */
	/* Called in the child while it is still ours: restores signals and
	 * closes what exec would not. */
	void (*prepare)(void *arg);
	void *arg;
};

/* Forks. *exec_fd, the caller's, becomes readable when the program runs or it
 * is known that it will not: an exec can take as long as a file system likes.
 * The program is looked for in the PATH of envp. */
int child_start(const struct child_setup *setup, pid_t *pid, int *exec_fd,
    struct err *e);
/* How that went; waits where *exec_fd is not readable yet, and closes it. 0:
 * the program runs. -1 with *status: 126 found but not executable, 127 not
 * found, 125 anything else; the child is gone and reaped. */
int child_await_exec(const struct child_setup *setup, pid_t pid, int *exec_fd,
    int *status, struct err *e);

#endif
