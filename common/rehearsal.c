#include "config.h"

#include "rehearsal.h"

#include <string.h>

#include "clock.h"
#include "env.h"
#include "handout.h"
#include "lifecycle.h"
#include "outlet.h"

/* --- the home ------------------------------------------------------ */

/* One that is not there yet has the system's policy and no ledger. */
static int
stand_in(const struct run_request *rq, const struct settings *settings,
    struct lifecycle *lc, struct err *e)
{
	if (rq->where.mode != LEDGER_CREATE)
		return lifecycle_no_home(rq->mint.homeless, e);
	*lc = (struct lifecycle){.home.fd = -1,
	    .settings = *settings,
	    .program = rq->where.program,
	    .now_ms = rq->where.now_ms};
	return home_locate(rq->where.home, &lc->home.path, e);
}

static int
look_into_home(const struct run_request *rq, const struct settings *settings,
    struct lifecycle *lc, struct err *e)
{
	struct lifecycle_where where = rq->where;

	where.mode = LEDGER_READ;
	if (lifecycle_open(&where, lc, e) == 0)
		return 0;
	return e->code == ERR_MISSING ? stand_in(rq, settings, lc, e) : -1;
}

static bool
is_stand_in(const struct lifecycle *lc)
{
	return lc->ledger == NULL;
}

/* A stand-in has borrowed what lifecycle_close() would free. */
static void
leave_home(struct lifecycle *lc)
{
	if (is_stand_in(lc))
		lc->settings = (struct settings){0};
	lifecycle_close(lc);
}

/* --- the environment ----------------------------------------------- */

static bool
has_entry(char *const *list, const char *entry)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, entry) == 0)
			return true;
	return false;
}

/* The names of those in `list' that are not in `other' as they are there. */
static cJSON *
names_beyond(char *const *list, char *const *other)
{
	cJSON *names = NULL;

	for (; *list != NULL; list++) {
		scoped(free_string) char *name =
		    xasprintf("%.*s", (int)strcspn(*list, "="), *list);

		if (!has_entry(other, *list) && !json_has_string(names, name))
			cli_push(&names, name);
	}
	return names;
}

/* Ours are set whatever the caller's were, so `set' wins. */
static void
remove_names(cJSON *from, const cJSON *names)
{
	for (int i = cJSON_GetArraySize(from) - 1; i >= 0; i--)
		if (json_has_string(names,
			cJSON_GetStringValue(cJSON_GetArrayItem(from, i))))
			cJSON_DeleteItemFromArray(from, i);
}

static void
add_list(cJSON *o, const char *name, cJSON *list)
{
	json_add(o, name, list != NULL ? list : json_array());
}

/* No folder is chosen, for to look whether one will do is to make it. */
static void
add_environment(cJSON *o, const struct run_request *rq,
    const struct lifecycle *lc, const struct minted *m)
{
	scoped(env_free) struct env env = {0};
	cJSON *names = json_object(), *set, *removed;

	handout_environment(&rq->handout, rq->envp, rq->mint.parent_token, m,
	    lc->home.path, "", &env);
	set = names_beyond(env.list, rq->envp);
	removed = names_beyond(rq->envp, env.list);
	remove_names(removed, set);
	add_list(names, "set", set);
	add_list(names, "removed", removed);
	json_add(o, "environment", names);
}

/* --- the rest ------------------------------------------------------ */

static bool
is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-./:=@%+,";

	return *word != '\0' && word[strspn(word, plain)] == '\0';
}

/* As a shell would be given it, or nobody could see where a word ends. */
static void
add_quoted(const char *word, struct buf *out)
{
	if (is_plain(word)) {
		buf_adds(out, word);
		return;
	}
	buf_addc(out, '\'');
	for (; *word != '\0'; word++)
		if (*word == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *word);
	buf_addc(out, '\'');
}

static char *
quote(char *const *argv)
{
	struct buf line = {0};

	for (char *const *word = argv; *word != NULL; word++) {
		if (word != argv)
			buf_addc(&line, ' ');
		add_quoted(*word, &line);
	}
	return buf_steal(&line);
}

/* Words for programs, a line for people. */
static void
add_command(cJSON *o, char *const *argv, bool json)
{
	scoped(free_string) char *line = quote(argv);
	cJSON *list = NULL;

	if (!json) {
		json_add_string(o, "argv", line);
		return;
	}
	for (; *argv != NULL; argv++)
		cli_push(&list, *argv);
	add_list(o, "argv", list);
}

static void
add_files(cJSON *o, const struct minted *m)
{
	cJSON *list = NULL;

	for (size_t i = 0; i < m->n; i++) {
		scoped(free_string) char *name = handout_file(i);

		cli_push(&list, name);
	}
	cli_push(&list, HANDOUT_INDEX);
	add_list(o, "files", list);
}

/* As an option would be given it: "1m30s", "2s500ms". */
static void
add_duration(cJSON *o, const char *name, int64_t ms)
{
	scoped(buf_free) struct buf text = {0};
	char seconds[CLOCK_DURATION_MAX];

	if (ms >= CLOCK_SECOND || ms == 0)
		buf_adds(&text, clock_duration(ms / CLOCK_SECOND, seconds));
	if (ms % CLOCK_SECOND != 0)
		buf_addf(&text, "%dms", (int)(ms % CLOCK_SECOND));
	json_add_string(o, name, buf_str(&text));
}

static void
add_limits(cJSON *o, const struct run_request *rq, const struct lifecycle *lc,
    const struct minted *m)
{
	static const char *const stragglers[] = {"kill", "wait", "leave"};
	const struct identity *id = &m->identity;
	int64_t last = lifecycle_last_expiry(lc, &rq->mint, id);
	cJSON *limits = json_object();

	add_duration(
	    limits, "ttl", (id->expires_at - id->issued_at) * CLOCK_SECOND);
	add_duration(limits, "max_life", (last - id->issued_at) * CLOCK_SECOND);
	if (rq->timeout_ms != 0)
		add_duration(limits, "timeout", rq->timeout_ms);
	else
		json_add_null(limits, "timeout");
	add_duration(limits, "grace", rq->grace_ms);
	json_add_string(limits, "stragglers", stragglers[rq->stragglers]);
	json_add_string(
	    limits, "on_revoke", rq->kill_on_revoke ? "kill" : "keep");
	json_add(o, "limits", limits);
}

/* Takes the claims. */
static cJSON *
describe(const struct run_request *rq, const struct lifecycle *lc,
    const struct minted *m, cJSON *claims, bool json)
{
	const struct account *user = rq->handout.user;
	cJSON *o = json_object();

	json_add_bool(o, "dry_run", true);
	json_add_string(o, "home", lc->home.path);
	json_add(o, "claims", claims);
	add_files(o, m);
	add_environment(o, rq, lc, m);
	add_command(o, rq->argv, json);
	json_add_text(o, "user", user != NULL ? user->name : NULL);
	add_limits(o, rq, lc, m);
	json_add_text(o, "receipt", rq->receipt);
	return o;
}

/* --- and in words -------------------------------------------------- */

static void
warn_of_expiry(const struct run_request *rq, const struct lifecycle *lc,
    const struct minted *m)
{
	static const struct holder guardian;
	scoped(buf_free) struct buf why = {0};
	struct mint_request held = rq->mint;

	held.holder = &guardian; /* as the run's will be */
	if (lifecycle_is_cut_short(lc, &held, m, &why))
		cli_warn("%s", why.ptr);
}

static void
say_what_is_open(const struct lifecycle *lc, bool has_issuer)
{
	cli_note("a dry run: nothing is minted; id, jti and times are "
		 "examples");
	if (!has_issuer)
		cli_note("there is no %s yet: it is made at first use, and iss "
			 "is an example, too",
		    is_stand_in(lc) ? "home" : "issuer");
	else if (lc->published)
		cli_note("the place in a status list is drawn at the mint");
}

static int
rehearse(const struct run_request *rq, struct lifecycle *lc,
    const struct common_options *o, struct err *e)
{
	struct outlet out = outlet_open(o);
	scoped(free_json) cJSON *record = NULL;
	scoped(minted_clear) struct minted m = {0};
	bool has_issuer = lc->issuer_url != NULL;
	cJSON *claims;

	if (lifecycle_preview(lc, &rq->mint, &m, &claims, e) < 0)
		return -1;
	record = describe(rq, lc, &m, claims, o->json);
	warn_of_expiry(rq, lc, &m);
	if (rq->strict && cli_warned())
		return err_set(e, ERR_DENIED,
		    "a warning, and --strict: the command would not be run");
	outlet_show(&out, record);
	say_what_is_open(lc, has_issuer);
	return 0;
}

int
rehearsal_run(const struct run_request *rq, const struct settings *settings,
    const struct common_options *o)
{
	struct lifecycle lc;
	struct err e;
	int result;

	if (look_into_home(rq, settings, &lc, &e) < 0)
		return cli_report(&e);
	result = rehearse(rq, &lc, o, &e);
	leave_home(&lc);
	return result < 0 ? cli_report(&e) : 0;
}
