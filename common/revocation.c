#include "config.h"

#include "revocation.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "record.h"

#define PROGRESS_STEP 64

/* --- saying what was done ---------------------------------------------- */

static void
count(struct revocation *r)
{
	r->done++;
	if (r->progress && r->done % PROGRESS_STEP == 0)
		fprintf(stderr, "\r%zu revoked", r->done);
}

static int
print_one(const struct identity *id, void *arg)
{
	struct revocation *r = arg;
	scoped(free_json) cJSON *record = NULL;
	scoped(buf_free) struct buf agent = {0};
	struct err e;

	count(r);
	if (r->common->quiet)
		return 0;
	if (r->common->json) {
		if (record_identity(r->lc.ledger, id, lifecycle_now(&r->lc),
			&record, &e) < 0)
			cli_die(&e);
		record_print_json(record);
		return 0;
	}
	record_clean(id->agent, &agent);
	printf("%s %s  %s\n", r->dry_run ? "would revoke" : "revoked", id->id,
	    buf_str(&agent));
	return 0;
}

/* --- a dry run ---------------------------------------------------------- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* What was revoked once would not be a second time. */
static int
print_once(const struct identity *id, void *arg)
{
	struct revocation *r = arg;
	char *copy = xstrdup(id->id);
	char **found = tsearch(copy, &r->seen, by_text);

	if (found != NULL && *found == copy)
		return print_one(id, r);
	free(copy);
	return 0;
}

/* The descendants, which revoking takes along whoever was selected. */
static int
print_tree(const struct identity *id, void *arg)
{
	struct revocation *r = arg;
	const struct ledger_filter f = {.state = SELECT_ACTIVE,
	    .id = id->id,
	    .only = r->only,
	    .now = lifecycle_now(&r->lc)};
	struct err e;

	if (ledger_each(r->lc.ledger, &f, print_once, r, &e) < 0)
		cli_die(&e);
	return 0;
}

/* --- what is meant ------------------------------------------------------ */

static int
revoke_filter(struct revocation *r, struct ledger_filter *f)
{
	const char *why = r->reason != NULL ? r->reason : "by ephid-revoke";
	struct err e;
	size_t n;
	int result;

	f->now = lifecycle_now(&r->lc);
	f->only = r->only;
	if (r->dry_run) {
		f->state = SELECT_ACTIVE;
		result = ledger_each(r->lc.ledger, f,
		    f->id != NULL ? print_once : print_tree, r, &e);
	} else {
		result = lifecycle_revoke(&r->lc, f, why, print_one, r, &n, &e);
	}
	return result < 0 ? cli_report(&e) : 0;
}

static int
not_found(struct revocation *r, const struct err *e)
{
	return r->if_exists && e->code == ERR_MISSING ? 0 : cli_report(e);
}

/* The token must be ours; that it is over does not matter. */
static int
revoke_token(struct revocation *r, const struct buf *token, const char *name)
{
	const struct verify_request rq = {.token = buf_str(token),
	    .len = token->len,
	    .status = STATUS_NONE,
	    .any_time = true};
	char id[ID_LEN + 1];
	struct verdict v;
	struct err e;

	if (lifecycle_verify(&r->lc, &rq, &v, &e) < 0)
		return cli_report(&e);
	if (v.word != JWT_VALID) {
		err_set(&e, ERR_INVALID, "%s: %s%s%s", name,
		    jwt_verdict_word(v.word), *v.detail ? ": " : "", v.detail);
		verdict_clear(&v);
		return cli_report(&e);
	}
	if (lifecycle_resolve(&r->lc, v.id, id, &e) < 0) {
		verdict_clear(&v);
		return not_found(r, &e);
	}
	verdict_clear(&v);
	return revoke_filter(r, &(struct ledger_filter){.id = id});
}

static int
revoke_operand(const char *operand, void *arg)
{
	struct revocation *r = arg;
	scoped(buf_free) struct buf token = {0};
	char id[ID_LEN + 1];
	struct err e;

	if (strchr(operand, '/') != NULL) {
		if (cli_read_token(operand, &token, &e) < 0)
			return cli_report(&e);
		return revoke_token(r, &token, operand);
	}
	if (cli_is_token(operand)) {
		buf_adds(&token, operand);
		return revoke_token(r, &token, "token");
	}
	if (lifecycle_resolve(&r->lc, operand, id, &e) < 0)
		return not_found(r, &e);
	return revoke_filter(r, &(struct ledger_filter){.id = id});
}

int
revocation_of_operands(struct revocation *r, int n, char *const *operands)
{
	return cli_each_operand(n, operands, revoke_operand, r);
}

/* Not 0, which for a filter is any time: who asks for what is as old as the
 * clock means nothing, and not everything. */
static int64_t
before(const struct lifecycle *lc, int64_t age_ms)
{
	int64_t t = clock_add(lc->now_ms, -age_ms) / CLOCK_SECOND;

	return t > 0 ? t : 1;
}

int
revocation_of_selected(struct revocation *r, const struct selection *s)
{
	struct ledger_filter f = {.task = s->task};
	scoped(free_string) char *agent = NULL;
	char root[ID_LEN + 1];
	struct err e;

	if (s->agent != NULL && agent_parse(s->agent, &agent, &e) < 0)
		return cli_report(&e);
	f.agent = agent;
	if (s->older_than >= 0)
		f.issued_before = before(&r->lc, s->older_than);
	if (s->root != NULL) {
		if (lifecycle_root(&r->lc, s->root, root, &e) < 0)
			return not_found(r, &e);
		f.root = root;
	}
	return revoke_filter(r, &f);
}

/* --- sweeping ---------------------------------------------------------- */

static int
print_dead(const struct identity *id, void *arg)
{
	struct revocation *r = arg;

	return home_probe_run(&r->lc.home, id->id, NULL) == RUN_DEAD
	    ? print_tree(id, r)
	    : 0;
}

int
revocation_of_dead(struct revocation *r)
{
	const struct ledger_filter f = {
	    .state = SELECT_ACTIVE, .held = true, .now = lifecycle_now(&r->lc)};
	struct err e;
	size_t n;

	if (r->dry_run)
		return ledger_each(r->lc.ledger, &f, print_dead, r, &e) < 0
		    ? cli_report(&e)
		    : 0;
	if (ledger_is_read_only(r->lc.ledger)) {
		err_set(&e, ERR_SYSTEM, "'%s' cannot be written to",
		    r->lc.home.path);
		return cli_report(&e);
	}
	if (lifecycle_sweep(&r->lc, 0, &n, &e) < 0)
		return cli_report(&e);
	if (!r->common->quiet)
		printf(
		    r->common->json ? "{\"swept\":%zu}\n" : "swept %zu\n", n);
	return 0;
}

/* --- open and close ------------------------------------------------------ */

/* A dry run changes nothing, and a sweep is to count what it finds itself:
 * neither may begin with the habitual sweep. */
int
revocation_open(struct revocation *r, bool sweeps, struct err *e)
{
	const struct lifecycle_where where = {.program = cli_program(),
	    .home = r->common->home,
	    .mode = r->dry_run ? LEDGER_READ : LEDGER_WRITE,
	    .now_ms = clock_now_ms(),
	    .only_ends = true};

	r->progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) &&
	    !r->common->quiet;
	if (lifecycle_open(&where, &r->lc, e) < 0)
		return -1;
	if (r->lc.unread.code != ERR_NONE)
		cli_warn("%s; revoking without it", r->lc.unread.text);
	if (sweeps)
		cli_say_restored(&r->lc);
	else if (!r->dry_run)
		cli_sweep(&r->lc);
	return 0;
}

void
revocation_close(struct revocation *r)
{
	if (r->progress && r->done >= PROGRESS_STEP)
		fprintf(stderr, "\r%zu revoked\n", r->done);
	tdestroy(r->seen, free);
	lifecycle_close(&r->lc);
}
