#include "config.h"

#include "statusfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "supervise.h"

cJSON *
statusfd_event(const char *event, const char *id, int64_t now)
{
	cJSON *o = json_object();
	char at[CLOCK_STAMP_MAX];

	json_add_string(o, "event", event);
	json_add_string(o, "time", clock_stamp(now, at));
	json_add_string(o, "id", id);
	return o;
}

void
statusfd_add_end(cJSON *event, const siginfo_t *end)
{
	char name[SIGNAL_NAME_MAX];

	if (end->si_code == CLD_EXITED)
		json_add_int(event, "status", end->si_status);
	else
		json_add_string(
		    event, "signal", signal_name(end->si_status, name));
}

static int
check_number(int number, struct err *e)
{
	int flags = fcntl(number, F_GETFL);

	if (number == STDIN_FILENO || flags < 0 ||
	    (flags & O_ACCMODE) == O_RDONLY)
		return err_set(e, ERR_USAGE,
		    "status-fd %d: not open for writing", number);
	return 0;
}

int
statusfd_take(int number, int *fd, struct err *e)
{
	if (check_number(number, e) < 0)
		return -1;
	*fd = number;
	if (number <= STDERR_FILENO)
		*fd = fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else if (fcntl(number, F_SETFD, FD_CLOEXEC) < 0)
		*fd = -1;
	return *fd < 0 ? err_sys(e, "status-fd %d", number) : 0;
}

void
statusfd_add(struct statusfd *s, const char *line)
{
	if (s->fd < 0)
		return;
	buf_addf(&s->queue, "%s\n", line);
	statusfd_flush(s);
}

static void
give_up(struct statusfd *s)
{
	buf_free(&s->queue);
	close_fd(&s->fd);
}

static bool
can_write(const struct statusfd *s, int ms)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	return poll(&p, 1, ms) > 0;
}

/* What poll() lets through a pipe takes without blocking, up to PIPE_BUF;
 * the descriptor's own flags are shared with others and not ours to set. */
#define CHUNK 512

static ssize_t
write_some(const struct statusfd *s)
{
	size_t n = s->queue.len < CHUNK ? s->queue.len : CHUNK;
	ssize_t sent =
	    send(s->fd, s->queue.ptr, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent < 0 && errno == ENOTSOCK ? write(s->fd, s->queue.ptr, n)
					     : sent;
}

void
statusfd_flush(struct statusfd *s)
{
	while (s->fd >= 0 && s->queue.len > 0 && can_write(s, 0)) {
		ssize_t n = write_some(s);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			give_up(s);
			return;
		}
		memmove(s->queue.ptr, s->queue.ptr + n,
		    s->queue.len - (size_t)n);
		buf_trim(&s->queue, s->queue.len - (size_t)n);
	}
}

void
statusfd_drain(struct statusfd *s, int ms)
{
	int64_t end = clock_add(clock_boot_ms(), ms);

	for (;;) {
		int64_t left = end - clock_boot_ms();

		statusfd_flush(s);
		if (s->fd < 0 || s->queue.len == 0 || left <= 0)
			return;
		can_write(s, (int)left);
	}
}
