#include "config.h"

#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "env.h"
#include "identity.h"
#include "io.h"

#define NAME "config.json"

/* One text that is being checked, for messages. */
struct source {
	const char *name, *text;
	size_t len;
	const cJSON *root;
};

enum type {
	TYPE_TEXT,
	TYPE_DURATION, /* "15m", or a number of seconds */
	TYPE_TTL,      /* a duration within the hard limits of a token */
	TYPE_COUNT,
	TYPE_FLAG,
	TYPE_LIST,  /* of strings */
	TYPE_TEXTS, /* a string or a list of them */
	TYPE_URIS, /* the same, of audiences */
	TYPE_VARIABLE,
	TYPE_ANY,
	TYPE_FORM, /* from here on one of few words */
	TYPE_SUBJECT,
	TYPE_ALG,
	TYPE_FORMAT,
	TYPE_STRAGGLERS,
	TYPE_ON_REVOKE,
	TYPE_AUDIT
};

/* What a word that is not among them is told. */
static const char *const choices[] = {
    [TYPE_FORM] = "not \"oauth\" or \"federation\"",
    [TYPE_SUBJECT] = "not \"run\" or \"agent\"",
    [TYPE_ALG] = "not \"ES256\", \"RS256\" or \"Ed25519\"",
    [TYPE_FORMAT] = "not \"token\", \"json\", \"env\" or \"header\"",
    [TYPE_STRAGGLERS] = "not \"kill\", \"wait\" or \"leave\"",
    [TYPE_ON_REVOKE] = "not \"keep\" or \"kill\"",
    [TYPE_AUDIT] = "not \"syslog\" or \"none\"",
};

struct member {
	const char *name;
	enum type type;
};

static const struct member policy_members[] = {
    {"ttl", TYPE_TTL},
    {"max_ttl", TYPE_TTL},
    {"max_life", TYPE_DURATION},
    {"max_depth", TYPE_COUNT},
    {"max_children", TYPE_COUNT},
    {"max_live", TYPE_COUNT},
    {"retention", TYPE_DURATION},
    {"agents", TYPE_LIST},
    {"audiences", TYPE_LIST},
    {"scopes", TYPE_LIST},
    {"may_spawn", TYPE_LIST},
    {"subject_agent", TYPE_LIST},
    {"new_root_inside", TYPE_FLAG},
    {"audit", TYPE_AUDIT},
    {"openssl_conf", TYPE_FLAG},
    {NULL, TYPE_ANY},
};

/* The long options of ephid-mint and ephid-wrap. */
static const struct member profile_members[] = {
    {"audience", TYPE_URIS},
    {"may-audience", TYPE_URIS},
    {"scope", TYPE_TEXTS},
    {"ttl", TYPE_TTL},
    {"agent", TYPE_TEXT},
    {"task", TYPE_TEXT},
    {"issuer", TYPE_TEXT},
    {"form", TYPE_FORM},
    {"subject", TYPE_SUBJECT},
    {"alg", TYPE_ALG},
    {"parent", TYPE_TEXT},
    {"strict", TYPE_FLAG},
    {"format", TYPE_FORMAT},
    {"output", TYPE_TEXT},
    {"id-file", TYPE_TEXT},
    {"max-life", TYPE_DURATION},
    {"timeout", TYPE_DURATION},
    {"grace", TYPE_DURATION},
    {"stragglers", TYPE_STRAGGLERS},
    {"on-revoke", TYPE_ON_REVOKE},
    {"env", TYPE_VARIABLE},
    {"no-env-token", TYPE_FLAG},
    {"clean-env", TYPE_FLAG},
    {"keep", TYPE_TEXTS},
    {"for", TYPE_TEXTS},
    {"with", TYPE_TEXTS},
    {"user", TYPE_TEXT},
    {"receipt", TYPE_TEXT},
    {"status-fd", TYPE_COUNT},
    {"dry-run", TYPE_FLAG},
    {NULL, TYPE_ANY},
};

/* What they hold is for whom they name; NULL: any members. */
static const struct section {
	const char *name;
	const struct member *members;
	bool named; /* an object of such objects */
} sections[] = {
    {"issuers", NULL, true},
    {"profiles", profile_members, true},
    {"federations", NULL, true},
    {"policy", policy_members, false},
};
#define SECTIONS (sizeof sections / sizeof *sections)

/* --- messages --------------------------------------------------------- */

/* "file:line: path: what". Names come from the file, so they are kept from
 * driving a terminal. */
static int
refuse_at(const char *file, int line, const char *path, const char *what,
    struct err *e)
{
	scoped(free_string) char *shown = xstrdup(path);

	for (char *s = shown; *s != '\0'; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
	return err_set(
	    e, ERR_USAGE, "%s:%d: %.200s: %s", file, line, shown, what);
}

static int
refuse(const struct source *src, const cJSON *node, const char *path,
    const char *what, struct err *e)
{
	return refuse_at(src->name,
	    json_line_of(src->text, src->len, src->root, node), path, what, e);
}

#define NEAR_MAX 32 /* names longer than this resemble none of ours */

/* Levenshtein's distance, in one row of his table. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NEAR_MAX + 1], n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

struct guess {
	const char *name;
	size_t distance;
};

static void
consider(struct guess *g, const char *name, const char *wrong)
{
	size_t d;

	if (strlen(name) > NEAR_MAX || strlen(wrong) > NEAR_MAX)
		return;
	if ((d = distance(wrong, name)) < g->distance) {
		g->name = name;
		g->distance = d;
	}
}

static int
refuse_unknown(const struct source *src, const cJSON *node, const char *path,
    const struct guess *g, struct err *e)
{
	scoped(buf_free) struct buf what = {0};

	buf_adds(&what, "unknown");
	if (g->name != NULL)
		buf_addf(&what, "; did you mean %s?", g->name);
	return refuse(src, node, path, what.ptr, e);
}

/* --- types ------------------------------------------------------------ */

static bool
is_list(const cJSON *v)
{
	const cJSON *item;

	if (!cJSON_IsArray(v))
		return false;
	cJSON_ArrayForEach (item, v)
		if (!cJSON_IsString(item))
			return false;
	return true;
}

/* Milliseconds of "15m" or of a number of seconds. */
static int
read_duration(const cJSON *v, int64_t *ms)
{
	struct err ignored;

	if (cJSON_IsString(v))
		return clock_parse_duration(v->valuestring, ms, &ignored);
	if (json_to_int(v, ms) < 0 || *ms < 0 || (double)*ms != v->valuedouble)
		return -1;
	return __builtin_mul_overflow(*ms, CLOCK_SECOND, ms) ? -1 : 0;
}

static int
read_count(const cJSON *v, int64_t *n)
{
	if (json_to_int(v, n) < 0 || (double)*n != v->valuedouble)
		return -1;
	return *n >= 0 && *n <= INT_MAX ? 0 : -1;
}

static const char *
ttl_fault(const cJSON *v)
{
	int64_t ms;

	if (read_duration(v, &ms) < 0)
		return "not a duration, such as \"15m\"";
	if (ms < TTL_MIN * CLOCK_SECOND)
		return "under 5 seconds";
	return ms > TTL_HARD_MAX * CLOCK_SECOND
	    ? "over 3600 seconds, which no configuration can allow"
	    : NULL;
}

static bool
is_choice(const cJSON *v, const char *refusal)
{
	scoped(free_string) char *quoted = NULL;

	if (!cJSON_IsString(v) || strchr(v->valuestring, '"') != NULL)
		return false;
	quoted = xasprintf("\"%s\"", v->valuestring);
	return strstr(refusal, quoted) != NULL;
}

static const char *
texts_fault(const cJSON *v)
{
	return cJSON_IsString(v) || is_list(v)
	    ? NULL
	    : "not a string or a list of strings";
}

static const char *
uris_fault(const cJSON *v)
{
	const char *wrong = texts_fault(v);
	const cJSON *item;
	struct err ignored;

	if (wrong != NULL)
		return wrong;
	if (cJSON_IsString(v))
		return audience_check(v->valuestring, &ignored) == 0
		    ? NULL
		    : "not an absolute URI";
	cJSON_ArrayForEach (item, v)
		if (audience_check(item->valuestring, &ignored) < 0)
			return "has one that is not an absolute URI";
	return NULL;
}

/* NULL, or what is wrong with a value. */
static const char *
fault(const cJSON *v, enum type type)
{
	int64_t n;

	switch (type) {
	case TYPE_TEXT:
		return cJSON_IsString(v) ? NULL : "not a string";
	case TYPE_DURATION:
		return read_duration(v, &n) == 0
		    ? NULL
		    : "not a duration, such as \"15m\"";
	case TYPE_TTL:
		return ttl_fault(v);
	case TYPE_COUNT:
		return read_count(v, &n) == 0 ? NULL : "not a whole number";
	case TYPE_FLAG:
		return cJSON_IsBool(v) ? NULL : "not true or false";
	case TYPE_LIST:
		return is_list(v) ? NULL : "not a list of strings";
	case TYPE_TEXTS:
		return texts_fault(v);
	case TYPE_URIS:
		return uris_fault(v);
	case TYPE_VARIABLE:
		return cJSON_IsString(v) && env_name_is_valid(v->valuestring)
		    ? NULL
		    : "not a name for a variable";
	case TYPE_ANY:
		return NULL;
	default:
		return is_choice(v, choices[type]) ? NULL : choices[type];
	}
}

/* --- checking --------------------------------------------------------- */

static bool
is_comment(const cJSON *node)
{
	return strcmp(node->string, "comment") == 0;
}

static int
check_comment(const struct source *src, const cJSON *node, const char *path,
    struct err *e)
{
	const char *wrong = fault(node, TYPE_TEXTS);

	return wrong != NULL ? refuse(src, node, path, wrong, e) : 0;
}

static int
check_member(const struct source *src, const cJSON *node, const char *path,
    const struct member *members, struct err *e)
{
	struct guess g = {NULL, 3};
	const char *wrong;

	for (; members->name != NULL; members++) {
		if (strcmp(members->name, node->string) == 0) {
			wrong = fault(node, members->type);
			return wrong != NULL ? refuse(src, node, path, wrong, e)
					     : 0;
		}
		consider(&g, members->name, node->string);
	}
	return refuse_unknown(src, node, path, &g, e);
}

static int
check_object(const struct source *src, const cJSON *object, const char *path,
    const struct member *members, struct err *e)
{
	const cJSON *node;

	if (!cJSON_IsObject(object))
		return refuse(src, object, path, "not an object", e);
	cJSON_ArrayForEach (node, object) {
		scoped(free_string) char *below =
		    xasprintf("%s.%s", path, node->string);

		if (is_comment(node) ? check_comment(src, node, below, e) < 0
				     : members != NULL &&
			    check_member(src, node, below, members, e) < 0)
			return -1;
	}
	return 0;
}

static int
check_named(const struct source *src, const cJSON *map,
    const struct section *section, struct err *e)
{
	const cJSON *node;

	if (!cJSON_IsObject(map))
		return refuse(src, map, section->name, "not an object", e);
	cJSON_ArrayForEach (node, map) {
		scoped(free_string) char *path =
		    xasprintf("%s.%s", section->name, node->string);

		if (is_comment(node) ? check_comment(src, node, path, e) < 0
				     : check_object(src, node, path,
					   section->members, e) < 0)
			return -1;
	}
	return 0;
}

static int
check_section(const struct source *src, const cJSON *node, struct err *e)
{
	struct guess g = {NULL, 3};

	if (is_comment(node))
		return check_comment(src, node, "comment", e);
	for (size_t i = 0; i < SECTIONS; i++) {
		const struct section *s = &sections[i];

		if (strcmp(s->name, node->string) == 0)
			return s->named
			    ? check_named(src, node, s, e)
			    : check_object(src, node, s->name, s->members, e);
		consider(&g, s->name, node->string);
	}
	return refuse_unknown(src, node, node->string, &g, e);
}

/* json.c says "line 3: ..."; here that is "file:3: ...", with the member. */
static int
refuse_syntax(const char *name, const char *text, size_t len, struct err *e)
{
	scoped(free_string) char *said = xstrdup(e->text);
	scoped(free_string) char *twice = json_twice(text, len);
	int line = 0, at = 0;

	if (sscanf(said, "line %d: %n", &line, &at) != 1 || at == 0)
		return err_set(e, ERR_USAGE, "%s: %s", name, said);
	if (twice != NULL)
		return refuse_at(name, line, twice, said + at, e);
	return err_set(e, ERR_USAGE, "%s:%d: %s", name, line, said + at);
}

int
settings_check(
    const char *name, const char *text, size_t len, cJSON **out, struct err *e)
{
	scoped(free_json) cJSON *root = json_parse(text, len, e);
	struct source src = {name, text, len, root};
	const cJSON *node;

	*out = NULL;
	if (root == NULL)
		return refuse_syntax(name, text, len, e);
	if (!cJSON_IsObject(root))
		return err_set(e, ERR_USAGE, "%s:1: not an object", name);
	cJSON_ArrayForEach (node, root)
		if (check_section(&src, node, e) < 0)
			return -1;
	*out = root;
	root = NULL;
	return 0;
}

/* --- policy ----------------------------------------------------------- */

static const cJSON *
policy_member(const struct settings *s, int file, const char *name)
{
	return json_get(json_get(s->files[file], "policy"), name);
}

/* The smallest of those set, else what *value is. */
static void
take_seconds(const struct settings *s, const char *name, int64_t *value)
{
	int64_t least = INT64_MAX, ms;

	for (int i = 0; i < 2; i++) {
		const cJSON *v = policy_member(s, i, name);

		if (v != NULL && read_duration(v, &ms) == 0 && ms < least)
			least = ms;
	}
	if (least != INT64_MAX)
		*value = least / CLOCK_SECOND;
}

static void
take_count(const struct settings *s, const char *name, int *value)
{
	int64_t least = INT64_MAX, n;

	for (int i = 0; i < 2; i++) {
		const cJSON *v = policy_member(s, i, name);

		if (v != NULL && read_count(v, &n) == 0 && n < least)
			least = n;
	}
	if (least != INT64_MAX)
		*value = (int)least;
}

static void
take_rule(const struct settings *s, const char *name, struct rule *r)
{
	for (int i = 0; i < 2; i++)
		r->lists[i] = policy_member(s, i, name);
}

/* A permission: on in every file that sets it, and in one at least. */
static bool
is_permitted(const struct settings *s, const char *name)
{
	bool on = false;

	for (int i = 0; i < 2; i++) {
		const cJSON *v = policy_member(s, i, name);

		if (v != NULL && !cJSON_IsTrue(v))
			return false;
		on = on || v != NULL;
	}
	return on;
}

/* A demand (a log, FIPS): home cannot take back what the system demands. */
static bool
is_demanded(const struct settings *s, const char *name, const char *text)
{
	for (int i = 0; i < 2; i++) {
		const cJSON *v = policy_member(s, i, name);

		if (v != NULL &&
		    (cJSON_IsString(v) ? strcmp(v->valuestring, text) == 0
				       : cJSON_IsTrue(v)))
			return true;
	}
	return false;
}

static void
fill_policy(struct settings *s)
{
	struct policy *p = &s->policy;

	policy_default(p);
	take_seconds(s, "ttl", &p->ttl);
	take_seconds(s, "max_ttl", &p->max_ttl);
	take_seconds(s, "max_life", &p->max_life);
	take_seconds(s, "retention", &p->retention);
	take_count(s, "max_depth", &p->max_depth);
	take_count(s, "max_children", &p->max_children);
	take_count(s, "max_live", &p->max_live);
	take_rule(s, "agents", &p->agents);
	take_rule(s, "audiences", &p->audiences);
	take_rule(s, "scopes", &p->scopes);
	take_rule(s, "may_spawn", &p->may_spawn);
	take_rule(s, "subject_agent", &p->subject_agent);
	p->new_root_inside = is_permitted(s, "new_root_inside");
	p->audit_syslog = is_demanded(s, "audit", "syslog");
	p->openssl_conf = is_demanded(s, "openssl_conf", "");
	if (p->ttl > p->max_ttl)
		p->ttl = p->max_ttl;
}

/* --- files ------------------------------------------------------------ */

/* Who can write the configuration can widen every grant. */
static int
check_file(int fd, const char *name, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot read '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "'%s': not a file", name);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(
		    e, ERR_USAGE, "'%s': belongs to another user", name);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(
		    e, ERR_USAGE, "'%s': others can write to it", name);
	return 0;
}

static int
load_file(
    int dirfd, const char *path, const char *name, cJSON **out, struct err *e)
{
	scoped(close_fd) int fd = -1;
	scoped(buf_free) struct buf text = {0};

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_sys(e, "cannot read '%s'", name);
	if (check_file(fd, name, e) < 0 ||
	    io_read_all(fd, SETTINGS_MAX, name, &text, e) < 0)
		return -1;
	return settings_check(name, buf_str(&text), text.len, out, e);
}

static int
load_home(const struct home *home, cJSON **out, struct err *e)
{
	scoped(free_string) char *name = xasprintf("%s/%s", home->path, NAME);

	return load_file(home->fd, NAME, name, out, e);
}

int
settings_load(const char *system_path, const struct home *home,
    struct settings *out, struct err *e)
{
	*out = (struct settings){0};
	if (load_file(AT_FDCWD, system_path, system_path, &out->files[0], e) <
		0 ||
	    (home != NULL && load_home(home, &out->files[1], e) < 0)) {
		settings_free(out);
		return -1;
	}
	fill_policy(out);
	return 0;
}

void
settings_free(struct settings *s)
{
	for (int i = 0; i < 2; i++)
		cJSON_Delete(s->files[i]);
	*s = (struct settings){0};
}

/* --- profiles --------------------------------------------------------- */

static const cJSON *
profiles_of(const struct settings *s, int file)
{
	return json_get(s->files[file], "profiles");
}

/* Each name once: one of home hides the system's. */
static void
name_profiles(const struct settings *s, struct buf *names)
{
	for (int i = 1; i >= 0; i--) {
		const cJSON *node;

		cJSON_ArrayForEach (node, profiles_of(s, i)) {
			if (is_comment(node) ||
			    (i == 0 &&
				json_get(profiles_of(s, 1), node->string)))
				continue;
			buf_addf(names, "%s%s", names->len > 0 ? ", " : "",
			    node->string);
		}
	}
}

int
settings_profile(const struct settings *s, const char *name, const cJSON **out,
    struct err *e)
{
	scoped(buf_free) struct buf names = {0};

	for (int i = 1; i >= 0; i--) {
		*out = json_get(profiles_of(s, i), name);
		if (cJSON_IsObject(*out))
			return 0;
	}
	*out = NULL;
	name_profiles(s, &names);
	if (names.len == 0)
		return err_set(e, ERR_USAGE,
		    "no profile '%.40s'; no configuration has any", name);
	return err_set(
	    e, ERR_USAGE, "no profile '%.40s'; there are: %s", name, names.ptr);
}
