/*
 * verification - checking one token as the options of ephid-inspect say.
 *
 * Either the home answers, with its own keys and, unless that is not wanted,
 * what the ledger knows of the token's status; or a key set from a file does,
 * for an issuer that is named, and there is no home at all.
 *
 *	struct verification v = {.jwks = path, .issuer = url};
 *	verification_check(&v, &e);
 *	verification_load_keys(&v, now_ms, &e);
 *	verification_of(&v, NULL, &token, false, &verdict, &e);
 *	verification_close(&v);
 */
#ifndef EPHID_VERIFICATION_H
#define EPHID_VERIFICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "key.h"
#include "lifecycle.h"

struct verification {
	/* As the user wrote them, NULL where nothing was said; borrowed. */
	const char *audience, *issuer, *jwks;
	const char *status; /* ledger, none */
	const char *policy; /* of the status: require, prefer, skip */
	/* The rest is its own. */
	enum status_source source;
	struct keyset *keys;
	int64_t now; /* for them; a home has its own */
};

bool verification_is_asked(const struct verification *v); /* any of these? */
/* Do they make sense, also together? ERR_USAGE. Decides where from the
 * status comes. */
int verification_check(struct verification *v, struct err *e);
/* Reads the key set where one is named. */
int verification_load_keys(
    struct verification *v, int64_t now_ms, struct err *e);
/* The verdict is the caller's to clear; -1 only when there is none. `lc' may
 * be NULL when keys were loaded. The run's `own' token is checked as a parent
 * is. Of a valid one, warns of what was not checked. */
int verification_of(const struct verification *v, struct lifecycle *lc,
    const struct buf *token, bool own, struct verdict *out, struct err *e);
void verification_close(struct verification *v);

#endif
