#include "config.h"

#include "lifecycle.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "grant.h"
#include "io.h"
#include "issuer.h"
#include "lifecycle-audit.h"
#include "proc.h"
#include "scope.h"

/* One mint on its way. `parent' is empty (id "") for a root. */
struct mint {
	struct lifecycle *lc;
	const struct mint_request *rq;
	const struct issuer_ops *ops;
	const struct policy *policy;
	struct minted *out;
	struct identity parent;
	int64_t now;
};

static bool
is_child(const struct mint *m)
{
	return m->parent.id[0] != '\0';
}

void
minted_clear(struct minted *m)
{
	identity_clear(&m->identity);
	credential_clear(&m->credential);
	buf_free(&m->token);
	*m = (struct minted){0};
}

/* --- what was asked for ---------------------------------------------- */

static void
describe_id(struct mint *m)
{
	struct identity *id = &m->out->identity;
	uint8_t rnd[ID_RANDOM];

	if (m->rq->id != NULL) {
		memcpy(id->id, m->rq->id, ID_LEN);
		return;
	}
	io_random(rnd, sizeof rnd);
	id_make(m->lc->now_ms, rnd, id->id);
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

static int
describe_credential(struct mint *m, struct err *e)
{
	struct credential *c = &m->out->credential;

	memcpy(c->jti, m->out->identity.id, sizeof c->jti);
	memcpy(c->identity, m->out->identity.id, sizeof c->identity);
	c->issuer = xstrdup(m->ops->name);
	c->form = m->rq->form;
	c->alg = m->rq->alg < 0 ? KEY_ES256 : (enum key_alg)m->rq->alg;
	if (m->rq->audience != NULL && audience_check(m->rq->audience, e) < 0)
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
	return describe_credential(m, e);
}

/* --- the parent ------------------------------------------------------ */

/* Its lineage is taken from the presented token, never from what the caller
 * says. That it lives is asked again inside the transaction. */
static int
present_parent(struct mint *m, struct err *e)
{
	const struct verify_request rq = {.token = m->rq->parent_token,
	    .len = strlen(m->rq->parent_token),
	    .status = STATUS_LEDGER,
	    .for_lineage = true};
	struct verdict v;
	int result = 0;

	if (lifecycle_verify(m->lc, &rq, &v, e) < 0)
		return -1;
	/* Known even when refused: the event is then the parent's. */
	memcpy(m->parent.id, v.id, sizeof m->parent.id);
	if (v.word == JWT_EXPIRED ||
	    (v.word == JWT_REVOKED && strncmp(v.detail, "run ", 4) == 0))
		result = err_set(e, ERR_DENIED, "%s", v.detail);
	else if (v.word != JWT_VALID)
		result = err_set(e, ERR_INVALID, "parent token: %s%s%s%s",
		    jwt_verdict_word(v.word), *v.detail ? " (" : "", v.detail,
		    *v.detail ? ")" : "");
	verdict_clear(&v);
	return result;
}

/* Our ancestors, as far as /proc shows them. */
#define ANCESTORS 128
struct ancestry {
	struct holder self;
	struct {
		pid_t pid;
		uint64_t start;
	} list[ANCESTORS];
	size_t n;
	struct ledger *ledger;
	const struct home *home;
	struct idlist live; /* runs whose rows were looked at, in order */
	char inside[ID_LEN + 1];
};

static void
read_ancestry(struct ancestry *a)
{
	pid_t pid = getppid(), parent;
	uint64_t start;

	for (; pid > 0 && a->n < ANCESTORS; pid = parent) {
		if (proc_stat(pid, &parent, &start) < 0)
			return;
		a->list[a->n].pid = pid;
		a->list[a->n++].start = start;
	}
}

static int
is_our_guardian(const struct identity *id, void *arg)
{
	struct ancestry *a = arg;

	if (id->holder.pidns != a->self.pidns ||
	    strcmp(id->holder.boot, a->self.boot) != 0)
		return 0;
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].pid == id->holder.pid &&
		    a->list[i].start == id->holder.start) {
			memcpy(a->inside, id->id, sizeof a->inside);
			return 1;
		}
	return 0;
}

static int
look_at_live(const struct identity *id, void *arg)
{
	struct ancestry *a = arg;

	idlist_add(&a->live, id->id);
	return is_our_guardian(id, a);
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A lock file whose row is not among the live: that of a run which was revoked
 * while it went on, or one on its way. */
static void
look_at_lock(const char *id, void *arg)
{
	struct ancestry *a = arg;
	struct identity run = {0};
	struct err ignored;

	if (a->inside[0] != '\0' ||
	    (a->live.n > 0 &&
		bsearch(id, a->live.ids, a->live.n, sizeof *a->live.ids,
		    compare_ids) != NULL) ||
	    ledger_find(a->ledger, id, &run, &ignored) < 0)
		return;
	if (home_probe_run(a->home, id, NULL) == RUN_LIVE)
		is_our_guardian(&run, a);
	identity_clear(&run);
}

/* Whether their identities live is not asked: what such a run holds is dead,
 * and a root of its own would be the way around it. */
static int
find_our_guardian(struct mint *m, struct ancestry *a, struct err *e)
{
	const struct ledger_filter f = {
	    .state = SELECT_ANY, .held = true, .now = m->now};
	int result;

	read_ancestry(a);
	result = ledger_each(m->lc->ledger, &f, look_at_live, a, e);
	if (result == 0)
		result = home_each_run(&m->lc->home, look_at_lock, a, e);
	idlist_free(&a->live);
	return result;
}

/* Against accidents: a run that forgets to present its token would leave its
 * tree. It is no wall against the same uid, so what cannot be read is let
 * pass. */
static int
check_new_root(struct mint *m, struct err *e)
{
	struct ancestry a = {
	    .ledger = m->lc->ledger, .home = &m->lc->home};
	struct err ignored;

	if (m->policy->new_root_inside || proc_self(&a.self, &ignored) < 0)
		return 0;
	if (find_our_guardian(m, &a, e) < 0)
		return -1;
	if (a.inside[0] != '\0')
		return err_set(e, ERR_DENIED,
		    "started inside run %s, which it must present", a.inside);
	return 0;
}

/* Inside the transaction: what the ledger has of the parent now. */
static int
load_parent(struct mint *m, struct err *e)
{
	struct identity dead = {0};
	char id[ID_LEN + 1], when[CLOCK_STAMP_MAX];
	int found;

	memcpy(id, m->parent.id, sizeof id);
	found = ledger_dead_ancestor(m->lc->ledger, id, m->now, &dead, e);
	if (found > 0) {
		bool revoked = dead.revoked_at != 0;

		err_set(e, ERR_DENIED, "run %s %s at %s", dead.id,
		    revoked ? "was revoked" : "expired",
		    clock_stamp(
			revoked ? dead.revoked_at : dead.expires_at, when));
	}
	identity_clear(&dead);
	return found != 0 ? -1
			  : ledger_find(m->lc->ledger, id, &m->parent, e);
}

/* --- what it gets ---------------------------------------------------- */

static void
place_in_tree(struct mint *m)
{
	struct identity *id = &m->out->identity;

	if (!is_child(m)) {
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
		name = is_child(m) ? m->parent.agent : m->rq->default_agent;
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

	m->out->credential.subject_is_agent =
	    asked >= 0 ? asked != 0 : m->rq->form == FORM_FEDERATION;
}

static void
choose_audiences(struct mint *m)
{
	scoped(free_json) cJSON *list = cJSON_CreateArray();
	scoped(buf_free) struct buf text = {0};
	struct credential *c = &m->out->credential;
	const cJSON *may;

	c->audience = xstrdup(m->rq->audience != NULL ? m->rq->audience
						      : m->lc->issuer_url);
	json_push_string(list, c->audience);
	cJSON_ArrayForEach(may, m->rq->may_audiences)
		if (cJSON_IsString(may) &&
		    strcmp(may->valuestring, c->audience) != 0)
			json_push_string(list, may->valuestring);
	json_print(list, &text);
	m->out->identity.audiences = xstrdup(buf_str(&text));
}

static int
choose_expiry(struct mint *m, struct err *e)
{
	struct identity *id = &m->out->identity;
	int64_t ttl = m->rq->ttl != 0 ? m->rq->ttl : m->policy->ttl;
	char when[CLOCK_STAMP_MAX];

	if (ttl > m->policy->max_ttl)
		ttl = m->policy->max_ttl;
	id->issued_at = m->now;
	id->expires_at = clock_add(m->now, ttl);
	if (is_child(m) && m->parent.expires_at < id->expires_at) {
		id->expires_at = m->parent.expires_at;
		m->out->cut_short = true;
	}
	m->out->credential.issued_at = id->issued_at;
	m->out->credential.expires_at = id->expires_at;
	if (id->expires_at - m->now < TTL_MIN)
		return err_set(e, ERR_DENIED,
		    "run %s expires at %s, in less than %d seconds",
		    m->parent.id, clock_stamp(m->parent.expires_at, when),
		    TTL_MIN);
	return 0;
}

static int
choose(struct mint *m, struct err *e)
{
	place_in_tree(m);
	if (choose_agent(m, e) < 0)
		return -1;
	choose_subject(m);
	choose_audiences(m);
	return choose_expiry(m, e);
}

/* --- may it? --------------------------------------------------------- */

static int
check_limits(struct mint *m, struct err *e)
{
	int64_t n;

	if (ledger_count_live(m->lc->ledger, m->now, &n, e) < 0)
		return -1;
	if (n >= m->policy->max_live)
		return err_set(e, ERR_DENIED,
		    "%lld identities are live, the most that policy max_live "
		    "allows",
		    (long long)n);
	if (!is_child(m))
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
check_grant(struct mint *m, struct err *e)
{
	scoped(free_json) cJSON *audiences = NULL;
	const struct identity *id = &m->out->identity;
	const struct credential *c = &m->out->credential;

	if (is_child(m)) {
		if (ledger_audiences(
			m->lc->ledger, m->parent.id, &audiences, e) < 0 ||
		    grant_check_child(m->policy, &m->parent, audiences, id, c,
			m->lc->issuer_url, e) < 0)
			return -1;
	}
	if (grant_check_policy(m->policy, id, c, m->lc->issuer_url, e) < 0)
		return -1;
	return check_limits(m, e);
}

/* --- the transaction ------------------------------------------------- */

/* The URL is made by the first mint of a home, and the operator may have set
 * another since we opened it. */
static int
refresh_issuer_url(struct lifecycle *lc, struct err *e)
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
	if (!is_child(m))
		return 0;
	return ledger_add_event(m->lc->ledger, EVENT_DELEGATED, m->parent.id,
	    id->root, id->id, e);
}

/* Signed before the commit and handed out after it: a crash leaves either
 * nothing or a row whose token nobody has. */
static int
sign_and_record(struct mint *m, struct err *e)
{
	struct lifecycle *lc = m->lc;
	const struct issuer_context ctx = {
	    .keys = lc->keys, .url = lc->issuer_url};
	struct minted *out = m->out;

	if (m->ops->prepare(&ctx, &out->credential, e) < 0 ||
	    ledger_add_identity(lc->ledger, &out->identity, e) < 0 ||
	    ledger_add_credential(lc->ledger, &out->credential,
		lc->issuer_url, lc->published, e) < 0 ||
	    m->ops->mint(&ctx, &out->identity, &out->credential, &out->token,
		e) < 0 ||
	    record_events(m, e) < 0)
		return -1;
	return ledger_prune(
	    lc->ledger, m->now, m->policy->retention, e);
}

static int
in_transaction(struct mint *m, struct err *e)
{
	if (refresh_issuer_url(m->lc, e) < 0)
		return -1;
	if (is_child(m) && load_parent(m, e) < 0)
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
	    m->lc->keys, m->out->credential.alg, false, &k, &ignored);
}

/* This mint may have promoted a key, or follow a crash that left the private
 * half of an old one. That it cannot be removed now is no reason to lose the
 * token; the next mint tries again. */
static void
settle_keys(struct lifecycle *lc)
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
	if (m->rq->parent_token != NULL ? present_parent(m, e) < 0
					: check_new_root(m, e) < 0)
		return -1;
	warm_up(m);
	if (ledger_begin(l, m->now, e) < 0)
		return -1;
	if (in_transaction(m, e) < 0 || ledger_commit(l, e) < 0) {
		ledger_rollback(l);
		return -1;
	}
	settle_keys(m->lc);
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
	const char *id = is_child(m) ? m->parent.id : NULL;
	const char *root = is_child(m) ? root_of_parent(m) : NULL;
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
	if (!ledger_can_mint(lc->ledger))
		return err_set(e, ERR_SYSTEM,
		    "home '%s' is of a newer version of ephid, which must "
		    "mint here",
		    lc->home.path);
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
