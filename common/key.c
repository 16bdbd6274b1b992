#include "config.h"

#include "key.h"

#include <assert.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "key-impl.h"

#define RSA_BITS 2048
#define RSA_BITS_MAX 8192
#define ES256_SIG (2 * P256_BYTES)

/* The DER in front of the key's own bytes (RFC 5480, 5915, 8410). Reading
 * these shapes ourselves spares OSSL_DECODER, which costs ten signatures. */
static const uint8_t ed25519_pkcs8[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
    0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
static const uint8_t ed25519_spki[] = {
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
static const uint8_t p256_pkcs8[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30,
    0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
    0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b,
    0x02, 0x01, 0x01, 0x04, 0x20};
static const uint8_t p256_between[] = {0xa1, 0x44, 0x03, 0x42, 0x00};
static const uint8_t p256_spki[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

static void
free_md_ctx(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
}

static void
free_bio(BIO **p)
{
	BIO_free(*p);
}

static void
free_bn(BIGNUM **p)
{
	BN_clear_free(*p);
}

static void
free_ecdsa_sig(ECDSA_SIG **p)
{
	ECDSA_SIG_free(*p);
}

/* What OpenSSL says of a failure is of no use without its texts, and must not
 * be found in the queue by a later call. */
static void
forget_errors(void)
{
	ERR_clear_error();
}

void
key_start(bool system_config)
{
	uint64_t how = OPENSSL_INIT_LOAD_CONFIG;

	if (!system_config)
		how = OPENSSL_INIT_NO_LOAD_CONFIG |
		    OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
		    OPENSSL_INIT_NO_ADD_ALL_DIGESTS |
		    OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS;
	OPENSSL_init_crypto(how, NULL);
	/* The default, CTR-DRBG, makes the first ECDSA signature fetch every
	 * cipher there is; SHA-256 is at hand, and as strong (SP 800-90A). */
	if (!system_config)
		RAND_set_DRBG_type(NULL, "HASH-DRBG", NULL, NULL, "SHA256");
}

const char *
key_alg_name(enum key_alg alg)
{
	static const char *const names[KEY_ALGS] = {
	    [KEY_ES256] = "ES256",
	    [KEY_RS256] = "RS256",
	    [KEY_ED25519] = "Ed25519",
	};

	/* The ledger may have one of a newer version. */
	return (unsigned)alg < KEY_ALGS ? names[alg] : "unknown";
}

int
key_alg_parse(const char *name, enum key_alg *out)
{
	for (int alg = 0; alg < KEY_ALGS; alg++)
		if (strcmp(name, key_alg_name((enum key_alg)alg)) == 0) {
			*out = (enum key_alg)alg;
			return 0;
		}
	if (strcmp(name, "EdDSA") != 0)
		return -1;
	*out = KEY_ED25519;
	return 0;
}

static EVP_PKEY *
from_params(const char *type, int selection, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, &pkey, selection, params) <= 0) {
		forget_errors();
		pkey = NULL;
	}
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

/* OSSL_PARAM wants numbers in the byte order of the machine. */
static void
to_native(const uint8_t *from, size_t n, uint8_t *to)
{
	for (size_t i = 0; i < n; i++)
		to[i] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		    ? from[n - 1 - i]
		    : from[i];
}

EVP_PKEY *
key_p256(const uint8_t point[static P256_POINT], const uint8_t *secret)
{
	char group[] = "P-256";
	uint8_t pub[P256_POINT], priv[P256_BYTES] = {0};
	OSSL_PARAM params[4];
	EVP_PKEY *pkey;
	int n = 0;

	memcpy(pub, point, sizeof pub);
	params[n++] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[n++] = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof pub);
	if (secret != NULL) {
		to_native(secret, sizeof priv, priv);
		params[n++] = OSSL_PARAM_construct_BN(
		    OSSL_PKEY_PARAM_PRIV_KEY, priv, sizeof priv);
	}
	params[n] = OSSL_PARAM_construct_end();
	/* This also refuses a point that is not on the curve. */
	pkey = from_params("EC",
	    secret != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
	OPENSSL_cleanse(priv, sizeof priv);
	return pkey;
}

EVP_PKEY *
key_rsa_public(const void *n, size_t n_len, const void *e, size_t e_len)
{
	uint8_t modulus[RSA_BITS_MAX / 8], exponent[sizeof(uint64_t)];
	OSSL_PARAM params[3];

	/* A large exponent would make each verification slow. */
	if (n_len == 0 || n_len > sizeof modulus || e_len == 0 ||
	    e_len > sizeof exponent)
		return NULL;
	to_native(n, n_len, modulus);
	to_native(e, e_len, exponent);
	params[0] =
	    OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, modulus, n_len);
	params[1] =
	    OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, exponent, e_len);
	params[2] = OSSL_PARAM_construct_end();
	return from_params("RSA", EVP_PKEY_PUBLIC_KEY, params);
}

EVP_PKEY *
key_ed25519_public(const uint8_t x[static ED25519_BYTES])
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(
	    NULL, "ED25519", NULL, x, ED25519_BYTES);

	if (pkey == NULL)
		forget_errors();
	return pkey;
}

static bool
is_p256(const EVP_PKEY *pkey)
{
	char group[32];

	return EVP_PKEY_is_a(pkey, "EC") &&
	    EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1 &&
	    (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

/* Large enough to be safe, small enough that verifying stays cheap. */
static bool
is_good_rsa(const EVP_PKEY *pkey)
{
	scoped(free_bn) BIGNUM *n = NULL;
	scoped(free_bn) BIGNUM *e = NULL;

	return EVP_PKEY_is_a(pkey, "RSA") &&
	    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
	    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
	    BN_num_bits(n) >= RSA_BITS && BN_num_bits(n) <= RSA_BITS_MAX &&
	    BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) &&
	    BN_num_bits(e) <= 64;
}

static int
find_alg(const EVP_PKEY *pkey, enum key_alg *out)
{
	if (is_p256(pkey))
		*out = KEY_ES256;
	else if (is_good_rsa(pkey))
		*out = KEY_RS256;
	else if (EVP_PKEY_is_a(pkey, "ED25519"))
		*out = KEY_ED25519;
	else
		return -1;
	return 0;
}

int
key_adopt(EVP_PKEY *pkey, bool private, const char *kid, struct key **out,
    struct err *e)
{
	scoped(buf_free) struct buf name = {0};
	enum key_alg alg;
	struct key *k;

	if (pkey == NULL || find_alg(pkey, &alg) < 0) {
		EVP_PKEY_free(pkey);
		forget_errors();
		return err_set(e, ERR_INVALID,
		    "not a P-256, Ed25519 or RSA key (of 2048 to 8192 bits)");
	}
	k = xcalloc(1, sizeof *k);
	*k = (struct key){.alg = alg, .private = private, .pkey = pkey};
	if (kid != NULL)
		buf_adds(&name, kid);
	else
		key_thumbprint(k, &name);
	k->kid = buf_steal(&name);
	*out = k;
	return 0;
}

int
key_generate(enum key_alg alg, struct key **out, struct err *e)
{
	EVP_PKEY *pkey = NULL;

	switch (alg) {
	case KEY_ES256:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		break;
	case KEY_RS256:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
		break;
	case KEY_ED25519:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	}
	if (pkey == NULL) {
		forget_errors();
		return err_set(e, ERR_SYSTEM, "cannot make a key for %s",
		    key_alg_name(alg));
	}
	return key_adopt(pkey, true, NULL, out, e);
}

static bool
begins_with(const uint8_t *der, size_t len, const uint8_t *prefix, size_t n,
    size_t rest)
{
	return len == n + rest && memcmp(der, prefix, n) == 0;
}

/* The two shapes that we write most; NULL for any other. */
static EVP_PKEY *
private_from_known_shape(const uint8_t *der, size_t len)
{
	const uint8_t *secret, *between;

	if (begins_with(
		der, len, ed25519_pkcs8, sizeof ed25519_pkcs8, ED25519_BYTES))
		return EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL,
		    der + sizeof ed25519_pkcs8, ED25519_BYTES);
	if (!begins_with(der, len, p256_pkcs8, sizeof p256_pkcs8,
		P256_BYTES + sizeof p256_between + P256_POINT))
		return NULL;
	secret = der + sizeof p256_pkcs8;
	between = secret + P256_BYTES;
	if (memcmp(between, p256_between, sizeof p256_between) != 0)
		return NULL;
	return key_p256(between + sizeof p256_between, secret);
}

static EVP_PKEY *
public_from_known_shape(const uint8_t *der, size_t len)
{
	if (begins_with(
		der, len, ed25519_spki, sizeof ed25519_spki, ED25519_BYTES))
		return key_ed25519_public(der + sizeof ed25519_spki);
	if (begins_with(der, len, p256_spki, sizeof p256_spki, P256_POINT))
		return key_p256(der + sizeof p256_spki, NULL);
	return NULL;
}

static EVP_PKEY *
private_from_pkcs8(const uint8_t *der, size_t len)
{
	PKCS8_PRIV_KEY_INFO *info =
	    d2i_PKCS8_PRIV_KEY_INFO(NULL, &(const uint8_t *){der}, (long)len);
	EVP_PKEY *pkey = info != NULL ? EVP_PKCS82PKEY(info) : NULL;

	PKCS8_PRIV_KEY_INFO_free(info);
	return pkey;
}

/* Puts the bytes of the PEM block into *der; only of this label, and not
 * encrypted, so there is no passphrase to ask for. */
static int
read_pem(const char *pem, size_t len, const char *label, struct buf *der)
{
	scoped(free_bio) BIO *in = NULL;
	char *name = NULL, *header = NULL;
	uint8_t *data = NULL;
	long n = 0;
	int rc = -1;

	if (len > INT_MAX || (in = BIO_new_mem_buf(pem, (int)len)) == NULL)
		return -1;
	if (PEM_read_bio(in, &name, &header, &data, &n) == 1 &&
	    strcmp(name, label) == 0 && *header == '\0') {
		buf_add(der, data, (size_t)n);
		rc = 0;
	}
	forget_errors();
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(data, (size_t)n);
	return rc;
}

int
key_from_private_pem(
    const char *pem, size_t len, struct key **out, struct err *e)
{
	scoped(buf_free) struct buf der = {0};
	const uint8_t *p;
	EVP_PKEY *pkey;

	if (read_pem(pem, len, PEM_STRING_PKCS8INF, &der) < 0)
		return err_set(
		    e, ERR_INVALID, "not an unencrypted PKCS#8 PEM file");
	p = (const uint8_t *)buf_str(&der);
	if ((pkey = private_from_known_shape(p, der.len)) == NULL)
		pkey = private_from_pkcs8(p, der.len);
	return key_adopt(pkey, true, NULL, out, e);
}

int
key_from_public_pem(
    const char *pem, size_t len, struct key **out, struct err *e)
{
	scoped(buf_free) struct buf der = {0};
	const uint8_t *p;
	EVP_PKEY *pkey;

	if (read_pem(pem, len, PEM_STRING_PUBLIC, &der) < 0)
		return err_set(e, ERR_INVALID, "not a public key PEM file");
	p = (const uint8_t *)buf_str(&der);
	if ((pkey = public_from_known_shape(p, der.len)) == NULL)
		pkey = d2i_PUBKEY(NULL, &(const uint8_t *){p}, (long)der.len);
	return key_adopt(pkey, false, NULL, out, e);
}

void
key_free(struct key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k->kid);
	free(k);
}

void
free_key(struct key **k)
{
	key_free(*k);
	*k = NULL;
}

enum key_alg
key_alg(const struct key *k)
{
	return k->alg;
}

const char *
key_kid(const struct key *k)
{
	return k->kid;
}

bool
key_is_private(const struct key *k)
{
	return k->private;
}

/* Writing to memory fails only when there is none. */
static void
add_written(BIO *bio, bool written, struct buf *out)
{
	char *text;
	long n;

	if (!written || (n = BIO_get_mem_data(bio, &text)) <= 0)
		abort();
	buf_add(out, text, (size_t)n);
}

void
key_private_pem(const struct key *k, struct buf *out)
{
	scoped(free_bio) BIO *bio = BIO_new(BIO_s_secmem());

	assert(k->private);
	add_written(bio,
	    PEM_write_bio_PKCS8PrivateKey(
		bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1,
	    out);
}

void
key_public_pem(const struct key *k, struct buf *out)
{
	scoped(free_bio) BIO *bio = BIO_new(BIO_s_mem());

	add_written(bio, PEM_write_bio_PUBKEY(bio, k->pkey) == 1, out);
}

static const EVP_MD *
digest_of(const struct key *k)
{
	return k->alg == KEY_ED25519 ? NULL : EVP_sha256();
}

/* RFC 7518 section 3.4: R||S in 64 bytes, where OpenSSL has DER. */
static int
ecdsa_from_der(const uint8_t *der, size_t len, uint8_t out[static ES256_SIG])
{
	scoped(free_ecdsa_sig) ECDSA_SIG *sig =
	    d2i_ECDSA_SIG(NULL, &(const uint8_t *){der}, (long)len);

	if (sig == NULL ||
	    BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, P256_BYTES) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + P256_BYTES, P256_BYTES) <
		0)
		return -1;
	return 0;
}

/* The length of the DER in *der, which the caller frees; or -1. */
static int
ecdsa_to_der(const uint8_t *rs, uint8_t **der)
{
	scoped(free_ecdsa_sig) ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(rs, P256_BYTES, NULL);
	BIGNUM *s = BN_bin2bn(rs + P256_BYTES, P256_BYTES, NULL);

	if (sig == NULL || r == NULL || s == NULL ||
	    ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return -1;
	}
	return i2d_ECDSA_SIG(sig, der);
}

static int
sign_raw(
    const struct key *k, const void *data, size_t n, uint8_t *out, size_t *len)
{
	scoped(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL ||
	    EVP_DigestSignInit(ctx, NULL, digest_of(k), NULL, k->pkey) != 1 ||
	    EVP_DigestSign(ctx, out, len, data, n) != 1)
		return -1;
	return 0;
}

int
key_sign(const struct key *k, const void *data, size_t n, struct buf *sig,
    struct err *e)
{
	uint8_t raw[RSA_BITS_MAX / 8], rs[ES256_SIG];
	size_t len = sizeof raw;

	assert(k->private);
	if (sign_raw(k, data, n, raw, &len) < 0 ||
	    (k->alg == KEY_ES256 && ecdsa_from_der(raw, len, rs) < 0)) {
		forget_errors();
		return err_set(
		    e, ERR_SYSTEM, "cannot sign with key '%.64s'", k->kid);
	}
	if (k->alg == KEY_ES256)
		buf_add(sig, rs, sizeof rs);
	else
		buf_add(sig, raw, len);
	return 0;
}

static bool
verify_raw(const struct key *k, const void *data, size_t n, const uint8_t *sig,
    size_t len)
{
	scoped(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, digest_of(k), NULL, k->pkey) == 1 &&
	    EVP_DigestVerify(ctx, sig, len, data, n) == 1;

	forget_errors();
	return good;
}

bool
key_verify(const struct key *k, const void *data, size_t n, const void *sig,
    size_t sig_len)
{
	uint8_t *der = NULL;
	bool good;
	int len;

	if (k->alg != KEY_ES256)
		return verify_raw(k, data, n, sig, sig_len);
	if (sig_len != ES256_SIG || (len = ecdsa_to_der(sig, &der)) < 0)
		return false;
	good = verify_raw(k, data, n, der, (size_t)len);
	OPENSSL_free(der);
	return good;
}
