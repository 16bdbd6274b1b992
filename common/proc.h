/*
 * proc - what /proc says about processes.
 *
 * Pids are only looked at, or signalled while their parent (we) has not
 * reaped them, so they cannot be another's by then.  They are those of our
 * PID namespace, also where /proc has an outer one's.
 */
#ifndef EPHID_PROC_H
#define EPHID_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "identity.h"

/* Fills in who we are: pid, start time, PID namespace, boot id. */
int proc_self(struct holder *out, struct err *e);

/* Parent and start time of a process; -1 when it is gone. */
int proc_stat(pid_t pid, pid_t *parent, uint64_t *start);

/* Whether it was stopped by a signal and not continued. */
bool proc_is_stopped(pid_t pid);

/* A list that grows; free it with pids_free. */
struct pids {
	pid_t *list;
	size_t n, cap;
};
void pids_add(struct pids *p, pid_t pid);
bool pids_has(const struct pids *p, pid_t pid);
void pids_free(struct pids *p);

/* Direct children of pid (all its threads'); reads .../children where the
 * kernel has it, else every /proc/N/stat. 0 or -1. */
int proc_children(pid_t pid, struct pids *out, struct err *e);
/* Children, their children, and so on, less those in `spare' (may be NULL)
 * and what is below them. */
int proc_descendants(pid_t pid, const struct pids *spare, struct pids *out,
    struct err *e);
/* What the process is called (16 bytes at most), "?" when it is gone. */
void proc_name(pid_t pid, char *out, size_t n);

#endif
