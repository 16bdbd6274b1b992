#include "config.h"

#include "listing.h"

#include <string.h>

#include "cli.h"
#include "ledger.h"
#include "record.h"

struct page {
	struct lifecycle *lc;
	struct outlet *out;
	struct table *table; /* one of the two, for people */
	struct tree *tree;
};

/* --- what is asked for -------------------------------------------------- */

bool
listing_is_narrowed(const struct listing *l)
{
	return l->state != NULL || l->root != NULL || l->agent != NULL ||
	    l->task != NULL;
}

static int
select_state(const char *state, struct ledger_filter *f)
{
	if (state == NULL || strcmp(state, "active") == 0)
		f->state = SELECT_ACTIVE;
	else if (strcmp(state, "revoked") == 0)
		f->state = SELECT_REVOKED;
	else if (strcmp(state, "expired") == 0)
		f->state = SELECT_EXPIRED;
	else if (strcmp(state, "all") == 0)
		f->state = SELECT_ANY;
	else
		return -1;
	return 0;
}

int
listing_check(const struct listing *l, struct err *e)
{
	struct ledger_filter f;

	if (select_state(l->state, &f) == 0)
		return 0;
	return err_set(e, ERR_USAGE,
	    "option '--state': not active, revoked, expired or all");
}

/* --- showing ------------------------------------------------------------ */

static int
add_identity(const struct identity *id, void *arg)
{
	struct page *p = arg;
	scoped(free_json) cJSON *record = NULL;
	struct err e;

	if (p->out->quiet)
		return 0;
	if (p->out->json) {
		if (record_identity(p->lc->ledger, id, lifecycle_now(p->lc),
			&record, &e) < 0)
			cli_die(&e);
		outlet_show(p->out, record);
	} else if (p->tree != NULL) {
		tree_add(p->tree, id);
	} else {
		table_add(p->table, id);
	}
	return 0;
}

static int
fill(struct page *p, const struct ledger_filter *f)
{
	struct err e;

	return ledger_each(p->lc->ledger, f, add_identity, p, &e) < 0
	    ? outlet_fail(&e)
	    : 0;
}

int
listing_print_table(
    const struct listing *l, struct lifecycle *lc, struct outlet *out)
{
	struct ledger_filter f = {.task = l->task, .now = lifecycle_now(lc)};
	struct page p = {.lc = lc, .out = out};
	scoped(free_string) char *agent = NULL;
	char root[ID_LEN + 1];
	struct err e;
	int status;

	select_state(l->state, &f);
	if (l->agent != NULL && agent_parse(l->agent, &agent, &e) < 0)
		return outlet_fail(&e);
	f.agent = agent;
	if (l->root != NULL) {
		if (lifecycle_root(lc, l->root, root, &e) < 0)
			return outlet_fail(&e);
		f.root = root;
	}
	p.table = table_new(&out->look, f.now);
	status = fill(&p, &f);
	table_print(p.table);
	return status;
}

int
listing_print_trees(
    const char *member, struct lifecycle *lc, struct outlet *out)
{
	struct ledger_filter f = {
	    .state = SELECT_ACTIVE, .now = lifecycle_now(lc)};
	struct page p = {.lc = lc, .out = out};
	char root[ID_LEN + 1];
	struct err e;
	int status;

	if (member != NULL) {
		if (lifecycle_root(lc, member, root, &e) < 0)
			return outlet_fail(&e);
		f.root = root;
		f.state = SELECT_ANY;
	}
	p.tree = tree_new(&out->look, f.now);
	status = fill(&p, &f);
	tree_print(p.tree);
	return status;
}
