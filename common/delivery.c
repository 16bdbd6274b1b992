#include "config.h"

#include "delivery.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "io.h"
#include "record.h"

/* --- what is asked for -------------------------------------------------- */

void
delivery_fill(struct delivery *d, const cJSON *profile)
{
	if (d->format == NULL)
		d->format = json_string(profile, "format");
	if (d->output == NULL)
		d->output = json_string(profile, "output");
	if (d->id_file == NULL)
		d->id_file = json_string(profile, "id-file");
}

static bool
is_format(const struct delivery *d, const char *name)
{
	return strcmp(d->format != NULL ? d->format : "token", name) == 0;
}

static bool
goes_to_stdout(const struct delivery *d)
{
	return d->output == NULL || strcmp(d->output, "-") == 0;
}

static void
warn_of_readers(void)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & 044) != 0)
		cli_warn("stdout is a file that others can read; "
			 "--output makes one that they cannot");
}

int
delivery_check(const struct delivery *d, struct err *e)
{
	if (!is_format(d, "token") && !is_format(d, "json") &&
	    !is_format(d, "env") && !is_format(d, "header"))
		return err_set(
		    e, ERR_USAGE, "format: not token, json, env or header");
	if (!goes_to_stdout(d) && io_check_target(d->output, e) < 0)
		return -1;
	if (d->id_file != NULL && io_check_target(d->id_file, e) < 0)
		return -1;
	if (goes_to_stdout(d))
		warn_of_readers();
	return 0;
}

/* --- writing ------------------------------------------------------------ */

static void
render(const struct delivery *d, const struct minted *m, int64_t now,
    struct buf *out)
{
	scoped(free_json) cJSON *record = NULL;

	if (is_format(d, "env")) {
		buf_addf(out, "EPHID_TOKEN=%s\nEPHID_ID=%s\nEPHID_ROOT=%s\n",
		    buf_str(&m->issued[0].token), m->identity.id, m->identity.root);
	} else if (is_format(d, "header")) {
		buf_addf(out, "Authorization: Bearer %s\n", buf_str(&m->issued[0].token));
	} else if (is_format(d, "json")) {
		record = record_minted(m, now);
		json_print(record, out);
		buf_addc(out, '\n');
	} else {
		buf_addf(out, "%s\n", buf_str(&m->issued[0].token));
	}
}

/* Not through stdio: what did not arrive must be known here, while there is
 * something to take back. Closing a copy asks the likes of NFS. */
static int
write_stdout(const struct buf *text, struct err *e)
{
	int copy;

	signal(SIGPIPE, SIG_IGN);
	if (io_write_all(STDOUT_FILENO, text->ptr, text->len, "to stdout", e) <
	    0)
		return -1;
	copy = dup(STDOUT_FILENO);
	if (copy >= 0 && close(copy) < 0)
		return err_sys(e, "cannot write to stdout");
	return 0;
}

int
delivery_make(const struct delivery *d, const struct minted *m, int64_t now,
    struct err *e)
{
	scoped(buf_free) struct buf text = {0};
	char line[ID_LEN + 2];

	render(d, m, now, &text);
	snprintf(line, sizeof line, "%s\n", m->identity.id);
	if (d->id_file != NULL &&
	    io_replace_file(
		AT_FDCWD, d->id_file, 0600, line, ID_LEN + 1, false, e) < 0)
		return -1;
	if (goes_to_stdout(d))
		return write_stdout(&text, e);
	return io_replace_file(
	    AT_FDCWD, d->output, 0600, text.ptr, text.len, false, e);
}

/* Nothing live is left behind that nobody holds. */
void
delivery_take_back(
    struct lifecycle *lc, const struct minted *m, const char *why)
{
	const struct ledger_filter f = {
	    .id = m->identity.id, .now = lifecycle_now(lc)};
	struct err e;
	size_t n;

	if (lifecycle_revoke(lc, &f, why, NULL, NULL, &n, &e) < 0)
		cli_warn("run %s is not revoked: %s", m->identity.id, e.text);
}
