#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "io.h"
#include "ledger-private.h"

#define LIST_TRIES 32   /* an index that is taken means another draw */
#define LIST_WINDOW 3600

/* --- writing -------------------------------------------------------- */

static const char *
text_or_null(const char *text)
{
	return text != NULL && *text != '\0' ? text : NULL;
}

static const char *
text_or(const char *text, const char *otherwise)
{
	return text != NULL ? text : otherwise;
}

static void
bind_identity(struct query *q, const struct identity *id)
{
	bind_text(q, 1, id->id);
	bind_text(q, 2, text_or_null(id->parent));
	bind_text(q, 3, id->root);
	bind_int(q, 4, id->depth);
	bind_int(q, 5, id->max_depth);
	bind_text(q, 6, text_or(id->agent, ""));
	bind_text(q, 7, id->task);
	bind_text(q, 8, text_or(id->scope, ""));
	bind_text(q, 9, text_or(id->audiences, "[]"));
	bind_int(q, 10, id->issued_at);
	bind_int(q, 11, id->expires_at);
	bind_int(q, 12, id->pending);
	bind_int(q, 13, id->holder.pid);
	bind_int(q, 14, (int64_t)id->holder.start);
	bind_int(q, 15, (int64_t)id->holder.pidns);
	bind_text(q, 16, id->holder.boot);
	bind_text(q, 17, id->token_dir);
	bind_text(q, 18, id->origin);
}

int
ledger_add_identity(
    struct ledger *l, const struct identity *id, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "INSERT INTO identity(id, parent, root, depth, max_depth, agent,"
	    " task, scope, audiences, issued_at, expires_at, live, pending,"
	    " holder_pid, holder_start, holder_pidns, holder_boot, token_dir,"
	    " origin) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
	    " 1, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
	    " ON CONFLICT (id) DO NOTHING",
	    e);

	ledger_must_have_begun(l);
	if (q == NULL)
		return -1;
	bind_identity(q, id);
	if (query_run(q, e) < 0)
		return -1;
	if (sqlite3_changes(l->db) == 0)
		return err_set(e, ERR_DENIED, "run %s exists already", id->id);
	return 0;
}

/* Why the expiry of `id' was not moved. */
static int
refuse_extension(struct ledger *l, const char *id, struct err *e)
{
	struct identity found;
	char when[CLOCK_STAMP_MAX];
	bool revoked;

	if (ledger_find(l, id, &found, e) < 0)
		return -1;
	revoked = found.revoked_at != 0;
	clock_stamp(revoked ? found.revoked_at : found.expires_at, when);
	identity_clear(&found);
	return err_set(e, ERR_DENIED, "run %s %s at %s", id,
	    revoked ? "was revoked" : "expired", when);
}

/* What has no holder is over when it expires, and not only when
 * housekeeping comes to it (close_expired() in ledger-revoke.c). */
int
ledger_extend(
    struct ledger *l, const char *id, int64_t expires_at, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "UPDATE identity SET expires_at = max(expires_at, ?2)"
	    " WHERE id = ?1 AND live = 1"
	    " AND (holder_pid <> 0 OR expires_at > ?3)",
	    e);

	ledger_must_have_begun(l);
	if (q == NULL)
		return -1;
	bind_text(q, 1, id);
	bind_int(q, 2, expires_at);
	bind_int(q, 3, l->now);
	if (query_run(q, e) < 0)
		return -1;
	return sqlite3_changes(l->db) > 0 ? 0 : refuse_extension(l, id, e);
}

struct list {
	int64_t id, window_end, generation, seq;
	const char *issuer_url;
};

/* The newest list of the window; its seq is -1 when there is none yet. */
static int
newest_list(struct ledger *l, struct list *list, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT id, seq FROM status_list WHERE issuer_url = ?1"
	    " AND window_end = ?2 AND generation = ?3"
	    " ORDER BY seq DESC LIMIT 1",
	    e);
	int rc;

	if (q == NULL)
		return -1;
	bind_text(q, 1, list->issuer_url);
	bind_int(q, 2, list->window_end);
	bind_int(q, 3, list->generation);
	if ((rc = query_step(q, e)) < 0)
		return -1;
	list->id = rc == 1 ? column_int(q, 0) : 0;
	list->seq = rc == 1 ? column_int(q, 1) : -1;
	return 0;
}

static int
next_list(struct ledger *l, struct list *list, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "INSERT INTO status_list"
	    "(issuer_url, window_end, generation, seq, uri)"
	    " VALUES (?1, ?2, ?3, ?4, ?1 || '/status/' ||"
	    " printf('%x-%d-%d', ?2, ?3, ?4))",
	    e);

	if (q == NULL)
		return -1;
	list->seq++;
	bind_text(q, 1, list->issuer_url);
	bind_int(q, 2, list->window_end);
	bind_int(q, 3, list->generation);
	bind_int(q, 4, list->seq);
	if (query_run(q, e) < 0)
		return -1;
	list->id = sqlite3_last_insert_rowid(l->db);
	return 0;
}

/* 1 when it has the index now, 0 when another credential has it. */
static int
try_index(struct ledger *l, const struct credential *c, int64_t list,
    bool published, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "INSERT INTO credential(jti, identity, issuer, form,"
	    " subject_is_agent, alg, kid, audience, issued_at, expires_at,"
	    " published, list, idx) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
	    " ?9, ?10, ?11, ?12, ?13)"
	    " ON CONFLICT (list, idx) DO NOTHING",
	    e);

	if (q == NULL)
		return -1;
	bind_text(q, 1, c->jti);
	bind_text(q, 2, c->identity);
	bind_text(q, 3, text_or(c->issuer, "local"));
	bind_int(q, 4, c->form);
	bind_int(q, 5, c->subject_is_agent);
	bind_int(q, 6, c->alg);
	bind_text(q, 7, c->kid);
	bind_text(q, 8, text_or(c->audience, ""));
	bind_int(q, 9, c->issued_at);
	bind_int(q, 10, c->expires_at);
	bind_int(q, 11, published);
	bind_int(q, 12, list);
	bind_int(q, 13, c->status_index);
	if (query_run(q, e) < 0)
		return -1;
	return sqlite3_changes(l->db) > 0;
}

static int
list_uri(struct ledger *l, int64_t list, char **uri, struct err *e)
{
	scoped(query_done) struct query *q =
	    query(l, "SELECT uri FROM status_list WHERE id = ?1", e);

	if (q == NULL)
		return -1;
	bind_int(q, 1, list);
	if (query_step(q, e) < 0)
		return -1;
	free(*uri);
	*uri = xstrdup(text_or(column_text(q, 0), ""));
	return 0;
}

/* Random, so that an index says nothing of how many came before. A list in
 * which 32 draws fail is nearly full, and the window gets another. */
static int
place(struct ledger *l, struct credential *c, struct list *list,
    bool published, struct err *e)
{
	for (int tries = 0;; tries++) {
		uint16_t draw; /* a list has 2^16 entries */
		int rc;

		if ((list->id == 0 || tries == LIST_TRIES) &&
		    next_list(l, list, e) < 0)
			return -1;
		if (tries > LIST_TRIES + 1)
			return err_set(e, ERR_SYSTEM,
			    "ledger '%s': no status index is free", l->path);
		io_random(&draw, sizeof draw);
		c->status_index = draw;
		rc = try_index(l, c, list->id, published, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
}

int
ledger_add_credential(struct ledger *l, struct credential *c,
    const char *issuer_url, bool published, struct err *e)
{
	struct list list = {
	    .issuer_url = issuer_url,
	    .window_end = (c->expires_at + LIST_WINDOW - 1) / LIST_WINDOW *
		LIST_WINDOW,
	};

	ledger_must_have_begun(l);
	if (ledger_generation(l, &list.generation, e) < 0 ||
	    newest_list(l, &list, e) < 0 ||
	    place(l, c, &list, published, e) < 0)
		return -1;
	return published ? list_uri(l, list.id, &c->status_uri, e) : 0;
}

/* --- reading -------------------------------------------------------- */

void
identity_of_row(struct query *q, struct identity *out)
{
	*out = (struct identity){
	    .depth = (int)column_int(q, 3),
	    .max_depth = (int)column_int(q, 4),
	    .agent = (char *)column_text(q, 5),
	    .task = (char *)column_text(q, 6),
	    .scope = (char *)column_text(q, 7),
	    .audiences = (char *)column_text(q, 8),
	    .issued_at = column_int(q, 9),
	    .expires_at = column_int(q, 10),
	    .revoked_at = column_int(q, 11),
	    .reason = (char *)column_text(q, 12),
	    .pending = column_int(q, 13) != 0,
	    .holder.pid = column_int(q, 14),
	    .holder.start = (uint64_t)column_int(q, 15),
	    .holder.pidns = (uint64_t)column_int(q, 16),
	    .token_dir = (char *)column_text(q, 18),
	    .origin = (char *)column_text(q, 19),
	};
	column_copy(q, 0, out->id, sizeof out->id);
	column_copy(q, 1, out->parent, sizeof out->parent);
	column_copy(q, 2, out->root, sizeof out->root);
	column_copy(q, 17, out->holder.boot, sizeof out->holder.boot);
}

static void
own(char **text)
{
	if (*text != NULL)
		*text = xstrdup(*text);
}

static void
own_identity(struct identity *id)
{
	own(&id->agent);
	own(&id->task);
	own(&id->scope);
	own(&id->audiences);
	own(&id->reason);
	own(&id->token_dir);
	own(&id->origin);
}

int
ledger_find(
    struct ledger *l, const char *id, struct identity *out, struct err *e)
{
	scoped(query_done) struct query *q = query(
	    l, "SELECT " IDENTITY_COLUMNS " FROM identity WHERE id = ?1", e);
	int rc;

	*out = (struct identity){0};
	if (q == NULL)
		return -1;
	bind_text(q, 1, id);
	if ((rc = query_step(q, e)) < 0)
		return -1;
	if (rc == 0)
		return err_set(
		    e, ERR_MISSING, "run %.*s: not in the ledger", ID_LEN, id);
	identity_of_row(q, out);
	own_identity(out);
	return 0;
}

#define CREDENTIAL_COLUMNS                                                    \
	"jti, identity, issuer, form, subject_is_agent, alg, kid, audience, " \
	"issued_at, expires_at, CASE published WHEN 1 THEN"                   \
	" (SELECT uri FROM status_list WHERE id = list) END, idx, revoked_at, " \
	"revocation"

static void
credential_of_row(struct query *q, struct credential *out)
{
	*out = (struct credential){
	    .issuer = (char *)column_text(q, 2),
	    .form = (enum form)column_int(q, 3),
	    .subject_is_agent = column_int(q, 4) != 0,
	    .alg = (enum key_alg)column_int(q, 5),
	    .audience = (char *)column_text(q, 7),
	    .issued_at = column_int(q, 8),
	    .expires_at = column_int(q, 9),
	    .status_uri = (char *)column_text(q, 10),
	    .status_index = (uint32_t)column_int(q, 11),
	    .revoked_at = column_int(q, 12),
	};
	column_copy(q, 0, out->jti, sizeof out->jti);
	column_copy(q, 1, out->identity, sizeof out->identity);
	column_copy(q, 6, out->kid, sizeof out->kid);
	column_copy(q, 13, out->revocation, sizeof out->revocation);
}

int
ledger_find_credential(
    struct ledger *l, const char *jti, struct credential *out, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT " CREDENTIAL_COLUMNS " FROM credential WHERE jti = ?1", e);
	int rc;

	*out = (struct credential){0};
	if (q == NULL)
		return -1;
	bind_text(q, 1, jti);
	if ((rc = query_step(q, e)) < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_MISSING,
		    "credential %.*s: not in the ledger", ID_LEN, jti);
	credential_of_row(q, out);
	own(&out->issuer);
	own(&out->audience);
	own(&out->status_uri);
	return 0;
}

int
ledger_each_credential(struct ledger *l, const char *id,
    ledger_credential_fn *fn, void *arg, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT " CREDENTIAL_COLUMNS " FROM credential"
	    " WHERE jti = ?1 AND identity = ?1"
	    " UNION ALL SELECT " CREDENTIAL_COLUMNS " FROM credential"
	    " WHERE identity = ?1 AND jti <> identity",
	    e);
	int rc;

	if (q == NULL)
		return -1;
	bind_text(q, 1, id);
	while ((rc = query_step(q, e)) == 1) {
		struct credential c;
		int stop;

		credential_of_row(q, &c);
		if ((stop = fn(&c, arg)) != 0)
			return stop;
	}
	return rc;
}

/* --- lineage and limits --------------------------------------------- */

int
ledger_dead_ancestor(struct ledger *l, const char *id, int64_t now,
    struct identity *dead, struct err *e)
{
	char at[ID_LEN + 1];
	struct identity found;
	int depth = 0;

	*dead = (struct identity){0};
	snprintf(at, sizeof at, "%s", id);
	for (bool first = true; *at != '\0'; first = false) {
		if (ledger_find(l, at, &found, e) < 0)
			return -1;
		if (found.revoked_at != 0 || found.expires_at <= now) {
			*dead = found;
			return 1;
		}
		/* Depth falls with each step, so that no ring can be. */
		if (!first && found.depth >= depth) {
			identity_clear(&found);
			return err_set(e, ERR_INVALID,
			    "run %s: its lineage is broken", id);
		}
		depth = found.depth;
		memcpy(at, found.parent, sizeof at);
		identity_clear(&found);
	}
	return 0;
}

static int
push_held(const struct credential *c, void *arg)
{
	if (!json_has_string(arg, c->audience))
		json_push_string(arg, c->audience);
	return 0;
}

int
ledger_audiences(
    struct ledger *l, const char *id, cJSON **out, struct err *e)
{
	struct identity found;
	cJSON *array;

	*out = NULL;
	if (ledger_find(l, id, &found, e) < 0)
		return -1;
	array = json_parse(found.audiences, strlen(found.audiences), e);
	identity_clear(&found);
	if (array != NULL && !cJSON_IsArray(array))
		err_set(e, ERR_INVALID, "not an array");
	if (!cJSON_IsArray(array) ||
	    ledger_each_credential(l, id, push_held, array, e) < 0) {
		cJSON_Delete(array);
		return err_in(e, "audiences of run %.*s", ID_LEN, id);
	}
	*out = array;
	return 0;
}

static int
count(struct query *q, int64_t *n, struct err *e)
{
	if (query_step(q, e) < 0)
		return -1;
	*n = column_int(q, 0);
	return 0;
}

int
ledger_count_live(struct ledger *l, int64_t now, int64_t *n, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT COUNT(*) FROM identity"
	    " WHERE live = 1 AND expires_at > ?1",
	    e);

	if (q == NULL)
		return -1;
	bind_int(q, 1, now);
	return count(q, n, e);
}

int
ledger_count_children(struct ledger *l, const char *id, int64_t now,
    int64_t *n, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT COUNT(*) FROM identity"
	    " WHERE parent = ?1 AND +live = 1 AND +expires_at > ?2",
	    e);

	if (q == NULL)
		return -1;
	bind_text(q, 1, id);
	bind_int(q, 2, now);
	return count(q, n, e);
}

/* --- those with a holder ---------------------------------------------- */

int
ledger_count_held(struct ledger *l, int64_t *n, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT COUNT(*) FROM identity WHERE live = 1 AND holder_pid <> 0",
	    e);

	return q != NULL ? count(q, n, e) : -1;
}

/* What is skipped is skipped in the index, which the inner query does not
 * leave. */
int
ledger_each_held(struct ledger *l, int64_t skip, int64_t max,
    ledger_identity_fn *fn, void *arg, struct err *e)
{
	scoped(query_done) struct query *q = query(l,
	    "SELECT id, holder_pid, holder_start, holder_pidns, holder_boot"
	    " FROM (SELECT id AS held FROM identity WHERE live = 1"
	    "  AND holder_pid <> 0 ORDER BY id LIMIT ?1 OFFSET ?2)"
	    " CROSS JOIN identity ON id = held",
	    e);
	int rc;

	if (q == NULL)
		return -1;
	bind_int(q, 1, max > 0 ? max : -1);
	bind_int(q, 2, skip);
	while ((rc = query_step(q, e)) == 1) {
		struct identity id = {.holder.pid = column_int(q, 1),
		    .holder.start = (uint64_t)column_int(q, 2),
		    .holder.pidns = (uint64_t)column_int(q, 3)};
		int stop;

		column_copy(q, 0, id.id, sizeof id.id);
		column_copy(q, 4, id.holder.boot, sizeof id.holder.boot);
		if ((stop = fn(&id, arg)) != 0)
			return stop;
	}
	return rc;
}
