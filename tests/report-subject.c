/* report-subject.c -- writes a report of arenas at rest; for t-consumers.sh
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: report-subject JSON PROMETHEUS
 */
#include <kv_arena.h>

#include <stdlib.h>

static int
write_to(const char *file, kv_arena_report_format_t format)
{
	FILE *out = fopen(file, "w");

	if (!out)
		return -1;
	return kv_arena_write_report(NULL, out, format) | fclose(out);
}

int
main(int argc, char **argv)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *root, *queries, *odd, *join;
	char *text;

	if (argc != 3)
		return 2;
	config.name = "root";
	config.enable_detailed_stats = true;
	root = kv_arena_create_ex(&config);
	config.name = "queries";
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	queries = kv_arena_create_child(root, &config);
	config.name = "odd \"\\\n\t\303\251\377{}=,";
	odd = kv_arena_create_child(queries, &config);
	config = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
	config.name = "join";
	join = kv_arena_create_child(queries, &config);
	if (!root || !queries || !odd || !join)
		return 1;
	for (size_t i = 0; i < 10000; i++)
		if (!kv_arena_alloc(root, i % 100 + 1) ||
		    !kv_arena_alloc(queries, i % 1000 + 1))
			return 1;
	text = kv_arena_strdup(odd, "abandoned");
	if (!text || !kv_arena_alloc(odd, 100) ||
	    !kv_arena_realloc(odd, text, 10, 1000) || !kv_arena_alloc(join, 3 << 20))
		return 1;
	kv_arena_reset(join);
	kv_arena_destroy(kv_arena_create(0));
	return write_to(argv[1], KV_ARENA_REPORT_JSON) ||
		write_to(argv[2], KV_ARENA_REPORT_PROMETHEUS);
}
