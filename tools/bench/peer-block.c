/* peer-block.c -- the arena everybody writes, alone
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "block.h"

#include <stdlib.h>

#define BLOCK 65536u

void *
kb_block_refill(struct block_arena *a, size_t size)
{
	size_t want = size + sizeof(struct block) > BLOCK
		? size + sizeof(struct block) : BLOCK;
	struct block *b = malloc(want);

	if (!b)
		return NULL;
	b->next = a->blocks;
	b->size = want;
	a->blocks = b;
	a->held += want;
	a->cur = (char *)(b + 1) + size;
	a->end = (char *)b + want;
	return b + 1;
}

bool
kb_block_open(struct life *l)
{
	struct block_arena *a = calloc(1, sizeof *a);

	l->arena = a;
	return a && !pthread_mutex_init(&a->mutex, NULL) &&
		!pthread_rwlock_init(&a->rwlock, NULL);
}

static void
free_blocks(struct block_arena *a, struct block *keep)
{
	while (a->blocks != keep) {
		struct block *b = a->blocks;

		a->blocks = b->next;
		a->held -= b->size;
		free(b);
	}
}

/* As most do: the first block stays. */
void
kb_block_reset(struct life *l)
{
	struct block_arena *a = l->arena;
	struct block *first = a->blocks;

	if (!first)
		return;
	while (first->next)
		first = first->next;
	free_blocks(a, first);
	a->cur = (char *)(first + 1);
	a->end = (char *)first + first->size;
}

void
kb_block_close(struct life *l)
{
	struct block_arena *a = l->arena;

	free_blocks(a, NULL);
	pthread_mutex_destroy(&a->mutex);
	pthread_rwlock_destroy(&a->rwlock);
	free(a);
}

size_t
kb_block_held(struct life *l)
{
	struct block_arena *a = l->arena;

	return a->held + sizeof *a;
}

#define KB_ARENA struct block_arena
#define KB_ALLOC(a, l, size) kb_block_take((a), (size))
#include "loops.h"

const struct peer kb_block = {
	.name = "block",
	.about = "20 lines: a bump over 64 KiB blocks from malloc",
	KB_BLOCK_PEER
};
