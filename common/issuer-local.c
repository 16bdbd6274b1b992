#include "config.h"

#include <string.h>

#include "issuer.h"
#include "jwt.h"

/* The embedded issuer: a key and a row in the ledger. */

static int
prepare(const struct issuer_context *ctx, struct credential *c, struct err *e)
{
	const struct key *key;

	if (keystore_active(ctx->keys, c->alg, true, &key, e) < 0)
		return -1;
	c->alg = key_alg(key);
	memcpy(c->kid, key_kid(key), sizeof c->kid);
	return 0;
}

static int
mint(const struct issuer_context *ctx, const struct identity *id,
    const struct credential *c, struct buf *token, struct err *e)
{
	scoped(free_json) cJSON *claims = NULL;
	const struct key *key;

	if (keystore_active(ctx->keys, c->alg, false, &key, e) < 0)
		return -1;
	/* prepare() and this are of one transaction, so the key that the
	 * credential is recorded under is the one that signs. */
	if (strcmp(key_kid(key), c->kid) != 0)
		return err_set(e, ERR_SYSTEM,
		    "the signing key changed within a transaction");
	if (identity_claims(id, c, ctx->url, &claims, e) < 0)
		return -1;
	return jwt_sign(key, form_typ(c->form), claims, token, e);
}

const struct issuer_ops issuer_local = {
    .name = "local",
    .in_transaction = true,
    .prepare = prepare,
    .mint = mint,
    .revoke = NULL,
};
