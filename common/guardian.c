#include "config.h"

#include "guardian-private.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "proc.h"
#include "statusfd.h"
#include "timer.h"

#define SECOND_SIGNAL_MS CLOCK_SECOND
/* Who waits for the ledger hears neither front nor a timer. */
#define PATIENCE_MS CLOCK_SECOND

/* --- talking to front ------------------------------------------------- */

/* The kernel had no memory for it. */
static bool
may_come_later(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	if (errno != ENOMEM && errno != ENOBUFS)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

/* A front that was stopped reads nothing. What it is told in passing must not
 * hold up who has to revoke, and is then lost; how it went is waited with. */
void
guardian_tell(const struct guardian *g, const struct guardian_message *m)
{
	bool in_passing = m->kind != GUARDIAN_STARTED &&
	    m->kind != GUARDIAN_FAILED && m->kind != GUARDIAN_ENDED;
	int flags = MSG_NOSIGNAL | (in_passing ? MSG_DONTWAIT : 0);

	while (send(g->sock, m, sizeof *m, flags) < 0)
		if (errno != EINTR && (in_passing || !may_come_later()))
			return;
}

void
guardian_complain(const struct guardian *g, const struct err *e)
{
	struct guardian_message m = {.kind = GUARDIAN_ERROR};

	snprintf(m.text, sizeof m.text, "%s", e->text);
	guardian_tell(g, &m);
}

static void PRINTF(3, 0)
say(const struct guardian *g, struct guardian_message m, const char *fmt,
    va_list ap)
{
	vsnprintf(m.text, sizeof m.text, fmt, ap);
	guardian_tell(g, &m);
}

void
guardian_warn(struct guardian *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(g, (struct guardian_message){.kind = GUARDIAN_WARNING}, fmt, ap);
	va_end(ap);
	g->warned = true;
}

void
guardian_note(const struct guardian *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(g, (struct guardian_message){.kind = GUARDIAN_NOTE}, fmt, ap);
	va_end(ap);
}

void
guardian_announce(const struct guardian *g, cJSON *event)
{
	struct guardian_message m = {.kind = GUARDIAN_EVENT};
	scoped(buf_free) struct buf line = {0};

	if (g->rq->status_fd >= 0) {
		json_print(event, &line);
		snprintf(m.text, sizeof m.text, "%s", buf_str(&line));
		guardian_tell(g, &m);
	}
	cJSON_Delete(event);
}

void
guardian_announce_plain(const struct guardian *g, const char *event)
{
	guardian_announce(
	    g, statusfd_event(event, g->id, clock_now_ms() / CLOCK_SECOND));
}

void
guardian_wake_front(const struct guardian *g)
{
	if (getppid() == g->front)
		kill(g->front, SIGCONT);
}

/* --- while the command runs ------------------------------------------- */

static void
announce_exit(const struct guardian *g)
{
	cJSON *event =
	    statusfd_event("exited", g->id, clock_now_ms() / CLOCK_SECOND);

	statusfd_add_end(event, &g->main_end);
	guardian_announce(g, event);
}

/* Who waits for ephid-wrap waits for the command, so front stops when that
 * has stopped, whatever stopped it, and not before; and goes on with it. */
static void
follow_stops(struct guardian *g)
{
	struct guardian_message m = {.kind = GUARDIAN_STOPPED};

	while (!g->main_ended && g->exec_fd < 0 &&
	    waitid(P_PID, (id_t)g->main, &m.end,
		WSTOPPED | WCONTINUED | WNOHANG) == 0 &&
	    m.end.si_pid == g->main) {
		if (m.end.si_code != CLD_STOPPED)
			guardian_wake_front(g);
		else if (g->kill_at != 0) /* its grace is not for resting */
			kill(g->main, SIGCONT);
		else
			guardian_tell(g, &m);
		m.end.si_pid = 0;
	}
}

static void
begin_to_wait(struct guardian *g)
{
	scoped(buf_free) struct buf names = {0};
	struct err ignored;
	size_t n;

	waitpid(g->main, NULL, 0); /* it would hide who follows */
	if (supervise_name_tree(&names, &n, &ignored) < 0 || n == 0)
		return;
	guardian_announce_stragglers(g, n);
	guardian_note(g, "waiting for what the command left: %s", names.ptr);
}

/* Nothing is reaped that we may still want to signal: the command stays a
 * zombie until the identity is revoked. */
static void
collect_command(struct guardian *g)
{
	siginfo_t si = {0};

	if (g->main_ended || g->exec_fd >= 0 ||
	    waitid(P_PID, (id_t)g->main, &si, WEXITED | WNOHANG | WNOWAIT) <
		0 ||
	    si.si_pid != g->main)
		return;
	g->main_end = si;
	g->main_ended = true;
	guardian_note_outcome(g);
	announce_exit(g);
	if (g->rq->stragglers == STRAGGLERS_WAIT)
		begin_to_wait(g);
}

static void
collect_children(struct guardian *g)
{
	siginfo_t si = {0};

	follow_stops(g);
	collect_command(g);
	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    si.si_pid == 0 || si.si_pid == g->main)
			return;
		waitpid(si.si_pid, NULL, 0);
	}
}

/* Every descendant whose parent has died is a child of ours. */
static bool
has_children(void)
{
	siginfo_t si = {0};

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void
kill_in(struct guardian *g, int64_t ms)
{
	int64_t at = timer_in(ms);

	if (g->kill_at == 0 || at < g->kill_at)
		g->kill_at = at;
}

void
guardian_end_command(struct guardian *g, int sig)
{
	if (g->main_ended) /* and we wait for what it left */
		guardian_finish(g, "ended while it waited for stragglers", false);
	kill(g->main, sig);
	kill(g->main, SIGCONT);
	kill_in(g, g->rq->grace_ms);
}

static void
hand_on(const struct guardian *g, const struct front_message *m)
{
	if (!m->queued || sigqueue(g->main, m->signal, m->value) < 0)
		kill(g->main, m->signal);
	/* Stopped, it could not use its grace. */
	if ((m->signal == SIGTERM || m->signal == SIGHUP) &&
	    proc_is_stopped(g->main))
		kill(g->main, SIGCONT);
}

static void
on_signal(struct guardian *g, const struct front_message *m)
{
	if (m->end_now) {
		kill_in(g, SECOND_SIGNAL_MS); /* before we wait for anything */
		guardian_end_identity(g, "ended by a second signal");
	} else if (m->signal == SIGTERM || m->signal == SIGHUP)
		kill_in(g, g->rq->grace_ms);
	if (g->main_ended) {
		if (signals_ask_for_the_end(m->signal))
			guardian_end_command(g, m->signal);
	} else if (!m->from_terminal)
		hand_on(g, m);
}

/* False when front is gone. */
static bool
hear_front(struct guardian *g)
{
	struct front_message m;
	ssize_t n;

	do
		n = recv(g->sock, &m, sizeof m, MSG_DONTWAIT);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n == sizeof m)
		on_signal(g, &m);
	return n != 0; /* no memory for it is no end of file */
}

/* One that became another user's (sudo) is not ours to kill, and who called us
 * is owed its status: it is waited for, and had better be known of. */
static void
kill_command(struct guardian *g)
{
	char name[32];

	if (kill(g->main, SIGKILL) == 0 || errno != EPERM)
		return;
	proc_name(g->main, name, sizeof name);
	guardian_warn(g,
	    "the command cannot be ended, and is waited for: pid %d (%s) "
	    "refuses our signals",
	    (int)g->main, name);
}

static void
check_limits(struct guardian *g)
{
	if (timer_is_due(g->timeout_at)) {
		g->timeout_at = 0;
		g->timed_out = true;
		guardian_note(g, "the time limit is over: the command is ended");
		guardian_end_command(g, SIGTERM);
	}
	if (!timer_is_due(g->kill_at))
		return;
	g->kill_at = 0;
	guardian_end_identity(g, g->timed_out
		? "its time limit and its grace were over"
		: "ended by a signal and its grace was over");
	if (g->main_ended)
		guardian_finish(g, "the command ended", false);
	kill_command(g);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

#define HAS_FIRED (-1) /* and is readable until it is set again */

static void
set_timer(struct guardian *g)
{
	int64_t next = earlier(earlier(g->kill_at, g->timeout_at),
	    guardian_keep_next(g));

	if (next != g->timer_set)
		timer_set(g->timer_fd, next);
	g->timer_set = next;
}

static void
drain(int signal_fd)
{
	struct signalfd_siginfo si;

	while (read(signal_fd, &si, sizeof si) > 0)
		;
}

static bool
is_over(const struct guardian *g)
{
	return g->main_ended &&
	    (g->rq->stragglers != STRAGGLERS_WAIT || !has_children());
}

static void
announce_start(struct guardian *g)
{
	const struct guardian_message started = {.kind = GUARDIAN_STARTED};

	guardian_tell(g, &started);
	guardian_announce_plain(g, "started");
	if (g->rq->timeout_ms != 0)
		g->timeout_at = timer_in(g->rq->timeout_ms);
}

/* The exec is over, one way or the other. */
static void
begin(struct guardian *g)
{
	struct err e;
	int status;

	if (guardian_started(g, &status, &e) < 0)
		guardian_fail(g, status, &e);
	announce_start(g);
	guardian_keep_begin(g);
	ledger_rehearse_revocation(g->lc.ledger);
}

static _Noreturn void
watch(struct guardian *g)
{
	ledger_set_patience(g->lc.ledger, PATIENCE_MS);
	for (;;) {
		struct pollfd p[] = {{.fd = g->sock, .events = POLLIN},
		    {.fd = g->signal_fd, .events = POLLIN},
		    {.fd = g->timer_fd, .events = POLLIN},
		    {.fd = guardian_keeps(g) ? g->clock_fd : -1,
			.events = POLLIN},
		    {.fd = guardian_keeps(g) && g->look_at == 0
			    ? g->home_fd
			    : -1,
			.events = POLLIN},
		    {.fd = g->exec_fd, .events = POLLIN}};

		collect_children(g);
		if (is_over(g))
			guardian_finish(g, "the command ended", false);
		set_timer(g);
		poll(p, sizeof p / sizeof *p, -1);
		drain(g->signal_fd);
		if (p[2].revents != 0)
			g->timer_set = HAS_FIRED;
		if (p[5].revents != 0)
			begin(g);
		if (p[0].revents != 0 && !hear_front(g))
			guardian_finish(g, "ephid-wrap was killed", true);
		check_limits(g);
		guardian_keep(g, p[4].revents != 0, p[3].revents != 0);
	}
}

/* In a group of its own before anything else, or a kill of front's group
 * would take both. But a group from outside of the PID namespace has no number
 * here (unshare -pf) and the command could not join it again, so there we
 * leave it once the command is in it. Undumpable: /proc is closed to the same
 * uid. */
static int
settle(struct guardian *g, pid_t group, struct err *e)
{
	if (signals_capture(NULL, &g->signal_fd, e) < 0)
		return -1;
	if (group != 0 && setpgid(0, 0) < 0)
		return err_sys(e, "cannot make a process group");
	if (prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(e, "cannot become a subreaper");
	return timer_open(&g->timer_fd, e);
}

static int
open_ledger(struct guardian *g, struct err *e)
{
	size_t swept;

	if (lifecycle_open(&g->rq->where, &g->lc, e) < 0)
		return -1;
	if (ledger_was_restored(g->lc.ledger))
		guardian_warn(g, "the ledger was restored from a backup: "
				 "all that was live is revoked");
	if (lifecycle_sweep(&g->lc, SWEEP_HABIT, &swept, e) < 0)
		guardian_warn(g, "cannot sweep: %s", e->text);
	return 0;
}

_Noreturn void
guardian_main(const struct run_request *rq, const char *id, int sock,
    int lock, pid_t group, const struct signals *caller,
    const struct descriptors *inherited)
{
	struct guardian g = {.rq = rq,
	    .id = id,
	    .inherited = inherited,
	    .front = getppid(),
	    .sock = sock,
	    .lock = lock,
	    .signal_fd = -1,
	    .timer_fd = -1,
	    .home_fd = -1,
	    .clock_fd = -1,
	    .exec_fd = -1,
	    .outcome.status = -1,
	    .dir = {.fd = -1}};
	struct err e = {0};

	if (rq->status_fd >= 0)
		close(rq->status_fd); /* front's */
	if (settle(&g, group, &e) < 0 || open_ledger(&g, &e) < 0 ||
	    guardian_prepare(&g, &e) < 0 ||
	    guardian_start(&g, group, caller, &e) < 0)
		guardian_fail(&g, 125, &e);
	watch(&g);
}
