#include "config.h"

#include "identity.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define AUDIENCE_MAX 512
#define ISSUER_URL_MAX 255

void
identity_clear(struct identity *id)
{
	free(id->agent);
	free(id->task);
	free(id->scope);
	free(id->audiences);
	free(id->reason);
	free(id->token_dir);
	free(id->origin);
	*id = (struct identity){0};
}

void
credential_clear(struct credential *c)
{
	free(c->issuer);
	free(c->audience);
	free(c->status_uri);
	*c = (struct credential){0};
}

/* --- ids -------------------------------------------------------------- */

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void
id_make(int64_t now_ms, const uint8_t rnd[static ID_RANDOM],
    char out[static ID_LEN + 1])
{
	uint64_t time = (uint64_t)now_ms;
	uint32_t bits = 0;
	int held = 0, at = 10;

	for (int i = 9; i >= 0; i--, time >>= 5)
		out[i] = crockford[time & 31];
	out[0] = crockford[((uint64_t)now_ms >> 45) & 7]; /* 48 bits */
	for (int i = 0; i < ID_RANDOM; i++) {
		bits = bits << 8 | rnd[i];
		for (held += 8; held >= 5; held -= 5)
			out[at++] = crockford[bits >> (held - 5) & 31];
	}
	assert(at == ID_LEN);
	out[ID_LEN] = '\0';
}

/* The canonical digit for c, or 0. */
static char
id_digit(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L')
		return '1';
	if (c == 'O')
		return '0';
	return c != '\0' && strchr(crockford, c) != NULL ? c : '\0';
}

int
id_parse_suffix(const char *text, char out[static ID_LEN + 1])
{
	char digits[ID_LEN + 1] = {0};
	size_t n = strnlen(text, ID_LEN + 1);

	if (n < 6 || n > ID_LEN)
		return -1;
	for (size_t i = 0; i < n; i++)
		if ((digits[i] = id_digit(text[i])) == '\0')
			return -1;
	/* 26 digits are 130 bits, of which an id has 128. */
	if (n == ID_LEN && digits[0] > '7')
		return -1;
	memcpy(out, digits, sizeof digits);
	return 0;
}

int
id_parse(const char *text, char out[static ID_LEN + 1])
{
	if (strnlen(text, ID_LEN + 1) != ID_LEN)
		return -1;
	return id_parse_suffix(text, out);
}

/* --- names ------------------------------------------------------------ */

enum identity_state
identity_state(const struct identity *id, int64_t now)
{
	if (id->revoked_at != 0)
		return ID_REVOKED;
	if (now >= id->expires_at)
		return ID_EXPIRED;
	return id->pending ? ID_PENDING : ID_ACTIVE;
}

const char *
identity_state_name(enum identity_state s)
{
	static const char *const names[] = {
	    [ID_PENDING] = "pending",
	    [ID_ACTIVE] = "active",
	    [ID_REVOKED] = "revoked",
	    [ID_EXPIRED] = "expired",
	};

	return names[s];
}

static const struct {
	const char *name, *typ;
} forms[] = {
    [FORM_OAUTH] = {"oauth", "at+jwt"},
    [FORM_FEDERATION] = {"federation", "JWT"},
};
#define FORMS (sizeof forms / sizeof *forms)

const char *
form_name(enum form f)
{
	/* The ledger may have one of a newer version. */
	return (size_t)f < FORMS ? forms[f].name : "unknown";
}

const char *
form_typ(enum form f)
{
	return forms[f].typ;
}

int
form_parse(const char *name, enum form *out)
{
	for (size_t i = 0; i < FORMS; i++)
		if (strcmp(name, forms[i].name) == 0) {
			*out = (enum form)i;
			return 0;
		}
	return -1;
}

/* --- agents ----------------------------------------------------------- */

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

static bool
is_agent_byte(char c)
{
	return c != '\0' && (is_alnum(c) || strchr("._-/", c) != NULL);
}

/* NULL, or why this segment cannot stand in a SPIFFE path. */
static const char *
segment_fault(const char *s, size_t n, bool first)
{
	if (n == 0)
		return "an empty segment";
	if ((n == 1 || n == 2) && strncmp(s, "..", n) == 0)
		return "a segment '.' or '..'";
	/* Else agent "a/run/ID" without a run would be run ID of agent "a". */
	if (!first && n == 3 && memcmp(s, "run", 3) == 0)
		return "a segment 'run', which is reserved";
	return NULL;
}

int
agent_parse(const char *text, char **out, struct err *e)
{
	scoped(free_string) char *name = xstrdup(text);
	const char *fault = NULL;

	if (*text == '\0')
		return err_set(e, ERR_USAGE, "agent: an empty name");
	for (char *s = name; *s != '\0'; s++)
		if (!is_agent_byte(*s))
			*s = '-';
	for (const char *s = name; s != NULL && fault == NULL;) {
		size_t n = strcspn(s, "/");

		fault = segment_fault(s, n, s == name);
		s = s[n] == '/' ? s + n + 1 : NULL;
	}
	if (fault != NULL)
		return err_set(e, ERR_USAGE, "agent '%s' has %s", name, fault);
	*out = name;
	name = NULL;
	return 0;
}

bool
agent_is_within(const char *name, const char *of)
{
	size_t n = strlen(of);

	return strncmp(name, of, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

/* --- URIs ------------------------------------------------------------- */

static bool
is_uri_byte(char c)
{
	return c > ' ' && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL;
}

static bool
is_uri_text(const char *s)
{
	for (; *s != '\0'; s++)
		if (!is_uri_byte(*s))
			return false;
	return true;
}

/* scheme ":" and something after it (RFC 3986 section 3). */
static bool
has_scheme(const char *s)
{
	size_t n = 0;

	while (is_alnum(s[n]) || (s[n] != '\0' && strchr("+-.", s[n]) != NULL))
		n++;
	return n > 0 && s[n] == ':' && s[n + 1] != '\0' &&
	    !(s[0] >= '0' && s[0] <= '9') && is_alnum(s[0]);
}

int
audience_check(const char *uri, struct err *e)
{
	if (strnlen(uri, AUDIENCE_MAX + 1) > AUDIENCE_MAX)
		return err_set(
		    e, ERR_USAGE, "audience: over %d bytes", AUDIENCE_MAX);
	if (!is_uri_text(uri))
		return err_set(
		    e, ERR_USAGE, "audience: has a byte that no URI may have");
	if (!has_scheme(uri))
		return err_set(
		    e, ERR_USAGE, "audience '%.80s': not an absolute URI", uri);
	if (strchr(uri, '#') != NULL)
		return err_set(e, ERR_USAGE, "audience: has a fragment");
	return 0;
}

/* Where the host ends; a label is [a-z0-9-], for it becomes the SPIFFE trust
 * domain. NULL when it is none. */
static const char *
skip_host(const char *s)
{
	char before = '.';

	for (; *s != '\0' && *s != ':' && *s != '/'; before = *s++) {
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') &&
		    *s != '-' && *s != '.')
			return NULL;
		if (*s == '.' && before == '.')
			return NULL;
	}
	return before == '.' ? NULL : s;
}

static const char *
skip_port(const char *s)
{
	long port = 0;

	if (*s != ':')
		return s;
	if (*++s < '1' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9' && port <= 65535; s++)
		port = port * 10 + (*s - '0');
	return port <= 65535 ? s : NULL;
}

/* Segments that no client rewrites: none empty, no dots. */
static bool
is_plain_path(const char *s)
{
	while (*s == '/') {
		size_t n = strcspn(++s, "/");

		if (n == 0 || (n <= 2 && strncmp(s, "..", n) == 0))
			return false;
		s += n;
	}
	return *s == '\0';
}

static const char *
issuer_url_fault(const char *url)
{
	const char *s = url;

	if (strnlen(url, ISSUER_URL_MAX + 1) > ISSUER_URL_MAX)
		return "too long";
	if (strncmp(s, "https://", 8) != 0)
		return "not an https URL";
	if (strpbrk(s, "?#@") != NULL)
		return "has a user, a query or a fragment";
	if ((s = skip_host(s + 8)) == NULL)
		return "not a lower-case host name";
	if ((s = skip_port(s)) == NULL)
		return "not a port";
	if (*s != '\0' && s[strlen(s) - 1] == '/')
		return "has a slash at the end";
	return is_plain_path(s) ? NULL : "not a plain path";
}

int
issuer_url_check(const char *url, struct err *e)
{
	const char *fault;

	if (!is_uri_text(url))
		return err_set(e, ERR_USAGE,
		    "issuer URL: has a byte that no URL may have");
	/* The URL itself is not repeated: it may hold a password. */
	if ((fault = issuer_url_fault(url)) != NULL)
		return err_set(e, ERR_USAGE, "issuer URL: %s", fault);
	return 0;
}

/* --- claims ----------------------------------------------------------- */

int
identity_subject(const struct identity *id, const char *issuer_url,
    bool with_run, struct buf *out, struct err *e)
{
	scoped(buf_free) struct buf sub = {0};
	const char *host = issuer_url + strlen("https://");

	assert(strncmp(issuer_url, "https://", 8) == 0);
	buf_adds(&sub, "spiffe://");
	buf_add(&sub, host, strcspn(host, ":/"));
	buf_addf(&sub, "/agent/%s", id->agent);
	if (with_run)
		buf_addf(&sub, "/run/%s", id->id);
	if (sub.len > SUBJECT_MAX)
		return err_set(e, ERR_USAGE,
		    "agent '%.60s...': its subject has %zu bytes, over %d",
		    id->agent, sub.len, SUBJECT_MAX);
	buf_add(out, sub.ptr, sub.len);
	return 0;
}

/* What is signed must pass the gate that every reader of ours has. */
int
note_check(const char *what, const char *note, struct err *e)
{
	scoped(buf_free) struct buf text = {0};
	scoped(free_json) cJSON *value = cJSON_CreateString(note);
	scoped(free_json) cJSON *again = NULL;
	struct err ignored;

	if (strnlen(note, NOTE_MAX + 1) > NOTE_MAX)
		return err_set(
		    e, ERR_USAGE, "%s: over %d bytes", what, NOTE_MAX);
	json_print(value, &text);
	again = json_parse(text.ptr, text.len, &ignored);
	if (again == NULL)
		return err_set(e, ERR_USAGE, "%s: not UTF-8 text", what);
	return 0;
}

static cJSON *
lineage_claim(const struct identity *id)
{
	cJSON *o = json_object();

	json_add_int(o, "v", 1);
	json_add_string(o, "id", id->id);
	if (id->parent[0] != '\0')
		json_add_string(o, "parent", id->parent);
	json_add_int(o, "depth", id->depth);
	json_add_int(o, "max_depth", id->max_depth);
	if (id->task != NULL)
		json_add_string(o, "task", id->task);
	return o;
}

static cJSON *
status_claim(const struct credential *c)
{
	cJSON *list = json_object(), *o = json_object();

	json_add_int(list, "idx", c->status_index);
	json_add_string(list, "uri", c->status_uri);
	json_add(o, "status_list", list);
	return o;
}

static void
add_times(cJSON *o, const struct credential *c)
{
	json_add_int(o, "iat", c->issued_at);
	json_add_int(o, "nbf", c->issued_at - NBF_LEEWAY);
	json_add_int(o, "exp", c->expires_at);
}

static void
add_authority(cJSON *o, const struct identity *id, const struct credential *c)
{
	/* RFC 6749 has no empty scope: without any there is no claim. */
	if (id->scope != NULL && *id->scope != '\0')
		json_add_string(o, "scope", id->scope);
	json_add_string(o, "txn", id->root);
	json_add_string(o, "sub_profile",
	    c->subject_is_agent ? "ai_agent" : "ai_agent client_instance");
	json_add(o, "ephid", lineage_claim(id));
	if (c->status_uri != NULL)
		json_add(o, "status", status_claim(c));
}

int
identity_claims(const struct identity *id, const struct credential *c,
    const char *issuer_url, cJSON **out, struct err *e)
{
	scoped(buf_free) struct buf sub = {0}, client = {0};
	cJSON *o;

	if (id->task != NULL && note_check("task", id->task, e) < 0)
		return -1;
	if (identity_subject(id, issuer_url, !c->subject_is_agent, &sub, e) <
		0 ||
	    identity_subject(id, issuer_url, false, &client, e) < 0)
		return -1;
	o = json_object();
	json_add_string(o, "iss", issuer_url);
	json_add_string(o, "sub", sub.ptr);
	json_add_string(o, "aud", c->audience);
	if (c->form == FORM_OAUTH)
		json_add_string(o, "client_id", client.ptr);
	add_times(o, c);
	json_add_string(o, "jti", c->jti);
	add_authority(o, id, c);
	*out = o;
	return 0;
}
