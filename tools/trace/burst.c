/* burst.c -- objects that were freed in one go
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A leaky bucket per thread: a free adds a drop, an allocation takes out four,
 * and who empties it ends the burst. So a destructor may allocate a little, and
 * a loop of allocating and freeing is no burst.
 */
#include "config.h"

#include "burst.h"
#include "tool.h"

#include <stdlib.h>

#define BUCKET 16
#define FREE_ADDS 1
#define ALLOC_TAKES 4
#define REALLOC_TAKES 2

struct bucket {
	uint32_t burst;			/* that is going on, or KVT_NO_BURST */
	int drops;
};

static void
note_free(struct kvt_bursts *b, size_t *room, struct bucket *bucket, uint32_t i,
	uint32_t object)
{
	if (bucket->burst == KVT_NO_BURST) {
		b->bursts = kvt_grow(b->bursts, b->n, room, sizeof(*b->bursts));
		bucket->burst = (uint32_t)b->n;
		bucket->drops = 0;
		b->bursts[b->n].first = i;
		b->bursts[b->n++].objects = 0;
	}
	b->bursts[bucket->burst].last = i;
	b->of_object[object] = bucket->burst;
	bucket->drops += FREE_ADDS;
	if (bucket->drops > BUCKET)
		bucket->drops = BUCKET;
}

/* Take out of the objects those that were born in the very burst, and dissolve
 * the bursts that are too small without them. */
static void
sift(struct kvt_bursts *b, const struct kvt_trace *t)
{
	size_t o;

	for (o = 0; o < t->nobjects; o++) {
		uint32_t *burst = &b->of_object[o];
		if (*burst == KVT_NO_BURST)
			continue;
		if (t->objects[o].birth > b->bursts[*burst].first)
			*burst = KVT_NO_BURST;
		else
			b->bursts[*burst].objects++;
	}
	for (o = 0; o < t->nobjects; o++)
		if (b->of_object[o] != KVT_NO_BURST &&
			b->bursts[b->of_object[o]].objects < KVT_BURST_LEAST)
			b->of_object[o] = KVT_NO_BURST;
}

void
kvt_bursts_find(struct kvt_bursts *b, const struct kvt_trace *t)
{
	struct bucket *buckets = kvt_array(65536, sizeof(*buckets));
	size_t i, room = 0;

	b->bursts = NULL;
	b->n = 0;
	b->of_object = kvt_array(t->nobjects, sizeof(*b->of_object));
	for (i = 0; i < t->nobjects; i++)
		b->of_object[i] = KVT_NO_BURST;
	for (i = 0; i < 65536; i++)
		buckets[i].burst = KVT_NO_BURST;
	for (i = 0; i < t->nops; i++) {
		const struct kvt_op *op = &t->ops[i];
		struct bucket *bucket = &buckets[op->stream];
		if (op->kind == KVT_FREE) {
			note_free(b, &room, bucket, (uint32_t)i, op->object);
			continue;
		}
		bucket->drops -= op->kind == KVT_REALLOC ? REALLOC_TAKES
			: ALLOC_TAKES;
		if (bucket->drops < 0)
			bucket->burst = KVT_NO_BURST;
	}
	free(buckets);
	sift(b, t);
}
