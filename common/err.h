/*
 * err - what went wrong, said once.
 *
 * A function that can fail returns 0, or -1 with *e filled at the point where
 * the fact is known.  Callers hand the same *e upwards; one that knows which
 * thing it was about may put that in front with err_in().  Only floors 4 and
 * 5 print it or exit.  Bugs are assert(); running out of memory ends the
 * process (buf.h): the guardian is another process and survives it.
 *
 * The text is lower case, without a full stop, and names the thing:
 * "cannot read '/etc/ephid/config.json': Permission denied".  It never holds
 * a secret, nor a rejected value that might be one.
 */
#ifndef EPHID_ERR_H
#define EPHID_ERR_H

#define PRINTF(fmt, args)                                                     \
	__attribute__((format(printf, fmt, args), nonnull(fmt)))

enum err_code {
	ERR_NONE,
	ERR_USAGE,   /* the request makes no sense */
	ERR_INVALID, /* the object does not verify, or is not what it claims */
	ERR_DENIED,  /* policy or lineage forbids it */
	ERR_MISSING, /* no such thing */
	ERR_SYSTEM,  /* the machine failed us: IO, memory limits, a full disk */
	ERR_REMOTE   /* another server failed us */
};

struct err {
	enum err_code code;
	char text[512]; /* cut when longer, always terminated */
};

/* All three return -1, so that one can write: return err_set(e, ...); */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    PRINTF(3, 4);
/* As err_set() with ERR_SYSTEM, followed by ": " and strerror(errno). */
int err_sys(struct err *e, const char *fmt, ...) PRINTF(2, 3);
/* Puts "fmt: " in front of what *e says. */
int err_in(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* 1 no, 2 usage, 3 system, 4 remote: the same in every program but wrap. */
int err_exit_status(enum err_code code);

#endif
