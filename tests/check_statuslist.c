#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "b64.h"
#include "io.h"
#include "json.h"
#include "statuslist.h"

#define LIMIT (1 << 20)

static cJSON *
read_vectors(void)
{
	const char *srcdir = getenv("srcdir");
	scoped(free_string) char *path = xasprintf(
	    "%s/tests/vectors/statuslist.json", srcdir ? srcdir : ".");
	scoped(buf_free) struct buf text = {0};
	struct err e;
	cJSON *v;

	ck_assert_msg(
	    io_read_file(AT_FDCWD, path, LIMIT, &text, &e) == 0, "%s", e.text);
	v = json_parse(buf_str(&text), text.len, &e);
	ck_assert_msg(v != NULL, "%s", e.text);
	return v;
}

static char *
hex(const uint8_t *p, size_t n)
{
	struct buf out = {0};

	for (size_t i = 0; i < n; i++)
		buf_addf(&out, "%02x", p[i]);
	return buf_steal(&out);
}

static unsigned
number(const cJSON *n)
{
	int64_t value = 0;

	ck_assert_int_eq(json_to_int(n, &value), 0);
	return (unsigned)value;
}

START_TEST(agrees_with_the_draft)
{
	scoped(free_json) cJSON *all = read_vectors();
	const cJSON *v, *status;
	struct err e;

	cJSON_ArrayForEach (v, json_get(all, "dense")) {
		scoped(statuslist_free) struct statuslist s = {0};
		scoped(statuslist_free) struct statuslist read = {0};
		scoped(free_string) char *bytes = NULL;
		const char *lst = json_string(v, "lst");
		unsigned bits = number(json_get(v, "bits"));
		uint32_t i = 0;

		status = json_get(v, "status");
		statuslist_init(&s, bits, (uint32_t)cJSON_GetArraySize(status));
		ck_assert_int_eq(
		    statuslist_decode(lst, strlen(lst), bits, LIMIT, &read, &e),
		    0);
		ck_assert_uint_eq(read.size, s.size);
		cJSON_ArrayForEach (status, json_get(v, "status")) {
			statuslist_set(&s, i, number(status));
			ck_assert_int_eq(
			    statuslist_get(&read, i++), (int)number(status));
		}
		bytes = hex(s.bytes, s.size * bits / 8);
		ck_assert_str_eq(bytes, json_string(v, "bytes"));
		ck_assert_int_eq(
		    memcmp(s.bytes, read.bytes, s.size * bits / 8), 0);
	}
}
END_TEST

START_TEST(agrees_on_long_lists)
{
	scoped(free_json) cJSON *all = read_vectors();
	const cJSON *v, *set;
	struct err e;

	cJSON_ArrayForEach (v, json_get(all, "sparse")) {
		scoped(statuslist_free) struct statuslist s = {0};
		scoped(statuslist_free) struct statuslist read = {0};
		scoped(buf_free) struct buf lst = {0};
		scoped(free_string) char *sum = NULL;
		uint8_t md[32];

		statuslist_init(&s, number(json_get(v, "bits")),
		    number(json_get(v, "size")));
		cJSON_ArrayForEach (set, json_get(v, "set"))
			statuslist_set(
			    &s, number(set->child), number(set->child->next));
		EVP_Digest(
		    s.bytes, s.size * s.bits / 8, md, NULL, EVP_sha256(), NULL);
		sum = hex(md, sizeof md);
		ck_assert_str_eq(sum, json_string(v, "sha256"));
		ck_assert_int_eq(statuslist_encode(&s, &lst, &e), 0);
		ck_assert_int_eq(strncmp(lst.ptr, "eN", 2), 0);
		ck_assert_uint_lt(lst.len, 600);
		ck_assert_int_eq(statuslist_decode(lst.ptr, lst.len, s.bits,
				     LIMIT, &read, &e),
		    0);
		ck_assert_uint_eq(read.size, s.size);
		ck_assert_int_eq(
		    memcmp(read.bytes, s.bytes, s.size * s.bits / 8), 0);
	}
}
END_TEST

/* All widths, neighbours untouched, values overwritten, the end guarded. */
START_TEST(sets_one_entry_alone)
{
	for (unsigned bits = 1; bits <= 8; bits *= 2) {
		scoped(statuslist_free) struct statuslist s = {0};
		unsigned max = (1U << bits) - 1;

		statuslist_init(&s, bits, 19);
		for (uint32_t i = 0; i < 19; i++)
			statuslist_set(&s, i, max);
		statuslist_set(&s, 7, 0);
		statuslist_set(&s, 18, 1);
		for (uint32_t i = 0; i < 18; i++)
			ck_assert_int_eq(
			    statuslist_get(&s, i), i == 7 ? 0 : (int)max);
		ck_assert_int_eq(statuslist_get(&s, 18), 1);
		ck_assert_int_eq(statuslist_get(&s, 19), -1);
		ck_assert_int_eq(statuslist_get(&s, UINT32_MAX), -1);
	}
}
END_TEST

static void
check_refused(const char *lst, unsigned bits, size_t limit, const char *why)
{
	struct statuslist s = {0};
	struct err e = {0};

	ck_assert_int_eq(
	    statuslist_decode(lst, strlen(lst), bits, limit, &s, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_msg(strstr(e.text, why) != NULL, "%s", e.text);
	ck_assert_ptr_null(s.bytes);
}

/* base64url of zlib-or-not bytes. */
static char *
encoded(const void *p, size_t n)
{
	struct buf out = {0};

	b64url_encode(p, n, &out);
	return buf_steal(&out);
}

START_TEST(refuses_bad_lists)
{
	static const uint8_t raw[] = {0xdb, 0xb9, 0x18, 0x00, 0x00};
	scoped(free_string) char *raw_deflate = encoded(raw, sizeof raw);
	scoped(buf_free) struct buf z = {0};
	scoped(free_string) char *longer = NULL, *cut = NULL, *wrong = NULL;

	check_refused("eNrbuRgAAhcBXQ", 0, LIMIT, "bits");
	check_refused("eNrbuRgAAhcBXQ", 3, LIMIT, "bits");
	check_refused("eNrbuRgAAhcBXQ", 16, LIMIT, "bits");
	check_refused("eNrbuRgAAhcBXQ", 1, 1, "over 1 bytes");
	check_refused("eNrbuRgAAhcBXR", 1, LIMIT, "base64url");
	check_refused("eNrbuRgAAhcBXQ==", 1, LIMIT, "base64url");
	check_refused("", 1, LIMIT, "zlib");
	check_refused("eNo", 1, LIMIT, "zlib");
	check_refused(raw_deflate, 1, LIMIT, "zlib");
	ck_assert_int_eq(b64url_decode("eNrbuRgAAhcBXQ", 14, &z), 0);
	cut = encoded(z.ptr, z.len - 1);
	check_refused(cut, 1, LIMIT, "zlib");
	z.ptr[z.len - 1] ^= 1; /* the checksum */
	wrong = encoded(z.ptr, z.len);
	check_refused(wrong, 1, LIMIT, "zlib");
	z.ptr[z.len - 1] ^= 1;
	buf_addc(&z, '\0');
	longer = encoded(z.ptr, z.len);
	check_refused(longer, 1, LIMIT, "zlib");
}
END_TEST

START_TEST(stops_a_bomb)
{
	scoped(free_string) char *zeros = xcalloc(64, LIMIT);
	scoped(buf_free) struct buf z = {0};
	scoped(free_string) char *lst = NULL;
	uLongf n = compressBound(64 * LIMIT);

	ck_assert_int_eq(compress2((Bytef *)buf_room(&z, n), &n, (Bytef *)zeros,
			     64 * LIMIT, 9),
	    Z_OK);
	lst = encoded(z.ptr, n);
	check_refused(lst, 1, LIMIT, "over 1048576 bytes");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("statuslist");
	TCase *t = tcase_create("statuslist");
	SRunner *runner;
	int failed;

	tcase_add_test(t, agrees_with_the_draft);
	tcase_add_test(t, agrees_on_long_lists);
	tcase_add_test(t, sets_one_entry_alone);
	tcase_add_test(t, refuses_bad_lists);
	tcase_add_test(t, stops_a_bomb);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
