/* top-subject.c -- has arenas and publishes a report of them; for t-top.sh
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: top-subject FILE COUNT
 *
 * Writes COUNT reports, one each tenth of a second: beside FILE, and then
 * renamed to it, so that nobody reads half of one. "-" writes them to standard
 * output, one after the other.
 */
#include <kv_arena.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int
publish(const char *file)
{
	char draft[512];
	FILE *out = stdout;
	int failed;

	if (strcmp(file, "-") != 0) {
		snprintf(draft, sizeof(draft), "%s.new", file);
		out = fopen(draft, "w");
	}
	if (!out)
		return -1;
	failed = kv_arena_write_report(NULL, out, KV_ARENA_REPORT_JSON);
	if (out == stdout)
		return fflush(stdout) || failed;
	return fclose(out) || failed || rename(draft, file);
}

int
main(int argc, char **argv)
{
	const struct timespec tenth = { 0, 100000000 };
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *root, *queries, *evil;
	long i, k;

	if (argc != 3)
		return 2;
	config.name = "root";
	root = kv_arena_create_ex(&config);
	config.name = "queries";
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	queries = kv_arena_create_child(root, &config);
	config.name = "evil\033[31mname";
	evil = kv_arena_create_ex(&config);
	if (!root || !queries || !evil)
		return 1;
	for (i = 0; i < strtol(argv[2], NULL, 10); i++) {
		for (k = 0; k < 1000; k++)
			if (!kv_arena_alloc(root, 100) ||
				!kv_arena_alloc(queries, (size_t)k % 500 + 1) ||
				!kv_arena_alloc_aligned(evil, 10, 64))
				return 1;
		kv_arena_reset(queries);
		if (publish(argv[1]) != 0)
			return 1;
		nanosleep(&tenth, NULL);
	}
	kv_arena_destroy(evil);
	kv_arena_destroy(root);
	return 0;
}
