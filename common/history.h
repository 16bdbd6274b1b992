/*
 * history - what happened, as JSON lines, up to now or from now on.
 *
 * Following wakes when somebody wrote to the home (watch.h) and polls
 * nothing; it ends with whoever reads stdout, or with the home.
 */
#ifndef EPHID_HISTORY_H
#define EPHID_HISTORY_H

#include <stdbool.h>

#include "lifecycle.h"
#include "outlet.h"

struct history {
	const char *since; /* a duration, as the user wrote it; NULL: all */
	bool follow;
};

bool history_is_narrowed(const struct history *h); /* is any of them set? */
/* Of `id', or the end of one; NULL: of all. Reports its errors itself and
 * returns the exit status. */
int history_print(const struct history *h, const char *id,
    struct lifecycle *lc, struct outlet *out);

#endif
