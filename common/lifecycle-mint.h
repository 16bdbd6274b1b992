/*
 * lifecycle-mint - one mint or renewal on its way.
 *
 * Private to the lifecycle files: lifecycle-mint.c decides and records,
 * lifecycle-parent.c knows whose child it is, lifecycle-renew.c does it again
 * for an identity that is there.
 */
#ifndef EPHID_LIFECYCLE_MINT_H
#define EPHID_LIFECYCLE_MINT_H

#include "issuer.h"
#include "lifecycle.h"

/* `parent' is empty (id "") for a root. */
struct mint {
	struct lifecycle *lc;
	const struct mint_request *rq;
	const struct issuer_ops *ops;
	const struct policy *policy;
	struct minted *out;
	struct identity parent;
	int64_t now;
};
bool mint_is_child(const struct mint *m);

/* --- lifecycle-parent.c ---------------------------------------------- */

/* The lineage of the presented token, which must be valid. That it lives is
 * asked again inside the transaction. */
int mint_present_parent(struct mint *m, struct err *e);
/* Against accidents: a run that forgets to present its token would leave its
 * tree. It is no wall against the same uid, so what cannot be read is let
 * pass. */
int mint_check_new_root(struct mint *m, struct err *e);
/* Inside the transaction: what the ledger has of the parent now. */
int mint_load_parent(struct mint *m, struct err *e);

/* --- lifecycle-mint.c ------------------------------------------------ */

/* Describes a credential for each audience asked for; the first gets the
 * identity's id as its jti when `first' says that it is the first ever. */
int mint_describe_credentials(struct mint *m, bool first, struct err *e);
/* Who they are for, and whether their sub names the run. */
void mint_choose_terms(struct mint *m);
/* The life of what is issued now: ttl from now, but never past the parent's
 * expiry or the identity's last. */
void mint_choose_expiry(struct mint *m);
/* Signs and records every credential described. */
int mint_issue(struct mint *m, struct err *e);
/* May this program mint there? Asked before the transaction, for the words,
 * and in it, for it may be migrated at any time. */
int mint_check_home(const struct lifecycle *lc, struct err *e);
/* The URL is made by the first mint of a home, and the operator may have set
 * another since we opened it. */
int mint_refresh_issuer_url(struct lifecycle *lc, struct err *e);
/* After the commit: private halves that sign no more go. */
void mint_settle_keys(struct lifecycle *lc);

#endif
