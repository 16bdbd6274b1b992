#include "config.h"

#include "origin.h"

#include <stdbool.h>
#include <string.h>

#define VALUE_MAX 256
#define TRACE_AT 3 /* in a traceparent: 00-<trace>-<span>-<flags> */
#define SPAN_AT 36
#define FLAGS_AT 53

/* Which variable tells of which system, and what it is called here. Only
 * names that hold no secret: never a URL (they carry passwords), never all of
 * a prefix. */
struct fact {
	const char *member, *variable;
};
#define FACTS_MAX 8
static const struct ci {
	const char *name;
	const char *sign; /* set and not empty in each job of it */
	struct fact facts[FACTS_MAX];
} systems[] = {
    {"github", "GITHUB_ACTIONS",
	{{"repository", "GITHUB_REPOSITORY"}, {"run_id", "GITHUB_RUN_ID"},
	    {"run_attempt", "GITHUB_RUN_ATTEMPT"},
	    {"workflow", "GITHUB_WORKFLOW"}, {"job", "GITHUB_JOB"},
	    {"commit", "GITHUB_SHA"}, {"ref", "GITHUB_REF"},
	    {"actor", "GITHUB_ACTOR"}}},
    {"gitlab", "GITLAB_CI",
	{{"repository", "CI_PROJECT_PATH"}, {"run_id", "CI_PIPELINE_ID"},
	    {"job_id", "CI_JOB_ID"}, {"job", "CI_JOB_NAME"},
	    {"commit", "CI_COMMIT_SHA"}, {"ref", "CI_COMMIT_REF_NAME"},
	    {"actor", "GITLAB_USER_LOGIN"}}},
    {"buildkite", "BUILDKITE",
	{{"organization", "BUILDKITE_ORGANIZATION_SLUG"},
	    {"pipeline", "BUILDKITE_PIPELINE_SLUG"},
	    {"run_id", "BUILDKITE_BUILD_ID"},
	    {"run_number", "BUILDKITE_BUILD_NUMBER"},
	    {"job_id", "BUILDKITE_JOB_ID"}, {"commit", "BUILDKITE_COMMIT"},
	    {"ref", "BUILDKITE_BRANCH"}}},
    {"circleci", "CIRCLECI",
	{{"organization", "CIRCLE_PROJECT_USERNAME"},
	    {"repository", "CIRCLE_PROJECT_REPONAME"},
	    {"run_id", "CIRCLE_WORKFLOW_ID"},
	    {"run_number", "CIRCLE_BUILD_NUM"}, {"job", "CIRCLE_JOB"},
	    {"commit", "CIRCLE_SHA1"}, {"ref", "CIRCLE_BRANCH"},
	    {"actor", "CIRCLE_USERNAME"}}},
    /* Last, for an agent of Jenkins may hand its variables on. */
    {"jenkins", "JENKINS_URL",
	{{"job", "JOB_NAME"}, {"run_id", "BUILD_TAG"},
	    {"run_number", "BUILD_NUMBER"}, {"commit", "GIT_COMMIT"},
	    {"ref", "GIT_BRANCH"}}},
};

static const char *
find(char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; *envp != NULL; envp++)
		if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=' &&
		    (*envp)[n + 1] != '\0')
			return *envp + n + 1;
	return NULL;
}

/* What is stored is read again through the strict gate, so what would not
 * pass it (other than UTF-8) is left out. */
static bool
passes_gate(const cJSON *value)
{
	scoped(buf_free) struct buf text = {0};
	scoped(free_json) cJSON *again = NULL;
	struct err ignored;

	json_print(value, &text);
	again = json_parse(text.ptr, text.len, &ignored);
	return again != NULL;
}

static void
add_cut(cJSON *o, const char *member, const char *value)
{
	scoped(buf_free) struct buf cut = {0};
	scoped(free_json) cJSON *string = NULL;
	size_t n = strnlen(value, VALUE_MAX + 1);

	if (n > VALUE_MAX) /* not in the middle of a character */
		for (n = VALUE_MAX; n > 0 && (value[n] & 0xc0) == 0x80; n--)
			;
	buf_add(&cut, value, n);
	string = cJSON_CreateString(cut.ptr);
	if (passes_gate(string))
		json_add_string(o, member, cut.ptr);
}

static void
add_ci(cJSON *o, char *const *envp)
{
	const struct ci *ci = NULL;

	for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
		if (ci == NULL && find(envp, systems[i].sign) != NULL)
			ci = &systems[i];
	if (ci == NULL)
		return;
	json_add_string(o, "ci", ci->name);
	for (int i = 0; i < FACTS_MAX && ci->facts[i].member != NULL; i++) {
		const char *value = find(envp, ci->facts[i].variable);

		if (value != NULL)
			add_cut(o, ci->facts[i].member, value);
	}
}

/* --- traces ----------------------------------------------------------- */

/* n lower-case hexadecimal digits, not all of them 0 unless it may be. */
static bool
is_hex(const char *s, size_t n, bool zero_too)
{
	bool zero = true;

	for (size_t i = 0; i < n; i++) {
		if (!(s[i] >= '0' && s[i] <= '9') &&
		    !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
		zero = zero && s[i] == '0';
	}
	return zero_too || !zero;
}

static bool
is_traceparent(const char *s)
{
	return s != NULL &&
	    strnlen(s, TRACEPARENT_LEN + 1) == TRACEPARENT_LEN &&
	    strncmp(s, "00-", 3) == 0 && is_hex(s + TRACE_AT, 32, false) &&
	    s[SPAN_AT - 1] == '-' && is_hex(s + SPAN_AT, 16, false) &&
	    s[FLAGS_AT - 1] == '-' && is_hex(s + FLAGS_AT, 2, true);
}

cJSON *
origin_read(char *const *envp)
{
	const char *trace = find(envp, "TRACEPARENT");
	cJSON *o = json_object();

	add_ci(o, envp);
	if (is_traceparent(trace)) {
		char id[33] = {0};

		memcpy(id, trace + TRACE_AT, 32);
		json_add_string(o, "trace_id", id);
	}
	if (o->child != NULL)
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* An id of all zeros is invalid, so the last digit is then made 1. */
static void
put_hex(char *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	if (!is_hex(out, 2 * n, false))
		out[2 * n - 1] = '1';
}

void
origin_traceparent(const char *parent, const uint8_t rnd[static 24],
    char out[static TRACEPARENT_LEN + 1])
{
	/* A trace of our own is marked sampled, or tracers that follow their
	 * parent would record nothing where without us they record all. */
	memset(out, '-', TRACEPARENT_LEN);
	memcpy(out, "00", 2);
	memcpy(out + FLAGS_AT, "01", 3);
	if (is_traceparent(parent)) {
		memcpy(out + TRACE_AT, parent + TRACE_AT, 32);
		memcpy(out + FLAGS_AT, parent + FLAGS_AT, 2);
	} else {
		put_hex(out + TRACE_AT, rnd, 16);
	}
	put_hex(out + SPAN_AT, rnd + 16, 8);
}
