/* replay.c -- run a fuzz target over files, where there is no fuzzer
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: fuzz-NAME [FILE...]
 *
 * Without a FILE it is a test: all of corpus/NAME under $srcdir, of which there
 * must be enough.
 */
#include "fuzz.h"

#include <dirent.h>

#define LEAST 50		/* inputs of a corpus */

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

/* The target's name: what follows the last "fuzz-" of the program's, to a dot. */
static const char *
name_of(const char *program)
{
	static char name[32];
	const char *at = program, *p;
	size_t n = 0;

	while ((p = strstr(at, "fuzz-")) != NULL)
		at = p + 5;
	while (n < sizeof name - 1 && at[n] && at[n] != '.')
		n++;
	memcpy(name, at, n);
	return name;
}

static int
run_corpus(const char *program)
{
	const char *srcdir = getenv("srcdir");
	char path[1024], file[2048];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/corpus/%s", srcdir ? srcdir : ".",
		name_of(program));
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		run(file);
		n++;
	}
	if (dir)
		closedir(dir);
	printf("%s: %u inputs\n", path, n);
	return n >= LEAST ? 0 : 1;
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
