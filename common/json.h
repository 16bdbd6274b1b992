/*
 * json - the one gate through which JSON enters.
 *
 * cJSON taken at its word lets through what confuses claims: duplicate names
 * (the first wins), names in another case, trailing bytes, invalid UTF-8,
 * "\u0000" that cuts a string short, leading zeros, numbers beyond 2^53.
 * json_parse() is therefore the only caller of cJSON_Parse*, and nothing else
 * looks members up with cJSON_GetObjectItem(): the getters here are exact.
 *
 * Beyond the gate the cJSON tree is used as it is; the caller owns it.
 */
#ifndef EPHID_JSON_H
#define EPHID_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define JSON_DEPTH_MAX 16
#define JSON_INT_MAX INT64_C(9007199254740991) /* 2^53 - 1 */

/* One RFC 8259 value and nothing after it but white space: valid UTF-8, no
 * NUL in any spelling, no lone surrogates, unique names in each object, at
 * most 16 levels, finite numbers. NULL with *e (ERR_INVALID, "line N: ...",
 * and never a piece of the text). */
cJSON *json_parse(const char *text, size_t len, struct err *e);
/* For who may say a piece of the text: the name that json_parse() refused it
 * for, because one object has it twice, or NULL. The caller frees it. */
char *json_twice(const char *text, size_t len);

/* The line (from 1) of text on which `node' of the tree parsed from it
 * begins; for a member of an object, that of its name. */
int json_line_of(const char *text, size_t len, const cJSON *root,
    const cJSON *node);

/* Members by exact name; NULL, false or -1 when absent or of another type.
 * Strings are borrowed from the tree. json_int takes a number that is finite
 * and within 2^53, floored (RFC 7519 allows fractions in a NumericDate). */
const cJSON *json_get(const cJSON *object, const char *name);
const char *json_string(const cJSON *object, const char *name);
int json_int(const cJSON *object, const char *name, int64_t *out);
int json_to_int(const cJSON *number, int64_t *out);
/* Is `text' one of the strings of an array? NULL has none. */
bool json_has_string(const cJSON *array, const char *text);

/* Building: these take no NULL strings and die when memory runs out. */
cJSON *json_object(void);
cJSON *json_array(void);
void json_add_string(cJSON *object, const char *name, const char *value);
void json_add_int(cJSON *object, const char *name, int64_t value);
void json_add_bool(cJSON *object, const char *name, bool value);
void json_add_null(cJSON *object, const char *name);
/* What there may not be: null for NULL, and for the time 0, which otherwise is
 * RFC 3339 in UTC. */
void json_add_text(cJSON *object, const char *name, const char *text);
void json_add_time(cJSON *object, const char *name, int64_t t);
void json_add(cJSON *object, const char *name, cJSON *value); /* takes it */
void json_push_string(cJSON *array, const char *value);

/* Adds the value in its shortest form, on one line. */
void json_print(const cJSON *value, struct buf *out);

void free_json(cJSON **value); /* for scoped() */

#endif
