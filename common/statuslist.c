#include "config.h"

#include "statuslist.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "b64.h"

static bool
is_width(unsigned bits)
{
	return bits == 1 || bits == 2 || bits == 4 || bits == 8;
}

static size_t
byte_count(const struct statuslist *s)
{
	return ((size_t)s->size * s->bits + 7) / 8;
}

void
statuslist_init(struct statuslist *s, unsigned bits, uint32_t size)
{
	assert(is_width(bits));
	*s = (struct statuslist){.bits = bits, .size = size};
	s->bytes = xcalloc(byte_count(s), 1);
}

void
statuslist_free(struct statuslist *s)
{
	free(s->bytes);
	*s = (struct statuslist){0};
}

static unsigned
shift_of(const struct statuslist *s, uint32_t i)
{
	return (unsigned)((uint64_t)i * s->bits % 8);
}

static size_t
byte_of(const struct statuslist *s, uint32_t i)
{
	return (size_t)((uint64_t)i * s->bits / 8);
}

void
statuslist_set(struct statuslist *s, uint32_t i, unsigned value)
{
	unsigned mask = (1U << s->bits) - 1, shift = shift_of(s, i);
	uint8_t *byte = &s->bytes[byte_of(s, i)];

	assert(i < s->size && value <= mask);
	*byte = (uint8_t)((*byte & ~(mask << shift)) | value << shift);
}

int
statuslist_get(const struct statuslist *s, uint32_t i)
{
	if (i >= s->size)
		return -1;
	return s->bytes[byte_of(s, i)] >> shift_of(s, i) & ((1 << s->bits) - 1);
}

int
statuslist_encode(const struct statuslist *s, struct buf *lst, struct err *e)
{
	scoped(buf_free) struct buf z = {0};
	uLong n = (uLong)byte_count(s);
	uLongf len = compressBound(n);

	if (compress2((Bytef *)buf_room(&z, len), &len, s->bytes, n,
		Z_BEST_COMPRESSION) != Z_OK)
		return err_set(e, ERR_SYSTEM, "cannot compress a status list");
	b64url_encode(z.ptr, len, lst);
	return 0;
}

/* Adds what one whole stream inflates to; Z_STREAM_END, or what was wrong. */
static int
inflate_into(z_stream *z, size_t limit, struct buf *out)
{
	int rc;

	do {
		z->next_out = (Bytef *)buf_room(out, 4096);
		z->avail_out = 4096;
		rc = inflate(z, Z_NO_FLUSH);
		out->len += 4096 - z->avail_out;
		if (out->len > limit)
			return Z_BUF_ERROR;
	} while (rc == Z_OK);
	return rc == Z_STREAM_END && z->avail_in > 0 ? Z_DATA_ERROR : rc;
}

static int
inflate_all(const struct buf *in, size_t limit, struct buf *out, struct err *e)
{
	z_stream z = {.next_in = (Bytef *)in->ptr, .avail_in = (uInt)in->len};
	int rc;

	if (inflateInit(&z) != Z_OK)
		return err_set(e, ERR_SYSTEM, "cannot inflate a status list");
	rc = inflate_into(&z, limit, out);
	inflateEnd(&z);
	if (rc == Z_STREAM_END)
		return 0;
	if (out->len > limit)
		return err_set(e, ERR_INVALID,
		    "status list: inflates to over %zu bytes", limit);
	return err_set(
	    e, ERR_INVALID, "status list: not one whole zlib stream");
}

int
statuslist_decode(const char *lst, size_t len, unsigned bits, size_t limit,
    struct statuslist *out, struct err *e)
{
	scoped(buf_free) struct buf packed = {0};
	scoped(buf_free) struct buf bytes = {0};

	if (!is_width(bits))
		return err_set(
		    e, ERR_INVALID, "status list: bits is not 1, 2, 4 or 8");
	/* Entries are counted in 32 bits. */
	if (limit > UINT32_MAX / 8)
		limit = UINT32_MAX / 8;
	if (len > UINT32_MAX || b64url_decode(lst, len, &packed) < 0)
		return err_set(e, ERR_INVALID, "status list: not base64url");
	if (inflate_all(&packed, limit, &bytes, e) < 0)
		return -1;
	statuslist_init(out, bits, (uint32_t)(bytes.len * 8 / bits));
	if (bytes.len > 0)
		memcpy(out->bytes, bytes.ptr, bytes.len);
	return 0;
}
