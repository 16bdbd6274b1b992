/*
 * b64 - base64url without padding (RFC 4648 section 5, RFC 7515 section 2).
 *
 * Decoding is strict: only the alphabet, no padding, no white space, and the
 * unused bits of the last character must be zero, so that one byte string has
 * exactly one spelling (RFC 8725bis section 3.14).
 */
#ifndef EPHID_B64_H
#define EPHID_B64_H

#include <stddef.h>

#include "buf.h"

void b64url_encode(const void *p, size_t n, struct buf *out);
/* Adds the bytes to *out. Returns 0, or -1 with *out as it was. */
int b64url_decode(const char *s, size_t n, struct buf *out);

#endif
