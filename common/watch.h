/*
 * watch - waiting until somebody wrote to a home, without polling it.
 *
 * Each commit writes the file `witness' beside the ledger (ledger.h) after it
 * became visible, so an inotify event of the folder means: read again.  Many
 * events may be one change, and one is never lost between watch_open() and
 * watch_wait().
 */
#ifndef EPHID_WATCH_H
#define EPHID_WATCH_H

#include <stdbool.h>

#include "err.h"
#include "home.h"

/* *fd is close-on-exec and the caller's. */
int watch_open(const struct home *home, int *fd, struct err *e);
/* 1 when something was written, 0 when there is nothing to wait for any more
 * (`reader', a pipe's writing end or -1, has lost its reader, or the folder
 * is gone), -1. */
int watch_wait(int fd, int reader, struct err *e);
/* For who polls fd itself: takes all that is queued, before reading what was
 * written. False when the folder is gone. */
bool watch_take(int fd);

#endif
