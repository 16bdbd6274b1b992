#include "config.h"

#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_now_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t
clock_boot_ms(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t
clock_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

static const struct unit {
	const char *name; /* "ms" before "m": the first that fits is taken */
	int64_t ms;
} units[] = {
	{"ms", 1},
	{"s", CLOCK_SECOND},
	{"m", 60 * CLOCK_SECOND},
	{"h", 3600 * CLOCK_SECOND},
	{"d", 86400 * CLOCK_SECOND},
};

static const struct unit *
unit_at(const char *s)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strncmp(s, units[i].name, strlen(units[i].name)) == 0)
			return &units[i];
	return NULL;
}

/* One "90m" of the sum, or a number that ends the text (seconds). */
static int
parse_term(const char **s, int64_t *ms)
{
	const struct unit *u;
	int64_t n = 0;

	if (**s < '0' || **s > '9')
		return -1;
	for (; **s >= '0' && **s <= '9'; (*s)++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, **s - '0', &n))
			return -1;
	if ((u = unit_at(*s)) != NULL)
		*s += strlen(u->name);
	else if (**s != '\0')
		return -1;
	return __builtin_mul_overflow(n, u != NULL ? u->ms : CLOCK_SECOND, ms)
	    ? -1
	    : 0;
}

int
clock_parse_duration(const char *text, int64_t *ms, struct err *e)
{
	const char *s = text;
	int64_t sum = 0, term;

	do {
		if (parse_term(&s, &term) < 0 ||
		    __builtin_add_overflow(sum, term, &sum))
			return err_set(e, ERR_USAGE,
			    "'%.40s': not a duration such as 90s or 1h30m",
			    text);
	} while (*s != '\0');
	*ms = sum;
	return 0;
}

char *
clock_duration(int64_t seconds, char out[static CLOCK_DURATION_MAX])
{
	static const struct unit down[] = {
		{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof down / sizeof *down; i++) {
		if (seconds >= down[i].ms)
			n += (size_t)snprintf(out + n, CLOCK_DURATION_MAX - n,
			    "%lld%s", (long long)(seconds / down[i].ms),
			    down[i].name);
		seconds %= down[i].ms;
	}
	return n > 0 ? out : strcpy(out, "0s");
}

char *
clock_stamp(int64_t t, char out[static CLOCK_STAMP_MAX])
{
	time_t when = (time_t)t;
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, CLOCK_STAMP_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strcpy(out, "-");
	return out;
}
