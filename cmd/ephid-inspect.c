#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "io.h"
#include "record.h"
#include "watch.h"

static const char help[] =
    "usage: ephid-inspect [OPTIONS] [OPERAND...]\n"
    "       ephid-inspect --list | --tree [ID] | --events [ID] [OPTIONS]\n"
    "       ephid-inspect --decode [FILE | -]\n"
    "\n"
    "Verifies tokens and shows identities. An OPERAND is an id, the last 6 or\n"
    "more characters of one, a file with a token (its path has a /), or - for\n"
    "stdin with one id or token a line. Without any: the run's own token.\n"
    "\n"
    "  -a, --audience URI   the token must be for URI\n"
    "      --iss URL        with --jwks: the issuer the token must name\n"
    "      --jwks FILE      verify with these keys, without a home\n"
    "      --status SOURCE  ledger or none (ledger; with --jwks none)\n"
    "      --status-policy POLICY  require, prefer or skip (prefer)\n"
    "      --decode         print what a token says, verifying nothing\n"
    "\n"
    "      --list           a table of identities\n"
    "      --state STATE    active, revoked, expired or all (active)\n"
    "      --root ID        the tree of ID\n"
    "      --agent NAME, --task TEXT\n"
    "      --tree           trees: the live ones, or that of ID\n"
    "      --events         what happened, as JSON lines\n"
    "      --since DURATION no longer ago than that\n"
    "      --follow         go on with what happens from now\n"
    "\n"
    "      --home DIR       keys and ledger\n"
    "  -j, --json           a JSON record a line\n"
    "  -q, --quiet          answer by status alone\n"
    "  -h, --help           this text\n"
    "  -V, --version        the version\n"
    "\n"
    "Status: 0 valid or active, 1 not, or not found; 2 usage, 3 the system\n"
    "failed.\n";

enum mode { MODE_OPERANDS, MODE_LIST, MODE_TREE, MODE_EVENTS, MODE_DECODE };

enum {
	OPT_ISS = CLI_FIRST,
	OPT_JWKS,
	OPT_STATUS,
	OPT_STATUS_POLICY,
	OPT_STATE,
	OPT_ROOT,
	OPT_AGENT,
	OPT_TASK,
	OPT_SINCE,
	OPT_FOLLOW,
	OPT_MODE /* and as many after it as there are modes */
};

static const char letters[] = "+:a:" CLI_SHORT;
static const struct option options[] = {
    {"audience", required_argument, NULL, 'a'},
    {"iss", required_argument, NULL, OPT_ISS},
    {"jwks", required_argument, NULL, OPT_JWKS},
    {"status", required_argument, NULL, OPT_STATUS},
    {"status-policy", required_argument, NULL, OPT_STATUS_POLICY},
    {"state", required_argument, NULL, OPT_STATE},
    {"root", required_argument, NULL, OPT_ROOT},
    {"agent", required_argument, NULL, OPT_AGENT},
    {"task", required_argument, NULL, OPT_TASK},
    {"since", required_argument, NULL, OPT_SINCE},
    {"follow", no_argument, NULL, OPT_FOLLOW},
    {"list", no_argument, NULL, OPT_MODE + MODE_LIST},
    {"tree", no_argument, NULL, OPT_MODE + MODE_TREE},
    {"events", no_argument, NULL, OPT_MODE + MODE_EVENTS},
    {"decode", no_argument, NULL, OPT_MODE + MODE_DECODE},
    CLI_LONG,
};

struct inspect {
	struct common_options common;
	enum mode mode;
	const char *audience, *iss, *jwks, *status, *policy;
	const char *state, *root, *agent, *task, *since;
	bool follow;
	int operands;
	char *const *operand;

	struct look look;
	int64_t now;
	struct lifecycle lc;
	struct keyset *keys; /* with --jwks, in the ledger's place */
	enum status_source source;
	bool own;  /* the run's own token, checked as a parent's is */
	int seen;  /* operands so far, lines of stdin among them */
	int shown; /* blocks so far, for the line between two */
	struct table *table;
	struct tree *tree;
	int64_t seq; /* of the last event shown */
};

/* --- options ----------------------------------------------------------- */

static void
set_mode(struct inspect *in, enum mode mode)
{
	if (in->mode != MODE_OPERANDS && in->mode != mode)
		cli_usage("--list, --tree, --events and --decode exclude "
			  "each other");
	in->mode = mode;
}

static bool
take_option(struct inspect *in, int opt)
{
	const char **const texts[] = {
	    [OPT_ISS - CLI_FIRST] = &in->iss,
	    [OPT_JWKS - CLI_FIRST] = &in->jwks,
	    [OPT_STATUS - CLI_FIRST] = &in->status,
	    [OPT_STATUS_POLICY - CLI_FIRST] = &in->policy,
	    [OPT_STATE - CLI_FIRST] = &in->state,
	    [OPT_ROOT - CLI_FIRST] = &in->root,
	    [OPT_AGENT - CLI_FIRST] = &in->agent,
	    [OPT_TASK - CLI_FIRST] = &in->task,
	    [OPT_SINCE - CLI_FIRST] = &in->since,
	};

	if (opt == 'a')
		in->audience = optarg;
	else if (opt >= CLI_FIRST && opt <= OPT_SINCE)
		*texts[opt - CLI_FIRST] = optarg;
	else if (opt == OPT_FOLLOW)
		in->follow = true;
	else if (opt > OPT_MODE && opt <= OPT_MODE + MODE_DECODE)
		set_mode(in, (enum mode)(opt - OPT_MODE));
	else
		return false;
	return true;
}

static bool
is_one_of(const char *text, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(text, *names) == 0)
			return true;
	return false;
}

/* What the options say together. */
static void
check_options(struct inspect *in)
{
	static const char *const states[] = {
	    "active", "revoked", "expired", "all", NULL};
	static const char *const sources[] = {"ledger", "none", NULL};
	static const char *const policies[] = {
	    "require", "prefer", "skip", NULL};
	bool verifies = in->audience != NULL || in->iss != NULL ||
	    in->jwks != NULL || in->status != NULL || in->policy != NULL;

	if (verifies && in->mode != MODE_OPERANDS)
		cli_usage("options of verifying go with operands alone");
	if (in->mode != MODE_LIST &&
	    (in->state || in->root || in->agent || in->task))
		cli_usage("--state, --root, --agent and --task go with "
			  "--list");
	if (in->mode != MODE_EVENTS && (in->since || in->follow))
		cli_usage("--since and --follow go with --events");
	if ((in->jwks == NULL) != (in->iss == NULL))
		cli_usage("--jwks and --iss go together");
	if (in->status != NULL && !is_one_of(in->status, sources))
		cli_usage("option '--status': neither ledger nor none");
	if (in->policy != NULL && !is_one_of(in->policy, policies))
		cli_usage(
		    "option '--status-policy': not require, prefer or skip");
	if (in->state != NULL && !is_one_of(in->state, states))
		cli_usage(
		    "option '--state': not active, revoked, expired or all");
	if (in->jwks != NULL && in->status != NULL &&
	    strcmp(in->status, "ledger") == 0)
		cli_usage("--status ledger wants the ledger's own keys, not "
			  "--jwks");
	if (in->mode == MODE_LIST && in->operands > 0)
		cli_usage("--list takes no operands");
	if (in->mode != MODE_OPERANDS && in->operands > 1)
		cli_usage("one operand at most");
}

static void
parse(struct inspect *in, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1)
		if (!take_option(in, opt) &&
		    !cli_common(&in->common, opt, help))
			cli_bad_option(argc, argv, letters);
	in->operands = argc - optind;
	in->operand = argv + optind;
	check_options(in);
	in->source = STATUS_LEDGER;
	if (in->jwks != NULL ||
	    (in->status != NULL && strcmp(in->status, "none") == 0) ||
	    (in->policy != NULL && strcmp(in->policy, "skip") == 0))
		in->source = STATUS_NONE;
}

/* --- showing ----------------------------------------------------------- */

static void
show(struct inspect *in, const cJSON *record)
{
	if (in->common.quiet)
		return;
	if (in->common.json) {
		record_print_json(record);
		return;
	}
	if (in->shown++ > 0)
		putchar('\n');
	record_print_block(record, &in->look);
}

/* An error of one operand; the others are still tried. */
static int
fail(const struct err *e)
{
	fflush(stdout);
	return cli_report(e);
}

static int
show_identity(struct inspect *in, const char *operand)
{
	scoped(free_json) cJSON *record = NULL;
	struct identity id = {0};
	char name[ID_LEN + 1];
	struct err e;
	bool active;

	if (lifecycle_resolve(&in->lc, operand, name, &e) < 0 ||
	    ledger_find(in->lc.ledger, name, &id, &e) < 0)
		return fail(&e);
	active = identity_state(&id, in->now) == ID_ACTIVE;
	if (record_identity(in->lc.ledger, &id, in->now, &record, &e) < 0) {
		identity_clear(&id);
		return fail(&e);
	}
	identity_clear(&id);
	show(in, record);
	return active ? 0 : 1;
}

/* --- verifying --------------------------------------------------------- */

static const struct key *
find_key(void *ctx, const char *kid)
{
	return keyset_find(ctx, kid);
}

static void
verify_with_keys(
    const struct inspect *in, const struct buf *token, struct verdict *v)
{
	const struct jwt_expect want = {.find_key = find_key,
	    .ctx = in->keys,
	    .issuer = in->iss,
	    .audience = in->audience,
	    .now = in->now,
	    .skew = 60,
	    .expiry_skew = 60};

	*v = (struct verdict){.word = JWT_VALID};
	v->word = jwt_verify(buf_str(token), token->len, &want, &v->claims);
}

/* A status that is required and was not asked for is unavailable. */
static void
require_status(const struct inspect *in, struct verdict *v)
{
	if (v->word != JWT_VALID || in->source != STATUS_NONE ||
	    in->policy == NULL || strcmp(in->policy, "require") != 0)
		return;
	verdict_clear(v);
	v->word = JWT_STATUS_UNAVAILABLE;
	snprintf(v->detail, sizeof v->detail,
	    "a status is required and none was asked for");
}

static void
say_unchecked(const struct inspect *in)
{
	if (in->audience == NULL && !in->own)
		cli_warn("audience not checked");
	if (in->source == STATUS_NONE &&
	    (in->policy == NULL || strcmp(in->policy, "prefer") == 0))
		cli_warn("status not checked");
}

/* stdout has nothing that is not verified, but the JSON verdict. */
static int
show_verdict(struct inspect *in, const struct verdict *v)
{
	scoped(free_json) cJSON *record = record_verdict(v);
	struct err e;

	if (v->word == JWT_VALID) {
		show(in, record);
		return 0;
	}
	if (in->common.json)
		show(in, record);
	err_set(&e, ERR_INVALID, "%s%s%s", jwt_verdict_word(v->word),
	    *v->detail != '\0' ? ": " : "", v->detail);
	return fail(&e);
}

static int
verify(struct inspect *in, const struct buf *token)
{
	const struct verify_request rq = {.token = buf_str(token),
	    .len = token->len,
	    .audience = in->audience,
	    .status = in->source,
	    .for_lineage =
		in->own && in->audience == NULL && in->source == STATUS_LEDGER};
	struct verdict v;
	struct err e;
	int status;

	if (in->keys != NULL)
		verify_with_keys(in, token, &v);
	else if (lifecycle_verify(&in->lc, &rq, &v, &e) < 0)
		return fail(&e);
	require_status(in, &v);
	if (v.word == JWT_VALID)
		say_unchecked(in);
	status = show_verdict(in, &v);
	verdict_clear(&v);
	return status;
}

static int
verify_file(struct inspect *in, const char *path)
{
	scoped(buf_free) struct buf token = {0};
	struct verdict v = {.word = JWT_MALFORMED};
	struct err e;

	if (cli_read_token(path, &token, &e) == 0)
		return verify(in, &token);
	if (e.code != ERR_INVALID)
		return fail(&e);
	snprintf(v.detail, sizeof v.detail, "%.150s", e.text);
	return show_verdict(in, &v);
}

static int
inspect_operand(const char *operand, void *arg)
{
	struct inspect *in = arg;
	scoped(buf_free) struct buf token = {0};
	struct err e;

	in->seen++;
	if (strchr(operand, '/') != NULL)
		return verify_file(in, operand);
	if (cli_is_token(operand)) {
		buf_adds(&token, operand);
		return verify(in, &token);
	}
	if (in->keys == NULL)
		return show_identity(in, operand);
	err_set(&e, ERR_USAGE, "ids need a home: --jwks goes with tokens");
	return fail(&e);
}

/* An empty stdin must not look like a yes. */
static int
each_operand(struct inspect *in, int (*fn)(const char *operand, void *arg))
{
	int status = cli_each_operand(in->operands, in->operand, fn, in);
	struct err e;

	if (status != 0 || in->seen > 0)
		return status;
	err_set(&e, ERR_INVALID, "stdin holds neither an id nor a token");
	return fail(&e);
}

static int
find_own(struct buf *token)
{
	struct err e;
	int found = cli_own_token(token, &e);

	if (found == 0)
		err_set(&e, ERR_MISSING,
		    "no token: neither EPHID_TOKEN_FILE nor EPHID_TOKEN is "
		    "set; see 'ephid-inspect --help'");
	return found > 0 ? 0 : fail(&e);
}

static int
inspect_operands(struct inspect *in)
{
	scoped(buf_free) struct buf own = {0};
	int status;

	if (in->operands > 0)
		return each_operand(in, inspect_operand);
	in->own = true;
	if ((status = find_own(&own)) != 0)
		return status;
	return verify(in, &own);
}

/* --- decoding ---------------------------------------------------------- */

static int
decode(struct inspect *in, const struct buf *token)
{
	scoped(free_json) cJSON *record = json_object();
	cJSON *header = NULL, *claims = NULL;
	struct err e;

	if (jwt_decode(buf_str(token), token->len, &header, &claims, &e) < 0)
		return fail(&e);
	json_add_bool(record, "verified", false);
	json_add(record, "header", header);
	json_add(record, "unverified_claims", claims);
	show(in, record);
	return 0;
}

static int
decode_operand(const char *operand, void *arg)
{
	struct inspect *in = arg;
	scoped(buf_free) struct buf token = {0};
	struct err e;

	in->seen++;
	if (cli_is_token(operand)) {
		buf_adds(&token, operand);
		return decode(in, &token);
	}
	/* --decode takes nothing but files, so ./ is not asked for. */
	return cli_read_token(operand, &token, &e) < 0 ? fail(&e)
						       : decode(in, &token);
}

static int
decode_operands(struct inspect *in)
{
	scoped(buf_free) struct buf own = {0};
	int status;

	if (in->operands > 0)
		return each_operand(in, decode_operand);
	if ((status = find_own(&own)) != 0)
		return status;
	return decode(in, &own);
}

/* --- lists, trees, events ---------------------------------------------- */

static int
add_identity(const struct identity *id, void *arg)
{
	struct inspect *in = arg;
	scoped(free_json) cJSON *record = NULL;
	struct err e;

	if (in->common.quiet)
		return 0;
	if (in->common.json) {
		if (record_identity(in->lc.ledger, id, in->now, &record, &e) <
		    0)
			cli_die(&e);
		show(in, record);
	} else if (in->tree != NULL) {
		tree_add(in->tree, id);
	} else {
		table_add(in->table, id);
	}
	return 0;
}

/* *root is that of any member of its tree. */
static int
find_root(struct inspect *in, const char *member, char root[static ID_LEN + 1],
    struct err *e)
{
	struct identity id = {0};

	if (lifecycle_resolve(&in->lc, member, root, e) < 0 ||
	    ledger_find(in->lc.ledger, root, &id, e) < 0)
		return -1;
	memcpy(root, id.root, ID_LEN + 1);
	identity_clear(&id);
	return 0;
}

static void
select_state(struct ledger_filter *f, const char *state)
{
	if (state == NULL || strcmp(state, "active") == 0)
		f->state = SELECT_ACTIVE;
	else if (strcmp(state, "revoked") == 0)
		f->state = SELECT_REVOKED;
	else if (strcmp(state, "expired") == 0)
		f->state = SELECT_EXPIRED;
}

static int
list(struct inspect *in)
{
	struct ledger_filter f = {.task = in->task, .now = in->now};
	scoped(free_string) char *agent = NULL;
	char root[ID_LEN + 1];
	struct err e;
	int status;

	select_state(&f, in->state);
	if (in->agent != NULL && agent_parse(in->agent, &agent, &e) < 0)
		return fail(&e);
	f.agent = agent;
	if (in->root != NULL) {
		if (find_root(in, in->root, root, &e) < 0)
			return fail(&e);
		f.root = root;
	}
	in->table = table_new(&in->look, in->now);
	status = ledger_each(in->lc.ledger, &f, add_identity, in, &e) < 0
	    ? fail(&e)
	    : 0;
	table_print(in->table); /* what there is, also after an error */
	return status;
}

static int
show_tree(struct inspect *in)
{
	struct ledger_filter f = {.state = SELECT_ACTIVE, .now = in->now};
	char root[ID_LEN + 1];
	struct err e;
	int status;

	if (in->operands > 0) {
		if (find_root(in, in->operand[0], root, &e) < 0)
			return fail(&e);
		f.root = root;
		f.state = SELECT_ANY;
	}
	in->tree = tree_new(&in->look, in->now);
	status = ledger_each(in->lc.ledger, &f, add_identity, in, &e) < 0
	    ? fail(&e)
	    : 0;
	tree_print(in->tree);
	return status;
}

static int
show_event(const struct event *ev, void *arg)
{
	struct inspect *in = arg;
	scoped(free_json) cJSON *record = record_event(ev);

	in->seq = ev->seq;
	if (!in->common.quiet)
		record_print_json(record);
	return 0;
}

static int
follow(struct inspect *in, const char *id, int64_t since, struct err *e)
{
	scoped(close_fd) int fd = -1;
	int more = 1;

	/* Before the first reading, so that nothing falls in between. */
	if (in->follow && watch_open(&in->lc.home, &fd, e) < 0)
		return -1;
	while (more > 0) {
		if (ledger_each_event(in->lc.ledger, id, in->seq, since,
			show_event, in, e) < 0)
			return -1;
		if (!in->follow)
			return 0;
		if (fflush(stdout) != 0)
			return err_sys(e, "cannot write to stdout");
		more = watch_wait(fd, STDOUT_FILENO, e);
	}
	return more;
}

static int
events(struct inspect *in)
{
	char id[ID_LEN + 1];
	int64_t since = 0;
	struct err e;

	if (in->operands > 0 &&
	    lifecycle_resolve(&in->lc, in->operand[0], id, &e) < 0)
		return fail(&e);
	if (in->since != NULL)
		since = in->now - cli_duration("since", in->since) / 1000;
	return follow(in, in->operands > 0 ? id : NULL, since, &e) < 0
	    ? fail(&e)
	    : 0;
}

/* --- main -------------------------------------------------------------- */

static void
load_keys(struct inspect *in)
{
	scoped(buf_free) struct buf text = {0};
	struct err e;

	if (strncmp(in->jwks, "https:", 6) == 0 ||
	    strncmp(in->jwks, "http:", 5) == 0)
		cli_usage("option '--jwks': URLs are not in this version");
	key_start(false);
	if (io_read_file(AT_FDCWD, in->jwks, 1 << 20, &text, &e) < 0)
		cli_die(&e);
	if (keyset_parse(buf_str(&text), text.len, &in->keys, &e) < 0) {
		err_in(&e, "'%s'", in->jwks);
		cli_die(&e);
	}
}

static int
run(struct inspect *in)
{
	switch (in->mode) {
	case MODE_LIST:
		return list(in);
	case MODE_TREE:
		return show_tree(in);
	case MODE_EVENTS:
		return events(in);
	case MODE_DECODE:
		return decode_operands(in);
	case MODE_OPERANDS:
		break;
	}
	return inspect_operands(in);
}

int
main(int argc, char **argv)
{
	struct inspect in = {.mode = MODE_OPERANDS};
	struct err e;
	int status;

	cli_start("ephid-inspect", 3);
	parse(&in, argc, argv);
	in.look = cli_look();
	in.now = clock_now_ms() / CLOCK_SECOND;
	if (in.jwks != NULL)
		load_keys(&in);
	else if (in.mode != MODE_DECODE &&
	    cli_open(&in.lc, &in.common, LEDGER_WRITE, &e) < 0)
		cli_die(&e);
	status = run(&in);
	if (in.keys != NULL)
		keyset_free(in.keys);
	else if (in.mode != MODE_DECODE)
		lifecycle_close(&in.lc);
	return status;
}
