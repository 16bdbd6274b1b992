/*
 * The input twice: as a token, and as a header and claims (a line each) that
 * are then signed properly, for no fuzzer finds its way past a signature.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "json.h"
#include "jwt.h"
#include "key.h"

#define ISS "https://id.acme.example"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key of RFC 8037 appendix A.1, which is as public as a key can be. */
static const char pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

static struct key *key;

static const struct key *
find(void *ctx, const char *kid)
{
	(void)ctx;
	return kid == NULL || strcmp(kid, key_kid(key)) == 0 ? key : NULL;
}

static void
verify(const char *token, size_t n)
{
	struct jwt_expect want = {
	    .find_key = find, .issuer = ISS, .now = 1795484000, .skew = 60};
	scoped(free_json) cJSON *claims = NULL;
	int64_t exp;

	if ((jwt_verify(token, n, &want, &claims) == JWT_VALID) !=
	    (claims != NULL))
		abort();
	if (claims == NULL)
		return;
	if (json_int(claims, "exp", &exp) < 0 || exp <= want.now ||
	    strcmp(json_string(claims, "iss"), ISS) != 0 ||
	    json_get(claims, "aud") == NULL)
		abort();
}

static void
verify_signed(const char *header, size_t n, const char *claims, size_t m)
{
	scoped(buf_free) struct buf token = {0}, sig = {0};
	struct err e;

	b64url_encode(header, n, &token);
	buf_addc(&token, '.');
	b64url_encode(claims, m, &token);
	if (key_sign(key, token.ptr, token.len, &sig, &e) < 0)
		abort();
	buf_addc(&token, '.');
	b64url_encode(sig.ptr, sig.len, &token);
	verify(token.ptr, token.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *line = size > 0 ? memchr(text, '\n', size) : NULL;
	scoped(free_json) cJSON *header = NULL, *claims = NULL;
	struct err e;

	if (key == NULL) {
		key_start(false);
		if (key_from_private_pem(pem, strlen(pem), &key, &e) < 0)
			abort();
	}
	verify(text, size);
	jwt_decode(text, size, &header, &claims, &e);
	if (line != NULL)
		verify_signed(text, (size_t)(line - text), line + 1,
		    size - (size_t)(line + 1 - text));
	return 0;
}
