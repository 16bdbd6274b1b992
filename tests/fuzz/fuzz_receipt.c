/*
 * A receipt from a file.  What is read is unsigned, names neither issuer nor
 * audience as a token does, reads the same when it is written and read again,
 * and once it is over it stays so.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "receipt.h"

#define SOME_TIME INT64_C(1795985600)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const cJSON *receipt)
{
	scoped(free_json) cJSON *again = NULL;
	scoped(buf_free) struct buf text = {0}, back = {0};
	struct err e;

	json_print(receipt, &text);
	if (receipt_parse(buf_str(&text), text.len, &again, &e) < 0)
		abort();
	json_print(again, &back);
	if (strcmp(buf_str(&text), buf_str(&back)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(free_json) cJSON *receipt = NULL;
	struct err e;

	if (receipt_parse((const char *)data, size, &receipt, &e) < 0) {
		if (receipt != NULL || e.code != ERR_INVALID)
			abort();
		return 0;
	}
	if (!cJSON_IsTrue(json_get(receipt, "unsigned")) ||
	    json_get(receipt, "verified") != NULL ||
	    json_get(receipt, "iss") != NULL ||
	    json_get(receipt, "aud") != NULL)
		abort();
	if (receipt_is_over(receipt, SOME_TIME) &&
	    !receipt_is_over(receipt, SOME_TIME + 1))
		abort();
	check_again(receipt);
	return 0;
}
