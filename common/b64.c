#include "config.h"

#include "b64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz0123456789-_";

void
b64url_encode(const void *p, size_t n, struct buf *out)
{
	const uint8_t *in = p;
	uint32_t bits = 0;
	int have = 0;

	buf_room(out, n / 3 * 4 + 4);
	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | in[i];
		for (have += 8; have >= 6; have -= 6)
			buf_addc(out, alphabet[bits >> (have - 6) & 63]);
	}
	if (have > 0)
		buf_addc(out, alphabet[bits << (6 - have) & 63]);
}

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int
b64url_decode(const char *s, size_t n, struct buf *out)
{
	size_t start = out->len;
	uint32_t bits = 0;
	int have = 0, v;

	for (size_t i = 0; i < n; i++) {
		if ((v = value_of(s[i])) < 0)
			goto bad;
		bits = bits << 6 | (uint32_t)v;
		if ((have += 6) >= 8) {
			have -= 8;
			buf_addc(out, (char)(bits >> have & 255));
		}
	}
	/* 6 left over bits would be a lone character; others must be 0. */
	if (have >= 6 || (bits & ((1U << have) - 1)) != 0)
		goto bad;
	return 0;
bad:
	buf_trim(out, start);
	return -1;
}
