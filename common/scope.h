/*
 * scope - a set of grants, as OAuth writes them (RFC 6749 section 3.3).
 *
 * The text is scope tokens (%x21 / %x23-5B / %x5D-7E) with single spaces; the
 * order in which they first came is kept, repetitions are dropped.  The empty
 * set is an identity without authority.  A child's scope is a subset of its
 * parent's: there is no other relation, no wildcard and no hierarchy.
 *
 * A scope is its canonical text, so it is stored and compared as a string.
 */
#ifndef EPHID_SCOPE_H
#define EPHID_SCOPE_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"

/* Adds the canonical spelling of `text' to *out. Any run of white space
 * separates. ERR_USAGE for a byte that no scope token may have. */
int scope_parse(const char *text, struct buf *out, struct err *e);

/* Is every token of `inner' in `outer'? Both canonical. When not, and
 * `missing' is given, adds the first token that is not. */
bool scope_covers(const char *outer, const char *inner, struct buf *missing);

#endif
