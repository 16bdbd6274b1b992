/*
 * guardian - the process between ephid-wrap and the command.
 *
 * It mints first and revokes last, so that there is no moment in which a live
 * identity has nobody to end it.  Front (ephid-wrap, the pid the caller
 * knows) forks it before any ledger is open; a socket joins the two, and the
 * end of file on it tells each that the other is gone.
 *
 *	front --fork--> guardian --fork--> command
 *
 * The guardian is a child subreaper in a process group of its own (so that
 * Ctrl-C and a kill of front's group pass it by) and, once the command runs,
 * in a session of its own; it blocks all signals, is undumpable, and then
 * holds none of the caller's descriptors.
 *
 * While the command runs it renews the identity, and learns within a second
 * when somebody revoked it.
 *
 * The end is one function, whatever the cause: revoke durably, remove token
 * files, end stragglers, write the receipt, tell front, close the ledger.
 * While the command runs nothing waits longer than a second for a ledger that
 * others keep busy; a revocation that could not be had in it is tried again
 * when all that ran is dead, and then for ten.
 */
#ifndef EPHID_GUARDIAN_H
#define EPHID_GUARDIAN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "err.h"
#include "handout.h"
#include "lifecycle.h"
#include "supervise.h"

struct run_request {
	struct lifecycle_where where;
	struct mint_request mint; /* id, holder and token_dir are filled in */
	struct handout handout;   /* what the command is given */
	char *const *argv;
	char *const *envp; /* the caller's */
	bool quiet, strict;
	int64_t grace_ms;
	int64_t timeout_ms; /* from the command's start; 0: none */
	/* What becomes of what the command leaves running. */
	enum { STRAGGLERS_KILL, STRAGGLERS_WAIT, STRAGGLERS_LEAVE } stragglers;
	bool kill_on_revoke;
	const char *receipt; /* a file; NULL: none */
	int status_fd;       /* from statusfd_take(), front's; -1: none */
};

/* What the guardian tells front, one message of this size each. */
struct guardian_message {
	enum {
		GUARDIAN_STARTED,
		GUARDIAN_STOPPED, /* the command's stop in `end' */
		GUARDIAN_FAILED, /* nothing runs: status and text */
		GUARDIAN_NOTE, /* a word on what happens, as was asked for */
		GUARDIAN_WARNING,
		GUARDIAN_ERROR, /* said even when quiet */
		GUARDIAN_EVENT, /* a line for status_fd */
		GUARDIAN_ENDED /* the command's end */
	} kind;
	int status;    /* of ephid-wrap when FAILED: 125, 126 or 127 */
	siginfo_t end; /* when STOPPED or ENDED */
	bool timed_out; /* when ENDED: it was the time limit */
	bool warned; /* when ENDED: of anything; --strict asks */
	/* Has room for the reason of a revocation, each byte as \u0001. */
	char text[6 * NOTE_MAX + 512];
};
/* What front tells the guardian of a signal it got. */
struct front_message {
	int signal;
	bool queued; /* by sigqueue(3), with `value' */
	union sigval value;
	bool from_terminal; /* the command has it already: not handed on */
	bool end_now; /* revoke at once, leave the command one second */
};

/* The guardian's life, in the forked child. `sock' is its end; `lock' the
 * run's lock, inherited; `group' the process group for the command, 0
 * when it has no number in this PID namespace. */
_Noreturn void guardian_main(const struct run_request *rq, const char *id,
    int sock, int lock, pid_t group, const struct signals *caller,
    const struct descriptors *inherited);

#endif
