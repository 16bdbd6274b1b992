/*
 * account - the user that a command is to run as.
 *
 * Everything the child needs to become that user is looked up before the
 * fork: between fork and exec there is neither memory to be had nor a name
 * service to be asked.  Root is no such user, for it reaches every key.
 */
#ifndef EPHID_ACCOUNT_H
#define EPHID_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct account {
	char *name, *home, *shell;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* all of them, as initgroups(3) would set them */
	int ngroups;
	bool alone; /* nobody else has its group, as far as can be seen */
};

/* By name, else by number. ERR_USAGE for one that is unknown, and for root:
 * "user 'root': not an ordinary user". */
int account_find(const char *name, struct account *out, struct err *e);
void account_clear(struct account *a);

/* May this process become another user at all? ERR_DENIED: only root may. */
int account_check_switch(struct err *e);

#endif
