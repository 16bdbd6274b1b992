#include "config.h"

#include "issuer.h"

#include <string.h>

static const struct issuer_ops *const issuers[] = {
    &issuer_local,
};
#define ISSUERS (sizeof issuers / sizeof *issuers)

int
issuer_find(const char *name, const struct issuer_ops **out, struct err *e)
{
	scoped(buf_free) struct buf names = {0};

	for (size_t i = 0; i < ISSUERS; i++) {
		if (strcmp(issuers[i]->name, name) == 0) {
			*out = issuers[i];
			return 0;
		}
		buf_addf(&names, "%s%s", i > 0 ? ", " : "", issuers[i]->name);
	}
	return err_set(e, ERR_USAGE, "no issuer '%.40s'; there is %s", name,
	    buf_str(&names));
}
