#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A refusal leaves no tree; what passes is an object. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(free_json) cJSON *tree = NULL;
	struct err e;
	int rc =
	    settings_check("config.json", (const char *)data, size, &tree, &e);

	if (rc == 0 ? !cJSON_IsObject(tree) : tree != NULL)
		abort();
	return 0;
}
