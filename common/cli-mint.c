#include "config.h"

#include "cli.h"

#include <assert.h>
#include <string.h>

#include "clock.h"
#include "issuer.h"
#include "scope.h"

void
cli_push(cJSON **list, const char *value)
{
	if (*list == NULL)
		*list = json_array();
	json_push_string(*list, value);
}

/* It repeats, as a list in a profile does; kept for as long as we live. */
static const char *
join_scopes(const char *so_far, const char *more)
{
	return so_far == NULL ? more : xasprintf("%s %s", so_far, more);
}

bool
cli_mint_option(struct mint_options *o, int opt, const char *arg)
{
	switch (opt) {
	case 'a':
		cli_push(&o->audiences, arg);
		return true;
	case CLI_MAY_AUDIENCE:
		cli_push(&o->may_audiences, arg);
		return true;
	case 's':
		o->scope = join_scopes(o->scope, arg);
		return true;
	case 't':
		o->ttl = arg;
		return true;
	case 'p':
		o->profile = arg;
		return true;
	case CLI_AGENT:
		o->agent = arg;
		return true;
	case CLI_TASK:
		o->task = arg;
		return true;
	case CLI_FORM:
		o->form = arg;
		return true;
	case CLI_SUBJECT:
		o->subject = arg;
		return true;
	case CLI_ALG:
		o->alg = arg;
		return true;
	case CLI_PARENT:
		o->parent = arg;
		return true;
	case CLI_ISSUER:
		o->issuer = arg;
		return true;
	case CLI_STRICT:
		return o->strict = true;
	default:
		return false;
	}
}

/* A profile's text for an option that the line did not give. Lists (a scope)
 * become words, numbers their digits, kept for as long as we live. */
void
cli_fill(const char **value, const cJSON *profile, const char *name)
{
	static char *kept[16];
	static size_t n;
	const cJSON *m = json_get(profile, name), *item;
	struct buf text = {0};

	if (*value != NULL || m == NULL)
		return;
	if (cJSON_IsString(m)) {
		*value = m->valuestring;
		return;
	}
	if (cJSON_IsArray(m))
		cJSON_ArrayForEach (item, m)
			buf_addf(&text, "%s%s", text.len > 0 ? " " : "",
			    cJSON_IsString(item) ? item->valuestring : "");
	else
		json_print(m, &text);
	assert(n < sizeof kept / sizeof *kept);
	*value = kept[n++] = buf_steal(&text);
}

void
cli_fill_list(cJSON **list, const cJSON *profile, const char *name)
{
	const cJSON *m = json_get(profile, name), *item;

	if (*list != NULL || m == NULL)
		return;
	if (cJSON_IsString(m))
		cli_push(list, m->valuestring);
	cJSON_ArrayForEach (item, m)
		if (cJSON_IsString(item))
			cli_push(list, item->valuestring);
}

void
cli_fill_flag(bool *flag, const cJSON *profile, const char *name)
{
	if (cJSON_IsTrue(json_get(profile, name)))
		*flag = true;
}

const cJSON *
cli_profile(const struct mint_options *o, const struct settings *settings)
{
	const char *name =
	    o->profile != NULL ? o->profile : cli_variable("EPHID_PROFILE");
	const cJSON *profile = NULL;
	struct err e;

	if (name != NULL && settings_profile(settings, name, &profile, &e) < 0)
		cli_die(&e);
	return profile;
}

/* To leave out a credential that somebody counts on is no service. */
static void
refuse_other_issuers(const cJSON *profile)
{
	static const char *const later[] = {"for", "with"};
	struct err e;

	for (size_t i = 0; i < sizeof later / sizeof *later; i++)
		if (json_get(profile, later[i]) != NULL) {
			err_set(&e, ERR_DENIED,
			    "the profile has '%s', which this version cannot "
			    "do: there is no issuer but the embedded one",
			    later[i]);
			cli_die(&e);
		}
}

static void
apply_profile(struct mint_options *o, const cJSON *p)
{
	refuse_other_issuers(p);
	cli_fill_list(&o->audiences, p, "audience");
	cli_fill_list(&o->may_audiences, p, "may-audience");
	cli_fill(&o->scope, p, "scope");
	cli_fill(&o->ttl, p, "ttl");
	cli_fill(&o->agent, p, "agent");
	cli_fill(&o->task, p, "task");
	cli_fill(&o->form, p, "form");
	cli_fill(&o->subject, p, "subject");
	cli_fill(&o->alg, p, "alg");
	cli_fill(&o->parent, p, "parent");
	cli_fill(&o->issuer, p, "issuer");
	cli_fill_flag(&o->strict, p, "strict");
}

/* Whole seconds, rounded up: 0 would mean policy's. */
static int64_t
parse_ttl(const char *text)
{
	int64_t ms = text != NULL ? cli_duration("ttl", text) : 0;

	if (text != NULL && ms < TTL_MIN * CLOCK_SECOND)
		cli_usage("option '--ttl': less than %ds", TTL_MIN);
	return ms / CLOCK_SECOND + (ms % CLOCK_SECOND != 0);
}

static int
parse_subject(const char *text)
{
	if (text == NULL)
		return -1;
	if (strcmp(text, "run") == 0)
		return 0;
	if (strcmp(text, "agent") != 0)
		cli_usage("option '--subject': neither 'run' nor 'agent'");
	return 1;
}

static int
parse_alg(const char *text)
{
	enum key_alg alg;

	if (text == NULL)
		return -1;
	if (key_alg_parse(text, &alg) < 0)
		cli_usage("option '--alg': not ES256, RS256 or Ed25519");
	return (int)alg;
}

static enum form
parse_form(const char *text)
{
	enum form form = FORM_OAUTH;

	if (text != NULL && form_parse(text, &form) < 0)
		cli_usage("option '--form': neither 'oauth' nor 'federation'");
	return form;
}

static void
check_audiences(const cJSON *list)
{
	const cJSON *item, *other;
	struct err e;

	cJSON_ArrayForEach (item, list) {
		if (audience_check(item->valuestring, &e) < 0)
			cli_usage("%s", e.text);
		for (other = item->next; other != NULL; other = other->next)
			if (strcmp(item->valuestring, other->valuestring) == 0)
				cli_usage("audience '%s': given twice",
				    item->valuestring);
	}
}

/* Asked again by lifecycle; here, so that a slip makes no home. */
static void
check_words(const struct mint_options *o)
{
	scoped(buf_free) struct buf scope = {0};
	scoped(free_string) char *agent = NULL;
	const struct issuer_ops *ops;
	struct err e;

	if (o->scope != NULL && scope_parse(o->scope, &scope, &e) < 0)
		cli_usage("%s", e.text);
	if (o->agent != NULL && agent_parse(o->agent, &agent, &e) < 0)
		cli_usage("%s", e.text);
	if (o->task != NULL && note_check("task", o->task, &e) < 0)
		cli_usage("%s", e.text);
	if (o->issuer != NULL && issuer_find(o->issuer, &ops, &e) < 0)
		cli_usage("%s", e.text);
}

/* A named file that is gone is an error, not a reason to mint a root. */
static const char *
read_parent(const char *path, struct buf *out)
{
	struct err e;
	int found;

	if (path != NULL && strcmp(path, "none") == 0)
		return NULL;
	if (path != NULL)
		found = cli_read_token(path, out, &e) < 0 ? -1 : 1;
	else
		found = cli_own_token(out, &e);
	if (found < 0)
		cli_die(&e);
	return found > 0 ? buf_str(out) : NULL;
}

void
cli_mint_request(struct mint_options *o, const struct settings *settings,
    struct mint_request *rq, struct buf *parent)
{
	apply_profile(o, cli_profile(o, settings));
	if (cJSON_GetArraySize(o->audiences) > AUDIENCES_MAX)
		cli_usage("%d audiences: the most is %d",
		    cJSON_GetArraySize(o->audiences), AUDIENCES_MAX);
	check_audiences(o->audiences);
	check_audiences(o->may_audiences);
	check_words(o);
	rq->audiences = o->audiences;
	rq->scope = o->scope;
	rq->ttl = parse_ttl(o->ttl);
	rq->agent = o->agent;
	rq->task = o->task;
	rq->form = parse_form(o->form);
	rq->subject_is_agent = parse_subject(o->subject);
	rq->alg = parse_alg(o->alg);
	rq->issuer = o->issuer;
	rq->may_audiences = o->may_audiences;
	rq->parent_token = read_parent(o->parent, parent);
}
