/*
 * statusfd - the JSON lines of --status-fd.
 *
 *	{"event":"minted","time":"2026-11-25T09:30:00Z","id":"01K..."}
 *
 * `event' is one of minted, started, renewed, exited, revoked, stragglers and
 * done, in that order, but that renewals repeat and a run may be revoked before
 * its command has exited; `status' or `signal' stand with exited and done.  Guardian composes the lines and front writes them, which is the
 * one that lives longest.  Who reads slowly does not hold up a run: lines
 * wait here until they can be written without blocking.
 */
#ifndef EPHID_STATUSFD_H
#define EPHID_STATUSFD_H

#include <signal.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "json.h"

/* An event to add members to; the caller's. */
cJSON *statusfd_event(const char *event, const char *id, int64_t now);
/* The end of the command: "status":7, or "signal":"TERM". */
void statusfd_add_end(cJSON *event, const siginfo_t *end);

struct statusfd {
	int fd; /* -1: nobody asked */
	struct buf queue;
};
/* Takes `number' from the caller of the program: the command will not have it,
 * unless it is a standard one. ERR_USAGE when it is not open for writing. */
int statusfd_take(int number, int *fd, struct err *e);
void statusfd_add(struct statusfd *s, const char *line); /* without newline */
/* Writes what can be written now. A reader that is gone is forgotten. */
void statusfd_flush(struct statusfd *s);
/* Goes on flushing, for ms at most. */
void statusfd_drain(struct statusfd *s, int ms);

#endif
