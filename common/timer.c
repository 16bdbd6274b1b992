#include "config.h"

#include "timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

int64_t
timer_in(int64_t ms)
{
	return clock_add(clock_boot_ms(), ms);
}

bool
timer_is_due(int64_t boot_ms)
{
	return boot_ms != 0 && clock_boot_ms() >= boot_ms;
}

int
timer_open(int *fd, struct err *e)
{
	*fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return *fd < 0 ? err_sys(e, "cannot make a timer") : 0;
}

/* Relative: in a time namespace, or under a clock that a test bends, what the
 * process reads is not what the kernel counts from. */
void
timer_set(int fd, int64_t boot_ms)
{
	struct itimerspec when = {0};
	int64_t left;

	if (boot_ms != 0) {
		left = boot_ms - clock_boot_ms();
		when.it_value.tv_sec = left > 0 ? left / CLOCK_SECOND : 0;
		when.it_value.tv_nsec =
		    left > 0 ? left % CLOCK_SECOND * 1000000 : 0;
		if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0)
			when.it_value.tv_nsec = 1; /* 0 would disarm it */
	}
	timerfd_settime(fd, 0, &when, NULL);
}

/* A timer that comes in 2255, but is cancelled when the clock is set. */
void
timer_rearm_clock_watch(int fd)
{
	const struct itimerspec never = {.it_value.tv_sec = INT64_C(9000000000)};
	uint64_t ignored;

	/* The read takes the cancellation; there is no number in it. */
	while (read(fd, &ignored, sizeof ignored) > 0)
		;
	timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
	    &never, NULL);
}

int
timer_open_clock_watch(int *fd, struct err *e)
{
	*fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (*fd < 0)
		return err_sys(e, "cannot watch the clock");
	timer_rearm_clock_watch(*fd);
	return 0;
}
