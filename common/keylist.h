/*
 * keylist - the issuer's keys as people, programs and verifiers read them.
 *
 * A row of a table or a JSON line with the stable names
 *
 *	kid alg state created_at activates_at verifies_until
 *
 * for the operator; a key set or a PEM file for those who verify.  Nothing is
 * changed, only public halves are shown, and --quiet shows nothing.
 */
#ifndef EPHID_KEYLIST_H
#define EPHID_KEYLIST_H

#include "cli.h"
#include "err.h"
#include "key.h"
#include "lifecycle.h"

/* All keys, newest first. */
int keylist_print(
    struct lifecycle *lc, const struct common_options *o, struct err *e);
/* One: its kid alone, or its record with --json. */
int keylist_print_kid(struct lifecycle *lc, const char *kid,
    const struct common_options *o, struct err *e);

int keylist_print_jwks(
    struct lifecycle *lc, const struct common_options *o, struct err *e);
/* Of kid or, when it is NULL, the active key of alg. */
int keylist_print_pem(struct lifecycle *lc, const char *kid, enum key_alg alg,
    const struct common_options *o, struct err *e);

#endif
