/*
 * supervise - signals, children, and how a process tree ends.
 *
 * Shared by front and guardian, each of which is a child subreaper and can
 * finish the other's work.
 */
#ifndef EPHID_SUPERVISE_H
#define EPHID_SUPERVISE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"
#include "proc.h"

/* The caller's signal mask and dispositions, to be given to the command as
 * they were. Only the mask and SIGCHLD's are ever changed here. */
struct signals {
	sigset_t mask;
	bool ignored[65];
};
void signals_save(struct signals *s);
void signals_restore(const struct signals *s); /* async-signal-safe */

/* Blocks what a supervisor acts on and returns a signalfd for it. Left alone
 * are faults and, with `caller', what the caller ignored (nohup): a blocked
 * signal would reach us all the same. SIGCHLD gets its default action back,
 * for ignoring it loses the status. */
int signals_capture(const struct signals *caller, int *fd, struct err *e);

/* TERM, INT, HUP and QUIT: who sends one wants the run to be over. */
bool signals_ask_for_the_end(int sig);
/* Whether the terminal made it, for its whole foreground group. The kernel
 * makes others for one process alone, such as that of an alarm(2) which the
 * caller set before the exec that made us. */
bool signal_is_terminals(const struct signalfd_siginfo *si);

/* "TERM", as kill(1) has it. */
#define SIGNAL_NAME_MAX 32
const char *signal_name(int sig, char out[static SIGNAL_NAME_MAX]);

/* What the caller left open to us beyond the standard three, noted before we
 * open anything, and let go once the command has it: a pipe that we held
 * would never end for who reads or writes it. */
struct descriptors {
	int *list;
	size_t n;
};
void descriptors_note(struct descriptors *d);
/* Closes those and puts /dev/null in the place of the standard ones, but
 * `keep' (-1: none). */
void descriptors_drop(const struct descriptors *d, int keep);

/* Ends every process below us but those in `spare': `first' (SIGTERM or
 * SIGKILL), and after grace_ms SIGKILL, until none is left, all that remain
 * refuse signals, or 5 s after the KILL. Reaps them. TERM spares what a
 * process that got it starts to tidy up with. What remains is named in
 * *left ("pid 71 (sudo)"), empty when none. */
int supervise_end_tree(int first, int64_t grace_ms, const struct pids *spare,
    struct buf *left, struct err *e);

/* Names every process below us in *left, as above, and counts them. */
int supervise_name_tree(struct buf *left, size_t *n, struct err *e);

/* Stops as the command did, unless that goes on already. Takes a waitid(2)
 * result; returns when we are continued. */
void supervise_stop_as(const siginfo_t *stop, const struct signals *caller);

/* Becomes what the command was: exits with its status, or dies of the same
 * signal without leaving a second core; as PID 1, or if that fails, exits
 * 128+n. Takes a waitid(2) result. */
_Noreturn void supervise_mirror(const siginfo_t *end);

#endif
