/* block.h -- the arena everybody writes: 64 KiB blocks from malloc
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Three peers use it: alone; behind a mutex; behind a read/write lock taken for
 * writing, which is what the ancestor of kvarena did.
 */
#ifndef KB_BLOCK_H
#define KB_BLOCK_H

#include "bench.h"

struct block {
	struct block *next;
	size_t size;
};

struct block_arena {
	char *cur;
	char *end;
	struct block *blocks;
	size_t held;
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
};

void *kb_block_refill(struct block_arena *a, size_t size);
bool kb_block_open(struct life *l);
void kb_block_reset(struct life *l);
void kb_block_close(struct life *l);
size_t kb_block_held(struct life *l);

static inline void *
kb_block_take(struct block_arena *a, size_t size)
{
	void *p = a->cur;

	size = (size + 7) & ~(size_t)7;
	if (size > (size_t)(a->end - a->cur))
		return kb_block_refill(a, size);
	a->cur += size;
	return p;
}

#define KB_BLOCK_PEER							\
	.loops = &kb_loops,						\
	.open = kb_block_open,						\
	.reset = kb_block_reset,					\
	.close = kb_block_close,					\
	.held = kb_block_held

#endif
