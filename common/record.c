#include "config.h"

#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "record-text.h"

/* --- records ----------------------------------------------------------- */

static cJSON *
credential_record(const struct credential *c)
{
	cJSON *o = json_object(), *status;

	json_add_string(o, "jti", c->jti);
	json_add_string(o, "issuer", c->issuer);
	json_add_string(o, "form", form_name(c->form));
	json_add_string(o, "audience", c->audience);
	json_add_string(o, "alg", key_alg_name(c->alg));
	json_add_string(o, "kid", c->kid);
	json_add_time(o, "issued_at", c->issued_at);
	json_add_time(o, "expires_at", c->expires_at);
	json_add_time(o, "revoked_at", c->revoked_at);
	if (c->status_uri == NULL) {
		json_add_null(o, "status");
		return o;
	}
	status = json_object();
	json_add_string(status, "uri", c->status_uri);
	json_add_int(status, "idx", c->status_index);
	json_add(o, "status", status);
	return o;
}

/* Anybody can set the variables that it was read from, and its name says so. */
static void
add_origin(cJSON *o, const char *origin)
{
	struct err ignored;
	cJSON *value;

	if (origin == NULL ||
	    (value = json_parse(origin, strlen(origin), &ignored)) == NULL)
		return;
	json_add(o, "asserted_origin", value);
}

/* Takes the list; `audience' is the first credential's. */
static cJSON *
identity_record(
    const struct identity *id, const char *audience, cJSON *list, int64_t now)
{
	cJSON *o = json_object();

	json_add_string(o, "id", id->id);
	json_add_string(o, "root", id->root);
	json_add_text(o, "parent", *id->parent != '\0' ? id->parent : NULL);
	json_add_int(o, "depth", id->depth);
	json_add_string(o, "agent", id->agent);
	json_add_text(o, "task", id->task);
	json_add_string(o, "scope", id->scope);
	json_add_text(o, "audience", audience);
	json_add_string(
	    o, "state", identity_state_name(identity_state(id, now)));
	json_add_time(o, "issued_at", id->issued_at);
	json_add_time(o, "expires_at", id->expires_at);
	json_add_time(o, "revoked_at", id->revoked_at);
	json_add_text(o, "reason", id->reason);
	json_add(o, "credentials", list);
	add_origin(o, id->origin);
	return o;
}

static int
collect_credential(const struct credential *c, void *arg)
{
	return cJSON_AddItemToArray(arg, credential_record(c)) ? 0 : -1;
}

int
record_identity(struct ledger *l, const struct identity *id, int64_t now,
    cJSON **out, struct err *e)
{
	cJSON *list = json_array();
	const cJSON *c;
	const char *audience;

	if (ledger_each_credential(l, id->id, collect_credential, list, e) <
	    0) {
		cJSON_Delete(list);
		return -1;
	}
	audience = json_string(cJSON_GetArrayItem(list, 0), "audience");
	cJSON_ArrayForEach (c, list)
		if (strcmp(json_string(c, "jti"), id->id) == 0)
			audience = json_string(c, "audience");
	*out = identity_record(id, audience, list, now);
	return 0;
}

cJSON *
record_minted(const struct minted *m, int64_t now)
{
	cJSON *list = json_array(), *o;

	collect_credential(&m->issued[0].credential, list);
	o = identity_record(&m->identity, m->issued[0].credential.audience, list, now);
	json_add_string(o, "token", buf_str(&m->issued[0].token));
	json_add_string(o, "token_type", "Bearer");
	json_add_int(o, "expires_in", m->issued[0].credential.expires_at - now);
	return o;
}

cJSON *
record_verdict(const struct verdict *v)
{
	cJSON *o = json_object(), *claims = NULL;
	bool valid = v->word == JWT_VALID;

	json_add_bool(o, "valid", valid);
	json_add_text(o, "reason", valid ? NULL : jwt_verdict_word(v->word));
	if (valid && v->claims != NULL)
		claims = cJSON_Duplicate(v->claims, true);
	if (claims != NULL)
		json_add(o, "claims", claims);
	else
		json_add_null(o, "claims");
	return o;
}

cJSON *
record_event(const struct event *ev)
{
	cJSON *o = json_object();

	json_add_int(o, "seq", ev->seq);
	json_add_time(o, "time", ev->time);
	json_add_string(o, "event", event_name(ev->kind));
	json_add_text(o, "id", ev->id);
	json_add_text(o, "root", ev->root);
	json_add_text(o, "why", ev->why);
	json_add_text(o, "program", ev->program);
	json_add_int(o, "uid", ev->uid);
	json_add_int(o, "pid", ev->pid);
	return o;
}

/* --- printing ---------------------------------------------------------- */

/* Programs get the text as it is, but always as UTF-8 (RFC 8259 section 8.1),
 * whatever a ledger holds; a terminal gets none of JSON's raw C1. */
void
record_print_json(const cJSON *record)
{
	scoped(buf_free) struct buf line = {0}, out = {0};

	json_print(record, &line);
	if (isatty(STDOUT_FILENO))
		record_clean(buf_str(&line), &out);
	else
		text_valid(buf_str(&line), &out);
	puts(buf_str(&out));
}

/* An array of anything but objects is a line, and an empty one is nothing. */
static bool
is_nested(const cJSON *v)
{
	return cJSON_IsObject(v) ||
	    (cJSON_IsArray(v) && cJSON_IsObject(v->child));
}

static void
add_value(const cJSON *v, const struct look *look, struct buf *out)
{
	const cJSON *item;

	if (cJSON_IsString(v)) {
		text_clean(
		    *v->valuestring != '\0' ? v->valuestring : "-", look, out);
	} else if (cJSON_IsBool(v)) {
		buf_adds(out, cJSON_IsTrue(v) ? "yes" : "no");
	} else if (cJSON_IsArray(v)) {
		cJSON_ArrayForEach (item, v) {
			if (item != v->child)
				buf_addc(out, ' ');
			add_value(item, look, out);
		}
	} else {
		scoped(buf_free) struct buf text = {0};

		json_print(v, &text);
		text_clean(buf_str(&text), look, out);
	}
}

/* RFC 7519's NumericDates are for machines. */
static bool
add_date(const cJSON *v, struct buf *out)
{
	static const char *const dates[] = {"iat", "nbf", "exp", "auth_time"};
	char stamp[CLOCK_STAMP_MAX];
	int64_t t;

	for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
		if (v->string != NULL && strcmp(v->string, dates[i]) == 0 &&
		    json_to_int(v, &t) == 0) {
			buf_adds(out, clock_stamp(t, stamp));
			return true;
		}
	return false;
}

static void
add_state(const cJSON *v, const struct look *look, struct buf *out)
{
	for (int s = ID_PENDING; s <= ID_EXPIRED; s++)
		if (strcmp(v->valuestring,
			identity_state_name((enum identity_state)s)) == 0) {
			text_state((enum identity_state)s, look->colour, out);
			return;
		}
	add_value(v, look, out);
}

static size_t
longest_name(const cJSON *object)
{
	const cJSON *m;
	size_t n, longest = 0;

	cJSON_ArrayForEach (m, object)
		if (!cJSON_IsNull(m) && !is_nested(m) &&
		    (n = text_width(m->string, false)) > longest)
			longest = n;
	return longest;
}

static void add_block(const cJSON *object, size_t indent,
    const struct look *look, struct buf *out);

static void
add_nested(
    const cJSON *m, size_t indent, const struct look *look, struct buf *out)
{
	const cJSON *item;

	buf_addc(out, '\n');
	if (cJSON_IsObject(m)) {
		add_block(m, indent, look, out);
		return;
	}
	cJSON_ArrayForEach (item, m) {
		if (item != m->child)
			buf_addc(out, '\n');
		add_block(item, indent, look, out);
	}
}

static void
add_member(
    const cJSON *m, size_t width, const struct look *look, struct buf *out)
{
	text_pad(width - text_width(m->string, false) + 1, out);
	if (strcmp(m->string, "state") == 0 && cJSON_IsString(m))
		add_state(m, look, out);
	else if (!add_date(m, out))
		add_value(m, look, out);
	buf_addc(out, '\n');
}

/* Depth is bounded by the gate that the value came through (json.h). */
static void
add_block(const cJSON *object, size_t indent, const struct look *look,
    struct buf *out)
{
	size_t width = longest_name(object);
	const cJSON *m;

	cJSON_ArrayForEach (m, object) {
		if (cJSON_IsNull(m) || (cJSON_IsArray(m) && m->child == NULL))
			continue;
		text_pad(indent, out);
		text_clean(m->string != NULL ? m->string : "", look, out);
		buf_addc(out, ':');
		if (is_nested(m))
			add_nested(m, indent + 2, look, out);
		else
			add_member(m, width, look, out);
	}
}

void
record_print_block(const cJSON *record, const struct look *look)
{
	scoped(buf_free) struct buf out = {0};

	add_block(record, 0, look, &out);
	fputs(buf_str(&out), stdout);
}
