/*
 * launch - what ephid-wrap was asked to do.
 *
 * The program's getopt_long() loop fills the options as they were written;
 * here the profile adds what the line did not say, every word is checked, and
 * the whole becomes one request for front_run() or rehearsal_run().  What
 * makes no sense is refused before anything is made: no home, no identity, no
 * file.
 */
#ifndef EPHID_LAUNCH_H
#define EPHID_LAUNCH_H

#include <stdbool.h>

#include "account.h"
#include "buf.h"
#include "cli.h"
#include "guardian.h"
#include "json.h"
#include "settings.h"

struct launch_options {
	struct common_options common;
	struct mint_options mint;
	const char *max_life, *timeout, *grace;
	const char *stragglers, *on_revoke;
	const char *env, *user, *receipt, *status_fd;
	cJSON *keep; /* array */
	bool no_env_token, clean_env, dry_run;
};

struct launch {
	struct launch_options asked;
	/* What the request borrows from. */
	struct settings settings;
	struct buf parent;
	struct account user;
	char *receipt;
	cJSON *origin;
};

/* Fills *rq, which borrows from l. Bad values end the program. It is to be
 * called before the program opens anything, for --status-fd names one of the
 * caller's descriptors. */
void launch_prepare(
    struct launch *l, char *const *argv, struct run_request *rq);
void launch_clear(struct launch *l);

#endif
