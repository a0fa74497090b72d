/* 17-statistics.c -- where every byte went
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>

#include "must.h"

int
main(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_stats_t s;
	kv_arena_t *arena;
	size_t i;

	config.name = "words";
	arena = kv_arena_create_ex(&config);
	must(arena != NULL);
	for (i = 1; i <= 1000; i++)
		must(kv_arena_alloc(arena, i % 50 + 1) != NULL);
	must(kv_arena_alloc_aligned(arena, 100, 64) != NULL);

	must(kv_arena_get_stats(arena, &s) == 0);
	must(s.total_allocations == 1001);
	must(s.alignment_requests[6] == 1);	/* 64 is 2^6 */

	/* The books are balanced, always. */
	must(s.current_memory_usage == s.used_bytes + s.padding_bytes +
		s.tail_bytes + s.abandoned_bytes + s.free_bytes + s.header_bytes);
	must(kv_arena_memory_usage(arena) == s.current_memory_usage);
	must(kv_arena_total_allocated(arena) >= s.used_bytes);

	kv_arena_print_hotspots(arena);
	must(kv_arena_write_report(arena, stdout, KV_ARENA_REPORT_TEXT) == 0);
	must(kv_arena_write_report(arena, stdout, KV_ARENA_REPORT_JSON) == 0);
	must(kv_arena_write_report(NULL, stdout, KV_ARENA_REPORT_PROMETHEUS) == 0);

	/* Count from here; what is alive stays. */
	kv_arena_reset_stats(arena);
	must(kv_arena_get_stats(arena, &s) == 0);
	must(s.total_allocations == 0 && s.used_bytes > 0);
	kv_arena_destroy(arena);
	return 0;
}
