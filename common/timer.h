/*
 * timer - waking up when it is time, whatever happened to the machine.
 *
 * A timeout of poll(2) sleeps on while the machine is suspended, and no timer
 * knows that somebody set the wall clock.  Here are descriptors for poll():
 * one that becomes readable at a point of the boot clock, which goes on in
 * suspend, and one that becomes readable when the wall clock was set.
 */
#ifndef EPHID_TIMER_H
#define EPHID_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* Points of the boot clock. */
int64_t timer_in(int64_t ms); /* from now */
bool timer_is_due(int64_t boot_ms); /* 0: never */

/* *fd is close-on-exec and the caller's. */
int timer_open(int *fd, struct err *e);
/* Readable from boot_ms on; 0: never. What it was set to before is
 * forgotten. */
void timer_set(int fd, int64_t boot_ms);

/* *fd is readable each time the wall clock was set, until
 * timer_rearm_clock_watch(). */
int timer_open_clock_watch(int *fd, struct err *e);
void timer_rearm_clock_watch(int fd);

#endif
