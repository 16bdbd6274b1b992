#include "config.h"

#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void
out_of_memory(void)
{
	fputs("ephid: out of memory\n", stderr);
	exit(3);
}

/* Not realloc(): it may move the bytes and leave the old ones behind. */
static void
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap < 64 ? 64 : b->cap;
	char *p;

	while (cap < need) {
		if (cap > SIZE_MAX / 2)
			out_of_memory();
		cap *= 2;
	}
	p = xcalloc(cap, 1);
	if (b->len > 0)
		memcpy(p, b->ptr, b->len);
	if (b->ptr != NULL)
		explicit_bzero(b->ptr, b->cap);
	free(b->ptr);
	b->ptr = p;
	b->cap = cap;
}

char *
buf_room(struct buf *b, size_t n)
{
	if (n > SIZE_MAX - b->len - 1)
		out_of_memory();
	if (b->cap < b->len + n + 1)
		grow(b, b->len + n + 1);
	return b->ptr + b->len;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	char *room = buf_room(b, n);

	if (n > 0)
		memcpy(room, p, n);
	b->len += n;
	b->ptr[b->len] = '\0';
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	buf_room(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
buf_trim(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	explicit_bzero(b->ptr + len, b->len - len);
	b->len = len;
}

const char *
buf_str(const struct buf *b)
{
	return b->ptr != NULL ? b->ptr : "";
}

char *
buf_steal(struct buf *b)
{
	char *p = b->ptr != NULL ? b->ptr : xstrdup("");

	*b = (struct buf){0};
	return p;
}

void
buf_free(struct buf *b)
{
	if (b->ptr != NULL)
		explicit_bzero(b->ptr, b->cap);
	free(b->ptr);
	*b = (struct buf){0};
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n > 0 ? n : 1, size > 0 ? size : 1);
	if (p == NULL)
		out_of_memory();
	return p;
}

char *
xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xcalloc(n, 1), s, n);
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		out_of_memory();
	va_end(ap);
	return s;
}

void
free_string(char **s)
{
	free(*s);
}
