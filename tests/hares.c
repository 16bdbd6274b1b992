/*
 * hares - chains of processes that race who would end them, for tests/t/1110.
 *
 *	hares CHAINS LENGTH [PID]
 *
 * Each process of a chain forks the next one and exits, in sessions of their
 * own and deaf to TERM; it has gone before /proc can be read.  PID is killed
 * once all run.  A chain that comes to its end prints a line: it outran.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Noreturn void
run(int length)
{
	setsid();
	signal(SIGTERM, SIG_IGN);
	for (; length > 0; length--) {
		pid_t next = fork();

		if (next > 0)
			_exit(0);
		if (next < 0)
			sleep(1);
	}
	if (write(STDOUT_FILENO, "outran\n", 7) != 7)
		_exit(1);
	_exit(0);
}

int
main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: hares CHAINS LENGTH [PID]\n");
		return 2;
	}
	for (int i = atoi(argv[1]); i > 0; i--)
		if (fork() == 0)
			run(atoi(argv[2]));
	if (argc > 3)
		kill(atoi(argv[3]), SIGKILL);
	pause();
	return 0;
}
