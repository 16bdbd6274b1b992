#include "config.h"

#include "cli.h"

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

int64_t
cli_duration(const char *option, const char *text)
{
	struct err e;
	int64_t ms;

	if (clock_parse_duration(text, &ms, &e) < 0)
		cli_usage("option '--%s': %s", option, e.text);
	return ms;
}

const char *
cli_variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

/* --- surroundings ------------------------------------------------------ */

/* COLUMNS, where somebody exported it, is what they want. */
static int
terminal_width(void)
{
	const char *columns = cli_variable("COLUMNS");
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
	look.colour = cli_variable("NO_COLOR") == NULL && term != NULL &&
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
	return o->home == NULL && cli_variable("EPHID_HOME") == NULL
	    ? cli_variable("EPHID_ID")
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
