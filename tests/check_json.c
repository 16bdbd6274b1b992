#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

/* Exactly as long as the text, so that the sanitizer sees one byte more. */
static cJSON *
parse_bytes(const char *text, size_t n, struct err *e)
{
	char *copy = malloc(n > 0 ? n : 1);
	cJSON *value;

	memcpy(copy, text, n);
	value = json_parse(copy, n, e);
	free(copy);
	return value;
}

static cJSON *
parse(const char *text, struct err *e)
{
	return parse_bytes(text, strlen(text), e);
}

static const char *const accepted[] = {
    "0",
    "-0",
    "1.5e-7",
    " [ ] ",
    "{}",
    "true",
    "null",
    "\"\"",
    "{\"\":1}",
    "\"\\u00e9\\ud83d\\ude00\\/\"",
    "\"\xc3\xa9\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf\"",
    "\"\x7f\"",
    "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
    "{\"a\":1,\"A\":2}",
    "[{\"a\":1},{\"a\":1}]",
    "\t\r\n{\"a\" : [ 1 , 2 ] }\n",
};

static const struct {
	const char *text, *why;
} refused[] = {
    {"", "ends where a value"},
    {" ", "ends where a value"},
    {"{\"a\":1}x", "something after"},
    {"1 2", "something after"},
    {"01", "something after"},
    {"-", "bad number"},
    {"+1", "expected a value"},
    {".5", "expected a value"},
    {"1.", "bad number"},
    {"1e", "bad number"},
    {"1e400", "too large"},
    {"-1e400", "too large"},
    {"NaN", "expected a value"},
    {"Infinity", "expected a value"},
    {"0x10", "something after"},
    {"1234567890123456789012345678901234567890123456789012345678901234",
	"over 63"},
    {"nul", "expected a value"},
    {"True", "expected a value"},
    {"'a'", "expected a value"},
    {"[1,]", "expected a value"},
    {"[1", "expected ',' or ']'"},
    {"[", "ends where a value"},
    {"{", "expected a string"},
    {"{\"a\"", "expected ':'"},
    {"{\"a\":", "ends where a value"},
    {"{\"a\":1", "expected ',' or '}'"},
    {"{\"a\":1,}", "expected a string"},
    {"{\"a\" 1}", "expected ':'"},
    {"{a:1}", "expected a string"},
    {"[1]]", "something after"},
    {"/**/1", "expected a value"},
    {"\xef\xbb\xbf{}", "expected a value"},
    {"\"a", "ends within"},
    {"\"\\", "bad escape"},
    {"\"\\x\"", "bad escape"},
    {"\"\\u12\"", "bad escape"},
    {"\"\\u12g4\"", "bad escape"},
    {"\"\\u0000\"", "NUL"},
    {"{\"a\\u0000b\":1}", "NUL"},
    {"\"\\ud800\"", "lone surrogate"},
    {"\"\\ud800x\"", "lone surrogate"},
    {"\"\\ud800\\u0041\"", "lone surrogate"},
    {"\"\\ud800\\ud800\"", "lone surrogate"},
    {"\"\\udc00\"", "lone surrogate"},
    {"\"a\nb\"", "control"},
    {"\"a\x01\"", "control"},
    {"\"\x80\"", "UTF-8"},
    {"\"\xc0\x80\"", "UTF-8"},
    {"\"\xc1\xbf\"", "UTF-8"},
    {"\"\xe0\x80\x80\"", "UTF-8"},
    {"\"\xed\xa0\x80\"", "UTF-8"},
    {"\"\xf0\x80\x80\x80\"", "UTF-8"},
    {"\"\xf4\x90\x80\x80\"", "UTF-8"},
    {"\"\xf5\x80\x80\x80\"", "UTF-8"},
    {"\"\xc3\"", "UTF-8"},
    {"\"\xf0\x9f\x98", "UTF-8"},
    {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "too deeply"},
    {"{\"a\":1,\"a\":1}", "the same name twice"},
    {"{\"a\":1,\"b\":2,\"\\u0061\":3}", "the same name twice"},
    {"[{\"x\":{\"y\":1,\"z\":2,\"y\":3}}]", "the same name twice"},
    {"{\"\":1,\"\":2}", "the same name twice"},
};

START_TEST(takes_what_is_json)
{
	struct err e;
	cJSON *value = parse(accepted[_i], &e);

	ck_assert_msg(value != NULL, "%s: %s", accepted[_i], e.text);
	cJSON_Delete(value);
}
END_TEST

START_TEST(refuses_what_is_not)
{
	struct err e = {0};
	cJSON *value = parse(refused[_i].text, &e);

	ck_assert_msg(value == NULL, "taken: %s", refused[_i].text);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_msg(strstr(e.text, refused[_i].why) != NULL, "%s: %s",
	    refused[_i].text, e.text);
	ck_assert_int_eq(strncmp(e.text, "line 1: ", 8), 0);
}
END_TEST

START_TEST(refuses_nul_bytes)
{
	struct err e;

	ck_assert_ptr_null(parse_bytes("\"a\0b\"", 5, &e));
	ck_assert_ptr_null(parse_bytes("{}\0", 3, &e));
	ck_assert_ptr_null(parse_bytes("\0{}", 3, &e));
}
END_TEST

START_TEST(errors_name_the_line)
{
	struct err e;

	ck_assert_ptr_null(parse("{\n \"a\": 1,\n \"b\": x\n}", &e));
	ck_assert_str_eq(e.text, "line 3: expected a value");
	ck_assert_ptr_null(parse("{\n \"a\": 1,\n \"b\": 2,\n\"a\":3}", &e));
	ck_assert_str_eq(e.text, "line 4: the same name twice in one object");
	ck_assert_ptr_null(parse("[1,\n\n9e999]", &e));
	ck_assert_str_eq(e.text, "line 3: number too large");
}
END_TEST

/* Errors hold no piece of the text; who may say the name asks for it. */
START_TEST(a_name_that_is_twice_is_told)
{
	static const struct {
		const char *text, *name;
	} all[] = {
	    {"{\"a\":1,\"b\":2,\"\\u0062\":3}", "b"},
	    {"[{\"x\":{\"y\":1,\"z\":2,\"y\":3}}]", "y"},
	    {"{\"a\":1,\"b\":2}", NULL},
	    {"{\"a\":1,\"b\":9e999}", NULL},
	    {"{\"a\":1,\"a\":2", NULL}, /* cut */
	    {"", NULL},
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		scoped(free_string) char *name =
		    json_twice(all[i].text, strlen(all[i].text));

		ck_assert_pstr_eq(name, all[i].name);
	}
}
END_TEST

START_TEST(finds_the_line_of_a_node)
{
	static const char text[] =
	    "{\"a\":\n [1,\n  {\"b\":\n  2}],\n\"c\"\n:3}";
	struct err e;
	cJSON *root = parse(text, &e);
	const cJSON *a = json_get(root, "a");
	const cJSON *b = json_get(cJSON_GetArrayItem(a, 1), "b");
	size_t n = strlen(text);

	ck_assert_int_eq(json_line_of(text, n, root, root), 1);
	ck_assert_int_eq(json_line_of(text, n, root, a), 1);
	ck_assert_int_eq(json_line_of(text, n, root, a->child), 2);
	ck_assert_int_eq(json_line_of(text, n, root, a->child->next), 3);
	ck_assert_int_eq(json_line_of(text, n, root, b), 3);
	ck_assert_int_eq(json_line_of(text, n, root, json_get(root, "c")), 5);
	cJSON_Delete(root);
}
END_TEST

START_TEST(members_are_exact)
{
	struct err e;
	cJSON *o = parse("{\"Iss\":\"x\",\"n\":12.9,\"m\":-1.5,\"s\":\"t\","
			 "\"big\":9007199254740993,\"max\":9007199254740991,"
			 "\"z\":null}",
	    &e);
	int64_t n = 0;

	ck_assert_ptr_null(json_get(o, "iss"));
	ck_assert_str_eq(json_string(o, "Iss"), "x");
	ck_assert_ptr_null(json_string(o, "n"));
	ck_assert_ptr_null(json_string(o, "z"));
	ck_assert_int_eq(json_int(o, "n", &n), 0);
	ck_assert_int_eq(n, 12);
	ck_assert_int_eq(json_int(o, "m", &n), 0);
	ck_assert_int_eq(n, -2);
	ck_assert_int_eq(json_int(o, "max", &n), 0);
	ck_assert(n == JSON_INT_MAX);
	ck_assert_int_eq(json_int(o, "big", &n), -1);
	ck_assert_int_eq(json_int(o, "s", &n), -1);
	ck_assert_int_eq(json_int(o, "absent", &n), -1);
	ck_assert_ptr_null(json_get(json_get(o, "s"), "s"));
	ck_assert_ptr_null(json_get(NULL, "s"));
	cJSON_Delete(o);
}
END_TEST

static void
check_print(const char *text, const char *expected)
{
	scoped(buf_free) struct buf out = {0};
	struct err e;
	cJSON *value = parse(text, &e), *again;

	ck_assert_msg(value != NULL, "%s", e.text);
	json_print(value, &out);
	ck_assert_str_eq(buf_str(&out), expected);
	again = parse(buf_str(&out), &e);
	ck_assert(cJSON_Compare(value, again, 1));
	cJSON_Delete(value);
	cJSON_Delete(again);
}

START_TEST(prints_the_shortest_form)
{
	check_print(" { \"a\" : [ 1 , true , null , false ] , \"b\" : { } } ",
	    "{\"a\":[1,true,null,false],\"b\":{}}");
	check_print("9007199254740991", "9007199254740991");
	check_print("-9007199254740991", "-9007199254740991");
	check_print("1795484000.0", "1795484000");
	check_print("0.1", "0.1");
	check_print("1e300", "1e+300");
	check_print("0.30000000000000004", "0.30000000000000004");
	check_print("\"\\u001f\\b\\f\\n\\r\\t\\\"\\\\\\/\\u00e9\"",
	    "\"\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\xc3\xa9\"");
}
END_TEST

START_TEST(builds_what_it_reads)
{
	scoped(free_json) cJSON *o = json_object();
	scoped(buf_free) struct buf out = {0};
	cJSON *list = cJSON_CreateArray();

	json_add_string(o, "s", "x\ny");
	json_add_int(o, "i", JSON_INT_MAX);
	json_add_bool(o, "b", true);
	json_add_null(o, "n");
	json_push_string(list, "e");
	json_add(o, "l", list);
	json_print(o, &out);
	ck_assert_str_eq(buf_str(&out),
	    "{\"s\":\"x\\ny\",\"i\":9007199254740991,\"b\":true,\"n\":null,"
	    "\"l\":[\"e\"]}");
}
END_TEST

/* Quadratic look-ups would take minutes here. */
START_TEST(wide_objects_stay_cheap)
{
	scoped(buf_free) struct buf text = {0};
	struct err e;
	cJSON *value;

	buf_addc(&text, '{');
	for (int i = 0; i < 100000; i++)
		buf_addf(&text, "\"%d\":0,", i);
	buf_adds(&text, "\"99999\":0}");
	value = parse(buf_str(&text), &e);
	ck_assert_ptr_null(value);
	ck_assert(strstr(e.text, "the same name twice") != NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("json");
	TCase *t = tcase_create("json");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, takes_what_is_json, 0,
	    (int)(sizeof accepted / sizeof *accepted));
	tcase_add_loop_test(
	    t, refuses_what_is_not, 0, (int)(sizeof refused / sizeof *refused));
	tcase_add_test(t, refuses_nul_bytes);
	tcase_add_test(t, errors_name_the_line);
	tcase_add_test(t, a_name_that_is_twice_is_told);
	tcase_add_test(t, finds_the_line_of_a_node);
	tcase_add_test(t, members_are_exact);
	tcase_add_test(t, prints_the_shortest_form);
	tcase_add_test(t, builds_what_it_reads);
	tcase_add_test(t, wide_objects_stay_cheap);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
