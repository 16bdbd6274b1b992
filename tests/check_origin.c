#include "config.h"

#include <check.h>
#include <string.h>

#include "origin.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void
origin_is(char *const *envp, const char *want)
{
	scoped(free_json) cJSON *o = origin_read(envp);
	scoped(buf_free) struct buf text = {0};

	if (o != NULL)
		json_print(o, &text);
	ck_assert_str_eq(buf_str(&text), want);
}

START_TEST(test_nothing_known)
{
	origin_is((char *[]){NULL}, "");
	origin_is((char *[]){"GITHUB_ACTIONS=", "GITHUB_RUN_ID=5", "CI=true",
		      "TRACEPARENT=nonsense", NULL},
	    "");
}
END_TEST

START_TEST(test_systems)
{
	origin_is((char *[]){"GITHUB_RUN_ID=5", "GITHUB_TOKEN=ghs_secret",
		      "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/x",
		      "ACTIONS_ID_TOKEN_REQUEST_TOKEN=secret", NULL},
	    "{\"ci\":\"github\",\"repository\":\"acme/x\",\"run_id\":\"5\"}");
	origin_is(
	    (char *[]){"GITLAB_CI=true", "CI_JOB_ID=7", "CI_JOB_TOKEN=secret",
		"CI_REPOSITORY_URL=https://u:p@x", NULL},
	    "{\"ci\":\"gitlab\",\"job_id\":\"7\"}");
	origin_is((char *[]){"BUILDKITE=true", "BUILDKITE_JOB_ID=j",
		      "BUILDKITE_AGENT_ACCESS_TOKEN=secret", NULL},
	    "{\"ci\":\"buildkite\",\"job_id\":\"j\"}");
	origin_is((char *[]){"CIRCLECI=true", "CIRCLE_JOB=build",
		      "CIRCLE_OIDC_TOKEN=secret", NULL},
	    "{\"ci\":\"circleci\",\"job\":\"build\"}");
	origin_is((char *[]){"JENKINS_URL=https://u:p@ci", "JOB_NAME=b", NULL},
	    "{\"ci\":\"jenkins\",\"job\":\"b\"}");
}
END_TEST

START_TEST(test_trace)
{
	origin_is((char *[]){"TRACEPARENT=00-" TRACE "-" SPAN "-01", NULL},
	    "{\"trace_id\":\"" TRACE "\"}");
}
END_TEST

START_TEST(test_values_are_cut_at_a_character)
{
	char ref[600] = "GITHUB_REF=", want[600] = {0};
	char *envp[] = {"GITHUB_ACTIONS=1", ref, "GITHUB_JOB=\xff", NULL};
	scoped(free_json) cJSON *o = NULL;

	memset(want, 'x', 255); /* and then a character of two bytes */
	strcat(strcat(strcat(ref, want), "\xc3\xa9"), "rest");
	o = origin_read(envp);
	ck_assert_str_eq(json_string(o, "ref"), want);
	ck_assert_ptr_null(json_get(o, "job")); /* not UTF-8 */
}
END_TEST

START_TEST(test_traceparent)
{
	static const char *const bad[] = {"", "00-" TRACE "-" SPAN "-0",
	    "00-" TRACE "-" SPAN "-011", "ff-" TRACE "-" SPAN "-01",
	    "01-" TRACE "-" SPAN "-01",
	    "00-00000000000000000000000000000000-" SPAN "-01",
	    "00-" TRACE "-0000000000000000-01",
	    "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
	    "00_" TRACE "-" SPAN "-01", "00-" TRACE "_" SPAN "-01"};
	uint8_t rnd[24];
	char out[TRACEPARENT_LEN + 1];

	for (size_t i = 0; i < sizeof rnd; i++)
		rnd[i] = (uint8_t)(0xa0 + i);
	origin_traceparent("00-" TRACE "-" SPAN "-00", rnd, out);
	ck_assert_str_eq(out, "00-" TRACE "-b0b1b2b3b4b5b6b7-00");
	origin_traceparent(NULL, rnd, out);
	ck_assert_str_eq(
	    out, "00-a0a1a2a3a4a5a6a7a8a9aaabacadaeaf-b0b1b2b3b4b5b6b7-01");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		origin_traceparent(bad[i], rnd, out);
		ck_assert_msg(strstr(out, "a0a1a2") == out + 3, "%s", bad[i]);
	}
	memset(rnd, 0, sizeof rnd);
	origin_traceparent(NULL, rnd, out);
	ck_assert_str_eq(
	    out, "00-00000000000000000000000000000001-0000000000000001-01");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("origin");
	TCase *t = tcase_create("origin");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_nothing_known);
	tcase_add_test(t, test_systems);
	tcase_add_test(t, test_trace);
	tcase_add_test(t, test_values_are_cut_at_a_character);
	tcase_add_test(t, test_traceparent);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
