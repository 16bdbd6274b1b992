/*
 * record-text - text as a terminal shows it: how wide, cut, in what colour.
 *
 * Shared by the parts of record alone.  What comes from outside passes
 * text_clean() first.
 */
#ifndef EPHID_RECORD_TEXT_H
#define EPHID_RECORD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "identity.h"
#include "record.h"

/* Adds what record_clean() makes of text, and on a terminal that is not of
 * UTF-8 in ASCII alone. */
void text_clean(const char *text, const struct look *look, struct buf *out);
/* Adds text as UTF-8: U+FFFD for each byte that is none. */
void text_valid(const char *text, struct buf *out);
size_t text_width(const char *text, bool utf8); /* in columns */
/* Adds text, cut to `width' columns with a mark at its end when longer. */
void text_fit(const char *text, size_t width, bool utf8, struct buf *out);
void text_pad(size_t n, struct buf *out); /* n blanks */

void text_state(enum identity_state state, bool colour, struct buf *out);
void text_span(int64_t seconds, struct buf *out); /* "12m", "1d3h" */
/* "in 12m", "3m ago", or "-" for what was revoked. */
void text_expiry(const struct identity *id, int64_t now, struct buf *out);

#endif
