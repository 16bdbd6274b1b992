#include "config.h"

#include "handout.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "io.h"
#include "jwt.h"
#include "origin.h"

#define TOKEN_FILE "token"

/* --- files ------------------------------------------------------------ */

char *
handout_file(size_t i)
{
	return i == 0 ? xstrdup(TOKEN_FILE)
		      : xasprintf(TOKEN_FILE "-%zu", i + 1);
}

static cJSON *
index_entry(const struct credential *c, const char *file)
{
	char at[CLOCK_STAMP_MAX];
	cJSON *o = json_object();

	json_add_string(o, "file", file);
	json_add_string(o, "audience", c->audience);
	json_add_string(o, "issuer", c->issuer);
	json_add_string(o, "form", form_name(c->form));
	json_add_string(o, "expires_at", clock_stamp(c->expires_at, at));
	return o;
}

int
handout_write(struct tokendir *d, const struct minted *m, struct err *e)
{
	scoped(free_json) cJSON *index = json_object();
	scoped(buf_free) struct buf text = {0};
	cJSON *tokens;

	json_add_string(index, "id", m->identity.id);
	tokens = cJSON_AddArrayToObject(index, "tokens");
	for (size_t i = 0; i < m->n; i++) {
		const struct issued *one = &m->issued[i];
		scoped(free_string) char *file = handout_file(i);

		if (tokendir_write(d, file, buf_str(&one->token),
			one->token.len, e) < 0)
			return -1;
		cJSON_AddItemToArray(
		    tokens, index_entry(&one->credential, file));
	}
	json_print(index, &text);
	buf_addc(&text, '\n');
	return tokendir_write(d, HANDOUT_INDEX, text.ptr, text.len, e);
}

/* --- environment ------------------------------------------------------ */

/* What a program needs to run at all, and speaks the user's language by. */
static const char *const basics[] = {"PATH", "HOME", "USER", "LOGNAME",
    "SHELL", "LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM", "TZ", "TMPDIR"};
#define BASICS (sizeof basics / sizeof *basics)

static void
keep_only(struct env *env, const cJSON *keep)
{
	size_t n = (size_t)cJSON_GetArraySize(keep), at = 0;
	const char **globs = xcalloc(BASICS + n + 1, sizeof *globs);
	const cJSON *item;

	while (at < BASICS) {
		globs[at] = basics[at];
		at++;
	}
	cJSON_ArrayForEach (item, keep)
		if (cJSON_IsString(item))
			globs[at++] = item->valuestring;
	env_keep(env, globs);
	free(globs);
}

struct parent {
	const char *token; /* that was presented; NULL: a root */
	const char *id;
};

static bool
is_token_of(const char *id, const char *token, size_t len)
{
	scoped(free_json) cJSON *header = NULL;
	scoped(free_json) cJSON *claims = NULL;
	const char *whose;
	struct err ignored;

	if (jwt_decode(token, len, &header, &claims, &ignored) < 0)
		return false;
	whose = json_string(json_get(claims, "ephid"), "id");
	return whose != NULL && strcmp(whose, id) == 0;
}

/* A value may hold more than a token: "Bearer ...". */
static bool
is_parents(const char *value, const void *arg)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-_.";
	const struct parent *parent = arg;
	size_t len;

	if (strstr(value, parent->token) != NULL)
		return true;
	while ((value = strstr(value, "eyJ")) != NULL) { /* {" in base64 */
		len = strspn(value, alphabet);
		if (is_token_of(parent->id, value, len))
			return true;
		value += len;
	}
	return false;
}

/* A token handed on under another name (--env of an outer run) is a
 * credential that made this mint possible, so it goes too: the one that was
 * presented, and one that it has superseded. */
static void
drop_ours(struct env *env, const struct parent *parent)
{
	env_unset_prefix(env, "EPHID_");
	if (parent->token != NULL)
		env_unset_values(env, is_parents, parent);
}

static void
set_traceparent(struct env *env, const char *callers)
{
	char trace[TRACEPARENT_LEN + 1];
	uint8_t rnd[24];

	io_random(rnd, sizeof rnd);
	origin_traceparent(callers, rnd, trace);
	env_set(env, "TRACEPARENT", trace);
}

/* As login(1) would; the caller's mail and runtime folder are not the
 * user's. */
static void
set_user(struct env *env, const struct account *user)
{
	env_set(env, "HOME", user->home);
	env_set(env, "USER", user->name);
	env_set(env, "LOGNAME", user->name);
	env_set(env, "SHELL", user->shell);
	env_unset(env, "MAIL");
	env_unset(env, "XDG_RUNTIME_DIR");
}

/* A preview has issued none, and shows names only. */
static void
set_token(struct env *env, const struct handout *h, const struct minted *m)
{
	const char *token = m->n > 0 ? buf_str(&m->issued[0].token) : "";

	if (!h->no_env_token)
		env_set(env, "EPHID_TOKEN", token);
	if (h->env_name != NULL)
		env_set(env, h->env_name, token);
}

void
handout_environment(const struct handout *h, char *const *from,
    const char *parent_token, const struct minted *m, const char *home,
    const char *dir, struct env *out)
{
	scoped(free_string) char *file = xasprintf("%s/%s", dir, TOKEN_FILE);
	const struct parent parent = {parent_token, m->identity.parent};
	scoped(env_free) struct env callers = {0};

	env_copy(&callers, from);
	env_copy(out, from);
	if (h->clean_env)
		keep_only(out, h->keep);
	drop_ours(out, &parent);
	if (h->user != NULL)
		set_user(out, h->user);
	env_set(out, "EPHID_ID", m->identity.id);
	env_set(out, "EPHID_ROOT", m->identity.root);
	if (h->user == NULL && !h->clean_env)
		env_set(out, "EPHID_HOME", home);
	env_set(out, "EPHID_TOKEN_DIR", dir);
	env_set(out, "EPHID_TOKEN_FILE", file);
	set_token(out, h, m);
	set_traceparent(out, env_get(&callers, "TRACEPARENT"));
}
