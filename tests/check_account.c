#include "config.h"

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"

/* --- a user database of our own, in the place of the C library's ------- */

#define MANY 40 /* groups, more than the first guess has room for */

static struct passwd users[] = {
    {.pw_name = "root", .pw_uid = 0, .pw_gid = 0, .pw_shell = "/bin/sh"},
    {.pw_name = "toor", .pw_uid = 0, .pw_gid = 7, .pw_shell = "/bin/sh"},
    {.pw_name = "minus", .pw_uid = (uid_t)-1, .pw_gid = 8, .pw_shell = ""},
    {.pw_name = "worker", .pw_uid = 900, .pw_gid = 900,
	.pw_dir = "/home/worker", .pw_shell = "/bin/zsh"},
    {.pw_name = "902", .pw_uid = 901, .pw_gid = 901, .pw_dir = "/",
	.pw_shell = ""},
    {.pw_name = "listed", .pw_uid = 902, .pw_gid = 902, .pw_dir = "/",
	.pw_shell = ""},
    {.pw_name = "pooled", .pw_uid = 903, .pw_gid = 100, .pw_dir = "/",
	.pw_shell = ""},
    {.pw_name = "twin", .pw_uid = 904, .pw_gid = 904, .pw_dir = "/",
	.pw_shell = ""},
    {.pw_name = "other", .pw_uid = 905, .pw_gid = 904, .pw_dir = "/",
	.pw_shell = ""},
};
#define USERS (sizeof users / sizeof *users)

static struct group groups[] = {
    {.gr_name = "worker", .gr_gid = 900,
	.gr_mem = (char *[]){"worker", NULL}},
    {.gr_name = "902", .gr_gid = 901, .gr_mem = (char *[]){NULL}},
    {.gr_name = "listed", .gr_gid = 902,
	.gr_mem = (char *[]){"listed", "worker", NULL}},
    {.gr_name = "users", .gr_gid = 100, .gr_mem = (char *[]){NULL}},
    {.gr_name = "twin", .gr_gid = 904, .gr_mem = (char *[]){NULL}},
};
#define GROUPS (sizeof groups / sizeof *groups)

static int broken; /* errno of every look-up that finds nothing */
static size_t at;

struct passwd *
getpwnam(const char *name)
{
	for (size_t i = 0; i < USERS; i++)
		if (strcmp(users[i].pw_name, name) == 0)
			return &users[i];
	errno = broken;
	return NULL;
}

struct passwd *
getpwuid(uid_t uid)
{
	for (size_t i = 0; i < USERS; i++)
		if (users[i].pw_uid == uid)
			return &users[i];
	errno = broken;
	return NULL;
}

void
setpwent(void)
{
	at = 0;
}

void
endpwent(void)
{
	at = USERS;
}

struct passwd *
getpwent(void)
{
	return at < USERS ? &users[at++] : NULL;
}

struct group *
getgrgid(gid_t gid)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (groups[i].gr_gid == gid)
			return &groups[i];
	return NULL;
}

int
getgrouplist(const char *name, gid_t gid, gid_t *list, int *n)
{
	int have = strcmp(name, "worker") == 0 ? MANY : 1, room = *n;

	for (int i = 0; i < have && i < room; i++)
		list[i] = i == 0 ? gid : 2000 + (gid_t)i;
	*n = have;
	return have <= room ? have : -1;
}

/* --- the tests -------------------------------------------------------- */

static struct account a;
static struct err e;

static void
refused(const char *name, enum err_code code, const char *text)
{
	ck_assert_int_eq(account_find(name, &a, &e), -1);
	ck_assert_int_eq(e.code, code);
	ck_assert_str_eq(e.text, text);
	ck_assert_ptr_null(a.name);
	account_clear(&a);
}

static void
found(const char *name, uid_t uid)
{
	ck_assert_msg(account_find(name, &a, &e) == 0, "%s", e.text);
	ck_assert_uint_eq(a.uid, uid);
}

static bool
is_alone(const char *name, uid_t uid)
{
	bool alone;

	found(name, uid);
	alone = a.alone;
	account_clear(&a);
	return alone;
}

START_TEST(a_user_with_all_that_it_has)
{
	found("worker", 900);
	ck_assert_str_eq(a.name, "worker");
	ck_assert_str_eq(a.home, "/home/worker");
	ck_assert_str_eq(a.shell, "/bin/zsh");
	ck_assert_uint_eq(a.gid, 900);
	ck_assert_int_eq(a.ngroups, MANY);
	ck_assert_uint_eq(a.groups[0], 900);
	ck_assert_uint_eq(a.groups[MANY - 1], 2000 + MANY - 1);
	account_clear(&a);
	ck_assert_ptr_null(a.groups);
}
END_TEST

START_TEST(a_number_is_a_uid_unless_it_is_a_name)
{
	found("900", 900);
	ck_assert_str_eq(a.name, "worker");
	account_clear(&a);
	found("902", 901);
	ck_assert_str_eq(a.shell, "/bin/sh"); /* none is this one */
	account_clear(&a);
}
END_TEST

START_TEST(unknown_ones)
{
	refused("nobody-here", ERR_USAGE, "user 'nobody-here': no such user");
	refused("", ERR_USAGE, "user '': no such user");
	refused("12", ERR_USAGE, "user '12': no such user");
	refused("-1", ERR_USAGE, "user '-1': no such user");
	refused("9x", ERR_USAGE, "user '9x': no such user");
	/* Numbers that wrap round to a uid there is. */
	refused("4294968196", ERR_USAGE, "user '4294968196': no such user");
	refused("18446744073709552516", ERR_USAGE,
	    "user '18446744073709552516': no such user");
}
END_TEST

START_TEST(root_by_any_name)
{
	refused("root", ERR_USAGE, "user 'root': not an ordinary user");
	refused("toor", ERR_USAGE, "user 'toor': not an ordinary user");
	refused("0", ERR_USAGE, "user '0': not an ordinary user");
	refused("00", ERR_USAGE, "user '00': not an ordinary user");
	refused("minus", ERR_USAGE, "user 'minus': not an ordinary user");
}
END_TEST

START_TEST(a_failed_look_up_is_no_answer)
{
	broken = EIO;
	refused("x", ERR_SYSTEM,
	    "cannot look up user 'x': Input/output error");
	broken = ENOENT;
	refused("x", ERR_USAGE, "user 'x': no such user");
}
END_TEST

START_TEST(who_has_its_group_alone)
{
	ck_assert(is_alone("worker", 900));
	ck_assert(is_alone("902", 901));
	ck_assert(!is_alone("listed", 902)); /* the group lists another */
	ck_assert(!is_alone("twin", 904));   /* another's primary group */
	ck_assert(!is_alone("other", 905));
	ck_assert(!is_alone("pooled", 903)); /* not by its name its own */
}
END_TEST

/* In a process of its own: one that was another user cannot be checked for
 * leaks. */
static bool
others_may_not(void)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(1);
		_exit(account_check_switch(&e) != -1 ||
		    e.code != ERR_DENIED ||
		    strcmp(e.text,
			"only root can run a command as another user") != 0);
	}
	return pid > 0 && waitpid(pid, &st, 0) == pid && st == 0;
}

START_TEST(only_root_may_switch)
{
	if (geteuid() == 0)
		ck_assert_int_eq(account_check_switch(&e), 0);
	ck_assert(others_may_not());
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("account");
	TCase *t = tcase_create("account");
	SRunner *r;
	int failed;

	tcase_add_test(t, a_user_with_all_that_it_has);
	tcase_add_test(t, a_number_is_a_uid_unless_it_is_a_name);
	tcase_add_test(t, unknown_ones);
	tcase_add_test(t, root_by_any_name);
	tcase_add_test(t, a_failed_look_up_is_no_answer);
	tcase_add_test(t, who_has_its_group_alone);
	tcase_add_test(t, only_root_may_switch);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed > 0;
}
