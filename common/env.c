#include "config.h"

#include "env.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

static void
free_entry(char *entry)
{
	explicit_bzero(entry, strlen(entry));
	free(entry);
}

static void
append(struct env *e, char *entry)
{
	e->list = xreallocarray(e->list, e->n + 2, sizeof *e->list);
	e->list[e->n++] = entry;
	e->list[e->n] = NULL;
}

/* An entry without "=" is all name; such are handed on as they came. */
static bool
is_named(const char *entry, const void *arg)
{
	const char *name = arg;
	size_t n = strlen(name);

	return strcspn(entry, "=") == n && memcmp(entry, name, n) == 0;
}

static bool
begins_with(const char *entry, const void *arg)
{
	const char *prefix = arg;
	size_t n = strlen(prefix);

	return strcspn(entry, "=") >= n && memcmp(entry, prefix, n) == 0;
}

static char *
name_of(const char *entry)
{
	return xasprintf("%.*s", (int)strcspn(entry, "="), entry);
}

static bool
matches_none(const char *entry, const void *arg)
{
	scoped(free_string) char *name = name_of(entry);

	for (const char *const *glob = arg; *glob != NULL; glob++)
		if (fnmatch(*glob, name, 0) == 0)
			return false;
	return true;
}

static void
drop(struct env *e, bool (*match)(const char *, const void *), const void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n; i++)
		if (match(e->list[i], arg))
			free_entry(e->list[i]);
		else
			e->list[kept++] = e->list[i];
	e->n = kept;
	if (e->list != NULL)
		e->list[kept] = NULL;
}

void
env_copy(struct env *e, char *const *from)
{
	*e = (struct env){0};
	e->list = xcalloc(1, sizeof *e->list);
	for (; *from != NULL; from++)
		append(e, xstrdup(*from));
}

void
env_set(struct env *e, const char *name, const char *value)
{
	/* The value may be ours; and asprintf(3) would leave pieces of it. */
	size_t n = strlen(name), m = strlen(value);
	char *entry = xcalloc(n + m + 2, 1);

	memcpy(entry, name, n);
	entry[n] = '=';
	memcpy(entry + n + 1, value, m);
	env_unset(e, name);
	append(e, entry);
}

void
env_unset(struct env *e, const char *name)
{
	drop(e, is_named, name);
}

void
env_unset_prefix(struct env *e, const char *prefix)
{
	drop(e, begins_with, prefix);
}

void
env_keep(struct env *e, const char *const *globs)
{
	drop(e, matches_none, globs);
}

/* The name goes, not the entry: it may stand there again with another value,
 * and is then one that a reader would take for it. */
void
env_unset_values(struct env *e,
    bool (*match)(const char *value, const void *arg), const void *arg)
{
	for (size_t i = 0; i < e->n;) {
		const char *eq = strchr(e->list[i], '=');

		if (eq == NULL || !match(eq + 1, arg)) {
			i++;
			continue;
		}
		scoped(free_string) char *name = name_of(e->list[i]);
		env_unset(e, name);
		i = 0; /* entries before this one may have gone, too */
	}
}

const char *
env_get(const struct env *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (is_named(e->list[i], name) &&
		    e->list[i][strlen(name)] == '=')
			return e->list[i] + strlen(name) + 1;
	return NULL;
}

bool
env_name_is_valid(const char *name)
{
	for (const char *s = name; *s != '\0'; s++) {
		bool letter = (*s >= 'a' && *s <= 'z') ||
		    (*s >= 'A' && *s <= 'Z') || *s == '_';

		if (!letter && (s == name || *s < '0' || *s > '9'))
			return false;
	}
	return *name != '\0';
}

void
env_free(struct env *e)
{
	for (size_t i = 0; i < e->n; i++)
		free_entry(e->list[i]);
	free(e->list);
	*e = (struct env){0};
}
