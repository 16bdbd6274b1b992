/*
 * listing - many identities at once: a table of them, or their trees.
 *
 * With --json both are the same, a record a line.  They report their errors
 * themselves and return the exit status; what was found before an error is
 * shown nevertheless, and that nothing was found is no error.
 */
#ifndef EPHID_LISTING_H
#define EPHID_LISTING_H

#include <stdbool.h>

#include "err.h"
#include "lifecycle.h"
#include "outlet.h"

/* As the user wrote them; NULL selects nothing. All that are set must hold. */
struct listing {
	const char *state; /* active (when NULL), revoked, expired, all */
	const char *root;  /* any member of a tree */
	const char *agent, *task;
};

bool listing_is_narrowed(const struct listing *l); /* is any of them set? */
int listing_check(const struct listing *l, struct err *e); /* ERR_USAGE */

int listing_print_table(
    const struct listing *l, struct lifecycle *lc, struct outlet *out);
/* The live ones; or with `member', an id or the end of one, all of its tree
 * whatever their state. */
int listing_print_trees(
    const char *member, struct lifecycle *lc, struct outlet *out);

#endif
