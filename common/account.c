#include "config.h"

#include "account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"

#define NO_USER ((uid_t)-1) /* which setresuid(2) takes for "leave it" */

static bool
is_number(const char *s)
{
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static struct passwd *
look_up(const char *name)
{
	struct passwd *pw = getpwnam(name);
	unsigned long uid;

	if (pw != NULL || !is_number(name))
		return pw;
	errno = 0;
	uid = strtoul(name, NULL, 10);
	if (errno != 0 || uid >= NO_USER) {
		errno = 0;
		return NULL;
	}
	return getpwuid((uid_t)uid);
}

/* What a look-up sets when there is no such name differs between services;
 * these it sets when it could not look. */
static bool
is_failure(int error)
{
	return error == EIO || error == EMFILE || error == ENFILE ||
	    error == ENOMEM;
}

static void
list_groups(struct account *a)
{
	int room = 16;

	for (;;) {
		a->groups = xreallocarray(
		    a->groups, (size_t)room, sizeof *a->groups);
		a->ngroups = room;
		if (getgrouplist(a->name, a->gid, a->groups, &a->ngroups) >= 0)
			return;
		room = a->ngroups > room ? a->ngroups : room * 2;
	}
}

static bool
has_other_member(const struct group *gr, const char *name)
{
	for (char **m = gr->gr_mem; *m != NULL; m++)
		if (strcmp(*m, name) != 0)
			return true;
	return false;
}

static bool
is_shared(gid_t gid, const char *name)
{
	const struct passwd *pw;
	bool shared = false;

	setpwent();
	while (!shared && (pw = getpwent()) != NULL)
		shared = pw->pw_gid == gid && strcmp(pw->pw_name, name) != 0;
	endpwent();
	return shared;
}

/* A directory service need not list its users, so what has no other member
 * counts only where it is by its name the user's own. */
static bool
has_own_group(const struct account *a)
{
	const struct group *gr = getgrgid(a->gid);

	return gr != NULL && strcmp(gr->gr_name, a->name) == 0 &&
	    !has_other_member(gr, a->name) && !is_shared(a->gid, a->name);
}

int
account_find(const char *name, struct account *out, struct err *e)
{
	const struct passwd *pw;

	*out = (struct account){0};
	errno = 0;
	pw = look_up(name);
	if (pw == NULL && is_failure(errno))
		return err_sys(e, "cannot look up user '%.64s'", name);
	if (pw == NULL)
		return err_set(e, ERR_USAGE, "user '%.64s': no such user", name);
	if (pw->pw_uid == 0 || pw->pw_uid == NO_USER)
		return err_set(
		    e, ERR_USAGE, "user '%.64s': not an ordinary user", name);
	out->name = xstrdup(pw->pw_name);
	out->home = xstrdup(pw->pw_dir);
	out->shell = xstrdup(*pw->pw_shell != '\0' ? pw->pw_shell : "/bin/sh");
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	list_groups(out);
	out->alone = has_own_group(out);
	return 0;
}

void
account_clear(struct account *a)
{
	free(a->name);
	free(a->home);
	free(a->shell);
	free(a->groups);
	*a = (struct account){0};
}

int
account_check_switch(struct err *e)
{
	if (geteuid() != 0)
		return err_set(e, ERR_DENIED,
		    "only root can run a command as another user");
	return 0;
}
