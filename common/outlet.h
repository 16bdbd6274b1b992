/*
 * outlet - where a program's answers go: blocks, JSON lines, or nowhere.
 *
 * --json, --quiet and the terminal decide once how records look; whoever has
 * a record shows it here and need not ask.  stdout has nothing of a token
 * that did not verify; callers see to that.
 */
#ifndef EPHID_OUTLET_H
#define EPHID_OUTLET_H

#include <stdbool.h>
#include <stddef.h>

#include "cli.h"
#include "err.h"
#include "json.h"
#include "record.h"

struct outlet {
	bool json, quiet;
	struct look look;
	size_t blocks; /* so far, for the line between two */
};

struct outlet outlet_open(const struct common_options *o);
/* A line with --json, else a block; nothing with --quiet. */
void outlet_show(struct outlet *o, const cJSON *record);
/* cli_report(), after what was shown before it: an error of one of several
 * things, which does not end the program. Returns its exit status. */
int outlet_fail(const struct err *e);

#endif
