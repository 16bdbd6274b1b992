#include "config.h"

#include "scope.h"

#include <stddef.h>
#include <string.h>

static const char space[] = " \t\r\n\v\f";

static bool
is_scope_char(unsigned char c)
{
	return c >= 0x21 && c <= 0x7e && c != '"' && c != '\\';
}

/* Is the token of n bytes at `token' in the canonical `list'? */
static bool
has_token(const char *list, const char *token, size_t n)
{
	while (*list != '\0') {
		size_t len = strcspn(list, " ");

		if (len == n && memcmp(list, token, n) == 0)
			return true;
		list += len + (list[len] == ' ');
	}
	return false;
}

int
scope_parse(const char *text, struct buf *out, struct err *e)
{
	size_t start = out->len;

	buf_add(out, "", 0);
	for (const char *s = text + strspn(text, space); *s != '\0';
	     s += strspn(s, space)) {
		size_t n = strcspn(s, space);

		for (size_t i = 0; i < n; i++)
			if (!is_scope_char((unsigned char)s[i])) {
				buf_trim(out, start);
				return err_set(e, ERR_USAGE,
				    "scope: a byte that no scope may have "
				    "(0x%02x)",
				    (unsigned char)s[i]);
			}
		if (!has_token(out->ptr + start, s, n)) {
			if (out->len > start)
				buf_addc(out, ' ');
			buf_add(out, s, n);
		}
		s += n;
	}
	return 0;
}

bool
scope_covers(const char *outer, const char *inner, struct buf *missing)
{
	while (*inner != '\0') {
		size_t n = strcspn(inner, " ");

		if (!has_token(outer, inner, n)) {
			if (missing != NULL)
				buf_add(missing, inner, n);
			return false;
		}
		inner += n + (inner[n] == ' ');
	}
	return true;
}
