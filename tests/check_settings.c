#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings.h"

static char dir[64], system_path[96];
static struct home home;
static struct settings settings;
static struct err e;

static void
setup(void)
{
	strcpy(dir, "/tmp/check_settings.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(system_path, sizeof system_path, "%s/system.json", dir);
	home.path = dir;
	home.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(home.fd, 0);
}

static void
teardown(void)
{
	settings_free(&settings);
	unlinkat(home.fd, "system.json", 0);
	unlinkat(home.fd, "config.json", 0);
	close(home.fd);
	rmdir(dir);
}

static void
write_file(const char *name, const char *text)
{
	int fd = openat(
	    home.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int
load(void)
{
	settings_free(&settings);
	return settings_load(system_path, &home, &settings, &e);
}

/* Loads these two texts, each may be NULL. */
static const struct policy *
policy_of(const char *system, const char *own)
{
	unlinkat(home.fd, "system.json", 0);
	unlinkat(home.fd, "config.json", 0);
	if (system != NULL)
		write_file("system.json", system);
	if (own != NULL)
		write_file("config.json", own);
	ck_assert_msg(load() == 0, "%s", e.text);
	return &settings.policy;
}

static void
refused(const char *text, const char *why)
{
	cJSON *tree = NULL;

	ck_assert_msg(settings_check("f", text, strlen(text), &tree, &e) == -1,
	    "%s", text);
	ck_assert_ptr_null(tree);
	ck_assert_int_eq(e.code, ERR_USAGE);
	ck_assert_str_eq(e.text, why);
}

START_TEST(test_defaults_without_files)
{
	const struct policy *p = policy_of(NULL, NULL);

	ck_assert_int_eq(p->ttl, 900);
	ck_assert_int_eq(p->max_ttl, 3600);
	ck_assert_int_eq(p->max_depth, 8);
	ck_assert(!rule_is_set(&p->agents));
	ck_assert(!p->new_root_inside && !p->audit_syslog);
	ck_assert_int_eq(settings_load("/dev/null/x", NULL, &settings, &e), 0);
}
END_TEST

START_TEST(test_whole_file)
{
	const struct policy *p = policy_of(
	    "{\"comment\":\"ours\",\"issuers\":{\"v\":{\"any\":[1]}},"
	    "\"federations\":{\"comment\":[\"a\",\"b\"],\"aws\":{}},"
	    "\"profiles\":{\"r\":{\"comment\":\"x\",\"audience\":[\"a:b\"],"
	    "\"may-audience\":\"a:c\",\"scope\":\"x y\",\"ttl\":\"5m\","
	    "\"grace\":2,\"no-env-token\":true,\"status-fd\":3,\"keep\":"
	    "[\"A*\"]}},"
	    "\"policy\":{\"ttl\":\"10m\",\"max_ttl\":1200,\"max_life\":\"1d\","
	    "\"max_depth\":2,\"max_children\":3,\"max_live\":4,\"retention\":"
	    "\"7d\",\"agents\":[\"a\"],\"new_root_inside\":true,"
	    "\"audit\":\"syslog\",\"openssl_conf\":true}}",
	    NULL);

	ck_assert_int_eq(p->ttl, 600);
	ck_assert_int_eq(p->max_ttl, 1200);
	ck_assert_int_eq(p->max_life, 86400);
	ck_assert_int_eq(p->max_depth, 2);
	ck_assert_int_eq(p->max_children, 3);
	ck_assert_int_eq(p->max_live, 4);
	ck_assert_int_eq(p->retention, 7 * 86400);
	ck_assert(rule_allows(&p->agents, "a", false));
	ck_assert(!rule_allows(&p->agents, "b", true));
	ck_assert(p->new_root_inside && p->audit_syslog && p->openssl_conf);
}
END_TEST

START_TEST(test_home_narrows)
{
	const struct policy *p = policy_of(
	    "{\"policy\":{\"max_ttl\":600,\"max_depth\":3,\"new_root_inside\":"
	    "true,\"audit\":\"syslog\",\"openssl_conf\":true,"
	    "\"scopes\":[\"repo:*\"]}}",
	    "{\"policy\":{\"max_ttl\":\"1h\",\"max_depth\":1,"
	    "\"new_root_inside\":false,\"audit\":\"none\",\"openssl_conf\":"
	    "false,\"scopes\":[\"*\"]}}");

	ck_assert_int_eq(p->max_ttl, 600);
	ck_assert_int_eq(p->ttl, 600); /* the default, capped */
	ck_assert_int_eq(p->max_depth, 1);
	ck_assert(!p->new_root_inside);
	ck_assert(p->audit_syslog && p->openssl_conf);
	ck_assert(!rule_allows(&p->scopes, "pr:x", true));
	ck_assert(rule_allows(&p->scopes, "repo:x", false));
	p = policy_of("{\"policy\":{\"new_root_inside\":false}}",
	    "{\"policy\":{\"new_root_inside\":true}}");
	ck_assert(!p->new_root_inside);
}
END_TEST

START_TEST(test_unknown_members)
{
	refused("{\n\"profiles\":{\n\"reviewer\":{\n\"audiance\":\"a:b\"}}}",
	    "f:4: profiles.reviewer.audiance: unknown; did you mean "
	    "audience?");
	refused("{\"policy\":\n{\"maxttl\":5}}",
	    "f:2: policy.maxttl: unknown; did you mean max_ttl?");
	refused("{\"polcy\":{}}", "f:1: polcy: unknown; did you mean policy?");
	refused("{\"x\":{}}", "f:1: x: unknown");
	refused("{\"policy\":{\"Ttl\":5}}",
	    "f:1: policy.Ttl: unknown; did you mean ttl?");
	refused("{\"profiles\":{\"a\":{\"profile\":\"b\"}}}",
	    "f:1: profiles.a.profile: unknown");
	refused("{\"\\u001b[2J\":1}", "f:1: ?[2J: unknown");
}
END_TEST

START_TEST(test_wrong_types)
{
	refused("[]", "f:1: not an object");
	refused("{\"policy\":[]}", "f:1: policy: not an object");
	refused("{\"issuers\":{\"a\":1}}", "f:1: issuers.a: not an object");
	refused("{\"federations\":1}", "f:1: federations: not an object");
	refused("{\"comment\":1}",
	    "f:1: comment: not a string or a list of strings");
	refused("{\"profiles\":{\"comment\":{}}}",
	    "f:1: profiles.comment: not a string or a list of strings");
	refused("{\"policy\":{\"agents\":\"a\"}}",
	    "f:1: policy.agents: not a list of strings");
	refused("{\"policy\":{\"agents\":[1]}}",
	    "f:1: policy.agents: not a list of strings");
	refused("{\"policy\":{\"new_root_inside\":1}}",
	    "f:1: policy.new_root_inside: not true or false");
	refused("{\"policy\":{\"max_depth\":-1}}",
	    "f:1: policy.max_depth: not a whole number");
	refused("{\"policy\":{\"max_depth\":1.5}}",
	    "f:1: policy.max_depth: not a whole number");
	refused("{\"policy\":{\"max_live\":2147483648}}",
	    "f:1: policy.max_live: not a whole number");
	refused("{\"policy\":{\"audit\":\"file\"}}",
	    "f:1: policy.audit: not \"syslog\" or \"none\"");
	refused("{\"profiles\":{\"a\":{\"env\":null}}}",
	    "f:1: profiles.a.env: not a name for a variable");
}
END_TEST

START_TEST(test_durations)
{
	refused("{\"policy\":{\"max_ttl\":3601}}",
	    "f:1: policy.max_ttl: over 3600 seconds, which no configuration "
	    "can allow");
	refused("{\"policy\":{\"max_ttl\":\"61m\"}}",
	    "f:1: policy.max_ttl: over 3600 seconds, which no configuration "
	    "can allow");
	refused("{\"policy\":{\"ttl\":4}}", "f:1: policy.ttl: under 5 seconds");
	refused("{\"policy\":{\"max_life\":\"soon\"}}",
	    "f:1: policy.max_life: not a duration, such as \"15m\"");
	refused("{\"policy\":{\"max_life\":-1}}",
	    "f:1: policy.max_life: not a duration, such as \"15m\"");
	refused("{\"policy\":{\"retention\":1e300}}",
	    "f:1: policy.retention: not a duration, such as \"15m\"");
}
END_TEST

START_TEST(test_syntax_has_a_line)
{
	cJSON *tree;

	ck_assert_int_eq(settings_check("f", "{\n\n]", 5, &tree, &e), -1);
	ck_assert_msg(strncmp(e.text, "f:3: ", 5) == 0, "%s", e.text);
	ck_assert_int_eq(settings_check("f", "", 0, &tree, &e), -1);
	ck_assert_int_eq(
	    settings_check("f", "{\"policy\":{", 11, &tree, &e), -1);
	ck_assert_int_eq(
	    settings_check("f", "{\"policy\":{},\"policy\":{}}", 25, &tree, &e),
	    -1);
}
END_TEST

START_TEST(test_file_must_be_safe)
{
	write_file("config.json", "{}");
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(fchmodat(home.fd, "config.json", 0620, 0), 0);
	ck_assert_int_eq(load(), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "others can write to it"));
	ck_assert_int_eq(fchmodat(home.fd, "config.json", 0602, 0), 0);
	ck_assert_int_eq(load(), -1);
	unlinkat(home.fd, "config.json", 0);
	ck_assert_int_eq(mkfifoat(home.fd, "config.json", 0600), 0);
	ck_assert_int_eq(load(), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "not a file"));
	ck_assert_ptr_null(settings.files[0]);
}
END_TEST

START_TEST(test_file_of_another)
{
	write_file("config.json", "{}");
	if (geteuid() != 0)
		return; /* only root can give files away */
	ck_assert_int_eq(fchownat(home.fd, "config.json", 1, 1, 0), 0);
	ck_assert_int_eq(load(), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "belongs to another user"));
}
END_TEST

START_TEST(test_profiles)
{
	const cJSON *p;

	policy_of("{\"profiles\":{\"comment\":\"c\",\"a\":{\"agent\":\"s\"},"
		  "\"b\":{}}}",
	    "{\"profiles\":{\"c\":{},\"a\":{\"agent\":\"h\"}}}");
	ck_assert_int_eq(settings_profile(&settings, "a", &p, &e), 0);
	ck_assert_str_eq(json_string(p, "agent"), "h");
	ck_assert_int_eq(settings_profile(&settings, "b", &p, &e), 0);
	ck_assert_int_eq(settings_profile(&settings, "comment", &p, &e), -1);
	ck_assert_ptr_null(p);
	ck_assert_int_eq(settings_profile(&settings, "x", &p, &e), -1);
	ck_assert_int_eq(e.code, ERR_USAGE);
	ck_assert_str_eq(e.text, "no profile 'x'; there are: c, a, b");
	policy_of(NULL, "{}");
	ck_assert_int_eq(settings_profile(&settings, "x", &p, &e), -1);
	ck_assert_str_eq(e.text, "no profile 'x'; no configuration has any");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("settings");
	TCase *t = tcase_create("settings");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_defaults_without_files);
	tcase_add_test(t, test_whole_file);
	tcase_add_test(t, test_home_narrows);
	tcase_add_test(t, test_unknown_members);
	tcase_add_test(t, test_wrong_types);
	tcase_add_test(t, test_durations);
	tcase_add_test(t, test_syntax_has_a_line);
	tcase_add_test(t, test_file_must_be_safe);
	tcase_add_test(t, test_file_of_another);
	tcase_add_test(t, test_profiles);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
