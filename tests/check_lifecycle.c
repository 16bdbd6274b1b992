#include "config.h"

#include "lifecycle.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "home.h"
#include "io.h"
#include "proc.h"

#define AUD "https://mcp.acme.example"
#define OTHER "https://other.acme.example"
#define NOW INT64_C(1796000000) /* seconds */

static char folder[] = "/tmp/ephid-check-XXXXXX";
static struct lifecycle lc;
static struct err e;

static void
open_home(const char *name, struct lifecycle *out)
{
	scoped(free_string) char *path = xasprintf("%s/%s", folder, name);
	const struct lifecycle_where where = {.program = "check_lifecycle",
	    .home = path,
	    .mode = LEDGER_CREATE,
	    .now_ms = NOW * 1000};

	ck_assert_msg(lifecycle_open(&where, out, &e) == 0, "%s", e.text);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(path);
}

static void
setup(void)
{
	strcpy(strrchr(folder, '-'), "-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	open_home("home", &lc);
}

static void
teardown(void)
{
	lifecycle_close(&lc);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A list of one audience, which nobody need free. */
static cJSON *
only(const char *audience)
{
	static cJSON *lists[2];
	cJSON **list = &lists[strcmp(audience, AUD) == 0];

	if (*list == NULL) {
		*list = cJSON_CreateArray();
		json_push_string(*list, audience);
	}
	return *list;
}

/* --- helpers ---------------------------------------------------------- */

static struct mint_request
request(void)
{
	return (struct mint_request){.default_agent = "reviewer",
	    .subject_is_agent = -1,
	    .alg = -1};
}

static struct mint_request
root_request(void)
{
	struct mint_request rq = request();

	rq.audiences = only(AUD);
	rq.scope = "repo:read pr:comment";
	return rq;
}

static void
mint_ok(const struct mint_request *rq, struct minted *out)
{
	ck_assert_msg(lifecycle_mint(&lc, rq, out, &e) == 0, "%s", e.text);
}

static struct mint_request
child_of(const struct minted *parent)
{
	struct mint_request rq = request();

	rq.parent_token = buf_str(&parent->issued[0].token);
	return rq;
}

struct seen {
	enum event_kind kind;
	char why[512], id[ID_LEN + 1];
	int n;
};

static int
see_event(const struct event *ev, void *arg)
{
	struct seen *s = arg;

	if (ev->kind != s->kind)
		return 0;
	s->n++;
	snprintf(s->why, sizeof s->why, "%s", ev->why ? ev->why : "");
	snprintf(s->id, sizeof s->id, "%s", ev->id ? ev->id : "");
	return 0;
}

static struct seen
events(enum event_kind kind)
{
	struct seen s = {.kind = kind};

	ck_assert_int_eq(
	    ledger_each_event(lc.ledger, NULL, 0, 0, see_event, &s, &e), 0);
	return s;
}

/* Refused with these words and no token, and the ledger says so too. */
static void
mint_refused(const struct mint_request *rq, const char *words)
{
	int before = events(EVENT_REFUSED).n, minted = events(EVENT_MINTED).n;
	struct minted out;
	struct seen after;

	ck_assert_int_eq(lifecycle_mint(&lc, rq, &out, &e), -1);
	ck_assert_msg(strstr(e.text, words) != NULL, "'%s' has no '%s'",
	    e.text, words);
	ck_assert(e.code == ERR_DENIED || e.code == ERR_INVALID);
	ck_assert_uint_eq(out.n, 0);
	after = events(EVENT_REFUSED);
	ck_assert_int_eq(after.n, before + 1);
	ck_assert_str_eq(after.why, e.text);
	ck_assert_int_eq(events(EVENT_MINTED).n, minted);
}

static size_t
revoke_run(const char *id, bool only)
{
	const struct ledger_filter f = {
	    .id = id, .only = only, .now = lifecycle_now(&lc)};
	size_t n;

	ck_assert_msg(lifecycle_revoke(&lc, &f, "test", NULL, NULL, &n, &e) ==
		0, "%s", e.text);
	return n;
}

static enum jwt_verdict
verify_as(const struct minted *m, struct verify_request rq, struct verdict *v)
{
	rq.token = buf_str(&m->issued[0].token);
	rq.len = m->issued[0].token.len;
	ck_assert_msg(lifecycle_verify(&lc, &rq, v, &e) == 0, "%s", e.text);
	return v->word;
}

static void
verdict_is(const struct minted *m, enum jwt_verdict word)
{
	struct verdict v;

	ck_assert_str_eq(
	    jwt_verdict_word(verify_as(m, (struct verify_request){0}, &v)),
	    jwt_verdict_word(word));
	ck_assert_int_eq(v.claims != NULL, word == JWT_VALID);
	verdict_clear(&v);
}

/* --- mint ------------------------------------------------------------- */

START_TEST(a_root_is_what_was_asked_for)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted m = {0};
	scoped(verdict_clear) struct verdict v = {0};

	rq.task = "review-pr-481";
	rq.ttl = 60;
	mint_ok(&rq, &m);
	ck_assert_str_eq(m.identity.id, m.identity.root);
	ck_assert_str_eq(m.identity.id, m.issued[0].credential.jti);
	ck_assert_str_eq(m.identity.parent, "");
	ck_assert_str_eq(m.identity.scope, "repo:read pr:comment");
	ck_assert_str_eq(m.identity.agent, "reviewer");
	ck_assert_int_eq(m.identity.expires_at, NOW + 60);
	ck_assert(!m.cut_short);
	ck_assert_int_eq(
	    verify_as(&m, (struct verify_request){.audience = AUD}, &v),
	    JWT_VALID);
	ck_assert_str_eq(v.id, m.identity.id);
	ck_assert_str_eq(json_string(v.claims, "txn"), m.identity.id);
	ck_assert_str_eq(json_string(v.claims, "iss"), lc.issuer_url);
	ck_assert_int_eq(events(EVENT_MINTED).n, 1);
	ck_assert_str_eq(events(EVENT_MINTED).id, m.identity.id);
}
END_TEST

START_TEST(without_scope_there_is_no_authority)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0};

	mint_ok(&rq, &root);
	rq = child_of(&root);
	mint_ok(&rq, &child);
	ck_assert_str_eq(child.identity.scope, "");
	ck_assert_str_eq(child.identity.parent, root.identity.id);
	ck_assert_str_eq(child.identity.root, root.identity.id);
	ck_assert_int_eq(child.identity.depth, 1);
	ck_assert_str_eq(child.issued[0].credential.audience, lc.issuer_url);
	ck_assert_int_eq(events(EVENT_DELEGATED).n, 1);
	ck_assert_str_eq(events(EVENT_DELEGATED).id, root.identity.id);
	ck_assert_str_eq(events(EVENT_DELEGATED).why, child.identity.id);
}
END_TEST

START_TEST(a_child_only_narrows)
{
	struct mint_request rq = root_request(), wide;
	scoped(minted_clear) struct minted root = {0}, child = {0};

	mint_ok(&rq, &root);
	rq = child_of(&root);
	rq.audiences = only(AUD);
	rq.scope = "repo:read";
	rq.agent = "reviewer/lint";
	mint_ok(&rq, &child);

	wide = rq, wide.scope = "repo:read repo:write";
	mint_refused(&wide, "scope 'repo:write'");
	ck_assert_str_eq(events(EVENT_REFUSED).id, root.identity.id);
	wide = rq, wide.audiences = only(OTHER);
	mint_refused(&wide, "audience '" OTHER "'");
	wide = rq, wide.agent = "deployer";
	mint_refused(&wide, "agent 'deployer'");
	wide = rq, wide.agent = "reviewerx";
	mint_refused(&wide, "agent 'reviewerx'");
	wide = rq, wide.subject_is_agent = 1;
	mint_refused(&wide, "drops /run/");
	wide = rq, wide.parent_token = buf_str(&child.issued[0].token);
	wide.scope = "pr:comment";
	mint_refused(&wide, "scope 'pr:comment'");
}
END_TEST

START_TEST(audiences_are_handed_on_by_name)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0}, third = {0};
	scoped(free_json) cJSON *may = cJSON_CreateArray();

	json_push_string(may, OTHER);
	rq.may_audiences = may;
	mint_ok(&rq, &root);
	rq = child_of(&root);
	rq.audiences = only(OTHER);
	mint_ok(&rq, &child);
	/* What the child holds it may pass on; what it was not given, not. */
	rq = child_of(&child);
	rq.audiences = only(OTHER);
	mint_ok(&rq, &third);
	rq.audiences = only(AUD);
	mint_refused(&rq, "audience '" AUD "'");
	rq = child_of(&third);
	rq.may_audiences = may;
	cJSON_ReplaceItemInArray(may, 0, cJSON_CreateString(AUD));
	mint_refused(&rq, AUD);
}
END_TEST

START_TEST(federation_drops_the_run_for_roots_only)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0};

	rq.form = FORM_FEDERATION;
	mint_ok(&rq, &root);
	ck_assert(root.issued[0].credential.subject_is_agent);
	rq = child_of(&root);
	rq.form = FORM_FEDERATION;
	mint_refused(&rq, "form federation drops /run/ from sub, which policy "
			  "does not let agent 'reviewer' do");
	ck_assert_ptr_nonnull(strstr(e.text, "--subject run keeps it"));
	rq.subject_is_agent = 1;
	mint_refused(&rq, "drops /run/");
	rq.subject_is_agent = 0;
	mint_ok(&rq, &child);
	ck_assert(!child.issued[0].credential.subject_is_agent);
}
END_TEST

START_TEST(policy_says_who_drops_the_run)
{
	scoped(free_json) cJSON *agents = cJSON_CreateArray();
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0};

	json_push_string(agents, "reviewer/lint");
	lc.settings.policy.subject_agent.lists[0] = agents;
	rq.form = FORM_FEDERATION;
	mint_refused(&rq, "form federation drops /run/");
	rq.subject_is_agent = 0;
	mint_ok(&rq, &root);
	ck_assert(!root.issued[0].credential.subject_is_agent);
	rq = child_of(&root);
	rq.form = FORM_FEDERATION;
	rq.agent = "reviewer/lint";
	mint_ok(&rq, &child);
	ck_assert(child.issued[0].credential.subject_is_agent);
	lc.settings.policy.subject_agent.lists[0] = NULL;
}
END_TEST

START_TEST(life_is_capped_and_said)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0},
	    long_one = {0};

	rq.ttl = 100;
	mint_ok(&rq, &root);
	rq = child_of(&root);
	rq.ttl = 50;
	mint_ok(&rq, &child);
	ck_assert(!child.cut_short);
	ck_assert_int_eq(child.identity.expires_at, NOW + 50);
	minted_clear(&child);
	rq.ttl = 101;
	mint_ok(&rq, &child);
	ck_assert(child.cut_short);
	ck_assert_int_eq(child.identity.expires_at, NOW + 100);
	minted_clear(&child);
	lc.now_ms = (NOW + 95) * 1000; /* 5 s are left, the least */
	mint_ok(&rq, &child);
	lc.now_ms = (NOW + 96) * 1000;
	mint_refused(&rq, "in less than 5 seconds");

	rq = root_request();
	rq.ttl = 4;
	ck_assert_int_eq(lifecycle_mint(&lc, &rq, &long_one, &e), -1);
	ck_assert_int_eq(e.code, ERR_USAGE);
	rq.ttl = 7200;
	mint_ok(&rq, &long_one);
	ck_assert(!long_one.cut_short);
	ck_assert_int_eq(
	    long_one.identity.expires_at, NOW + 96 + TTL_HARD_MAX);
}
END_TEST

START_TEST(the_dead_bear_no_children)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0}, brief = {0};
	scoped(free_string) char *words = NULL, *expired = NULL;

	rq.ttl = 10;
	mint_ok(&rq, &brief);
	expired = xasprintf("run %s expired at ", brief.identity.id);
	rq.ttl = 600;
	mint_ok(&rq, &root);
	rq = child_of(&root);
	mint_ok(&rq, &child);
	ck_assert_uint_eq(revoke_run(root.identity.id, true), 1);
	words = xasprintf("run %s was revoked at 2026-", root.identity.id);
	mint_refused(&rq, words);
	/* Spared by --only, it lives, but has no children of its own. */
	verdict_is(&child, JWT_VALID);
	rq = child_of(&child);
	mint_refused(&rq, words);

	rq = child_of(&brief);
	lc.now_ms = (NOW + 10) * 1000; /* no skew against the own ledger */
	mint_refused(&rq, expired);
	ck_assert_str_eq(events(EVENT_REFUSED).id, brief.identity.id);
}
END_TEST

START_TEST(a_superseded_parent_token_ends_at_its_own_exp)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0};
	struct credential next;

	rq.ttl = 60;
	mint_ok(&rq, &root);
	next = root.issued[0].credential;
	next.jti[ID_LEN - 1] = next.jti[ID_LEN - 1] == '0' ? '1' : '0';
	next.expires_at = NOW + 600;
	next.status_uri = NULL;
	ck_assert_int_eq(ledger_begin(lc.ledger, NOW, &e), 0);
	ck_assert_int_eq(ledger_add_credential(lc.ledger, &next,
			     lc.issuer_url, false, &e), 0);
	ck_assert_int_eq(ledger_commit(lc.ledger, &e), 0);
	free(next.status_uri);
	rq = child_of(&root);
	mint_ok(&rq, &child);
	lc.now_ms = (NOW + 60) * 1000;
	verdict_is(&root, JWT_EXPIRED);
	mint_refused(&rq, "expired at ");
}
END_TEST

START_TEST(the_parent_must_be_ours)
{
	struct lifecycle other;
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted own = {0}, foreign = {0};

	mint_ok(&rq, &own);
	open_home("other", &other);
	ck_assert_int_eq(lifecycle_mint(&other, &rq, &foreign, &e), 0);
	lifecycle_close(&other);
	rq = child_of(&foreign);
	mint_refused(&rq, "parent token: wrong_issuer");
	rq.parent_token = "eyJ.eyJ.xx";
	mint_refused(&rq, "parent token: malformed");
	rq.parent_token = "";
	mint_refused(&rq, "parent token: malformed");
}
END_TEST

/* A good signature of ours over something that the ledger never had. */
START_TEST(the_ledger_must_know_the_parent)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted m = {0};
	scoped(verdict_clear) struct verdict v = {0};
	scoped(buf_free) struct buf token = {0};
	const struct key *k;

	mint_ok(&rq, &m);
	verify_as(&m, (struct verify_request){0}, &v);
	cJSON_ReplaceItemInObjectCaseSensitive(
	    v.claims, "jti", cJSON_CreateString("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
	ck_assert_int_eq(
	    keystore_active(lc.keys, KEY_ES256, false, &k, &e), 0);
	ck_assert_int_eq(jwt_sign(k, "at+jwt", v.claims, &token, &e), 0);
	rq = child_of(&m);
	rq.parent_token = buf_str(&token);
	mint_refused(&rq, "parent token: revoked (the ledger does not know");
	rq = child_of(&m);
	minted_clear(&m);
	rq = root_request();
	mint_ok(&rq, &m);
}
END_TEST

START_TEST(limits_are_kept)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0}, m = {0};

	lc.settings.policy.max_depth = 1;
	mint_ok(&rq, &root);
	lc.settings.policy.max_children = 1;
	rq = child_of(&root);
	mint_ok(&rq, &child);
	mint_refused(&rq, "max_children");
	lc.settings.policy.max_depth = 8; /* the tree's own is still 1 */
	rq = child_of(&child);
	mint_refused(&rq, "max_depth");
	lc.settings.policy.max_live = 2;
	rq = root_request();
	mint_refused(&rq, "max_live");
	revoke_run(child.identity.id, false);
	mint_ok(&rq, &m);
}
END_TEST

START_TEST(policy_lists_bind_roots)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted m = {0};
	scoped(free_json) cJSON *agents = cJSON_CreateArray();

	json_push_string(agents, "review*");
	lc.settings.policy.agents.lists[0] = agents;
	mint_ok(&rq, &m);
	rq.agent = "deployer";
	mint_refused(&rq, "agent 'deployer'");
	lc.settings.policy.agents.lists[0] = NULL;
}
END_TEST

/* --- inside a run ----------------------------------------------------- */

/* Our parent process plays the guardian. */
static struct holder
parent_process(void)
{
	struct holder h = {0};
	pid_t above;

	ck_assert_int_eq(proc_self(&h, &e), 0);
	h.pid = getppid();
	ck_assert_int_eq(proc_stat(getppid(), &above, &h.start), 0);
	return h;
}

START_TEST(a_run_must_present_itself)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted run = {0}, m = {0};
	struct holder holder = parent_process();
	scoped(free_string) char *words = NULL;
	int64_t now;
	int lock;

	rq.holder = &holder;
	mint_ok(&rq, &run);
	rq.holder = NULL;
	words = xasprintf("started inside run %s, which it must present",
	    run.identity.id);
	mint_refused(&rq, words);
	rq.parent_token = buf_str(&run.issued[0].token);
	mint_ok(&rq, &m);
	minted_clear(&m);
	rq.parent_token = NULL;
	lc.settings.policy.new_root_inside = true;
	mint_ok(&rq, &m);
	minted_clear(&m);
	lc.settings.policy.new_root_inside = false;
	/* That its identity is over makes no root of what it runs. */
	now = lc.now_ms;
	lc.now_ms += 7200 * 1000;
	mint_refused(&rq, words);
	lc.now_ms = now;
	ck_assert_int_eq(
	    home_lock_run(&lc.home, run.identity.id, &lock, &e), 0);
	revoke_run(run.identity.id, false);
	mint_refused(&rq, words);
	/* Nor does what went before it under the same pid, if it is gone. */
	close(lock);
	mint_ok(&rq, &m);
}
END_TEST

START_TEST(another_boot_is_not_our_ancestor)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted run = {0}, m = {0}, n = {0};
	struct holder holder = parent_process();

	holder.boot[0] = holder.boot[0] == '0' ? '1' : '0';
	rq.holder = &holder;
	mint_ok(&rq, &run);
	holder = parent_process();
	holder.start++; /* the pid came round again */
	mint_ok(&rq, &m);
	rq.holder = NULL;
	mint_ok(&rq, &n);
}
END_TEST

/* --- verify ----------------------------------------------------------- */

START_TEST(the_own_ledger_allows_no_skew)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted m = {0};
	scoped(verdict_clear) struct verdict v = {0};
	const struct verify_request offline = {.status = STATUS_NONE},
				    any = {.any_time = true};

	rq.ttl = 60;
	mint_ok(&rq, &m);
	lc.now_ms = (NOW - 61) * 1000; /* the clock was set back */
	verdict_is(&m, JWT_NOT_YET_VALID);
	ck_assert_int_eq(verify_as(&m, any, &v), JWT_VALID);
	verdict_clear(&v);
	lc.now_ms = (NOW - 60) * 1000;
	verdict_is(&m, JWT_VALID);
	lc.now_ms = (NOW + 59) * 1000;
	verdict_is(&m, JWT_VALID);
	lc.now_ms = (NOW + 60) * 1000;
	verdict_is(&m, JWT_EXPIRED);
	ck_assert_int_eq(verify_as(&m, offline, &v), JWT_VALID);
	verdict_clear(&v);
	lc.now_ms = (NOW + 120) * 1000;
	ck_assert_int_eq(verify_as(&m, offline, &v), JWT_EXPIRED);
	ck_assert_str_eq(v.id, m.identity.id);
	verdict_clear(&v);
	ck_assert_int_eq(verify_as(&m, any, &v), JWT_VALID);
	ck_assert_str_eq(v.id, m.identity.id);
}
END_TEST

START_TEST(verdicts_have_their_words)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted m = {0};
	scoped(verdict_clear) struct verdict v = {0};
	const struct verify_request other = {.audience = OTHER};

	mint_ok(&rq, &m);
	ck_assert_int_eq(verify_as(&m, other, &v), JWT_WRONG_AUDIENCE);
	ck_assert_ptr_null(v.claims);
	verdict_clear(&v);
	revoke_run(m.identity.id, false);
	ck_assert_int_eq(
	    verify_as(&m, (struct verify_request){0}, &v), JWT_REVOKED);
	ck_assert_ptr_nonnull(strstr(v.detail, m.identity.id));
	verdict_clear(&v);
	ck_assert_int_eq(
	    verify_as(&m, (struct verify_request){.status = STATUS_NONE}, &v),
	    JWT_VALID);
	verdict_clear(&v);
	m.issued[0].token.ptr[m.issued[0].token.len / 2] ^= 1;
	ck_assert_int_ne(
	    verify_as(&m, (struct verify_request){0}, &v), JWT_VALID);
	ck_assert_str_eq(v.id, "");
}
END_TEST

/* --- revoke ----------------------------------------------------------- */

static int
count(const struct identity *id, void *arg)
{
	ck_assert(id->revoked_at != 0);
	++*(int *)arg;
	return 0;
}

START_TEST(revoking_ends_the_descendants)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, child = {0}, third = {0},
	    bystander = {0};
	struct ledger_filter f = {.now = NOW};
	size_t n;
	int seen = 0;

	mint_ok(&rq, &root);
	mint_ok(&rq, &bystander);
	rq = child_of(&root);
	mint_ok(&rq, &child);
	rq = child_of(&child);
	mint_ok(&rq, &third);
	f.id = child.identity.id;
	ck_assert_int_eq(
	    lifecycle_revoke(&lc, &f, "test", count, &seen, &n, &e), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(seen, 2);
	verdict_is(&root, JWT_VALID);
	verdict_is(&bystander, JWT_VALID);
	verdict_is(&child, JWT_REVOKED);
	verdict_is(&third, JWT_REVOKED);
	ck_assert_int_eq(events(EVENT_REVOKED).n, 2);
	ck_assert_uint_eq(revoke_run(child.identity.id, false), 0);
	ck_assert_int_eq(events(EVENT_REVOKED).n, 2);
}
END_TEST

static int
end_run(const char *id)
{
	bool revoked;
	int result =
	    lifecycle_end_run(&lc, id, "ended", NULL, &revoked, &e);

	ck_assert(revoked); /* whatever became of its files */
	return result;
}

START_TEST(an_end_is_idempotent)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted m = {0};
	char id[ID_LEN + 1] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
	scoped(free_string) char *dir = xasprintf("%s/%s", folder, id);
	scoped(free_string) char *file = xasprintf("%s/token", dir);
	struct stat st;
	int lock;

	ck_assert_int_eq(end_run(id), 0);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(
	    io_create_file(AT_FDCWD, file, 0600, "x", 1, false, &e), 0);
	ck_assert_int_eq(home_lock_run(&lc.home, id, &lock, &e), 0);
	rq.id = id;
	rq.token_dir = dir;
	mint_ok(&rq, &m);
	ck_assert_str_eq(m.identity.id, id);
	ck_assert_int_eq(end_run(id), 0);
	verdict_is(&m, JWT_REVOKED);
	ck_assert_int_eq(stat(dir, &st), -1);
	ck_assert_int_eq(home_probe_run(&lc.home, id, NULL), RUN_DEAD);
	ck_assert_int_eq(end_run(id), 0);
	ck_assert_int_eq(events(EVENT_REVOKED).n, 1);
	ck_assert_str_eq(events(EVENT_REVOKED).why, "ended");
	close(lock);
}
END_TEST

/* --- several audiences, and renewal ----------------------------------- */

static cJSON *
both(void)
{
	static cJSON *list;

	if (list == NULL) {
		list = cJSON_CreateArray();
		json_push_string(list, AUD);
		json_push_string(list, OTHER);
	}
	return list;
}

START_TEST(each_audience_has_its_credential)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted m = {0}, child = {0};
	struct verdict v;
	const struct verify_request other = {.audience = OTHER};

	rq.audiences = both();
	mint_ok(&rq, &m);
	ck_assert_uint_eq(m.n, 2);
	ck_assert_str_eq(m.issued[0].credential.jti, m.identity.id);
	ck_assert_str_ne(m.issued[1].credential.jti, m.identity.id);
	ck_assert_str_eq(m.issued[1].credential.audience, OTHER);
	ck_assert_int_eq(verify_as(&m, other, &v), JWT_WRONG_AUDIENCE);
	verdict_clear(&v);
	{
		struct buf first = m.issued[0].token;

		m.issued[0].token = m.issued[1].token;
		m.issued[1].token = first;
	}
	ck_assert_int_eq(verify_as(&m, other, &v), JWT_VALID);
	ck_assert_str_eq(v.id, m.identity.id);
	verdict_clear(&v);
	/* A child may have either, of whichever token it shows. */
	rq = child_of(&m);
	rq.audiences = only(OTHER);
	mint_ok(&rq, &child);
	revoke_run(m.identity.id, false);
	ck_assert_int_eq(verify_as(&m, other, &v), JWT_REVOKED);
	verdict_clear(&v);
}
END_TEST

START_TEST(one_audience_too_many_refuses_all)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0};
	int minted;

	mint_ok(&rq, &root);
	rq = child_of(&root);
	rq.audiences = both();
	minted = events(EVENT_MINTED).n;
	mint_refused(&rq, "audience '" OTHER "'");
	ck_assert_int_eq(events(EVENT_MINTED).n, minted);
}
END_TEST

/* The request of the run that was minted, as its guardian keeps it. */
static struct mint_request
again(const struct minted *m, int64_t ttl)
{
	struct mint_request rq = root_request();

	rq.id = m->identity.id;
	rq.ttl = ttl;
	return rq;
}

static enum renewal
renew_at(int64_t at, const struct mint_request *rq, struct minted *out)
{
	enum renewal what;

	lifecycle_set_now(&lc, at * 1000);
	ck_assert_msg(
	    lifecycle_renew(&lc, rq, &what, out, &e) == 0, "%s", e.text);
	if (what != RENEWED)
		minted_clear(out);
	return what;
}

static struct mint_request
held_request(int64_t ttl)
{
	static const struct holder holder = {
	    .pid = 1, .start = 1, .boot = "none"};
	struct mint_request rq = root_request();

	rq.ttl = ttl;
	rq.holder = &holder;
	return rq;
}

START_TEST(a_renewal_is_a_new_credential)
{
	struct mint_request rq = held_request(60);
	scoped(minted_clear) struct minted m = {0}, next = {0};
	struct identity id;

	mint_ok(&rq, &m);
	rq = again(&m, 60);
	ck_assert_int_eq(renew_at(NOW + 40, &rq, &next), RENEWED);
	ck_assert_uint_eq(next.n, 1);
	ck_assert_str_ne(next.issued[0].credential.jti, m.identity.id);
	ck_assert_str_eq(next.identity.id, m.identity.id);
	ck_assert_str_eq(next.identity.scope, m.identity.scope);
	ck_assert_int_eq(next.identity.expires_at, NOW + 100);
	ck_assert_int_eq(ledger_find(lc.ledger, m.identity.id, &id, &e), 0);
	ck_assert_int_eq(id.expires_at, NOW + 100);
	identity_clear(&id);
	ck_assert_int_eq(events(EVENT_RENEWED).n, 1);
	ck_assert_str_eq(
	    events(EVENT_RENEWED).why, next.issued[0].credential.jti);
	/* The superseded one is valid to its own exp. */
	verdict_is(&m, JWT_VALID);
	lifecycle_set_now(&lc, (NOW + 60) * 1000);
	verdict_is(&m, JWT_EXPIRED);
	verdict_is(&next, JWT_VALID);
}
END_TEST

START_TEST(revoking_ends_superseded_tokens_too)
{
	struct mint_request rq = held_request(60);
	scoped(minted_clear) struct minted m = {0}, next = {0};

	mint_ok(&rq, &m);
	rq = again(&m, 60);
	ck_assert_int_eq(renew_at(NOW + 40, &rq, &next), RENEWED);
	revoke_run(m.identity.id, false);
	verdict_is(&m, JWT_REVOKED);
	verdict_is(&next, JWT_REVOKED);
	minted_clear(&next);
	ck_assert_int_eq(renew_at(NOW + 41, &rq, &next), RENEWAL_OVER);
	ck_assert_int_eq(events(EVENT_RENEWED).n, 1);
}
END_TEST

START_TEST(a_renewal_must_gain_a_tenth)
{
	struct mint_request rq = held_request(60);
	scoped(minted_clear) struct minted m = {0}, next = {0};

	mint_ok(&rq, &m);
	rq = again(&m, 60);
	ck_assert_int_eq(renew_at(NOW + 5, &rq, &next), RENEWAL_TOO_SOON);
	ck_assert_int_eq(renew_at(NOW + 6, &rq, &next), RENEWED);
}
END_TEST

/* What was issued by a clock that ran ahead is not valid by the right one. */
START_TEST(a_renewal_follows_a_clock_that_was_set_back)
{
	struct mint_request rq = held_request(900);
	scoped(minted_clear) struct minted m = {0}, near = {0}, next = {0},
					   late = {0};

	mint_ok(&rq, &m);
	rq = again(&m, 900);
	/* nbf is half a minute before iat */
	ck_assert_int_eq(renew_at(NOW - 30, &rq, &near), RENEWAL_TOO_SOON);
	verdict_is(&m, JWT_VALID);
	ck_assert_int_eq(renew_at(NOW - 3600, &rq, &next), RENEWED);
	verdict_is(&m, JWT_NOT_YET_VALID);
	verdict_is(&next, JWT_VALID);
	ck_assert_int_eq(next.issued[0].credential.expires_at, NOW - 2700);
	/* and goes on until the old one is valid again */
	ck_assert_int_eq(renew_at(NOW - 3000, &rq, &late), RENEWED);
	verdict_is(&late, JWT_VALID);
}
END_TEST

START_TEST(max_life_ends_renewals)
{
	struct mint_request rq = held_request(60);
	scoped(minted_clear) struct minted m = {0}, next = {0};

	rq.max_life = 90;
	mint_ok(&rq, &m);
	rq = again(&m, 60);
	rq.max_life = 90;
	ck_assert_int_eq(
	    lifecycle_last_expiry(&lc, &rq, &m.identity), NOW + 90);
	ck_assert_int_eq(renew_at(NOW + 40, &rq, &next), RENEWED);
	ck_assert_int_eq(next.identity.expires_at, NOW + 90);
	minted_clear(&next);
	ck_assert_int_eq(renew_at(NOW + 80, &rq, &next), RENEWAL_TOO_SOON);
	ck_assert_int_eq(renew_at(NOW + 95, &rq, &next), RENEWAL_TOO_SOON);
}
END_TEST

START_TEST(a_short_max_life_shortens_the_first)
{
	struct mint_request rq = held_request(60);
	scoped(minted_clear) struct minted m = {0};

	rq.max_life = 20;
	mint_ok(&rq, &m);
	ck_assert_int_eq(m.identity.expires_at, NOW + 20);
}
END_TEST

/* Whoever slept past its exp with the machine lives again; what was revoked
 * or closed meanwhile does not. */
START_TEST(an_expired_run_comes_back_by_renewal)
{
	struct mint_request rq = held_request(60);
	scoped(minted_clear) struct minted m = {0}, other = {0}, next = {0};

	mint_ok(&rq, &m);
	lifecycle_set_now(&lc, (NOW + 500) * 1000);
	rq = root_request();
	mint_ok(&rq, &other); /* whose housekeeping closes expired rows */
	rq = again(&m, 60);
	ck_assert_int_eq(renew_at(NOW + 500, &rq, &next), RENEWED);
	verdict_is(&next, JWT_VALID);
	verdict_is(&m, JWT_EXPIRED);
}
END_TEST

START_TEST(a_renewal_is_capped_by_the_parent)
{
	struct mint_request rq = held_request(100);
	scoped(minted_clear) struct minted root = {0}, child = {0}, next = {0};

	mint_ok(&rq, &root);
	rq = child_of(&root);
	rq.holder = held_request(0).holder;
	rq.scope = "repo:read";
	rq.audiences = only(AUD);
	rq.ttl = 60;
	mint_ok(&rq, &child);
	rq.id = child.identity.id;
	ck_assert_int_eq(renew_at(NOW + 50, &rq, &next), RENEWED);
	ck_assert_int_eq(next.identity.expires_at, NOW + 100);
	ck_assert(next.cut_short);
	minted_clear(&next);
	ck_assert_int_eq(renew_at(NOW + 80, &rq, &next), RENEWAL_TOO_SOON);
	ck_assert_int_eq(renew_at(NOW + 100, &rq, &next), RENEWAL_WAITS);
	{ /* The parent first, then the child. */
		struct mint_request parent = again(&root, 100);

		ck_assert_int_eq(renew_at(NOW + 110, &parent, &next), RENEWED);
		minted_clear(&next);
	}
	ck_assert_int_eq(renew_at(NOW + 111, &rq, &next), RENEWED);
	verdict_is(&next, JWT_VALID);
	minted_clear(&next);
	ck_assert_uint_eq(revoke_run(root.identity.id, true), 1);
	ck_assert_int_eq(renew_at(NOW + 160, &rq, &next), RENEWAL_OVER);
}
END_TEST

START_TEST(a_renewal_is_signed_by_the_key_of_its_time)
{
	struct mint_request rq = held_request(60);
	scoped(minted_clear) struct minted m = {0}, next = {0};
	struct key_row row;

	mint_ok(&rq, &m);
	ck_assert_int_eq(ledger_begin(lc.ledger, NOW, &e), 0);
	ck_assert_int_eq(
	    keystore_rotate(lc.keys, KEY_ES256, true, &row, &e), 0);
	ck_assert_int_eq(ledger_commit(lc.ledger, &e), 0);
	rq = again(&m, 60);
	ck_assert_int_eq(renew_at(NOW + 40, &rq, &next), RENEWED);
	ck_assert_str_eq(next.issued[0].credential.kid, row.kid);
	ck_assert_str_ne(m.issued[0].credential.kid, row.kid);
	verdict_is(&next, JWT_VALID);
}
END_TEST

/* --- preview ---------------------------------------------------------- */

START_TEST(a_preview_writes_nothing)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted root = {0}, m = {0};
	scoped(free_json) cJSON *claims = NULL;
	int64_t before, after;

	mint_ok(&rq, &root);
	ck_assert_int_eq(ledger_epoch(lc.ledger, &before, &e), 0);
	rq = child_of(&root);
	rq.audiences = only(AUD);
	rq.scope = "repo:read";
	ck_assert_msg(lifecycle_preview(&lc, &rq, &m, &claims, &e) == 0, "%s",
	    e.text);
	ck_assert_int_eq(cJSON_GetArraySize(claims), 1);
	ck_assert_str_eq(
	    json_string(cJSON_GetArrayItem(claims, 0), "scope"), "repo:read");
	ck_assert_str_eq(json_string(cJSON_GetArrayItem(claims, 0), "txn"),
	    root.identity.id);
	minted_clear(&m);
	free_json(&claims);
	rq.scope = "admin";
	ck_assert_int_eq(lifecycle_preview(&lc, &rq, &m, &claims, &e), -1);
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert_int_eq(ledger_epoch(lc.ledger, &after, &e), 0);
	ck_assert_int_eq(before, after);
}
END_TEST

/* --- sweep ------------------------------------------------------------ */

static void
mint_run(const char *id, int *lock, struct minted *out)
{
	struct mint_request rq = root_request();
	struct holder holder = {.pid = 1, .start = 1, .boot = "none"};

	ck_assert_int_eq(home_lock_run(&lc.home, id, lock, &e), 0);
	rq.id = id;
	rq.holder = &holder;
	mint_ok(&rq, out);
}

static size_t
sweep(size_t max)
{
	size_t n;

	ck_assert_msg(lifecycle_sweep(&lc, max, &n, &e) == 0, "%s", e.text);
	return n;
}

START_TEST(a_sweep_ends_the_dead_and_spares_the_living)
{
	scoped(minted_clear) struct minted dead = {0}, live = {0}, hand = {0},
	    child = {0};
	struct mint_request rq = root_request();
	int dead_lock, live_lock;
	int64_t before, after;

	mint_run("01ARZ3NDEKTSV4RRFFQ69G5FAV", &dead_lock, &dead);
	mint_run("01ARZ3NDEKTSV4RRFFQ69G5FAW", &live_lock, &live);
	mint_ok(&rq, &hand);
	rq = child_of(&dead);
	mint_ok(&rq, &child);
	ck_assert_int_eq(ledger_epoch(lc.ledger, &before, &e), 0);
	ck_assert_uint_eq(sweep(0), 0);
	ck_assert_int_eq(ledger_epoch(lc.ledger, &after, &e), 0);
	ck_assert_int_eq(before, after); /* nothing dead, nothing written */
	close(dead_lock);
	ck_assert_uint_eq(sweep(SWEEP_HABIT), 2);
	verdict_is(&dead, JWT_REVOKED);
	verdict_is(&child, JWT_REVOKED);
	verdict_is(&live, JWT_VALID);
	verdict_is(&hand, JWT_VALID);
	ck_assert_int_eq(events(EVENT_SWEPT).n, 2);
	ck_assert_str_eq(events(EVENT_SWEPT).why, "swept: its holder was gone");
	ck_assert_uint_eq(sweep(0), 0);
	close(live_lock);
	ck_assert_uint_eq(sweep(0), 1);
	verdict_is(&live, JWT_REVOKED);
}
END_TEST

/* A run that outlived its token and then its holder: its row is not one of
 * the active ones, but it is live for the ledger, and has files. */
START_TEST(a_sweep_ends_the_dead_that_expired)
{
	const char *id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
	scoped(minted_clear) struct minted dead = {0}, live = {0};
	struct mint_request rq = root_request();
	struct holder holder = {.pid = 1, .start = 1, .boot = "none"};
	scoped(free_string) char *dir = xasprintf("%s/%s", folder, id);
	struct identity row;
	struct stat st;
	int lock, live_lock;

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(home_lock_run(&lc.home, id, &lock, &e), 0);
	rq.id = id;
	rq.holder = &holder;
	rq.token_dir = dir;
	mint_ok(&rq, &dead);
	mint_run("01ARZ3NDEKTSV4RRFFQ69G5FAW", &live_lock, &live);
	lc.now_ms = (NOW + 7200) * 1000;
	ck_assert_uint_eq(sweep(SWEEP_HABIT), 0);
	close(lock);
	ck_assert_uint_eq(sweep(SWEEP_HABIT), 1);
	ck_assert_int_eq(stat(dir, &st), -1);
	ck_assert_int_eq(ledger_find(lc.ledger, id, &row, &e), 0);
	ck_assert_int_ne(row.revoked_at, 0);
	identity_clear(&row);
	ck_assert_uint_eq(sweep(0), 0);
	ck_assert_int_eq(
	    ledger_find(lc.ledger, live.identity.id, &row, &e), 0);
	ck_assert_int_eq(row.revoked_at, 0);
	identity_clear(&row);
	close(live_lock);
}
END_TEST

/* One folder that cannot be removed keeps no other run alive. */
START_TEST(a_sweep_goes_on_after_a_failure)
{
	static const char stuck[] = "01ARZ3NDEKTSV4RRFFQ69G5F00";
	char id[ID_LEN + 1] = "01ARZ3NDEKTSV4RRFFQ69G5F00";
	scoped(free_string) char *link = xasprintf("%s/link", folder);
	scoped(free_string) char *dir = xasprintf("%s/%s", link, stuck);
	scoped(free_string) char *held =
	    xasprintf("%s/runs/%s", lc.home.path, stuck);
	struct holder holder = {.pid = 1, .start = 1, .boot = "none"};
	struct mint_request rq = root_request();
	struct minted m;
	size_t n;
	int lock;

	/* Reached through a link, which nobody follows. */
	ck_assert_int_eq(symlink(".", link), 0);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	rq.holder = &holder;
	rq.id = id;
	for (int i = 0; i < 100; i++) {
		id[ID_LEN - 2] = (char)('0' + i / 10);
		id[ID_LEN - 1] = (char)('0' + i % 10);
		rq.token_dir = i == 0 ? dir : NULL;
		ck_assert_int_eq(home_lock_run(&lc.home, id, &lock, &e), 0);
		mint_ok(&rq, &m);
		minted_clear(&m);
		close(lock);
	}
	ck_assert_int_eq(lifecycle_sweep(&lc, 0, &n, &e), -1);
	ck_assert_uint_eq(n, 100);
	/* Locks without a run are looked at all the same. */
	ck_assert_int_eq(home_lock_run(
	    &lc.home, "01ARZ3NDEKTSV4RRFFQ69G5FZZ", &lock, &e), 0);
	close(lock);
	ck_assert_int_eq(lifecycle_sweep(&lc, 0, &n, &e), -1);
	ck_assert_int_eq(home_probe_run(
	    &lc.home, "01ARZ3NDEKTSV4RRFFQ69G5FZZ", &lock), RUN_DEAD);
	ck_assert_int_eq(lock, -1);
	ck_assert_int_eq(access(held, F_OK), 0); /* tried again, then */
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_uint_eq(sweep(0), 0);
	ck_assert_int_eq(access(held, F_OK), -1);
}
END_TEST

START_TEST(a_passing_sweep_looks_at_few)
{
	struct minted m[5];
	int lock[5];
	size_t n = 0;

	for (int i = 0; i < 5; i++) {
		char id[] = "01ARZ3NDEKTSV4RRFFQ69G5FA0";

		id[ID_LEN - 1] = (char)('0' + i);
		mint_run(id, &lock[i], &m[i]);
		close(lock[i]);
	}
	ck_assert_uint_eq(sweep(2), 2);
	while (n < 3)
		n += sweep(1);
	for (int i = 0; i < 5; i++) {
		verdict_is(&m[i], JWT_REVOKED);
		minted_clear(&m[i]);
	}
}
END_TEST

START_TEST(a_full_sweep_removes_locks_without_a_run)
{
	const char *id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
	scoped(free_string) char *file =
	    xasprintf("%s/runs/%s", lc.home.path, id);
	int lock;

	ck_assert_int_eq(home_lock_run(&lc.home, id, &lock, &e), 0);
	sweep(0);
	ck_assert_int_eq(access(file, F_OK), 0); /* it is about to mint */
	close(lock);
	sweep(SWEEP_HABIT);
	ck_assert_int_eq(access(file, F_OK), 0);
	sweep(0);
	ck_assert_int_eq(access(file, F_OK), -1);
}
END_TEST

/* --- open, resolve ---------------------------------------------------- */

START_TEST(operands_find_their_run)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted a = {0}, b = {0};
	char id[ID_LEN + 1];

	rq.id = "01ARZ3NDEKTSV4RRFFAAAAAAAA";
	mint_ok(&rq, &a);
	rq.id = "01ARZ3NDEKTSV4RRFFBAAAAAAA";
	mint_ok(&rq, &b);
	ck_assert_int_eq(
	    lifecycle_resolve(&lc, "01arz3ndektsv4rrffaaaaaaaa", id, &e), 0);
	ck_assert_str_eq(id, a.identity.id);
	ck_assert_int_eq(lifecycle_resolve(&lc, "fbaaaaaaa", id, &e), 0);
	ck_assert_str_eq(id, b.identity.id);
	ck_assert_int_eq(lifecycle_resolve(&lc, "aaaaaa", id, &e), -1);
	ck_assert_int_eq(e.code, ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(e.text, a.identity.id));
	ck_assert_ptr_nonnull(strstr(e.text, b.identity.id));
	ck_assert_int_eq(lifecycle_resolve(&lc, "zzzzzz", id, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_ptr_nonnull(strstr(e.text, lc.home.path));
	ck_assert_int_eq(lifecycle_resolve(&lc, "aaaaa", id, &e), -1);
	ck_assert_int_eq(e.code, ERR_USAGE);
	ck_assert_int_eq(lifecycle_resolve(&lc, "s3cret!", id, &e), -1);
	ck_assert_int_eq(e.code, ERR_USAGE);
	ck_assert_ptr_null(strstr(e.text, "s3cret"));
	ck_assert_int_eq(
	    lifecycle_resolve(&lc, "01ARZ3NDEKTSV4RRFFQ69G5FAV", id, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
}
END_TEST

START_TEST(an_absent_home_stays_absent)
{
	scoped(free_string) char *path = xasprintf("%s/absent", folder);
	struct lifecycle none;
	struct lifecycle_where where = {
	    .program = "check", .home = path, .now_ms = NOW * 1000};

	where.mode = LEDGER_WRITE;
	ck_assert_int_eq(lifecycle_open(&where, &none, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_ptr_nonnull(strstr(e.text, path));
	where.mode = LEDGER_READ;
	ck_assert_int_eq(lifecycle_open(&where, &none, &e), -1);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(the_issuer_stays_the_same)
{
	struct mint_request rq = root_request();
	scoped(minted_clear) struct minted m = {0};
	scoped(free_string) char *url = NULL;

	ck_assert_ptr_null(lc.issuer_url);
	mint_ok(&rq, &m);
	url = xstrdup(lc.issuer_url);
	ck_assert_int_eq(strncmp(url, "https://", 8), 0);
	lifecycle_close(&lc);
	open_home("home", &lc);
	ck_assert_str_eq(lc.issuer_url, url);
	verdict_is(&m, JWT_VALID);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lifecycle");
	TCase *t = tcase_create("acts");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_root_is_what_was_asked_for);
	tcase_add_test(t, without_scope_there_is_no_authority);
	tcase_add_test(t, a_child_only_narrows);
	tcase_add_test(t, audiences_are_handed_on_by_name);
	tcase_add_test(t, federation_drops_the_run_for_roots_only);
	tcase_add_test(t, policy_says_who_drops_the_run);
	tcase_add_test(t, life_is_capped_and_said);
	tcase_add_test(t, the_dead_bear_no_children);
	tcase_add_test(t, a_superseded_parent_token_ends_at_its_own_exp);
	tcase_add_test(t, the_parent_must_be_ours);
	tcase_add_test(t, the_ledger_must_know_the_parent);
	tcase_add_test(t, limits_are_kept);
	tcase_add_test(t, policy_lists_bind_roots);
	tcase_add_test(t, a_run_must_present_itself);
	tcase_add_test(t, another_boot_is_not_our_ancestor);
	tcase_add_test(t, the_own_ledger_allows_no_skew);
	tcase_add_test(t, verdicts_have_their_words);
	tcase_add_test(t, revoking_ends_the_descendants);
	tcase_add_test(t, an_end_is_idempotent);
	tcase_add_test(t, each_audience_has_its_credential);
	tcase_add_test(t, one_audience_too_many_refuses_all);
	tcase_add_test(t, a_renewal_is_a_new_credential);
	tcase_add_test(t, revoking_ends_superseded_tokens_too);
	tcase_add_test(t, a_renewal_must_gain_a_tenth);
	tcase_add_test(t, a_renewal_follows_a_clock_that_was_set_back);
	tcase_add_test(t, max_life_ends_renewals);
	tcase_add_test(t, a_short_max_life_shortens_the_first);
	tcase_add_test(t, an_expired_run_comes_back_by_renewal);
	tcase_add_test(t, a_renewal_is_capped_by_the_parent);
	tcase_add_test(t, a_renewal_is_signed_by_the_key_of_its_time);
	tcase_add_test(t, a_preview_writes_nothing);
	tcase_add_test(t, a_sweep_ends_the_dead_and_spares_the_living);
	tcase_add_test(t, a_sweep_ends_the_dead_that_expired);
	tcase_add_test(t, a_sweep_goes_on_after_a_failure);
	tcase_add_test(t, a_passing_sweep_looks_at_few);
	tcase_add_test(t, a_full_sweep_removes_locks_without_a_run);
	tcase_add_test(t, operands_find_their_run);
	tcase_add_test(t, an_absent_home_stays_absent);
	tcase_add_test(t, the_issuer_stays_the_same);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
