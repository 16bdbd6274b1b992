/*
 * delivery - a minted token on its way to who asked for it.
 *
 * The token goes to stdout or into a file of its own, in one of four formats,
 * and its id into another file where that was asked for.  An identity whose
 * token did not arrive would be live with nobody holding it, so the caller
 * checks first what can be checked first, and takes back what failed:
 *
 *	delivery_check(&d, &e);
 *	lifecycle_mint(...)
 *	if (delivery_make(&d, &minted, now, &e) < 0)
 *		delivery_take_back(&lc, &minted, why);
 */
#ifndef EPHID_DELIVERY_H
#define EPHID_DELIVERY_H

#include <stdint.h>

#include "err.h"
#include "json.h"
#include "lifecycle.h"

struct delivery {
	const char *format;  /* token, json, env, header; NULL: token */
	const char *output;  /* NULL or "-": stdout */
	const char *id_file; /* NULL: none */
};

/* Fills what is NULL from a profile, which may be NULL and stays borrowed. */
void delivery_fill(struct delivery *d, const cJSON *profile);
/* ERR_USAGE for an unknown format, ERR_SYSTEM for files that could not be
 * written. Warns of a stdout that others can read. Writes nothing. */
int delivery_check(const struct delivery *d, struct err *e);
/* Files are 0600 and replaced in one step. When stdout is what is written to,
 * it was really written: SIGPIPE is ignored from here on. */
int delivery_make(const struct delivery *d, const struct minted *m,
    int64_t now, struct err *e);
/* Revokes what was minted, and warns when even that fails. */
void delivery_take_back(
    struct lifecycle *lc, const struct minted *m, const char *why);

#endif
