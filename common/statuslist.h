/*
 * statuslist - the bit array of an IETF Token Status List
 * (draft-ietf-oauth-status-list, "Compressed Byte Array").
 *
 * Entry i takes `bits' bits of byte i*bits/8, least significant first.  0 is
 * valid, 1 invalid (revoked), 2 suspended.  The published form is base64url
 * of a ZLIB stream (RFC 1950).  Only this file knows zlib.
 */
#ifndef EPHID_STATUSLIST_H
#define EPHID_STATUSLIST_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct statuslist {
	unsigned bits; /* 1, 2, 4 or 8 */
	uint32_t size; /* entries */
	uint8_t *bytes;
};

/* All entries 0. `bits' must be one of the four. */
void statuslist_init(struct statuslist *s, unsigned bits, uint32_t size);
void statuslist_free(struct statuslist *s);

void statuslist_set(struct statuslist *s, uint32_t i, unsigned value);
/* -1 when i is beyond the end: such a token is to be refused. */
int statuslist_get(const struct statuslist *s, uint32_t i);

/* Adds the "lst" member: zlib level 9, base64url. */
int statuslist_encode(
    const struct statuslist *s, struct buf *lst, struct err *e);
/* Reads one. ERR_INVALID when it is not canonical base64url and a whole ZLIB
 * stream with nothing after it, or when it inflates to over `limit' bytes. */
int statuslist_decode(const char *lst, size_t len, unsigned bits,
    size_t limit, struct statuslist *out, struct err *e);

#endif
