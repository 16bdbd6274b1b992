#include "config.h"

#include "outlet.h"

#include <stdio.h>

struct outlet
outlet_open(const struct common_options *o)
{
	return (struct outlet){
	    .json = o->json, .quiet = o->quiet, .look = cli_look()};
}

void
outlet_show(struct outlet *o, const cJSON *record)
{
	if (o->quiet)
		return;
	if (o->json) {
		record_print_json(record);
		return;
	}
	if (o->blocks++ > 0)
		putchar('\n');
	record_print_block(record, &o->look);
}

int
outlet_fail(const struct err *e)
{
	fflush(stdout);
	return cli_report(e);
}
