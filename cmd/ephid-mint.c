#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "delivery.h"
#include "origin.h"

static const char help[] =
    "usage: ephid-mint [OPTIONS]\n"
    "\n"
    "Mints an identity and prints its token. Inside a run the new identity\n"
    "is a child of that run.\n"
    "\n"
    "  -a, --audience URI      whom the token is for (the issuer itself)\n"
    "  -s, --scope LIST        what it may do, separated by spaces; repeats\n"
    "  -t, --ttl DURATION      how long the token lives (15m)\n"
    "  -p, --profile NAME      options from the configuration\n"
    "      --agent NAME        who runs (the user's name, or the parent's)\n"
    "      --task TEXT         what for\n"
    "      --issuer NAME       local, the one there is\n"
    "      --form FORM         oauth or federation (oauth)\n"
    "      --subject WHAT      run or agent\n"
    "      --alg ALG           ES256, RS256 or Ed25519 (ES256)\n"
    "      --may-audience URI  children may ask for it too; repeats\n"
    "      --parent FILE       the parent's token, - for stdin, or 'none'\n"
    "                          ($EPHID_TOKEN_FILE, else $EPHID_TOKEN)\n"
    "      --format FORMAT     token, json, env or header (token)\n"
    "  -o, --output FILE       write there, 0600, and not to stdout\n"
    "      --id-file FILE      write the id there, for ephid-revoke\n"
    "      --strict            warnings are failures: nothing is minted\n"
    "      --home DIR          keys and ledger\n"
    "  -j, --json              the same as --format json\n"
    "  -q, --quiet             no warnings\n"
    "  -h, --help              this text\n"
    "  -V, --version           the version\n"
    "\n"
    "Status: 0 minted, 1 refused, 2 usage, 3 the system failed.\n";

enum { OPT_FORMAT = CLI_OWN, OPT_ID_FILE };

static const char letters[] = "+:o:" CLI_MINT_SHORT CLI_SHORT;
static const struct option options[] = {
    CLI_MINT_LONG,
    {"format", required_argument, NULL, OPT_FORMAT},
    {"output", required_argument, NULL, 'o'},
    {"id-file", required_argument, NULL, OPT_ID_FILE},
    CLI_LONG,
};

struct options {
	struct common_options common;
	struct mint_options mint;
	struct delivery to;
};

static void
parse(struct options *o, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (cli_mint_option(&o->mint, opt, optarg) ||
		    cli_common(&o->common, opt, help))
			continue;
		if (opt == OPT_FORMAT)
			o->to.format = optarg;
		else if (opt == 'o')
			o->to.output = optarg;
		else if (opt == OPT_ID_FILE)
			o->to.id_file = optarg;
		else
			cli_bad_option(argc, argv, letters);
	}
	if (optind < argc)
		cli_usage("it takes no operands");
	if (o->common.json && o->to.format != NULL &&
	    strcmp(o->to.format, "json") != 0)
		cli_usage("--json and --format contradict each other");
	if (o->common.json)
		o->to.format = "json";
}

/* What a profile says of the options that are ours alone. */
static void
prepare_delivery(struct options *o, const struct settings *settings)
{
	struct err e;

	delivery_fill(&o->to, cli_profile(&o->mint, settings));
	if (delivery_check(&o->to, &e) == 0)
		return;
	if (e.code == ERR_USAGE)
		cli_usage("%s", e.text);
	cli_die(&e);
}

/* A parent was minted by some home; where there is none it is not ours, and
 * making one would only hide that. */
static void
open_home(struct lifecycle *lc, const struct options *o, bool is_child)
{
	const char *homeless = cli_homeless(&o->common);
	struct err e;

	if (cli_open(lc, &o->common, is_child ? LEDGER_WRITE : LEDGER_CREATE,
		&e) == 0)
		return;
	if (is_child && (e.code == ERR_MISSING || homeless != NULL))
		lifecycle_no_home(homeless, &e);
	cli_die(&e);
}

int
main(int argc, char **argv)
{
	scoped(free_json) cJSON *origin = NULL;
	scoped(buf_free) struct buf parent = {0}, why = {0};
	struct options o = {0};
	struct settings settings = {0};
	struct mint_request rq = {0};
	struct lifecycle lc;
	struct minted m;
	struct err e;
	int status = 0;

	cli_start("ephid-mint", 3);
	parse(&o, argc, argv);
	cli_settings(&o.common, &settings);
	cli_mint_request(&o.mint, &settings, &rq, &parent);
	if (cJSON_GetArraySize(rq.audiences) > 1)
		cli_usage("several audiences: a token has exactly one");
	prepare_delivery(&o, &settings);
	rq.default_agent = cli_user();
	rq.homeless = cli_homeless(&o.common);
	rq.origin = origin = origin_read(environ);
	open_home(&lc, &o, rq.parent_token != NULL);
	if (lifecycle_mint(&lc, &rq, &m, &e) < 0)
		cli_die(&e);
	if (lifecycle_is_cut_short(&lc, &rq, &m, &why))
		cli_warn("%s", why.ptr);
	if (o.mint.strict && cli_warned()) {
		delivery_take_back(&lc, &m, "a warning, and --strict");
		status = 1;
	} else if (delivery_make(&o.to, &m, lifecycle_now(&lc), &e) < 0) {
		delivery_take_back(&lc, &m, "its token could not be written");
		status = cli_report(&e);
	}
	minted_clear(&m);
	lifecycle_close(&lc);
	settings_free(&settings);
	free_json(&o.mint.audiences);
	free_json(&o.mint.may_audiences);
	return status;
}
