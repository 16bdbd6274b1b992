#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "env.h"
#include "front.h"
#include "origin.h"
#include "settings.h"

static const char help[] =
    "usage: ephid-wrap [OPTIONS] [--] COMMAND [ARG...]\n"
    "\n"
    "Mints an identity, runs COMMAND with it, and revokes it when COMMAND\n"
    "ends, however it ends.\n"
    "\n"
    "  -a, --audience URI      whom the token is for (the issuer itself)\n"
    "  -s, --scope LIST        what it may do, separated by spaces (nothing)\n"
    "  -t, --ttl DURATION      how long the token lives (15m)\n"
    "  -p, --profile NAME      options from the configuration\n"
    "      --agent NAME        who runs (the command's name)\n"
    "      --task TEXT         what for\n"
    "      --form FORM         oauth or federation (oauth)\n"
    "      --subject WHAT      run or agent\n"
    "      --alg ALG           ES256, RS256 or Ed25519 (ES256)\n"
    "      --may-audience URI  children may ask for it too; repeats\n"
    "      --parent FILE       the parent's token, or 'none'\n"
    "      --grace DURATION    from a signal to the end (2s)\n"
    "      --env NAME          export the token under NAME, too\n"
    "      --no-env-token      only the file has the token\n"
    "      --strict            warnings are failures\n"
    "      --home DIR          keys and ledger\n"
    "  -j, --json              accepted, for scripts that pass it to all\n"
    "                          programs\n"
    "  -q, --quiet             no warnings\n"
    "  -h, --help              this text\n"
    "  -V, --version           the version\n"
    "\n"
    "The command finds EPHID_TOKEN, EPHID_TOKEN_FILE, EPHID_ID, EPHID_ROOT.\n"
    "Status: the command's own; 125 ephid-wrap failed, 126 COMMAND cannot be\n"
    "run, 127 it is not found.\n";

enum { OPT_GRACE = CLI_OWN, OPT_ENV, OPT_NO_ENV_TOKEN };

static const char letters[] = "+:" CLI_MINT_SHORT CLI_SHORT;
static const struct option options[] = {
    CLI_MINT_LONG,
    {"grace", required_argument, NULL, OPT_GRACE},
    {"env", required_argument, NULL, OPT_ENV},
    {"no-env-token", no_argument, NULL, OPT_NO_ENV_TOKEN},
    CLI_LONG,
};

struct wrap_options {
	struct common_options common;
	struct mint_options mint;
	const char *grace, *env;
	bool no_env_token;
};

static void
parse(struct wrap_options *o, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (cli_mint_option(&o->mint, opt, optarg) ||
		    cli_common(&o->common, opt, help))
			continue;
		if (opt == OPT_GRACE)
			o->grace = optarg;
		else if (opt == OPT_ENV)
			o->env = optarg;
		else if (opt == OPT_NO_ENV_TOKEN)
			o->no_env_token = true;
		else
			cli_bad_option(argc, argv, letters);
	}
	if (optind == argc)
		cli_usage("no command to run");
}

/* What programs take for a path or a library they name in their errors. */
static bool
has_a_meaning(const char *name)
{
	return strncmp(name, "EPHID_", 6) == 0 ||
	    strncmp(name, "LD_", 3) == 0 || strcmp(name, "PATH") == 0 ||
	    strcmp(name, "HOME") == 0;
}

static void
check_name(const char *name)
{
	if (!env_name_is_valid(name))
		cli_usage("env '%s': not a name for a variable", name);
	if (has_a_meaning(name))
		cli_usage("env '%s': has a meaning of its own", name);
}

/* What a profile says of the options that are ours alone. */
static void
apply_profile(struct wrap_options *o, const struct settings *settings)
{
	const cJSON *p = cli_profile(&o->mint, settings);

	cli_fill(&o->grace, p, "grace");
	cli_fill(&o->env, p, "env");
	if (cJSON_IsTrue(json_get(p, "no-env-token")))
		o->no_env_token = true;
	if (o->env != NULL)
		check_name(o->env);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

int
main(int argc, char **argv)
{
	struct wrap_options o = {0};
	struct settings settings = {0};
	struct buf parent = {0};
	struct run_request rq = {.envp = environ, .status_fd = -1};

	cli_start("ephid-wrap", 125);
	parse(&o, argc, argv);
	cli_settings(&o.common, &settings);
	rq.argv = argv + optind;
	rq.mint.default_agent = base_name(rq.argv[0]);
	cli_mint_request(&o.mint, &settings, &rq.mint, &parent);
	apply_profile(&o, &settings);
	rq.mint.origin = origin_read(environ);
	/* A parent was minted by a home that is there already. */
	rq.where = (struct lifecycle_where){.program = cli_program(),
	    .home = o.common.home,
	    .mode = parent.len > 0 ? LEDGER_WRITE : LEDGER_CREATE,
	    .now_ms = clock_now_ms()};
	rq.handout.env_name = o.env;
	rq.handout.no_env_token = o.no_env_token;
	rq.quiet = o.common.quiet;
	rq.strict = o.mint.strict;
	rq.grace_ms = cli_duration("grace", o.grace != NULL ? o.grace : "2s");
	front_run(&rq);
}
