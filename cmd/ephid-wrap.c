#include "config.h"

#include <unistd.h>

#include "front.h"
#include "launch.h"
#include "rehearsal.h"

static const char help[] =
    "usage: ephid-wrap [OPTIONS] [--] COMMAND [ARG...]\n"
    "\n"
    "Mints an identity, runs COMMAND with it, and revokes it when COMMAND\n"
    "ends, however it ends.\n"
    "\n"
    "What is minted:\n"
    "  -a, --audience URI      whom a token is for (the issuer itself);\n"
    "                          repeats, the first is EPHID_TOKEN\n"
    "  -s, --scope LIST        what it may do, separated by spaces; repeats\n"
    "  -t, --ttl DURATION      how long a token lives (15m)\n"
    "      --max-life DURATION until when it is renewed (24h)\n"
    "  -p, --profile NAME      options from the configuration\n"
    "      --agent NAME        who runs (the command's name)\n"
    "      --task TEXT         what for\n"
    "      --issuer NAME       local, the one there is\n"
    "      --form FORM         oauth or federation (oauth)\n"
    "      --subject WHAT      run or agent\n"
    "      --alg ALG           ES256, RS256 or Ed25519 (ES256)\n"
    "      --may-audience URI  children may ask for it too; repeats\n"
    "      --parent FILE       the parent's token, or 'none'\n"
    "\n"
    "How it ends:\n"
    "      --timeout DURATION  the command's time limit (none)\n"
    "      --grace DURATION    from a signal to the end (2s)\n"
    "      --stragglers WHAT   kill, wait or leave (kill)\n"
    "      --on-revoke WHAT    keep or kill (keep)\n"
    "\n"
    "What the command gets:\n"
    "      --env NAME          the token under NAME, too\n"
    "      --no-env-token      the token in its file alone\n"
    "      --clean-env         little more than PATH and HOME\n"
    "      --keep GLOB         and these variables; repeats\n"
    "      --user NAME         another user (for root)\n"
    "\n"
    "What is said of it:\n"
    "      --receipt FILE      what it held and how that ended\n"
    "      --status-fd N       events, as JSON lines\n"
    "  -n, --dry-run           show what would be, and do nothing\n"
    "      --strict            warnings are failures\n"
    "\n"
    "      --home DIR          keys and ledger\n"
    "  -j, --json              --dry-run in JSON\n"
    "  -q, --quiet             no warnings\n"
    "  -h, --help              this text\n"
    "  -V, --version           the version\n"
    "\n"
    "The command finds EPHID_TOKEN_FILE, EPHID_TOKEN, EPHID_TOKEN_DIR,\n"
    "EPHID_ID, EPHID_ROOT. Status: the command's own; 124 time is up, 125\n"
    "ephid-wrap failed, 126 COMMAND cannot be run, 127 it is not found.\n";

enum {
	OPT_MAX_LIFE = CLI_OWN,
	OPT_TIMEOUT,
	OPT_GRACE,
	OPT_STRAGGLERS,
	OPT_ON_REVOKE,
	OPT_ENV,
	OPT_NO_ENV_TOKEN,
	OPT_CLEAN_ENV,
	OPT_KEEP,
	OPT_USER,
	OPT_RECEIPT,
	OPT_STATUS_FD
};

static const char letters[] = "+:n" CLI_MINT_SHORT CLI_SHORT;
static const struct option options[] = {
    CLI_MINT_LONG,
    {"max-life", required_argument, NULL, OPT_MAX_LIFE},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"grace", required_argument, NULL, OPT_GRACE},
    {"stragglers", required_argument, NULL, OPT_STRAGGLERS},
    {"on-revoke", required_argument, NULL, OPT_ON_REVOKE},
    {"env", required_argument, NULL, OPT_ENV},
    {"no-env-token", no_argument, NULL, OPT_NO_ENV_TOKEN},
    {"clean-env", no_argument, NULL, OPT_CLEAN_ENV},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"user", required_argument, NULL, OPT_USER},
    {"receipt", required_argument, NULL, OPT_RECEIPT},
    {"status-fd", required_argument, NULL, OPT_STATUS_FD},
    {"dry-run", no_argument, NULL, 'n'},
    CLI_LONG,
};

/* Those of ephid-wrap alone. */
static bool
own_option(struct launch_options *o, int opt, const char *arg)
{
	switch (opt) {
	case OPT_MAX_LIFE:
		o->max_life = arg;
		break;
	case OPT_TIMEOUT:
		o->timeout = arg;
		break;
	case OPT_GRACE:
		o->grace = arg;
		break;
	case OPT_STRAGGLERS:
		o->stragglers = arg;
		break;
	case OPT_ON_REVOKE:
		o->on_revoke = arg;
		break;
	case OPT_ENV:
		o->env = arg;
		break;
	case OPT_NO_ENV_TOKEN:
		o->no_env_token = true;
		break;
	case OPT_CLEAN_ENV:
		o->clean_env = true;
		break;
	case OPT_KEEP:
		cli_push(&o->keep, arg);
		break;
	case OPT_USER:
		o->user = arg;
		break;
	case OPT_RECEIPT:
		o->receipt = arg;
		break;
	case OPT_STATUS_FD:
		o->status_fd = arg;
		break;
	case 'n':
		o->dry_run = true;
		break;
	default:
		return false;
	}
	return true;
}

static void
parse(struct launch_options *o, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1)
		if (!cli_mint_option(&o->mint, opt, optarg) &&
		    !cli_common(&o->common, opt, help) &&
		    !own_option(o, opt, optarg))
			cli_bad_option(argc, argv, letters);
	if (optind == argc)
		cli_usage("no command to run");
}

int
main(int argc, char **argv)
{
	struct launch l = {0};
	struct run_request rq;
	int status;

	cli_start("ephid-wrap", 125);
	parse(&l.asked, argc, argv);
	launch_prepare(&l, argv + optind, &rq);
	if (!l.asked.dry_run)
		front_run(&rq);
	status = rehearsal_run(&rq, &l.settings, &l.asked.common);
	launch_clear(&l);
	return status;
}
