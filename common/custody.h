/*
 * custody - what the operator does with the issuer's keys and its name.
 *
 * Each act is one transaction: what depends on a key ends in the same commit
 * as the key's state, or right after it.  Private halves go once their end is
 * on the disk, not before.  What can no longer be verified is revoked, so
 * that it shows as ended.
 *
 *	struct custody c = {.lc = &lc};
 *	if (custody_rotate(&c, KEY_ES256, false, &e) < 0) ...
 *	... c.kid
 */
#ifndef EPHID_CUSTODY_H
#define EPHID_CUSTODY_H

#include <stdbool.h>

#include "err.h"
#include "key.h"
#include "lifecycle.h"

struct custody {
	struct lifecycle *lc;
	char kid[KEY_KID_LEN + 1]; /* of the key that an act made or found */
};

/* The active key of alg, made where there is none; a warning when there is. */
int custody_make(struct custody *c, enum key_alg alg, struct err *e);
/* The next key of alg (keystore.h); a warning says when it signs, unless it
 * does at once. */
int custody_rotate(
    struct custody *c, enum key_alg alg, bool at_once, struct err *e);
/* Ends a key at once and revokes what it signed. c->kid is its successor, if
 * it needed one. */
int custody_retire(struct custody *c, const char *kid, struct err *e);
/* Names the issuer. ERR_DENIED when it has another URL, or identities live
 * under the old one, unless `force', which revokes them. */
int custody_set_url(
    struct custody *c, const char *url, bool force, struct err *e);

#endif
