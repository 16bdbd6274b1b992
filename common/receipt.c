#include "config.h"

#include "receipt.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "identity.h"
#include "supervise.h"

#define FORMAT 1

/* --- composing ---------------------------------------------------------- */

/* Nobody ends what has ended by itself, and the ledger need not say so. */
static const char *
revocation_of(const struct credential *c, int64_t now)
{
	if (*c->revocation != '\0' && strcmp(c->revocation, "none") != 0)
		return c->revocation;
	return c->expires_at <= now ? "expired" : "none";
}

struct held {
	cJSON *list;
	int64_t now;
};

static int
add_credential(const struct credential *c, void *arg)
{
	struct held *held = arg;
	cJSON *o = json_object();

	json_add_string(o, "jti", c->jti);
	json_add_string(o, "issuer", c->issuer);
	json_add_string(o, "form", form_name(c->form));
	json_add_string(o, "audience", c->audience);
	json_add_time(o, "issued_at", c->issued_at);
	json_add_time(o, "expires_at", c->expires_at);
	json_add_string(o, "revocation", revocation_of(c, held->now));
	json_add_time(o, "revoked_at", c->revoked_at);
	cJSON_AddItemToArray(held->list, o);
	return 0;
}

static void
add_end(cJSON *o, const struct outcome *end)
{
	char name[SIGNAL_NAME_MAX];

	json_add_time(o, "ended_at", end->ended_at);
	if (end->ended_at != 0 && end->status >= 0)
		json_add_int(o, "exit_status", end->status);
	else
		json_add_null(o, "exit_status");
	json_add_text(o, "signal",
	    end->signal > 0 ? signal_name(end->signal, name) : NULL);
	if (end->timed_out)
		json_add_bool(o, "timed_out", true);
}

static cJSON *
compose(
    const struct identity *id, const struct outcome *end, int64_t now)
{
	cJSON *o = json_object();

	json_add_int(o, "receipt", FORMAT);
	json_add_string(o, "id", id->id);
	json_add_string(o, "root", id->root);
	json_add_text(
	    o, "parent", *id->parent != '\0' ? id->parent : NULL);
	json_add_string(o, "agent", id->agent);
	json_add_text(o, "task", id->task);
	json_add_string(o, "scope", id->scope);
	json_add_string(
	    o, "state", identity_state_name(identity_state(id, now)));
	json_add_time(o, "issued_at", id->issued_at);
	add_end(o, end);
	json_add_time(o, "revoked_at", id->revoked_at);
	json_add_text(o, "reason", id->reason);
	if (end->left != NULL && *end->left != '\0')
		json_add_string(o, "left", end->left);
	return o;
}

int
receipt_of(struct ledger *l, const char *id, int64_t now, cJSON **out,
    struct err *e)
{
	struct held held = {.now = now};
	struct identity run = {0};
	struct outcome end = {0};
	cJSON *o;

	*out = NULL;
	if (ledger_find(l, id, &run, e) < 0)
		return -1;
	if (ledger_find_outcome(l, id, &end, e) < 0 &&
	    e->code != ERR_MISSING) {
		identity_clear(&run);
		return -1;
	}
	o = compose(&run, &end, now);
	identity_clear(&run);
	outcome_clear(&end);
	held.list = json_array();
	json_add(o, "credentials", held.list);
	if (ledger_each_credential(l, id, add_credential, &held, e) < 0) {
		cJSON_Delete(o);
		return -1;
	}
	*out = o;
	return 0;
}

/* --- reading one back ---------------------------------------------------- */

enum kind { AN_ID, TEXT, TIME, NUMBER, FLAG, STATE, REVOCATION };
enum { MUST_BE, MAY_BE_NULL, MAY_LACK };

struct member {
	const char *name;
	enum kind kind;
	int need;
};
static const struct member of_run[] = {
    {"id", AN_ID, MUST_BE},
    {"root", AN_ID, MUST_BE},
    {"parent", AN_ID, MAY_BE_NULL},
    {"agent", TEXT, MUST_BE},
    {"task", TEXT, MAY_BE_NULL},
    {"scope", TEXT, MUST_BE},
    {"state", STATE, MUST_BE},
    {"issued_at", TIME, MUST_BE},
    {"ended_at", TIME, MAY_BE_NULL},
    {"exit_status", NUMBER, MAY_BE_NULL},
    {"signal", TEXT, MAY_BE_NULL},
    {"timed_out", FLAG, MAY_LACK},
    {"revoked_at", TIME, MAY_BE_NULL},
    {"reason", TEXT, MAY_BE_NULL},
    {"left", TEXT, MAY_LACK},
};
static const struct member of_credential[] = {
    {"jti", AN_ID, MUST_BE},
    {"issuer", TEXT, MUST_BE},
    {"form", TEXT, MUST_BE},
    {"audience", TEXT, MUST_BE},
    {"issued_at", TIME, MUST_BE},
    {"expires_at", TIME, MUST_BE},
    {"revocation", REVOCATION, MUST_BE},
    {"revoked_at", TIME, MAY_BE_NULL},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What clock_stamp() makes, whose order is that of time. */
static bool
is_stamp(const char *s)
{
	static const char shape[] = "0000-00-00T00:00:00Z";

	for (size_t i = 0; i < sizeof shape; i++)
		if (shape[i] == '0' ? s[i] < '0' || s[i] > '9'
				    : s[i] != shape[i])
			return false;
	return true;
}

static bool
is_state(const char *word)
{
	for (int s = ID_PENDING; s <= ID_EXPIRED; s++)
		if (strcmp(word,
			identity_state_name((enum identity_state)s)) == 0)
			return true;
	return false;
}

static bool
is_revocation(const char *word)
{
	static const char *const words[] = {"none", "pending", "done",
	    "failed", "irrevocable", "expired"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static bool
is_of_kind(const cJSON *v, enum kind kind)
{
	char id[ID_LEN + 1];
	int64_t n;

	if (kind == NUMBER)
		return json_to_int(v, &n) == 0;
	if (kind == FLAG)
		return cJSON_IsBool(v);
	if (!cJSON_IsString(v))
		return false;
	switch (kind) {
	case AN_ID:
		return id_parse(v->valuestring, id) == 0;
	case TIME:
		return is_stamp(v->valuestring);
	case STATE:
		return is_state(v->valuestring);
	case REVOCATION:
		return is_revocation(v->valuestring);
	default:
		return true;
	}
}

/* What else there is, a newer version's, say, is not shown as if we knew what
 * it means. */
static int
copy_members(cJSON *to, const cJSON *from, const struct member *members,
    size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct member *m = &members[i];
		const cJSON *v = json_get(from, m->name);
		bool is_null = v != NULL && cJSON_IsNull(v);

		if (v == NULL && m->need == MAY_LACK)
			continue;
		if (v == NULL)
			return err_set(
			    e, ERR_INVALID, "not a receipt: no %s", m->name);
		if (is_null ? m->need != MAY_BE_NULL
			    : !is_of_kind(v, m->kind))
			return err_set(e, ERR_INVALID,
			    "not a receipt: %s is not what it should be",
			    m->name);
		if (is_null)
			json_add_null(to, m->name);
		else
			json_add(to, m->name, cJSON_Duplicate(v, true));
	}
	return 0;
}

static int
copy_credentials(cJSON *to, const cJSON *from, struct err *e)
{
	const cJSON *all = json_get(from, "credentials"), *c;
	cJSON *list = json_array();

	json_add(to, "credentials", list);
	if (!cJSON_IsArray(all))
		return err_set(e, ERR_INVALID, "not a receipt: no credentials");
	cJSON_ArrayForEach (c, all) {
		cJSON *o = json_object();

		cJSON_AddItemToArray(list, o);
		if (copy_members(
			o, c, of_credential, COUNT(of_credential), e) < 0)
			return -1;
	}
	return 0;
}

static int
check_version(const cJSON *receipt, struct err *e)
{
	int64_t version;

	if (!cJSON_IsObject(receipt) ||
	    json_int(receipt, "receipt", &version) < 0 || version < 1)
		return err_set(e, ERR_INVALID, "not a receipt");
	if (version > FORMAT)
		return err_set(
		    e, ERR_INVALID, "a receipt of a newer version of ephid");
	return 0;
}

int
receipt_parse(const char *text, size_t len, cJSON **out, struct err *e)
{
	scoped(free_json) cJSON *from = json_parse(text, len, e);
	cJSON *o;

	*out = NULL;
	if (from == NULL)
		return err_in(e, "not a receipt");
	if (check_version(from, e) < 0)
		return -1;
	o = json_object();
	json_add_int(o, "receipt", FORMAT);
	json_add_bool(o, "unsigned", true);
	if (copy_members(o, from, of_run, COUNT(of_run), e) < 0 ||
	    copy_credentials(o, from, e) < 0) {
		cJSON_Delete(o);
		return -1;
	}
	*out = o;
	return 0;
}

/* --- judging ------------------------------------------------------------- */

static bool
says(const cJSON *o, const char *name, const char *word)
{
	const char *text = json_string(o, name);

	return text != NULL && strcmp(text, word) == 0;
}

static bool
is_dead(const cJSON *credential, const char *now)
{
	const char *expires = json_string(credential, "expires_at");

	return says(credential, "revocation", "done") ||
	    (expires != NULL && strcmp(expires, now) <= 0);
}

bool
receipt_is_over(const cJSON *receipt, int64_t now)
{
	char stamp[CLOCK_STAMP_MAX];
	const cJSON *c;

	if (!says(receipt, "state", "revoked") &&
	    !says(receipt, "state", "expired"))
		return false;
	clock_stamp(now, stamp);
	cJSON_ArrayForEach (c, json_get(receipt, "credentials"))
		if (!is_dead(c, stamp))
			return false;
	return true;
}
