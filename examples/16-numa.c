/* 16-numa.c -- memory on a node, and what the kernel says about it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where there is no NUMA, or no permission, everything works as before and the
 * report says so.
 */
#include <errno.h>
#include <kv_arena.h>
#include <string.h>

#include "must.h"

int
main(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	int node = kv_arena_get_numa_node();
	kv_arena_numa_report_t report;
	kv_arena_t *arena;
	void *p;

	if (kv_arena_set_numa_policy(-1) != 0)
		printf("no policy for this thread: %s\n", strerror(errno));

	config.enable_numa = true;
	config.preferred_numa_node = node;
	arena = kv_arena_create_ex(&config);
	must(arena != NULL);
	p = kv_arena_alloc(arena, 1 << 20);
	must(p != NULL);
	memset(p, 1, 1 << 20);

	if (kv_arena_numa_report(arena, &report) == 0)
		printf("node %d of %d wanted: %llu pages there, %llu elsewhere\n",
			report.wanted_node, report.nodes,
			(unsigned long long)report.pages_wanted,
			(unsigned long long)report.pages_elsewhere);
	else
		printf("the kernel does not tell: %s\n", strerror(errno));
	kv_arena_destroy(arena);
	return 0;
}
