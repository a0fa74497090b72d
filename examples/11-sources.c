/* 11-sources.c -- where blocks come from: malloc, pages, or you
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>
#include <stdlib.h>

#include "must.h"

/* A pool that the caller owns, say shared memory or a board's fast RAM. */
struct pool {
	char *memory;
	size_t size, used;
	int out;			/* blocks not given back */
};

static void *
pool_take(void *context, size_t size)
{
	struct pool *pool = context;
	char *p = pool->memory + pool->used;

	if (size > pool->size - pool->used)
		return NULL;
	pool->used += (size + 15) & ~(size_t)15;
	pool->out++;
	return p;
}

static void
pool_give(void *context, void *block, size_t size)
{
	struct pool *pool = context;

	(void)block;
	(void)size;
	if (--pool->out == 0)
		pool->used = 0;
}

static void
use(const kv_arena_block_source_t *source)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *arena;
	int i;

	config.block_source = *source;
	config.block_size = KV_ARENA_SMALL_BLOCK_SIZE;
	arena = kv_arena_create_ex(&config);
	must(arena != NULL);
	for (i = 0; i < 1000; i++)
		must(kv_arena_alloc(arena, 40) != NULL);
	kv_arena_destroy(arena);
}

int
main(void)
{
	enum { SIZE = 4 << 20 };
	struct pool pool = { NULL, SIZE, 0, 0 };
	kv_arena_block_source_t mine = { pool_take, pool_give, &pool };
	kv_arena_block_source_t from_malloc = kv_arena_source_malloc();
	kv_arena_block_source_t from_pages = kv_arena_source_pages();

	pool.memory = malloc(SIZE);
	must(pool.memory != NULL);
	use(&from_malloc);
	use(&from_pages);
	use(&mine);
	must(pool.out == 0);		/* every block came back */
	free(pool.memory);
	return 0;
}
