#include "config.h"

#include "lifecycle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

#define SKEW 60 /* seconds that other clocks may be off */

void
verdict_clear(struct verdict *v)
{
	free_json(&v->claims);
	*v = (struct verdict){0};
}

/* A refusal is a verdict, so this returns 0. Claims of a refused token are
 * not handed out. */
static int PRINTF(3, 4)
refuse(struct verdict *v, enum jwt_verdict word, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->detail, sizeof v->detail, fmt, ap);
	va_end(ap);
	v->word = word;
	free_json(&v->claims);
	return 0;
}

static int
refuse_dead(struct verdict *v, const struct identity *dead)
{
	char when[CLOCK_STAMP_MAX];

	if (dead->revoked_at != 0)
		return refuse(v, JWT_REVOKED, "run %s was revoked at %s",
		    dead->id, clock_stamp(dead->revoked_at, when));
	return refuse(v, JWT_EXPIRED, "run %s expired at %s", dead->id,
	    clock_stamp(dead->expires_at, when));
}

/* exp, once the signature is known to be ours. The token of a run that was
 * renewed may be over while the run is not. */
static int
check_expiry(struct lifecycle *lc, int64_t exp, int64_t skew,
    struct verdict *v, struct err *e)
{
	struct identity id = {0};
	char when[CLOCK_STAMP_MAX];
	bool lives;

	if (lifecycle_now(lc) < clock_add(exp, skew))
		return 0;
	if (ledger_find(lc->ledger, v->id, &id, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
	}
	lives = id.id[0] != '\0' &&
	    identity_state(&id, lifecycle_now(lc)) == ID_ACTIVE;
	identity_clear(&id);
	return refuse(v, JWT_EXPIRED, "%s %s expired at %s",
	    lives ? "this token of run" : "run", v->id,
	    clock_stamp(exp, when));
}

/* What the token says of itself and what the ledger has must be one story;
 * a credential that the ledger does not know was forgotten by a restored
 * backup or never recorded, and may have been revoked. */
static int
check_credential(struct lifecycle *lc, struct verdict *v, struct err *e)
{
	const char *jti = json_string(v->claims, "jti");
	struct credential c = {0};
	char when[CLOCK_STAMP_MAX];
	bool agrees;
	int64_t revoked_at;

	if (jti == NULL)
		return refuse(v, JWT_MALFORMED, "it has no jti");
	if (ledger_find_credential(lc->ledger, jti, &c, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
		return refuse(
		    v, JWT_REVOKED, "the ledger does not know it");
	}
	agrees = strcmp(c.identity, v->id) == 0;
	revoked_at = c.revoked_at;
	credential_clear(&c);
	if (!agrees)
		return refuse(
		    v, JWT_REVOKED, "the ledger does not know it");
	if (revoked_at != 0)
		return refuse(v, JWT_REVOKED, "run %s was revoked at %s",
		    v->id, clock_stamp(revoked_at, when));
	return 0;
}

/* Whoever was born of a dead run is dead: revoking ends descendants, and no
 * child outlives its parent, but a row revoked with --only is one to find. */
static int
check_ancestors(struct lifecycle *lc, struct verdict *v, struct err *e)
{
	struct identity dead = {0};
	int found = ledger_dead_ancestor(
	    lc->ledger, v->id, lifecycle_now(lc), &dead, e);

	if (found < 0 && e->code == ERR_MISSING)
		return refuse(
		    v, JWT_REVOKED, "the ledger does not know it");
	if (found < 0)
		return -1;
	if (found > 0)
		refuse_dead(v, &dead);
	identity_clear(&dead);
	return 0;
}

/* The identity itself, for a verifier: --only spares descendants, which then
 * live on for everybody but their own children. */
static int
check_identity(struct lifecycle *lc, struct verdict *v, struct err *e)
{
	struct identity id = {0};

	if (ledger_find(lc->ledger, v->id, &id, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
		return refuse(
		    v, JWT_REVOKED, "the ledger does not know it");
	}
	if (id.revoked_at != 0)
		refuse_dead(v, &id);
	identity_clear(&id);
	return 0;
}

static int
check_ledger(struct lifecycle *lc, const struct verify_request *rq,
    struct verdict *v, struct err *e)
{
	if (check_credential(lc, v, e) < 0)
		return -1;
	if (v->word != JWT_VALID)
		return 0;
	return rq->for_lineage ? check_ancestors(lc, v, e)
			       : check_identity(lc, v, e);
}

/* Every form of ours names its identity. */
static bool
take_id(struct verdict *v)
{
	const cJSON *ephid = json_get(v->claims, "ephid");
	const char *id = json_string(ephid, "id");

	return id != NULL && id_parse(id, v->id) == 0;
}

/* exp is left to check_expiry(), which can say whose it was. */
static void
check_token(struct lifecycle *lc, const struct verify_request *rq,
    struct verdict *v)
{
	const struct jwt_expect want = {.find_key = keystore_find,
	    .ctx = lc->keys,
	    .issuer = lc->issuer_url != NULL ? lc->issuer_url : "",
	    .audience = rq->for_lineage ? NULL : rq->audience,
	    .now = lifecycle_now(lc),
	    .skew = SKEW,
	    .expiry_skew = INT64_MAX,
	    .any_time = rq->any_time};

	v->word = jwt_verify(rq->token, rq->len, &want, &v->claims);
	if (v->word == JWT_VALID && !take_id(v))
		refuse(v, JWT_MALFORMED, "it names no identity");
}

int
lifecycle_verify(struct lifecycle *lc, const struct verify_request *rq,
    struct verdict *out, struct err *e)
{
	bool ask = rq->status == STATUS_LEDGER || rq->for_lineage;
	int64_t exp = 0;

	*out = (struct verdict){0};
	check_token(lc, rq, out);
	if (out->word != JWT_VALID || rq->any_time)
		return 0;
	if (json_int(out->claims, "exp", &exp) < 0)
		return refuse(out, JWT_MALFORMED, "it has no exp");
	if (check_expiry(lc, exp, ask ? 0 : SKEW, out, e) < 0 ||
	    (out->word == JWT_VALID && ask &&
		check_ledger(lc, rq, out, e) < 0)) {
		verdict_clear(out);
		return -1;
	}
	return 0;
}
