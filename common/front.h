/*
 * front - the pid the caller knows: starts the guardian, hands on signals,
 * and at the end becomes what the command was.
 *
 * Front opens no ledger while the guardian lives.  Should the guardian be
 * killed, front revokes the run by its id, ends what the guardian left to it
 * and exits 125.
 */
#ifndef EPHID_FRONT_H
#define EPHID_FRONT_H

#include "err.h"
#include "guardian.h"

/* Runs the request to its end. Does not return: mirrors the command's status,
 * or prints one line and exits 125, 126 or 127. */
_Noreturn void front_run(const struct run_request *rq);

#endif
