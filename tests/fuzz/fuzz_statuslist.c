/*
 * The first byte is the width, the rest the text of a list.  What is read can
 * be written and read again as the same list.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "statuslist.h"

#define LIMIT 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const struct statuslist *s)
{
	scoped(statuslist_free) struct statuslist again = {0};
	scoped(buf_free) struct buf lst = {0};
	struct err e;

	if (statuslist_encode(s, &lst, &e) < 0 ||
	    statuslist_decode(lst.ptr, lst.len, s->bits, LIMIT, &again, &e) < 0)
		abort();
	if (again.size != s->size ||
	    memcmp(again.bytes, s->bytes, (size_t)s->size * s->bits / 8) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(statuslist_free) struct statuslist s = {0};
	struct err e;

	if (size == 0 ||
	    statuslist_decode((const char *)data + 1, size - 1,
		(unsigned)(data[0] - '0'), LIMIT, &s, &e) < 0)
		return 0;
	if (statuslist_get(&s, s.size) != -1 ||
	    (s.size > 0 && statuslist_get(&s, s.size - 1) < 0))
		abort();
	check_again(&s);
	return 0;
}
