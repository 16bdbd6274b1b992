/*
 * jwt - signing and reading compact JWTs (RFC 7515, 7519, 8725bis).
 *
 * The verifier says what it expects and the token chooses nothing.  The
 * checks come in this order, and the first that fails gives the verdict, one
 * of a fixed set of words that scripts may rely on:
 *
 *	malformed		over 16 KiB, not two dots, alphabet, JSON,
 *				a missing or mistyped claim
 *	wrong_type		typ absent or not expected; crit present
 *	alg_not_allowed		unknown, none, or not the key's
 *	unknown_kid		no such key; wrong_issuer instead when the
 *				unverified iss is another's
 *	bad_signature
 *	wrong_issuer wrong_audience not_yet_valid expired
 *	revoked status_unavailable	(set by lifecycle, not here)
 *
 * A verdict is data, not an error.  Claims are handed out only when it is
 * JWT_VALID: nothing of a token is believed before it verified.
 */
#ifndef EPHID_JWT_H
#define EPHID_JWT_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "key.h"

#define JWT_MAX 16384 /* bytes of a whole token */

enum jwt_verdict {
	JWT_VALID,
	JWT_MALFORMED,
	JWT_BAD_SIGNATURE,
	JWT_UNKNOWN_KID,
	JWT_ALG_NOT_ALLOWED,
	JWT_WRONG_TYPE,
	JWT_WRONG_ISSUER,
	JWT_WRONG_AUDIENCE,
	JWT_NOT_YET_VALID,
	JWT_EXPIRED,
	JWT_REVOKED,
	JWT_STATUS_UNAVAILABLE
};

const char *jwt_verdict_word(enum jwt_verdict v); /* "valid", "malformed"... */

struct jwt_expect {
	/* Where keys come from: by kid (NULL when the token has none), NULL
	 * if there is no such key. What it returns stays borrowed. */
	const struct key *(*find_key)(void *ctx, const char *kid);
	void *ctx;
	const char *issuer;   /* byte-equal; required */
	const char *audience; /* NULL accepts any */
	int64_t now;
	int64_t skew;        /* for nbf and iat, seconds */
	int64_t expiry_skew; /* for exp */
	bool any_time;       /* revoking takes expired tokens too */
};

/* Signs claims under {"alg","typ","kid"}. */
int jwt_sign(const struct key *k, const char *typ, const cJSON *claims,
    struct buf *token, struct err *e);

/* Accepts typ "at+jwt" and "JWT" (an "application/" in front, any case). On
 * JWT_VALID *claims is the caller's to delete; else it is NULL. */
enum jwt_verdict jwt_verify(const char *token, size_t len,
    const struct jwt_expect *want, cJSON **claims);

/* The two JSON parts without any verification, for --decode alone. */
int jwt_decode(const char *token, size_t len, cJSON **header, cJSON **claims,
    struct err *e);

#endif
