#include "config.h"

#include "grant.h"

#include <string.h>

#include "scope.h"

static bool
entry_matches(const char *entry, const char *text)
{
	size_t n = strlen(entry);

	if (n > 0 && entry[n - 1] == '*')
		return strncmp(entry, text, n - 1) == 0;
	return strcmp(entry, text) == 0;
}

static bool
list_has(const cJSON *list, const char *text, bool patterns)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list) {
		const char *entry = item->valuestring;

		if (!cJSON_IsString(item))
			continue;
		if (patterns ? entry_matches(entry, text)
			     : strcmp(entry, text) == 0)
			return true;
	}
	return false;
}

bool
rule_is_set(const struct rule *r)
{
	return r->lists[0] != NULL || r->lists[1] != NULL;
}

bool
rule_allows(const struct rule *r, const char *text, bool otherwise)
{
	if (!rule_is_set(r))
		return otherwise;
	for (int i = 0; i < 2; i++)
		if (r->lists[i] != NULL && !list_has(r->lists[i], text, true))
			return false;
	return true;
}

void
policy_default(struct policy *p)
{
	*p = (struct policy){
	    .ttl = 900,
	    .max_ttl = TTL_HARD_MAX,
	    .max_life = 86400,
	    .retention = 30 * 86400,
	    .max_depth = 8,
	    .max_children = 100,
	    .max_live = 10000,
	};
}

/* --- policy ----------------------------------------------------------- */

static int
check_times(const struct policy *p, const struct identity *id,
    const struct credential *c, struct err *e)
{
	int64_t ttl = c->expires_at - c->issued_at;
	int64_t max = p->max_ttl < TTL_HARD_MAX ? p->max_ttl : TTL_HARD_MAX;

	if (ttl < TTL_MIN)
		return err_set(e, ERR_DENIED,
		    "a life of %llds is under the least, %ds", (long long)ttl,
		    TTL_MIN);
	if (ttl > max)
		return err_set(e, ERR_DENIED,
		    "ttl %llds is beyond policy's max_ttl %llds",
		    (long long)ttl, (long long)max);
	if (c->expires_at - id->issued_at > p->max_life)
		return err_set(e, ERR_DENIED,
		    "a life of %llds is beyond policy's max_life %llds",
		    (long long)(c->expires_at - id->issued_at),
		    (long long)p->max_life);
	return 0;
}

static int
check_policy_scope(const struct policy *p, const char *scope, struct err *e)
{
	for (const char *s = scope != NULL ? scope : ""; *s != '\0';) {
		scoped(buf_free) struct buf token = {0};
		size_t n = strcspn(s, " ");

		buf_add(&token, s, n);
		if (!rule_allows(&p->scopes, token.ptr, true))
			return err_set(e, ERR_DENIED,
			    "scope '%s' is none that policy allows", token.ptr);
		s += s[n] == ' ' ? n + 1 : n;
	}
	return 0;
}

/* The audiences that children may be given, read back from the record. */
static int
read_may_audiences(const struct identity *id, cJSON **out, struct err *e)
{
	const char *text = id->audiences != NULL ? id->audiences : "[]";
	const cJSON *item;

	if ((*out = json_parse(text, strlen(text), e)) == NULL)
		return err_in(e, "audiences of %s", id->id);
	cJSON_ArrayForEach (item, *out)
		if (!cJSON_IsString(item))
			return err_set(e, ERR_INVALID,
			    "audiences of %s: not all are strings", id->id);
	return 0;
}

static int
check_policy_audiences(const struct policy *p, const struct identity *id,
    const struct credential *c, const char *issuer_url, struct err *e)
{
	scoped(free_json) cJSON *may = NULL;
	const cJSON *item;

	if (strcmp(c->audience, issuer_url) != 0 &&
	    !rule_allows(&p->audiences, c->audience, true))
		return err_set(e, ERR_DENIED,
		    "audience '%s' is none that policy allows", c->audience);
	if (read_may_audiences(id, &may, e) < 0)
		return -1;
	cJSON_ArrayForEach (item, may)
		if (strcmp(item->valuestring, issuer_url) != 0 &&
		    !rule_allows(&p->audiences, item->valuestring, true))
			return err_set(e, ERR_DENIED,
			    "audience '%s', to be handed on, is none that "
			    "policy allows",
			    item->valuestring);
	return 0;
}

/* Without /run/... a verifier cannot tell one run of the agent from another,
 * so a child could pass for its parent. */
static int
check_subject(const struct policy *p, const struct identity *id,
    const struct credential *c, struct err *e)
{
	bool by_form = c->form == FORM_FEDERATION;

	if (!c->subject_is_agent ||
	    rule_allows(&p->subject_agent, id->agent, id->depth == 0))
		return 0;
	return err_set(e, ERR_DENIED,
	    "%s drops /run/ from sub, which policy does not let agent '%s' do%s",
	    by_form ? "form federation" : "subject agent", id->agent,
	    by_form ? "; --subject run keeps it" : "");
}

int
grant_check_policy(const struct policy *p, const struct identity *id,
    const struct credential *c, const char *issuer_url, struct err *e)
{
	if (!rule_allows(&p->agents, id->agent, true))
		return err_set(e, ERR_DENIED,
		    "agent '%s' is none that policy allows", id->agent);
	if (check_policy_scope(p, id->scope, e) < 0 ||
	    check_policy_audiences(p, id, c, issuer_url, e) < 0 ||
	    check_subject(p, id, c, e) < 0 || check_times(p, id, c, e) < 0)
		return -1;
	/* The tree may be older than a policy that has become narrower. */
	if (id->depth > p->max_depth)
		return err_set(e, ERR_DENIED,
		    "depth %d is beyond policy's max_depth %d", id->depth,
		    p->max_depth);
	return 0;
}

/* --- narrowing -------------------------------------------------------- */

static int
check_scope(
    const struct identity *parent, const struct identity *child, struct err *e)
{
	scoped(buf_free) struct buf missing = {0};
	const char *has = parent->scope != NULL ? parent->scope : "";
	const char *wants = child->scope != NULL ? child->scope : "";

	if (scope_covers(has, wants, &missing))
		return 0;
	if (*has == '\0')
		return err_set(e, ERR_DENIED,
		    "scope '%s' is not within the parent's, which is empty",
		    buf_str(&missing));
	return err_set(e, ERR_DENIED,
	    "scope '%s' is not within the parent's ('%s')", buf_str(&missing),
	    has);
}

static int
check_audiences(const cJSON *held, const struct identity *child,
    const struct credential *c, const char *issuer_url, struct err *e)
{
	scoped(free_json) cJSON *may = NULL;
	const cJSON *item;

	if (strcmp(c->audience, issuer_url) != 0 &&
	    !list_has(held, c->audience, false))
		return err_set(e, ERR_DENIED,
		    "audience '%s' is none that the parent holds or may hand "
		    "on",
		    c->audience);
	if (read_may_audiences(child, &may, e) < 0)
		return -1;
	cJSON_ArrayForEach (item, may)
		if (strcmp(item->valuestring, issuer_url) != 0 &&
		    !list_has(held, item->valuestring, false))
			return err_set(e, ERR_DENIED,
			    "audience '%s', to be handed on, is none that the "
			    "parent holds or may hand on",
			    item->valuestring);
	return 0;
}

static int
check_agent(const struct policy *p, const struct identity *parent,
    const struct identity *child, struct err *e)
{
	if (agent_is_within(child->agent, parent->agent) ||
	    rule_allows(&p->may_spawn, child->agent, false))
		return 0;
	return err_set(e, ERR_DENIED,
	    "agent '%s' is neither the parent's '%s' nor beneath it",
	    child->agent, parent->agent);
}

static int
check_life_and_depth(const struct identity *parent,
    const struct identity *child, const struct credential *c, struct err *e)
{
	if (child->expires_at > parent->expires_at ||
	    c->expires_at > parent->expires_at)
		return err_set(
		    e, ERR_DENIED, "its expiry is beyond the parent's");
	if (child->max_depth > parent->max_depth)
		return err_set(e, ERR_DENIED,
		    "max_depth %d is beyond the tree's max_depth %d",
		    child->max_depth, parent->max_depth);
	if (child->depth > parent->max_depth)
		return err_set(e, ERR_DENIED,
		    "depth %d is beyond the tree's max_depth %d", child->depth,
		    parent->max_depth);
	return 0;
}

int
grant_check_child(const struct policy *p, const struct identity *parent,
    const cJSON *parent_audiences, const struct identity *child,
    const struct credential *c, const char *issuer_url, struct err *e)
{
	if (check_scope(parent, child, e) < 0 ||
	    check_audiences(parent_audiences, child, c, issuer_url, e) < 0 ||
	    check_agent(p, parent, child, e) < 0 ||
	    check_subject(p, child, c, e) < 0)
		return -1;
	return check_life_and_depth(parent, child, c, e);
}
