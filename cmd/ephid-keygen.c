#include "config.h"

#include <stdbool.h>

#include "cli.h"
#include "custody.h"
#include "keylist.h"

static const char help[] =
    "usage: ephid-keygen [--alg ALG]\n"
    "       ephid-keygen --rotate [--now] [--alg ALG]\n"
    "       ephid-keygen --retire KID\n"
    "       ephid-keygen --list | --jwks | --pem [KID]\n"
    "       ephid-keygen --set-url URL [--force]\n"
    "\n"
    "Makes the issuer's key where there is none, and prints its kid.\n"
    "\n"
    "      --alg ALG      ES256, RS256 or Ed25519 (ES256)\n"
    "      --rotate       make the next key; once the issuer has a URL it is\n"
    "                     published for an hour before it signs\n"
    "      --now          do not wait for that\n"
    "      --retire KID   end a key at once and revoke what it signed\n"
    "      --list         keys and their states\n"
    "      --jwks         the key set that verifiers need\n"
    "      --pem          a public key: KID's, or the active one's\n"
    "      --set-url URL  what tokens name as their issuer, set once\n"
    "      --force        set it again, or with identities live, which are\n"
    "                     revoked\n"
    "      --home DIR     keys and ledger\n"
    "  -j, --json         a JSON record a line\n"
    "  -q, --quiet        answer by status alone\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n"
    "\n"
    "Status: 0 done, 1 refused or not found, 2 usage, 3 the system failed.\n";

enum {
	OPT_ALG = CLI_FIRST,
	OPT_NOW,
	OPT_FORCE,
	OPT_ROTATE, /* from here on: modes */
	OPT_RETIRE,
	OPT_LIST,
	OPT_JWKS,
	OPT_PEM,
	OPT_SET_URL
};

static const char letters[] = "+:" CLI_SHORT;
static const struct option options[] = {
    {"alg", required_argument, NULL, OPT_ALG},
    {"now", no_argument, NULL, OPT_NOW},
    {"force", no_argument, NULL, OPT_FORCE},
    {"rotate", no_argument, NULL, OPT_ROTATE},
    {"retire", required_argument, NULL, OPT_RETIRE},
    {"list", no_argument, NULL, OPT_LIST},
    {"jwks", no_argument, NULL, OPT_JWKS},
    {"pem", no_argument, NULL, OPT_PEM},
    {"set-url", required_argument, NULL, OPT_SET_URL},
    CLI_LONG,
};

struct keygen {
	struct common_options common;
	int mode; /* 0, or an option from OPT_ROTATE on */
	enum key_alg alg;
	bool alg_given, at_once, force;
	const char *value; /* of the mode: a kid or a URL, or NULL */
};

static void
take_option(struct keygen *k, int opt)
{
	if (opt == OPT_ALG) {
		if (key_alg_parse(optarg, &k->alg) < 0)
			cli_usage(
			    "option '--alg': not ES256, RS256 or Ed25519");
		k->alg_given = true;
	} else if (opt == OPT_NOW) {
		k->at_once = true;
	} else if (opt == OPT_FORCE) {
		k->force = true;
	} else {
		if (k->mode != 0)
			cli_usage("one thing at a time");
		k->mode = opt;
		k->value = optarg;
	}
}

static void
check_options(struct keygen *k, int operands, char *const *operand)
{
	struct err e;

	if (k->mode == OPT_PEM && operands == 1)
		k->value = operand[0];
	else if (operands > 0)
		cli_usage("too many operands");
	if (k->at_once && k->mode != OPT_ROTATE)
		cli_usage("--now goes with --rotate");
	if (k->force && k->mode != OPT_SET_URL)
		cli_usage("--force goes with --set-url");
	if (k->alg_given && k->mode != 0 && k->mode != OPT_ROTATE &&
	    (k->mode != OPT_PEM || k->value != NULL))
		cli_usage("--alg does not go with this");
	if (k->mode == OPT_RETIRE && *k->value == '\0')
		cli_usage("option '--retire' is empty");
	if (k->mode == OPT_SET_URL && issuer_url_check(k->value, &e) < 0)
		cli_usage("option '--set-url': %s", e.text);
}

static void
parse(struct keygen *k, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) != -1)
		if (opt >= OPT_ALG && opt <= OPT_SET_URL)
			take_option(k, opt);
		else if (!cli_common(&k->common, opt, help))
			cli_bad_option(argc, argv, letters);
	check_options(k, argc - optind, argv + optind);
}

static int
run(struct keygen *k, struct custody *c, struct err *e)
{
	switch (k->mode) {
	case OPT_LIST:
		return keylist_print(c->lc, &k->common, e);
	case OPT_JWKS:
		return keylist_print_jwks(c->lc, &k->common, e);
	case OPT_PEM:
		return keylist_print_pem(
		    c->lc, k->value, k->alg, &k->common, e);
	case OPT_ROTATE:
		return custody_rotate(c, k->alg, k->at_once, e);
	case OPT_RETIRE:
		return custody_retire(c, k->value, e);
	case OPT_SET_URL:
		return custody_set_url(c, k->value, k->force, e);
	default:
		return custody_make(c, k->alg, e);
	}
}

int
main(int argc, char **argv)
{
	struct keygen k = {.alg = KEY_ES256};
	enum ledger_mode mode = LEDGER_WRITE;
	struct lifecycle lc;
	struct custody c = {.lc = &lc};
	struct err e;
	int result;

	cli_start("ephid-keygen", 3);
	parse(&k, argc, argv);
	/* Only what makes something may make a home. */
	if (k.mode == 0 || k.mode == OPT_ROTATE || k.mode == OPT_SET_URL)
		mode = LEDGER_CREATE;
	if (cli_open(&lc, &k.common, mode, &e) < 0)
		cli_die(&e);
	result = run(&k, &c, &e);
	if (result == 0 && *c.kid != '\0')
		result = keylist_print_kid(&lc, c.kid, &k.common, &e);
	lifecycle_close(&lc);
	return result < 0 ? cli_report(&e) : 0;
}
