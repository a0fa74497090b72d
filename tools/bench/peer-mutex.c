/* peer-mutex.c -- the arena everybody writes, behind a mutex
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "block.h"

static inline void *
take(struct block_arena *a, size_t size)
{
	void *p;

	pthread_mutex_lock(&a->mutex);
	p = kb_block_take(a, size);
	pthread_mutex_unlock(&a->mutex);
	return p;
}

#define KB_ARENA struct block_arena
#define KB_ALLOC(a, l, size) take((a), (size))
#include "loops.h"

const struct peer kb_mutex = {
	.name = "mutex",
	.about = "64 KiB blocks behind a mutex",
	.flags = PEER_SHARED,
	KB_BLOCK_PEER
};
