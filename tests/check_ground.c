#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "b64.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "io.h"

/* --- b64 ------------------------------------------------------------- */

START_TEST(b64_vectors)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg"},
	    {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"},
	    {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"},
	    {"\xfb\xff\xbf", "-_-_"}};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		scoped(buf_free) struct buf text = {0}, back = {0};

		b64url_encode(pairs[i][0], strlen(pairs[i][0]), &text);
		ck_assert_str_eq(buf_str(&text), pairs[i][1]);
		ck_assert_int_eq(
		    b64url_decode(buf_str(&text), text.len, &back), 0);
		ck_assert_str_eq(buf_str(&back), pairs[i][0]);
	}
}
END_TEST

/* One spelling for each byte string: what decodes, encodes back to itself. */
START_TEST(b64_is_canonical)
{
	int taken = 0;

	for (int a = 0; a < 256; a++)
		for (int b = 0; b < 256; b++) {
			scoped(buf_free) struct buf out = {0}, again = {0};
			char s[2] = {(char)a, (char)b};

			if (b64url_decode(s, 2, &out) < 0)
				continue;
			taken++;
			b64url_encode(out.ptr, out.len, &again);
			ck_assert_uint_eq(again.len, 2);
			ck_assert_int_eq(memcmp(again.ptr, s, 2), 0);
		}
	ck_assert_int_eq(taken, 256);
}
END_TEST

START_TEST(b64_refusals)
{
	static const char *const bad[] = {"A", "AAAAA", "Zg==", "Zg=", "Zh",
	    "Zm9", "+/+/", "Zm 8", "Zm8\n", " Zm8", "Zm.8", "Z\xc3\xa9"};
	scoped(buf_free) struct buf nul = {0};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		scoped(buf_free) struct buf out = {0};

		buf_adds(&out, "kept");
		ck_assert_msg(b64url_decode(bad[i], strlen(bad[i]), &out) == -1,
		    "%s", bad[i]);
		ck_assert_str_eq(buf_str(&out), "kept");
	}
	ck_assert_int_eq(b64url_decode("Zm8\0", 4, &nul), -1);
}
END_TEST

/* --- buf ------------------------------------------------------------- */

START_TEST(buf_grows_and_stays_terminated)
{
	scoped(buf_free) struct buf b = {0};

	ck_assert_str_eq(buf_str(&b), "");
	buf_add(&b, NULL, 0);
	ck_assert_str_eq(buf_str(&b), "");
	for (int i = 0; i < 1000; i++) {
		buf_addf(&b, "%03d,", i);
		ck_assert_uint_eq(b.len, (size_t)(i + 1) * 4);
		ck_assert_int_eq(b.ptr[b.len], '\0');
		ck_assert_uint_lt(b.len, b.cap);
	}
	ck_assert_int_eq(strncmp(b.ptr, "000,001,", 8), 0);
	ck_assert_str_eq(b.ptr + 3992, "998,999,");
}
END_TEST

START_TEST(buf_trim_wipes)
{
	scoped(buf_free) struct buf b = {0};

	buf_adds(&b, "secret");
	buf_trim(&b, 100);
	ck_assert_str_eq(buf_str(&b), "secret");
	buf_trim(&b, 2);
	ck_assert_str_eq(buf_str(&b), "se");
	ck_assert_int_eq(memcmp(b.ptr, "se\0\0\0\0", 6), 0);
	buf_trim(&b, 0);
	ck_assert_str_eq(buf_str(&b), "");
}
END_TEST

START_TEST(buf_steal_hands_over)
{
	struct buf b = {0};
	char *s;

	buf_adds(&b, "x");
	s = buf_steal(&b);
	ck_assert_str_eq(s, "x");
	ck_assert_ptr_null(b.ptr);
	free(s);
	s = buf_steal(&b);
	ck_assert_str_eq(s, "");
	free(s);
	buf_free(&b);
	buf_free(&b);
}
END_TEST

/* --- clock ----------------------------------------------------------- */

START_TEST(durations_are_read)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"0", 0}, {"90", 90000}, {"90s", 90000}, {"15m", 900000},
	    {"1h30m", 5400000}, {"1d", 86400000}, {"250ms", 250},
	    {"1s500ms", 1500}, {"1m1", 61000}, {"007s", 7000},
	    {"9223372036854775807ms", INT64_MAX}};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct err e;
		int64_t ms = -1;

		ck_assert_msg(clock_parse_duration(good[i].text, &ms, &e) == 0,
		    "%s", good[i].text);
		ck_assert_int_eq(ms, good[i].ms);
	}
}
END_TEST

START_TEST(durations_are_refused)
{
	static const char *const bad[] = {"", "s", "-1s", "+1s", "1.5h", "1 h",
	    " 1s", "1s ", "1x", "1M", "1sm", "ms", "h1", "0x10",
	    "9223372036854775808ms", "9223372036854775807s",
	    "9223372036854775807ms1ms", "99999999999999999999"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = {0};
		int64_t ms = -7;

		ck_assert_msg(
		    clock_parse_duration(bad[i], &ms, &e) == -1, "%s", bad[i]);
		ck_assert_int_eq(e.code, ERR_USAGE);
		ck_assert_int_eq(ms, -7);
	}
}
END_TEST

START_TEST(durations_are_written)
{
	char out[CLOCK_DURATION_MAX];
	struct err e;
	int64_t ms;

	ck_assert_str_eq(clock_duration(0, out), "0s");
	ck_assert_str_eq(clock_duration(59, out), "59s");
	ck_assert_str_eq(clock_duration(900, out), "15m");
	ck_assert_str_eq(clock_duration(5400, out), "1h30m");
	ck_assert_str_eq(clock_duration(90061, out), "1d1h1m1s");
	ck_assert_uint_lt(
	    strlen(clock_duration(INT64_MAX, out)), CLOCK_DURATION_MAX);
	for (int64_t s = 0; s < 200000; s += 77) {
		ck_assert_int_eq(
		    clock_parse_duration(clock_duration(s, out), &ms, &e), 0);
		ck_assert_int_eq(ms, s * CLOCK_SECOND);
	}
}
END_TEST

START_TEST(stamps_and_sums)
{
	char out[CLOCK_STAMP_MAX];

	ck_assert_str_eq(clock_stamp(0, out), "1970-01-01T00:00:00Z");
	ck_assert_str_eq(clock_stamp(1795484000, out), "2026-11-24T01:33:20Z");
	ck_assert_str_eq(clock_stamp(INT64_MAX, out), "-");
	ck_assert(clock_add(1, 2) == 3);
	ck_assert(clock_add(INT64_MAX, 1) == INT64_MAX);
	ck_assert(clock_add(INT64_MIN, -1) == INT64_MIN);
	ck_assert(clock_now_ms() > INT64_C(1600000000000));
	ck_assert(clock_boot_ms() <= clock_boot_ms());
}
END_TEST

/* --- err ------------------------------------------------------------- */

START_TEST(errors_are_worded)
{
	struct err e;
	char longer[2000];

	ck_assert_int_eq(err_set(&e, ERR_DENIED, "no %s", "way"), -1);
	ck_assert_int_eq(err_in(&e, "run %d", 7), -1);
	ck_assert_str_eq(e.text, "run 7: no way");
	ck_assert_int_eq(e.code, ERR_DENIED);
	errno = ENOENT;
	ck_assert_int_eq(err_sys(&e, "cannot open 'x'"), -1);
	ck_assert_str_eq(e.text, "cannot open 'x': No such file or directory");
	ck_assert_int_eq(e.code, ERR_SYSTEM);
	ck_assert_int_eq(errno, ENOENT);
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	err_set(&e, ERR_USAGE, "%s", longer);
	err_in(&e, "%s", longer);
	err_sys(&e, "%s", longer);
	ck_assert_uint_eq(strlen(e.text), sizeof e.text - 1);
}
END_TEST

START_TEST(exit_statuses)
{
	ck_assert_int_eq(err_exit_status(ERR_NONE), 0);
	ck_assert_int_eq(err_exit_status(ERR_INVALID), 1);
	ck_assert_int_eq(err_exit_status(ERR_DENIED), 1);
	ck_assert_int_eq(err_exit_status(ERR_MISSING), 1);
	ck_assert_int_eq(err_exit_status(ERR_USAGE), 2);
	ck_assert_int_eq(err_exit_status(ERR_SYSTEM), 3);
	ck_assert_int_eq(err_exit_status(ERR_REMOTE), 4);
}
END_TEST

/* --- io -------------------------------------------------------------- */

static char folder[] = "/tmp/check_ground.XXXXXX";
static int dir = -1;

static void
make_folder(void)
{
	strcpy(strrchr(folder, '.') + 1, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
}

static void
remove_folder(void)
{
	static const char *const names[] = {"a", "b", "link", "fifo"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlinkat(dir, names[i], 0);
	unlinkat(dir, "sub", AT_REMOVEDIR);
	close_fd(&dir);
	ck_assert_int_eq(rmdir(folder), 0); /* and no draft is left */
}

static void
check_file(const char *name, const char *content, mode_t mode)
{
	scoped(buf_free) struct buf b = {0};
	struct err e;
	struct stat st;

	ck_assert_msg(io_read_file(dir, name, 4096, &b, &e) == 0, "%s", e.text);
	ck_assert_str_eq(buf_str(&b), content);
	ck_assert_int_eq(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
}

START_TEST(files_are_made_once)
{
	struct err e;

	umask(0777);
	ck_assert_msg(io_create_file(dir, "a", 0640, "one", 3, true, &e) == 0,
	    "%s", e.text);
	check_file("a", "one", 0640);
	ck_assert_int_eq(
	    io_create_file(dir, "a", 0600, "two", 3, false, &e), -1);
	ck_assert_int_eq(e.code, ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(e.text, "'a'"));
	check_file("a", "one", 0640);
	ck_assert_int_eq(symlinkat("b", dir, "link"), 0);
	ck_assert_int_eq(
	    io_create_file(dir, "link", 0600, "two", 3, false, &e), -1);
	ck_assert_int_eq(faccessat(dir, "b", F_OK, 0), -1);
}
END_TEST

START_TEST(files_are_replaced)
{
	struct err e;
	struct stat st;

	ck_assert_int_eq(
	    io_replace_file(dir, "a", 0600, "one", 3, true, &e), 0);
	check_file("a", "one", 0600);
	ck_assert_int_eq(
	    io_replace_file(dir, "a", 0644, "second", 6, false, &e), 0);
	check_file("a", "second", 0644);
	/* A link is replaced, not followed. */
	ck_assert_int_eq(symlinkat("a", dir, "link"), 0);
	ck_assert_int_eq(
	    io_replace_file(dir, "link", 0600, "three", 5, true, &e), 0);
	ck_assert_int_eq(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(S_ISREG(st.st_mode));
	check_file("a", "second", 0644);
	/* What cannot be replaced leaves nothing behind. */
	ck_assert_int_eq(mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(
	    io_replace_file(dir, "sub", 0600, "x", 1, true, &e), -1);
}
END_TEST

START_TEST(only_files_are_read)
{
	scoped(buf_free) struct buf b = {0};
	struct err e;

	ck_assert_int_eq(io_read_file(dir, "absent", 9, &b, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_int_eq(io_read_file(dir, "absent/x", 9, &b, &e), -1);
	ck_assert_int_eq(e.code, ERR_MISSING);
	ck_assert_int_eq(mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(io_read_file(dir, "sub", 9, &b, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	ck_assert_int_eq(io_read_file(dir, "fifo", 9, &b, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_int_eq(io_read_file(AT_FDCWD, "/dev/zero", 9, &b, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

START_TEST(reading_has_a_limit)
{
	scoped(buf_free) struct buf b = {0}, over = {0};
	struct err e;

	ck_assert_int_eq(
	    io_create_file(dir, "a", 0600, "0123456789", 10, false, &e), 0);
	buf_adds(&b, "x");
	ck_assert_int_eq(io_read_file(dir, "a", 10, &b, &e), 0);
	ck_assert_str_eq(buf_str(&b), "x0123456789");
	ck_assert_int_eq(io_read_file(dir, "a", 9, &over, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

START_TEST(full_disks_are_errors)
{
	scoped(close_fd) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err e;

	if (fd < 0)
		return;
	ck_assert_int_eq(io_write_all(fd, "x", 1, "it", &e), -1);
	ck_assert_int_eq(e.code, ERR_SYSTEM);
	ck_assert_str_eq(e.text, "cannot write it: No space left on device");
}
END_TEST

START_TEST(descriptors_are_closed_once)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = fd;

	errno = EPIPE;
	close_fd(&fd);
	ck_assert_int_eq(fd, -1);
	close_fd(&fd);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
}
END_TEST

START_TEST(random_is_not_constant)
{
	unsigned char a[32] = {0}, b[32] = {0};

	io_random(a, sizeof a);
	io_random(b, sizeof b);
	ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
}
END_TEST

/* --- waiting for a lock ----------------------------------------------- */

/* Another open file: a lock on it is another's. */
static int
open_lock(void)
{
	int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* How many wait for the lock, as the kernel has it. */
static int
count_waiting(void)
{
	FILE *f = fopen("/proc/locks", "r");
	char line[256], inode[32];
	struct stat st;
	int n = 0;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstatat(dir, "lock", &st, 0), 0);
	snprintf(inode, sizeof inode, ":%lu ", (unsigned long)st.st_ino);
	while (fgets(line, sizeof line, f) != NULL)
		if (strstr(line, "-> FLOCK") && strstr(line, inode))
			n++;
	fclose(f);
	return n;
}

/* A process that waits for the lock, then writes its name and leaves. */
static void
queue_up(char name, int out, int waiting)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	if (fork() == 0) {
		if (!io_lock_in_turn(open_lock(), 20000) ||
		    write(out, &name, 1) != 1)
			_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 20000 && count_waiting() < waiting; i++)
		nanosleep(&pause, NULL);
	ck_assert_int_eq(count_waiting(), waiting);
}

START_TEST(locks_go_in_turn)
{
	scoped(close_fd) int fd = open_lock();
	char order[8] = "";
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert(io_lock_in_turn(fd, 0));
	for (int i = 0; i < 5; i++)
		queue_up((char)('a' + i), ends[1], i + 1);
	flock(fd, LOCK_UN);
	while (wait(NULL) > 0)
		;
	ck_assert_int_eq(read(ends[0], order, sizeof order - 1), 5);
	ck_assert_str_eq(order, "abcde");
	unlinkat(dir, "lock", 0);
}
END_TEST

/* And leave the caller's signals as they were, his alarm too. */
START_TEST(locks_are_waited_for_so_long)
{
	scoped(close_fd) int holder = open_lock();
	scoped(close_fd) int fd = open_lock();
	struct sigaction before, after;
	sigset_t all, mask;
	int64_t began;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigprocmask(SIG_SETMASK, NULL, &all);
	sigaction(SIGRTMAX - 1, NULL, &before);
	alarm(600);
	ck_assert(io_lock_in_turn(holder, 1000));
	began = clock_boot_ms();
	ck_assert(!io_lock_in_turn(fd, 0));
	ck_assert(!io_lock_in_turn(fd, 150));
	ck_assert_int_ge(clock_boot_ms() - began, 150);
	ck_assert_int_lt(clock_boot_ms() - began, 5000);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i <= SIGRTMAX; i++)
		ck_assert_int_eq(sigismember(&mask, i), sigismember(&all, i));
	sigpending(&mask);
	ck_assert_int_eq(sigismember(&mask, SIGRTMAX - 1), 0);
	sigaction(SIGRTMAX - 1, NULL, &after);
	ck_assert(after.sa_handler == before.sa_handler);
	ck_assert_uint_gt(alarm(0), 500);
	flock(holder, LOCK_UN);
	ck_assert(io_lock_in_turn(fd, 0));
	unlinkat(dir, "lock", 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ground");
	TCase *t = tcase_create("pure"), *files = tcase_create("files");
	SRunner *runner;
	int failed;

	tcase_add_test(t, b64_vectors);
	tcase_add_test(t, b64_is_canonical);
	tcase_add_test(t, b64_refusals);
	tcase_add_test(t, buf_grows_and_stays_terminated);
	tcase_add_test(t, buf_trim_wipes);
	tcase_add_test(t, buf_steal_hands_over);
	tcase_add_test(t, durations_are_read);
	tcase_add_test(t, durations_are_refused);
	tcase_add_test(t, durations_are_written);
	tcase_add_test(t, stamps_and_sums);
	tcase_add_test(t, errors_are_worded);
	tcase_add_test(t, exit_statuses);
	tcase_add_test(t, full_disks_are_errors);
	tcase_add_test(t, descriptors_are_closed_once);
	tcase_add_test(t, random_is_not_constant);
	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_add_test(files, files_are_made_once);
	tcase_add_test(files, files_are_replaced);
	tcase_add_test(files, only_files_are_read);
	tcase_add_test(files, reading_has_a_limit);
	tcase_add_test(files, locks_go_in_turn);
	tcase_add_test(files, locks_are_waited_for_so_long);
	suite_add_tcase(suite, t);
	suite_add_tcase(suite, files);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
