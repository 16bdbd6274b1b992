/*
 * rehearsal - what ephid-wrap --dry-run shows: what would be, and nothing is.
 *
 *	{"dry_run":true,"home":"/var/lib/ephid","claims":[{...}],
 *	 "files":["token","index.json"],
 *	 "environment":{"set":["EPHID_ID",...],"removed":["GH_TOKEN"]},
 *	 "argv":["claude","-p","review"],"user":null,
 *	 "limits":{"ttl":"15m","max_life":"1d","timeout":null,"grace":"2s",
 *	  "stragglers":"kill","on_revoke":"keep"},
 *	 "receipt":null}
 *
 * Or the same as a block for people.  Of variables there are names and never
 * values.  The home is read and not written, swept or migrated, and one that
 * is absent stays so.  The id, the jti and the times are of this moment, and
 * examples: a run has its own.
 */
#ifndef EPHID_REHEARSAL_H
#define EPHID_REHEARSAL_H

#include "cli.h"
#include "guardian.h"
#include "settings.h"

/* The exit status: 0, or 125 when the mint would be refused, in the words of
 * the mint. `settings' are those of a home that is not there. */
int rehearsal_run(const struct run_request *rq, const struct settings *settings,
    const struct common_options *o);

#endif
