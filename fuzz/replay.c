/* replay.c -- run a fuzz target over files, where there is no fuzzer
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: fuzz-NAME [FILE...]
 *
 * Without a FILE it is a test: all of corpus/NAME under $srcdir, of which there
 * must be some.
 */
#include "fuzz.h"

#include <dirent.h>

static void
run(const char *path)
{
	static uint8_t data[1 << 16];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		exit(2);
	}
	n = fread(data, 1, sizeof data, f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
}

static int
run_corpus(const char *program)
{
	const char *srcdir = getenv("srcdir"), *name = strstr(program, "fuzz-");
	char path[4096];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	while (name && strstr(name + 1, "fuzz-"))	/* the last: after all directories */
		name = strstr(name + 1, "fuzz-");
	snprintf(path, sizeof path, "%s/corpus/%s", srcdir ? srcdir : ".",
		name ? name + 5 : "");
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		char file[5000];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		run(file);
		n++;
	}
	if (dir)
		closedir(dir);
	printf("%s: %u inputs\n", path, n);
	return n >= 20 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return run_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	return 0;
}
