/* peer-rwlock.c -- the arena everybody writes, behind a read/write lock
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "block.h"

static inline void *
take(struct block_arena *a, size_t size)
{
	void *p;

	pthread_rwlock_wrlock(&a->rwlock);
	p = kb_block_take(a, size);
	pthread_rwlock_unlock(&a->rwlock);
	return p;
}

#define KB_ARENA struct block_arena
#define KB_ALLOC(a, l, size) take((a), (size))
#include "loops.h"

const struct peer kb_rwlock = {
	.name = "rwlock",
	.about = "64 KiB blocks behind a read/write lock, as the ancestor",
	.flags = PEER_SHARED,
	KB_BLOCK_PEER
};
