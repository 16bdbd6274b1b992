/*
 * env - the environment of the command, built before it is needed.
 *
 * Names are compared exactly; where a name stands twice in what was inherited
 * all of them go, for readers differ in which they take.
 */
#ifndef EPHID_ENV_H
#define EPHID_ENV_H

#include <stdbool.h>
#include <stddef.h>

struct env {
	char **list; /* NULL-terminated, for execve */
	size_t n;
};

void env_copy(struct env *e, char *const *from);
void env_set(struct env *e, const char *name, const char *value);
void env_unset(struct env *e, const char *name);
/* Drops every name that begins with `prefix'. */
void env_unset_prefix(struct env *e, const char *prefix);
/* Drops every name that matches none of these patterns (fnmatch(3)), which end
 * with NULL. */
void env_keep(struct env *e, const char *const *globs);
/* Drops every name that has a value which `match' takes. */
void env_unset_values(struct env *e,
    bool (*match)(const char *value, const void *arg), const void *arg);
const char *env_get(const struct env *e, const char *name);
/* [A-Za-z_][A-Za-z0-9_]* */
bool env_name_is_valid(const char *name);
void env_free(struct env *e); /* wipes the values */

#endif
