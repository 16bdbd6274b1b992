/*
 * lifecycle-audit - what lifecycle tells the system's log.
 *
 * Private to the lifecycle files.  With policy "audit":"syslog" each minted,
 * revoked, refused, swept and failed event is one line to LOG_AUTHPRIV, sent
 * after the commit so that the log never knows more than the ledger.  The
 * line holds no secret, and no byte that could drive a terminal.
 */
#ifndef EPHID_LIFECYCLE_AUDIT_H
#define EPHID_LIFECYCLE_AUDIT_H

#include "lifecycle.h"

/* `id', `root' and `why' may be NULL or empty. */
void lifecycle_audit(const struct lifecycle *lc, enum event_kind kind,
    const char *id, const char *root, const char *why);

/* A list of ids that grows, for what is done after a commit. */
struct idlist {
	char (*ids)[ID_LEN + 1];
	size_t n, cap;
};
void idlist_add(struct idlist *l, const char *id);
void idlist_free(struct idlist *l);
/* A ledger_identity_fn: adds id->id to the idlist that arg is. */
int idlist_note(const struct identity *id, void *arg);

#endif
