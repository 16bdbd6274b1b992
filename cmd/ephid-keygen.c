#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "clock.h"

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
	struct lifecycle lc;
};

/* --- options ----------------------------------------------------------- */

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

/* --- showing ----------------------------------------------------------- */

/* When it begins, and when its last signature is over; 0 where unknown. */
static cJSON *
key_record(const struct key_row *row, int64_t now)
{
	cJSON *o = json_object();
	char stamp[CLOCK_STAMP_MAX];
	const struct {
		const char *name;
		int64_t at;
	} times[] = {{"created_at", row->created_at},
	    {"activates_at", row->activate_at},
	    {"verifies_until", row->verify_until}};

	json_add_string(o, "kid", row->kid);
	json_add_string(o, "alg", key_alg_name(row->alg));
	json_add_string(
	    o, "state", keystore_state_name(keystore_state(row, now)));
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		if (times[i].at != 0)
			json_add_string(
			    o, times[i].name, clock_stamp(times[i].at, stamp));
		else
			json_add_null(o, times[i].name);
	return o;
}

static void
print_row(const struct keygen *k, const struct key_row *row)
{
	scoped(free_json) cJSON *o = key_record(row, lifecycle_now(&k->lc));
	const char *activates = json_string(o, "activates_at");
	const char *until = json_string(o, "verifies_until");

	if (k->common.json)
		record_print_json(o);
	else
		printf("%-43s  %-7s  %-8s  %-20s  %-20s  %s\n", row->kid,
		    key_alg_name(row->alg), json_string(o, "state"),
		    json_string(o, "created_at"),
		    activates != NULL ? activates : "-",
		    until != NULL ? until : "-");
}

static void
say_kid(const struct keygen *k, const char *kid)
{
	struct key_row row;
	struct err e;

	if (k->common.quiet)
		return;
	if (!k->common.json)
		puts(kid);
	else if (ledger_find_key(k->lc.ledger, kid, &row, &e) < 0)
		cli_die(&e);
	else
		print_row(k, &row);
}

static int
list_keys(struct keygen *k, struct err *e)
{
	static struct key_row rows[1024];
	int n = ledger_keys(k->lc.ledger, rows, sizeof rows / sizeof *rows, e);

	if (n < 0)
		return -1;
	if (k->common.quiet)
		return 0;
	if (n > 0 && !k->common.json)
		printf("%-43s  %-7s  %-8s  %-20s  %-20s  %s\n", "KID", "ALG",
		    "STATE", "CREATED", "ACTIVATES", "VERIFIES UNTIL");
	for (int i = 0; i < n; i++)
		print_row(k, &rows[i]);
	return 0;
}

/* Private halves go once their end is on the disk, not before. */
static int
commit(struct keygen *k, struct err *e)
{
	if (ledger_commit(k->lc.ledger, e) < 0)
		return -1;
	return keystore_settle(k->lc.keys, e);
}

/* --- acts: each in the transaction that run() opened -------------------- */

static int
make_key(struct keygen *k, struct err *e)
{
	const struct key *key;
	bool there = keystore_active(k->lc.keys, k->alg, false, &key, e) == 0;

	if (!there && e->code != ERR_MISSING)
		return -1;
	if (!there && keystore_active(k->lc.keys, k->alg, true, &key, e) < 0)
		return -1;
	if (commit(k, e) < 0)
		return -1;
	if (there)
		cli_warn(
		    "there is an active %s key already", key_alg_name(k->alg));
	say_kid(k, key_kid(key));
	return 0;
}

static int
rotate(struct keygen *k, struct err *e)
{
	char when[CLOCK_STAMP_MAX];
	struct key_row next;

	if (keystore_rotate(k->lc.keys, k->alg, k->at_once, &next, e) < 0 ||
	    commit(k, e) < 0)
		return -1;
	if (next.state == KEYSTATE_NEXT)
		cli_warn(
		    "it signs from %s on", clock_stamp(next.activate_at, when));
	say_kid(k, next.kid);
	return 0;
}

/* What can no longer be verified is revoked, so that it shows as ended. */
static int
revoke_all(struct keygen *k, const char *kid, const char *why, struct err *e)
{
	const struct ledger_filter f = {
	    .kid = kid, .now = lifecycle_now(&k->lc)};
	size_t n;

	if (lifecycle_revoke(&k->lc, &f, why, NULL, NULL, &n, e) < 0)
		return -1;
	if (n > 0)
		cli_warn(
		    "%zu %s revoked", n, n == 1 ? "identity" : "identities");
	return 0;
}

static int
retire(struct keygen *k, struct err *e)
{
	struct key_row successor = {.kid = ""};

	if (keystore_retire(k->lc.keys, k->value, &successor, e) < 0 ||
	    commit(k, e) < 0 ||
	    revoke_all(k, k->value, "its key was retired", e) < 0)
		return -1;
	if (*successor.kid != '\0')
		say_kid(k, successor.kid);
	return 0;
}

static int
set_url(struct keygen *k, struct err *e)
{
	scoped(free_string) char *url = NULL;
	bool published = false;
	int64_t live;

	if (keystore_issuer_url(k->lc.keys, &url, &published, e) < 0 ||
	    ledger_count_live(k->lc.ledger, lifecycle_now(&k->lc), &live, e) <
		0)
		return -1;
	if (published && strcmp(url, k->value) == 0)
		return 0;
	if (published && !k->force)
		return err_set(e, ERR_DENIED,
		    "the issuer is '%s' already; --force changes it", url);
	if (live > 0 && !k->force)
		return err_set(e, ERR_DENIED,
		    "live identities under the old URL: %lld; --force "
		    "revokes %s",
		    (long long)live, live == 1 ? "it" : "them");
	if (keystore_set_url(k->lc.keys, k->value, e) < 0 || commit(k, e) < 0)
		return -1;
	return live > 0 ? revoke_all(k, NULL, "the issuer's URL changed", e)
			: 0;
}

static int
print_public(struct keygen *k, struct err *e)
{
	scoped(buf_free) struct buf text = {0};
	int got = k->mode == OPT_JWKS
	    ? keystore_jwks(k->lc.keys, &text, e)
	    : keystore_pem(k->lc.keys, k->value, k->alg, &text, e);

	if (got < 0)
		return -1;
	if (!k->common.quiet)
		fputs(buf_str(&text), stdout);
	if (!k->common.quiet && text.len > 0 && text.ptr[text.len - 1] != '\n')
		putchar('\n');
	return 0;
}

static int
change(struct keygen *k, struct err *e)
{
	int result;

	if (ledger_begin(k->lc.ledger, lifecycle_now(&k->lc), e) < 0)
		return -1;
	switch (k->mode) {
	case OPT_ROTATE:
		result = rotate(k, e);
		break;
	case OPT_RETIRE:
		result = retire(k, e);
		break;
	case OPT_SET_URL:
		result = set_url(k, e);
		break;
	default:
		result = make_key(k, e);
	}
	ledger_rollback(k->lc.ledger); /* nothing, where it was committed */
	return result;
}

static int
run(struct keygen *k, struct err *e)
{
	if (k->mode == OPT_LIST)
		return list_keys(k, e);
	if (k->mode == OPT_JWKS || k->mode == OPT_PEM)
		return print_public(k, e);
	return change(k, e);
}

int
main(int argc, char **argv)
{
	struct keygen k = {.alg = KEY_ES256};
	enum ledger_mode mode = LEDGER_WRITE;
	struct err e;
	int status;

	cli_start("ephid-keygen", 3);
	parse(&k, argc, argv);
	/* Only what makes something may make a home. */
	if (k.mode == 0 || k.mode == OPT_ROTATE || k.mode == OPT_SET_URL)
		mode = LEDGER_CREATE;
	if (cli_open(&k.lc, &k.common, mode, &e) < 0)
		cli_die(&e);
	status = run(&k, &e) < 0 ? cli_report(&e) : 0;
	lifecycle_close(&k.lc);
	return status;
}
