#include "config.h"

#include "lifecycle-mint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "grant.h"
#include "io.h"
#include "lifecycle-audit.h"
#include "scope.h"

bool
mint_is_child(const struct mint *m)
{
	return m->parent.id[0] != '\0';
}

void
minted_clear(struct minted *m)
{
	identity_clear(&m->identity);
	for (size_t i = 0; i < m->n; i++) {
		credential_clear(&m->issued[i].credential);
		buf_free(&m->issued[i].token);
	}
	free(m->issued);
	*m = (struct minted){0};
}

/* --- what was asked for ---------------------------------------------- */

static void
draw_id(const struct mint *m, char id[static ID_LEN + 1])
{
	uint8_t rnd[ID_RANDOM];

	io_random(rnd, sizeof rnd);
	id_make(m->lc->now_ms, rnd, id);
}

static void
describe_id(struct mint *m)
{
	struct identity *id = &m->out->identity;

	if (m->rq->id != NULL)
		memcpy(id->id, m->rq->id, ID_LEN);
	else
		draw_id(m, id->id);
}

static int
describe_scope(struct mint *m, struct err *e)
{
	scoped(buf_free) struct buf scope = {0};

	buf_adds(&scope, "");
	if (m->rq->scope != NULL && scope_parse(m->rq->scope, &scope, e) < 0)
		return -1;
	m->out->identity.scope = xstrdup(buf_str(&scope));
	return 0;
}

static char *
copy_or_null(const char *s)
{
	return s != NULL ? xstrdup(s) : NULL;
}

static void
describe_run(struct mint *m)
{
	struct identity *id = &m->out->identity;

	id->task = copy_or_null(m->rq->task);
	id->token_dir = copy_or_null(m->rq->token_dir);
	if (m->rq->holder != NULL)
		id->holder = *m->rq->holder;
	if (m->rq->origin != NULL) {
		scoped(buf_free) struct buf text = {0};

		json_print(m->rq->origin, &text);
		id->origin = xstrdup(buf_str(&text));
	}
}

/* The issuer's own URL may not be made yet: an audience of NULL is filled in
 * later. */
static int
describe_credential(
    struct mint *m, const char *audience, bool first, struct err *e)
{
	struct minted *out = m->out;
	struct credential *c = &out->issued[out->n++].credential;

	if (first)
		memcpy(c->jti, out->identity.id, sizeof c->jti);
	else
		draw_id(m, c->jti);
	memcpy(c->identity, out->identity.id, sizeof c->identity);
	c->issuer = xstrdup(m->ops->name);
	c->form = m->rq->form;
	c->alg = m->rq->alg < 0 ? KEY_ES256 : (enum key_alg)m->rq->alg;
	c->audience = copy_or_null(audience);
	return audience != NULL ? audience_check(audience, e) : 0;
}

int
mint_describe_credentials(struct mint *m, bool first, struct err *e)
{
	int n = cJSON_GetArraySize(m->rq->audiences);
	const cJSON *a;

	if (n > AUDIENCES_MAX)
		return err_set(e, ERR_USAGE, "%d audiences: the most is %d", n,
		    AUDIENCES_MAX);
	m->out->issued =
	    xcalloc(n > 0 ? (size_t)n : 1, sizeof *m->out->issued);
	if (n == 0)
		return describe_credential(m, NULL, first, e);
	cJSON_ArrayForEach (a, m->rq->audiences)
		if (describe_credential(m, cJSON_GetStringValue(a),
			first && m->out->n == 0, e) < 0)
			return -1;
	return 0;
}

/* What makes no sense is told before a ledger transaction begins. */
static int
describe(struct mint *m, struct err *e)
{
	const char *issuer = m->rq->issuer;

	if (issuer_find(issuer != NULL ? issuer : "local", &m->ops, e) < 0)
		return -1;
	if (m->rq->ttl != 0 && m->rq->ttl < TTL_MIN)
		return err_set(e, ERR_USAGE,
		    "ttl: the least is %d seconds", TTL_MIN);
	describe_id(m);
	describe_run(m);
	if (describe_scope(m, e) < 0)
		return -1;
	return mint_describe_credentials(m, true, e);
}

/* --- what it gets ---------------------------------------------------- */

static void
place_in_tree(struct mint *m)
{
	struct identity *id = &m->out->identity;

	if (!mint_is_child(m)) {
		memcpy(id->root, id->id, sizeof id->root);
		id->max_depth = m->policy->max_depth;
		return;
	}
	memcpy(id->parent, m->parent.id, sizeof id->parent);
	memcpy(id->root, m->parent.root, sizeof id->root);
	id->depth = m->parent.depth + 1;
	id->max_depth = m->parent.max_depth < m->policy->max_depth
	    ? m->parent.max_depth
	    : m->policy->max_depth;
}

/* A child is its parent's agent unless it says otherwise: the name of the
 * program it happens to be says nothing about what it may be. */
static int
choose_agent(struct mint *m, struct err *e)
{
	const char *name = m->rq->agent;

	if (name == NULL)
		name = mint_is_child(m) ? m->parent.agent : m->rq->default_agent;
	if (name == NULL)
		return err_set(e, ERR_USAGE, "no agent named");
	return agent_parse(name, &m->out->identity.agent, e);
}

/* Verifiers that federate match sub exactly, so there it is the agent. Who may
 * not have that is refused and not given another sub than the form has. */
static void
choose_subject(struct mint *m)
{
	int asked = m->rq->subject_is_agent;

	for (size_t i = 0; i < m->out->n; i++)
		m->out->issued[i].credential.subject_is_agent = asked >= 0
		    ? asked != 0
		    : m->rq->form == FORM_FEDERATION;
}

/* Those it holds, the first first, and those it may ask for its children. */
static void
choose_audiences(struct mint *m)
{
	scoped(free_json) cJSON *list = json_array();
	scoped(buf_free) struct buf text = {0};
	const cJSON *may;

	for (size_t i = 0; i < m->out->n; i++) {
		struct credential *c = &m->out->issued[i].credential;

		if (c->audience == NULL)
			c->audience = xstrdup(m->lc->issuer_url);
		if (!json_has_string(list, c->audience))
			json_push_string(list, c->audience);
	}
	cJSON_ArrayForEach(may, m->rq->may_audiences)
		if (cJSON_IsString(may) && !json_has_string(list, may->valuestring))
			json_push_string(list, may->valuestring);
	json_print(list, &text);
	free(m->out->identity.audiences);
	m->out->identity.audiences = xstrdup(buf_str(&text));
}

int64_t
lifecycle_last_expiry(const struct lifecycle *lc,
    const struct mint_request *rq, const struct identity *id)
{
	int64_t life = lc->settings.policy.max_life;

	if (rq->max_life != 0 && rq->max_life < life)
		life = rq->max_life;
	return clock_add(id->issued_at, life);
}

void
mint_choose_expiry(struct mint *m)
{
	struct identity *id = &m->out->identity;
	int64_t ttl = m->rq->ttl != 0 ? m->rq->ttl : m->policy->ttl;
	int64_t last = lifecycle_last_expiry(m->lc, m->rq, id);

	if (ttl > m->policy->max_ttl)
		ttl = m->policy->max_ttl;
	id->expires_at = clock_add(m->now, ttl);
	if (last < id->expires_at)
		id->expires_at = last;
	m->out->cut_short =
	    mint_is_child(m) && m->parent.expires_at < id->expires_at;
	if (m->out->cut_short)
		id->expires_at = m->parent.expires_at;
	for (size_t i = 0; i < m->out->n; i++) {
		m->out->issued[i].credential.issued_at = m->now;
		m->out->issued[i].credential.expires_at = id->expires_at;
	}
}

void
mint_choose_terms(struct mint *m)
{
	choose_subject(m);
	choose_audiences(m);
}

static int
choose_life(struct mint *m, struct err *e)
{
	struct identity *id = &m->out->identity;
	char when[CLOCK_STAMP_MAX];

	id->issued_at = m->now;
	mint_choose_expiry(m);
	if (id->expires_at - m->now >= TTL_MIN)
		return 0;
	if (!m->out->cut_short)
		return err_set(e, ERR_DENIED,
		    "policy max_life: less than %d seconds", TTL_MIN);
	return err_set(e, ERR_DENIED,
	    "run %s expires at %s, in less than %d seconds", m->parent.id,
	    clock_stamp(m->parent.expires_at, when), TTL_MIN);
}

static int
choose(struct mint *m, struct err *e)
{
	place_in_tree(m);
	if (choose_agent(m, e) < 0)
		return -1;
	mint_choose_terms(m);
	return choose_life(m, e);
}

/* --- may it? --------------------------------------------------------- */

static int
check_limits(struct mint *m, struct err *e)
{
	int64_t n;

	if (m->lc->ledger == NULL) /* a preview in a home that is not there */
		return 0;
	if (ledger_count_live(m->lc->ledger, m->now, &n, e) < 0)
		return -1;
	if (n >= m->policy->max_live)
		return err_set(e, ERR_DENIED,
		    "%lld identities are live, the most that policy max_live "
		    "allows",
		    (long long)n);
	if (!mint_is_child(m))
		return 0;
	if (ledger_count_children(
		m->lc->ledger, m->parent.id, m->now, &n, e) < 0)
		return -1;
	if (n >= m->policy->max_children)
		return err_set(e, ERR_DENIED,
		    "run %s has %lld live children, the most that policy "
		    "max_children allows",
		    m->parent.id, (long long)n);
	return 0;
}

static int
check_credential(
    struct mint *m, const struct credential *c, const cJSON *held, struct err *e)
{
	const struct identity *id = &m->out->identity;

	if (mint_is_child(m) &&
	    grant_check_child(m->policy, &m->parent, held, id, c,
		m->lc->issuer_url, e) < 0)
		return -1;
	return grant_check_policy(m->policy, id, c, m->lc->issuer_url, e);
}

static int
check_grant(struct mint *m, struct err *e)
{
	scoped(free_json) cJSON *held = NULL;

	if (mint_is_child(m) &&
	    ledger_audiences(m->lc->ledger, m->parent.id, &held, e) < 0)
		return -1;
	for (size_t i = 0; i < m->out->n; i++)
		if (check_credential(
			m, &m->out->issued[i].credential, held, e) < 0)
			return -1;
	return check_limits(m, e);
}

/* --- the transaction ------------------------------------------------- */

static int
check_version(const struct lifecycle *lc, struct err *e)
{
	if (!ledger_is_newer(lc->ledger))
		return 0;
	return err_set(e, ERR_SYSTEM,
	    "home '%s' is of a newer version of ephid, which must mint here",
	    lc->home.path);
}

int
mint_check_home(const struct lifecycle *lc, struct err *e)
{
	if (check_version(lc, e) < 0)
		return -1;
	if (!ledger_can_mint(lc->ledger))
		return err_set(e, ERR_SYSTEM,
		    "home '%s' cannot be written to", lc->home.path);
	return 0;
}

int
mint_refresh_issuer_url(struct lifecycle *lc, struct err *e)
{
	free(lc->issuer_url);
	lc->issuer_url = NULL;
	return keystore_issuer_url(
	    lc->keys, &lc->issuer_url, &lc->published, e);
}

static int
record_events(struct mint *m, struct err *e)
{
	const struct identity *id = &m->out->identity;

	if (ledger_add_event(m->lc->ledger, EVENT_MINTED, id->id, id->root,
		NULL, e) < 0)
		return -1;
	if (!mint_is_child(m))
		return 0;
	return ledger_add_event(m->lc->ledger, EVENT_DELEGATED, m->parent.id,
	    id->root, id->id, e);
}

static int
issue_one(struct mint *m, struct issued *one, struct err *e)
{
	struct lifecycle *lc = m->lc;
	const struct issuer_context ctx = {
	    .keys = lc->keys, .url = lc->issuer_url};

	if (m->ops->prepare(&ctx, &one->credential, e) < 0 ||
	    ledger_add_credential(lc->ledger, &one->credential,
		lc->issuer_url, lc->published, e) < 0)
		return -1;
	return m->ops->mint(&ctx, &m->out->identity, &one->credential,
	    &one->token, e);
}

int
mint_issue(struct mint *m, struct err *e)
{
	for (size_t i = 0; i < m->out->n; i++)
		if (issue_one(m, &m->out->issued[i], e) < 0)
			return -1;
	return 0;
}

/* Signed before the commit and handed out after it: a crash leaves either
 * nothing or a row whose token nobody has. */
static int
sign_and_record(struct mint *m, struct err *e)
{
	if (ledger_add_identity(m->lc->ledger, &m->out->identity, e) < 0 ||
	    mint_issue(m, e) < 0 || record_events(m, e) < 0)
		return -1;
	return ledger_prune(
	    m->lc->ledger, m->now, m->policy->retention, e);
}

static int
in_transaction(struct mint *m, struct err *e)
{
	if (mint_check_home(m->lc, e) < 0 ||
	    mint_refresh_issuer_url(m->lc, e) < 0)
		return -1;
	if (mint_is_child(m) && mint_load_parent(m, e) < 0)
		return -1;
	if (choose(m, e) < 0 || check_grant(m, e) < 0)
		return -1;
	return sign_and_record(m, e);
}

/* Reading a key file and parsing it takes longer than signing with it, and
 * should not happen while other writers wait. */
static void
warm_up(struct mint *m)
{
	const struct key *k;
	struct err ignored;

	keystore_active(
	    m->lc->keys, m->out->issued[0].credential.alg, false, &k, &ignored);
}

/* This mint may have promoted a key, or follow a crash that left the private
 * half of an old one. That it cannot be removed now is no reason to lose the
 * token; the next mint tries again. */
void
mint_settle_keys(struct lifecycle *lc)
{
	struct err e;

	if (keystore_settle(lc->keys, &e) < 0)
		lifecycle_audit(lc, EVENT_FAILED, NULL, NULL, e.text);
}

static int
mint(struct mint *m, struct err *e)
{
	struct ledger *l = m->lc->ledger;

	if (describe(m, e) < 0)
		return -1;
	if (m->rq->parent_token != NULL ? mint_present_parent(m, e) < 0
					: mint_check_new_root(m, e) < 0)
		return -1;
	warm_up(m);
	if (ledger_begin(l, m->now, e) < 0)
		return -1;
	if (in_transaction(m, e) < 0 || ledger_commit(l, e) < 0) {
		ledger_rollback(l);
		return -1;
	}
	mint_settle_keys(m->lc);
	return 0;
}

/* --- and what is kept of it ------------------------------------------ */

/* A parent that was refused was not loaded; its tree should know of it. */
static const char *
root_of_parent(struct mint *m)
{
	char id[ID_LEN + 1];
	struct err ignored;

	memcpy(id, m->parent.id, sizeof id);
	if (m->parent.root[0] == '\0' &&
	    ledger_find(m->lc->ledger, id, &m->parent, &ignored) < 0)
		return NULL;
	return m->parent.root;
}

/* A refusal is worth knowing, but not worth failing over. */
static void
record_refusal(struct mint *m, const struct err *why)
{
	struct ledger *l = m->lc->ledger;
	const char *id = mint_is_child(m) ? m->parent.id : NULL;
	const char *root = mint_is_child(m) ? root_of_parent(m) : NULL;
	struct err ignored;

	if (ledger_begin(l, m->now, &ignored) < 0)
		return;
	if (ledger_add_event(l, EVENT_REFUSED, id, root, why->text,
		&ignored) < 0 ||
	    ledger_commit(l, &ignored) < 0)
		ledger_rollback(l);
}

static void
record_failure(struct mint *m, const struct err *e)
{
	const char *root = m->parent.root;

	switch (e->code) {
	case ERR_DENIED:
	case ERR_INVALID:
		record_refusal(m, e);
		lifecycle_audit(
		    m->lc, EVENT_REFUSED, m->parent.id, root, e->text);
		break;
	case ERR_SYSTEM:
	case ERR_REMOTE:
	case ERR_MISSING:
		lifecycle_audit(
		    m->lc, EVENT_FAILED, m->parent.id, root, e->text);
		break;
	case ERR_NONE:
	case ERR_USAGE:
		break;
	}
}

int
lifecycle_mint(struct lifecycle *lc, const struct mint_request *rq,
    struct minted *out, struct err *e)
{
	struct mint m = {.lc = lc,
	    .rq = rq,
	    .policy = &lc->settings.policy,
	    .out = out,
	    .now = lifecycle_now(lc)};
	int result;

	*out = (struct minted){0};
	if (mint_check_home(lc, e) < 0)
		return -1;
	result = mint(&m, e);
	if (result == 0)
		lifecycle_audit(lc, EVENT_MINTED, out->identity.id,
		    out->identity.root, NULL);
	else {
		record_failure(&m, e);
		minted_clear(out);
	}
	identity_clear(&m.parent);
	return result;
}

bool
lifecycle_is_cut_short(const struct lifecycle *lc,
    const struct mint_request *rq, const struct minted *m, struct buf *why)
{
	const struct policy *p = &lc->settings.policy;
	char when[CLOCK_STAMP_MAX], asked[CLOCK_DURATION_MAX];
	char most[CLOCK_DURATION_MAX];

	clock_duration(rq->ttl != 0 ? rq->ttl : p->ttl, asked);
	/* Who is renewed with its parent loses nothing that it asked for. */
	if (m->cut_short && (rq->ttl != 0 || rq->holder == NULL))
		buf_addf(why, "token expires with its parent at %s, not in %s",
		    clock_stamp(m->identity.expires_at, when), asked);
	else if (rq->ttl > p->max_ttl)
		buf_addf(why,
		    "token expires in %s, the most that policy allows, "
		    "not in %s",
		    clock_duration(p->max_ttl, most), asked);
	return why->len > 0;
}

/* --- what it would be ------------------------------------------------- */

/* Stands for the URL of an issuer that is not made yet. */
#define NO_ISSUER "https://new.ephid.invalid"

static int
preview_issuer(struct lifecycle *lc, struct err *e)
{
	struct err why;

	if (lc->ledger != NULL && mint_refresh_issuer_url(lc, &why) == 0)
		return 0;
	if (lc->ledger != NULL && why.code != ERR_MISSING) {
		*e = why;
		return -1;
	}
	free(lc->issuer_url);
	lc->issuer_url = xstrdup(NO_ISSUER);
	return 0;
}

static int
preview_lineage(struct mint *m, struct err *e)
{
	if (m->rq->parent_token == NULL)
		return m->lc->ledger != NULL ? mint_check_new_root(m, e) : 0;
	if (m->lc->ledger == NULL)
		return err_set(e, ERR_INVALID, "parent token: wrong_issuer");
	if (mint_present_parent(m, e) < 0)
		return -1;
	return mint_load_parent(m, e);
}

static int
preview_claims(struct mint *m, cJSON *claims, struct err *e)
{
	for (size_t i = 0; i < m->out->n; i++) {
		cJSON *one;

		if (identity_claims(&m->out->identity,
			&m->out->issued[i].credential, m->lc->issuer_url, &one,
			e) < 0)
			return -1;
		cJSON_AddItemToArray(claims, one);
	}
	return 0;
}

static int
preview(struct mint *m, cJSON *claims, struct err *e)
{
	if (describe(m, e) < 0 || preview_lineage(m, e) < 0 ||
	    preview_issuer(m->lc, e) < 0 || choose(m, e) < 0 ||
	    check_grant(m, e) < 0)
		return -1;
	return preview_claims(m, claims, e);
}

int
lifecycle_preview(struct lifecycle *lc, const struct mint_request *rq,
    struct minted *out, cJSON **claims, struct err *e)
{
	scoped(free_json) cJSON *list = json_array();
	struct mint m = {.lc = lc,
	    .rq = rq,
	    .policy = &lc->settings.policy,
	    .out = out,
	    .now = lifecycle_now(lc)};
	int result;

	*out = (struct minted){0};
	*claims = NULL;
	if (lc->ledger != NULL && check_version(lc, e) < 0)
		return -1;
	result = preview(&m, list, e);
	identity_clear(&m.parent);
	if (result < 0) {
		minted_clear(out);
		return -1;
	}
	*claims = list;
	list = NULL;
	return 0;
}
