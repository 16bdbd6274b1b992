/*
 * key-impl - what key.c (PEM, signing) and key-jwk.c (JWK, names) share.
 */
#ifndef EPHID_KEY_IMPL_H
#define EPHID_KEY_IMPL_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "key.h"

#define P256_BYTES 32
#define P256_POINT 65 /* 04 || x || y */
#define ED25519_BYTES 32

struct key {
	enum key_alg alg;
	bool private;
	EVP_PKEY *pkey;
	char *kid;
};

/* Takes pkey, which may be NULL (it could not be read), and holds it against
 * the kinds of keys there are. kid NULL: the thumbprint. */
int key_adopt(EVP_PKEY *pkey, bool private, const char *kid, struct key **out,
    struct err *e);

/* Keys from their numbers; NULL when they are none (a point that is not on
 * the curve), with OpenSSL's error queue emptied. secret NULL: public. */
EVP_PKEY *key_p256(
    const uint8_t point[static P256_POINT], const uint8_t *secret);
EVP_PKEY *key_rsa_public(
    const void *n, size_t n_len, const void *e, size_t e_len);
EVP_PKEY *key_ed25519_public(const uint8_t x[static ED25519_BYTES]);

/* The members of the JWK that say which key it is, in the order in which RFC
 * 7638 hashes them. */
cJSON *key_required_members(const struct key *k);
void key_thumbprint(const struct key *k, struct buf *out);

#endif
