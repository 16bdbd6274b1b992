/*
 * replay - a fuzzer's corpus without a fuzzer, for make check.
 *
 * Linked with fuzz_NAME.c as replay_NAME, it feeds each file of
 * $srcdir/tests/fuzz/corpus/NAME, each beginning of it, and it with each byte
 * changed: what a parser gets wrong is mostly one cut or one flip away.
 * "replay_NAME FILE..." feeds those files alone, as they are.
 */
#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT     (1 << 20)
#define VARIATIONS 512 /* bytes of a file to vary: long ones would take long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly that size, so that ASan sees a read beyond it. */
static void
feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void
feed_variations(uint8_t *data, size_t size)
{
	size_t step = size / VARIATIONS + 1;

	for (size_t i = 0; i < size; i += step) {
		uint8_t was = data[i];

		feed(data, i);
		data[i] = (uint8_t)(was ^ (1u << (i % 8)));
		feed(data, size);
		data[i] = was;
	}
}

static int
feed_file(const char *path, int vary)
{
	static uint8_t data[LIMIT];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	size = fread(data, 1, sizeof data, f);
	fclose(f);
	feed(data, size);
	if (vary)
		feed_variations(data, size);
	return 0;
}

static int
feed_folder(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *d;
	char name[4096];
	int fed = 0, failed = 0;

	if (dir == NULL) {
		perror(path);
		return 77; /* automake's word for skipped */
	}
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, d->d_name);
		failed |= feed_file(name, 1) < 0;
		fed++;
	}
	closedir(dir);
	printf("%s: %d files\n", path, fed);
	return failed || fed == 0;
}

int
main(int argc, char **argv)
{
	const char *src = getenv("srcdir");
	const char *name = strstr(argv[0], "replay_");
	char path[2048];
	int failed = 0;

	if (argc == 1) {
		snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s",
		    src != NULL ? src : ".", name != NULL ? name + 7 : "");
		return feed_folder(path);
	}
	for (int i = 1; i < argc; i++)
		failed |= feed_file(argv[i], 0) < 0;
	return failed;
}
