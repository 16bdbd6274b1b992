#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"

#define URL "https://id.acme.example/ephid"
#define ULID "01KB0000000000000000000000"

static struct err e;

START_TEST(test_id_has_time_then_randomness)
{
	static const uint8_t ones[ID_RANDOM] = {
	    255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	static const uint8_t mixed[ID_RANDOM] = {
	    0x1f, 0x07, 0xc1, 0xf0, 0x7c, 0, 0x44, 0x32, 0x14, 0xc7};
	static const uint8_t none[ID_RANDOM] = {0};
	char id[ID_LEN + 1];

	id_make(0, none, id);
	ck_assert_str_eq(id, "00000000000000000000000000");
	id_make((INT64_C(1) << 48) - 1, ones, id);
	ck_assert_str_eq(id, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
	/* The time of the ULID specification's example. */
	id_make(1469918176385, mixed, id);
	ck_assert_str_eq(id, "01ARYZ6S413W3W3W3W01234567");
}
END_TEST

START_TEST(test_ids_sort_by_time)
{
	static const uint8_t ones[ID_RANDOM] = {255}, none[ID_RANDOM] = {0};
	char a[ID_LEN + 1], b[ID_LEN + 1];

	for (int64_t t = 1; t < INT64_C(1) << 47; t *= 3) {
		id_make(t, ones, a);
		id_make(t + 1, none, b);
		ck_assert_int_lt(strcmp(a, b), 0);
	}
}
END_TEST

START_TEST(test_id_parse)
{
	char id[ID_LEN + 1];

	ck_assert_int_eq(id_parse("01aryz6s41o1l1i1abcdefghjk", id), 0);
	ck_assert_str_eq(id, "01ARYZ6S41011111ABCDEFGHJK");
	ck_assert_int_eq(id_parse("", id), -1);
	ck_assert_int_eq(id_parse("01ARYZ6S41", id), -1);
	ck_assert_int_eq(id_parse(ULID "0", id), -1);
	ck_assert_int_eq(id_parse("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", id), -1);
	ck_assert_int_eq(id_parse("01KB000000000000000000000U", id), -1);
	ck_assert_int_eq(id_parse("01KB00000000000000000000/0", id), -1);
}
END_TEST

START_TEST(test_id_suffix)
{
	char id[ID_LEN + 1] = "kept";

	ck_assert_int_eq(id_parse_suffix("abcde", id), -1);
	ck_assert_int_eq(id_parse_suffix("abc%ef", id), -1);
	ck_assert_int_eq(id_parse_suffix(ULID "0", id), -1);
	ck_assert_str_eq(id, "kept");
	ck_assert_int_eq(id_parse_suffix("zabcde", id), 0);
	ck_assert_str_eq(id, "ZABCDE");
	ck_assert_int_eq(id_parse_suffix(ULID, id), 0);
	ck_assert_str_eq(id, ULID);
}
END_TEST

START_TEST(test_state)
{
	struct identity id = {.expires_at = 100};

	ck_assert_int_eq(identity_state(&id, 99), ID_ACTIVE);
	ck_assert_int_eq(identity_state(&id, 100), ID_EXPIRED);
	id.pending = true;
	ck_assert_int_eq(identity_state(&id, 99), ID_PENDING);
	id.revoked_at = 50;
	ck_assert_int_eq(identity_state(&id, 100), ID_REVOKED);
	ck_assert_str_eq(identity_state_name(ID_REVOKED), "revoked");
}
END_TEST

START_TEST(test_forms)
{
	enum form f;

	ck_assert_int_eq(form_parse("federation", &f), 0);
	ck_assert_int_eq(f, FORM_FEDERATION);
	ck_assert_str_eq(form_typ(f), "JWT");
	ck_assert_int_eq(form_parse("oauth", &f), 0);
	ck_assert_str_eq(form_typ(f), "at+jwt");
	ck_assert_int_eq(form_parse("OAuth", &f), -1);
	ck_assert_int_eq(form_parse("", &f), -1);
	/* A newer version wrote the ledger. */
	ck_assert_str_eq(form_name((enum form)9), "unknown");
}
END_TEST

START_TEST(test_agent_names)
{
	static const char *const refused[] = {"", "/", "a/", "/a", "a//b", ".",
	    "..", "a/..", "./a", "reviewer/run", ("reviewer/run/" ULID)};
	char *agent = NULL;

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		ck_assert_msg(agent_parse(refused[i], &agent, &e) == -1, "%s",
		    refused[i]);
		ck_assert_int_eq(e.code, ERR_USAGE);
	}
	ck_assert_int_eq(agent_parse("re viewer\n/l\xc3\xa9nt", &agent, &e), 0);
	ck_assert_str_eq(agent, "re-viewer-/l--nt");
	free(agent);
	/* A command that is called run may still be an agent. */
	ck_assert_int_eq(agent_parse("run", &agent, &e), 0);
	free(agent);
	ck_assert_int_eq(agent_parse("a/runner/...", &agent, &e), 0);
	free(agent);
}
END_TEST

START_TEST(test_agent_is_within)
{
	ck_assert(agent_is_within("reviewer", "reviewer"));
	ck_assert(agent_is_within("reviewer/lint", "reviewer"));
	ck_assert(agent_is_within("a/b/c", "a/b"));
	ck_assert(!agent_is_within("reviewer2", "reviewer"));
	ck_assert(!agent_is_within("review", "reviewer"));
	ck_assert(!agent_is_within("reviewer", "reviewer/lint"));
}
END_TEST

START_TEST(test_audiences)
{
	static const char *const good[] = {"https://mcp.acme.example",
	    "urn:x:y", "api://AzureADTokenExchange", "a+b.c-1:x"};
	static const char *const bad[] = {"", "*", "mcp.acme.example",
	    "https:", ":x", "1a:b", "https://a b", "https://a#f",
	    "https://\xc3\xa9", "a:\n", "https://a/{b}", "a_b:c"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(audience_check(good[i], &e) == 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(audience_check(bad[i], &e) == -1, "%s", bad[i]);
	audience_check("x", &e);
	ck_assert_str_eq(e.text, "audience 'x': not an absolute URI");
}
END_TEST

START_TEST(test_issuer_urls)
{
	static const char *const good[] = {URL, "https://a", "https://a.b:8443",
	    "https://a-1.example:443/x/y~z"};
	static const char *const bad[] = {"", "http://a", "https://",
	    "https:///x", "https://A.example", "https://a/", "https://a/x/",
	    "https://a?x", "https://a#x", "https://u:secret@a", "https://a:0",
	    "https://a:65536", "https://a:", "https://a:80x", "https://a..b",
	    "https://a.", "https://a//b", "https://a/../b", "https://a/.",
	    "https://[::1]", "https://a/ b", "HTTPS://a"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(
		    issuer_url_check(good[i], &e) == 0, "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_msg(issuer_url_check(bad[i], &e) == -1, "%s", bad[i]);
		ck_assert_ptr_null(strstr(e.text, "secret"));
	}
}
END_TEST

static struct identity
reviewer(void)
{
	struct identity id = {.depth = 1,
	    .max_depth = 4,
	    .agent = xstrdup("reviewer/lint"),
	    .task = xstrdup("review-pr-481"),
	    .scope = xstrdup("repo:read pr:comment")};

	strcpy(id.id, "01KB0000000000000000000002");
	strcpy(id.parent, "01KB0000000000000000000001");
	strcpy(id.root, "01KB0000000000000000000001");
	return id;
}

static struct credential
token(void)
{
	struct credential c = {.issuer = xstrdup("local"),
	    .audience = xstrdup("https://mcp.acme.example"),
	    .issued_at = 1000,
	    .expires_at = 1900};

	strcpy(c.jti, "01KB0000000000000000000003");
	strcpy(c.identity, "01KB0000000000000000000002");
	return c;
}

static void
claims_are(
    const struct identity *id, const struct credential *c, const char *want)
{
	scoped(free_json) cJSON *claims = NULL;
	scoped(buf_free) struct buf text = {0};

	ck_assert_msg(
	    identity_claims(id, c, URL, &claims, &e) == 0, "%s", e.text);
	json_print(claims, &text);
	ck_assert_str_eq(text.ptr, want);
}

START_TEST(test_oauth_claims)
{
	scoped(identity_clear) struct identity id = reviewer();
	scoped(credential_clear) struct credential c = token();

	c.status_uri = xstrdup(URL "/status/1");
	c.status_index = 48211;
	claims_are(&id, &c,
	    "{\"iss\":\"" URL "\",\"sub\":\"spiffe://id.acme.example/agent/"
	    "reviewer/lint/run/01KB0000000000000000000002\",\"aud\":"
	    "\"https://mcp.acme.example\",\"client_id\":"
	    "\"spiffe://id.acme.example/agent/reviewer/lint\",\"iat\":1000,"
	    "\"nbf\":970,\"exp\":1900,\"jti\":\"01KB0000000000000000000003\","
	    "\"scope\":\"repo:read pr:comment\",\"txn\":"
	    "\"01KB0000000000000000000001\",\"sub_profile\":"
	    "\"ai_agent client_instance\",\"ephid\":{\"v\":1,\"id\":"
	    "\"01KB0000000000000000000002\",\"parent\":"
	    "\"01KB0000000000000000000001\",\"depth\":1,\"max_depth\":4,"
	    "\"task\":\"review-pr-481\"},\"status\":{\"status_list\":{\"idx\":"
	    "48211,\"uri\":\"" URL "/status/1\"}}}");
}
END_TEST

START_TEST(test_federation_claims_of_an_agent)
{
	scoped(identity_clear) struct identity id = reviewer();
	scoped(credential_clear) struct credential c = token();

	c.form = FORM_FEDERATION;
	c.subject_is_agent = true;
	id.parent[0] = id.scope[0] = '\0';
	free(id.task);
	id.task = NULL;
	claims_are(&id, &c,
	    "{\"iss\":\"" URL "\",\"sub\":\"spiffe://id.acme.example/agent/"
	    "reviewer/lint\",\"aud\":\"https://mcp.acme.example\",\"iat\":1000,"
	    "\"nbf\":970,\"exp\":1900,\"jti\":\"01KB0000000000000000000003\","
	    "\"txn\":\"01KB0000000000000000000001\",\"sub_profile\":"
	    "\"ai_agent\",\"ephid\":{\"v\":1,\"id\":"
	    "\"01KB0000000000000000000002\",\"depth\":1,\"max_depth\":4}}");
}
END_TEST

START_TEST(test_claims_refused)
{
	scoped(identity_clear) struct identity id = reviewer();
	scoped(credential_clear) struct credential c = token();
	char agent[SUBJECT_MAX + 1] = {0};
	cJSON *claims = NULL;

	free(id.task);
	id.task = xstrdup("caf\xe9");
	ck_assert_int_eq(identity_claims(&id, &c, URL, &claims, &e), -1);
	ck_assert_str_eq(e.text, "task: not UTF-8 text");
	free(id.task);
	id.task = xcalloc(300, 1);
	memset(id.task, 'x', 299);
	ck_assert_int_eq(identity_claims(&id, &c, URL, &claims, &e), -1);
	free(id.task);
	id.task = NULL;
	free(id.agent);
	memset(agent, 'a', SUBJECT_MAX);
	id.agent = xstrdup(agent);
	ck_assert_int_eq(identity_claims(&id, &c, URL, &claims, &e), -1);
	ck_assert_int_eq(e.code, ERR_USAGE);
	ck_assert_ptr_null(claims);
}
END_TEST

START_TEST(test_subject_of_exactly_127_bytes)
{
	scoped(identity_clear) struct identity id = reviewer();
	scoped(buf_free) struct buf sub = {0};
	size_t n = SUBJECT_MAX - strlen("spiffe://a/agent//run/") - ID_LEN;

	free(id.agent);
	id.agent = xcalloc(n + 2, 1);
	memset(id.agent, 'a', n);
	/* The port is no part of the trust domain. */
	ck_assert_int_eq(
	    identity_subject(&id, "https://a:8443/x", true, &sub, &e), 0);
	ck_assert_uint_eq(sub.len, SUBJECT_MAX);
	id.agent[n] = 'a';
	ck_assert_int_eq(
	    identity_subject(&id, "https://a", true, &sub, &e), -1);
	ck_assert_int_eq(
	    identity_subject(&id, "https://a", false, &sub, &e), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("identity");
	TCase *t = tcase_create("identity");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_id_has_time_then_randomness);
	tcase_add_test(t, test_ids_sort_by_time);
	tcase_add_test(t, test_id_parse);
	tcase_add_test(t, test_id_suffix);
	tcase_add_test(t, test_state);
	tcase_add_test(t, test_forms);
	tcase_add_test(t, test_agent_names);
	tcase_add_test(t, test_agent_is_within);
	tcase_add_test(t, test_audiences);
	tcase_add_test(t, test_issuer_urls);
	tcase_add_test(t, test_oauth_claims);
	tcase_add_test(t, test_federation_claims_of_an_agent);
	tcase_add_test(t, test_claims_refused);
	tcase_add_test(t, test_subject_of_exactly_127_bytes);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
