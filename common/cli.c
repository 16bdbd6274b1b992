#include "config.h"

#include "cli.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "issuer.h"
#include "scope.h"

static struct {
	const char *name;
	int failure;
	bool quiet, warned;
} program = {"ephid", 3, false, false};

/* --- start, words and the end ----------------------------------------- */

/* A full disk must not exit 0. _exit: we are in an atexit handler. */
static void
close_stdout(void)
{
	if (io_flush_stdout() == 0)
		return;
	fprintf(stderr, "%s: cannot write to stdout: %s\n", program.name,
	    strerror(errno));
	_exit(program.failure);
}

/* With 0 to 2 closed, the ledger could become what a message is written to.
 * The wrong way round: a token written to a closed stdout is a failure, and a
 * closed stdin is not an empty one.  Close-on-exec: a wrapped command finds
 * them closed, as its caller had it. */
static void
open_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null",
			(fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC) < 0)
			_exit(program.failure);
}

void
cli_start(const char *name, int failure)
{
	program.name = name;
	program.failure = failure;
	open_standard_descriptors();
	/* Not RLIMIT_CORE: it would be inherited by the wrapped command. */
	prctl(PR_SET_DUMPABLE, 0);
	/* ephid-wrap hands its dispositions on as they are. */
	if (failure == 3)
		signal(SIGPIPE, SIG_DFL);
	setlocale(LC_CTYPE, "");
	atexit(close_stdout);
}

const char *
cli_program(void)
{
	return program.name;
}

static void
say(const char *text)
{
	scoped(buf_free) struct buf line = {0};

	buf_addf(&line, "%s: ", program.name);
	record_clean(text, &line);
	buf_addc(&line, '\n');
	fputs(line.ptr, stderr);
}

static void say_unless_quiet(const char *fmt, va_list ap) PRINTF(1, 0);
static void
say_unless_quiet(const char *fmt, va_list ap)
{
	char *text;

	if (program.quiet || vasprintf(&text, fmt, ap) < 0)
		return;
	say(text);
	free(text);
}

void
cli_warn(const char *fmt, ...)
{
	va_list ap;

	program.warned = true;
	va_start(ap, fmt);
	say_unless_quiet(fmt, ap);
	va_end(ap);
}

void
cli_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_unless_quiet(fmt, ap);
	va_end(ap);
}

bool
cli_warned(void)
{
	return program.warned;
}

int
cli_report(const struct err *e)
{
	int status = err_exit_status(e->code);

	if (program.failure != 3)
		status = program.failure;
	if (!program.quiet || status != 1)
		say(e->text);
	return status;
}

_Noreturn void
cli_die(const struct err *e)
{
	exit(cli_report(e));
}

_Noreturn void
cli_usage(const char *fmt, ...)
{
	struct err e = {ERR_USAGE, ""};
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof e.text - 64, fmt, ap);
	va_end(ap);
	n = strlen(e.text);
	snprintf(
	    e.text + n, sizeof e.text - n, "; see '%s --help'", program.name);
	cli_die(&e);
}

/* getopt_long() does not leave behind what was wrong with optopt: a letter that
 * optstring has not is unknown, any other lacks a value or has one too many. */
static bool
is_letter_of(const char *optstring, int c)
{
	return c >= CLI_HOME ||
	    (c != ':' && strchr(optstring + strlen("+:"), c) != NULL);
}

_Noreturn void
cli_bad_option(int argc, char *const *argv, const char *optstring)
{
	const char *arg = optind > 0 && optind <= argc ? argv[optind - 1] : "";
	/* What stands after "=" may be a secret. */
	int name = (int)strcspn(arg, "=");
	bool is_long = strncmp(arg, "--", 2) == 0;

	if (optopt == 0)
		cli_usage("unknown option '%.*s'", name, arg);
	/* First: within "-xy" arg is still the one before it. */
	if (!is_letter_of(optstring, optopt))
		cli_usage("unknown option '-%c'", optopt);
	if (is_long && arg[name] == '=')
		cli_usage("option '%.*s' takes no value", name, arg);
	if (is_long)
		cli_usage("option '%.*s' needs a value", name, arg);
	cli_usage("option '-%c' needs a value", optopt);
}

/* --- options ----------------------------------------------------------- */

bool
cli_common(struct common_options *o, int opt, const char *help)
{
	switch (opt) {
	case CLI_HOME:
		if (*optarg == '\0')
			cli_usage("option '--home' is empty");
		o->home = optarg;
		return true;
	case 'j':
		return o->json = true;
	case 'q':
		return o->quiet = program.quiet = true;
	case 'h':
		fputs(help, stdout);
		exit(0);
	case 'V':
		printf("%s %s\n", program.name, PACKAGE_VERSION);
		exit(0);
	default:
		return false;
	}
}

void
cli_push(cJSON **list, const char *value)
{
	if (*list == NULL && (*list = cJSON_CreateArray()) == NULL)
		abort();
	json_push_string(*list, value);
}

/* It repeats, as a list in a profile does; kept for as long as we live. */
static const char *
join_scopes(const char *so_far, const char *more)
{
	return so_far == NULL ? more : xasprintf("%s %s", so_far, more);
}

bool
cli_mint_option(struct mint_options *o, int opt, const char *arg)
{
	switch (opt) {
	case 'a':
		cli_push(&o->audiences, arg);
		return true;
	case CLI_MAY_AUDIENCE:
		cli_push(&o->may_audiences, arg);
		return true;
	case 's':
		o->scope = join_scopes(o->scope, arg);
		return true;
	case 't':
		o->ttl = arg;
		return true;
	case 'p':
		o->profile = arg;
		return true;
	case CLI_AGENT:
		o->agent = arg;
		return true;
	case CLI_TASK:
		o->task = arg;
		return true;
	case CLI_FORM:
		o->form = arg;
		return true;
	case CLI_SUBJECT:
		o->subject = arg;
		return true;
	case CLI_ALG:
		o->alg = arg;
		return true;
	case CLI_PARENT:
		o->parent = arg;
		return true;
	case CLI_ISSUER:
		o->issuer = arg;
		return true;
	case CLI_STRICT:
		return o->strict = true;
	default:
		return false;
	}
}

/* A profile's text for an option that the line did not give. Lists (a scope)
 * become words, numbers their digits, kept for as long as we live. */
void
cli_fill(const char **value, const cJSON *profile, const char *name)
{
	static char *kept[16];
	static size_t n;
	const cJSON *m = json_get(profile, name), *item;
	struct buf text = {0};

	if (*value != NULL || m == NULL)
		return;
	if (cJSON_IsString(m)) {
		*value = m->valuestring;
		return;
	}
	if (cJSON_IsArray(m))
		cJSON_ArrayForEach (item, m)
			buf_addf(&text, "%s%s", text.len > 0 ? " " : "",
			    cJSON_IsString(item) ? item->valuestring : "");
	else
		json_print(m, &text);
	assert(n < sizeof kept / sizeof *kept);
	*value = kept[n++] = buf_steal(&text);
}

void
cli_fill_list(cJSON **list, const cJSON *profile, const char *name)
{
	const cJSON *m = json_get(profile, name), *item;

	if (*list != NULL || m == NULL)
		return;
	if (cJSON_IsString(m))
		cli_push(list, m->valuestring);
	cJSON_ArrayForEach (item, m)
		if (cJSON_IsString(item))
			cli_push(list, item->valuestring);
}

void
cli_fill_flag(bool *flag, const cJSON *profile, const char *name)
{
	if (cJSON_IsTrue(json_get(profile, name)))
		*flag = true;
}

/* Set and not empty. */
static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

const cJSON *
cli_profile(const struct mint_options *o, const struct settings *settings)
{
	const char *name =
	    o->profile != NULL ? o->profile : variable("EPHID_PROFILE");
	const cJSON *profile = NULL;
	struct err e;

	if (name != NULL && settings_profile(settings, name, &profile, &e) < 0)
		cli_die(&e);
	return profile;
}

/* To leave out a credential that somebody counts on is no service. */
static void
refuse_other_issuers(const cJSON *profile)
{
	static const char *const later[] = {"for", "with"};
	struct err e;

	for (size_t i = 0; i < sizeof later / sizeof *later; i++)
		if (json_get(profile, later[i]) != NULL) {
			err_set(&e, ERR_DENIED,
			    "the profile has '%s', which this version cannot "
			    "do: there is no issuer but the embedded one",
			    later[i]);
			cli_die(&e);
		}
}

static void
apply_profile(struct mint_options *o, const cJSON *p)
{
	refuse_other_issuers(p);
	cli_fill_list(&o->audiences, p, "audience");
	cli_fill_list(&o->may_audiences, p, "may-audience");
	cli_fill(&o->scope, p, "scope");
	cli_fill(&o->ttl, p, "ttl");
	cli_fill(&o->agent, p, "agent");
	cli_fill(&o->task, p, "task");
	cli_fill(&o->form, p, "form");
	cli_fill(&o->subject, p, "subject");
	cli_fill(&o->alg, p, "alg");
	cli_fill(&o->parent, p, "parent");
	cli_fill(&o->issuer, p, "issuer");
	cli_fill_flag(&o->strict, p, "strict");
}

int64_t
cli_duration(const char *option, const char *text)
{
	struct err e;
	int64_t ms;

	if (clock_parse_duration(text, &ms, &e) < 0)
		cli_usage("option '--%s': %s", option, e.text);
	return ms;
}

/* Whole seconds, rounded up: 0 would mean policy's. */
static int64_t
parse_ttl(const char *text)
{
	int64_t ms = text != NULL ? cli_duration("ttl", text) : 0;

	if (text != NULL && ms < TTL_MIN * CLOCK_SECOND)
		cli_usage("option '--ttl': less than %ds", TTL_MIN);
	return ms / CLOCK_SECOND + (ms % CLOCK_SECOND != 0);
}

static int
parse_subject(const char *text)
{
	if (text == NULL)
		return -1;
	if (strcmp(text, "run") == 0)
		return 0;
	if (strcmp(text, "agent") != 0)
		cli_usage("option '--subject': neither 'run' nor 'agent'");
	return 1;
}

static int
parse_alg(const char *text)
{
	enum key_alg alg;

	if (text == NULL)
		return -1;
	if (key_alg_parse(text, &alg) < 0)
		cli_usage("option '--alg': not ES256, RS256 or Ed25519");
	return (int)alg;
}

static enum form
parse_form(const char *text)
{
	enum form form = FORM_OAUTH;

	if (text != NULL && form_parse(text, &form) < 0)
		cli_usage("option '--form': neither 'oauth' nor 'federation'");
	return form;
}

static void
check_audiences(const cJSON *list)
{
	const cJSON *item, *other;
	struct err e;

	cJSON_ArrayForEach (item, list) {
		if (audience_check(item->valuestring, &e) < 0)
			cli_usage("%s", e.text);
		for (other = item->next; other != NULL; other = other->next)
			if (strcmp(item->valuestring, other->valuestring) == 0)
				cli_usage("audience '%s': given twice",
				    item->valuestring);
	}
}

/* Asked again by lifecycle; here, so that a slip makes no home. */
static void
check_words(const struct mint_options *o)
{
	scoped(buf_free) struct buf scope = {0};
	scoped(free_string) char *agent = NULL;
	const struct issuer_ops *ops;
	struct err e;

	if (o->scope != NULL && scope_parse(o->scope, &scope, &e) < 0)
		cli_usage("%s", e.text);
	if (o->agent != NULL && agent_parse(o->agent, &agent, &e) < 0)
		cli_usage("%s", e.text);
	if (o->task != NULL && note_check("task", o->task, &e) < 0)
		cli_usage("%s", e.text);
	if (o->issuer != NULL && issuer_find(o->issuer, &ops, &e) < 0)
		cli_usage("%s", e.text);
}

/* A named file that is gone is an error, not a reason to mint a root. */
static const char *
read_parent(const char *path, struct buf *out)
{
	struct err e;
	int found;

	if (path != NULL && strcmp(path, "none") == 0)
		return NULL;
	if (path != NULL)
		found = cli_read_token(path, out, &e) < 0 ? -1 : 1;
	else
		found = cli_own_token(out, &e);
	if (found < 0)
		cli_die(&e);
	return found > 0 ? buf_str(out) : NULL;
}

void
cli_mint_request(struct mint_options *o, const struct settings *settings,
    struct mint_request *rq, struct buf *parent)
{
	apply_profile(o, cli_profile(o, settings));
	if (cJSON_GetArraySize(o->audiences) > AUDIENCES_MAX)
		cli_usage("%d audiences: the most is %d",
		    cJSON_GetArraySize(o->audiences), AUDIENCES_MAX);
	check_audiences(o->audiences);
	check_audiences(o->may_audiences);
	check_words(o);
	rq->audiences = o->audiences;
	rq->scope = o->scope;
	rq->ttl = parse_ttl(o->ttl);
	rq->agent = o->agent;
	rq->task = o->task;
	rq->form = parse_form(o->form);
	rq->subject_is_agent = parse_subject(o->subject);
	rq->alg = parse_alg(o->alg);
	rq->issuer = o->issuer;
	rq->may_audiences = o->may_audiences;
	rq->parent_token = read_parent(o->parent, parent);
}

/* --- tokens and operands ----------------------------------------------- */

static bool
is_space(char c)
{
	return c != '\0' && strchr(" \t\r\n", c) != NULL;
}

static void
trim(struct buf *b)
{
	size_t from = 0, len = b->len;

	while (len > 0 && is_space(b->ptr[len - 1]))
		len--;
	buf_trim(b, len);
	while (from < b->len && is_space(b->ptr[from]))
		from++;
	if (from == 0)
		return;
	memmove(b->ptr, b->ptr + from, b->len - from);
	buf_trim(b, b->len - from);
}

int
cli_read_token(const char *path, struct buf *out, struct err *e)
{
	scoped(close_fd) int fd = -1;
	scoped(free_string) char *name = xasprintf("'%s'", path);

	/* Errors name the file, and stderr is often kept. */
	if (strncmp(path, "eyJ", 3) == 0 && cli_is_token(path))
		return err_set(e, ERR_USAGE,
		    "it looks like a token; tokens are read from a file or "
		    "from stdin (-)");
	/* Not O_NONBLOCK: a pipe such as <(...) is waited for. */
	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return err_set(
		    e, ERR_MISSING, "cannot read %s: no such file", name);
	if (fd < 0)
		return err_sys(e, "cannot read %s", name);
	if (io_read_all(fd, JWT_MAX + 64, name, out, e) < 0)
		return -1;
	trim(out);
	if (out->len == 0)
		return err_set(e, ERR_INVALID, "%s: holds no token", name);
	if (out->len > JWT_MAX)
		return err_set(
		    e, ERR_INVALID, "%s: longer than %d bytes", name, JWT_MAX);
	return 0;
}

int
cli_own_token(struct buf *out, struct err *e)
{
	const char *path = variable("EPHID_TOKEN_FILE");
	const char *token = variable("EPHID_TOKEN");

	if (path != NULL) {
		if (cli_read_token(path, out, e) == 0)
			return 1;
		/* The file goes when the run is revoked; the token that is
		 * left says of what. */
		if (e->code != ERR_MISSING || token == NULL)
			return err_in(e, "EPHID_TOKEN_FILE");
	}
	if (token == NULL)
		return 0;
	buf_adds(out, token);
	trim(out);
	return 1;
}

bool
cli_is_token(const char *text)
{
	size_t dots = 0;

	if (strlen(text) <= ID_LEN || strchr(text, '/') != NULL)
		return false;
	for (const char *s = text; *s != '\0'; s++)
		dots += *s == '.';
	return dots == 2;
}

/* Whether or not it is well-formed: what is long may be a secret. */
static bool
may_be_secret(const char *text)
{
	return strchr(text, '/') == NULL &&
	    (cli_is_token(text) || strlen(text) > 2 * ID_LEN);
}

static int
worse(int a, int b)
{
	return a > b ? a : b;
}

static int
operand_error(const char *what, int n, const char *why)
{
	struct err e;

	err_set(&e, ERR_USAGE, "%s %d %s", what, n, why);
	return cli_report(&e);
}

/* The next line without its white space: 1, or 0 at the end. Bytes beyond
 * what a token can have are dropped but one, so that it is seen as too long. */
static int
next_line(struct buf *line)
{
	int c = EOF;

	buf_trim(line, 0);
	while ((c = getchar()) != EOF && c != '\n')
		if (line->len <= JWT_MAX)
			buf_addc(line, c == '\0' ? '?' : (char)c);
	if (c == EOF && line->len == 0)
		return 0;
	if (line->len > 0)
		trim(line);
	return 1;
}

static int
each_line(int (*fn)(const char *operand, void *arg), void *arg)
{
	scoped(buf_free) struct buf line = {0};
	struct err e;
	int worst = 0;

	for (int n = 1; next_line(&line) > 0; n++) {
		if (line.len == 0)
			continue;
		if (strchr(line.ptr, '/') != NULL ||
		    (may_be_secret(line.ptr) && !cli_is_token(line.ptr)))
			worst = worse(worst,
			    operand_error("line", n,
				"of stdin is neither an id nor a token"));
		else
			worst = worse(worst, fn(line.ptr, arg));
	}
	if (ferror(stdin)) {
		err_sys(&e, "cannot read stdin");
		worst = worse(worst, cli_report(&e));
	}
	return worst;
}

int
cli_each_operand(int n, char *const *operands,
    int (*fn)(const char *operand, void *arg), void *arg)
{
	int status, worst = 0;

	for (int i = 0; i < n; i++) {
		if (strcmp(operands[i], "-") == 0)
			status = each_line(fn, arg);
		else if (*operands[i] == '\0')
			status = operand_error("operand", i + 1, "is empty");
		else if (may_be_secret(operands[i]))
			status = operand_error("operand", i + 1,
			    "looks like a token; tokens are read from a file "
			    "or from stdin (-)");
		else
			status = fn(operands[i], arg);
		worst = worse(worst, status);
	}
	return worst;
}

/* --- surroundings ------------------------------------------------------ */

/* COLUMNS, where somebody exported it, is what they want. */
static int
terminal_width(void)
{
	const char *columns = variable("COLUMNS");
	struct winsize ws;
	long n;

	if (columns != NULL && (n = strtol(columns, NULL, 10)) > 0 && n < 10000)
		return (int)n;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col;
	return 80;
}

struct look
cli_look(void)
{
	const char *term = getenv("TERM");
	struct look look = {0, false, false};

	if (!isatty(STDOUT_FILENO))
		return look;
	look.width = terminal_width();
	look.colour = variable("NO_COLOR") == NULL && term != NULL &&
	    strcmp(term, "dumb") != 0;
	look.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	return look;
}

const char *
cli_user(void)
{
	static char number[32];
	const struct passwd *pw = getpwuid(getuid());

	if (pw != NULL && *pw->pw_name != '\0')
		return pw->pw_name;
	snprintf(number, sizeof number, "uid-%u", (unsigned)getuid());
	return number;
}

const char *
cli_homeless(const struct common_options *o)
{
	return o->home == NULL && variable("EPHID_HOME") == NULL
	    ? variable("EPHID_ID")
	    : NULL;
}

void
cli_settings(const struct common_options *o, struct settings *out)
{
	scoped(free_string) char *path = NULL;
	struct home home;
	struct err e;
	bool there;

	if (home_locate(o->home, &path, &e) < 0)
		cli_die(&e);
	there = home_open(path, false, &home, &e) == 0;
	if (!there && e.code != ERR_MISSING)
		cli_die(&e);
	if (settings_load(
		SYSCONFDIR "/config.json", there ? &home : NULL, out, &e) < 0)
		cli_die(&e);
	if (there)
		home_close(&home);
}

int
cli_open(struct lifecycle *lc, const struct common_options *o,
    enum ledger_mode mode, struct err *e)
{
	struct lifecycle_where where = {
	    .program = program.name,
	    .home = o->home,
	    .mode = mode,
	    .now_ms = clock_now_ms(),
	};

	if (lifecycle_open(&where, lc, e) < 0)
		return -1;
	cli_sweep(lc);
	return 0;
}

void
cli_sweep(struct lifecycle *lc)
{
	struct err e;
	size_t n;

	if (ledger_is_read_only(lc->ledger))
		return;
	if (lifecycle_sweep(lc, SWEEP_HABIT, &n, &e) < 0)
		cli_warn("cannot sweep: %s", e.text);
	cli_say_restored(lc);
}

void
cli_say_restored(struct lifecycle *lc)
{
	if (ledger_was_restored(lc->ledger))
		cli_warn("the ledger was restored from an older copy; all "
			 "identities that it held live are revoked");
}
