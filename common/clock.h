/*
 * clock - reading, writing and adding up time.
 *
 * Time enters the programs in main() and in the supervising loops, and is
 * passed down as a value from there; everything else takes `now'.  Points in
 * time are seconds since 1970 (RFC 7519's NumericDate), durations are
 * milliseconds.  Sums saturate instead of wrapping.
 */
#ifndef EPHID_CLOCK_H
#define EPHID_CLOCK_H

#include <stdint.h>

#include "err.h"

#define CLOCK_SECOND INT64_C(1000)

int64_t clock_now_ms(void);  /* wall clock, milliseconds since 1970 */
int64_t clock_boot_ms(void); /* since boot, suspended time included */

int64_t clock_add(int64_t a, int64_t b);

/* A sum of N[ms|s|m|h|d], as in "1h30m"; a bare number is seconds. */
int clock_parse_duration(const char *text, int64_t *ms, struct err *e);
/* The shortest exact spelling of whole seconds: "15m", "1h30m", "0s". */
#define CLOCK_DURATION_MAX 32
char *clock_duration(int64_t seconds, char out[static CLOCK_DURATION_MAX]);

/* RFC 3339 in UTC, "2026-11-25T09:30:00Z". */
#define CLOCK_STAMP_MAX 32
char *clock_stamp(int64_t t, char out[static CLOCK_STAMP_MAX]);

#endif
