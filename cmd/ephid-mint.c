#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "io.h"
#include "origin.h"
#include "record.h"

static const char help[] =
    "usage: ephid-mint [OPTIONS]\n"
    "\n"
    "Mints an identity and prints its token. Inside a run the new identity\n"
    "is a child of that run.\n"
    "\n"
    "  -a, --audience URI      whom the token is for (the issuer itself)\n"
    "  -s, --scope LIST        what it may do, separated by spaces (nothing)\n"
    "  -t, --ttl DURATION      how long the token lives (15m)\n"
    "  -p, --profile NAME      options from the configuration\n"
    "      --agent NAME        who runs (the user's name, or the parent's)\n"
    "      --task TEXT         what for\n"
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
	const char *format, *output, *id_file;
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
			o->format = optarg;
		else if (opt == 'o')
			o->output = optarg;
		else if (opt == OPT_ID_FILE)
			o->id_file = optarg;
		else
			cli_bad_option(argc, argv, letters);
	}
	if (optind < argc)
		cli_usage("it takes no operands");
	if (o->common.json && o->format != NULL &&
	    strcmp(o->format, "json") != 0)
		cli_usage("--json and --format contradict each other");
	if (o->common.json)
		o->format = "json";
}

/* What a profile says of the options that are ours alone. */
static void
apply_profile(struct options *o, const struct settings *settings)
{
	const cJSON *p = NULL;
	struct err e;

	if (o->mint.profile != NULL &&
	    settings_profile(settings, o->mint.profile, &p, &e) < 0)
		cli_die(&e);
	if (o->format == NULL)
		o->format = json_string(p, "format");
	if (o->output == NULL)
		o->output = json_string(p, "output");
	if (o->id_file == NULL)
		o->id_file = json_string(p, "id-file");
	if (o->output != NULL && strcmp(o->output, "-") == 0)
		o->output = NULL;
	if (o->format == NULL)
		o->format = "token";
	if (strcmp(o->format, "token") != 0 && strcmp(o->format, "json") != 0 &&
	    strcmp(o->format, "env") != 0 && strcmp(o->format, "header") != 0)
		cli_usage("format: not token, json, env or header");
}

/* Cheap, and before there is something to take back. */
static void
check_target(const char *path)
{
	scoped(free_string) char *copy = NULL;
	struct stat st;
	struct err e;

	if (path == NULL)
		return;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		err_set(&e, ERR_SYSTEM, "cannot write '%s': not a file", path);
		cli_die(&e);
	}
	copy = xstrdup(path);
	if (*path == '\0')
		errno = ENOENT;
	if (*path == '\0' || access(dirname(copy), W_OK | X_OK) < 0) {
		err_sys(&e, "cannot write '%s'", path);
		cli_die(&e);
	}
}

static void
check_targets(const struct options *o)
{
	struct stat st;

	check_target(o->output);
	check_target(o->id_file);
	if (o->output == NULL && fstat(STDOUT_FILENO, &st) == 0 &&
	    S_ISREG(st.st_mode) && (st.st_mode & 044) != 0)
		cli_warn("stdout is a file that others can read; "
			 "--output makes one that they cannot");
}

static const char *
user_name(void)
{
	static char number[32];
	const struct passwd *pw = getpwuid(getuid());

	if (pw != NULL && *pw->pw_name != '\0')
		return pw->pw_name;
	snprintf(number, sizeof number, "uid-%u", (unsigned)getuid());
	return number;
}

/* A parent was minted by some home; where there is none it is not ours, and
 * making one would only hide that. */
static void
open_home(struct lifecycle *lc, const struct options *o, bool is_child)
{
	struct err e;

	if (cli_open(lc, &o->common, is_child ? LEDGER_WRITE : LEDGER_CREATE,
		&e) == 0)
		return;
	if (is_child && e.code == ERR_MISSING)
		err_in(&e, "parent token: wrong_issuer");
	cli_die(&e);
}

static void
render(const struct options *o, const struct minted *m, int64_t now,
    struct buf *out)
{
	scoped(free_json) cJSON *record = NULL;

	if (strcmp(o->format, "env") == 0) {
		buf_addf(out, "EPHID_TOKEN=%s\nEPHID_ID=%s\nEPHID_ROOT=%s\n",
		    buf_str(&m->token), m->identity.id, m->identity.root);
	} else if (strcmp(o->format, "header") == 0) {
		buf_addf(out, "Authorization: Bearer %s\n", buf_str(&m->token));
	} else if (strcmp(o->format, "json") == 0) {
		record = record_minted(m, now);
		json_print(record, out);
		buf_addc(out, '\n');
	} else {
		buf_addf(out, "%s\n", buf_str(&m->token));
	}
}

/* Not through stdio: what did not arrive must be known here, while there is
 * something to take back. Closing a copy asks the likes of NFS. */
static int
write_stdout(const struct buf *text, struct err *e)
{
	int copy;

	signal(SIGPIPE, SIG_IGN);
	if (io_write_all(STDOUT_FILENO, text->ptr, text->len, "to stdout", e) <
	    0)
		return -1;
	copy = dup(STDOUT_FILENO);
	if (copy >= 0 && close(copy) < 0)
		return err_sys(e, "cannot write to stdout");
	return 0;
}

static int
deliver(
    const struct options *o, const struct minted *m, int64_t now, struct err *e)
{
	scoped(buf_free) struct buf text = {0};
	char line[ID_LEN + 2];

	render(o, m, now, &text);
	snprintf(line, sizeof line, "%s\n", m->identity.id);
	if (o->id_file != NULL &&
	    io_replace_file(
		AT_FDCWD, o->id_file, 0600, line, ID_LEN + 1, false, e) < 0)
		return -1;
	if (o->output != NULL)
		return io_replace_file(
		    AT_FDCWD, o->output, 0600, text.ptr, text.len, false, e);
	return write_stdout(&text, e);
}

/* Nothing live is left behind that nobody holds. */
static void
take_back(struct lifecycle *lc, const struct minted *m, const char *why)
{
	const struct ledger_filter f = {
	    .id = m->identity.id, .now = lifecycle_now(lc)};
	struct err e;
	size_t n;

	if (lifecycle_revoke(lc, &f, why, NULL, NULL, &n, &e) < 0)
		cli_warn("run %s is not revoked: %s", m->identity.id, e.text);
}

static void
warn_of_expiry(const struct lifecycle *lc, const struct mint_request *rq,
    const struct minted *m)
{
	const struct policy *p = &lc->settings.policy;
	char when[CLOCK_STAMP_MAX], asked[CLOCK_DURATION_MAX];
	char most[CLOCK_DURATION_MAX];

	clock_duration(rq->ttl != 0 ? rq->ttl : p->ttl, asked);
	if (m->cut_short)
		cli_warn("token expires with its parent at %s, not in %s",
		    clock_stamp(m->credential.expires_at, when), asked);
	else if (rq->ttl > p->max_ttl)
		cli_warn("token expires in %s, the most that policy allows, "
			 "not in %s",
		    clock_duration(p->max_ttl, most), asked);
}

int
main(int argc, char **argv)
{
	scoped(free_json) cJSON *origin = NULL;
	scoped(buf_free) struct buf parent = {0};
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
	apply_profile(&o, &settings);
	check_targets(&o);
	rq.default_agent = user_name();
	rq.origin = origin = origin_read(environ);
	open_home(&lc, &o, rq.parent_token != NULL);
	if (lifecycle_mint(&lc, &rq, &m, &e) < 0)
		cli_die(&e);
	warn_of_expiry(&lc, &rq, &m);
	if (o.mint.strict && cli_warned()) {
		take_back(&lc, &m, "a warning, and --strict");
		status = 1;
	} else if (deliver(&o, &m, lifecycle_now(&lc), &e) < 0) {
		take_back(&lc, &m, "its token could not be written");
		status = cli_report(&e);
	}
	minted_clear(&m);
	lifecycle_close(&lc);
	settings_free(&settings);
	free_json(&o.mint.audiences);
	free_json(&o.mint.may_audiences);
	return status;
}
