#include "config.h"

#include "launch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "env.h"
#include "io.h"
#include "origin.h"
#include "statusfd.h"

static _Noreturn void
refuse(const struct err *e)
{
	if (e->code == ERR_USAGE)
		cli_usage("%s", e->text);
	cli_die(e);
}

/* --- the profile --------------------------------------------------- */

static void
apply_profile(struct launch_options *o, const struct settings *settings)
{
	const cJSON *p = cli_profile(&o->mint, settings);

	cli_fill(&o->max_life, p, "max-life");
	cli_fill(&o->timeout, p, "timeout");
	cli_fill(&o->grace, p, "grace");
	cli_fill(&o->stragglers, p, "stragglers");
	cli_fill(&o->on_revoke, p, "on-revoke");
	cli_fill(&o->env, p, "env");
	cli_fill(&o->user, p, "user");
	cli_fill(&o->receipt, p, "receipt");
	cli_fill(&o->status_fd, p, "status-fd");
	cli_fill_list(&o->keep, p, "keep");
	cli_fill_flag(&o->no_env_token, p, "no-env-token");
	cli_fill_flag(&o->clean_env, p, "clean-env");
	cli_fill_flag(&o->dry_run, p, "dry-run");
}

/* --- time ---------------------------------------------------------- */

static int64_t
duration_or(const char *option, const char *text, int64_t otherwise)
{
	return text != NULL ? cli_duration(option, text) : otherwise;
}

/* Whole seconds, rounded up; 0: as policy has it, which bounds it too. */
static int64_t
parse_max_life(const char *text, const struct policy *policy)
{
	int64_t ms = duration_or("max-life", text, 0), life;
	char asked[CLOCK_DURATION_MAX], most[CLOCK_DURATION_MAX];

	if (text == NULL)
		return 0;
	if (ms < TTL_MIN * CLOCK_SECOND)
		cli_usage("option '--max-life': less than %ds", TTL_MIN);
	life = ms / CLOCK_SECOND + (ms % CLOCK_SECOND != 0);
	if (life > policy->max_life)
		cli_warn("renewed for %s, the most that policy allows, not "
			 "for %s",
		    clock_duration(policy->max_life, most),
		    clock_duration(life, asked));
	return life;
}

static void
fill_limits(struct launch *l, struct run_request *rq)
{
	const struct launch_options *o = &l->asked;

	rq->mint.max_life = parse_max_life(o->max_life, &l->settings.policy);
	rq->timeout_ms = duration_or("timeout", o->timeout, 0);
	rq->grace_ms = duration_or("grace", o->grace, 2 * CLOCK_SECOND);
}

/* --- how it ends --------------------------------------------------- */

static void
fill_ends(const struct launch_options *o, struct run_request *rq)
{
	const char *s = o->stragglers != NULL ? o->stragglers : "kill";
	const char *r = o->on_revoke != NULL ? o->on_revoke : "keep";

	if (strcmp(s, "kill") == 0)
		rq->stragglers = STRAGGLERS_KILL;
	else if (strcmp(s, "wait") == 0)
		rq->stragglers = STRAGGLERS_WAIT;
	else if (strcmp(s, "leave") == 0)
		rq->stragglers = STRAGGLERS_LEAVE;
	else
		cli_usage("option '--stragglers': not kill, wait or leave");
	if (strcmp(r, "keep") != 0 && strcmp(r, "kill") != 0)
		cli_usage("option '--on-revoke': neither 'keep' nor 'kill'");
	rq->kill_on_revoke = strcmp(r, "kill") == 0;
}

/* --- what the command is given ------------------------------------- */

/* What programs take for a path, a library or a user they name in their
 * errors, and what we set ourselves. */
static bool
has_a_meaning(const char *name)
{
	static const char *const names[] = {
	    "PATH", "HOME", "SHELL", "USER", "LOGNAME", "TRACEPARENT"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strncmp(name, "EPHID_", 6) == 0 || strncmp(name, "LD_", 3) == 0;
}

static void
check_name(const char *name)
{
	if (!env_name_is_valid(name))
		cli_usage("env '%s': not a name for a variable", name);
	if (has_a_meaning(name))
		cli_usage("env '%s': has a meaning of its own", name);
}

/* What nothing can match is a slip: --keep 'A=b', --keep ''. */
static void
check_keep(const cJSON *keep, bool clean_env)
{
	const cJSON *glob;

	if (keep != NULL && !clean_env)
		cli_usage("option '--keep': goes with '--clean-env'");
	cJSON_ArrayForEach (glob, keep)
		if (*glob->valuestring == '\0' ||
		    strchr(glob->valuestring, '=') != NULL)
			cli_usage("option '--keep': not a pattern for names "
				  "of variables");
}

static void
find_user(const char *name, struct account *user)
{
	struct err e;

	if (account_find(name, user, &e) < 0 || account_check_switch(&e) < 0)
		refuse(&e);
}

static void
fill_handout(struct launch *l, struct run_request *rq)
{
	const struct launch_options *o = &l->asked;

	if (o->env != NULL)
		check_name(o->env);
	check_keep(o->keep, o->clean_env);
	if (o->user != NULL)
		find_user(o->user, &l->user);
	rq->handout = (struct handout){.env_name = o->env,
	    .no_env_token = o->no_env_token,
	    .clean_env = o->clean_env,
	    .keep = o->keep,
	    .user = o->user != NULL ? &l->user : NULL};
}

/* --- what is reported ---------------------------------------------- */

static void
take_status_fd(const char *text, int *fd)
{
	char *end;
	struct err e;
	long n;

	*fd = -1;
	if (text == NULL)
		return;
	n = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || n > INT_MAX)
		cli_usage("option '--status-fd': not a number");
	if (statusfd_take((int)n, fd, &e) < 0)
		refuse(&e);
}

/* A pipe or a terminal by its own name: /dev/stderr would be another file to
 * the guardian, who writes the receipt. */
static char *
receipt_target(const char *path, struct err *e)
{
	char *name;
	struct stat st;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return io_check_target(path, e) == 0 ? xstrdup(path) : NULL;
	if ((name = realpath(path, NULL)) == NULL)
		err_set(
		    e, ERR_SYSTEM, "cannot write '%s': it has no name", path);
	else if (access(name, W_OK) < 0) {
		err_sys(e, "cannot write '%s'", path);
		free_string(&name);
	}
	return name;
}

static void
check_receipt(struct launch *l)
{
	struct err e;

	if (l->asked.receipt == NULL)
		return;
	if (strcmp(l->asked.receipt, "-") == 0)
		cli_usage("option '--receipt': not standard output, which is "
			  "the command's");
	l->receipt = receipt_target(l->asked.receipt, &e);
	if (l->receipt == NULL)
		refuse(&e);
}

/* --- the whole ----------------------------------------------------- */

/* What can be no agent ("", "/", "..") can be no command either, and that is
 * for exec to say. */
static const char *
agent_of(const char *command)
{
	const char *slash = strrchr(command, '/');
	const char *name = slash != NULL ? slash + 1 : command;
	scoped(free_string) char *agent = NULL;
	struct err ignored;

	return agent_parse(name, &agent, &ignored) == 0 ? name : "command";
}

static void
fill_mint(struct launch *l, struct run_request *rq)
{
	rq->mint.default_agent = agent_of(rq->argv[0]);
	cli_mint_request(&l->asked.mint, &l->settings, &rq->mint, &l->parent);
	rq->mint.origin = l->origin = origin_read(rq->envp);
	/* A parent was minted by a home that is there already. */
	rq->where = (struct lifecycle_where){.program = cli_program(),
	    .home = l->asked.common.home,
	    .mode = l->parent.len > 0 ? LEDGER_WRITE : LEDGER_CREATE,
	    .now_ms = clock_now_ms()};
	rq->mint.homeless = cli_homeless(&l->asked.common);
}

/* The command may not be there without what was warned of. */
static void
heed_warnings(const struct run_request *rq)
{
	struct err e;

	if (!rq->strict || !cli_warned())
		return;
	err_set(
	    &e, ERR_DENIED, "a warning, and --strict: the command was not run");
	cli_die(&e);
}

void
launch_prepare(struct launch *l, char *const *argv, struct run_request *rq)
{
	struct launch_options *o = &l->asked;

	*rq = (struct run_request){.argv = argv, .envp = environ};
	cli_settings(&o->common, &l->settings);
	apply_profile(o, &l->settings);
	take_status_fd(o->status_fd, &rq->status_fd);
	fill_limits(l, rq);
	fill_ends(o, rq);
	fill_handout(l, rq);
	check_receipt(l);
	rq->receipt = l->receipt;
	fill_mint(l, rq);
	rq->quiet = o->common.quiet;
	rq->strict = o->mint.strict;
	heed_warnings(rq);
}

void
launch_clear(struct launch *l)
{
	settings_free(&l->settings);
	buf_free(&l->parent);
	account_clear(&l->user);
	free_string(&l->receipt);
	free_json(&l->origin);
	free_json(&l->asked.keep);
	free_json(&l->asked.mint.audiences);
	free_json(&l->asked.mint.may_audiences);
}
