#include "config.h"

#include "ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"
#include "ledger-private.h"

#define FILE_NAME "ledger.db"
#define WITNESS "witness"

/* --- errors and statements ------------------------------------------ */

int
ledger_fail(struct ledger *l, struct err *e)
{
	int code = sqlite3_errcode(l->db);

	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return err_set(e, ERR_SYSTEM, "ledger is busy");
	return err_set(e, ERR_SYSTEM, "ledger '%s': %s", l->path,
	    sqlite3_errmsg(l->db));
}

int
ledger_exec(struct ledger *l, const char *sql, struct err *e)
{
	if (sqlite3_exec(l->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ledger_fail(l, e);
	return 0;
}

/* One that is in use (by the caller of a callback) is not handed out twice. */
struct query *
query(struct ledger *l, const char *sql, struct err *e)
{
	struct query *q;

	for (q = l->queries; q != NULL; q = q->next)
		if (q->sql == sql && !q->taken)
			break;
	if (q == NULL) {
		sqlite3_stmt *st;

		if (sqlite3_prepare_v3(l->db, sql, -1,
			SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK) {
			ledger_fail(l, e);
			return NULL;
		}
		q = xcalloc(1, sizeof *q);
		*q = (struct query){l->queries, l, sql, st, false};
		l->queries = q;
	}
	q->taken = true;
	return q;
}

void
query_done(struct query **q)
{
	if (*q == NULL)
		return;
	sqlite3_reset((*q)->st);
	sqlite3_clear_bindings((*q)->st);
	(*q)->taken = false;
}

int
query_step(struct query *q, struct err *e)
{
	switch (sqlite3_step(q->st)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return ledger_fail(q->ledger, e);
	}
}

int
query_run(struct query *q, struct err *e)
{
	int rc;

	while ((rc = query_step(q, e)) == 1)
		;
	return rc;
}

void
bind_text(struct query *q, int i, const char *text)
{
	if (text != NULL)
		sqlite3_bind_text(q->st, i, text, -1, SQLITE_STATIC);
}

void
bind_int(struct query *q, int i, int64_t value)
{
	sqlite3_bind_int64(q->st, i, value);
}

void
bind_time(struct query *q, int i, int64_t value)
{
	if (value != 0)
		sqlite3_bind_int64(q->st, i, value);
}

const char *
column_text(struct query *q, int i)
{
	return (const char *)sqlite3_column_text(q->st, i);
}

int64_t
column_int(struct query *q, int i)
{
	return sqlite3_column_int64(q->st, i);
}

void
column_copy(struct query *q, int i, char *out, size_t size)
{
	const char *text = column_text(q, i);

	snprintf(out, size, "%s", text != NULL ? text : "");
}

/* --- the witness ---------------------------------------------------- */

/* "N N\n". The halves of a write that was cut short or mixed with another
 * disagree, and then it bears witness to nothing: 0. */
static int64_t
read_witness(const struct ledger *l)
{
	scoped(close_fd) int fd = openat(
	    l->home->fd, WITNESS, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[65] = "";
	uint64_t a, b;
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);

	if (n < 8 || sscanf(text, "%20" SCNu64 " %20" SCNu64, &a, &b) != 2)
		return 0;
	return a == b && a < INT64_MAX / 2 ? (int64_t)a : 0;
}

/* Not synced: it is there to tell an old file from the newest, and after a
 * power cut an older witness only tells less. */
static void
write_witness(const struct ledger *l, int64_t epoch)
{
	scoped(close_fd) int fd = openat(l->home->fd, WITNESS,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char text[64];
	int n = snprintf(text, sizeof text, "%020" PRId64 " %020" PRId64 "\n",
	    epoch, epoch);

	if (fd < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return; /* the next commit says it again */
}

/* --- opening -------------------------------------------------------- */

/* Short sleeps that grow: SQLite's own ladder starves whoever comes late. */
static int
wait_for_writer(void *ctx, int tries)
{
	struct ledger *l = ctx;
	struct timespec pause = {.tv_nsec = 5000000};

	if (tries == 0 && !l->waits)
		l->waits_since = clock_boot_ms();
	if (clock_boot_ms() - l->waits_since > l->patience_ms)
		return 0;
	if (tries < 7)
		pause.tv_nsec = 50000L << tries;
	nanosleep(&pause, NULL);
	return 1;
}

/* The file is made by open(2), so that it is never anything but 0600; SQLite
 * gives its mode to -wal and -shm. Only a new file is opened here: closing
 * an old one would drop this process's locks on it. */
static int
make_file(const struct ledger *l, struct err *e)
{
	scoped(close_fd) int fd = openat(l->home->fd, FILE_NAME,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return err_sys(e, "cannot create ledger '%s'", l->path);
	return 0;
}

static int
check_file(const struct ledger *l, enum ledger_mode mode, struct err *e)
{
	struct stat st;

	if (mode != LEDGER_READ && faccessat(l->home->fd, ".", W_OK,
				       AT_EACCESS) < 0)
		return err_sys(
		    e, "cannot write to home '%s'", l->home->path);
	if (mode == LEDGER_CREATE && make_file(l, e) < 0)
		return -1;
	if (fstatat(l->home->fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT
		    ? err_set(e, ERR_MISSING, "no ledger at '%s'", l->path)
		    : err_sys(e, "cannot open ledger '%s'", l->path);
	if (!S_ISREG(st.st_mode))
		return err_set(
		    e, ERR_SYSTEM, "ledger '%s': not a file", l->path);
	return 0;
}

/* With synchronous=FULL a commit is on the disk when it returns. A kept -wal,
 * cut to nothing at the last close, saves unlinking and making it. */
static const char settings[] =
    "PRAGMA synchronous = FULL;"
    "PRAGMA secure_delete = ON;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA journal_size_limit = 0;";

static int
connect_to(struct ledger *l, const char *name, int flags, struct err *e)
{
	int keep = 1;

	if (sqlite3_open_v2(name, &l->db,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
		NULL) != SQLITE_OK)
		return ledger_fail(l, e);
	sqlite3_busy_handler(l->db, wait_for_writer, l);
	sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(l->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_file_control(l->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	return ledger_exec(l, settings, e);
}

static void
disconnect(struct ledger *l)
{
	while (l->queries != NULL) {
		struct query *q = l->queries;

		l->queries = q->next;
		sqlite3_finalize(q->st);
		free(q);
	}
	sqlite3_close(l->db);
	l->db = NULL;
}

/* A commit not yet in the main file would be missed without the -wal. */
static bool
has_wal(const struct ledger *l)
{
	struct stat st;

	return fstatat(l->home->fd, FILE_NAME "-wal", &st, 0) == 0 &&
	    st.st_size > 0;
}

static char *
immutable_uri(const char *path)
{
	struct buf uri = {0};

	buf_adds(&uri, "file:");
	for (; *path != '\0'; path++)
		if (strchr("%?#", *path) != NULL)
			buf_addf(&uri, "%%%02X", (unsigned char)*path);
		else
			buf_addc(&uri, *path);
	buf_adds(&uri, "?immutable=1");
	return buf_steal(&uri);
}

static int
open_for_reading(struct ledger *l, struct err *e)
{
	scoped(free_string) char *uri = NULL;

	if (connect_to(l, l->path, SQLITE_OPEN_READONLY, e) == 0 &&
	    ledger_prepare_schema(l, false, e) == 0)
		return 0;
	/* Where no -shm can be made, a ledger at rest can still be read. */
	if (e->code == ERR_MISSING || has_wal(l) ||
	    faccessat(l->home->fd, ".", W_OK, AT_EACCESS) == 0)
		return -1;
	disconnect(l);
	uri = immutable_uri(l->path);
	if (connect_to(l, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, e) < 0)
		return -1;
	return ledger_prepare_schema(l, false, e);
}

static int
open_for_writing(struct ledger *l, bool create, struct err *e)
{
	if (connect_to(l, l->path, SQLITE_OPEN_READWRITE, e) < 0)
		return -1;
	/* SQLite falls back to reading without a word. */
	if (sqlite3_db_readonly(l->db, "main") == 1)
		return err_set(e, ERR_SYSTEM,
		    "ledger '%s': cannot be written to", l->path);
	return ledger_prepare_schema(l, create, e);
}

/* A restored ledger is dealt with before anything is believed of it: by who
 * can write, in a transaction of its own. Others must not read it as true. */
static int
heal_restored(struct ledger *l, struct err *e)
{
	int64_t witness = read_witness(l), epoch;

	if (ledger_epoch(l, &epoch, e) < 0)
		return -1;
	if (epoch >= witness)
		return 0;
	if (l->read_only)
		return err_set(e, ERR_SYSTEM,
		    "ledger '%s': was restored from a backup, and only who "
		    "can write to it can say what is live",
		    l->path);
	if (ledger_begin(l, clock_now_ms() / CLOCK_SECOND, e) < 0)
		return -1;
	return ledger_commit(l, e);
}

static int
open_file(struct ledger *l, enum ledger_mode mode, struct err *e)
{
	if (check_file(l, mode, e) < 0)
		return -1;
	if (mode == LEDGER_READ ? open_for_reading(l, e) < 0
				: open_for_writing(
				      l, mode == LEDGER_CREATE, e) < 0)
		return -1;
	return heal_restored(l, e);
}

int
ledger_open(const struct home *home, enum ledger_mode mode,
    const char *program, struct ledger **out, struct err *e)
{
	struct ledger *l = xcalloc(1, sizeof *l);

	*out = NULL;
	l->home = home;
	l->program = program;
	l->read_only = mode == LEDGER_READ;
	l->patience_ms = LEDGER_PATIENCE_MS;
	l->path = xasprintf("%s/%s", home->path, FILE_NAME);
	if (open_file(l, mode, e) < 0) {
		ledger_close(l);
		return -1;
	}
	*out = l;
	return 0;
}

void
ledger_close(struct ledger *l)
{
	if (l == NULL)
		return;
	ledger_rollback(l);
	disconnect(l);
	free(l->path);
	free(l);
}

void
free_ledger(struct ledger **l)
{
	ledger_close(*l);
}

void
ledger_set_patience(struct ledger *l, int64_t ms)
{
	l->patience_ms = ms;
}

bool
ledger_is_newer(const struct ledger *l)
{
	return l->schema > LEDGER_SCHEMA;
}

bool
ledger_can_mint(const struct ledger *l)
{
	return !l->read_only && !ledger_is_newer(l);
}

bool
ledger_is_read_only(const struct ledger *l)
{
	return l->read_only;
}

bool
ledger_was_restored(struct ledger *l)
{
	bool was = l->restored;

	l->restored = false;
	return was;
}

bool
ledger_has_begun(const struct ledger *l)
{
	return l->begun;
}

/* --- single values -------------------------------------------------- */

static int
get_number(struct ledger *l, const char *name, int64_t *value, struct err *e)
{
	scoped(query_done) struct query *q =
	    query(l, "SELECT value FROM meta WHERE name = ?1", e);
	int rc;

	if (q == NULL)
		return -1;
	bind_text(q, 1, name);
	if ((rc = query_step(q, e)) < 0)
		return -1;
	*value = rc == 1 ? column_int(q, 0) : 0;
	return 0;
}

static int
set_number(struct ledger *l, const char *name, int64_t value, struct err *e)
{
	scoped(query_done) struct query *q =
	    query(l, "UPDATE meta SET value = ?2 WHERE name = ?1", e);

	if (q == NULL)
		return -1;
	bind_text(q, 1, name);
	bind_int(q, 2, value);
	return query_run(q, e);
}

int
ledger_epoch(struct ledger *l, int64_t *epoch, struct err *e)
{
	return get_number(l, "epoch", epoch, e);
}

int
ledger_generation(struct ledger *l, int64_t *generation, struct err *e)
{
	return get_number(l, "generation", generation, e);
}

int
ledger_get(struct ledger *l, const char *name, char **value, struct err *e)
{
	scoped(query_done) struct query *q =
	    query(l, "SELECT value FROM meta WHERE name = ?1", e);
	int rc;

	*value = NULL;
	if (q == NULL)
		return -1;
	bind_text(q, 1, name);
	if ((rc = query_step(q, e)) < 0)
		return -1;
	if (rc == 1 && column_text(q, 0) != NULL)
		*value = xstrdup(column_text(q, 0));
	return 0;
}

int
ledger_set(
    struct ledger *l, const char *name, const char *value, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "INSERT INTO meta(name, value) VALUES (?1, ?2)"
	    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
	    e);

	ledger_must_have_begun(l);
	if (q == NULL)
		return -1;
	bind_text(q, 1, name);
	bind_text(q, 2, value);
	return query_run(q, e);
}

/* --- transactions --------------------------------------------------- */

void
ledger_must_have_begun(const struct ledger *l)
{
	assert(l->begun);
}

static int
start_over(struct ledger *l, int64_t witness, struct err *e)
{
	int64_t generation;

	l->restoring = true;
	l->epoch = witness + 1;
	if (ledger_generation(l, &generation, e) < 0 ||
	    set_number(l, "generation", generation + 1, e) < 0)
		return -1;
	return ledger_end_restored(l, e);
}

/* One that was moved or removed takes what is written, and nobody reads it:
 * what a guardian would go on to sign could not be revoked. */
static int
check_place(struct ledger *l, struct err *e)
{
	int moved = 0;

	sqlite3_file_control(l->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (moved != 0)
		return err_set(e, ERR_SYSTEM,
		    "ledger '%s' was moved or removed", l->path);
	return 0;
}

/* All may have changed since it was opened: migrated, restored, gone. */
static int
look_around(struct ledger *l, int64_t witness, struct err *e)
{
	int64_t epoch;

	if (ledger_read_schema(l, e) < 0 || ledger_epoch(l, &epoch, e) < 0)
		return -1;
	l->epoch = epoch + 1;
	return epoch < witness ? start_over(l, witness, e)
			       : check_place(l, e);
}

/* Writers queue for a lock of their own, on the folder, and SQLite's is then
 * free: five hundred who try that one again and again leave no time to who has
 * it. It is courtesy and not needed for being right, so who gets no turn (of a
 * process that was stopped in its own) tries as it is. */
static int
begin_in_turn(struct ledger *l, struct err *e)
{
	int rc;

	l->waits = true;
	l->waits_since = clock_boot_ms();
	l->in_turn = io_lock_in_turn(l->home->fd, l->patience_ms);
	rc = ledger_exec(l, "BEGIN IMMEDIATE", e);
	l->waits = false;
	return rc;
}

static void
end_turn(struct ledger *l)
{
	if (l->in_turn)
		flock(l->home->fd, LOCK_UN);
	l->in_turn = false;
}

/* The witness is read before the writer's lock is had: read after it, it
 * could only be newer by a commit that this ledger has as well. */
int
ledger_begin(struct ledger *l, int64_t now, struct err *e)
{
	int64_t witness = read_witness(l);

	assert(!l->begun);
	if (l->read_only)
		return err_set(e, ERR_SYSTEM,
		    "ledger '%s': cannot be written to", l->path);
	if (begin_in_turn(l, e) < 0) {
		end_turn(l);
		return -1;
	}
	l->begun = true;
	l->restoring = false;
	l->now = now;
	l->changes = sqlite3_total_changes(l->db);
	if (look_around(l, witness, e) == 0)
		return 0;
	ledger_rollback(l);
	return -1;
}

/* A commit that was not synced may hold all the same: its frames lie in the
 * WAL, and who next has to recover that takes them for true. Another commit
 * comes to lie in their place. */
static void
overwrite_failed(struct ledger *l)
{
	struct err ignored;

	if (ledger_exec(l, "BEGIN IMMEDIATE", &ignored) == 0 &&
	    (set_number(l, "epoch", l->epoch, &ignored) < 0 ||
		ledger_exec(l, "COMMIT", &ignored) < 0))
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
}

/* One that changed nothing raises no epoch, and writes nothing to sync. */
int
ledger_commit(struct ledger *l, struct err *e)
{
	bool changed = sqlite3_total_changes(l->db) != l->changes;

	ledger_must_have_begun(l);
	if ((changed && set_number(l, "epoch", l->epoch, e) < 0) ||
	    ledger_exec(l, "COMMIT", e) < 0) {
		ledger_rollback(l);
		overwrite_failed(l);
		return -1;
	}
	l->begun = false;
	if (changed)
		write_witness(l, l->epoch);
	end_turn(l);
	if (l->restoring)
		l->restored = true;
	return 0;
}

void
ledger_rollback(struct ledger *l)
{
	/* SQLite may have done so itself, when the disk was full. */
	if (l->begun && sqlite3_get_autocommit(l->db) == 0)
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	l->begun = false;
	end_turn(l);
}
