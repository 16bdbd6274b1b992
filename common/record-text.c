#include "config.h"

#include "record-text.h"

#include <string.h>
#include <wchar.h>

#include "clock.h"

/* One code point of valid, shortest UTF-8 at s: its length, or 0. */
static size_t
decode(const unsigned char *s, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80 ? 1
	    : s[0] >> 5 == 6   ? 2
	    : s[0] >> 4 == 14  ? 3
	    : s[0] >> 3 == 30  ? 4
			       : 0;

	if (n <= 1) {
		*cp = s[0];
		return n;
	}
	*cp = s[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0; /* the final 0 stops us here too */
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >> 11) == 0x1b)
		return 0;
	return n;
}

/* Controls, C1 among them, and what reorders or hides text (bidi overrides,
 * zero-width characters, line separators). */
static bool
is_printable(uint32_t cp)
{
	return cp >= 0x20 && (cp < 0x7f || cp >= 0xa0) && cp != 0xad &&
	    !(cp >= 0x200b && cp <= 0x200f) &&
	    !(cp >= 0x2028 && cp <= 0x202e) &&
	    !(cp >= 0x2060 && cp <= 0x206f) && cp != 0xfeff;
}

void
record_clean(const char *text, struct buf *out)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s != '\0') {
		uint32_t cp;
		size_t n = decode(s, &cp);

		if (n > 0 && is_printable(cp))
			buf_add(out, s, n);
		else
			buf_addc(out, '?');
		s += n > 0 ? n : 1;
	}
}

void
text_valid(const char *text, struct buf *out)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s != '\0') {
		uint32_t cp;
		size_t n = decode(s, &cp);

		if (n > 0)
			buf_add(out, s, n);
		else
			buf_adds(out, "\ufffd");
		s += n > 0 ? n : 1;
	}
}

/* Where the terminal is not of UTF-8 the bytes of a letter can be controls to
 * it: U+00DB ends in 0x9b, which is CSI. */
void
text_clean(const char *text, const struct look *look, struct buf *out)
{
	scoped(buf_free) struct buf clean = {0};

	if (look->width == 0 || look->utf8) {
		record_clean(text, out);
		return;
	}
	record_clean(text, &clean);
	for (const char *s = buf_str(&clean); *s != '\0'; s++)
		if ((*s & 0x80) == 0)
			buf_addc(out, *s);
		else if ((*s & 0x40) != 0) /* the first of its letter */
			buf_addc(out, '?');
}

/* Columns of one code point; ours are clean, so none is a control. */
static size_t
columns_of(uint32_t cp, bool utf8)
{
	int n = utf8 ? wcwidth((wchar_t)cp) : 1;

	return n < 0 ? 1 : (size_t)n;
}

size_t
text_width(const char *text, bool utf8)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t width = 0;

	while (*s != '\0') {
		uint32_t cp;
		size_t n = decode(s, &cp);

		width += columns_of(cp, utf8);
		s += n > 0 ? n : 1;
	}
	return width;
}

void
text_fit(const char *text, size_t width, bool utf8, struct buf *out)
{
	const unsigned char *s = (const unsigned char *)text;
	const char *mark = utf8 ? "\u2026" : "~";
	size_t used = 0;

	if (text_width(text, utf8) <= width) {
		buf_adds(out, text);
		return;
	}
	while (*s != '\0') {
		uint32_t cp;
		size_t n = decode(s, &cp);

		if (used + columns_of(cp, utf8) + 1 > width)
			break;
		used += columns_of(cp, utf8);
		buf_add(out, s, n > 0 ? n : 1);
		s += n > 0 ? n : 1;
	}
	if (width > 0)
		buf_adds(out, mark);
}

void
text_pad(size_t n, struct buf *out)
{
	while (n-- > 0)
		buf_addc(out, ' ');
}

static const char *
state_colour(enum identity_state state)
{
	switch (state) {
	case ID_ACTIVE:
		return "\033[32m";
	case ID_REVOKED:
		return "\033[31m";
	case ID_PENDING:
	case ID_EXPIRED:
		break;
	}
	return "\033[33m";
}

void
text_state(enum identity_state state, bool colour, struct buf *out)
{
	buf_addf(out, "%s%s%s", colour ? state_colour(state) : "",
	    identity_state_name(state), colour ? "\033[0m" : "");
}

/* Two units at most: nobody asks for the seconds of an hour. */
void
text_span(int64_t seconds, struct buf *out)
{
	char text[CLOCK_DURATION_MAX];

	if (seconds < 0)
		seconds = 0;
	if (seconds >= 86400)
		seconds -= seconds % 3600;
	else if (seconds >= 600)
		seconds -= seconds % 60;
	buf_adds(out, clock_duration(seconds, text));
}

void
text_expiry(const struct identity *id, int64_t now, struct buf *out)
{
	switch (identity_state(id, now)) {
	case ID_PENDING:
	case ID_ACTIVE:
		buf_adds(out, "in ");
		text_span(id->expires_at - now, out);
		return;
	case ID_EXPIRED:
		text_span(now - id->expires_at, out);
		buf_adds(out, " ago");
		return;
	case ID_REVOKED:
		break;
	}
	buf_addc(out, '-');
}
