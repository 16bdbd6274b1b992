#include "config.h"

#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdalign.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "io.h"

int
watch_open(const struct home *home, int *fd, struct err *e)
{
	if ((*fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) < 0)
		return err_sys(e, "cannot watch '%s'", home->path);
	if (inotify_add_watch(*fd, home->path,
		IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF |
		    IN_MOVE_SELF | IN_ONLYDIR) >= 0)
		return 0;
	err_sys(e, "cannot watch '%s'", home->path);
	close_fd(fd);
	return -1;
}

bool
watch_take(int fd)
{
	alignas(struct inotify_event) char
	    space[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	const struct inotify_event *ev;
	bool there = true;
	ssize_t n;

	while ((n = read(fd, space, sizeof space)) > 0)
		for (const char *at = space; at < space + n;
		     at += sizeof *ev + ev->len) {
			ev = (const void *)at;
			if (ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
				there = false;
		}
	return there;
}

int
watch_wait(int fd, int reader, struct err *e)
{
	struct pollfd p[2] = {
	    {.fd = fd, .events = POLLIN},
	    {.fd = reader}, /* POLLERR comes unasked */
	};

	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return err_sys(e, "cannot wait for events");
	if (p[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		return 0;
	return watch_take(fd) ? 1 : 0;
}
