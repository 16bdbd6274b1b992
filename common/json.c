#include "config.h"

#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* cJSON copies a number into 64 bytes and reads a longer one in two halves. */
#define NUMBER_MAX 63

struct scan {
	const char *at, *end;
	const char *why; /* of a failure; never a piece of the text */
	int line, depth;
	/* Values are counted in document order; the line of one is noted. */
	size_t seen, wanted;
	int wanted_line;
};

static int
bad(struct scan *s, const char *why)
{
	s->why = why;
	return -1;
}

static void
skip_space(struct scan *s)
{
	for (; s->at < s->end; s->at++) {
		if (*s->at == '\n')
			s->line++;
		else if (*s->at != ' ' && *s->at != '\t' && *s->at != '\r')
			return;
	}
}

static bool
at_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool
take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of the \uXXXX at s->at, or -1. */
static int
take_unit(struct scan *s)
{
	int unit = 0, v;

	if (s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		if ((v = hex_value(s->at[i])) < 0)
			return -1;
		unit = unit << 4 | v;
	}
	s->at += 6;
	return unit;
}

static int
scan_escape(struct scan *s)
{
	int unit, low;

	if (s->end - s->at >= 2 && memchr("\"\\/bfnrt", s->at[1], 8) != NULL) {
		s->at += 2;
		return 0;
	}
	if ((unit = take_unit(s)) < 0)
		return bad(s, "bad escape in a string");
	if (unit == 0)
		return bad(s, "NUL in a string");
	if (unit < 0xd800 || unit > 0xdfff)
		return 0;
	low = unit < 0xdc00 ? take_unit(s) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return bad(s, "lone surrogate in a string");
	return 0;
}

/* One character beyond ASCII, by the table of RFC 3629 section 4. */
static int
scan_utf8(struct scan *s)
{
	const unsigned char *p = (const unsigned char *)s->at;
	unsigned char low = 0x80, high = 0xbf;
	int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;

	if (*p < 0xc2 || *p > 0xf4 || s->end - s->at <= more)
		return bad(s, "invalid UTF-8");
	if (*p == 0xe0)
		low = 0xa0; /* overlong */
	if (*p == 0xed)
		high = 0x9f; /* surrogates */
	if (*p == 0xf0)
		low = 0x90; /* overlong */
	if (*p == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	if (p[1] < low || p[1] > high)
		return bad(s, "invalid UTF-8");
	for (int i = 2; i <= more; i++)
		if ((p[i] & 0xc0) != 0x80)
			return bad(s, "invalid UTF-8");
	s->at += more + 1;
	return 0;
}

static int
scan_string(struct scan *s)
{
	if (!take(s, '"'))
		return bad(s, "expected a string");
	while (s->at < s->end) {
		unsigned char c = (unsigned char)*s->at;

		if (take(s, '"'))
			return 0;
		if (c < 0x20)
			return bad(s, "control character in a string");
		if (c == '\\') {
			if (scan_escape(s) < 0)
				return -1;
		} else if (c >= 0x80) {
			if (scan_utf8(s) < 0)
				return -1;
		} else
			s->at++;
	}
	return bad(s, "ends within a string");
}

static int
scan_digits(struct scan *s)
{
	if (!at_digit(s))
		return bad(s, "bad number");
	while (at_digit(s))
		s->at++;
	return 0;
}

static int
scan_number(struct scan *s)
{
	const char *start = s->at;

	take(s, '-');
	if (!take(s, '0') && scan_digits(s) < 0)
		return -1;
	if (take(s, '.') && scan_digits(s) < 0)
		return -1;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '-'))
			take(s, '+');
		if (scan_digits(s) < 0)
			return -1;
	}
	if (s->at - start > NUMBER_MAX)
		return bad(s, "number of over 63 characters");
	return 0;
}

static int
scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
		return bad(s, "expected a value");
	s->at += n;
	return 0;
}

static int scan_value(struct scan *s, int line);

static int
scan_member(struct scan *s)
{
	int line = s->line;

	if (scan_string(s) < 0)
		return -1;
	skip_space(s);
	if (!take(s, ':'))
		return bad(s, "expected ':'");
	skip_space(s);
	return scan_value(s, line);
}

/* What is between brackets: members of an object, elements of an array. */
static int
scan_inside(struct scan *s, char close)
{
	if (++s->depth > JSON_DEPTH_MAX)
		return bad(s, "nested too deeply");
	s->at++;
	skip_space(s);
	if (!take(s, close)) {
		do {
			skip_space(s);
			if ((close == '}' ? scan_member(s)
					  : scan_value(s, s->line)) < 0)
				return -1;
			skip_space(s);
		} while (take(s, ','));
		if (!take(s, close))
			return bad(s,
			    close == '}' ? "expected ',' or '}'"
					 : "expected ',' or ']'");
	}
	s->depth--;
	return 0;
}

static int
scan_value(struct scan *s, int line)
{
	if (s->seen++ == s->wanted)
		s->wanted_line = line;
	if (s->at == s->end)
		return bad(s, "ends where a value was expected");
	switch (*s->at) {
	case '{':
		return scan_inside(s, '}');
	case '[':
		return scan_inside(s, ']');
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		if (*s->at == '-' || at_digit(s))
			return scan_number(s);
		return bad(s, "expected a value");
	}
}

static int
scan_text(struct scan *s)
{
	skip_space(s);
	if (scan_value(s, s->line) < 0)
		return -1;
	skip_space(s);
	return s->at == s->end ? 0 : bad(s, "something after the value");
}

static int
compare_names(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp((*x)->string, (*y)->string);
}

/* Names are compared as cJSON unescaped them: "a" and "\u0061" are one.
 * Returns the second of two alike, or NULL. */
static const cJSON *
find_duplicate(const cJSON *object)
{
	const cJSON *member, *found = NULL, **sorted;
	size_t n = 0;

	cJSON_ArrayForEach (member, object)
		n++;
	if (n < 2)
		return NULL;
	sorted = xreallocarray(NULL, n, sizeof(*sorted));
	n = 0;
	cJSON_ArrayForEach (member, object)
		sorted[n++] = member;
	qsort(sorted, n, sizeof(*sorted), compare_names);
	for (size_t i = 1; i < n && found == NULL; i++)
		if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
			found = sorted[i];
	free(sorted);
	return found;
}

static const char twice[] = "the same name twice in one object";

/* What only the tree shows. Returns the culprit with *why, or NULL. */
static const cJSON *
find_fault(const cJSON *value, const char **why)
{
	const cJSON *child, *found = NULL;

	if (cJSON_IsNumber(value) && !isfinite(value->valuedouble)) {
		*why = "number too large";
		return value;
	}
	if (cJSON_IsObject(value) && (found = find_duplicate(value)) != NULL) {
		*why = twice;
		return found;
	}
	cJSON_ArrayForEach (child, value)
		if ((found = find_fault(child, why)) != NULL)
			return found;
	return NULL;
}

cJSON *
json_parse(const char *text, size_t len, struct err *e)
{
	struct scan s = {
	    .at = text, .end = text + len, .line = 1, .wanted = SIZE_MAX};
	const cJSON *culprit;
	cJSON *root;
	const char *why;

	if (scan_text(&s) < 0) {
		err_set(e, ERR_INVALID, "line %d: %s", s.line, s.why);
		return NULL;
	}
	root = cJSON_ParseWithLengthOpts(text, len, NULL, 0);
	if (root == NULL) {
		err_set(e, ERR_SYSTEM, "cannot hold the JSON text in memory");
		return NULL;
	}
	if ((culprit = find_fault(root, &why)) != NULL) {
		err_set(e, ERR_INVALID, "line %d: %s",
		    json_line_of(text, len, root, culprit), why);
		cJSON_Delete(root);
		return NULL;
	}
	return root;
}

char *
json_twice(const char *text, size_t len)
{
	struct scan s = {
	    .at = text, .end = text + len, .line = 1, .wanted = SIZE_MAX};
	scoped(free_json) cJSON *root = NULL;
	const cJSON *culprit = NULL;
	const char *why = NULL;

	if (scan_text(&s) == 0)
		root = cJSON_ParseWithLengthOpts(text, len, NULL, 0);
	if (root != NULL)
		culprit = find_fault(root, &why);
	return why == twice ? xstrdup(culprit->string) : NULL;
}

/* Counts the values before `node' in *index; false when it is not below. */
static bool
find_index(const cJSON *value, const cJSON *node, size_t *index)
{
	const cJSON *child;

	if (value == node)
		return true;
	++*index;
	cJSON_ArrayForEach (child, value)
		if (find_index(child, node, index))
			return true;
	return false;
}

int
json_line_of(const char *text, size_t len, const cJSON *root, const cJSON *node)
{
	struct scan s = {.at = text, .end = text + len, .line = 1};

	/* The tree has the order of the text. */
	if (!find_index(root, node, &s.wanted))
		return 1;
	scan_text(&s);
	return s.wanted_line;
}

const cJSON *
json_get(const cJSON *object, const char *name)
{
	if (!cJSON_IsObject(object))
		return NULL;
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *
json_string(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(json_get(object, name));
}

int
json_int(const cJSON *object, const char *name, int64_t *out)
{
	return json_to_int(json_get(object, name), out);
}

int
json_to_int(const cJSON *number, int64_t *out)
{
	double d;

	if (!cJSON_IsNumber(number) || !isfinite(number->valuedouble))
		return -1;
	/* Not valueint, which stops at INT_MAX. */
	d = floor(number->valuedouble);
	if (fabs(d) > (double)JSON_INT_MAX)
		return -1;
	*out = (int64_t)d;
	return 0;
}

/* xcalloc() knows how to die when memory is out. */
static void
must(bool done)
{
	if (!done)
		xcalloc(SIZE_MAX, 1);
}

cJSON *
json_object(void)
{
	cJSON *object = cJSON_CreateObject();

	must(object != NULL);
	return object;
}

cJSON *
json_array(void)
{
	cJSON *array = cJSON_CreateArray();

	must(array != NULL);
	return array;
}

bool
json_has_string(const cJSON *array, const char *text)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, array)
		if (cJSON_IsString(item) && strcmp(item->valuestring, text) == 0)
			return true;
	return false;
}

void
json_add(cJSON *object, const char *name, cJSON *value)
{
	must(cJSON_AddItemToObject(object, name, value));
}

void
json_add_string(cJSON *object, const char *name, const char *value)
{
	json_add(object, name, cJSON_CreateString(value));
}

void
json_add_int(cJSON *object, const char *name, int64_t value)
{
	json_add(object, name, cJSON_CreateNumber((double)value));
}

void
json_add_bool(cJSON *object, const char *name, bool value)
{
	json_add(object, name, cJSON_CreateBool(value));
}

void
json_add_null(cJSON *object, const char *name)
{
	json_add(object, name, cJSON_CreateNull());
}

void
json_add_text(cJSON *object, const char *name, const char *text)
{
	if (text != NULL)
		json_add_string(object, name, text);
	else
		json_add_null(object, name);
}

void
json_add_time(cJSON *object, const char *name, int64_t t)
{
	char stamp[CLOCK_STAMP_MAX];

	json_add_text(object, name, t != 0 ? clock_stamp(t, stamp) : NULL);
}

void
json_push_string(cJSON *array, const char *value)
{
	must(cJSON_AddItemToArray(array, cJSON_CreateString(value)));
}

static void
print_string(const char *s, struct buf *out)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found;

	buf_addc(out, '"');
	for (; *s != '\0'; s++) {
		if ((found = strchr(from, *s)) != NULL) {
			buf_addc(out, '\\');
			buf_addc(out, to[found - from]);
		} else if ((unsigned char)*s < 0x20)
			buf_addf(out, "\\u%04x", (unsigned)*s);
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

/* cJSON prints 15 digits, which is not enough for every integer we take. */
static void
print_number(const cJSON *number, struct buf *out)
{
	char text[40];
	double d = number->valuedouble;
	int64_t n;
	int digits = 15;

	if (json_to_int(number, &n) == 0 && (double)n == d) {
		buf_addf(out, "%lld", (long long)n);
		return;
	}
	if (!isfinite(d)) {
		buf_adds(out, "null");
		return;
	}
	do
		snprintf(text, sizeof text, "%.*g", digits, d);
	while (strtod(text, NULL) != d && ++digits <= 17);
	for (const char *s = text; *s != '\0';) {
		size_t run = strspn(s, "+-0123456789e");

		/* Anything else is the locale's decimal point. */
		buf_add(out, s, run);
		if (s[run] != '\0')
			buf_addc(out, '.');
		s += run;
		s += strcspn(s, "+-0123456789e");
	}
}

void
json_print(const cJSON *value, struct buf *out)
{
	bool object = cJSON_IsObject(value);
	const cJSON *child;

	if (cJSON_IsString(value))
		print_string(value->valuestring, out);
	else if (cJSON_IsNumber(value))
		print_number(value, out);
	else if (cJSON_IsBool(value))
		buf_adds(out, cJSON_IsTrue(value) ? "true" : "false");
	else if (!object && !cJSON_IsArray(value))
		buf_adds(out, "null");
	else {
		buf_addc(out, object ? '{' : '[');
		cJSON_ArrayForEach (child, value) {
			if (child != value->child)
				buf_addc(out, ',');
			if (object) {
				print_string(child->string, out);
				buf_addc(out, ':');
			}
			json_print(child, out);
		}
		buf_addc(out, object ? '}' : ']');
	}
}

void
free_json(cJSON **value)
{
	cJSON_Delete(*value);
	*value = NULL;
}
