#include "config.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

static bool
is_space(char c)
{
	return c != '\0' && strchr(" \t\r\n", c) != NULL;
}

static void
trim(struct buf *b)
{
	size_t from = 0, len = b->len;

	while (len > 0 && is_space(b->ptr[len - 1]))
		len--;
	buf_trim(b, len);
	while (from < b->len && is_space(b->ptr[from]))
		from++;
	if (from == 0)
		return;
	memmove(b->ptr, b->ptr + from, b->len - from);
	buf_trim(b, b->len - from);
}

int
cli_read_token(const char *path, struct buf *out, struct err *e)
{
	scoped(close_fd) int fd = -1;
	scoped(free_string) char *name = xasprintf("'%s'", path);

	/* Errors name the file, and stderr is often kept. */
	if (strncmp(path, "eyJ", 3) == 0 && cli_is_token(path))
		return err_set(e, ERR_USAGE,
		    "it looks like a token; tokens are read from a file or "
		    "from stdin (-)");
	/* Not O_NONBLOCK: a pipe such as <(...) is waited for. */
	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return err_set(
		    e, ERR_MISSING, "cannot read %s: no such file", name);
	if (fd < 0)
		return err_sys(e, "cannot read %s", name);
	if (io_read_all(fd, JWT_MAX + 64, name, out, e) < 0)
		return -1;
	trim(out);
	if (out->len == 0)
		return err_set(e, ERR_INVALID, "%s: holds no token", name);
	if (out->len > JWT_MAX)
		return err_set(
		    e, ERR_INVALID, "%s: longer than %d bytes", name, JWT_MAX);
	return 0;
}

int
cli_own_token(struct buf *out, struct err *e)
{
	const char *path = cli_variable("EPHID_TOKEN_FILE");
	const char *token = cli_variable("EPHID_TOKEN");

	if (path != NULL) {
		if (cli_read_token(path, out, e) == 0)
			return 1;
		/* The file goes when the run is revoked; the token that is
		 * left says of what. */
		if (e->code != ERR_MISSING || token == NULL)
			return err_in(e, "EPHID_TOKEN_FILE");
	}
	if (token == NULL)
		return 0;
	buf_adds(out, token);
	trim(out);
	return 1;
}

bool
cli_is_token(const char *text)
{
	size_t dots = 0;

	if (strlen(text) <= ID_LEN || strchr(text, '/') != NULL)
		return false;
	for (const char *s = text; *s != '\0'; s++)
		dots += *s == '.';
	return dots == 2;
}

/* Whether or not it is well-formed: what is long may be a secret. */
static bool
may_be_secret(const char *text)
{
	return strchr(text, '/') == NULL &&
	    (cli_is_token(text) || strlen(text) > 2 * ID_LEN);
}

static int
worse(int a, int b)
{
	return a > b ? a : b;
}

static int
operand_error(const char *what, int n, const char *why)
{
	struct err e;

	err_set(&e, ERR_USAGE, "%s %d %s", what, n, why);
	return cli_report(&e);
}

/* The next line without its white space: 1, or 0 at the end. Bytes beyond
 * what a token can have are dropped but one, so that it is seen as too long. */
static int
next_line(struct buf *line)
{
	int c = EOF;

	buf_trim(line, 0);
	while ((c = getchar()) != EOF && c != '\n')
		if (line->len <= JWT_MAX)
			buf_addc(line, c == '\0' ? '?' : (char)c);
	if (c == EOF && line->len == 0)
		return 0;
	if (line->len > 0)
		trim(line);
	return 1;
}

static int
each_line(int (*fn)(const char *operand, void *arg), void *arg)
{
	scoped(buf_free) struct buf line = {0};
	struct err e;
	int worst = 0;

	for (int n = 1; next_line(&line) > 0; n++) {
		if (line.len == 0)
			continue;
		if (strchr(line.ptr, '/') != NULL ||
		    (may_be_secret(line.ptr) && !cli_is_token(line.ptr)))
			worst = worse(worst,
			    operand_error("line", n,
				"of stdin is neither an id nor a token"));
		else
			worst = worse(worst, fn(line.ptr, arg));
	}
	if (ferror(stdin)) {
		err_sys(&e, "cannot read stdin");
		worst = worse(worst, cli_report(&e));
	}
	return worst;
}

int
cli_each_operand(int n, char *const *operands,
    int (*fn)(const char *operand, void *arg), void *arg)
{
	int status, worst = 0;

	for (int i = 0; i < n; i++) {
		if (strcmp(operands[i], "-") == 0)
			status = each_line(fn, arg);
		else if (*operands[i] == '\0')
			status = operand_error("operand", i + 1, "is empty");
		else if (may_be_secret(operands[i]))
			status = operand_error("operand", i + 1,
			    "looks like a token; tokens are read from a file "
			    "or from stdin (-)");
		else
			status = fn(operands[i], arg);
		worst = worse(worst, status);
	}
	return worst;
}
