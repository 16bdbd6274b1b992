/*
 * revocation - who is meant, ending them, and saying so.
 *
 * Identities are named one by one (an id, the end of one, a file with a token
 * or a token from stdin), selected by what they have in common, or found dead.
 * Each that ended is a line on stdout: words, or its record with --json.  A
 * dry run names the same ones, each once, and changes nothing.
 *
 *	struct revocation r = {.common = &common, .reason = reason};
 *	if (revocation_open(&r, false, &e) < 0) ...
 *	status = revocation_of_operands(&r, n, operands);
 *	revocation_close(&r);
 *
 * The three acts report their errors themselves, for one operand that fails
 * does not spare the next, and return the exit status.
 */
#ifndef EPHID_REVOCATION_H
#define EPHID_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli.h"
#include "err.h"
#include "lifecycle.h"

struct revocation {
	/* The caller fills these; all is borrowed. */
	const struct common_options *common;
	const char *reason; /* NULL: by ephid-revoke */
	bool only;          /* spare the descendants */
	bool if_exists;     /* an id that nobody knows is no failure */
	bool dry_run;
	/* The rest is its own. */
	struct lifecycle lc;
	bool progress; /* is counted on a terminal */
	size_t done;
	void *seen; /* by a dry run: a tsearch(3) set of ids */
};

/* What identities have in common. All that are set must hold. */
struct selection {
	const char *root; /* any member of a tree: all of it */
	const char *task, *agent;
	int64_t older_than; /* ms since they were minted; -1: of any age */
};

/* `sweeps' announces revocation_of_dead(). A dry run opens for reading. */
int revocation_open(struct revocation *r, bool sweeps, struct err *e);
int revocation_of_operands(
    struct revocation *r, int n, char *const *operands);
int revocation_of_selected(struct revocation *r, const struct selection *s);
/* What runs left whose holders are dead, counted. */
int revocation_of_dead(struct revocation *r);
void revocation_close(struct revocation *r);

#endif
