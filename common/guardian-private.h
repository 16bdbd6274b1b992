/*
 * guardian-private - what the guardian's files share; nobody else includes it.
 *
 *	guardian.c	  the loop while the command runs
 *	guardian-start.c  from the mint to the running command
 *	guardian-keep.c	  keeping the identity: renewal, and noticing that it
 *			  was revoked
 *	guardian-end.c	  the end, whatever the cause
 */
#ifndef EPHID_GUARDIAN_PRIVATE_H
#define EPHID_GUARDIAN_PRIVATE_H

#include "env.h"
#include "guardian.h"
#include "tokendir.h"

struct guardian {
	const struct run_request *rq;
	const char *id;
	const struct descriptors *inherited;
	struct mint_request mint; /* rq's, completed */
	int sock, lock, signal_fd;
	struct lifecycle lc;
	struct tokendir dir;
	struct env env;
	pid_t front;
	pid_t main; /* the command */
	int exec_fd; /* while it is not known whether it runs; then -1 */
	struct outcome outcome;
	siginfo_t main_end;
	bool main_ended;
	bool timed_out;
	bool minted, warned;
	bool ended; /* by us: revoked */
	struct err trouble; /* why not, as yet */

	/* Keeping the identity. Points of the boot clock, 0: never. */
	int home_fd, clock_fd, timer_fd;
	int64_t renew_at, look_at;
	int64_t expires_at, last_expiry; /* seconds since 1970 */
	int renewals_failed; /* in a row */
	struct minted fresh; /* renewed, and not handed out yet */
	bool revoked;        /* by somebody else */

	int64_t kill_at, timeout_at;
	int64_t timer_set; /* what timer_fd is set to */
};

/* Messages to front; a warning counts for --strict. */
void guardian_tell(const struct guardian *g, const struct guardian_message *m);
void guardian_complain(const struct guardian *g, const struct err *e);
void guardian_warn(struct guardian *g, const char *fmt, ...) PRINTF(2, 3);
void guardian_note(const struct guardian *g, const char *fmt, ...) PRINTF(2, 3);
/* Takes the event. */
void guardian_announce(const struct guardian *g, cJSON *event);
/* An event without members of its own. */
void guardian_announce_plain(const struct guardian *g, const char *event);

/* Somebody else has revoked the run: says so, once. */
void guardian_was_revoked(struct guardian *g, const struct identity *id);

/* Asks the command to end, and begins its grace. */
void guardian_end_command(struct guardian *g, int sig);

/* Continues front, which may have stopped as the command did. */
void guardian_wake_front(const struct guardian *g);

/* --- guardian-end.c -------------------------------------------------- */

/* Revokes, once. One that failed is tried again by who comes next,
 * guardian_finish() at the last. */
void guardian_end_identity(struct guardian *g, const char *reason);
/* How the command ended, as far as it has. */
void guardian_note_outcome(struct guardian *g);
void guardian_announce_stragglers(struct guardian *g, size_t n);
/* The command ran, and it is over. `crashed': front is gone, and nobody waits
 * for a grace. */
_Noreturn void guardian_finish(
    struct guardian *g, const char *reason, bool crashed);
/* Nothing ran, or not that we know. `status' is ephid-wrap's. */
_Noreturn void guardian_fail(
    struct guardian *g, int status, const struct err *e);

/* --- guardian-start.c ------------------------------------------------ */

/* Mints, writes the token files and builds the environment. */
int guardian_prepare(struct guardian *g, struct err *e);
/* Starts the command, whose exec may take its time: exec_fd becomes readable
 * when it is over. */
int guardian_start(struct guardian *g, pid_t group,
    const struct signals *caller, struct err *e);
/* How that went; *status is 125, 126 or 127 when it failed. */
int guardian_started(struct guardian *g, int *status, struct err *e);

/* --- guardian-keep.c ------------------------------------------------- */

/* Begins to watch the home and the clock. What cannot be watched is looked at
 * once a second. */
void guardian_keep_begin(struct guardian *g);
/* Is there still something to keep? If not, home_fd and clock_fd are not to be
 * polled, for nobody takes what they have. */
bool guardian_keeps(const struct guardian *g);
/* Does what is due, after a poll that said whether home_fd and clock_fd are
 * readable. home_fd is not to be polled while look_at is set. */
void guardian_keep(struct guardian *g, bool home_changed, bool clock_set);
/* When to call it at the latest; boot clock, 0: never. */
int64_t guardian_keep_next(const struct guardian *g);
/* It was minted or renewed: when is the next time? */
void guardian_schedule_renewal(struct guardian *g, int64_t issued_at);

#endif
