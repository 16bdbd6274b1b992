/*
 * buf - the one owner of bytes.
 *
 * A buf starts as {0} and grows as it is added to.  Its memory is wiped
 * whenever it moves or is freed, so any buf may hold a secret and nobody has
 * to remember which one does.  ptr[len] is always 0 once something was added,
 * so ptr is a C string when the content has no NUL; buf_str() is "" for an
 * empty one.
 *
 *	scoped(buf_free) struct buf token = {0};
 *	buf_addf(&token, "%s.%s", header, payload);
 *
 * Running out of memory prints one line and ends the process with status 3.
 */
#ifndef EPHID_BUF_H
#define EPHID_BUF_H

#include <stddef.h>

#include "err.h"

/* Runs fn(&variable) when the variable leaves its scope. */
#define scoped(fn) __attribute__((cleanup(fn)))

struct buf {
	char *ptr;
	size_t len, cap;
};

void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Makes room for n more bytes and returns where they go; the caller fills
 * them and adds to len itself (at most n), keeping room for the final 0. */
char *buf_room(struct buf *b, size_t n);
void buf_trim(struct buf *b, size_t len); /* wipes what is cut off */
const char *buf_str(const struct buf *b);
/* Hands the memory to the caller, who frees it; *b is empty after it. */
char *buf_steal(struct buf *b);
void buf_free(struct buf *b);

/* These never return NULL. */
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);

void free_string(char **s); /* for scoped(): not for secrets */

#endif
