/* segment.h [3] -- 2 MiB cut into blocks of one size
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A slot of a segment is live, when its block is in use, warm, when the cache keeps
 * its block, or cold: then it has no block, only a bit.
 *
 *   S1  live + warm + bits in cold = slots.
 *   S2  a segment is in the list of its pool and class exactly if it has a cold slot.
 *
 * The caller holds the cache's lock.
 */
#ifndef KVA_SEGMENT_H
#define KVA_SEGMENT_H

#include "cache.h"

#define KVA_SLOT_WORDS (KVA_SEGMENT_SIZE / KVA_SMALLEST_BLOCK / 64)

struct kva_segment {
	struct kva_segment *next, *prev;	/* in part[class] */
	struct kva_block *memory;		/* all of it */
	unsigned class;
	unsigned slots, live, warm;		/* slots: but for those lost */
	uint64_t cold[KVA_SLOT_WORDS];		/* bit set: slot is cold */
};

/* A segment of all cold slots, in no list; NULL: ENOMEM. The memory stays the
 * caller's. */
struct kva_segment *kva_segment_create(struct kva_block *memory, unsigned class);
void kva_segment_destroy(struct kva_segment *s);

/* Put it in the list of those with a cold slot, or take it out. */
void kva_segment_link(struct kva_segment **list, struct kva_segment *s);
void kva_segment_unlink(struct kva_segment **list, struct kva_segment *s);

/* Make a block of a cold slot of the first in the list, live; NULL: ENOMEM. */
struct kva_block *kva_segment_cut(struct kva_segment **list);

/* Turn a block that is in nobody's hands into a cold slot; if it is sealed, its slot
 * is lost and does not count any more. True: nothing of the segment is used, and it
 * is no longer in the list. */
bool kva_segment_let_go(struct kva_segment **list, struct kva_block *b);

/* Its cold slots, counted. */
unsigned kva_segment_cold(const struct kva_segment *s);

#endif
