/*
 * Durations: what passes is not negative, and of whole seconds the shortest
 * spelling is that duration again.  The first bytes are a point in time, too,
 * whose stamp is one line of its size.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check_stamp(const uint8_t *data, size_t size)
{
	char stamp[CLOCK_STAMP_MAX];
	int64_t t;

	if (size < sizeof t)
		return;
	memcpy(&t, data, sizeof t);
	must(clock_stamp(t, stamp) == stamp);
	must(strlen(stamp) < sizeof stamp && strpbrk(stamp, " \n") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(free_string) char *text = xasprintf("%.*s", (int)size, data);
	char spelt[CLOCK_DURATION_MAX];
	struct err e = {0};
	int64_t ms, again;

	check_stamp(data, size);
	if (clock_parse_duration(text, &ms, &e) < 0) {
		must(e.text[0] != '\0');
		return 0;
	}
	must(ms >= 0);
	clock_duration(ms / CLOCK_SECOND, spelt);
	must(clock_parse_duration(spelt, &again, &e) == 0);
	must(again == ms / CLOCK_SECOND * CLOCK_SECOND);
	return 0;
}
