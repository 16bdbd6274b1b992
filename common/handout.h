/*
 * handout - what a command is given: token files and an environment.
 *
 * The files are one for each audience, `token' for the first and `token-2',
 * `token-3', ... for the others, and `index.json', which says which is whose:
 *
 *	{"id":"01K...","tokens":[{"file":"token","audience":"https://...",
 *	"issuer":"local","form":"oauth","expires_at":"2026-11-25T09:30:00Z"}]}
 *
 * They are written again at each renewal.  The environment is built once, from
 * the caller's or, with `clean_env', from little more than its PATH:
 *
 *	EPHID_ID EPHID_ROOT EPHID_TOKEN_DIR EPHID_TOKEN_FILE TRACEPARENT
 *	EPHID_TOKEN	unless no_env_token
 *	EPHID_HOME	unless clean_env or another user's: it reaches no home
 *
 * No other EPHID_*, nor what holds a token of the parent's by whatever name, is
 * handed on.
 */
#ifndef EPHID_HANDOUT_H
#define EPHID_HANDOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "account.h"
#include "env.h"
#include "err.h"
#include "json.h"
#include "lifecycle.h"
#include "tokendir.h"

struct handout {
	const char *env_name; /* the first token under it, too; NULL: no */
	bool no_env_token, clean_env;
	const cJSON *keep; /* array of globs for clean_env, or NULL */
	const struct account *user; /* whose the command is; NULL: ours */
};

/* What the i-th file is called, from 0; the caller frees it. */
char *handout_file(size_t i);
#define HANDOUT_INDEX "index.json"

/* The index comes last: what it names is there. */
int handout_write(
    struct tokendir *d, const struct minted *m, struct err *e);

/* `parent_token' may be NULL; `dir' is where the files are. *out is the
 * caller's to free. */
void handout_environment(const struct handout *h, char *const *from,
    const char *parent_token, const struct minted *m, const char *home,
    const char *dir, struct env *out);

#endif
