#include "config.h"

#include <stdbool.h>
#include <unistd.h>

#include "cli.h"
#include "revocation.h"

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

struct options {
	struct common_options common;
	struct revocation what;
	struct selection which;
	const char *older;
	bool all, sweep;
};

static const char *
selector(const char *name, const char *value)
{
	if (*value == '\0')
		cli_usage("option '--%s' is empty", name);
	return value;
}

static bool
take_option(struct options *o, int opt)
{
	switch (opt) {
	case OPT_ROOT:
		o->which.root = selector("root", optarg);
		return true;
	case OPT_TASK:
		o->which.task = selector("task", optarg);
		return true;
	case OPT_AGENT:
		o->which.agent = selector("agent", optarg);
		return true;
	case OPT_OLDER:
		o->older = selector("older-than", optarg);
		return true;
	case OPT_REASON:
		o->what.reason = optarg;
		return true;
	case OPT_ALL:
		return o->all = true;
	case OPT_SWEEP:
		return o->sweep = true;
	case OPT_ONLY:
		return o->what.only = true;
	case OPT_IF_EXISTS:
		return o->what.if_exists = true;
	case 'n':
		return o->what.dry_run = true;
	default:
		return false;
	}
}

static void
parse(struct options *o, int argc, char **argv)
{
	bool narrowed, operands;
	struct err e;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1)
		if (!take_option(o, opt) && !cli_common(&o->common, opt, help))
			cli_bad_option(argc, argv, letters);
	operands = optind < argc;
	narrowed = o->which.root != NULL || o->which.task != NULL ||
	    o->which.agent != NULL || o->older != NULL;
	if (o->what.reason != NULL &&
	    note_check("reason", o->what.reason, &e) < 0)
		cli_die(&e);
	if (operands + narrowed + o->all + o->sweep == 0)
		cli_usage("nothing is selected");
	if (operands + narrowed + o->all + o->sweep > 1)
		cli_usage("operands, selectors, --all and --sweep exclude "
			  "each other");
	if (o->what.only && (o->which.root != NULL || o->all || o->sweep))
		cli_usage("--only goes with operands, --task, --agent and "
			  "--older-than");
	o->which.older_than =
	    o->older != NULL ? cli_duration("older-than", o->older) : -1;
}

int
main(int argc, char **argv)
{
	struct options o = {.what = {.common = &o.common}};
	struct revocation *r = &o.what;
	struct err e;
	int status;

	cli_start("ephid-revoke", 3);
	parse(&o, argc, argv);
	if (revocation_open(r, o.sweep, &e) < 0)
		return r->if_exists && e.code == ERR_MISSING ? 0
							     : cli_report(&e);
	if (o.sweep)
		status = revocation_of_dead(r);
	else if (optind < argc)
		status =
		    revocation_of_operands(r, argc - optind, argv + optind);
	else
		status = revocation_of_selected(r, &o.which);
	revocation_close(r);
	return status;
}
