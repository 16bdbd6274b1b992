#include "config.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "json.h"
#include "jwt.h"
#include "key.h"

#define NOW INT64_C(1795484000)
#define ISS "https://id.acme.example/ephid"
#define AUD "https://mcp.acme.example"
#define CLAIMS                                                      \
	"{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"s\","   \
	"\"iat\":1795484000,\"nbf\":1795483970,\"exp\":1795484900," \
	"\"jti\":\"j\"}"

static struct key *keys[KEY_ALGS], *stranger;

static void
make_keys(void)
{
	struct err e;

	key_start(false);
	for (int i = 0; i < KEY_ALGS; i++)
		if (key_generate((enum key_alg)i, &keys[i], &e) < 0)
			abort();
	if (key_generate(KEY_ES256, &stranger, &e) < 0)
		abort();
}

static void
free_keys(void)
{
	for (int i = 0; i < KEY_ALGS; i++)
		key_free(keys[i]);
	key_free(stranger);
}

/* ctx is the key that a token without a kid is held against. */
static const struct key *
find(void *ctx, const char *kid)
{
	if (kid == NULL)
		return ctx;
	for (int i = 0; i < KEY_ALGS; i++)
		if (strcmp(kid, key_kid(keys[i])) == 0)
			return keys[i];
	return NULL;
}

static struct jwt_expect
expectation(void)
{
	return (struct jwt_expect){.find_key = find,
	    .issuer = ISS,
	    .audience = AUD,
	    .now = NOW,
	    .skew = 60,
	    .expiry_skew = 0};
}

static enum jwt_verdict
verify_bytes(const char *token, size_t n, const struct jwt_expect *want)
{
	/* Exactly as long as the token, for the sanitizer. */
	char *copy = malloc(n > 0 ? n : 1);
	cJSON *claims = NULL;
	enum jwt_verdict v;

	memcpy(copy, token, n);
	v = jwt_verify(copy, n, want, &claims);
	ck_assert_int_eq(claims != NULL, v == JWT_VALID);
	cJSON_Delete(claims);
	free(copy);
	return v;
}

static void
check_verdict_as(const struct buf *token, enum jwt_verdict expected,
    const struct jwt_expect *want)
{
	enum jwt_verdict v = verify_bytes(token->ptr, token->len, want);

	ck_assert_msg(v == expected, "%s, not %s", jwt_verdict_word(v),
	    jwt_verdict_word(expected));
}

static void
check_verdict(const struct buf *token, enum jwt_verdict expected)
{
	struct jwt_expect want = expectation();

	check_verdict_as(token, expected, &want);
}

static void
add_signature(const struct key *k, struct buf *token)
{
	scoped(buf_free) struct buf sig = {0};
	struct err e;

	ck_assert_int_eq(key_sign(k, token->ptr, token->len, &sig, &e), 0);
	buf_addc(token, '.');
	b64url_encode(sig.ptr, sig.len, token);
}

/* A token of any two texts, signed properly. */
static struct buf
forge_raw(const struct key *k, const char *header, const char *claims)
{
	struct buf token = {0};

	b64url_encode(header, strlen(header), &token);
	buf_addc(&token, '.');
	b64url_encode(claims, strlen(claims), &token);
	add_signature(k, &token);
	return token;
}

/* One under a usual header. */
static struct buf
forge(const struct key *k, const char *alg, const char *typ, const char *claims)
{
	scoped(free_string) char *header =
	    xasprintf("{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}", alg,
		typ, key_kid(k));

	return forge_raw(k, header, claims);
}

static void
check_claims(const char *claims, enum jwt_verdict expected)
{
	scoped(buf_free) struct buf token =
	    forge(keys[KEY_ES256], "ES256", "at+jwt", claims);

	check_verdict(&token, expected);
}

static void
check_header(const char *header, enum jwt_verdict expected)
{
	scoped(buf_free) struct buf token =
	    forge_raw(keys[KEY_ES256], header, CLAIMS);
	struct jwt_expect want = expectation();

	want.ctx = keys[KEY_ES256];
	check_verdict_as(&token, expected, &want);
}

static struct buf
good_token(enum key_alg alg)
{
	scoped(free_json) cJSON *claims = NULL;
	struct buf token = {0};
	struct err e;

	claims = json_parse(CLAIMS, strlen(CLAIMS), &e);
	ck_assert_int_eq(jwt_sign(keys[alg], "at+jwt", claims, &token, &e), 0);
	return token;
}

START_TEST(verdict_words)
{
	static const char *const words[] = {"valid", "malformed",
	    "bad_signature", "unknown_kid", "alg_not_allowed", "wrong_type",
	    "wrong_issuer", "wrong_audience", "not_yet_valid", "expired",
	    "revoked", "status_unavailable"};

	for (int i = 0; i <= JWT_STATUS_UNAVAILABLE; i++)
		ck_assert_str_eq(
		    jwt_verdict_word((enum jwt_verdict)i), words[i]);
}
END_TEST

START_TEST(signs_and_verifies)
{
	scoped(buf_free) struct buf token = good_token((enum key_alg)_i);
	scoped(free_json) cJSON *header = NULL, *claims = NULL;
	struct err e;

	check_verdict(&token, JWT_VALID);
	ck_assert_int_eq(
	    jwt_decode(token.ptr, token.len, &header, &claims, &e), 0);
	ck_assert_str_eq(
	    json_string(header, "alg"), key_alg_name((enum key_alg)_i));
	ck_assert_str_eq(json_string(header, "typ"), "at+jwt");
	ck_assert_str_eq(json_string(header, "kid"), key_kid(keys[_i]));
	ck_assert_str_eq(json_string(claims, "iss"), ISS);
}
END_TEST

/* Every bit of a token counts. */
START_TEST(flipped_bits)
{
	scoped(buf_free) struct buf token = good_token((enum key_alg)_i);
	struct jwt_expect want = expectation();

	for (size_t bit = 0; bit < token.len * 8; bit++) {
		token.ptr[bit / 8] ^= (char)(1 << bit % 8);
		ck_assert_msg(
		    verify_bytes(token.ptr, token.len, &want) != JWT_VALID,
		    "bit %zu does not matter", bit);
		token.ptr[bit / 8] ^= (char)(1 << bit % 8);
	}
	check_verdict(&token, JWT_VALID);
}
END_TEST

START_TEST(cut_and_extended)
{
	scoped(buf_free) struct buf token = good_token((enum key_alg)_i);
	struct jwt_expect want = expectation();
	static const char *const tails[] = {
	    "A", "AA", "AAAA", ".", "=", "==", " ", "\n", ".A", "%00"};
	size_t n = token.len;

	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_ne(
		    verify_bytes(token.ptr, cut, &want), JWT_VALID);
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		buf_adds(&token, tails[i]);
		ck_assert_int_ne(
		    verify_bytes(token.ptr, token.len, &want), JWT_VALID);
		buf_trim(&token, n);
	}
	ck_assert_int_eq(verify_bytes(token.ptr, n + 1, &want), JWT_MALFORMED);
	ck_assert_int_ne(verify_bytes(token.ptr + 1, n - 1, &want), JWT_VALID);
}
END_TEST

START_TEST(shapes)
{
	static const char *const bad[] = {"", ".", "..", "...", "a.b", "a.b.c",
	    "e30.e30.", "e30.e30", "e30.e30.e30.e30", "e30..", ".e30.",
	    "e30.e30.e30.e30.e30", "W10.W10.", "MQ.MQ.", "bnVsbA.bnVsbA."};
	struct jwt_expect want = expectation();

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(verify_bytes(bad[i], strlen(bad[i]), &want) ==
			JWT_MALFORMED,
		    "%s", bad[i]);
}
END_TEST

/* RFC 8725 section 2.1: neither no algorithm nor another one. */
START_TEST(algorithms_are_the_keys)
{
	static const char *const names[] = {"none", "None", "NONE", "HS256",
	    "HS512", "PS256", "ES384", "ES512", "RS512", "es256", "Ed448", ""};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		scoped(buf_free) struct buf token =
		    forge(keys[KEY_ES256], names[i], "at+jwt", CLAIMS);

		check_verdict(&token, JWT_ALG_NOT_ALLOWED);
	}
	for (int i = 0; i < KEY_ALGS; i++)
		for (int j = 0; j < KEY_ALGS; j++) {
			scoped(buf_free) struct buf token = forge(keys[i],
			    key_alg_name((enum key_alg)j), "at+jwt", CLAIMS);

			check_verdict(
			    &token, i == j ? JWT_VALID : JWT_ALG_NOT_ALLOWED);
		}
}
END_TEST

START_TEST(unsigned_tokens)
{
	for (int i = 0; i < KEY_ALGS; i++)
		for (int none = 0; none < 2; none++) {
			scoped(free_string) char *header =
			    xasprintf("{\"alg\":\"%s\",\"typ\":\"JWT\","
				      "\"kid\":\"%s\"}",
				none ? "none" : key_alg_name((enum key_alg)i),
				key_kid(keys[i]));
			scoped(buf_free) struct buf token = {0};

			b64url_encode(header, strlen(header), &token);
			buf_addc(&token, '.');
			b64url_encode(CLAIMS, strlen(CLAIMS), &token);
			buf_addc(&token, '.');
			check_verdict(&token,
			    none ? JWT_ALG_NOT_ALLOWED : JWT_BAD_SIGNATURE);
		}
}
END_TEST

/* The public key as the secret of an HMAC. */
START_TEST(hmac_with_the_public_key)
{
	static const char *const claimed[] = {"HS256", "RS256"};
	static const enum jwt_verdict expected[] = {
	    JWT_ALG_NOT_ALLOWED, JWT_BAD_SIGNATURE};
	scoped(buf_free) struct buf pem = {0};

	key_public_pem(keys[KEY_RS256], &pem);
	for (int i = 0; i < 2; i++) {
		scoped(free_string) char *header = xasprintf(
		    "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
		    claimed[i], key_kid(keys[KEY_RS256]));
		scoped(buf_free) struct buf token = {0};
		uint8_t mac[32];
		size_t n = 0;

		b64url_encode(header, strlen(header), &token);
		buf_addc(&token, '.');
		b64url_encode(CLAIMS, strlen(CLAIMS), &token);
		ck_assert_ptr_nonnull(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256",
		    NULL, pem.ptr, pem.len, (uint8_t *)token.ptr, token.len,
		    mac, sizeof mac, &n));
		buf_addc(&token, '.');
		b64url_encode(mac, n, &token);
		check_verdict(&token, expected[i]);
	}
}
END_TEST

/* What OpenSSL made before it became R||S. */
START_TEST(der_signatures)
{
	scoped(buf_free) struct buf token = good_token(KEY_ES256);
	scoped(buf_free) struct buf sig = {0}, der = {0};
	size_t body = (size_t)(strrchr(token.ptr, '.') - token.ptr) + 1;
	bool high;

	ck_assert_int_eq(
	    b64url_decode(token.ptr + body, token.len - body, &sig), 0);
	buf_adds(&der, "\x30");
	buf_addc(&der, 0);
	for (int half = 0; half < 2; half++) {
		high = (sig.ptr[half * 32] & 0x80) != 0;
		buf_addc(&der, 2);
		buf_addc(&der, high ? 33 : 32);
		if (high)
			buf_addc(&der, 0);
		buf_add(&der, sig.ptr + half * 32, 32);
	}
	der.ptr[1] = (char)(der.len - 2);
	buf_trim(&token, body);
	b64url_encode(der.ptr, der.len, &token);
	check_verdict(&token, JWT_BAD_SIGNATURE);
}
END_TEST

START_TEST(eddsa_is_an_alias)
{
	scoped(buf_free) struct buf token =
	    forge(keys[KEY_ED25519], "EdDSA", "at+jwt", CLAIMS);
	scoped(buf_free) struct buf other =
	    forge(keys[KEY_ES256], "EdDSA", "at+jwt", CLAIMS);

	check_verdict(&token, JWT_VALID);
	check_verdict(&other, JWT_ALG_NOT_ALLOWED);
}
END_TEST

START_TEST(types)
{
	static const char *const good[] = {"at+jwt", "AT+JWT",
	    "application/at+jwt", "Application/At+Jwt", "JWT", "jwt",
	    "application/jwt"};
	static const char *const bad[] = {"statuslist+jwt",
	    "application/statuslist+jwt", "", "at", "at+jwt ", "dpop+jwt",
	    "wit+jwt", "token-introspection+jwt", "JWS", "application/",
	    "application/application/jwt", "text/jwt", "ephid-receipt+jwt"};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		scoped(buf_free) struct buf token =
		    forge(keys[KEY_ES256], "ES256", good[i], CLAIMS);

		check_verdict(&token, JWT_VALID);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		scoped(buf_free) struct buf token =
		    forge(keys[KEY_ES256], "ES256", bad[i], CLAIMS);

		check_verdict(&token, JWT_WRONG_TYPE);
	}
}
END_TEST

START_TEST(headers)
{
	scoped(buf_free) struct buf wide = {0};

	check_header("{\"alg\":\"ES256\",\"typ\":\"JWT\"}", JWT_VALID);
	check_header("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"jku\":\"http://x\","
		     "\"jwk\":{\"kty\":\"oct\"},\"x5c\":[]}",
	    JWT_VALID);
	check_header("{\"alg\":\"ES256\"}", JWT_WRONG_TYPE);
	check_header("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"crit\":[\"exp\"]}",
	    JWT_WRONG_TYPE);
	check_header("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"crit\":null}",
	    JWT_WRONG_TYPE);
	check_header("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"b64\":false,"
		     "\"crit\":[\"b64\"]}",
	    JWT_WRONG_TYPE);
	check_header("{\"typ\":\"JWT\"}", JWT_MALFORMED);
	check_header("{\"alg\":1,\"typ\":\"JWT\"}", JWT_MALFORMED);
	check_header("{\"alg\":[\"ES256\"],\"typ\":\"JWT\"}", JWT_MALFORMED);
	check_header("{\"alg\":\"ES256\",\"typ\":1}", JWT_MALFORMED);
	check_header(
	    "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":1}", JWT_MALFORMED);
	check_header("{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"JWT\"}",
	    JWT_MALFORMED);
	check_header("{\"ALG\":\"ES256\",\"typ\":\"JWT\"}", JWT_MALFORMED);
	check_header("{\"alg\":\"ES256\",\"typ\":\"JWT\"} x", JWT_MALFORMED);
	check_header(
	    "{\"alg\":\"ES256\\u0000\",\"typ\":\"JWT\"}", JWT_MALFORMED);
	check_header("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"../x\"}",
	    JWT_UNKNOWN_KID);
	buf_adds(&wide, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x\":\"");
	while (wide.len < 1022)
		buf_addc(&wide, 'x');
	buf_adds(&wide, "\"}");
	check_header(wide.ptr, JWT_VALID);
	buf_addc(&wide, ' ');
	check_header(wide.ptr, JWT_MALFORMED);
}
END_TEST

START_TEST(keys_by_kid)
{
	scoped(buf_free) struct buf unknown =
	    forge(stranger, "ES256", "at+jwt", CLAIMS);
	scoped(buf_free) struct buf foreign = forge(stranger, "ES256", "at+jwt",
	    "{\"iss\":\"https://other.example\",\"aud\":\"" AUD
	    "\",\"exp\":1795484900}");
	scoped(buf_free) struct buf nameless = forge_raw(
	    keys[KEY_ES256], "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", CLAIMS);
	scoped(free_string) char *stolen_name =
	    xasprintf("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
		key_kid(keys[KEY_ES256]));
	scoped(buf_free) struct buf forged =
	    forge_raw(stranger, stolen_name, CLAIMS);

	check_verdict(&unknown, JWT_UNKNOWN_KID);
	check_verdict(&foreign, JWT_WRONG_ISSUER);
	check_verdict(&nameless, JWT_UNKNOWN_KID);
	check_verdict(&forged, JWT_BAD_SIGNATURE);
}
END_TEST

#define BODY(iss, aud, rest) "{\"iss\":" iss ",\"aud\":" aud rest "}"
#define I "\"" ISS "\""
#define A "\"" AUD "\""
#define E ",\"exp\":1795484900"

START_TEST(issuers_and_audiences)
{
	check_claims(BODY(I, A, E), JWT_VALID);
	check_claims(BODY("\"" ISS "/\"", A, E), JWT_WRONG_ISSUER);
	check_claims(BODY("\"\"", A, E), JWT_WRONG_ISSUER);
	check_claims(BODY("[" I "]", A, E), JWT_MALFORMED);
	check_claims("{\"aud\":" A E "}", JWT_MALFORMED);
	check_claims("{\"ISS\":" I ",\"aud\":" A E "}", JWT_MALFORMED);
	check_claims(BODY(I, "[" A "]", E), JWT_VALID);
	check_claims(BODY(I, "[\"x\"," A "]", E), JWT_VALID);
	check_claims(
	    BODY(I, "\"https://MCP.acme.example\"", E), JWT_WRONG_AUDIENCE);
	check_claims(BODY(I, "\"" AUD "/\"", E), JWT_WRONG_AUDIENCE);
	check_claims(BODY(I, "\"*\"", E), JWT_WRONG_AUDIENCE);
	check_claims(BODY(I, "[\"x\",\"y\"]", E), JWT_WRONG_AUDIENCE);
	check_claims(BODY(I, "[]", E), JWT_MALFORMED);
	check_claims(BODY(I, "[" A ",1]", E), JWT_MALFORMED);
	check_claims(BODY(I, "{\"x\":" A "}", E), JWT_MALFORMED);
	check_claims(BODY(I, "null", E), JWT_MALFORMED);
	check_claims("{\"iss\":" I E "}", JWT_MALFORMED);
	check_claims(BODY(I, "\"" AUD "\\u0000x\"", E), JWT_MALFORMED);
	check_claims(BODY(I, A, E ",\"aud\":" A), JWT_MALFORMED);
	check_claims(BODY(I, A, E ",\"\\u0061ud\":\"x\""), JWT_MALFORMED);
	check_claims(BODY(I, A, E ",\"sub\":1"), JWT_MALFORMED);
	check_claims(BODY(I, A, E ",\"jti\":[]"), JWT_MALFORMED);
	check_claims(BODY(I, A, E) "x", JWT_MALFORMED);
	check_claims("[" BODY(I, A, E) "]", JWT_MALFORMED);
}
END_TEST

START_TEST(any_audience)
{
	scoped(buf_free) struct buf token = good_token(KEY_ES256);
	scoped(buf_free) struct buf none =
	    forge(keys[KEY_ES256], "ES256", "JWT", "{\"iss\":" I E "}");
	struct jwt_expect want = expectation();

	want.audience = NULL;
	check_verdict_as(&token, JWT_VALID, &want);
	check_verdict_as(&none, JWT_MALFORMED, &want);
}
END_TEST

START_TEST(times)
{
	check_claims(BODY(I, A, ""), JWT_MALFORMED);
	check_claims(BODY(I, A, ",\"exp\":\"1795484900\""), JWT_MALFORMED);
	check_claims(BODY(I, A, ",\"exp\":null"), JWT_MALFORMED);
	check_claims(BODY(I, A, ",\"exp\":1e17"), JWT_MALFORMED);
	check_claims(BODY(I, A, ",\"exp\":1e400"), JWT_MALFORMED);
	check_claims(BODY(I, A, ",\"exp\":1795484001"), JWT_VALID);
	check_claims(BODY(I, A, ",\"exp\":1795484000"), JWT_EXPIRED);
	check_claims(BODY(I, A, ",\"exp\":1795484000.9"), JWT_EXPIRED);
	check_claims(BODY(I, A, ",\"exp\":1795484001.5"), JWT_VALID);
	check_claims(BODY(I, A, ",\"exp\":0"), JWT_EXPIRED);
	check_claims(BODY(I, A, ",\"exp\":-1"), JWT_EXPIRED);
	check_claims(BODY(I, A, E ",\"nbf\":1795484060"), JWT_VALID);
	check_claims(BODY(I, A, E ",\"nbf\":1795484061"), JWT_NOT_YET_VALID);
	check_claims(BODY(I, A, E ",\"iat\":1795484060"), JWT_VALID);
	check_claims(BODY(I, A, E ",\"iat\":1795484061"), JWT_NOT_YET_VALID);
	check_claims(BODY(I, A, E ",\"nbf\":\"0\""), JWT_MALFORMED);
	check_claims(BODY(I, A, E ",\"iat\":true"), JWT_MALFORMED);
}
END_TEST

START_TEST(skew_and_any_time)
{
	scoped(buf_free) struct buf old = forge(keys[KEY_ES256], "ES256",
	    "at+jwt", BODY(I, A, ",\"exp\":1795483941"));
	scoped(buf_free) struct buf future = forge(keys[KEY_ES256], "ES256",
	    "at+jwt", BODY(I, A, E ",\"nbf\":1795484800"));
	struct jwt_expect want = expectation();

	check_verdict_as(&old, JWT_EXPIRED, &want);
	want.expiry_skew = 60;
	check_verdict_as(&old, JWT_VALID, &want);
	want.expiry_skew = 59;
	check_verdict_as(&old, JWT_EXPIRED, &want);
	want.any_time = true;
	check_verdict_as(&old, JWT_VALID, &want);
	check_verdict_as(&future, JWT_VALID, &want);
	/* But never what is not ours. */
	want.issuer = "https://other.example";
	check_verdict_as(&old, JWT_WRONG_ISSUER, &want);
}
END_TEST

/* A bad signature is said before anything that the claims say. */
START_TEST(signature_before_claims)
{
	scoped(free_string) char *header =
	    xasprintf("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
		key_kid(keys[KEY_ES256]));
	scoped(buf_free) struct buf token = forge_raw(
	    stranger, header, "{\"iss\":\"https://other.example\",\"exp\":1}");

	check_verdict(&token, JWT_BAD_SIGNATURE);
}
END_TEST

START_TEST(size_limit)
{
	scoped(free_json) cJSON *claims = json_object();
	scoped(buf_free) struct buf filler = {0}, token = {0};
	scoped(buf_free) struct buf big = {0};
	scoped(free_string) char *body = NULL;
	struct err e;

	for (int i = 0; i < JWT_MAX; i++)
		buf_addc(&filler, 'x');
	json_add_string(claims, "x", filler.ptr);
	buf_adds(&token, "before");
	ck_assert_int_eq(
	    jwt_sign(keys[KEY_ES256], "JWT", claims, &token, &e), -1);
	ck_assert_int_eq(e.code, ERR_USAGE);
	ck_assert_str_eq(token.ptr, "before");
	body = xasprintf(BODY(I, A, E ",\"x\":\"%s\""), filler.ptr);
	big = forge(keys[KEY_ES256], "ES256", "JWT", body);
	ck_assert_uint_gt(big.len, JWT_MAX);
	check_verdict(&big, JWT_MALFORMED);
}
END_TEST

START_TEST(decode_says_why)
{
	cJSON *header, *claims;
	struct err e;

	ck_assert_int_eq(jwt_decode("x", 1, &header, &claims, &e), -1);
	ck_assert_str_eq(e.text, "token: not three parts with dots");
	ck_assert_int_eq(jwt_decode("e30.W10.", 8, &header, &claims, &e), -1);
	ck_assert_str_eq(e.text, "token: claims: not a JSON object");
	ck_assert_int_eq(jwt_decode("e30.e30.!", 9, &header, &claims, &e), -1);
	ck_assert_str_eq(e.text, "token: signature: not base64url");
	ck_assert_int_eq(
	    jwt_decode("secret.e30.", 11, &header, &claims, &e), -1);
	ck_assert_ptr_null(strstr(e.text, "secret"));
	ck_assert_ptr_null(header);
	ck_assert_ptr_null(claims);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("jwt");
	TCase *t = tcase_create("jwt");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_unchecked_fixture(t, make_keys, free_keys);
	tcase_add_test(t, verdict_words);
	tcase_add_loop_test(t, signs_and_verifies, 0, KEY_ALGS);
	tcase_add_loop_test(t, flipped_bits, 0, KEY_ALGS);
	tcase_add_loop_test(t, cut_and_extended, 0, KEY_ALGS);
	tcase_add_test(t, shapes);
	tcase_add_test(t, algorithms_are_the_keys);
	tcase_add_test(t, unsigned_tokens);
	tcase_add_test(t, hmac_with_the_public_key);
	tcase_add_test(t, der_signatures);
	tcase_add_test(t, eddsa_is_an_alias);
	tcase_add_test(t, types);
	tcase_add_test(t, headers);
	tcase_add_test(t, keys_by_kid);
	tcase_add_test(t, issuers_and_audiences);
	tcase_add_test(t, any_audience);
	tcase_add_test(t, times);
	tcase_add_test(t, skew_and_any_time);
	tcase_add_test(t, signature_before_claims);
	tcase_add_test(t, size_limit);
	tcase_add_test(t, decode_says_why);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
