/*
 * What passes the gate prints, and what was printed passes again unchanged.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_lines(const char *text, size_t n, const cJSON *root, const cJSON *value)
{
	const cJSON *child;

	if (json_line_of(text, n, root, value) < 1)
		abort();
	cJSON_ArrayForEach (child, value)
		check_lines(text, n, root, child);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(free_json) cJSON *value = NULL, *again = NULL;
	scoped(buf_free) struct buf once = {0}, twice = {0};
	const char *text = (const char *)data;
	struct err e = {0};

	if ((value = json_parse(text, size, &e)) == NULL) {
		if (e.code != ERR_INVALID || strncmp(e.text, "line ", 5) != 0)
			abort();
		return 0;
	}
	if (size < 4096)
		check_lines(text, size, value, value);
	json_print(value, &once);
	if ((again = json_parse(once.ptr, once.len, &e)) == NULL)
		abort();
	json_print(again, &twice);
	if (strcmp(once.ptr, twice.ptr) != 0)
		abort();
	return 0;
}
