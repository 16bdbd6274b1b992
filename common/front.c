#include "config.h"

#include "front.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "home.h"
#include "io.h"
#include "receipt.h"
#include "statusfd.h"
#include "supervise.h"

#define OWN_FAILURE 125
#define TIMED_OUT 124
/* What the guardian left does not live on for a ledger that is busy. */
#define PATIENCE_MS CLOCK_SECOND
#define DRAIN_MS 1000 /* for who reads --status-fd slowly */
/* timeout(1) tells us and then our whole group: one signal, come twice. */
#define ECHO_MS 100

struct front {
	const struct run_request *rq;
	char id[ID_LEN + 1];
	struct home home;
	struct signals caller;
	struct descriptors inherited;
	struct pids spare; /* children that we had before: not ours to end */
	int lock, sock, signal_fd;
	pid_t guardian;
	struct {
		int signal; /* that asked for the end first; 0: none has */
		int64_t at;
	} end;
	bool started;
	enum { RUNNING, ENDED, FAILED } state;
	struct guardian_message last;
	struct statusfd events;
};

static void
say(const struct front *f, const char *text)
{
	dprintf(STDERR_FILENO, "%s: %s\n", f->rq->where.program, text);
}

static _Noreturn void
die(const struct front *f, const struct err *e)
{
	say(f, e->text);
	if (f->lock >= 0)
		home_forget_run(&f->home, f->id);
	_exit(OWN_FAILURE);
}

/* --- starting --------------------------------------------------------- */

/* A sweep may take away a lock file between its making and its locking, and
 * then another id is as good. */
static int
take_id(struct front *f, struct err *e)
{
	uint8_t rnd[ID_RANDOM];

	for (int tries = 0; tries < 8; tries++) {
		io_random(rnd, sizeof rnd);
		id_make(f->rq->where.now_ms, rnd, f->id);
		if (home_lock_run(&f->home, f->id, &f->lock, e) == 0)
			return 0;
		if (e->code != ERR_DENIED)
			return -1;
	}
	return -1;
}

static int
prepare(struct front *f, struct err *e)
{
	scoped(free_string) char *path = NULL;
	bool create = f->rq->where.mode == LEDGER_CREATE;

	signals_save(&f->caller);
	descriptors_note(&f->inherited);
	if (proc_children(getpid(), &f->spare, e) < 0 ||
	    home_locate(f->rq->where.home, &path, e) < 0)
		return -1;
	if (home_open(path, create, &f->home, e) < 0)
		return create ||
			(e->code != ERR_MISSING && f->rq->mint.homeless == NULL)
		    ? -1
		    : lifecycle_no_home(f->rq->mint.homeless, e);
	if (take_id(f, e) < 0)
		return -1;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(e, "cannot become a subreaper");
	return signals_capture(&f->caller, &f->signal_fd, e);
}

static int
fork_guardian(struct front *f, struct err *e)
{
	pid_t group = getpgrp();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, "cannot make a socket");
	if ((f->guardian = fork()) < 0)
		return err_sys(e, "cannot fork");
	if (f->guardian == 0) {
		close(ends[0]);
		close(f->signal_fd);
		guardian_main(f->rq, f->id, ends[1], f->lock, group,
		    &f->caller, &f->inherited);
	}
	close(ends[1]);
	f->sock = ends[0];
	return 0;
}

/* --- signals ---------------------------------------------------------- */

static bool
is_second(struct front *f, int sig)
{
	int64_t now = clock_boot_ms();

	if (f->end.signal == 0) {
		f->end.signal = sig;
		f->end.at = now;
		return false;
	}
	return sig != f->end.signal || now - f->end.at >= ECHO_MS;
}

/* What the terminal made is known by its si_code, and went to the whole group:
 * to the command too, if it was there. */
static void
on_signal(struct front *f, const struct signalfd_siginfo *si)
{
	bool terminal = signal_is_terminals(si);
	struct front_message m = {.signal = (int)si->ssi_signo,
	    .queued = si->ssi_code == SI_QUEUE,
	    .value.sival_ptr = (void *)(uintptr_t)si->ssi_ptr,
	    .from_terminal = f->started && terminal};

	/* One that was stopped hears nothing, and keeps what it guards. It is
	 * our child and not reaped, so the pid is its own. */
	kill(f->guardian, SIGCONT);
	/* Our own PIPE is a message nobody reads any more, and the guardian's
	 * CONT is for us: the command goes on. */
	if (m.signal == SIGCHLD ||
	    (m.signal == SIGPIPE && si->ssi_pid == (uint32_t)getpid()) ||
	    (m.signal == SIGCONT && si->ssi_pid == (uint32_t)f->guardian))
		return;
	if (signals_ask_for_the_end(m.signal) && !terminal)
		m.end_now = is_second(f, m.signal);
	while (send(f->sock, &m, sizeof m, MSG_NOSIGNAL) < 0 &&
	    errno == EINTR)
		;
}

/* As the first process of a container we get every orphan of it; what is below
 * the guardian goes to that one. The guardian's status waits for conclude(). */
static void
bury_others(const struct front *f)
{
	siginfo_t si = {0};

	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    si.si_pid != 0 && si.si_pid != f->guardian) {
		waitpid(si.si_pid, NULL, 0);
		si.si_pid = 0;
	}
}

static void
read_signals(struct front *f)
{
	struct signalfd_siginfo si;

	while (read(f->signal_fd, &si, sizeof si) == sizeof si)
		on_signal(f, &si);
	bury_others(f);
}

/* --- the guardian's words --------------------------------------------- */

static void
on_message(struct front *f, const struct guardian_message *m)
{
	switch (m->kind) {
	case GUARDIAN_STARTED:
		f->started = true;
		descriptors_drop(&f->inherited, STDERR_FILENO);
		break;
	case GUARDIAN_STOPPED:
		supervise_stop_as(&m->end, &f->caller);
		break;
	case GUARDIAN_NOTE:
		if (!f->rq->quiet)
			say(f, m->text);
		break;
	case GUARDIAN_WARNING: /* under --strict it is why we fail */
		if (!f->rq->quiet || f->rq->strict)
			say(f, m->text);
		break;
	case GUARDIAN_ERROR:
		say(f, m->text);
		break;
	case GUARDIAN_EVENT:
		statusfd_add(&f->events, m->text);
		break;
	case GUARDIAN_FAILED:
		f->state = FAILED;
		f->last = *m;
		break;
	case GUARDIAN_ENDED:
		f->state = ENDED;
		f->last = *m;
		break;
	}
}

/* False at the end of file: the guardian is gone. A reset says that it read not
 * all that we told it of, and comes before its own last words. */
static bool
hear_guardian(struct front *f)
{
	struct guardian_message m;
	ssize_t n;

	do
		n = recv(f->sock, &m, sizeof m, MSG_DONTWAIT);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n == sizeof m)
		on_message(f, &m);
	return n != 0; /* no memory for it is no end of file */
}

/* --- ends ------------------------------------------------------------- */

static void
announce(struct front *f, cJSON *event)
{
	scoped(buf_free) struct buf line = {0};

	json_print(event, &line);
	statusfd_add(&f->events, buf_str(&line));
	cJSON_Delete(event);
}

static cJSON *
new_event(const struct front *f, const char *name)
{
	return statusfd_event(name, f->id, clock_now_ms() / CLOCK_SECOND);
}

static _Noreturn void
leave(struct front *f, int status)
{
	cJSON *done = new_event(f, "done");

	json_add_int(done, "status", status);
	if (f->state == FAILED)
		json_add_string(done, "reason", f->last.text);
	announce(f, done);
	statusfd_drain(&f->events, DRAIN_MS);
	_exit(status);
}

static _Noreturn void
mirror(struct front *f)
{
	cJSON *done = new_event(f, "done");

	statusfd_add_end(done, &f->last.end);
	announce(f, done);
	statusfd_drain(&f->events, DRAIN_MS);
	supervise_mirror(&f->last.end);
}

#define WHY "its guardian was killed"

/* The guardian, or somebody else, may have done it already; that the event
 * comes twice then is better than not at all. Nothing was minted where there
 * is no row. */
static void
announce_revocation(struct front *f, struct lifecycle *lc)
{
	scoped(identity_clear) struct identity id = {0};
	struct err ignored;
	cJSON *event;

	if (ledger_find(lc->ledger, f->id, &id, &ignored) < 0)
		return;
	event = new_event(f, "revoked");
	json_add_string(event, "reason", id.reason != NULL ? id.reason : WHY);
	announce(f, event);
}

static int
revoke_and_report(struct front *f, struct lifecycle *lc, struct err *e)
{
	struct err why;
	bool revoked;
	int result = lifecycle_end_run(lc, f->id, WHY, NULL, &revoked, e);

	if (!revoked)
		return -1;
	announce_revocation(f, lc);
	if (f->rq->receipt != NULL &&
	    receipt_write(lc->ledger, f->id, lifecycle_now(lc),
		f->rq->receipt, &why) < 0)
		dprintf(STDERR_FILENO, "%s: no receipt: %s\n",
		    f->rq->where.program, why.text);
	return result;
}

/* A configuration that was broken meanwhile is no reason to leave it live. */
static int
revoke_here(struct front *f, int64_t patience_ms, struct err *e)
{
	struct lifecycle_where where = f->rq->where;
	struct lifecycle lc = {0};
	int result;

	where.mode = LEDGER_WRITE;
	where.only_ends = true;
	where.now_ms = clock_now_ms();
	if (lifecycle_open(&where, &lc, e) < 0) {
		if (e->code != ERR_MISSING)
			return err_in(e, "run %s is not revoked", f->id);
		home_forget_run(&f->home, f->id);
		return 0; /* it had not even made the ledger */
	}
	ledger_set_patience(lc.ledger, patience_ms);
	result = revoke_and_report(f, &lc, e);
	lifecycle_close(&lc);
	return result;
}

/* The guardian was killed. The command dies by PDEATHSIG, what it left comes
 * to us, and so does the revocation, which is tried again when all is dead. */
static _Noreturn void
take_over(struct front *f)
{
	scoped(buf_free) struct buf left = {0};
	struct err e, why;
	bool revoked = revoke_here(f, PATIENCE_MS, &why) == 0;
	int ended = supervise_end_tree(SIGKILL, 0, &f->spare, &left, &e);

	if (revoked || revoke_here(f, LEDGER_PATIENCE_MS, &why) == 0)
		err_set(&why, ERR_SYSTEM, "run %s is revoked", f->id);
	dprintf(STDERR_FILENO, "%s: the guardian was killed; %s\n",
	    f->rq->where.program, why.text);
	if (ended < 0)
		dprintf(STDERR_FILENO, "%s: cannot end what it left: %s\n",
		    f->rq->where.program, e.text);
	else if (left.len > 0)
		dprintf(STDERR_FILENO, "%s: left running: %s\n",
		    f->rq->where.program, left.ptr);
	leave(f, OWN_FAILURE);
}

static _Noreturn void
conclude(struct front *f)
{
	while (waitpid(f->guardian, NULL, 0) < 0 && errno == EINTR)
		;
	if (f->state == RUNNING)
		take_over(f);
	if (f->state == FAILED) {
		say(f, f->last.text);
		home_forget_run(&f->home, f->id);
		leave(f, f->last.status);
	}
	if (f->rq->strict && f->last.warned) {
		say(f, "a warning, and --strict: the status is 125");
		leave(f, OWN_FAILURE);
	}
	if (f->last.timed_out)
		leave(f, TIMED_OUT);
	mirror(f);
}

_Noreturn void
front_run(const struct run_request *rq)
{
	struct front f = {.rq = rq,
	    .lock = -1,
	    .sock = -1,
	    .signal_fd = -1,
	    .events.fd = rq->status_fd};
	struct pollfd p[3];
	struct err e = {0};

	if (prepare(&f, &e) < 0 || fork_guardian(&f, &e) < 0)
		die(&f, &e);
	p[0] = (struct pollfd){.fd = f.sock, .events = POLLIN};
	p[1] = (struct pollfd){.fd = f.signal_fd, .events = POLLIN};
	for (;;) {
		p[2] = (struct pollfd){
		    .fd = f.events.queue.len > 0 ? f.events.fd : -1,
		    .events = POLLOUT};
		if (poll(p, 3, -1) < 0)
			continue;
		if (p[1].revents != 0)
			read_signals(&f);
		if (p[2].revents != 0)
			statusfd_flush(&f.events);
		if (p[0].revents != 0 && !hear_guardian(&f))
			conclude(&f);
	}
}
