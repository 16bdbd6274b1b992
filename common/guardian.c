#include "config.h"

#include "guardian.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "env.h"
#include "io.h"
#include "origin.h"
#include "tokendir.h"

#define STRAGGLERS_MS (2 * CLOCK_SECOND)
#define SECOND_SIGNAL_MS CLOCK_SECOND
#define TOKEN_FILE "token"

struct guardian {
	const struct run_request *rq;
	const char *id;
	const struct descriptors *inherited;
	int sock, lock, signal_fd;
	struct lifecycle lc;
	struct tokendir dir;
	struct env env;
	pid_t main; /* the command; 0 while it does not run */
	siginfo_t main_end;
	bool main_ended;
	bool minted;
	bool ended; /* revoked, and its files removed */
	int64_t kill_at; /* boot clock; 0 while no timer runs */
};

/* --- talking to front ------------------------------------------------- */

static void
tell(const struct guardian *g, const struct guardian_message *m)
{
	while (send(g->sock, m, sizeof *m, MSG_NOSIGNAL) < 0 &&
	    errno == EINTR)
		;
}

static void
complain(const struct guardian *g, const struct err *e)
{
	struct guardian_message m = {.kind = GUARDIAN_ERROR};

	snprintf(m.text, sizeof m.text, "%s", e->text);
	tell(g, &m);
}

static void PRINTF(2, 3)
warn(const struct guardian *g, const char *fmt, ...)
{
	struct guardian_message m = {.kind = GUARDIAN_WARNING};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m.text, sizeof m.text, fmt, ap);
	va_end(ap);
	tell(g, &m);
}

/* --- the end, whatever the cause ------------------------------------- */

/* One that failed is tried again by who comes next, finish() at the last. */
static void
end_identity(struct guardian *g, const char *reason)
{
	struct err e;

	if (g->ended)
		return;
	g->lc.now_ms = clock_now_ms();
	g->ended = lifecycle_end_run(&g->lc, g->id, reason, &e) == 0;
	/* What was not minted is tried too, for a commit may fail and hold,
	 * but there is one thing to say then, and the mint says it. */
	if (!g->ended && g->minted)
		complain(g, &e);
}

static void
end_stragglers(struct guardian *g, bool crashed)
{
	scoped(buf_free) struct buf left = {0};
	struct err e;

	if (supervise_end_tree(crashed ? SIGKILL : SIGTERM, STRAGGLERS_MS,
		NULL, &left, &e) < 0)
		warn(g, "cannot end what the command left: %s", e.text);
	else if (left.len > 0)
		warn(g, "left running: %s", left.ptr);
}

static _Noreturn void
leave(struct guardian *g)
{
	lifecycle_close(&g->lc);
	tokendir_close(&g->dir);
	env_free(&g->env);
	_exit(0);
}

static _Noreturn void
finish(struct guardian *g, const char *reason, bool crashed)
{
	struct guardian_message m = {.kind = GUARDIAN_ENDED};

	end_identity(g, reason);
	if (g->main_ended)
		waitpid(g->main, NULL, 0);
	end_stragglers(g, crashed);
	m.end = g->main_end;
	m.unrevoked = !g->ended;
	tell(g, &m);
	leave(g);
}

/* Nothing runs, and nothing live is left. */
static _Noreturn void
fail(struct guardian *g, int status, const struct err *e)
{
	struct guardian_message m = {.kind = GUARDIAN_FAILED};

	if (g->lc.ledger != NULL)
		end_identity(g, "the command did not start");
	m.status = status;
	snprintf(m.text, sizeof m.text, "%s", e->text);
	tell(g, &m);
	leave(g);
}

/* --- before the command ----------------------------------------------- */

/* A token handed on under another name (--env of an outer run) is a
 * credential that made this mint possible, so it goes too. */
static void
unset_value(struct env *env, const char *value)
{
	for (size_t i = 0; i < env->n;) {
		char *eq = strchr(env->list[i], '=');

		if (eq == NULL || strcmp(eq + 1, value) != 0) {
			i++;
			continue;
		}
		scoped(free_string) char *name = xasprintf(
		    "%.*s", (int)(eq - env->list[i]), env->list[i]);
		env_unset(env, name);
	}
}

static void
set_traceparent(struct env *env)
{
	char trace[TRACEPARENT_LEN + 1];
	uint8_t rnd[24];

	io_random(rnd, sizeof rnd);
	origin_traceparent(env_get(env, "TRACEPARENT"), rnd, trace);
	env_set(env, "TRACEPARENT", trace);
}

/* Our copy of what the caller exported, which /proc/PID/environ shows, is no
 * use once the command's is built, and may hold credentials. */
static void
forget_environment(char *const *envp)
{
	for (; *envp != NULL; envp++)
		explicit_bzero(*envp, strlen(*envp));
}

static void
build_environment(struct guardian *g, const struct minted *m)
{
	const struct run_request *rq = g->rq;
	struct env *env = &g->env;
	scoped(free_string) char *file =
	    xasprintf("%s/%s", g->dir.path, TOKEN_FILE);

	env_copy(env, rq->envp);
	env_unset_prefix(env, "EPHID_");
	if (rq->mint.parent_token != NULL)
		unset_value(env, rq->mint.parent_token);
	env_set(env, "EPHID_ID", m->identity.id);
	env_set(env, "EPHID_ROOT", m->identity.root);
	env_set(env, "EPHID_HOME", g->lc.home.path);
	env_set(env, "EPHID_TOKEN_DIR", g->dir.path);
	env_set(env, "EPHID_TOKEN_FILE", file);
	if (!rq->no_env_token)
		env_set(env, "EPHID_TOKEN", buf_str(&m->issued[0].token));
	if (rq->env_name != NULL)
		env_set(env, rq->env_name, buf_str(&m->issued[0].token));
	set_traceparent(env);
	forget_environment(rq->envp);
}

static void
warn_of_expiry(const struct guardian *g, const struct minted *m)
{
	int64_t most = g->lc.settings.policy.max_ttl;
	char at[CLOCK_STAMP_MAX];
	char given[CLOCK_DURATION_MAX], asked[CLOCK_DURATION_MAX];

	if (m->cut_short)
		warn(g, "the token expires with its parent, at %s",
		    clock_stamp(m->identity.expires_at, at));
	else if (g->rq->mint.ttl > most)
		warn(g, "the token expires in %s, the most that policy allows, "
			"not in %s",
		    clock_duration(most, given),
		    clock_duration(g->rq->mint.ttl, asked));
}

/* The ledger knows the run and where its token will lie before either the
 * folder or the file is made: a crash at any point leaves a row to sweep. */
static int
mint(struct guardian *g, struct minted *m, struct err *e)
{
	struct mint_request rq = g->rq->mint;
	struct holder holder;
	bool on_disk;

	if (proc_self(&holder, e) < 0 ||
	    tokendir_plan(&g->lc.home, getenv("XDG_RUNTIME_DIR"), g->id, NULL,
		&g->dir, &on_disk, e) < 0)
		return -1;
	rq.id = g->id;
	rq.holder = &holder;
	rq.token_dir = g->dir.path;
	if (lifecycle_mint(&g->lc, &rq, m, e) < 0)
		return -1;
	g->minted = true;
	if (on_disk)
		warn(g, "the token file is on a disk: no tmpfs is ours");
	warn_of_expiry(g, m);
	if (tokendir_make(&g->dir, e) < 0 ||
	    tokendir_write(&g->dir, TOKEN_FILE, buf_str(&m->issued[0].token),
		m->issued[0].token.len, e) < 0)
		return -1;
	return 0;
}

struct handover {
	const struct signals *caller;
	int close[3];
};

/* In the child. What is close-on-exec is closed here as well, for until the
 * exec the lock would outlive front and guardian in it. */
static void
hand_over(void *arg)
{
	const struct handover *h = arg;

	for (size_t i = 0; i < sizeof h->close / sizeof *h->close; i++)
		close(h->close[i]);
	signals_restore(h->caller);
}

/* The mint may have waited for the ledger, and front been killed meanwhile. */
static int
check_front(const struct guardian *g, struct err *e)
{
	struct pollfd p = {.fd = g->sock};

	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0)
		return err_set(e, ERR_SYSTEM, "ephid-wrap was killed");
	return 0;
}

static int
start(struct guardian *g, pid_t group, const struct signals *caller,
    int *status, struct err *e)
{
	struct handover h = {caller, {g->lock, g->sock, g->signal_fd}};
	struct child_setup setup = {.argv = g->rq->argv,
	    .envp = g->env.list,
	    .group = group,
	    .death_signal = SIGKILL,
	    .prepare = hand_over,
	    .arg = &h};

	if (child_start(&setup, &g->main, status, e) < 0) {
		g->main = 0;
		return -1;
	}
	if (group == 0)
		setpgid(0, 0); /* settle() could not, for the command's sake */
	env_free(&g->env);
	descriptors_drop(g->inherited, -1);
	return 0;
}

/* --- while the command runs ------------------------------------------- */

/* Nothing is reaped that we may still want to signal: the command stays a
 * zombie until the identity is revoked. */
static void
collect_children(struct guardian *g)
{
	siginfo_t si = {0};

	if (!g->main_ended &&
	    waitid(P_PID, (id_t)g->main, &si, WEXITED | WNOHANG | WNOWAIT) ==
		0 &&
	    si.si_pid == g->main) {
		g->main_end = si;
		g->main_ended = true;
	}
	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    si.si_pid == 0 || si.si_pid == g->main)
			return;
		waitpid(si.si_pid, NULL, 0);
	}
}

static void
set_timer(struct guardian *g, int64_t ms)
{
	int64_t at = clock_add(clock_boot_ms(), ms);

	if (g->kill_at == 0 || at < g->kill_at)
		g->kill_at = at;
}

static void
on_signal(struct guardian *g, const struct front_message *m)
{
	if (m->end_now) {
		end_identity(g, "ended by a second signal");
		set_timer(g, SECOND_SIGNAL_MS);
	} else if (m->signal == SIGTERM || m->signal == SIGHUP)
		set_timer(g, g->rq->grace_ms);
	if (!m->from_terminal && !g->main_ended)
		kill(g->main, m->signal);
}

/* False when front is gone. */
static bool
hear_front(struct guardian *g)
{
	struct front_message m;
	ssize_t n;

	do
		n = recv(g->sock, &m, sizeof m, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n == sizeof m)
		on_signal(g, &m);
	return n == sizeof m || (n < 0 && errno == EAGAIN);
}

static int
wait_ms(const struct guardian *g)
{
	int64_t left;

	if (g->kill_at == 0)
		return -1;
	left = g->kill_at - clock_boot_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void
check_timer(struct guardian *g)
{
	if (g->kill_at == 0 || clock_boot_ms() < g->kill_at)
		return;
	g->kill_at = 0;
	end_identity(g, "ended by a signal and its grace was over");
	if (!g->main_ended)
		kill(g->main, SIGKILL);
}

static void
drain(int signal_fd)
{
	struct signalfd_siginfo si;

	while (read(signal_fd, &si, sizeof si) > 0)
		;
}

static _Noreturn void
watch(struct guardian *g)
{
	struct pollfd p[] = {{.fd = g->sock, .events = POLLIN},
	    {.fd = g->signal_fd, .events = POLLIN}};

	for (;;) {
		collect_children(g);
		if (g->main_ended)
			finish(g, "the command ended", false);
		poll(p, 2, wait_ms(g));
		drain(g->signal_fd);
		if (p[0].revents != 0 && !hear_front(g))
			finish(g, "ephid-wrap was killed", true);
		check_timer(g);
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
	    .sock = sock,
	    .lock = lock,
	    .signal_fd = -1,
	    .dir = {.fd = -1}};
	struct guardian_message started = {.kind = GUARDIAN_STARTED};
	struct minted m = {0};
	struct err e = {0};
	size_t swept;
	int status = 125;

	if (settle(&g, group, &e) < 0 ||
	    lifecycle_open(&rq->where, &g.lc, &e) < 0)
		fail(&g, status, &e);
	if (ledger_was_restored(g.lc.ledger))
		warn(&g, "the ledger was restored from a backup: "
			 "all that was live is revoked");
	if (lifecycle_sweep(&g.lc, SWEEP_HABIT, &swept, &e) < 0)
		warn(&g, "cannot sweep: %s", e.text);
	if (mint(&g, &m, &e) < 0)
		fail(&g, status, &e);
	build_environment(&g, &m);
	minted_clear(&m);
	if (check_front(&g, &e) < 0 ||
	    start(&g, group, caller, &status, &e) < 0)
		fail(&g, status, &e);
	tell(&g, &started);
	ledger_rehearse_revocation(g.lc.ledger);
	watch(&g);
}
