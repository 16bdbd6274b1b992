/*
 * key - one asymmetric key with its algorithm and its name.
 *
 * A key has exactly one algorithm, which decides; a token never does
 * (RFC 8725bis section 3.1).  Its kid is its RFC 7638 thumbprint, 43
 * characters of base64url.  Signatures are as JWS wants them: ES256 is R||S,
 * 64 bytes, not DER (RFC 7518 section 3.4); RS256 is PKCS#1 v1.5; Ed25519 is
 * emitted under its RFC 9864 name, and "EdDSA" is accepted as its alias.
 *
 * key_start() is the first OpenSSL call of a process: it leaves out the
 * configuration file, the names of legacy algorithms and the error texts,
 * which together cost more than a signature.  EPHID's `openssl_conf' setting
 * brings the system's configuration (FIPS) back.
 */
#ifndef EPHID_KEY_H
#define EPHID_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"
#include "json.h"

#define KEY_KID_LEN 43

enum key_alg { KEY_ES256, KEY_RS256, KEY_ED25519 };
#define KEY_ALGS 3

struct key; /* immutable */

void key_start(bool system_config);

const char *key_alg_name(enum key_alg alg); /* "ES256" "RS256" "Ed25519" */
/* By exact name, "EdDSA" too. Returns 0, or -1 for any other. */
int key_alg_parse(const char *name, enum key_alg *out);

int key_generate(enum key_alg alg, struct key **out, struct err *e);
/* From PKCS#8 or SubjectPublicKeyInfo PEM. ERR_INVALID for anything but
 * P-256, RSA of 2048 to 8192 bits, and Ed25519. No passphrase is asked. */
int key_from_private_pem(
    const char *pem, size_t len, struct key **out, struct err *e);
int key_from_public_pem(
    const char *pem, size_t len, struct key **out, struct err *e);
/* A public JWK (RFC 7517, 8037); "kty" and "crv" decide the algorithm, and
 * "alg", where present, must agree. Members are exact: 32-byte coordinates, a
 * point on the curve, no leading zeros in n. A given "kid" replaces the
 * thumbprint as the key's name. ERR_INVALID. */
int key_from_jwk(const cJSON *jwk, struct key **out, struct err *e);
void key_free(struct key *k);
void free_key(struct key **k); /* for scoped() */

enum key_alg key_alg(const struct key *k);
const char *key_kid(const struct key *k);
bool key_is_private(const struct key *k);

void key_private_pem(const struct key *k, struct buf *out);
void key_public_pem(const struct key *k, struct buf *out);
/* {"kty","crv"|"n","e",...,"use":"sig","alg","kid"}; the caller owns it. */
cJSON *key_jwk(const struct key *k);

int key_sign(const struct key *k, const void *data, size_t n, struct buf *sig,
    struct err *e);
bool key_verify(const struct key *k, const void *data, size_t n,
    const void *sig, size_t sig_len);

/* A JWK Set (RFC 7517 section 5) read from elsewhere. Keys of an unknown
 * type, for encryption, or without a usable value are skipped; a set with
 * two keys of one kid is refused. */
struct keyset;
int keyset_parse(
    const char *text, size_t len, struct keyset **out, struct err *e);
/* By kid, or with kid NULL the only key of the set. Borrowed; NULL if none. */
const struct key *keyset_find(const struct keyset *s, const char *kid);
void keyset_free(struct keyset *s);
void free_keyset(struct keyset **s); /* for scoped() */

#endif
