#include "config.h"

#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record-text.h"

struct node {
	char id[ID_LEN + 1], parent[ID_LEN + 1];
	enum identity_state state;
	char *rest; /* clean: what stands behind id, agent and state */
	char *agent;
};

struct tree {
	struct look look;
	int64_t now;
	struct node *nodes; /* for printing: by parent, then id */
	size_t n, cap;
	char (*ids)[ID_LEN + 1]; /* sorted */
};

struct tree *
tree_new(const struct look *look, int64_t now)
{
	struct tree *t = xcalloc(1, sizeof *t);

	t->look = *look;
	t->now = now;
	return t;
}

void
tree_add(struct tree *t, const struct identity *id)
{
	struct buf agent = {0}, rest = {0};
	struct node *node;

	if (t->n == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 64;
		t->nodes = xreallocarray(t->nodes, t->cap, sizeof *t->nodes);
	}
	node = &t->nodes[t->n++];
	*node = (struct node){.state = identity_state(id, t->now)};
	strcpy(node->id, id->id);
	strcpy(node->parent, id->parent);
	text_clean(id->agent, &t->look, &agent);
	text_expiry(id, t->now, &rest);
	if (node->state == ID_REVOKED)
		buf_trim(&rest, 0);
	if (id->task != NULL) {
		buf_adds(&rest, rest.len > 0 ? "  " : "");
		text_clean(id->task, &t->look, &rest);
	}
	node->agent = buf_steal(&agent);
	node->rest = buf_steal(&rest);
}

static int
by_parent(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int order = strcmp(x->parent, y->parent);

	return order != 0 ? order : strcmp(x->id, y->id);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool
is_top(const struct tree *t, const struct node *node)
{
	return bsearch(node->parent, t->ids, t->n, sizeof *t->ids, by_text) ==
	    NULL;
}

/* The first node whose parent is `id', or where it would stand. */
static size_t
first_child(const struct tree *t, const char *id)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(t->nodes[mid].parent, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
print_line(const struct tree *t, const struct node *node, const char *branch)
{
	scoped(buf_free) struct buf line = {0}, tail = {0};
	size_t used, room = (size_t)t->look.width;
	bool utf8 = t->look.utf8;

	used = text_width(branch, utf8) + ID_LEN + 2 +
	    strlen(identity_state_name(node->state));
	buf_addf(&tail, "  %s%s%s", node->agent,
	    *node->rest != '\0' ? "  " : "", node->rest);
	buf_addf(&line, "%s%s  ", branch, node->id);
	text_state(node->state, t->look.colour, &line);
	if (room == 0)
		buf_adds(&line, tail.ptr);
	else if (used < room)
		text_fit(tail.ptr, room - used, utf8, &line);
	puts(line.ptr);
}

/* The depth of a tree is bounded by policy; *prefix is what stands before
 * the branches of this node's children. */
static void
print_children(const struct tree *t, const char *id, struct buf *prefix)
{
	const char *fork = t->look.utf8 ? "\u251c\u2500 " : "|- ";
	const char *last = t->look.utf8 ? "\u2514\u2500 " : "`- ";
	const char *bar = t->look.utf8 ? "\u2502  " : "|  ";
	size_t keep = prefix->len;

	for (size_t i = first_child(t, id);
	     i < t->n && strcmp(t->nodes[i].parent, id) == 0; i++) {
		bool more =
		    i + 1 < t->n && strcmp(t->nodes[i + 1].parent, id) == 0;

		buf_adds(prefix, more ? fork : last);
		print_line(t, &t->nodes[i], buf_str(prefix));
		buf_trim(prefix, keep);
		buf_adds(prefix, more ? bar : "   ");
		print_children(t, t->nodes[i].id, prefix);
		buf_trim(prefix, keep);
	}
}

static void
tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->nodes[i].agent);
		free(t->nodes[i].rest);
	}
	free(t->nodes);
	free(t->ids);
	free(t);
}

void
tree_print(struct tree *t)
{
	scoped(buf_free) struct buf prefix = {0};

	t->ids = xcalloc(t->n, sizeof *t->ids);
	for (size_t i = 0; i < t->n; i++)
		strcpy(t->ids[i], t->nodes[i].id);
	if (t->n > 0) {
		qsort(t->ids, t->n, sizeof *t->ids, by_text);
		qsort(t->nodes, t->n, sizeof *t->nodes, by_parent);
	}
	for (size_t i = 0; i < t->n; i++)
		if (is_top(t, &t->nodes[i])) {
			print_line(t, &t->nodes[i], "");
			print_children(t, t->nodes[i].id, &prefix);
		}
	tree_free(t);
}
