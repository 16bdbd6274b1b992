/*
 * settings - config.json, of the system and of a home, as one.
 *
 *	{"issuers":{NAME:{...}}, "profiles":{NAME:{...}},
 *	 "federations":{NAME:{...}}, "policy":{...}}
 *
 * Both files pass the strict gate (json.h) and are held against a table of
 * the members there are: an unknown or repeated one, or a wrong type, is an
 * error that names file, line and member and, where one is close, what was
 * meant:
 *
 *	/etc/ephid/config.json:12: profiles.reviewer.audiance: unknown;
 *	did you mean audience?
 *
 * A member "comment" is allowed in every object.  Home's policy can narrow
 * the system's and not widen it: numbers take the smaller, a switch must be
 * on in every file that sets it, lists must all agree (grant.h).  A profile
 * of home hides the system's of that name.
 *
 * (Not config.[ch]: that name belongs to autoconf.)
 */
#ifndef EPHID_SETTINGS_H
#define EPHID_SETTINGS_H

#include "err.h"
#include "grant.h"
#include "home.h"
#include "json.h"

#define SETTINGS_MAX (1 << 20) /* bytes of a file */

struct settings {
	cJSON *files[2]; /* system, home; NULL where there is none */
	struct policy policy; /* its lists point into files */
};

/* `system_path' is SYSCONFDIR/config.json; home may be NULL. Absent files are
 * as empty ones; a file that others can write to is refused. */
int settings_load(const char *system_path, const struct home *home,
    struct settings *out, struct err *e);
void settings_free(struct settings *s);

/* Holds one text against the tables; `name' is what messages call it. The
 * tree is the caller's. ERR_USAGE: a configuration to be mended. */
int settings_check(const char *name, const char *text, size_t len,
    cJSON **out, struct err *e);

/* The object of a profile: ERR_USAGE when no file has it, naming those there
 * are. Its members are long options: strings, numbers (of seconds or as they
 * are), booleans, or arrays of strings where the option repeats. */
int settings_profile(const struct settings *s, const char *name,
    const cJSON **out, struct err *e);

#endif
