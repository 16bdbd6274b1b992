/*
 * issuer - who makes credentials and takes them back: a const table.
 *
 * A row turns an identity and a credential's description into a token, and
 * can take it back by handle.  lifecycle is the only caller.
 */
#ifndef EPHID_ISSUER_H
#define EPHID_ISSUER_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "identity.h"
#include "keystore.h"

/* What an issuer is given to work with. */
struct issuer_context {
	struct keystore *keys;
	const char *url; /* the embedded issuer's */
};

struct issuer_ops {
	const char *name;
	/* Its mint is a local computation and belongs into the transaction
	 * that records it. Others are asked between a `pending' row and the
	 * outcome, for they can answer after we are dead. */
	bool in_transaction;
	/* Fills in alg and kid; called before the credential has its status
	 * index. */
	int (*prepare)(const struct issuer_context *ctx, struct credential *c,
	    struct err *e);
	int (*mint)(const struct issuer_context *ctx,
	    const struct identity *id, const struct credential *c,
	    struct buf *token, struct err *e);
	/* NULL where recording the revocation is the revocation. */
	int (*revoke)(const struct issuer_context *ctx,
	    const struct credential *c, struct err *e);
};

extern const struct issuer_ops issuer_local;

/* By name; ERR_USAGE names those there are. */
int issuer_find(
    const char *name, const struct issuer_ops **out, struct err *e);

#endif
