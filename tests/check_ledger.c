#include "config.h"

#include "ledger.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"

#define NOW INT64_C(1796000000)
#define URL "https://id.acme.example"
#define NOBODY 65534
#define ok(call) ck_assert_msg((call) == 0, "%s", e.text)

static char folder[] = "/tmp/ephid-check-XXXXXX";
static char *path;
static struct home home;
static struct ledger *l;
static struct err e;

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(name);
}

static void
setup(void)
{
	strcpy(strrchr(folder, '-'), "-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	path = xasprintf("%s/home", folder);
	ok(home_open(path, true, &home, &e));
	ok(ledger_open(&home, LEDGER_CREATE, "check_ledger", &l, &e));
}

static void
teardown(void)
{
	ledger_close(l);
	l = NULL;
	home_close(&home);
	free(path);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
reopen(enum ledger_mode mode)
{
	ledger_close(l);
	ok(ledger_open(&home, mode, "check_ledger", &l, &e));
}

/* --- making rows ---------------------------------------------------- */

static void
make_id(char out[static ID_LEN + 1])
{
	static int64_t ms = NOW * 1000;
	uint8_t rnd[ID_RANDOM];

	io_random(rnd, sizeof rnd);
	id_make(ms++, rnd, out);
}

static struct identity
child_of(const struct identity *parent)
{
	struct identity id = {.max_depth = 8,
	    .agent = (char *)"reviewer",
	    .scope = (char *)"a b",
	    .audiences = (char *)"[\"https://may.example\"]",
	    .issued_at = NOW,
	    .expires_at = NOW + 900};

	make_id(id.id);
	strcpy(id.root, parent != NULL ? parent->root : id.id);
	if (parent != NULL) {
		strcpy(id.parent, parent->id);
		id.depth = parent->depth + 1;
	}
	return id;
}

static int
add_credential(struct ledger *to, const char *jti, const struct identity *id,
    bool published, struct credential *out)
{
	struct credential c = {.issuer = (char *)"local",
	    .audience = (char *)"https://mcp.example",
	    .kid = "k1",
	    .issued_at = id->issued_at,
	    .expires_at = id->expires_at};

	strcpy(c.jti, jti);
	strcpy(c.identity, id->id);
	if (ledger_add_credential(to, &c, URL, published, &e) < 0)
		return -1;
	if (out != NULL)
		*out = c;
	else
		free(c.status_uri);
	return 0;
}

static int
try_mint(struct ledger *to, const struct identity *id)
{
	if (ledger_begin(to, id->issued_at, &e) < 0 ||
	    ledger_add_identity(to, id, &e) < 0 ||
	    add_credential(to, id->id, id, false, NULL) < 0 ||
	    ledger_add_event(
		to, EVENT_MINTED, id->id, id->root, NULL, &e) < 0)
		return -1;
	return ledger_commit(to, &e);
}

static struct identity
mint(const struct identity *parent)
{
	struct identity id = child_of(parent);

	ok(try_mint(l, &id));
	return id;
}

static int
count_one(const struct identity *id, void *arg)
{
	(void)id;
	++*(int *)arg;
	return 0;
}

static int
selected(struct ledger_filter f)
{
	int n = 0;

	if (f.now == 0)
		f.now = NOW;
	ok(ledger_each(l, &f, count_one, &n, &e));
	return n;
}

static int
end_those(struct ledger_filter f)
{
	int n = 0;

	f.now = NOW;
	ok(ledger_begin(l, NOW, &e));
	ok(ledger_revoke(l, &f, EVENT_REVOKED, "test", count_one, &n, &e));
	ok(ledger_commit(l, &e));
	return n;
}

static bool
is_revoked(const struct identity *id)
{
	struct identity found;
	bool revoked;

	ok(ledger_find(l, id->id, &found, &e));
	revoked = found.revoked_at != 0;
	identity_clear(&found);
	return revoked;
}

struct tally {
	enum event_kind kind;
	int n;
};

static int
tally_event(const struct event *ev, void *arg)
{
	struct tally *t = arg;

	if (ev->kind == t->kind)
		t->n++;
	return 0;
}

static int
events(enum event_kind kind)
{
	struct tally t = {.kind = kind};

	ok(ledger_each_event(l, NULL, 0, 0, tally_event, &t, &e));
	return t.n;
}

static void
sql(const char *text, int want)
{
	scoped(free_string) char *file = xasprintf("%s/ledger.db", path);
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(
	    sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, want);
	sqlite3_close(db);
}

/* --- rows ----------------------------------------------------------- */

START_TEST(gives_back_what_it_took)
{
	struct identity id = child_of(NULL), found;
	struct credential c;

	id.task = (char *)"review";
	id.origin = (char *)"{}";
	id.token_dir = (char *)"/x";
	id.holder = (struct holder){
	    .pid = 7, .start = UINT64_MAX, .pidns = 3, .boot = "b"};
	ok(try_mint(l, &id));
	ok(ledger_find(l, id.id, &found, &e));
	ck_assert_str_eq(found.root, id.id);
	ck_assert_str_eq(found.parent, "");
	ck_assert_str_eq(found.task, "review");
	ck_assert_str_eq(found.scope, "a b");
	ck_assert_str_eq(found.token_dir, "/x");
	ck_assert(found.holder.start == UINT64_MAX);
	ck_assert_str_eq(found.holder.boot, "b");
	ck_assert_int_eq(found.expires_at, NOW + 900);
	ck_assert_int_eq(found.revoked_at, 0);
	ck_assert_ptr_null(found.reason);
	identity_clear(&found);
	ok(ledger_find_credential(l, id.id, &c, &e));
	ck_assert_str_eq(c.identity, id.id);
	ck_assert_str_eq(c.audience, "https://mcp.example");
	ck_assert_ptr_null(c.status_uri);
	credential_clear(&c);
	ck_assert_int_eq(ledger_find(l, "none", &found, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_int_eq(ledger_find_credential(l, "none", &c, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
}
END_TEST

START_TEST(refuses_an_id_twice)
{
	struct identity id = mint(NULL);

	ck_assert_int_eq(try_mint(l, &id), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "exists already"));
	ledger_rollback(l);
	ck_assert_int_eq(selected((struct ledger_filter){0}), 1);
}
END_TEST

START_TEST(a_rollback_leaves_nothing)
{
	struct identity id = child_of(NULL);
	int64_t before, after;

	ok(ledger_epoch(l, &before, &e));
	ok(ledger_begin(l, NOW, &e));
	ok(ledger_add_identity(l, &id, &e));
	ledger_rollback(l);
	ledger_rollback(l);
	ok(ledger_epoch(l, &after, &e));
	ck_assert_int_eq(before, after);
	ck_assert_int_eq(selected((struct ledger_filter){0}), 0);
	ok(ledger_begin(l, NOW, &e));
	ok(ledger_commit(l, &e)); /* and an empty one raises nothing */
	ok(ledger_epoch(l, &after, &e));
	ck_assert_int_eq(before, after);
	mint(NULL);
	ok(ledger_epoch(l, &after, &e));
	ck_assert_int_eq(before + 1, after);
}
END_TEST

START_TEST(keeps_single_values)
{
	char *v;

	ok(ledger_get(l, "x", &v, &e));
	ck_assert_ptr_null(v);
	ok(ledger_begin(l, NOW, &e));
	ok(ledger_set(l, "x", "1", &e));
	ok(ledger_set(l, "x", "it's", &e));
	ok(ledger_commit(l, &e));
	ok(ledger_get(l, "x", &v, &e));
	ck_assert_str_eq(v, "it's");
	free(v);
}
END_TEST

START_TEST(names_the_dead_ancestor)
{
	struct identity a = mint(NULL), b = mint(&a), c = mint(&b), dead;
	struct ledger_filter f = {.id = a.id, .only = true};

	ck_assert_int_eq(ledger_dead_ancestor(l, c.id, NOW, &dead, &e), 0);
	ck_assert_int_eq(end_those(f), 1);
	ck_assert_int_eq(ledger_dead_ancestor(l, c.id, NOW, &dead, &e), 1);
	ck_assert_str_eq(dead.id, a.id);
	identity_clear(&dead);
	ck_assert_int_eq(
	    ledger_dead_ancestor(l, c.id, NOW + 900, &dead, &e), 1);
	ck_assert_str_eq(dead.id, c.id); /* the nearest */
	identity_clear(&dead);
	strcpy(a.id, "01KBUNKNOWN000000000000000");
	a.depth = 0;
	b = mint(&a);
	ck_assert_int_eq(ledger_dead_ancestor(l, b.id, NOW, &dead, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
}
END_TEST

START_TEST(counts_and_audiences)
{
	struct identity a = mint(NULL);
	char jti[ID_LEN + 1];
	cJSON *list;
	int64_t n;

	mint(&a);
	mint(&a);
	ok(ledger_count_children(l, a.id, NOW, &n, &e));
	ck_assert_int_eq(n, 2);
	ok(ledger_count_children(l, a.id, NOW + 900, &n, &e));
	ck_assert_int_eq(n, 0);
	ok(ledger_count_live(l, NOW, &n, &e));
	ck_assert_int_eq(n, 3);
	make_id(jti);
	ok(ledger_begin(l, NOW, &e));
	ok(add_credential(l, jti, &a, false, NULL));
	ok(ledger_commit(l, &e));
	ok(ledger_audiences(l, a.id, &list, &e));
	ck_assert_int_eq(cJSON_GetArraySize(list), 2); /* each once */
	cJSON_Delete(list);
	ck_assert_int_eq(ledger_audiences(l, "none", &list, &e), -1);
}
END_TEST

/* --- revoking ------------------------------------------------------- */

START_TEST(revoking_ends_descendants)
{
	struct identity a = mint(NULL), b = mint(&a), c = mint(&b);
	struct identity other = mint(NULL);
	struct credential cr;
	struct ledger_filter f = {.id = b.id};

	ck_assert_int_eq(end_those(f), 2);
	ck_assert(!is_revoked(&a) && is_revoked(&b) && is_revoked(&c));
	ck_assert(!is_revoked(&other));
	ck_assert_int_eq(events(EVENT_REVOKED), 2);
	ck_assert_int_eq(end_those(f), 0); /* already gone is success */
	ck_assert_int_eq(events(EVENT_REVOKED), 2);
	ok(ledger_find_credential(l, c.id, &cr, &e));
	ck_assert_int_eq(cr.revoked_at, NOW);
	credential_clear(&cr);
	f = (struct ledger_filter){.id = "01KBUNKNOWN000000000000000"};
	ck_assert_int_eq(end_those(f), 0);
}
END_TEST

START_TEST(only_spares_and_a_dead_parent_is_walked_through)
{
	struct identity a = mint(NULL), b = mint(&a), c = mint(&b);
	struct ledger_filter f = {.id = b.id, .only = true};

	ck_assert_int_eq(end_those(f), 1);
	ck_assert(is_revoked(&b) && !is_revoked(&c));
	f.only = false;
	ck_assert_int_eq(end_those(f), 1);
	ck_assert(is_revoked(&c) && !is_revoked(&a));
}
END_TEST

START_TEST(each_selector_selects)
{
	struct identity a = child_of(NULL), b, c;

	a.agent = (char *)"lead";
	a.task = (char *)"t1";
	ok(try_mint(l, &a));
	b = mint(&a);
	c = child_of(NULL);
	c.issued_at = NOW - 100;
	c.holder.pid = 1;
	ok(try_mint(l, &c));

	ck_assert_int_eq(
	    selected((struct ledger_filter){.agent = "lead"}), 1);
	ck_assert_int_eq(selected((struct ledger_filter){.task = "t1"}), 1);
	ck_assert_int_eq(selected((struct ledger_filter){.root = a.id}), 2);
	ck_assert_int_eq(selected((struct ledger_filter){.id = a.id}), 2);
	ck_assert_int_eq(selected((struct ledger_filter){.id = a.id,
			     .agent = "reviewer"}),
	    1);
	ck_assert_int_eq(selected((struct ledger_filter){.kid = "k1"}), 3);
	ck_assert_int_eq(selected((struct ledger_filter){.kid = "k2"}), 0);
	ck_assert_int_eq(selected((struct ledger_filter){.held = true}), 1);
	ck_assert_int_eq(
	    selected((struct ledger_filter){.issued_before = NOW}), 1);
	ck_assert_int_eq(
	    selected((struct ledger_filter){.suffix = b.id + 16}), 1);
	ck_assert_int_eq(selected((struct ledger_filter){.suffix = "%"}), 0);
	ck_assert_int_eq(selected((struct ledger_filter){
			     .state = SELECT_ACTIVE}),
	    3);
	ck_assert_int_eq(selected((struct ledger_filter){
			     .state = SELECT_EXPIRED, .now = NOW + 900}),
	    3);
	/* what an agent spawned ends with it */
	ck_assert_int_eq(end_those((struct ledger_filter){.agent = "lead"}), 2);
	ck_assert_int_eq(selected((struct ledger_filter){
			     .state = SELECT_REVOKED}),
	    2);
	ck_assert_int_eq(end_those((struct ledger_filter){0}), 1);
	ck_assert_int_eq(selected((struct ledger_filter){.held = true}), 0);
}
END_TEST

static int
note_held(const struct identity *id, void *arg)
{
	struct buf *seen = arg;

	ck_assert_str_eq(id->holder.boot, "boot");
	ck_assert_uint_eq(id->holder.start, 70 + (uint64_t)id->holder.pid);
	ck_assert_uint_eq(id->holder.pidns, 9);
	buf_addf(seen, "%d ", (int)id->holder.pid);
	return 0;
}

static void
check_held(int64_t skip, int64_t max, const char *pids)
{
	scoped(buf_free) struct buf seen = {0};

	ok(ledger_each_held(l, skip, max, note_held, &seen, &e));
	ck_assert_str_eq(buf_str(&seen), pids);
}

START_TEST(the_held_are_looked_through)
{
	struct identity id;
	int64_t n;

	for (int pid = 0; pid < 6; pid++) { /* the first has no holder */
		id = child_of(NULL);
		id.holder = (struct holder){
		    .pid = pid, .start = 70 + (uint64_t)pid, .pidns = 9};
		strcpy(id.holder.boot, "boot");
		ok(try_mint(l, &id));
	}
	check_held(0, 0, "1 2 3 4 5 ");
	check_held(0, 2, "1 2 ");
	check_held(3, 0, "4 5 ");
	check_held(3, 9, "4 5 ");
	check_held(5, 1, "");
	end_those((struct ledger_filter){.id = id.id});
	check_held(0, 0, "1 2 3 4 ");
	ok(ledger_count_held(l, &n, &e));
	ck_assert_int_eq(n, 4);
}
END_TEST

START_TEST(a_tree_ends_by_its_root)
{
	struct identity a = mint(NULL), b = mint(&a);

	mint(&b);
	mint(NULL);
	ck_assert_int_eq(end_those((struct ledger_filter){.id = b.id,
			     .only = true}),
	    1);
	ck_assert_int_eq(end_those((struct ledger_filter){.root = a.id}), 2);
}
END_TEST

static int
stop_at_once(const struct identity *id, void *arg)
{
	(void)id, (void)arg;
	return 42;
}

START_TEST(a_callback_ends_the_walk)
{
	struct ledger_filter f = {.now = NOW};

	mint(NULL);
	mint(NULL);
	ck_assert_int_eq(ledger_each(l, &f, stop_at_once, NULL, &e), 42);
	ok(ledger_begin(l, NOW, &e));
	ck_assert_int_eq(ledger_revoke(l, &f, EVENT_SWEPT, NULL, stop_at_once,
			     NULL, &e),
	    42);
	ok(ledger_commit(l, &e));
	ck_assert_int_eq(events(EVENT_SWEPT), 2); /* all of them, even so */
}
END_TEST

/* --- renewal -------------------------------------------------------- */

/* What lifecycle does to renew, at a time. */
static int
extend(const struct identity *id, int64_t now, int64_t expires_at)
{
	ok(ledger_begin(l, now, &e));
	if (ledger_extend(l, id->id, expires_at, &e) < 0) {
		ledger_rollback(l);
		return -1;
	}
	ok(ledger_commit(l, &e));
	return 0;
}

static int64_t
expiry(const struct identity *id)
{
	struct identity found;
	int64_t at;

	ok(ledger_find(l, id->id, &found, &e));
	at = found.expires_at;
	identity_clear(&found);
	return at;
}

static void
prune(int64_t now)
{
	ok(ledger_begin(l, now, &e));
	ok(ledger_prune(l, now, 86400, &e));
	ok(ledger_commit(l, &e));
}

START_TEST(an_expiry_moves_forwards_only)
{
	struct identity a = mint(NULL), child = mint(&a), dead;
	int64_t n;

	ok(extend(&a, NOW + 600, NOW + 1500));
	ck_assert_int_eq(expiry(&a), NOW + 1500);
	ok(extend(&a, NOW + 600, NOW + 1200));
	ck_assert_int_eq(expiry(&a), NOW + 1500);
	ck_assert_int_eq(expiry(&child), NOW + 900);
	ok(ledger_count_live(l, NOW + 1000, &n, &e));
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(
	    ledger_dead_ancestor(l, a.id, NOW + 1000, &dead, &e), 0);
	prune(NOW + 1000);
	ck_assert_int_eq(
	    selected((struct ledger_filter){.state = SELECT_ACTIVE,
		.now = NOW + 1000}),
	    1);
}
END_TEST

START_TEST(what_is_over_is_not_extended)
{
	struct identity revoked = mint(NULL), expired = mint(NULL);
	struct identity unknown = child_of(NULL);

	end_those((struct ledger_filter){.id = revoked.id});
	ck_assert_int_eq(extend(&revoked, NOW, NOW + 1500), -1);
	ck_assert_int_eq(e.code, ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(e.text, " was revoked at 20"));
	ck_assert_int_eq(expiry(&revoked), NOW + 900);
	/* before housekeeping comes to it, and after */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(extend(&expired, NOW + 900, NOW + 1500), -1);
		ck_assert_int_eq(e.code, ERR_DENIED);
		ck_assert_ptr_nonnull(strstr(e.text, " expired at 20"));
		prune(NOW + 900);
	}
	ck_assert_int_eq(extend(&unknown, NOW, NOW + 1500), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
}
END_TEST

START_TEST(a_holder_that_slept_comes_back)
{
	struct identity held = child_of(NULL);

	held.holder.pid = 1;
	ok(try_mint(l, &held));
	prune(NOW + 50000);
	ok(extend(&held, NOW + 50000, NOW + 50900));
	ck_assert_int_eq(
	    selected((struct ledger_filter){.state = SELECT_ACTIVE,
		.now = NOW + 50000}),
	    1);
	end_those((struct ledger_filter){.id = held.id});
	ck_assert_int_eq(extend(&held, NOW + 50000, NOW + 90000), -1);
}
END_TEST

static int64_t
credential_revoked_at(const char *jti, const char *word)
{
	struct credential c;
	int64_t at;

	ok(ledger_find_credential(l, jti, &c, &e));
	ck_assert_str_eq(c.revocation, word);
	at = c.revoked_at;
	credential_clear(&c);
	return at;
}

/* Three that overlap, of which the first has expired when the run ends. */
START_TEST(revoking_ends_superseded_credentials)
{
	struct identity run = mint(NULL), other = mint(NULL);
	char jti[2][ID_LEN + 1];
	int64_t at = NOW + 1000;
	struct ledger_filter f = {.id = run.id, .now = at};

	for (int i = 0; i < 2; i++) {
		make_id(jti[i]);
		run.issued_at = NOW + 600 + 300 * i;
		run.expires_at = run.issued_at + 900;
		ok(ledger_begin(l, run.issued_at, &e));
		ok(add_credential(l, jti[i], &run, false, NULL));
		ok(ledger_extend(l, run.id, run.expires_at, &e));
		ok(ledger_commit(l, &e));
	}
	ok(ledger_begin(l, at, &e));
	ok(ledger_revoke(l, &f, EVENT_REVOKED, "t", NULL, NULL, &e));
	ok(ledger_commit(l, &e));
	ck_assert_int_eq(credential_revoked_at(run.id, "none"), 0);
	ck_assert_int_eq(credential_revoked_at(jti[0], "done"), at);
	ck_assert_int_eq(credential_revoked_at(jti[1], "done"), at);
	ck_assert_int_eq(credential_revoked_at(other.id, "none"), 0);
}
END_TEST

/* --- how commands ended --------------------------------------------- */

static void
set_outcome(const char *id, const struct outcome *o)
{
	ok(ledger_begin(l, NOW, &e));
	ok(ledger_set_outcome(l, id, o, &e));
	ok(ledger_commit(l, &e));
}

START_TEST(keeps_how_a_command_ended)
{
	struct identity run = mint(NULL), other = mint(NULL);
	struct outcome o = {.ended_at = NOW + 1, .status = 7}, found;

	ck_assert_int_eq(ledger_find_outcome(l, run.id, &found, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ledger_rehearse_revocation(l);
	set_outcome(run.id, &o);
	ok(ledger_find_outcome(l, run.id, &found, &e));
	ck_assert_int_eq(found.ended_at, NOW + 1);
	ck_assert_int_eq(found.status, 7);
	ck_assert_int_eq(found.signal, 0);
	ck_assert(!found.timed_out);
	ck_assert_ptr_null(found.left);
	o = (struct outcome){.ended_at = NOW + 2,
	    .status = -1,
	    .signal = 15,
	    .timed_out = true,
	    .left = (char *)"pid 71 (sudo)"};
	set_outcome(run.id, &o); /* in the place of the first */
	ok(ledger_find_outcome(l, run.id, &found, &e));
	ck_assert_int_eq(found.ended_at, NOW + 2);
	ck_assert_int_eq(found.status, -1);
	ck_assert_int_eq(found.signal, 15);
	ck_assert(found.timed_out);
	ck_assert_str_eq(found.left, "pid 71 (sudo)");
	outcome_clear(&found);
	ck_assert_ptr_null(found.left);
	outcome_clear(&found);
	ck_assert_int_eq(ledger_find_outcome(l, other.id, &found, &e), -1);
}
END_TEST

START_TEST(an_outcome_goes_with_its_run)
{
	struct identity run = mint(NULL), unknown = child_of(NULL);
	struct outcome o = {.ended_at = NOW + 1}, found;

	set_outcome(run.id, &o);
	set_outcome(unknown.id, &o); /* nothing is kept */
	ck_assert_int_eq(ledger_find_outcome(l, unknown.id, &found, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	prune(NOW + 900);
	ok(ledger_find_outcome(l, run.id, &found, &e));
	prune(NOW + 900 + 86400 + 1);
	ck_assert_int_eq(ledger_find_outcome(l, run.id, &found, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
}
END_TEST

/* --- status indexes ------------------------------------------------- */

START_TEST(no_index_is_given_twice)
{
	static bool seen[65536];
	struct identity id = mint(NULL);

	memset(seen, 0, sizeof seen);
	ok(ledger_begin(l, NOW, &e));
	for (int i = 0; i < 3000; i++) {
		struct credential c;
		char jti[ID_LEN + 1];

		make_id(jti);
		ok(add_credential(l, jti, &id, true, &c));
		ck_assert_ptr_nonnull(strstr(c.status_uri, URL "/status/"));
		ck_assert_uint_lt(c.status_index, 65536);
		ck_assert(!seen[c.status_index]);
		seen[c.status_index] = true;
		free(c.status_uri);
	}
	ok(ledger_commit(l, &e));
}
END_TEST

START_TEST(a_full_list_gets_a_successor)
{
	struct identity id = mint(NULL);
	struct credential first, second;
	char jti[ID_LEN + 1];

	ok(ledger_begin(l, NOW, &e));
	make_id(jti);
	ok(add_credential(l, jti, &id, true, &first));
	ok(ledger_commit(l, &e));
	sql("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 65535) INSERT OR IGNORE INTO credential(jti,"
	    " identity, issuer, form, subject_is_agent, alg, kid, audience,"
	    " issued_at, expires_at, published, list, idx) SELECT"
	    " 'fill' || i, 'x', 'local', 0, 0, 0, '', '', 0, 0, 0, 1, i"
	    " FROM n",
	    1);
	ok(ledger_begin(l, NOW, &e));
	make_id(jti);
	ok(add_credential(l, jti, &id, true, &second));
	ok(ledger_commit(l, &e));
	ck_assert_str_ne(first.status_uri, second.status_uri);
	free(first.status_uri);
	free(second.status_uri);
}
END_TEST

/* --- housekeeping and events ---------------------------------------- */

START_TEST(pruning_closes_then_drops)
{
	struct identity a = mint(NULL), held = child_of(NULL), found;
	struct credential c;
	int64_t later = NOW + 900 + 86400 + 1;

	held.holder.pid = 1;
	ok(try_mint(l, &held));
	ok(ledger_begin(l, NOW + 900, &e));
	ok(ledger_prune(l, NOW + 900, 86400, &e));
	ok(ledger_commit(l, &e));
	ck_assert_int_eq(events(EVENT_EXPIRED), 1);
	ok(ledger_find(l, a.id, &found, &e)); /* lineage outlives expiry */
	identity_clear(&found);
	ok(ledger_begin(l, later, &e));
	ok(ledger_prune(l, later, 86400, &e));
	ok(ledger_commit(l, &e));
	ck_assert_int_eq(ledger_find(l, a.id, &found, &e), -1);
	ck_assert_int_eq(ledger_find_credential(l, a.id, &c, &e), -1);
	/* a holder's row ends by revocation or sweep */
	ok(ledger_find(l, held.id, &found, &e));
	identity_clear(&found);
	ck_assert_int_eq(events(EVENT_MINTED), 0);
	ck_assert_int_eq(selected((struct ledger_filter){.held = true}), 1);
}
END_TEST

START_TEST(events_are_append_only)
{
	mint(NULL);
	ck_assert_int_eq(events(EVENT_MINTED), 1);
	sql("UPDATE event SET kind = 'revoked'", 0);
	ck_assert_int_eq(events(EVENT_MINTED), 1);
	ck_assert_str_eq(event_name(EVENT_EXPIRED), "expired-unrevoked");
}
END_TEST

/* --- restored backups ----------------------------------------------- */

static void
copy(const char *from, const char *to)
{
	scoped(buf_free) struct buf bytes = {0};

	unlinkat(home.fd, to, 0);
	ok(io_read_file(home.fd, from, 1 << 24, &bytes, &e));
	ok(io_create_file(
	    home.fd, to, 0600, bytes.ptr, bytes.len, false, &e));
}

START_TEST(a_restored_ledger_revokes_all)
{
	struct identity a = mint(NULL), b = mint(NULL), after;
	struct credential c, d;
	int64_t epoch;

	ok(ledger_begin(l, NOW, &e));
	after = child_of(NULL);
	ok(add_credential(l, after.id, &a, true, &c));
	ok(ledger_commit(l, &e));
	ledger_close(l);
	copy("ledger.db", "backup");
	ok(ledger_open(&home, LEDGER_WRITE, "t", &l, &e));
	ck_assert(!ledger_was_restored(l));
	ck_assert_int_eq(end_those((struct ledger_filter){.id = a.id}), 1);
	ok(ledger_epoch(l, &epoch, &e));
	ledger_close(l);
	copy("backup", "ledger.db");
	l = NULL;
	ck_assert_int_eq(
	    ledger_open(&home, LEDGER_READ, "t", &l, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "restored from a backup"));
	ok(ledger_open(&home, LEDGER_WRITE, "t", &l, &e));
	ck_assert(is_revoked(&a) && is_revoked(&b));
	ck_assert(ledger_was_restored(l));
	ck_assert(!ledger_was_restored(l)); /* said once */
	ck_assert_int_eq(events(EVENT_RESTORED), 1);
	{
		int64_t now_at;

		ok(ledger_epoch(l, &now_at, &e));
		ck_assert_int_gt(now_at, epoch);
	}
	b = mint(NULL);
	ok(ledger_begin(l, NOW, &e));
	after = child_of(NULL);
	ok(add_credential(l, after.id, &b, true, &d));
	ok(ledger_commit(l, &e));
	ck_assert_str_ne(c.status_uri, d.status_uri);
	free(c.status_uri);
	free(d.status_uri);
	reopen(LEDGER_WRITE);
	ck_assert(!ledger_was_restored(l));
	ck_assert(!is_revoked(&b));
}
END_TEST

START_TEST(a_torn_witness_bears_no_witness)
{
	static const char *const torn[] = {"", "x",
	    "00000000000000000009 00000000000000000008\n",
	    "99999999999999999999 99999999999999999999\n",
	    "00000000000000000009", "-9999999 -9999999\n"};
	struct identity a = mint(NULL);

	for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
		ok(io_replace_file(home.fd, "witness", 0600, torn[i],
		    strlen(torn[i]), false, &e));
		reopen(LEDGER_WRITE);
		ck_assert(!is_revoked(&a));
	}
	unlinkat(home.fd, "witness", 0);
	reopen(LEDGER_WRITE);
	ck_assert(!is_revoked(&a));
}
END_TEST

/* --- opening -------------------------------------------------------- */

START_TEST(its_files_are_0600)
{
	static const char *const names[] = {
	    "ledger.db", "ledger.db-wal", "ledger.db-shm", "witness"};
	struct stat st;

	mint(NULL);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(fstatat(home.fd, names[i], &st, 0), 0);
		ck_assert_int_eq(st.st_mode & 07777, 0600);
	}
}
END_TEST

START_TEST(only_create_creates)
{
	ledger_close(l);
	l = NULL;
	unlinkat(home.fd, "ledger.db", 0);
	ck_assert_int_eq(ledger_open(&home, LEDGER_WRITE, "t", &l, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_int_eq(ledger_open(&home, LEDGER_READ, "t", &l, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_int_eq(faccessat(home.fd, "ledger.db", F_OK, 0), -1);
	/* an empty file is one whose maker died */
	ok(io_create_file(home.fd, "ledger.db", 0600, "", 0, false, &e));
	ck_assert_int_eq(ledger_open(&home, LEDGER_WRITE, "t", &l, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ok(ledger_open(&home, LEDGER_CREATE, "t", &l, &e));
	mint(NULL);
}
END_TEST

START_TEST(says_that_it_is_corrupt)
{
	char junk[8192];

	ledger_close(l);
	l = NULL;
	memset(junk, 'x', sizeof junk);
	ok(io_replace_file(
	    home.fd, "ledger.db", 0600, junk, sizeof junk, false, &e));
	ck_assert_int_eq(ledger_open(&home, LEDGER_CREATE, "t", &l, &e), -1);
	ck_assert_int_eq(e.code, ERR_SYSTEM);
	ck_assert_ptr_nonnull(
	    strstr(e.text, "/ledger.db': file is not a database"));
	ck_assert_int_eq(ledger_open(&home, LEDGER_READ, "t", &l, &e), -1);
	ck_assert_int_eq(e.code, ERR_SYSTEM);
}
END_TEST

START_TEST(refuses_a_link)
{
	ledger_close(l);
	l = NULL;
	ck_assert_int_eq(
	    renameat(home.fd, "ledger.db", home.fd, "elsewhere"), 0);
	ck_assert_int_eq(symlinkat("elsewhere", home.fd, "ledger.db"), 0);
	ck_assert_int_eq(ledger_open(&home, LEDGER_CREATE, "t", &l, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "not a file"));
}
END_TEST

/* As who keeps it open finds it: nobody reads what is written there. */
START_TEST(a_ledger_that_is_gone_takes_no_more)
{
	mint(NULL);
	ck_assert_int_eq(
	    renameat(home.fd, "ledger.db", home.fd, "elsewhere"), 0);
	ck_assert_int_eq(ledger_begin(l, NOW, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "moved or removed"));
	ck_assert_int_eq(
	    renameat(home.fd, "elsewhere", home.fd, "ledger.db"), 0);
	ok(ledger_begin(l, NOW, &e));
	ledger_rollback(l);
}
END_TEST

/* As a guardian sees it, whose connection is older than the migration. */
START_TEST(a_newer_schema_is_noticed_in_a_transaction)
{
	struct identity a = mint(NULL);

	sql("PRAGMA user_version = 3", 1);
	ok(ledger_begin(l, NOW, &e));
	ck_assert(ledger_is_newer(l) && !ledger_can_mint(l));
	ledger_rollback(l);
	ck_assert_int_eq(end_those((struct ledger_filter){.id = a.id}), 1);
}
END_TEST

START_TEST(a_newer_schema_still_revokes)
{
	struct identity a = mint(NULL);

	ck_assert(ledger_can_mint(l));
	ledger_close(l);
	sql("ALTER TABLE identity ADD COLUMN novelty TEXT;"
	    "PRAGMA user_version = 3",
	    1);
	ok(ledger_open(&home, LEDGER_CREATE, "t", &l, &e));
	ck_assert(!ledger_can_mint(l));
	ck_assert_int_eq(selected((struct ledger_filter){0}), 1);
	ck_assert_int_eq(end_those((struct ledger_filter){.id = a.id}), 1);
}
END_TEST

/* The ledger that version 0.1.0 left, of one moment with its witness. */
#define FROZEN_RUN "01KDWPWWJ0P9PQW269N5624YVA"

static void
thaw(void)
{
	static const char *const names[] = {"ledger.db", "witness"};
	const char *srcdir = getenv("srcdir");
	scoped(free_string) char *from = xasprintf(
	    "%s/tests/vectors/v1/home", srcdir != NULL ? srcdir : ".");
	scoped(close_fd) int dir = open(from, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(dir, 0);
	ledger_close(l);
	l = NULL;
	unlinkat(home.fd, "ledger.db-wal", 0);
	unlinkat(home.fd, "ledger.db-shm", 0);
	for (int i = 0; i < 2; i++) {
		scoped(buf_free) struct buf bytes = {0};

		unlinkat(home.fd, names[i], 0);
		ok(io_read_file(dir, names[i], 1 << 24, &bytes, &e));
		ok(io_create_file(home.fd, names[i], 0600, bytes.ptr,
		    bytes.len, false, &e));
	}
}

static int
version(void)
{
	scoped(free_string) char *file = xasprintf("%s/ledger.db", path);
	sqlite3_stmt *st;
	sqlite3 *db;
	int v;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(
			     db, "PRAGMA user_version", -1, &st, NULL),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

START_TEST(who_can_write_migrates)
{
	static const enum ledger_mode modes[] = {LEDGER_WRITE, LEDGER_CREATE};
	struct outcome o = {.ended_at = NOW, .status = 3}, found;

	ck_assert_int_eq(version(), 2); /* a new one */
	for (int i = 0; i < 2; i++) {
		int64_t before, after;

		thaw();
		ck_assert_int_eq(version(), 1);
		ok(ledger_open(&home, LEDGER_READ, "t", &l, &e));
		ck_assert_int_eq(version(), 1);
		ok(ledger_epoch(l, &before, &e));
		ck_assert_int_eq(
		    ledger_find_outcome(l, FROZEN_RUN, &found, &e), -1);
		ck_assert_int_eq(e.code, ERR_MISSING);
		reopen(modes[i]);
		ck_assert_int_eq(version(), 2);
		ok(ledger_epoch(l, &after, &e));
		ck_assert_int_eq(before, after);
		ck_assert_int_eq(selected((struct ledger_filter){0}), 13);
		set_outcome(FROZEN_RUN, &o);
		mint(NULL);
		reopen(modes[i]);
		ck_assert(ledger_can_mint(l) && !ledger_was_restored(l));
		ok(ledger_find_outcome(l, FROZEN_RUN, &found, &e));
		ck_assert_int_eq(found.status, 3);
	}
}
END_TEST

/* A statement that a program of version 1 prepared before the migration. */
START_TEST(an_open_ledger_is_migrated_beneath)
{
	scoped(free_string) char *file = xasprintf("%s/ledger.db", path);
	struct outcome o = {.ended_at = NOW}, found;
	sqlite3_stmt *st;
	sqlite3 *old;

	thaw();
	ck_assert_int_eq(sqlite3_open(file, &old), SQLITE_OK);
	ck_assert_int_eq(
	    sqlite3_prepare_v2(old,
		"DELETE FROM identity WHERE id = '" FROZEN_RUN "'", -1, &st,
		NULL),
	    SQLITE_OK);
	ok(ledger_open(&home, LEDGER_WRITE, "t", &l, &e));
	set_outcome(FROZEN_RUN, &o);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
	sqlite3_close(old);
	/* and it takes the outcome with it */
	ck_assert_int_eq(ledger_find_outcome(l, FROZEN_RUN, &found, &e), -1);
	ck_assert_int_eq(selected((struct ledger_filter){0}), 12);
}
END_TEST

/* A table in the way stands for whatever may go wrong. */
START_TEST(revoking_does_not_wait_for_a_migration)
{
	struct outcome o = {.ended_at = NOW};

	thaw();
	sql("CREATE TABLE outcome(x)", 1);
	ck_assert_int_eq(ledger_open(&home, LEDGER_CREATE, "t", &l, &e), -1);
	ck_assert_int_eq(e.code, ERR_SYSTEM);
	ok(ledger_open(&home, LEDGER_WRITE, "t", &l, &e));
	set_outcome(FROZEN_RUN, &o); /* is lost, and does no harm */
	ck_assert_int_eq(
	    end_those((struct ledger_filter){.id = FROZEN_RUN}), 1);
	ck_assert_int_eq(version(), 1);
}
END_TEST

/* As another user, for nothing is read-only to root. */
static void
in_a_read_only_home(int rows)
{
	struct outcome found;

	if (geteuid() == 0 && setuid(NOBODY) < 0)
		_exit(2);
	home_close(&home);
	ok(home_open(path, false, &home, &e));
	ck_assert_int_eq(ledger_open(&home, LEDGER_WRITE, "t", &l, &e), -1);
	ck_assert_int_eq(e.code, ERR_SYSTEM);
	ok(ledger_open(&home, LEDGER_READ, "t", &l, &e));
	ck_assert(ledger_is_read_only(l) && !ledger_can_mint(l));
	ck_assert_int_eq(selected((struct ledger_filter){0}), rows);
	ck_assert_int_eq(ledger_find_outcome(l, FROZEN_RUN, &found, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_int_eq(ledger_begin(l, NOW, &e), -1);
	ledger_close(l);
	_exit(0);
}

static void
wait_for(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int
give_away(const char *name, const struct stat *st, int type, struct FTW *w)
{
	(void)type, (void)w;
	if (geteuid() == 0 && lchown(name, NOBODY, NOBODY) < 0)
		return -1;
	return chmod(name, S_ISDIR(st->st_mode) ? 0500 : 0400);
}

static void
read_in_a_read_only_home(int rows)
{
	pid_t pid;

	ledger_close(l);
	l = NULL;
	unlinkat(home.fd, "ledger.db-shm", 0);
	unlinkat(home.fd, "ledger.db-wal", 0);
	ck_assert_int_eq(chmod(folder, 0711), 0);
	ck_assert_int_eq(nftw(path, give_away, 16, FTW_PHYS), 0);
	if ((pid = fork()) == 0)
		in_a_read_only_home(rows);
	wait_for(pid);
	chmod(path, 0700);
}

START_TEST(a_read_only_home_can_be_read)
{
	mint(NULL);
	read_in_a_read_only_home(1);
}
END_TEST

START_TEST(and_so_can_an_old_one)
{
	thaw();
	read_in_a_read_only_home(13);
	ck_assert_int_eq(version(), 1);
}
END_TEST

/* --- several processes ---------------------------------------------- */

#define CREATORS 6
#define WRITERS 8
#define WRITES 40

static void
create_and_mint(int gate)
{
	struct ledger *mine;
	struct identity id = child_of(NULL);
	char c;

	if (read(gate, &c, 1) != 0)
		_exit(2);
	if (ledger_open(&home, LEDGER_CREATE, "t", &mine, &e) < 0 ||
	    try_mint(mine, &id) < 0) {
		fprintf(stderr, "%s\n", e.text);
		_exit(1);
	}
	ledger_close(mine);
	_exit(0);
}

static void
create_at_once(void)
{
	pid_t pids[CREATORS];
	int gate[2];

	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	for (int i = 0; i < CREATORS; i++)
		if ((pids[i] = fork()) == 0) {
			close(gate[1]);
			create_and_mint(gate[0]);
		}
	close(gate[1]);
	close(gate[0]);
	for (int i = 0; i < CREATORS; i++)
		wait_for(pids[i]);
	ok(ledger_open(&home, LEDGER_WRITE, "t", &l, &e));
}

START_TEST(several_create_at_once)
{
	for (int round = 0; round < 10; round++) {
		ledger_close(l);
		l = NULL;
		unlinkat(home.fd, "ledger.db", 0);
		unlinkat(home.fd, "ledger.db-wal", 0);
		unlinkat(home.fd, "ledger.db-shm", 0);
		unlinkat(home.fd, "witness", 0);
		create_at_once();
		ck_assert_int_eq(
		    selected((struct ledger_filter){0}), CREATORS);
	}
}
END_TEST

/* Who has the turn and does nothing with it (it was stopped) holds others up
 * for as long as they are patient, and from nothing. */
START_TEST(a_turn_is_courtesy)
{
	scoped(close_fd) int other =
	    open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(flock(other, LOCK_EX), 0);
	ledger_set_patience(l, 100);
	ok(ledger_begin(l, NOW, &e));
	ok(ledger_commit(l, &e));
	flock(other, LOCK_UN);
	for (int i = 0; i < 2; i++) {
		ok(ledger_begin(l, NOW, &e));
		ck_assert_int_lt(flock(other, LOCK_EX | LOCK_NB), 0);
		if (i == 0)
			ok(ledger_commit(l, &e));
		else
			ledger_rollback(l);
		ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
		flock(other, LOCK_UN);
	}
}
END_TEST

/* And where the ledger itself is kept locked it is not waited for twice. */
START_TEST(a_kept_ledger_is_busy)
{
	struct ledger *other;

	ok(ledger_open(&home, LEDGER_WRITE, "other", &other, &e));
	ok(ledger_begin(other, NOW, &e));
	ledger_set_patience(l, 100);
	ck_assert_int_eq(ledger_begin(l, NOW, &e), -1);
	ck_assert_str_eq(e.text, "ledger is busy");
	ledger_close(other);
	ok(ledger_begin(l, NOW, &e));
	ledger_rollback(l);
}
END_TEST

START_TEST(several_migrate_at_once)
{
	for (int round = 0; round < 10; round++) {
		thaw();
		create_at_once();
		ck_assert_int_eq(version(), 2);
		ck_assert_int_eq(
		    selected((struct ledger_filter){0}), 13 + CREATORS);
	}
}
END_TEST

/* Half of them as one-shot programs do it, opening and closing each time. */
static void
write_much(int nth)
{
	struct ledger *mine = NULL;

	for (int i = 0; i < WRITES; i++) {
		struct identity id = child_of(NULL);

		if ((mine == NULL &&
			ledger_open(&home, LEDGER_CREATE, "t", &mine, &e) <
			    0) ||
		    try_mint(mine, &id) < 0) {
			fprintf(stderr, "%s\n", e.text);
			_exit(1);
		}
		if (nth % 2 == 0) {
			ledger_close(mine);
			mine = NULL;
		}
	}
	ledger_close(mine);
	_exit(0);
}

START_TEST(writers_wait_for_each_other)
{
	pid_t pids[WRITERS];
	int64_t epoch;

	ledger_close(l);
	l = NULL;
	for (int i = 0; i < WRITERS; i++)
		if ((pids[i] = fork()) == 0)
			write_much(i);
	for (int i = 0; i < WRITERS; i++)
		wait_for(pids[i]);
	ok(ledger_open(&home, LEDGER_WRITE, "t", &l, &e));
	ck_assert_int_eq(
	    selected((struct ledger_filter){0}), WRITERS * WRITES);
	ok(ledger_epoch(l, &epoch, &e));
	ck_assert_int_eq(epoch, WRITERS * WRITES);
	ck_assert(!ledger_was_restored(l));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ledger");
	TCase *t = tcase_create("ledger");
	SRunner *r;
	int failed;

	umask(0);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, gives_back_what_it_took);
	tcase_add_test(t, refuses_an_id_twice);
	tcase_add_test(t, a_rollback_leaves_nothing);
	tcase_add_test(t, keeps_single_values);
	tcase_add_test(t, names_the_dead_ancestor);
	tcase_add_test(t, counts_and_audiences);
	tcase_add_test(t, revoking_ends_descendants);
	tcase_add_test(
	    t, only_spares_and_a_dead_parent_is_walked_through);
	tcase_add_test(t, each_selector_selects);
	tcase_add_test(t, the_held_are_looked_through);
	tcase_add_test(t, a_tree_ends_by_its_root);
	tcase_add_test(t, a_callback_ends_the_walk);
	tcase_add_test(t, an_expiry_moves_forwards_only);
	tcase_add_test(t, what_is_over_is_not_extended);
	tcase_add_test(t, a_holder_that_slept_comes_back);
	tcase_add_test(t, revoking_ends_superseded_credentials);
	tcase_add_test(t, keeps_how_a_command_ended);
	tcase_add_test(t, an_outcome_goes_with_its_run);
	tcase_add_test(t, no_index_is_given_twice);
	tcase_add_test(t, a_full_list_gets_a_successor);
	tcase_add_test(t, pruning_closes_then_drops);
	tcase_add_test(t, events_are_append_only);
	tcase_add_test(t, a_restored_ledger_revokes_all);
	tcase_add_test(t, a_torn_witness_bears_no_witness);
	tcase_add_test(t, its_files_are_0600);
	tcase_add_test(t, only_create_creates);
	tcase_add_test(t, says_that_it_is_corrupt);
	tcase_add_test(t, refuses_a_link);
	tcase_add_test(t, a_ledger_that_is_gone_takes_no_more);
	tcase_add_test(t, a_newer_schema_is_noticed_in_a_transaction);
	tcase_add_test(t, a_newer_schema_still_revokes);
	tcase_add_test(t, who_can_write_migrates);
	tcase_add_test(t, an_open_ledger_is_migrated_beneath);
	tcase_add_test(t, revoking_does_not_wait_for_a_migration);
	tcase_add_test(t, a_read_only_home_can_be_read);
	tcase_add_test(t, and_so_can_an_old_one);
	tcase_add_test(t, several_create_at_once);
	tcase_add_test(t, several_migrate_at_once);
	tcase_add_test(t, a_turn_is_courtesy);
	tcase_add_test(t, a_kept_ledger_is_busy);
	tcase_add_test(t, writers_wait_for_each_other);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
