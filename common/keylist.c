#include "config.h"

#include "keylist.h"

#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "keystore.h"
#include "ledger.h"
#include "record.h"

#define COLUMNS "%-43s  %-7s  %-8s  %s\n"

/* When it begins, and when its last signature is over; null where unknown. */
static cJSON *
key_record(const struct key_row *row, int64_t now)
{
	cJSON *o = json_object();
	char stamp[CLOCK_STAMP_MAX];
	const struct {
		const char *name;
		int64_t at;
	} times[] = {{"created_at", row->created_at},
	    {"activates_at", row->activate_at},
	    {"verifies_until", row->verify_until}};

	json_add_string(o, "kid", row->kid);
	json_add_string(o, "alg", key_alg_name(row->alg));
	json_add_string(
	    o, "state", keystore_state_name(keystore_state(row, now)));
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		if (times[i].at != 0)
			json_add_string(
			    o, times[i].name, clock_stamp(times[i].at, stamp));
		else
			json_add_null(o, times[i].name);
	return o;
}

/* A state says which of its times is of interest, so that a line has one and
 * fits a terminal: kids are never cut. */
static void
add_time(const struct key_row *row, enum key_state state, struct buf *out)
{
	char stamp[CLOCK_STAMP_MAX];

	switch (state) {
	case KEYSTATE_NEXT:
		buf_addf(out, "active from %s",
		    clock_stamp(row->activate_at, stamp));
		break;
	case KEYSTATE_ACTIVE:
		buf_addf(out, "since %s",
		    clock_stamp(row->activate_at, stamp));
		break;
	case KEYSTATE_RETIRING:
	case KEYSTATE_RETIRED:
		buf_addf(out, "%s until %s",
		    state == KEYSTATE_RETIRED ? "verified" : "verifies",
		    clock_stamp(row->verify_until, stamp));
		break;
	}
}

static void
print_row(const struct key_row *row, int64_t now, bool json)
{
	scoped(free_json) cJSON *o = key_record(row, now);
	scoped(buf_free) struct buf when = {0};

	if (json) {
		record_print_json(o);
		return;
	}
	add_time(row, keystore_state(row, now), &when);
	printf(COLUMNS, row->kid, key_alg_name(row->alg),
	    json_string(o, "state"), buf_str(&when));
}

int
keylist_print(
    struct lifecycle *lc, const struct common_options *o, struct err *e)
{
	static struct key_row rows[1024];
	int n = ledger_keys(lc->ledger, rows, sizeof rows / sizeof *rows, e);

	if (n < 0)
		return -1;
	if (o->quiet)
		return 0;
	if (n > 0 && !o->json)
		printf(COLUMNS, "KID", "ALG", "STATE", "TIME");
	for (int i = 0; i < n; i++)
		print_row(&rows[i], lifecycle_now(lc), o->json);
	return 0;
}

int
keylist_print_kid(struct lifecycle *lc, const char *kid,
    const struct common_options *o, struct err *e)
{
	struct key_row row;

	if (o->quiet)
		return 0;
	if (!o->json) {
		puts(kid);
		return 0;
	}
	if (ledger_find_key(lc->ledger, kid, &row, e) < 0)
		return -1;
	print_row(&row, lifecycle_now(lc), true);
	return 0;
}

static void
print_text(const struct buf *text, const struct common_options *o)
{
	if (o->quiet)
		return;
	fputs(buf_str(text), stdout);
	if (text->len > 0 && text->ptr[text->len - 1] != '\n')
		putchar('\n');
}

int
keylist_print_jwks(
    struct lifecycle *lc, const struct common_options *o, struct err *e)
{
	scoped(buf_free) struct buf text = {0};

	if (keystore_jwks(lc->keys, &text, e) < 0)
		return -1;
	print_text(&text, o);
	return 0;
}

int
keylist_print_pem(struct lifecycle *lc, const char *kid, enum key_alg alg,
    const struct common_options *o, struct err *e)
{
	scoped(buf_free) struct buf text = {0};

	if (keystore_pem(lc->keys, kid, alg, &text, e) < 0)
		return -1;
	print_text(&text, o);
	return 0;
}
