#include "config.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "key-impl.h"
#include "key.h"

static void
add_b64(cJSON *jwk, const char *name, const void *p, size_t n)
{
	scoped(buf_free) struct buf text = {0};

	b64url_encode(p, n, &text);
	json_add_string(jwk, name, buf_str(&text));
}

/* A number of the key, big-endian, in `width' bytes or as few as it takes. */
static void
add_number(cJSON *jwk, const char *name, const EVP_PKEY *pkey,
    const char *param, int width)
{
	scoped(buf_free) struct buf bytes = {0};
	BIGNUM *bn = NULL;

	/* The key was checked when it was adopted; it has these. */
	if (EVP_PKEY_get_bn_param(pkey, param, &bn) != 1)
		abort();
	if (width == 0)
		width = BN_num_bytes(bn);
	if (BN_bn2binpad(
		bn, (uint8_t *)buf_room(&bytes, (size_t)width), width) != width)
		abort();
	add_b64(jwk, name, bytes.ptr, (size_t)width);
	BN_free(bn);
}

cJSON *
key_required_members(const struct key *k)
{
	cJSON *jwk = json_object();
	uint8_t x[ED25519_BYTES];
	size_t n = sizeof x;

	switch (k->alg) {
	case KEY_ES256:
		json_add_string(jwk, "crv", "P-256");
		json_add_string(jwk, "kty", "EC");
		add_number(
		    jwk, "x", k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, P256_BYTES);
		add_number(
		    jwk, "y", k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, P256_BYTES);
		break;
	case KEY_RS256:
		add_number(jwk, "e", k->pkey, OSSL_PKEY_PARAM_RSA_E, 0);
		json_add_string(jwk, "kty", "RSA");
		add_number(jwk, "n", k->pkey, OSSL_PKEY_PARAM_RSA_N, 0);
		break;
	case KEY_ED25519:
		if (EVP_PKEY_get_raw_public_key(k->pkey, x, &n) != 1)
			abort();
		json_add_string(jwk, "crv", "Ed25519");
		json_add_string(jwk, "kty", "OKP");
		add_b64(jwk, "x", x, n);
		break;
	}
	return jwk;
}

/* RFC 7638: the hash of the required members in their shortest spelling. */
void
key_thumbprint(const struct key *k, struct buf *out)
{
	scoped(free_json) cJSON *jwk = key_required_members(k);
	scoped(buf_free) struct buf text = {0};
	uint8_t hash[32];
	unsigned n = 0;

	json_print(jwk, &text);
	if (EVP_Digest(text.ptr, text.len, hash, &n, EVP_sha256(), NULL) != 1)
		abort();
	b64url_encode(hash, n, out);
}

cJSON *
key_jwk(const struct key *k)
{
	cJSON *jwk = key_required_members(k);

	json_add_string(jwk, "use", "sig");
	json_add_string(jwk, "alg", key_alg_name(k->alg));
	json_add_string(jwk, "kid", k->kid);
	return jwk;
}

/* A member in base64url; -1 when absent or, with n > 0, not of n bytes. */
static int
get_bytes(const cJSON *jwk, const char *name, size_t n, struct buf *out)
{
	const char *text = json_string(jwk, name);

	if (text == NULL || b64url_decode(text, strlen(text), out) < 0 ||
	    out->len == 0 || (n > 0 && out->len != n))
		return -1;
	return 0;
}

static EVP_PKEY *
p256_from_jwk(const cJSON *jwk)
{
	scoped(buf_free) struct buf x = {0};
	scoped(buf_free) struct buf y = {0};
	uint8_t point[P256_POINT] = {0x04};

	if (get_bytes(jwk, "x", P256_BYTES, &x) < 0 ||
	    get_bytes(jwk, "y", P256_BYTES, &y) < 0)
		return NULL;
	memcpy(point + 1, x.ptr, P256_BYTES);
	memcpy(point + 1 + P256_BYTES, y.ptr, P256_BYTES);
	return key_p256(point, NULL);
}

static EVP_PKEY *
rsa_from_jwk(const cJSON *jwk)
{
	scoped(buf_free) struct buf n = {0};
	scoped(buf_free) struct buf e = {0};

	/* RFC 7518 section 2: no more octets than the value needs. */
	if (get_bytes(jwk, "n", 0, &n) < 0 || get_bytes(jwk, "e", 0, &e) < 0 ||
	    n.ptr[0] == 0 || e.ptr[0] == 0)
		return NULL;
	return key_rsa_public(n.ptr, n.len, e.ptr, e.len);
}

static EVP_PKEY *
ed25519_from_jwk(const cJSON *jwk)
{
	scoped(buf_free) struct buf x = {0};

	if (get_bytes(jwk, "x", ED25519_BYTES, &x) < 0)
		return NULL;
	return key_ed25519_public((const uint8_t *)x.ptr);
}

static const struct kind {
	const char *kty, *crv;
	enum key_alg alg;
	EVP_PKEY *(*read)(const cJSON *jwk);
} kinds[] = {
    {"EC", "P-256", KEY_ES256, p256_from_jwk},
    {"RSA", NULL, KEY_RS256, rsa_from_jwk},
    {"OKP", "Ed25519", KEY_ED25519, ed25519_from_jwk},
};

static const struct kind *
find_kind(const cJSON *jwk)
{
	const char *kty = json_string(jwk, "kty");
	const char *crv = json_string(jwk, "crv");

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct kind *k = &kinds[i];

		if (kty != NULL && strcmp(kty, k->kty) == 0 &&
		    (k->crv == NULL ||
			(crv != NULL && strcmp(crv, k->crv) == 0)))
			return k;
	}
	return NULL;
}

static bool
alg_agrees(const cJSON *jwk, enum key_alg alg)
{
	const char *name = json_string(jwk, "alg");
	enum key_alg said;

	if (json_get(jwk, "alg") == NULL)
		return true;
	return name != NULL && key_alg_parse(name, &said) == 0 && said == alg;
}

int
key_from_jwk(const cJSON *jwk, struct key **out, struct err *e)
{
	const struct kind *kind = find_kind(jwk);
	const char *kid = json_string(jwk, "kid");

	if (kind == NULL)
		return err_set(e, ERR_INVALID, "jwk: unknown type of key");
	if (json_get(jwk, "d") != NULL)
		return err_set(e, ERR_INVALID, "jwk: holds a private key");
	if (!alg_agrees(jwk, kind->alg))
		return err_set(e, ERR_INVALID,
		    "jwk: alg is not %s, as the key is",
		    key_alg_name(kind->alg));
	if (json_get(jwk, "kid") != NULL && (kid == NULL || *kid == '\0'))
		return err_set(e, ERR_INVALID, "jwk: bad kid");
	if (key_adopt(kind->read(jwk), false, kid, out, e) < 0)
		return err_in(e, "jwk");
	return 0;
}

struct keyset {
	struct key **keys;
	size_t n;
};

/* RFC 7517 sections 4.2 and 4.3. */
static bool
is_for_signatures(const cJSON *jwk)
{
	const cJSON *ops = json_get(jwk, "key_ops"), *op;
	const char *use = json_string(jwk, "use");

	if (json_get(jwk, "use") != NULL &&
	    (use == NULL || strcmp(use, "sig") != 0))
		return false;
	if (ops == NULL)
		return true;
	cJSON_ArrayForEach (op, ops)
		if (cJSON_IsString(op) &&
		    strcmp(op->valuestring, "verify") == 0)
			return true;
	return false;
}

static int
keyset_add(struct keyset *s, struct key *k, struct err *e)
{
	if (keyset_find(s, k->kid) != NULL) {
		key_free(k);
		return err_set(
		    e, ERR_INVALID, "key set: two keys with the same kid");
	}
	s->keys = xreallocarray(s->keys, s->n + 1, sizeof(*s->keys));
	s->keys[s->n++] = k;
	return 0;
}

int
keyset_parse(const char *text, size_t len, struct keyset **out, struct err *e)
{
	scoped(free_json) cJSON *root = json_parse(text, len, e);
	scoped(free_keyset) struct keyset *s = xcalloc(1, sizeof *s);
	const cJSON *keys, *jwk;

	if (root == NULL)
		return err_in(e, "key set");
	if (!cJSON_IsArray(keys = json_get(root, "keys")))
		return err_set(e, ERR_INVALID, "key set: no array 'keys'");
	cJSON_ArrayForEach (jwk, keys) {
		struct err why;
		struct key *k;

		/* Section 5: what is not understood is to be ignored. */
		if (!is_for_signatures(jwk) || key_from_jwk(jwk, &k, &why) < 0)
			continue;
		if (keyset_add(s, k, e) < 0)
			return -1;
	}
	*out = s;
	s = NULL;
	return 0;
}

const struct key *
keyset_find(const struct keyset *s, const char *kid)
{
	if (kid == NULL)
		return s->n == 1 ? s->keys[0] : NULL;
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->keys[i]->kid, kid) == 0)
			return s->keys[i];
	return NULL;
}

void
keyset_free(struct keyset *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		key_free(s->keys[i]);
	free(s->keys);
	free(s);
}

void
free_keyset(struct keyset **s)
{
	keyset_free(*s);
	*s = NULL;
}
