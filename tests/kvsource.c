/* kvsource.c -- a block source that counts, checks and can refuse
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16		/* what a source must give, and no more */

/* Before each block: where malloc's piece begins, and the block's size. */
struct tag {
	void *piece;
	size_t size;
};

static void *
take(void *context, size_t size)
{
	struct kvt_source *s = context;
	char *piece = NULL, *block = NULL;

	pthread_mutex_lock(&s->lock);
	if (size <= s->budget && s->held <= s->budget - size)
		piece = malloc(size + sizeof(struct tag) + 2 * ALIGNMENT);
	if (piece != NULL) {
		uintptr_t at = (uintptr_t)piece + sizeof(struct tag) + ALIGNMENT;

		/* An odd multiple of 16: never better aligned than promised. */
		block = piece + (at / 32 * 32 + ALIGNMENT - (uintptr_t)piece);
		((struct tag *)(void *)block)[-1] = (struct tag){ piece, size };
		memset(block, 0xd5, size);
		s->takes++;
		s->held += size;
		s->most = s->held > s->most ? s->held : s->most;
		s->last = block;
		s->last_size = size;
	} else {
		s->refusals++;
	}
	pthread_mutex_unlock(&s->lock);
	return block;
}

static void
give(void *context, void *block, size_t size)
{
	struct kvt_source *s = context;
	struct tag *tag = (struct tag *)block - 1;

	pthread_mutex_lock(&s->lock);
	s->faults += tag->size != size;
	s->gives++;
	s->held -= size;
	memset(block, 0xdd, size);
	free(tag->piece);
	pthread_mutex_unlock(&s->lock);
}

kv_arena_block_source_t
kvt_hooks(struct kvt_source *s)
{
	return (kv_arena_block_source_t){ take, give, s };
}

kv_arena_config_t
kvt_sourced(struct kvt_source *s)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.block_source = kvt_hooks(s);
	config.enable_block_cache = false;
	return config;
}
