#include "config.h"

#include "record.h"

#include <stdio.h>
#include <string.h>

/* --- text from outside ------------------------------------------------- */

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
