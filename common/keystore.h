/*
 * keystore - the issuer's own keys and its URL.
 *
 * A key is next, active, retiring or retired; each algorithm has at most one
 * next and one active, made at the first use of it.  Its state is a row in
 * the ledger, so it changes in the same transaction as what depends on it;
 * its halves are files, keys/<kid>.pem (0600) and keys/<kid>.pub.pem.
 *
 *	next	  published, not used; becomes active when its time has come
 *	active	  signs
 *	retiring  private half deleted; verifies until the last exp it signed
 *		  plus 60 s
 *	retired	  verifies nothing; the public half is kept for receipts
 *
 * All that changes something wants an open transaction (ledger_begin).
 */
#ifndef EPHID_KEYSTORE_H
#define EPHID_KEYSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "home.h"
#include "key.h"
#include "ledger.h"

/* How long verifiers may cache the key set: a next key waits that long. */
#define KEYSTORE_MAX_AGE 3600

struct keystore; /* borrows home and ledger, caches loaded keys */

void keystore_open(const struct home *h, struct ledger *l, int64_t now,
    struct keystore **out);
void keystore_set_now(struct keystore *s, int64_t now);
void keystore_close(struct keystore *s);
void free_keystore(struct keystore **s); /* for scoped() */

/* The active key of alg; promotes the next one when due, and with `create'
 * makes the first. ERR_MISSING without. Borrowed. */
int keystore_active(struct keystore *s, enum key_alg alg, bool create,
    const struct key **out, struct err *e);
/* For struct jwt_expect: a key that still verifies, or NULL. `ctx' is the
 * keystore; kid comes from a token and is matched exactly. */
const struct key *keystore_find(void *ctx, const char *kid);

/* Makes the next key of alg. It is active at once when the issuer was never
 * published or with `at_once', else in KEYSTORE_MAX_AGE seconds; kid and when
 * are written to *out. A next key that is there already is made active with
 * `at_once', else ERR_DENIED. */
int keystore_rotate(struct keystore *s, enum key_alg alg, bool at_once,
    struct key_row *out, struct err *e);
/* Retires kid at once, after making another active in its place when it was;
 * the caller revokes what it signed. The replacement, if any, is written to
 * *successor, whose kid is empty otherwise. */
int keystore_retire(struct keystore *s, const char *kid,
    struct key_row *successor, struct err *e);
/* Deletes the private halves of keys that sign no more. Called after the
 * commit, when their state can no longer be rolled back; what a crash leaves
 * in between, the next call deletes. */
int keystore_settle(struct keystore *s, struct err *e);

/* The keys that verifiers should have: next, active and retiring. */
int keystore_jwks(struct keystore *s, struct buf *out, struct err *e);
/* The public half of kid (any state), or of the active key of alg. */
int keystore_pem(struct keystore *s, const char *kid, enum key_alg alg,
    struct buf *out, struct err *e);
/* A row's state now: a retiring key whose time is over is retired. */
enum key_state keystore_state(const struct key_row *row, int64_t now);
const char *keystore_state_name(enum key_state s);

/* The issuer's URL (the claim iss). A new home gets
 * https://<random>.ephid.invalid in the first transaction that asks (outside
 * of one: ERR_MISSING); *published is true once the operator set one. The
 * caller frees *url. */
int keystore_issuer_url(
    struct keystore *s, char **url, bool *published, struct err *e);
int keystore_set_url(struct keystore *s, const char *url, struct err *e);

#endif
