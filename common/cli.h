/*
 * cli - what all programs do alike on the command line.
 *
 * Each has a struct of options, a literal help text, and a getopt_long() loop
 * that only fills the struct.  Words go to stderr as "program: ...", data to
 * stdout; stdout is checked at the end, for a full disk must not exit 0.
 */
#ifndef EPHID_CLI_H
#define EPHID_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "lifecycle.h"
#include "record.h"

/* First in main(): the program's name for messages, standard descriptors
 * open, no core, not dumpable, locale, stdout checked at exit. `failure' is
 * the exit status of errors that have no other (wrap: 125 for all). */
void cli_start(const char *program, int failure);

const char *cli_program(void);
void cli_warn(const char *fmt, ...) PRINTF(1, 2); /* nothing if --quiet */
void cli_note(const char *fmt, ...) PRINTF(1, 2); /* the same, no warning */
/* An error that does not end the program: the text, unless --quiet says that
 * a plain "no" needs none, and its exit status. */
int cli_report(const struct err *e);
bool cli_warned(void); /* has cli_warn() been called? for --strict */
/* Prints "program: text" and exits with its status. */
_Noreturn void cli_die(const struct err *e);
/* As cli_die() with ERR_USAGE, and where to look: "; see 'P --help'". */
_Noreturn void cli_usage(const char *fmt, ...) PRINTF(1, 2);
/* What getopt_long() returned '?' or ':' for, in our words; it was called with
 * opterr 0 and this optstring, which begins with "+:". */
_Noreturn void cli_bad_option(
    int argc, char *const *argv, const char *optstring);

/* The options that all programs have. */
struct common_options {
	const char *home;
	bool json, quiet;
};
#define CLI_SHORT "jqhV"
#define CLI_LONG                                                              \
	{"home", required_argument, NULL, CLI_HOME},                          \
	    {"json", no_argument, NULL, 'j'},                                 \
	    {"quiet", no_argument, NULL, 'q'},                                \
	    {"help", no_argument, NULL, 'h'},                                 \
	    {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}
enum { CLI_HOME = 256, CLI_FIRST };
/* Takes one of these; false when opt is not among them. --help prints `help'
 * and exits 0, --version too. */
bool cli_common(struct common_options *o, int opt, const char *help);

/* The mint options, shared by ephid-mint and ephid-wrap: filled from the
 * command line, then from the profile where the line did not say. */
struct mint_options {
	cJSON *audiences, *may_audiences; /* arrays */
	const char *scope, *ttl, *profile, *agent, *task;
	const char *form, *subject, *alg, *parent, *issuer;
	bool strict;
};
#define CLI_MINT_SHORT "a:s:t:p:"
#define CLI_MINT_LONG                                                         \
	{"audience", required_argument, NULL, 'a'},                           \
	    {"scope", required_argument, NULL, 's'},                          \
	    {"ttl", required_argument, NULL, 't'},                            \
	    {"profile", required_argument, NULL, 'p'},                        \
	    {"agent", required_argument, NULL, CLI_AGENT},                    \
	    {"task", required_argument, NULL, CLI_TASK},                      \
	    {"form", required_argument, NULL, CLI_FORM},                      \
	    {"subject", required_argument, NULL, CLI_SUBJECT},                \
	    {"alg", required_argument, NULL, CLI_ALG},                        \
	    {"may-audience", required_argument, NULL, CLI_MAY_AUDIENCE},      \
	    {"parent", required_argument, NULL, CLI_PARENT},                  \
	    {"issuer", required_argument, NULL, CLI_ISSUER},                  \
	    {"strict", no_argument, NULL, CLI_STRICT}
enum {
	CLI_AGENT = CLI_FIRST,
	CLI_TASK,
	CLI_FORM,
	CLI_SUBJECT,
	CLI_ALG,
	CLI_MAY_AUDIENCE,
	CLI_PARENT,
	CLI_ISSUER,
	CLI_STRICT,
	CLI_OWN /* a program's own options begin here */
};
/* The profile that the line or $EPHID_PROFILE names, NULL without; ends the
 * program when there is none of that name. */
const cJSON *cli_profile(
    const struct mint_options *o, const struct settings *settings);
/* Take the profile's value where the command line gave none; the profile
 * may be NULL. */
void cli_fill(const char **value, const cJSON *profile, const char *name);
void cli_fill_list(cJSON **list, const cJSON *profile, const char *name);
void cli_fill_flag(bool *flag, const cJSON *profile, const char *name);
/* Adds what an option that repeats says; NULL at first. */
void cli_push(cJSON **list, const char *value);
bool cli_mint_option(struct mint_options *o, int opt, const char *arg);
/* Fills `rq' and reads the parent's token into *parent (--parent, else
 * $EPHID_TOKEN_FILE, else $EPHID_TOKEN), which rq borrows. Bad values end the
 * program. */
void cli_mint_request(struct mint_options *o, const struct settings *settings,
    struct mint_request *rq, struct buf *parent);

/* A token from a file (a pipe is fine: <(...)), "-" for stdin, without the
 * white space around it. ERR_INVALID when over 16 KiB. */
int cli_read_token(const char *path, struct buf *out, struct err *e);
/* The run's own token, as for a parent: 1 found, 0 none, -1. */
int cli_own_token(struct buf *out, struct err *e);

/* Calls fn for each operand, lines of stdin for "-", tries all of them and
 * returns the worst exit status. A token as an argument is refused unread. */
int cli_each_operand(int n, char *const *operands,
    int (*fn)(const char *operand, void *arg), void *arg);
/* Two dots, no slash, too long for an id: what fn may be given from stdin. */
bool cli_is_token(const char *text);

struct look cli_look(void);
const char *cli_user(void); /* who runs us: a name, or "uid-N" */
/* Of the environment: set and not empty, or NULL. */
const char *cli_variable(const char *name);
/* The run around us, when it was given no home and we are told of none. */
const char *cli_homeless(const struct common_options *o);
int64_t cli_duration(const char *option, const char *text); /* ms, or ends */

/* The configuration alone, where no ledger is wanted yet: nothing is made,
 * and without a home only the system's counts. Ends the program on errors. */
void cli_settings(const struct common_options *o, struct settings *out);

/* lifecycle_open(), and cli_sweep(). */
int cli_open(struct lifecycle *lc, const struct common_options *o,
    enum ledger_mode mode, struct err *e);
/* The habitual sweep of an open home, and what it and the home have to say. */
void cli_sweep(struct lifecycle *lc);
/* Part of it: it is said once, by whoever wrote to the ledger first. */
void cli_say_restored(struct lifecycle *lc);

#endif
