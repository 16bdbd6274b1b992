/*
 * The first line is a scope, the second another.  What passes is canonical:
 * it passes again unchanged, covers itself and covers none; and what one
 * covers of the other does not depend on how either was written.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* 1 when it passes, and is then canonical in *out. */
static int
parse(const char *text, struct buf *out)
{
	scoped(buf_free) struct buf again = {0};
	struct err e = {0};

	if (scope_parse(text, out, &e) < 0) {
		must(e.text[0] != '\0');
		return 0;
	}
	must(scope_parse(buf_str(out), &again, &e) == 0);
	must(strcmp(buf_str(out), buf_str(&again)) == 0);
	must(scope_covers(buf_str(out), buf_str(out), NULL));
	must(scope_covers(buf_str(out), "", NULL));
	return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(free_string) char *text = xasprintf("%.*s", (int)size, data);
	scoped(buf_free) struct buf outer = {0}, inner = {0}, missing = {0};
	char *second = strchr(text, '\n');

	if (second != NULL)
		*second++ = '\0';
	if (!parse(text, &outer) || second == NULL || !parse(second, &inner))
		return 0;
	must(scope_covers(buf_str(&outer), buf_str(&inner), &missing) ==
	    (missing.len == 0));
	return 0;
}
