#include "config.h"

#include "record.h"

#include <stdio.h>
#include <stdlib.h>

#include "record-text.h"

enum { COL_ID, COL_AGENT, COL_STATE, COL_AGE, COL_EXPIRES, COL_TASK, COLS };

static const struct column {
	const char *title;
	size_t least; /* what remains when cut; 0: never cut */
} columns[COLS] = {
    [COL_ID] = {"ID", 0},
    [COL_AGENT] = {"AGENT", 10},
    [COL_STATE] = {"STATE", 0},
    [COL_AGE] = {"AGE", 0},
    [COL_EXPIRES] = {"EXPIRES", 0},
    [COL_TASK] = {"TASK", 8},
};
#define GAP 2

struct row {
	char *cells[COLS]; /* clean */
	enum identity_state state;
};

struct table {
	struct look look;
	int64_t now;
	struct row *rows;
	size_t n, cap;
};

struct table *
table_new(const struct look *look, int64_t now)
{
	struct table *t = xcalloc(1, sizeof *t);

	t->look = *look;
	t->now = now;
	return t;
}

static char *
clean(const struct table *t, const char *text)
{
	struct buf out = {0};

	text_clean(text != NULL ? text : "", &t->look, &out);
	return buf_steal(&out);
}

void
table_add(struct table *t, const struct identity *id)
{
	struct buf age = {0}, expires = {0};
	struct row *r;

	if (t->n == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 64;
		t->rows = xreallocarray(t->rows, t->cap, sizeof *t->rows);
	}
	r = &t->rows[t->n++];
	text_span(t->now - id->issued_at, &age);
	text_expiry(id, t->now, &expires);
	r->state = identity_state(id, t->now);
	r->cells[COL_ID] = xstrdup(id->id);
	r->cells[COL_AGENT] = clean(t, id->agent);
	r->cells[COL_STATE] = xstrdup(identity_state_name(r->state));
	r->cells[COL_AGE] = buf_steal(&age);
	r->cells[COL_EXPIRES] = buf_steal(&expires);
	r->cells[COL_TASK] = clean(t, id->task);
}

static void
natural_widths(const struct table *t, size_t widths[static COLS])
{
	for (int c = 0; c < COLS; c++) {
		widths[c] = text_width(columns[c].title, false);
		for (size_t i = 0; i < t->n; i++) {
			size_t n =
			    text_width(t->rows[i].cells[c], t->look.utf8);

			if (n > widths[c])
				widths[c] = n;
		}
	}
}

/* The last column gives first, then those before it; ids never do. */
static void
shrink(const struct table *t, size_t widths[static COLS])
{
	size_t total = (COLS - 1) * GAP, room = (size_t)t->look.width;

	for (int c = 0; c < COLS; c++)
		total += widths[c];
	for (int c = COLS - 1; c >= 0 && total > room; c--) {
		size_t spare =
		    columns[c].least > 0 && widths[c] > columns[c].least
		    ? widths[c] - columns[c].least
		    : 0;
		size_t cut = spare < total - room ? spare : total - room;

		widths[c] -= cut;
		total -= cut;
	}
}

static void
add_cells(const struct table *t, const size_t widths[static COLS],
    const struct row *r, struct buf *out)
{
	for (int c = 0; c < COLS; c++) {
		scoped(buf_free) struct buf cell = {0};
		const char *text = r != NULL ? r->cells[c] : columns[c].title;

		text_fit(text, widths[c], t->look.utf8, &cell);
		if (r != NULL && c == COL_STATE)
			text_state(r->state, t->look.colour, out);
		else
			buf_adds(out, buf_str(&cell));
		if (c < COLS - 1)
			text_pad(widths[c] + GAP -
				text_width(buf_str(&cell), t->look.utf8),
			    out);
	}
	while (out->len > 0 && out->ptr[out->len - 1] == ' ')
		buf_trim(out, out->len - 1);
	buf_addc(out, '\n');
}

static void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		for (int c = 0; c < COLS; c++)
			free(t->rows[i].cells[c]);
	free(t->rows);
	free(t);
}

void
table_print(struct table *t)
{
	size_t widths[COLS];

	natural_widths(t, widths);
	if (t->look.width > 0)
		shrink(t, widths);
	for (size_t i = 0; i < t->n; i++) {
		scoped(buf_free) struct buf out = {0};

		if (i == 0)
			add_cells(t, widths, NULL, &out);
		add_cells(t, widths, &t->rows[i], &out);
		fputs(buf_str(&out), stdout);
	}
	table_free(t);
}
