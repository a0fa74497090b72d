/* 10-caches.c -- a cache of warm blocks, shared by some arenas and no others
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <kv_arena.h>

#include "must.h"

int
main(void)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(8 << 20);
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_cache_stats_t stats;
	kv_arena_t *arena = NULL;
	int i;

	must(cache != NULL);
	config.cache = cache;
	for (i = 0; i < 100; i++) {
		arena = kv_arena_create_ex(&config);
		must(arena != NULL && kv_arena_alloc(arena, 200000) != NULL);
		if (i < 99)
			kv_arena_destroy(arena);
	}

	must(kv_arena_cache_get_stats(cache, &stats) == 0);
	printf("%llu blocks asked for, %llu of them found warm\n",
		(unsigned long long)stats.takes, (unsigned long long)stats.hits);

	/* Not while it is in use. */
	must(kv_arena_cache_destroy(cache) == -1 && errno == EBUSY);
	kv_arena_destroy(arena);
	kv_arena_cache_trim(cache, 0);
	must(kv_arena_cache_get_stats(cache, &stats) == 0);
	must(stats.cached_bytes == 0);
	must(kv_arena_cache_destroy(cache) == 0);

	/* The cache of the process needs no making. */
	must(kv_arena_cache_get_stats(NULL, &stats) == 0);
	return 0;
}
