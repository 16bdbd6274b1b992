#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "grant.h"

#define ISSUER "https://id.acme.example"
#define MCP "https://mcp.acme.example"
#define HANDED "https://handed.acme.example"
#define OTHER "https://other.acme.example"

/* A parent and a child that it may have; each test changes one thing. */
static struct policy policy;
static struct identity parent, child;
static struct credential cred;
static cJSON *held;
static struct err e;

static cJSON *
json(const char *text)
{
	cJSON *v = json_parse(text, strlen(text), &e);

	ck_assert_msg(v != NULL, "%s", e.text);
	return v;
}

static void
setup(void)
{
	policy_default(&policy);
	parent = (struct identity){.max_depth = 4,
	    .depth = 3,
	    .agent = xstrdup("reviewer"),
	    .scope = xstrdup("repo:read pr:comment"),
	    .expires_at = 1900};
	child = (struct identity){.max_depth = 4,
	    .depth = 4,
	    .agent = xstrdup("reviewer/lint"),
	    .scope = xstrdup("repo:read"),
	    .audiences = xstrdup("[\"" MCP "\",\"" HANDED "\"]"),
	    .issued_at = 1000,
	    .expires_at = 1900};
	cred = (struct credential){
	    .audience = xstrdup(MCP), .issued_at = 1000, .expires_at = 1900};
	held = json("[\"" MCP "\",\"" HANDED "\"]");
}

static void
teardown(void)
{
	identity_clear(&parent);
	identity_clear(&child);
	credential_clear(&cred);
	cJSON_Delete(held);
}

static void
change(char **where, const char *text)
{
	free(*where);
	*where = xstrdup(text);
}

static int
check_child(void)
{
	return grant_check_child(
	    &policy, &parent, held, &child, &cred, ISSUER, &e);
}

static void
child_refused(const char *why)
{
	ck_assert_int_eq(check_child(), -1);
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert_str_eq(e.text, why);
}

static void
policy_refuses(const char *why)
{
	ck_assert_int_eq(grant_check_policy(&policy, &child, &cred, ISSUER, &e), -1);
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert_str_eq(e.text, why);
}

static void
policy_accepts(void)
{
	ck_assert_msg(
	    grant_check_policy(&policy, &child, &cred, ISSUER, &e) == 0, "%s", e.text);
}

START_TEST(test_child_within_its_parent)
{
	ck_assert_msg(check_child() == 0, "%s", e.text);
	policy_accepts();
	change(&child.scope, "");
	change(&child.audiences, "[]");
	change(&cred.audience, ISSUER);
	change(&child.agent, "reviewer");
	ck_assert_msg(check_child() == 0, "%s", e.text);
}
END_TEST

START_TEST(test_scope_narrows)
{
	change(&child.scope, "repo:read repo:write");
	child_refused("scope 'repo:write' is not within the parent's "
		      "('repo:read pr:comment')");
	change(&parent.scope, "");
	child_refused(
	    "scope 'repo:read' is not within the parent's, which is empty");
}
END_TEST

START_TEST(test_audience_narrows)
{
	change(&cred.audience, HANDED);
	ck_assert_int_eq(check_child(), 0);
	change(&cred.audience, OTHER);
	child_refused("audience '" OTHER
		      "' is none that the parent holds or may hand on");
	/* In what a parent holds, "*" is an audience and no pattern. */
	cJSON_Delete(held);
	held = json("[\"https://*\"]");
	child_refused("audience '" OTHER
		      "' is none that the parent holds or may hand on");
}
END_TEST

START_TEST(test_handing_on_narrows)
{
	change(&child.audiences, "[\"" MCP "\",\"" OTHER "\"]");
	child_refused("audience '" OTHER "', to be handed on, is none that "
		      "the parent holds or may hand on");
	change(&child.audiences, "[\"" ISSUER "\"]");
	ck_assert_int_eq(check_child(), 0);
	change(&child.audiences, "[1]");
	ck_assert_int_eq(check_child(), -1);
	change(&child.audiences, "[");
	ck_assert_int_eq(check_child(), -1);
}
END_TEST

START_TEST(test_agent_narrows)
{
	change(&child.agent, "x");
	child_refused(
	    "agent 'x' is neither the parent's 'reviewer' nor beneath it");
	change(&child.agent, "reviewer2");
	ck_assert_int_eq(check_child(), -1);
	policy.may_spawn.lists[0] = json("[\"x\",\"tool-*\"]");
	ck_assert_int_eq(check_child(), -1);
	change(&child.agent, "x");
	ck_assert_int_eq(check_child(), 0);
	change(&child.agent, "tool-9");
	ck_assert_int_eq(check_child(), 0);
	cJSON_Delete((cJSON *)policy.may_spawn.lists[0]);
}
END_TEST

START_TEST(test_subject_keeps_the_run)
{
	cred.subject_is_agent = true;
	cred.form = FORM_FEDERATION;
	change(&child.agent, "reviewer/x");
	child_refused("form federation drops /run/ from sub, which policy "
		      "does not let agent 'reviewer/x' do; --subject run keeps "
		      "it");
	policy_refuses(e.text);
	cred.form = FORM_OAUTH;
	child_refused("subject agent drops /run/ from sub, which policy does "
		      "not let agent 'reviewer/x' do");
	policy.subject_agent.lists[1] = json("[\"reviewer/*\"]");
	ck_assert_int_eq(check_child(), 0);
	policy_accepts();
	cJSON_Delete((cJSON *)policy.subject_agent.lists[1]);
	/* A root may where policy says nothing, and may not where it does. */
	policy.subject_agent.lists[1] = NULL;
	child.depth = 0;
	policy_accepts();
	policy.subject_agent.lists[1] = json("[]");
	ck_assert_int_eq(grant_check_policy(&policy, &child, &cred, ISSUER, &e), -1);
	cJSON_Delete((cJSON *)policy.subject_agent.lists[1]);
}
END_TEST

START_TEST(test_expiry_and_depth_narrow)
{
	cred.expires_at = 1901;
	child_refused("its expiry is beyond the parent's");
	cred.expires_at = 1900;
	child.expires_at = 1901;
	child_refused("its expiry is beyond the parent's");
	child.expires_at = 1900;
	child.depth = 5;
	child_refused("depth 5 is beyond the tree's max_depth 4");
	child.depth = 4;
	child.max_depth = 5;
	child_refused("max_depth 5 is beyond the tree's max_depth 4");
}
END_TEST

START_TEST(test_policy_on_names)
{
	cJSON *agents = json("[\"reviewer/*\"]");
	cJSON *scopes = json("[\"repo:*\"]");
	cJSON *audiences = json("[\"" MCP "\"]");

	policy.agents.lists[0] = agents;
	policy.scopes.lists[0] = scopes;
	policy.audiences.lists[1] = audiences;
	change(&child.audiences, "[]");
	policy_accepts();
	change(&child.agent, "reviewer");
	policy_refuses("agent 'reviewer' is none that policy allows");
	change(&child.agent, "reviewer/lint");
	change(&child.scope, "repo:read pr:comment repo:x");
	policy_refuses("scope 'pr:comment' is none that policy allows");
	change(&child.scope, "");
	change(&child.audiences, "[\"" OTHER "\"]");
	policy_refuses("audience '" OTHER
		       "', to be handed on, is none that policy allows");
	change(&cred.audience, OTHER);
	policy_refuses("audience '" OTHER "' is none that policy allows");
	cJSON_Delete(agents);
	cJSON_Delete(scopes);
	cJSON_Delete(audiences);
}
END_TEST

START_TEST(test_policy_on_times_and_depth)
{
	cred.expires_at = 1004;
	policy_refuses("a life of 4s is under the least, 5s");
	cred.expires_at = 1005;
	policy_accepts();
	cred.expires_at = 4601;
	policy_refuses("ttl 3601s is beyond policy's max_ttl 3600s");
	policy.max_ttl = 86400; /* what no configuration can do */
	policy_refuses("ttl 3601s is beyond policy's max_ttl 3600s");
	policy.max_ttl = 60;
	cred.expires_at = 1061;
	policy_refuses("ttl 61s is beyond policy's max_ttl 60s");
	child.issued_at = 0;
	cred.expires_at = 1060;
	policy.max_life = 1059;
	policy_refuses("a life of 1060s is beyond policy's max_life 1059s");
	policy.max_life = 1060;
	policy_accepts();
	policy.max_depth = 3;
	policy_refuses("depth 4 is beyond policy's max_depth 3");
}
END_TEST

START_TEST(test_rules)
{
	cJSON *system = json("[\"a\",\"b*\"]"), *home = json("[\"a\",\"bc\"]");
	struct rule none = {{NULL, NULL}}, both = {{system, home}};
	struct rule one = {{NULL, system}};

	ck_assert(!rule_is_set(&none));
	ck_assert(rule_allows(&none, "x", true));
	ck_assert(!rule_allows(&none, "x", false));
	ck_assert(rule_is_set(&one));
	ck_assert(rule_allows(&one, "b", false));
	ck_assert(rule_allows(&one, "bcd", false));
	ck_assert(!rule_allows(&one, "ab", true));
	ck_assert(rule_allows(&both, "bc", false));
	ck_assert(!rule_allows(&both, "bcd", true)); /* home is narrower */
	ck_assert(!rule_allows(&both, "", true));
	cJSON_Delete(system);
	cJSON_Delete(home);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("grant");
	TCase *t = tcase_create("grant");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_child_within_its_parent);
	tcase_add_test(t, test_scope_narrows);
	tcase_add_test(t, test_audience_narrows);
	tcase_add_test(t, test_handing_on_narrows);
	tcase_add_test(t, test_agent_narrows);
	tcase_add_test(t, test_subject_keeps_the_run);
	tcase_add_test(t, test_expiry_and_depth_narrow);
	tcase_add_test(t, test_policy_on_names);
	tcase_add_test(t, test_policy_on_times_and_depth);
	tcase_add_test(t, test_rules);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
