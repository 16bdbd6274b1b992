#include "config.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "record.h"

static const char help[] =
    "usage: ephid-revoke [OPTIONS] OPERAND...\n"
    "       ephid-revoke [OPTIONS] --root ID | --task TEXT | --agent NAME |\n"
    "                    --older-than DURATION | --all\n"
    "       ephid-revoke [OPTIONS] --sweep\n"
    "\n"
    "Revokes identities and their descendants. An OPERAND is an id, the last\n"
    "6 or more characters of one, a file with a token (its path has a /), or\n"
    "- for stdin with one id or token a line.\n"
    "\n"
    "      --root ID              the whole tree of ID\n"
    "      --task TEXT            identities with this task\n"
    "      --agent NAME           identities of this agent\n"
    "      --older-than DURATION  identities minted longer ago than that\n"
    "                             (of the four, all that are given must hold)\n"
    "      --all                  all\n"
    "      --sweep                what runs left whose programs are dead\n"
    "      --only                 spare the descendants\n"
    "      --reason TEXT          why, for the record\n"
    "      --if-exists            an unknown id is no failure\n"
    "  -n, --dry-run              say what would be revoked, change nothing\n"
    "      --home DIR             keys and ledger\n"
    "  -j, --json                 a JSON record a line\n"
    "  -q, --quiet                answer by status alone\n"
    "  -h, --help                 this text\n"
    "  -V, --version              the version\n"
    "\n"
    "Status: 0 done, also when it was revoked already or nothing matched;\n"
    "1 not found or not valid, 2 usage, 3 the system failed.\n";

enum {
	OPT_ROOT = CLI_FIRST,
	OPT_TASK,
	OPT_AGENT,
	OPT_OLDER,
	OPT_ALL,
	OPT_SWEEP,
	OPT_ONLY,
	OPT_REASON,
	OPT_IF_EXISTS
};

static const char letters[] = "+:n" CLI_SHORT;
static const struct option options[] = {
    {"root", required_argument, NULL, OPT_ROOT},
    {"task", required_argument, NULL, OPT_TASK},
    {"agent", required_argument, NULL, OPT_AGENT},
    {"older-than", required_argument, NULL, OPT_OLDER},
    {"all", no_argument, NULL, OPT_ALL},
    {"sweep", no_argument, NULL, OPT_SWEEP},
    {"only", no_argument, NULL, OPT_ONLY},
    {"reason", required_argument, NULL, OPT_REASON},
    {"if-exists", no_argument, NULL, OPT_IF_EXISTS},
    {"dry-run", no_argument, NULL, 'n'},
    CLI_LONG,
};

struct revoke {
	struct common_options common;
	const char *root, *task, *agent, *older, *reason;
	bool all, sweep, only, if_exists, dry_run;
	struct lifecycle lc;
	bool progress;
	size_t done;
	void *seen; /* by a dry run: a tsearch(3) set of ids */
};

static const char *
selector(const char *name, const char *value)
{
	if (*value == '\0')
		cli_usage("option '--%s' is empty", name);
	return value;
}

static bool
take_option(struct revoke *r, int opt)
{
	switch (opt) {
	case OPT_ROOT:
		r->root = selector("root", optarg);
		return true;
	case OPT_TASK:
		r->task = selector("task", optarg);
		return true;
	case OPT_AGENT:
		r->agent = selector("agent", optarg);
		return true;
	case OPT_OLDER:
		r->older = selector("older-than", optarg);
		return true;
	case OPT_REASON:
		r->reason = optarg;
		return true;
	case OPT_ALL:
		return r->all = true;
	case OPT_SWEEP:
		return r->sweep = true;
	case OPT_ONLY:
		return r->only = true;
	case OPT_IF_EXISTS:
		return r->if_exists = true;
	case 'n':
		return r->dry_run = true;
	default:
		return false;
	}
}

static void
parse(struct revoke *r, int argc, char **argv)
{
	bool narrowed, operands;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1)
		if (!take_option(r, opt) && !cli_common(&r->common, opt, help))
			cli_bad_option(argc, argv, letters);
	operands = optind < argc;
	narrowed = r->root != NULL || r->task != NULL || r->agent != NULL ||
	    r->older != NULL;
	if (operands + narrowed + r->all + r->sweep == 0)
		cli_usage("nothing is selected");
	if (operands + narrowed + r->all + r->sweep > 1)
		cli_usage("operands, selectors, --all and --sweep exclude "
			  "each other");
	if (r->only && (r->root != NULL || r->all || r->sweep))
		cli_usage("--only goes with operands, --task, --agent and "
			  "--older-than");
	if (r->older != NULL)
		cli_duration("older-than", r->older);
}

/* --- saying what was done ---------------------------------------------- */

static void
count(struct revoke *r)
{
	r->done++;
	if (r->progress && r->done % 64 == 0)
		fprintf(stderr, "\r%zu revoked", r->done);
}

static int
print_one(const struct identity *id, void *arg)
{
	struct revoke *r = arg;
	scoped(free_json) cJSON *record = NULL;
	scoped(buf_free) struct buf agent = {0};
	struct err e;

	count(r);
	if (r->common.quiet)
		return 0;
	if (r->common.json) {
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
	struct revoke *r = arg;
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
	struct revoke *r = arg;
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
revoke_filter(struct revoke *r, struct ledger_filter *f)
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
not_found(struct revoke *r, const struct err *e)
{
	return r->if_exists && e->code == ERR_MISSING ? 0 : cli_report(e);
}

/* The token must be ours; that it is over does not matter. */
static int
revoke_token(struct revoke *r, const struct buf *token, const char *name)
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
	struct revoke *r = arg;
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

static int
revoke_selected(struct revoke *r)
{
	struct ledger_filter f = {.task = r->task};
	scoped(free_string) char *agent = NULL;
	struct identity member = {0};
	char id[ID_LEN + 1], root[ID_LEN + 1];
	struct err e;

	if (r->agent != NULL && agent_parse(r->agent, &agent, &e) < 0)
		return cli_report(&e);
	f.agent = agent;
	if (r->older != NULL)
		f.issued_before = (clock_add(r->lc.now_ms,
				      -cli_duration("older-than", r->older))) /
		    CLOCK_SECOND;
	if (r->root != NULL) {
		if (lifecycle_resolve(&r->lc, r->root, id, &e) < 0 ||
		    ledger_find(r->lc.ledger, id, &member, &e) < 0)
			return not_found(r, &e);
		memcpy(root, member.root, sizeof root);
		identity_clear(&member);
		f.root = root;
	}
	return revoke_filter(r, &f);
}

/* --- sweeping ---------------------------------------------------------- */

static int
print_dead(const struct identity *id, void *arg)
{
	struct revoke *r = arg;

	return home_probe_run(&r->lc.home, id->id, NULL) == RUN_DEAD
	    ? print_tree(id, r)
	    : 0;
}

static int
sweep(struct revoke *r)
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
	if (!r->common.quiet)
		printf(r->common.json ? "{\"swept\":%zu}\n" : "swept %zu\n", n);
	return 0;
}

/* A dry run changes nothing, and a sweep is to count what it finds itself:
 * neither may begin with the habitual sweep. */
static int
open_home(struct revoke *r, struct err *e)
{
	const struct lifecycle_where where = {.program = cli_program(),
	    .home = r->common.home,
	    .mode = r->dry_run ? LEDGER_READ : LEDGER_WRITE,
	    .now_ms = clock_now_ms()};

	if (r->sweep)
		return lifecycle_open(&where, &r->lc, e);
	return cli_open(&r->lc, &r->common, where.mode, e);
}

int
main(int argc, char **argv)
{
	struct revoke r = {0};
	struct err e;
	int status;

	cli_start("ephid-revoke", 3);
	parse(&r, argc, argv);
	if (open_home(&r, &e) < 0)
		return not_found(&r, &e);
	r.progress =
	    isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) && !r.common.quiet;
	if (r.sweep)
		status = sweep(&r);
	else if (optind < argc)
		status = cli_each_operand(
		    argc - optind, argv + optind, revoke_operand, &r);
	else
		status = revoke_selected(&r);
	if (r.progress && r.done >= 64)
		fprintf(stderr, "\r%zu revoked\n", r.done);
	tdestroy(r.seen, free);
	lifecycle_close(&r.lc);
	return status;
}
