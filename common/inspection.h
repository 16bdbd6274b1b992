/*
 * inspection - what operands are, answered one by one.
 *
 * An operand is an id or the end of one, a file with a token (its path has a
 * slash), or "-" for lines of stdin, each an id or a token; without any it is
 * the run's own token.  Identities are shown as the ledger has them, tokens
 * are verified, and what does not verify is words on stderr (with --json its
 * verdict, too).  Each operand is tried whatever became of the others.
 *
 * A receipt is composed from the ledger for an id, or read from a file, which
 * needs no home and is shown as what it is: unsigned.
 *
 * All report their errors themselves and return the worst exit status: 0
 * when all are valid or active (of receipts: when nothing of the run lives),
 * 1 when one is not.  An empty stdin is a no.
 */
#ifndef EPHID_INSPECTION_H
#define EPHID_INSPECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "lifecycle.h"
#include "outlet.h"
#include "verification.h"

bool inspection_is_file(const char *operand);
/* `lc' is NULL where there is no home; ids are refused then. */
int inspection_of_operands(const struct verification *how,
    struct lifecycle *lc, int n, char *const *operands, struct outlet *out);
/* What tokens say, with nothing verified and marked so. Needs no home, takes
 * no ids, and so wants no slash in the name of a file. */
int inspection_decode(int n, char *const *operands, struct outlet *out);
/* `lc' may be NULL when all operands are files. */
int inspection_of_receipts(struct lifecycle *lc, int64_t now, int n,
    char *const *operands, struct outlet *out);

#endif
