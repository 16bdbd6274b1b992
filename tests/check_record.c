#include "config.h"

#include "record.h"

#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record-text.h"

#define NOW INT64_C(1795600000)

/* --- stdout as a string ------------------------------------------------- */

static struct {
	FILE *file;
	int saved;
	char text[16384];
} capture;

static void
begin(void)
{
	fflush(stdout);
	capture.saved = dup(STDOUT_FILENO);
	capture.file = tmpfile();
	ck_assert_ptr_nonnull(capture.file);
	dup2(fileno(capture.file), STDOUT_FILENO);
}

static const char *
end(void)
{
	size_t n;

	fflush(stdout);
	dup2(capture.saved, STDOUT_FILENO);
	close(capture.saved);
	rewind(capture.file);
	n = fread(capture.text, 1, sizeof capture.text - 1, capture.file);
	capture.text[n] = '\0';
	fclose(capture.file);
	return capture.text;
}

static size_t
widest_line(const char *text)
{
	size_t widest = 0;

	for (const char *s = text; *s != '\0';) {
		size_t n = strcspn(s, "\n");
		char *line = strndup(s, n);
		size_t width = text_width(line, true);

		if (width > widest)
			widest = width;
		free(line);
		s += n + (s[n] == '\n');
	}
	return widest;
}

/* Ids in the order of n. The texts are borrowed. */
static struct identity
person(int n, int parent, const char *agent, const char *task)
{
	static char scope[] = "", audiences[] = "[]";
	struct identity id = {.agent = (char *)(uintptr_t)agent,
	    .task = (char *)(uintptr_t)task,
	    .scope = scope,
	    .audiences = audiences,
	    .issued_at = NOW - 60,
	    .expires_at = NOW + 840};

	snprintf(id.id, sizeof id.id, "01KB%022d", n);
	snprintf(id.root, sizeof id.root, "01KB%022d", 0);
	if (parent >= 0)
		snprintf(id.parent, sizeof id.parent, "01KB%022d", parent);
	return id;
}

/* --- text from outside -------------------------------------------------- */

static const char *
cleaned(const char *text)
{
	static struct buf out;

	buf_trim(&out, 0);
	buf_adds(&out, "");
	record_clean(text, &out);
	return buf_str(&out);
}

START_TEST(clean_lets_text_be)
{
	ck_assert_str_eq(cleaned("review pr 481"), "review pr 481");
	ck_assert_str_eq(
	    cleaned("pr\u00fcfe \u65e5\u672c"), "pr\u00fcfe \u65e5\u672c");
	ck_assert_str_eq(cleaned(""), "");
}
END_TEST

START_TEST(clean_disarms_terminals)
{
	ck_assert_str_eq(cleaned("\033[2J"), "?[2J");
	ck_assert_str_eq(cleaned("a\nb\tc\rd\177"), "a?b?c?d?");
	/* C1: U+009B is a control sequence introducer of one character. */
	ck_assert_str_eq(cleaned("\302\2332J"), "?2J");
	ck_assert_str_eq(cleaned("a\u202eb\u200bc\u2028d"), "a?b?c?d");
}
END_TEST

START_TEST(clean_replaces_what_is_no_utf8)
{
	ck_assert_str_eq(cleaned("\377a"), "?a");
	ck_assert_str_eq(cleaned("\2332J"), "?2J");
	ck_assert_str_eq(cleaned("\300\257"), "??");	  /* overlong "/" */
	ck_assert_str_eq(cleaned("\355\240\200"), "???"); /* surrogate */
	ck_assert_str_eq(cleaned("\364\220\200\200"), "????");
	ck_assert_str_eq(cleaned("\342\202"), "??"); /* cut short */
}
END_TEST

/* --- records ------------------------------------------------------------ */

START_TEST(minted_has_the_stable_names)
{
	static const char *const names[] = {"id", "root", "parent", "depth",
	    "agent", "task", "scope", "audience", "state", "issued_at",
	    "expires_at", "revoked_at", "reason", "credentials", "token",
	    "token_type", "expires_in"};
	static char local[] = "local", aud[] = "https://mcp.acme.example";
	struct issued first = {0};
	struct minted m = {.identity = person(1, 0, "reviewer", NULL),
	    .issued = &first,
	    .n = 1};
	cJSON *o;
	const cJSON *member;
	size_t i = 0;
	int64_t left;

	strcpy(first.credential.jti, m.identity.id);
	first.credential.issuer = local;
	first.credential.audience = aud;
	first.credential.expires_at = NOW + 840;
	buf_adds(&first.token, "a.b.c");
	o = record_minted(&m, NOW);
	cJSON_ArrayForEach (member, o)
		ck_assert_str_eq(member->string, names[i++]);
	ck_assert_uint_eq(i, sizeof names / sizeof *names);
	ck_assert_str_eq(json_string(o, "audience"), aud);
	ck_assert_str_eq(json_string(o, "state"), "active");
	ck_assert_str_eq(json_string(o, "issued_at"), "2026-11-25T09:45:40Z");
	ck_assert(cJSON_IsNull(json_get(o, "task")));
	ck_assert(cJSON_IsNull(json_get(o, "revoked_at")));
	ck_assert_int_eq(json_int(o, "expires_in", &left), 0);
	ck_assert_int_eq(left, 840);
	cJSON_Delete(o);
	buf_free(&first.token);
}
END_TEST

static void
expect_verdict(enum jwt_verdict word, cJSON *claims, const char *want)
{
	struct verdict v = {.word = word, .claims = claims};
	cJSON *o = record_verdict(&v);
	struct buf text = {0};

	json_print(o, &text);
	ck_assert_str_eq(buf_str(&text), want);
	buf_free(&text);
	cJSON_Delete(o);
	cJSON_Delete(claims);
}

START_TEST(verdicts_show_claims_only_when_valid)
{
	cJSON *claims = json_object(), *never = json_object();

	json_add_string(claims, "sub", "x");
	json_add_string(never, "sub", "x");
	expect_verdict(JWT_VALID, claims,
	    "{\"valid\":true,\"reason\":null,\"claims\":{\"sub\":\"x\"}}");
	expect_verdict(JWT_REVOKED, never,
	    "{\"valid\":false,\"reason\":\"revoked\",\"claims\":null}");
	expect_verdict(JWT_EXPIRED, NULL,
	    "{\"valid\":false,\"reason\":\"expired\",\"claims\":null}");
}
END_TEST

START_TEST(a_block_is_aligned_and_clean)
{
	const struct look plain = {0, false, false};
	cJSON *o = json_object(), *inner = json_object();

	json_add_string(o, "id", "01KB");
	json_add_string(o, "task", "a\033[31mb");
	json_add_null(o, "reason");
	json_add_string(o, "state", "active");
	json_add_string(o, "scope", "");
	json_add_int(inner, "exp", NOW);
	json_add_int(inner, "depth", 2);
	json_add(o, "claims", inner);
	begin();
	record_print_block(o, &plain);
	ck_assert_str_eq(end(),
	    "id:    01KB\n"
	    "task:  a?[31mb\n"
	    "state: active\n"
	    "scope: -\n"
	    "claims:\n"
	    "  exp:   2026-11-25T09:46:40Z\n"
	    "  depth: 2\n");
	cJSON_Delete(o);
}
END_TEST

START_TEST(json_is_utf8_whatever_was_recorded)
{
	cJSON *o = json_object();

	json_add_string(o, "why", "a\377b\300\257c\303\274");
	begin();
	record_print_json(o);
	ck_assert_str_eq(end(), "{\"why\":\"a\ufffdb\ufffd\ufffdc\u00fc\"}\n");
	cJSON_Delete(o);
}
END_TEST

/* U+00DB ends in 0x9b, which a terminal of Latin-1 takes for CSI. */
START_TEST(a_terminal_without_utf8_gets_ascii)
{
	const struct look latin = {80, false, false};
	struct identity a = person(0, -1, "reviewer", "\u00db2J \u65e5\u672c");
	struct table *table = table_new(&latin, NOW);
	struct tree *tree = tree_new(&latin, NOW);
	cJSON *o = json_object();

	json_add_string(o, "\u00db", "\u00db2J");
	table_add(table, &a);
	tree_add(tree, &a);
	begin();
	table_print(table);
	tree_print(tree);
	record_print_block(o, &latin);
	ck_assert_str_eq(end(),
	    "ID                          AGENT     STATE   AGE  EXPIRES"
	    "  TASK\n"
	    "01KB0000000000000000000000  reviewer  active  1m   in 14m "
	    "  ?2J ??\n"
	    "01KB0000000000000000000000  active  reviewer  in 14m  ?2J ??\n"
	    "?: ?2J\n");
	cJSON_Delete(o);
}
END_TEST

/* --- tables ------------------------------------------------------------- */

START_TEST(an_empty_table_prints_nothing)
{
	const struct look plain = {0, false, false};

	begin();
	table_print(table_new(&plain, NOW));
	ck_assert_str_eq(end(), "");
}
END_TEST

START_TEST(a_table_has_a_header_and_rows)
{
	const struct look plain = {0, false, false};
	struct identity a = person(0, -1, "reviewer", "review\npr");
	struct identity b = person(1, 0, "reviewer/lint", NULL);
	struct table *t = table_new(&plain, NOW);

	b.revoked_at = NOW - 5;
	table_add(t, &a);
	table_add(t, &b);
	begin();
	table_print(t);
	ck_assert_str_eq(end(),
	    "ID                          AGENT          STATE    AGE  EXPIRES"
	    "  TASK\n"
	    "01KB0000000000000000000000  reviewer       active   1m   in 14m "
	    "  review?pr\n"
	    "01KB0000000000000000000001  reviewer/lint  revoked  1m   -\n");
}
END_TEST

/* Loop: the width of the terminal. */
START_TEST(a_table_fits_and_never_cuts_ids)
{
	const struct look look = {_i, false, true};
	struct identity a = person(0, -1, "an-agent-with-a-very-long-name",
	    "\u65e5\u672c\u8a9e\u306e\u8aac\u660e, and a long task behind it");
	struct table *t = table_new(&look, NOW);
	const char *text;

	table_add(t, &a);
	begin();
	table_print(t);
	text = end();
	ck_assert_ptr_nonnull(strstr(text, a.id));
	/* Below this the columns that are never cut do not fit. */
	if (_i >= 76)
		ck_assert_uint_le(widest_line(text), (size_t)_i);
}
END_TEST

/* --- trees -------------------------------------------------------------- */

static const char *
draw(const struct look *look)
{
	struct identity list[] = {person(0, -1, "root", "t"),
	    person(1, 0, "a", NULL), person(2, 1, "b", NULL),
	    person(3, 0, "c", NULL), person(5, 4, "orphan", NULL)};
	struct tree *t = tree_new(look, NOW);

	list[3].revoked_at = NOW - 1;
	/* The order in which they come does not matter. */
	for (size_t i = sizeof list / sizeof *list; i-- > 0;)
		tree_add(t, &list[i]);
	begin();
	tree_print(t);
	return end();
}

START_TEST(a_tree_in_ascii)
{
	const struct look plain = {0, false, false};

	ck_assert_str_eq(draw(&plain),
	    "01KB0000000000000000000000  active  root  in 14m  t\n"
	    "|- 01KB0000000000000000000001  active  a  in 14m\n"
	    "|  `- 01KB0000000000000000000002  active  b  in 14m\n"
	    "`- 01KB0000000000000000000003  revoked  c\n"
	    "01KB0000000000000000000005  active  orphan  in 14m\n");
}
END_TEST

START_TEST(a_tree_with_boxes_in_colour)
{
	const struct look look = {100, true, true};
	const char *text = draw(&look);

	ck_assert_ptr_nonnull(strstr(text,
	    "\u2502  \u2514\u2500 01KB0000000000000000000002  "
	    "\033[32mactive\033[0m  b"));
	ck_assert_ptr_nonnull(strstr(text,
	    "\u2514\u2500 01KB0000000000000000000003  "
	    "\033[31mrevoked\033[0m  c"));
}
END_TEST

START_TEST(a_tree_fits)
{
	const struct look look = {48, false, true};
	struct identity a = person(0, -1, "an-agent-with-a-long-name", "task");
	struct tree *t = tree_new(&look, NOW);
	const char *text;

	tree_add(t, &a);
	begin();
	tree_print(t);
	text = end();
	ck_assert_ptr_nonnull(strstr(text, a.id));
	ck_assert_uint_eq(widest_line(text), 48);
}
END_TEST

START_TEST(a_row_that_is_its_own_parent_ends)
{
	const struct look plain = {0, false, false};
	struct identity a = person(1, 1, "loop", NULL);
	struct tree *t = tree_new(&plain, NOW);

	tree_add(t, &a);
	begin();
	tree_print(t);
	ck_assert_str_eq(end(), "");
}
END_TEST

/* --- main --------------------------------------------------------------- */

int
main(void)
{
	Suite *s = suite_create("record");
	TCase *c = tcase_create("record");
	SRunner *r;
	int failed;

	setlocale(LC_CTYPE, "C.UTF-8");
	tcase_add_test(c, clean_lets_text_be);
	tcase_add_test(c, clean_disarms_terminals);
	tcase_add_test(c, clean_replaces_what_is_no_utf8);
	tcase_add_test(c, minted_has_the_stable_names);
	tcase_add_test(c, verdicts_show_claims_only_when_valid);
	tcase_add_test(c, a_block_is_aligned_and_clean);
	tcase_add_test(c, json_is_utf8_whatever_was_recorded);
	tcase_add_test(c, a_terminal_without_utf8_gets_ascii);
	tcase_add_test(c, an_empty_table_prints_nothing);
	tcase_add_test(c, a_table_has_a_header_and_rows);
	tcase_add_loop_test(c, a_table_fits_and_never_cuts_ids, 20, 140);
	tcase_add_test(c, a_tree_in_ascii);
	tcase_add_test(c, a_tree_with_boxes_in_colour);
	tcase_add_test(c, a_tree_fits);
	tcase_add_test(c, a_row_that_is_its_own_parent_ends);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
