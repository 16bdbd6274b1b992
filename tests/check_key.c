#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b64.h"
#include "io.h"
#include "json.h"
#include "key.h"

static cJSON *
read_vectors(const char *name)
{
	const char *srcdir = getenv("srcdir");
	scoped(free_string) char *path =
	    xasprintf("%s/tests/vectors/%s", srcdir ? srcdir : ".", name);
	scoped(buf_free) struct buf text = {0};
	struct err e;
	cJSON *v;

	ck_assert_msg(io_read_file(AT_FDCWD, path, 1 << 20, &text, &e) == 0,
	    "%s", e.text);
	v = json_parse(buf_str(&text), text.len, &e);
	ck_assert_msg(v != NULL, "%s", e.text);
	return v;
}

/* Nothing may be left in OpenSSL's queue for a later call to stumble on. */
static void
check_queue_is_empty(void)
{
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

static struct key *
make(enum key_alg alg)
{
	struct err e;
	struct key *k = NULL;

	ck_assert_msg(key_generate(alg, &k, &e) == 0, "%s", e.text);
	return k;
}

static int
from_jwk_text(const char *text, struct key **out, struct err *e)
{
	scoped(free_json) cJSON *jwk = json_parse(text, strlen(text), e);

	ck_assert_msg(jwk != NULL, "%s: %s", text, e->text);
	return key_from_jwk(jwk, out, e);
}

START_TEST(names_of_algorithms)
{
	enum key_alg alg = KEY_ES256;

	ck_assert_int_eq(key_alg_parse("EdDSA", &alg), 0);
	ck_assert_int_eq(alg, KEY_ED25519);
	for (int i = 0; i < KEY_ALGS; i++) {
		ck_assert_int_eq(
		    key_alg_parse(key_alg_name((enum key_alg)i), &alg), 0);
		ck_assert_int_eq((int)alg, i);
	}
	/* A newer version wrote the ledger. */
	ck_assert_str_eq(key_alg_name((enum key_alg)9), "unknown");
	ck_assert_int_eq(key_alg_parse("unknown", &alg), -1);
	ck_assert_int_eq(key_alg_parse("none", &alg), -1);
	ck_assert_int_eq(key_alg_parse("HS256", &alg), -1);
	ck_assert_int_eq(key_alg_parse("es256", &alg), -1);
	ck_assert_int_eq(key_alg_parse("PS256", &alg), -1);
	ck_assert_int_eq(key_alg_parse("", &alg), -1);
}
END_TEST

START_TEST(verifies_the_rfcs)
{
	scoped(free_json) cJSON *all = read_vectors("jws.json");
	const cJSON *v;
	struct err e;

	cJSON_ArrayForEach (v, all) {
		scoped(free_key) struct key *k = NULL;
		scoped(buf_free) struct buf sig = {0};
		const char *jws = json_string(v, "jws");
		const char *dot = strrchr(jws, '.');
		size_t n = (size_t)(dot - jws);

		ck_assert_msg(key_from_jwk(json_get(v, "jwk"), &k, &e) == 0,
		    "%s: %s", json_string(v, "name"), e.text);
		ck_assert(!key_is_private(k));
		ck_assert_int_eq(
		    b64url_decode(dot + 1, strlen(dot + 1), &sig), 0);
		ck_assert_msg(key_verify(k, jws, n, sig.ptr, sig.len), "%s",
		    json_string(v, "name"));
		ck_assert(!key_verify(k, jws, n - 1, sig.ptr, sig.len));
		ck_assert(!key_verify(k, jws, n, sig.ptr, sig.len - 1));
		sig.ptr[sig.len / 2] ^= 1;
		ck_assert(!key_verify(k, jws, n, sig.ptr, sig.len));
		check_queue_is_empty();
	}
}
END_TEST

START_TEST(thumbprints_of_the_rfcs)
{
	scoped(free_json) cJSON *all = read_vectors("thumbprints.json");
	const cJSON *v;
	struct err e;

	cJSON_ArrayForEach (v, all) {
		scoped(free_key) struct key *k = NULL;

		ck_assert_int_eq(key_from_jwk(json_get(v, "jwk"), &k, &e), 0);
		ck_assert_str_eq(key_kid(k), json_string(v, "thumbprint"));
		ck_assert_uint_eq(strlen(key_kid(k)), KEY_KID_LEN);
	}
}
END_TEST

static void
check_verifies(const struct key *signer, const struct key *reader)
{
	scoped(buf_free) struct buf sig = {0};
	struct err e;

	ck_assert_int_eq(key_sign(signer, "hello", 5, &sig, &e), 0);
	ck_assert(key_verify(reader, "hello", 5, sig.ptr, sig.len));
	ck_assert(!key_verify(reader, "hellp", 5, sig.ptr, sig.len));
	ck_assert(!key_verify(reader, "hello", 4, sig.ptr, sig.len));
}

/* Each way out of the program and back leads to the same key. */
START_TEST(round_trips)
{
	enum key_alg alg = (enum key_alg)_i;
	scoped(free_key) struct key *k = make(alg);
	scoped(free_key) struct key *private = NULL, *public = NULL;
	scoped(free_key) struct key *jwk_key = NULL;
	scoped(buf_free) struct buf pem = {0};
	scoped(buf_free) struct buf pub = {0};
	scoped(free_json) cJSON *jwk = key_jwk(k);
	struct err e;

	ck_assert_int_eq(key_alg(k), alg);
	key_private_pem(k, &pem);
	key_public_pem(k, &pub);
	ck_assert(strstr(buf_str(&pub), "PRIVATE") == NULL);
	ck_assert_int_eq(
	    key_from_private_pem(pem.ptr, pem.len, &private, &e), 0);
	ck_assert_int_eq(key_from_public_pem(pub.ptr, pub.len, &public, &e), 0);
	ck_assert_int_eq(key_from_jwk(jwk, &jwk_key, &e), 0);
	ck_assert_ptr_null(json_get(jwk, "d"));
	ck_assert_str_eq(json_string(jwk, "use"), "sig");
	ck_assert_str_eq(json_string(jwk, "alg"), key_alg_name(alg));
	ck_assert_str_eq(json_string(jwk, "kid"), key_kid(k));
	ck_assert(key_is_private(k) && key_is_private(private));
	ck_assert(!key_is_private(public) && !key_is_private(jwk_key));
	ck_assert_str_eq(key_kid(private), key_kid(k));
	ck_assert_str_eq(key_kid(public), key_kid(k));
	ck_assert_str_eq(key_kid(jwk_key), key_kid(k));
	check_verifies(k, public);
	check_verifies(private, jwk_key);
	check_queue_is_empty();
}
END_TEST

/* R and S are padded: in 600 signatures some have a leading zero byte. */
START_TEST(es256_is_always_64_bytes)
{
	scoped(free_key) struct key *k = make(KEY_ES256);
	int zeros = 0;
	struct err e;

	for (int i = 0; i < 600; i++) {
		scoped(buf_free) struct buf sig = {0};

		ck_assert_int_eq(key_sign(k, &i, sizeof i, &sig, &e), 0);
		ck_assert_uint_eq(sig.len, 64);
		ck_assert(key_verify(k, &i, sizeof i, sig.ptr, sig.len));
		zeros += sig.ptr[0] == 0 || sig.ptr[32] == 0;
	}
	ck_assert_int_gt(zeros, 0);
}
END_TEST

START_TEST(refuses_bad_signatures)
{
	scoped(free_key) struct key *k = make((enum key_alg)_i);
	scoped(free_key) struct key *other = make((enum key_alg)_i);
	scoped(buf_free) struct buf sig = {0};
	static const char zeros[1024];
	struct err e;

	ck_assert_int_eq(key_sign(k, "x", 1, &sig, &e), 0);
	ck_assert(!key_verify(other, "x", 1, sig.ptr, sig.len));
	ck_assert(!key_verify(k, "x", 1, NULL, 0));
	for (size_t n = 0; n < sig.len; n++)
		ck_assert(!key_verify(k, "x", 1, sig.ptr, n));
	for (size_t n = 1; n <= sizeof zeros; n *= 2)
		ck_assert(!key_verify(k, "x", 1, zeros, n));
	ck_assert(!key_verify(k, "x", 1, zeros, sig.len));
	for (size_t bit = 0; bit < sig.len * 8; bit++) {
		sig.ptr[bit / 8] ^= (char)(1 << bit % 8);
		ck_assert(!key_verify(k, "x", 1, sig.ptr, sig.len));
		sig.ptr[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_addc(&sig, 0);
	ck_assert(!key_verify(k, "x", 1, sig.ptr, sig.len));
	check_queue_is_empty();
}
END_TEST

/* P-256, under the passphrase "secret". */
static const char encrypted[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh3JquiR/qClQICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDwRgAuOQlAXBOp9gv23nUEEgZC7\n"
    "8iLYFjpzGhbtAu9LrWyK4DnJk12fHN6nIbu57XaHbkzeUZP1CswZsCJWfIU/3axP\n"
    "49sm49rBvTNKCgfk9jc+mgpfoa8e32w2oIeq3ry7qqEFijnjj+6sCoZW69JvXDxZ\n"
    "yZiCcwSezTGCrr9WtJEuCC3BiRqq2j39IUYZyT12W3oRtQ0FSuOb0R3hF/IceTU=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

/* A PEM of any key OpenSSL can make. */
static void
pem_of(EVP_PKEY *pkey, bool private, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	ck_assert_ptr_nonnull(pkey);
	if (!private)
		ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, pkey), 1);
	else
		ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(
				     bio, pkey, NULL, NULL, 0, NULL, NULL),
		    1);
	n = BIO_get_mem_data(bio, &text);
	buf_add(out, text, (size_t)n);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
}

static void
check_refused_key(EVP_PKEY *pkey)
{
	scoped(buf_free) struct buf private = {0};
	scoped(buf_free) struct buf public = {0};
	struct err e = {0};
	struct key *k = NULL;

	EVP_PKEY_up_ref(pkey);
	pem_of(pkey, true, &private);
	pem_of(pkey, false, &public);
	ck_assert_int_eq(
	    key_from_private_pem(private.ptr, private.len, &k, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_int_eq(
	    key_from_public_pem(public.ptr, public.len, &k, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	/* One half is not taken for the other. */
	ck_assert_int_eq(
	    key_from_private_pem(public.ptr, public.len, &k, &e), -1);
	ck_assert_int_eq(
	    key_from_public_pem(private.ptr, private.len, &k, &e), -1);
	check_queue_is_empty();
}

START_TEST(refuses_other_kinds)
{
	check_refused_key(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"));
	check_refused_key(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"));
	check_refused_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"));
	check_refused_key(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"));
	check_refused_key(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024));
}
END_TEST

START_TEST(refuses_rsa_pss)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *pkey = NULL;

	ck_assert_int_eq(EVP_PKEY_keygen_init(ctx), 1);
	ck_assert_int_eq(EVP_PKEY_keygen(ctx, &pkey), 1);
	EVP_PKEY_CTX_free(ctx);
	check_refused_key(pkey);
}
END_TEST

START_TEST(asks_for_no_passphrase)
{
	struct err e = {0};
	struct key *k = NULL;

	ck_assert_int_eq(
	    key_from_private_pem(encrypted, strlen(encrypted), &k, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	check_queue_is_empty();
}
END_TEST

/* A cut or damaged file is an error, or at least no crash. */
START_TEST(survives_damaged_pem)
{
	scoped(free_key) struct key *k = make((enum key_alg)_i);
	scoped(buf_free) struct buf pem = {0};
	struct err e;

	key_private_pem(k, &pem);
	for (size_t n = 0; n + 1 < pem.len; n++) {
		struct key *cut = NULL;

		ck_assert_int_eq(
		    key_from_private_pem(pem.ptr, n, &cut, &e), -1);
	}
	for (size_t i = 0; i < pem.len; i += 7) {
		scoped(free_key) struct key *odd = NULL;
		char was = pem.ptr[i];

		pem.ptr[i] = 'A';
		key_from_private_pem(pem.ptr, pem.len, &odd, &e);
		pem.ptr[i] = was;
	}
	check_queue_is_empty();
}
END_TEST

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC(x, y) \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" x "\",\"y\":\"" y "\""
#define OKP                                           \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":" \
	"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

START_TEST(takes_good_jwks)
{
	scoped(free_key) struct key *a = NULL, *b = NULL, *c = NULL;
	struct err e;

	ck_assert_int_eq(from_jwk_text(EC(X, Y) "}", &a, &e), 0);
	ck_assert_int_eq(key_alg(a), KEY_ES256);
	ck_assert_int_eq(
	    from_jwk_text(
		EC(X, Y) ",\"kid\":\"../k\",\"alg\":\"ES256\"}", &b, &e),
	    0);
	ck_assert_str_eq(key_kid(b), "../k");
	ck_assert_int_eq(from_jwk_text(OKP ",\"alg\":\"EdDSA\"}", &c, &e), 0);
	ck_assert_int_eq(key_alg(c), KEY_ED25519);
}
END_TEST

static const char *const bad_jwks[] = {
    "{}",
    "[]",
    "\"x\"",
    "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
    "{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":1}",
    EC(Y, X) "}",	 /* not on the curve */
    EC("AA", Y) "}",	 /* too short */
    EC("AAAA" X, Y) "}", /* too long */
    EC(X "=", Y) "}",	 /* padding */
    EC("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV", Y) "}", /* spare bits */
    EC("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") "}",
    EC("_____________________________________________w", Y) "}",
    EC(X, Y) ",\"alg\":\"RS256\"}",
    EC(X, Y) ",\"alg\":\"none\"}",
    EC(X, Y) ",\"alg\":1}",
    EC(X, Y) ",\"kid\":1}",
    EC(X, Y) ",\"kid\":\"\"}",
    EC(X, Y) ",\"d\":\"" X "\"}",
    OKP ",\"alg\":\"ES256\"}",
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
    "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}",
    "{\"kty\":\"RSA\",\"n\":\"" X "\",\"e\":\"AQAB\"}", /* 256 bits */
    "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}",
    "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
};

START_TEST(refuses_bad_jwks)
{
	struct err e = {0};
	struct key *k = NULL;

	ck_assert_msg(from_jwk_text(bad_jwks[_i], &k, &e) == -1, "taken: %s",
	    bad_jwks[_i]);
	ck_assert_int_eq(e.code, ERR_INVALID);
	check_queue_is_empty();
}
END_TEST

static int
rsa_from_bytes(const struct buf *n, const char *exponent)
{
	scoped(buf_free) struct buf text = {0};
	scoped(buf_free) struct buf jwk = {0};
	scoped(free_key) struct key *k = NULL;
	struct err e;

	b64url_encode(n->ptr, n->len, &text);
	buf_addf(&jwk, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}",
	    buf_str(&text), exponent);
	return from_jwk_text(buf_str(&jwk), &k, &e);
}

START_TEST(rsa_numbers_are_exact)
{
	scoped(free_key) struct key *k = make(KEY_RS256);
	scoped(free_json) cJSON *jwk = key_jwk(k);
	const char *n = json_string(jwk, "n");
	scoped(buf_free) struct buf good = {0};
	scoped(buf_free) struct buf padded = {0};
	scoped(buf_free) struct buf big = {0};

	ck_assert_int_eq(b64url_decode(n, strlen(n), &good), 0);
	ck_assert_uint_eq(good.len, 256);
	ck_assert_int_eq(rsa_from_bytes(&good, "AQAB"), 0);
	ck_assert_int_eq(rsa_from_bytes(&good, "AAEAAQ"), -1); /* leading 0 */
	ck_assert_int_eq(rsa_from_bytes(&good, "AQ"), -1);     /* 1 */
	ck_assert_int_eq(rsa_from_bytes(&good, "AQAC"), -1);   /* even */
	ck_assert_int_eq(rsa_from_bytes(&good, "AQAAAAAAAAAB"), -1);
	buf_addc(&padded, 0);
	buf_add(&padded, good.ptr, good.len);
	ck_assert_int_eq(rsa_from_bytes(&padded, "AQAB"), -1);
	for (int i = 0; i < 5; i++)
		buf_add(&big, good.ptr, good.len);
	ck_assert_int_eq(rsa_from_bytes(&big, "AQAB"), -1);
	good.ptr[255] &= (char)0xfe;
	ck_assert_int_eq(rsa_from_bytes(&good, "AQAB"), -1);
}
END_TEST

static int
parse_set(const char *text, struct keyset **out, struct err *e)
{
	return keyset_parse(text, strlen(text), out, e);
}

START_TEST(key_sets)
{
	scoped(free_keyset) struct keyset *s = NULL, *one = NULL, *none = NULL;
	struct err e;

	ck_assert_int_eq(
	    parse_set("{\"keys\":[" EC(
			  X, Y) ",\"kid\":\"a\"}," OKP
				",\"kid\":\"b\",\"use\":\"sig\"}," OKP
				",\"kid\":\"c\",\"use\":\"enc\"}," OKP
				",\"kid\":\"d\",\"key_ops\":[\"sign\"]}," OKP
				",\"kid\":\"e\",\"key_ops\":[\"verify\"]},"
				"{\"kty\":\"new\",\"kid\":\"f\"},17,null," EC(
				    Y, X) ",\"kid\":\"g\"}],\"x\":1}",
		&s, &e),
	    0);
	ck_assert_ptr_nonnull(keyset_find(s, "a"));
	ck_assert_ptr_nonnull(keyset_find(s, "b"));
	ck_assert_ptr_nonnull(keyset_find(s, "e"));
	ck_assert_ptr_null(keyset_find(s, "c"));
	ck_assert_ptr_null(keyset_find(s, "d"));
	ck_assert_ptr_null(keyset_find(s, "f"));
	ck_assert_ptr_null(keyset_find(s, "g"));
	ck_assert_ptr_null(keyset_find(s, "A"));
	ck_assert_ptr_null(keyset_find(s, ""));
	ck_assert_ptr_null(keyset_find(s, NULL));
	ck_assert_int_eq(parse_set("{\"keys\":[" OKP "}]}", &one, &e), 0);
	ck_assert_ptr_nonnull(keyset_find(one, NULL));
	ck_assert_ptr_nonnull(
	    keyset_find(one, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
	ck_assert_int_eq(parse_set("{\"keys\":[]}", &none, &e), 0);
	ck_assert_ptr_null(keyset_find(none, NULL));
}
END_TEST

START_TEST(refuses_bad_key_sets)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"keys\":{}}",
	    "{\"keys\":[]}x", "{\"keys\":[],\"keys\":[]}",
	    "{\"keys\":[" OKP ",\"kid\":\"a\"}," EC(X, Y) ",\"kid\":\"a\"}]}",
	    "{\"keys\":[" OKP "}," OKP "}]}"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct keyset *s = NULL;
		struct err e = {0};

		ck_assert_msg(
		    parse_set(bad[i], &s, &e) == -1, "taken: %s", bad[i]);
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert_ptr_null(s);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("key");
	TCase *t = tcase_create("key");
	SRunner *runner;
	int failed;

	key_start(false);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, names_of_algorithms);
	tcase_add_test(t, verifies_the_rfcs);
	tcase_add_test(t, thumbprints_of_the_rfcs);
	tcase_add_loop_test(t, round_trips, 0, KEY_ALGS);
	tcase_add_test(t, es256_is_always_64_bytes);
	tcase_add_loop_test(t, refuses_bad_signatures, 0, KEY_ALGS);
	tcase_add_test(t, refuses_other_kinds);
	tcase_add_test(t, refuses_rsa_pss);
	tcase_add_test(t, asks_for_no_passphrase);
	tcase_add_loop_test(t, survives_damaged_pem, 0, KEY_ALGS);
	tcase_add_test(t, takes_good_jwks);
	tcase_add_loop_test(
	    t, refuses_bad_jwks, 0, (int)(sizeof bad_jwks / sizeof *bad_jwks));
	tcase_add_test(t, rsa_numbers_are_exact);
	tcase_add_test(t, key_sets);
	tcase_add_test(t, refuses_bad_key_sets);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
