/* cache.h [3] -- blocks kept for reuse
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A cache has the blocks that arenas are done with, so that the next arena finds
 * them warm: mapped, with memory behind them, their tail still in the processor's
 * caches. It cuts small blocks from segments of 2 MiB and decides which block to
 * give and when to give memory back; how large a block should be is the arena's
 * business.
 *
 * Threads: any thread may call anything at any time; one lock, held for a few
 * list operations and never while the system is asked for memory.
 */
#ifndef KVA_CACHE_H
#define KVA_CACHE_H

#include "source.h"

/* Classes are powers of two from 4 KiB to a segment, and one for all that is
 * larger: whole segments in a row. */
#define KVA_SMALLEST_BLOCK ((size_t)4096)
#define KVA_CLASSES 11
#define KVA_CLASS_SEGMENT 9
#define KVA_CLASS_LARGE 10

/* What a block is wanted for. */
struct kva_want {
	size_t capacity;	/* bytes at least; up to KVA_SIZE_LIMIT */
	kva_place_t place;
	bool small_pages;	/* never huge ones */
};

/* The capacity that a block for size bytes has: what take would give. */
size_t kva_cache_capacity(size_t size);

/* Take a block of at least the capacity wanted; dirty tells whether it is warm.
 * NULL with errno, as kva_source_map. */
struct kva_block *kva_cache_take(kv_arena_cache_t *c, const struct kva_want *want);

/* Put a block back, warm; or give it back to the system at once. One that is still
 * sealed can only be given back: it would serve nobody. */
void kva_cache_put(kv_arena_cache_t *c, struct kva_block *b);
void kva_cache_discard(kv_arena_cache_t *c, struct kva_block *b);

/* Arenas that use the cache. NULL to join means the process's. */
kv_arena_cache_t *kva_cache_join(kv_arena_cache_t *c);
void kva_cache_leave(kv_arena_cache_t *c);

/* Around fork: the process's cache and all others. */
void kva_cache_fork_before(void);
void kva_cache_fork_after(void);

/* Assert the invariants of cache.c; for tests. */
void kva_cache_check(kv_arena_cache_t *c);

#endif
