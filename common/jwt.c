#include "config.h"

#include "jwt.h"

#include <string.h>
#include <strings.h>

#include "b64.h"
#include "clock.h"

#define HEADER_MAX 1024 /* bytes of JSON */

const char *
jwt_verdict_word(enum jwt_verdict v)
{
	static const char *const words[] = {
	    [JWT_VALID] = "valid",
	    [JWT_MALFORMED] = "malformed",
	    [JWT_BAD_SIGNATURE] = "bad_signature",
	    [JWT_UNKNOWN_KID] = "unknown_kid",
	    [JWT_ALG_NOT_ALLOWED] = "alg_not_allowed",
	    [JWT_WRONG_TYPE] = "wrong_type",
	    [JWT_WRONG_ISSUER] = "wrong_issuer",
	    [JWT_WRONG_AUDIENCE] = "wrong_audience",
	    [JWT_NOT_YET_VALID] = "not_yet_valid",
	    [JWT_EXPIRED] = "expired",
	    [JWT_REVOKED] = "revoked",
	    [JWT_STATUS_UNAVAILABLE] = "status_unavailable",
	};

	return words[v];
}

static void
add_part(const cJSON *value, struct buf *token)
{
	scoped(buf_free) struct buf text = {0};

	json_print(value, &text);
	b64url_encode(text.ptr, text.len, token);
}

static void
add_header(const struct key *k, const char *typ, struct buf *token)
{
	scoped(free_json) cJSON *header = json_object();

	json_add_string(header, "alg", key_alg_name(key_alg(k)));
	json_add_string(header, "typ", typ);
	json_add_string(header, "kid", key_kid(k));
	add_part(header, token);
}

int
jwt_sign(const struct key *k, const char *typ, const cJSON *claims,
    struct buf *token, struct err *e)
{
	scoped(buf_free) struct buf made = {0};
	scoped(buf_free) struct buf sig = {0};

	add_header(k, typ, &made);
	buf_addc(&made, '.');
	add_part(claims, &made);
	if (key_sign(k, made.ptr, made.len, &sig, e) < 0)
		return -1;
	buf_addc(&made, '.');
	b64url_encode(sig.ptr, sig.len, &made);
	if (made.len > JWT_MAX)
		return err_set(e, ERR_USAGE,
		    "the token would be longer than %d bytes", JWT_MAX);
	buf_add(token, made.ptr, made.len);
	return 0;
}

/* A token taken apart; nothing of it is believed yet. */
struct parts {
	const char *signed_text;
	size_t signed_len;
	struct buf sig;
	cJSON *header, *claims;
};

static void
free_parts(struct parts *p)
{
	buf_free(&p->sig);
	cJSON_Delete(p->header);
	cJSON_Delete(p->claims);
}

/* An object in base64url; NULL for anything else. */
static cJSON *
parse_part(const char *text, size_t len, size_t limit, struct err *e)
{
	scoped(buf_free) struct buf bytes = {0};
	cJSON *value;

	if (b64url_decode(text, len, &bytes) < 0) {
		err_set(e, ERR_INVALID, "not base64url");
		return NULL;
	}
	if (bytes.len > limit) {
		err_set(e, ERR_INVALID, "longer than %zu bytes", limit);
		return NULL;
	}
	value = json_parse(buf_str(&bytes), bytes.len, e);
	if (value != NULL && !cJSON_IsObject(value)) {
		cJSON_Delete(value);
		err_set(e, ERR_INVALID, "not a JSON object");
		return NULL;
	}
	return value;
}

static int
take_apart(const char *token, size_t len, struct parts *p, struct err *e)
{
	const char *dot1, *dot2, *end = token + len;

	if (len > JWT_MAX)
		return err_set(
		    e, ERR_INVALID, "token: longer than %d bytes", JWT_MAX);
	dot1 = memchr(token, '.', len);
	dot2 = dot1 != NULL ? memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1))
			    : NULL;
	/* A third dot is not in the alphabet and falls with the signature. */
	if (dot2 == NULL)
		return err_set(
		    e, ERR_INVALID, "token: not three parts with dots");
	p->signed_text = token;
	p->signed_len = (size_t)(dot2 - token);
	p->header = parse_part(token, (size_t)(dot1 - token), HEADER_MAX, e);
	if (p->header == NULL)
		return err_in(e, "token: header");
	p->claims = parse_part(dot1 + 1, (size_t)(dot2 - dot1 - 1), JWT_MAX, e);
	if (p->claims == NULL)
		return err_in(e, "token: claims");
	if (b64url_decode(dot2 + 1, (size_t)(end - dot2 - 1), &p->sig) < 0)
		return err_set(
		    e, ERR_INVALID, "token: signature: not base64url");
	return 0;
}

static bool
is_absent_or_string(const cJSON *object, const char *name)
{
	const cJSON *value = json_get(object, name);

	return value == NULL || cJSON_IsString(value);
}

static bool
is_absent_or_int(const cJSON *object, const char *name)
{
	int64_t n;

	return json_get(object, name) == NULL ||
	    json_int(object, name, &n) == 0;
}

/* RFC 9068 section 4: "application/" may be written or left out. */
static bool
is_our_type(const char *typ)
{
	static const char prefix[] = "application/";

	if (strncasecmp(typ, prefix, sizeof prefix - 1) == 0)
		typ += sizeof prefix - 1;
	return strcasecmp(typ, "at+jwt") == 0 || strcasecmp(typ, "JWT") == 0;
}

static enum jwt_verdict
check_header(const cJSON *header, enum key_alg *alg)
{
	const char *name = json_string(header, "alg");
	const char *typ = json_string(header, "typ");

	if (name == NULL || !is_absent_or_string(header, "typ") ||
	    !is_absent_or_string(header, "kid"))
		return JWT_MALFORMED;
	/* We understand no extension, so none can be critical to us. */
	if (typ == NULL || !is_our_type(typ) ||
	    json_get(header, "crit") != NULL)
		return JWT_WRONG_TYPE;
	if (key_alg_parse(name, alg) < 0)
		return JWT_ALG_NOT_ALLOWED;
	return JWT_VALID;
}

static enum jwt_verdict
check_signature(
    const struct parts *p, const struct jwt_expect *want, enum key_alg alg)
{
	const char *iss = json_string(p->claims, "iss");
	const struct key *k =
	    want->find_key(want->ctx, json_string(p->header, "kid"));

	if (k == NULL)
		return iss != NULL && strcmp(iss, want->issuer) != 0
		    ? JWT_WRONG_ISSUER
		    : JWT_UNKNOWN_KID;
	/* RFC 7515 section 4.1.1: the token says it, the key decides it. */
	if (alg != key_alg(k))
		return JWT_ALG_NOT_ALLOWED;
	return key_verify(
		   k, p->signed_text, p->signed_len, p->sig.ptr, p->sig.len)
	    ? JWT_VALID
	    : JWT_BAD_SIGNATURE;
}

/* RFC 7519 section 4.1.3: one string, or an array of them. */
static bool
is_audience(const cJSON *aud)
{
	const cJSON *one;

	if (cJSON_IsString(aud))
		return true;
	if (!cJSON_IsArray(aud) || aud->child == NULL)
		return false;
	cJSON_ArrayForEach (one, aud)
		if (!cJSON_IsString(one))
			return false;
	return true;
}

static bool
has_audience(const cJSON *aud, const char *ours)
{
	const cJSON *one;

	if (cJSON_IsString(aud))
		return strcmp(aud->valuestring, ours) == 0;
	cJSON_ArrayForEach (one, aud)
		if (strcmp(one->valuestring, ours) == 0)
			return true;
	return false;
}

static bool
claims_are_typed(const cJSON *claims)
{
	int64_t exp;

	return json_string(claims, "iss") != NULL &&
	    is_audience(json_get(claims, "aud")) &&
	    json_int(claims, "exp", &exp) == 0 &&
	    is_absent_or_int(claims, "nbf") &&
	    is_absent_or_int(claims, "iat") &&
	    is_absent_or_string(claims, "sub") &&
	    is_absent_or_string(claims, "jti");
}

static enum jwt_verdict
check_times(const cJSON *claims, const struct jwt_expect *want)
{
	int64_t limit = clock_add(want->now, want->skew), t;

	if (want->any_time)
		return JWT_VALID;
	if ((json_int(claims, "nbf", &t) == 0 && t > limit) ||
	    (json_int(claims, "iat", &t) == 0 && t > limit))
		return JWT_NOT_YET_VALID;
	if (json_int(claims, "exp", &t) < 0 ||
	    want->now >= clock_add(t, want->expiry_skew))
		return JWT_EXPIRED;
	return JWT_VALID;
}

static enum jwt_verdict
check_claims(const cJSON *claims, const struct jwt_expect *want)
{
	if (!claims_are_typed(claims))
		return JWT_MALFORMED;
	if (strcmp(json_string(claims, "iss"), want->issuer) != 0)
		return JWT_WRONG_ISSUER;
	if (want->audience != NULL &&
	    !has_audience(json_get(claims, "aud"), want->audience))
		return JWT_WRONG_AUDIENCE;
	return check_times(claims, want);
}

enum jwt_verdict
jwt_verify(const char *token, size_t len, const struct jwt_expect *want,
    cJSON **claims)
{
	scoped(free_parts) struct parts p = {0};
	enum jwt_verdict v;
	enum key_alg alg;
	struct err e;

	*claims = NULL;
	if (take_apart(token, len, &p, &e) < 0)
		return JWT_MALFORMED;
	if ((v = check_header(p.header, &alg)) != JWT_VALID ||
	    (v = check_signature(&p, want, alg)) != JWT_VALID ||
	    (v = check_claims(p.claims, want)) != JWT_VALID)
		return v;
	*claims = p.claims;
	p.claims = NULL;
	return JWT_VALID;
}

int
jwt_decode(const char *token, size_t len, cJSON **header, cJSON **claims,
    struct err *e)
{
	scoped(free_parts) struct parts p = {0};

	*header = *claims = NULL;
	if (take_apart(token, len, &p, e) < 0)
		return -1;
	*header = p.header;
	*claims = p.claims;
	p.header = p.claims = NULL;
	return 0;
}
