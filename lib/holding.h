/* holding.h [4] -- the blocks an arena holds
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A block comes from the cache or the caller's source, is linked, is retired when
 * nothing lives in it, and then is kept as a spare or dropped.
 */
#ifndef KVA_HOLDING_H
#define KVA_HOLDING_H

#include "arena.h"

/* Get a block from cache or source, charged. NULL: ENOMEM. No lock needed. */
struct kva_block *kva_arena_fetch(struct kva_arena *a, size_t size,
	size_t alignment, bool own);

/* Give back a block that was fetched and not installed. No lock needed. */
void kva_arena_unfetch(struct kva_arena *a, struct kva_block *b);

/* Whether blocks come from the caller's functions. */
bool kva_holding_is_custom(const struct kva_arena *a);

/* Let the system's map say that the arena has the block, if that is a mapping. */
void kva_holding_sign(const struct kva_arena *a, struct kva_block *b);

/* A fetched block joins the arena; one in no list leaves it, kept warm in the cache;
 * or is only uncounted, and put in a list for give_back. */
void kva_holding_link(struct kva_arena *a, struct kva_block *b);
void kva_holding_drop(struct kva_arena *a, struct kva_block *b);
void kva_holding_uncount(struct kva_arena *a, struct kva_block *b);
void kva_holding_unlink(struct kva_arena *a, struct kva_block *b);
void kva_arena_give_back(struct kva_arena *a, struct kva_block *gone);

/* Retire the blocks that are younger than last; whether a reset would keep b. */
void kva_holding_retire(struct kva_arena *a, struct kva_block *last);
bool kva_holding_is_worth(const struct kva_arena *a, const struct kva_block *b);

/* Let a spare be used again, let one go that a whole round did not need, or
 * uncount them all and add them to gone. */
void kva_holding_take_spare(struct kva_arena *a, struct kva_block **link);
void kva_holding_forget(struct kva_arena *a);
void kva_holding_drop_spares(struct kva_arena *a, struct kva_block **gone);

#endif
