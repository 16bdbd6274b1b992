/*
 * bench - times whole processes in turn: A B C A B C ..., so that drift of the
 * machine falls on all alike and the ratio within a round holds.
 *
 *	bench ROUNDS FOLDER LOOPS < commands
 *
 * Each line of `commands' is "label<TAB>word<TAB>word..."; a word @FILE is
 * line ROUND of FILE. The label F, alone, is an append of 200 bytes with
 * fdatasync to a file in FOLDER after 3 ms of rest. Prints one line a round
 * and command: round, label, microseconds, peak kilobytes, exit status.
 * LOOPS processes do this side by side, and count their rounds on from each
 * other's.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 32
#define MAX_WORDS 24

extern char **environ;

struct command {
	char *words[MAX_WORDS + 1];
};

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(3);
}

static char *
line_of(const char *file, int round)
{
	FILE *f = fopen(file, "r");
	char *line = NULL;
	size_t cap = 0;

	if (f == NULL)
		die(file);
	for (int i = 0; i <= round; i++)
		if (getline(&line, &cap, f) < 0)
			die(file);
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void
run(const struct command *c, int round, posix_spawn_file_actions_t *fa)
{
	char *argv[MAX_WORDS + 1] = {NULL};
	struct rusage ru;
	int64_t start;
	pid_t pid;
	int status;

	for (int i = 1; c->words[i] != NULL; i++)
		argv[i - 1] = c->words[i][0] == '@'
		    ? line_of(c->words[i] + 1, round)
		    : c->words[i];
	start = now_ns();
	if (posix_spawnp(&pid, argv[0], fa, NULL, argv, environ) != 0)
		die(argv[0]);
	if (wait4(pid, &status, 0, &ru) < 0)
		die("wait4");
	printf("%d\t%s\t%.1f\t%ld\t%d\n", round, c->words[0],
	    (double)(now_ns() - start) / 1000, ru.ru_maxrss,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

static void
append(const char *folder, int round)
{
	struct timespec rest = {0, 3000000};
	char path[4096], bytes[200];
	int64_t start;
	int fd;

	memset(bytes, 'x', sizeof bytes);
	snprintf(path, sizeof path, "%s/append", folder);
	if ((fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600)) < 0)
		die(path);
	nanosleep(&rest, NULL);
	start = now_ns();
	if (write(fd, bytes, sizeof bytes) < 0 || fdatasync(fd) < 0)
		die(path);
	printf("%d\tF\t%.1f\t0\t0\n", round,
	    (double)(now_ns() - start) / 1000);
	close(fd);
}

static int
read_commands(struct command *all)
{
	static char text[65536];
	size_t len = fread(text, 1, sizeof text - 1, stdin);
	char *lines = NULL, *words, *line, *word;
	int n = 0, w;

	text[len] = '\0';
	for (line = strtok_r(text, "\n", &lines); line != NULL && n < MAX_COMMANDS;
	     line = strtok_r(NULL, "\n", &lines), n++)
		for (w = 0, word = strtok_r(line, "\t", &words);
		     word != NULL && w < MAX_WORDS;
		     word = strtok_r(NULL, "\t", &words))
			all[n].words[w++] = word;
	return n;
}

static void
loop(const struct command *all, int n, int first, int rounds,
    const char *folder)
{
	posix_spawn_file_actions_t fa;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	for (int round = first; round < first + rounds; round++)
		for (int i = 0; i < n; i++)
			if (all[i].words[1] == NULL)
				append(folder, round);
			else
				run(&all[i], round, &fa);
}

int
main(int argc, char **argv)
{
	static struct command all[MAX_COMMANDS];
	int n, rounds, status, failed = 0;

	if (argc != 4)
		die("usage: bench ROUNDS FOLDER LOOPS < commands");
	n = read_commands(all);
	rounds = atoi(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0); /* lines of loops stay whole */
	for (int k = 0; k < atoi(argv[3]); k++)
		if (fork() == 0) {
			loop(all, n, k * rounds, rounds, argv[2]);
			return 0;
		}
	while (wait(&status) > 0)
		failed |= status;
	return failed != 0;
}
