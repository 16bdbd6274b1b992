#include "config.h"

#include <stdbool.h>

#include "cli.h"
#include "clock.h"
#include "history.h"
#include "inspection.h"
#include "listing.h"
#include "outlet.h"
#include "verification.h"

static const char help[] =
    "usage: ephid-inspect [OPTIONS] [OPERAND...]\n"
    "       ephid-inspect --list | --tree [ID] | --events [ID] [OPTIONS]\n"
    "       ephid-inspect --receipt ID|FILE | --decode [FILE | -]\n"
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
    "      --agent NAME     those of this agent\n"
    "      --task TEXT      those with this task\n"
    "      --tree           trees: the live ones, or that of ID\n"
    "      --events         what happened, as JSON lines\n"
    "      --since DURATION no longer ago than that\n"
    "      --follow         go on with what happens from now\n"
    "      --receipt        how a run, and each of its credentials, ended\n"
    "\n"
    "      --home DIR       keys and ledger\n"
    "  -j, --json           a JSON record a line\n"
    "  -q, --quiet          answer by status alone\n"
    "  -h, --help           this text\n"
    "  -V, --version        the version\n"
    "\n"
    "Status: 0 valid, active or (--receipt) all over; 1 not, or not found;\n"
    "2 usage, 3 the system failed.\n";

enum mode { OPERANDS, LIST, TREE, EVENTS, DECODE, RECEIPT };
enum { TEXT = CLI_FIRST, TEXTS = 9, OPT_FOLLOW = TEXT + TEXTS, OPT_MODE };

static const char letters[] = "+:a:" CLI_SHORT;
static const struct option options[] = {
    {"audience", required_argument, NULL, 'a'},
    {"iss", required_argument, NULL, TEXT + 0},
    {"jwks", required_argument, NULL, TEXT + 1},
    {"status", required_argument, NULL, TEXT + 2},
    {"status-policy", required_argument, NULL, TEXT + 3},
    {"state", required_argument, NULL, TEXT + 4},
    {"root", required_argument, NULL, TEXT + 5},
    {"agent", required_argument, NULL, TEXT + 6},
    {"task", required_argument, NULL, TEXT + 7},
    {"since", required_argument, NULL, TEXT + 8},
    {"follow", no_argument, NULL, OPT_FOLLOW},
    {"list", no_argument, NULL, OPT_MODE + LIST},
    {"tree", no_argument, NULL, OPT_MODE + TREE},
    {"events", no_argument, NULL, OPT_MODE + EVENTS},
    {"decode", no_argument, NULL, OPT_MODE + DECODE},
    {"receipt", no_argument, NULL, OPT_MODE + RECEIPT},
    CLI_LONG,
};

static struct {
	struct common_options common;
	enum mode mode;
	struct verification how;
	struct listing which;
	struct history history;
} o;

/* Where TEXT + 0 and those after it go. */
static const char **const texts[TEXTS] = {&o.how.issuer, &o.how.jwks,
    &o.how.status, &o.how.policy, &o.which.state, &o.which.root, &o.which.agent,
    &o.which.task, &o.history.since};

static bool
take_option(int opt)
{
	if (opt == 'a')
		o.how.audience = optarg;
	else if (opt >= TEXT && opt < TEXT + TEXTS)
		*texts[opt - TEXT] = optarg;
	else if (opt == OPT_FOLLOW)
		o.history.follow = true;
	else if (opt <= OPT_MODE || opt > OPT_MODE + RECEIPT)
		return false;
	else if (o.mode != OPERANDS && o.mode != (enum mode)(opt - OPT_MODE))
		cli_usage("--list, --tree, --events, --receipt and --decode "
			  "exclude each other");
	else
		o.mode = (enum mode)(opt - OPT_MODE);
	return true;
}

static void
check_options(int operands)
{
	struct err e;

	if (o.mode != OPERANDS && verification_is_asked(&o.how))
		cli_usage("options of verifying go with operands alone");
	if (o.mode != LIST && listing_is_narrowed(&o.which))
		cli_usage("--state, --root, --agent and --task go with "
			  "--list");
	if (o.mode != EVENTS && history_is_narrowed(&o.history))
		cli_usage("--since and --follow go with --events");
	if (verification_check(&o.how, &e) < 0 ||
	    listing_check(&o.which, &e) < 0)
		cli_usage("%s", e.text);
	if (o.mode == RECEIPT && operands == 0)
		cli_usage("--receipt takes an id or a file");
	if (o.mode != OPERANDS && operands > (o.mode != LIST))
		cli_usage("one operand at most, and none with --list");
}

static void
parse(int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1)
		if (!take_option(opt) && !cli_common(&o.common, opt, help))
			cli_bad_option(argc, argv, letters);
	check_options(argc - optind);
}

static int
run(struct lifecycle *lc, int n, char *const *operand)
{
	struct outlet out = outlet_open(&o.common);

	switch (o.mode) {
	case LIST:
		return listing_print_table(&o.which, lc, &out);
	case TREE:
		return listing_print_trees(operand[0], lc, &out);
	case EVENTS:
		return history_print(&o.history, operand[0], lc, &out);
	case DECODE:
		return inspection_decode(n, operand, &out);
	case RECEIPT:
		return inspection_of_receipts(
		    lc, clock_now_ms() / CLOCK_SECOND, n, operand, &out);
	default:
		return inspection_of_operands(&o.how, lc, n, operand, &out);
	}
}

int
main(int argc, char **argv)
{
	struct lifecycle lc;
	struct err e;
	bool home;
	int status;

	cli_start("ephid-inspect", 3);
	parse(argc, argv);
	home = o.how.jwks == NULL && o.mode != DECODE &&
	    !(o.mode == RECEIPT && inspection_is_file(argv[optind]));
	if (verification_load_keys(&o.how, clock_now_ms(), &e) < 0 ||
	    (home && cli_open(&lc, &o.common, LEDGER_WRITE, &e) < 0))
		cli_die(&e);
	status = run(home ? &lc : NULL, argc - optind, argv + optind);
	if (home)
		lifecycle_close(&lc);
	verification_close(&o.how);
	return status;
}
