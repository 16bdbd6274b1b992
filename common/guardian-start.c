#include "config.h"

#include "guardian-private.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "statusfd.h"

/* The ledger knows the run and where its token will lie before either the
 * folder or the file is made: a crash at any point leaves a row to sweep. */
static int
mint(struct guardian *g, struct minted *m, struct err *e)
{
	static struct holder holder; /* for as long as we live */
	bool on_disk;

	if (proc_self(&holder, e) < 0 ||
	    tokendir_plan(&g->lc.home, getenv("XDG_RUNTIME_DIR"), g->id,
		g->rq->handout.user, &g->dir, &on_disk, e) < 0)
		return -1;
	g->mint.id = g->id;
	g->mint.holder = &holder;
	g->mint.token_dir = g->dir.path;
	if (lifecycle_mint(&g->lc, &g->mint, m, e) < 0)
		return -1;
	g->minted = true;
	if (on_disk)
		guardian_warn(g, "the token file is on a disk: no tmpfs is "
				 "ours");
	return 0;
}

static void
announce_mint(const struct guardian *g, const struct minted *m)
{
	cJSON *event =
	    statusfd_event("minted", g->id, lifecycle_now(&g->lc));
	char at[CLOCK_STAMP_MAX];

	json_add_string(event, "root", m->identity.root);
	json_add_string(
	    event, "expires_at", clock_stamp(m->identity.expires_at, at));
	guardian_announce(g, event);
}

/* Our copy of what the caller exported, which /proc/PID/environ shows, is no
 * use once the command's is built, and may hold credentials. */
static void
forget_environment(char *const *envp)
{
	for (; *envp != NULL; envp++)
		explicit_bzero(*envp, strlen(*envp));
}

int
guardian_prepare(struct guardian *g, struct err *e)
{
	scoped(minted_clear) struct minted m = {0};
	scoped(buf_free) struct buf why = {0};

	g->mint = g->rq->mint;
	if (mint(g, &m, e) < 0)
		return -1;
	g->expires_at = m.identity.expires_at;
	g->last_expiry =
	    lifecycle_last_expiry(&g->lc, &g->mint, &m.identity);
	guardian_schedule_renewal(g, m.identity.issued_at);
	announce_mint(g, &m);
	if (lifecycle_is_cut_short(&g->lc, &g->mint, &m, &why))
		guardian_warn(g, "%s", why.ptr);
	if (handout_write(&g->dir, &m, e) < 0)
		return -1;
	handout_environment(&g->rq->handout, g->rq->envp,
	    g->mint.parent_token, &m, g->lc.home.path, g->dir.path, &g->env);
	forget_environment(g->rq->envp);
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

static struct child_setup
setup_of(const struct guardian *g)
{
	return (struct child_setup){.argv = g->rq->argv,
	    .envp = g->env.list,
	    .user = g->rq->handout.user,
	    .death_signal = SIGKILL,
	    .prepare = hand_over};
}

int
guardian_start(struct guardian *g, pid_t group, const struct signals *caller,
    struct err *e)
{
	struct handover h = {caller, {g->lock, g->sock, g->signal_fd}};
	struct child_setup setup = setup_of(g);

	setup.group = group;
	setup.arg = &h;
	if (g->rq->strict && g->warned)
		return err_set(e, ERR_DENIED,
		    "a warning, and --strict: the command was not run");
	if (check_front(g, e) < 0)
		return -1;
	return child_start(&setup, &g->main, &g->exec_fd, e);
}

/* The command is in front's group now. A parent of the same session but of
 * another group would keep that one from being orphaned, so where nobody is to
 * continue what stops (ssh -t, docker -t, tmux) Ctrl-Z would stop it for good.
 * setsid(2) is not for the leader of a group: for that moment we are in
 * front's, or are still, where settle() could make none. */
static void
leave_session(void)
{
	if (getpgrp() == getpid())
		setpgid(0, getpgid(getppid()));
	if (setsid() < 0)
		setpgid(0, 0);
}

int
guardian_started(struct guardian *g, int *status, struct err *e)
{
	const struct child_setup setup = setup_of(g);

	if (child_await_exec(&setup, g->main, &g->exec_fd, status, e) < 0)
		return -1;
	leave_session();
	env_free(&g->env);
	descriptors_drop(g->inherited, -1);
	return 0;
}
