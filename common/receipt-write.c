#include "config.h"

#include "receipt.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "io.h"

/* Not waited for: a pipe that nobody reads gets no receipt. Looked at once
 * more when it is open, for the folder may be the command's to change. */
static int
write_to_pipe(const char *path, const struct buf *text, struct err *e)
{
	scoped(close_fd) int fd = open(path,
	    O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (S_ISREG(st.st_mode))
		return err_set(
		    e, ERR_SYSTEM, "'%s' was changed meanwhile", path);
	return io_write_all(fd, text->ptr, text->len, path, e);
}

int
receipt_write(struct ledger *l, const char *id, int64_t now, const char *path,
    struct err *e)
{
	scoped(free_json) cJSON *receipt = NULL;
	scoped(buf_free) struct buf text = {0};
	struct stat st;

	if (receipt_of(l, id, now, &receipt, e) < 0)
		return -1;
	json_print(receipt, &text);
	buf_addc(&text, '\n');
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISLNK(st.st_mode))
		return write_to_pipe(path, &text, e);
	return io_replace_file(
	    AT_FDCWD, path, 0600, text.ptr, text.len, false, e);
}
