/*
 * receipt - what a run held, and how each credential of it ended.
 *
 *	{"receipt":1,"id":"01K...","root":"01K...","parent":null,
 *	 "agent":"reviewer","task":null,"scope":"repo:read","state":"revoked",
 *	 "issued_at":"...Z","ended_at":"...Z","exit_status":0,"signal":null,
 *	 "revoked_at":"...Z","reason":"the command ended",
 *	 "credentials":[{"jti":"01K...","issuer":"local","form":"oauth",
 *	  "audience":"https://...","issued_at":"...Z","expires_at":"...Z",
 *	  "revocation":"done","revoked_at":"...Z"}]}
 *
 * with "timed_out":true and "left":"pid 71 (sudo)" where that was so.  What is
 * not known is null: of a run that was swept nobody saw the end.  A credential
 * is done, pending, failed or irrevocable as the ledger has it, else expired
 * or, while it lives, none.
 *
 * It is composed from the ledger whenever it is asked for, so that it says
 * what is so.  Written to a file it is unsigned in this version, and proves
 * no more than the file's owner does.  It names no `iss' and no `aud', so that
 * it cannot pass for a token, whoever signs it one day.
 */
#ifndef EPHID_RECEIPT_H
#define EPHID_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "json.h"
#include "ledger.h"

/* ERR_MISSING when the ledger does not know the run. */
int receipt_of(struct ledger *l, const char *id, int64_t now, cJSON **out,
    struct err *e);
/* Writes it to `path' as one line: a file, or a link, is replaced in one step,
 * 0600; what is there already and is neither (a pipe) is written to. */
int receipt_write(struct ledger *l, const char *id, int64_t now,
    const char *path, struct err *e);
/* One that was written down: its members as they are above and no others,
 * with "unsigned":true after the first. ERR_INVALID when it is none. */
int receipt_parse(
    const char *text, size_t len, cJSON **out, struct err *e);
/* Is the run over, and each credential revoked or expired? */
bool receipt_is_over(const cJSON *receipt, int64_t now);

#endif
