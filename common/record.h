/*
 * record - identities, verdicts and events as people and programs read them.
 *
 * Each thing is rendered once: as a block of "name: value" lines, a row of a
 * table, a line of a tree, or a JSON line with stable names
 *
 *	id root parent depth agent task scope audience state issued_at
 *	expires_at revoked_at reason credentials [asserted_origin]
 *
 * and times in RFC 3339 UTC.  Nothing here prints a token but the mint.  Text
 * from outside (agents, tasks, reasons) is printed with control characters
 * and invalid UTF-8 replaced, so that it cannot drive a terminal.
 */
#ifndef EPHID_RECORD_H
#define EPHID_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "identity.h"
#include "json.h"
#include "ledger.h"
#include "lifecycle.h"

/* Adds text with what could drive a terminal, or is no UTF-8, as "?". */
void record_clean(const char *text, struct buf *out);

/* How to draw: decided once in cli from the terminal and the environment. */
struct look {
	int width;    /* columns, or 0 when not a terminal */
	bool colour;  /* a terminal, and no NO_COLOR */
	bool utf8;    /* box characters may be used */
};

/* The record of an identity with its credentials; the caller owns it. */
int record_identity(struct ledger *l, const struct identity *id, int64_t now,
    cJSON **out, struct err *e);
cJSON *record_verdict(const struct verdict *v);
cJSON *record_event(const struct event *ev);
cJSON *record_minted(const struct minted *m, int64_t now);

/* Prints to stdout: one JSON line, or a block. */
void record_print_json(const cJSON *record);
void record_print_block(const cJSON *record, const struct look *look);

/* A table of identity records; the header comes with the first row, fits the
 * terminal by cutting what can be cut, never ids. */
struct table;
struct table *table_new(const struct look *look, int64_t now);
void table_add(struct table *t, const struct identity *id);
void table_print(struct table *t); /* and frees it */

/* Trees of identities, children under their parents. */
struct tree;
struct tree *tree_new(const struct look *look, int64_t now);
void tree_add(struct tree *t, const struct identity *id);
void tree_print(struct tree *t); /* and frees it */

#endif
