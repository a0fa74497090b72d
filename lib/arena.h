/* arena.h [4] -- one arena: its blocks, its front, its bytes
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The core of the library. It never hears of threads: whoever calls it is alone,
 * by being the only user (UNSAFE) or by holding the lock of the team (shard.h).
 * What may be called without that lock says so.
 */
#ifndef KVA_ARENA_H
#define KVA_ARENA_H

#include "cache.h"
#include "fence.h"
#include "site.h"
#include "probe.h"
#include "window.h"

struct kva_defer;
struct kva_mark;
struct kva_shown;
struct kva_told;
struct kva_team;

/* The window through which an arena hands out a block. An UNSAFE arena's one user
 * allocates from it; a SAFE arena's shards are cut from it. */
struct kva_front {
	struct kva_window window;
	struct kva_block *block;	/* in blocks too; NULL: none yet */
	struct kva_window *newest;	/* cut from it last; NULL: nothing was */
};

/* What the arena was created with; constant. */
struct kva_setup {
	size_t step;			/* memory is counted in these */
	size_t max_block;
	uint32_t max_spares;
	kva_place_t place;
	bool local;			/* place each block where its thread runs */
	bool small_pages;		/* never huge ones, */
	bool small_first;		/* or only once it is large */
	bool zero;
	bool learns;			/* of its sizes, by its name */
	uint8_t debug;			/* kv_arena_debug_t */
	bool late;			/* counts steps when asked, not beforehand */
	bool in_buffer;			/* it lies in the caller's; not ours to free */
	bool traced;			/* a recorder is told of each allocation */
};

/* And what few arenas have, so that the others need not carry it. */
struct kva_extras {
	size_t memory_limit;		/* 0: none */
	bool (*on_oom)(void *context, const kv_arena_oom_t *oom);
	void *on_oom_context;
	kv_arena_block_source_t source;
	char name[32];
	struct kva_fence *fences;	/* atomic; newest first */
	struct kva_told *told;		/* atomic; otel.h, newest first */
	struct kva_shown *shown;	/* publish.h; NULL: nothing is published */
	struct kva_sites *sites;	/* what was sampled; NULL: nothing is */
};

/* Bytes, by what became of them; A2 below. */
struct kva_bytes {
	size_t reserved;		/* held, headers included */
	size_t peak;			/* most of these */
	size_t headers;			/* descriptors of arena, blocks, shards */
	size_t handed;			/* from windows now shut, and own blocks */
	size_t tails;			/* lost when windows were shut */
	size_t abandoned;		/* atomic; old copies left by realloc */
	size_t records;			/* atomic; of handed and used, the marks and
					 * defers of the library itself */
	uint64_t asked_before;		/* asked up to the last reset or rewind */
};

/* Bytes after each allocation for a fence of debug.h. */
#define KVA_FENCE_GAP 32

/* Events since create or reset_stats. */
struct kva_tolls {
	struct kva_counts counts;	/* detailed statistics, folded */
	uint64_t fresh, reused, returned;	/* blocks */
	uint64_t own;			/* blocks with one large allocation */
	uint64_t asked_before;		/* asked up to then */
	uint64_t misplaced;		/* blocks the system would not place, */
	uint64_t refusal;		/* and the last errno of these */
	uint64_t alignments[8];		/* atomic */
};

/* Invariants, between calls and with the lock held:
 *   A1  blocks holds every block in use, the newest first; each front's block is
 *       among them. spares holds what reset kept, the largest first.
 *   A2  reserved = headers + handed + tails + the sizes of spares + used, slack
 *       and room of every shard's window, or of every front's in an UNSAFE arena, +
 *       what each front's block has left; all this once it is settled.
 *   A3  a block's size is what was charged for it; size <= capacity.
 *   A4  charged = reserved + the charged of all children.
 * kva_arena_check() asserts them. */
struct kva_arena {
	struct kva_front front;		/* first: its bump is the visible head */

	struct kva_block *blocks;
	struct kva_block *spares;
	uint32_t nblocks, nspares;
	size_t next_capacity;		/* of the next block; doubles */
	struct kva_bytes bytes;
	struct kva_tolls *tolls;	/* made with the first block */

	struct kva_defer *defers;	/* newest first */
	struct kva_mark *marks;		/* newest first */
	uint64_t mark_serial;
	uint32_t failed;		/* atomic; allocations that gave NULL */
	uint32_t resets;
	uint64_t *cell;			/* generation for handles; NULL: none */

	struct kva_arena *parent;
	struct kva_arena *children;	/* newest first */
	struct kva_arena *sibling;
	size_t charged;			/* atomic; A4 */

	struct kva_team *team;		/* SAFE arenas; NULL: none */
	struct kva_front *fronts;	/* local: one more for each node but 0 */
	kv_arena_cache_t *cache;
	struct kva_setup setup;
	struct kva_extras *extras;	/* NULL: none */
	struct kva_arena *next, **link;	/* the registry's */
};

/* The public pointer, which carries the kind, and back; NULL stays NULL. */
static inline struct kva_arena *
kva_arena_of(const kv_arena_t *a)
{
	return (struct kva_arena *)((uintptr_t)a & ~(uintptr_t)KV_ARENA_KINDS);
}

static inline const char *
kva_arena_name(const struct kva_arena *a)
{
	return a->extras ? a->extras->name : "";
}

static inline bool
kva_arena_is_sealed(const struct kva_arena *a)
{
	return a->front.window.sealed;
}

static inline bool
kva_arena_is_counted(const struct kva_arena *a)
{
	return kva_window_is_counted(&a->front.window);
}

/* The first level of debugging: whoever allocates is looked at. */
static inline bool
kva_arena_is_checked(const struct kva_arena *a)
{
	return a->setup.debug == KV_ARENA_DEBUG_CHECK && !a->team;
}

/* NULL: allocations are not sampled. */
static inline struct kva_sites *
kva_arena_sites(const struct kva_arena *a)
{
	return a->extras ? a->extras->sites : NULL;
}

static inline kv_arena_t *
kva_arena_public(const struct kva_arena *a)
{
	unsigned kind = (unsigned)a->front.window.bump.key & KV_ARENA_KINDS;

	return (kv_arena_t *)((uintptr_t)a + kind);
}

/* See probe.h. */
#define kva_arena_probe(event, a, bytes)				\
	kva_probe(event, kva_arena_public(a), kva_arena_name(a), bytes)

/* Make a zeroed arena whose setup, extras, cache and parent are set one with no
 * block. -1: ENOMEM, a limit refuses its header. header is what was allocated for
 * it, in bytes. */
int kva_arena_init(struct kva_arena *a, uint64_t key, size_t header);

/* Give back all blocks and charges. The caller ran the defers and frees a. */
void kva_arena_fini(struct kva_arena *a);

/* Allocate from the front. Arguments are checked; NULL with ENOMEM. */
void *kva_arena_alloc(struct kva_arena *a, size_t size, size_t alignment);

/* Make what the first block needs: the tolls. -1: ENOMEM. Needs the lock. */
int kva_arena_prepare(struct kva_arena *a);

/* The three parts of that, for those who must fetch without the lock. */

/* Have size bytes fit the front with what the arena holds, by counting more of
 * the block or taking a spare. Asks the system for nothing. */
bool kva_arena_make_room(struct kva_arena *a, struct kva_front *f, size_t size,
	size_t alignment);

/* The same in the block that the front has. */
bool kva_arena_make_room_here(struct kva_arena *a, struct kva_front *f, size_t size,
	size_t alignment);

/* Whether a request is so large that it gets a block of its own rather than
 * making the front leave its block. */
bool kva_arena_wants_own(const struct kva_arena *a, const struct kva_front *f,
	size_t size, size_t alignment);

/* Let a fetched block become the front's, or serve one allocation whole, counted
 * in the caller's window. */
void kva_arena_install(struct kva_arena *a, struct kva_front *f,
	struct kva_block *b);
void *kva_arena_use_own(struct kva_arena *a, struct kva_window *w,
	struct kva_block *b, size_t size, size_t alignment);

/* End every allocation and keep blocks. The caller ran the defers. */
void kva_arena_reset(struct kva_arena *a);

/* Uncount blocks without live allocations and return the bytes. The blocks are put
 * in *gone, to be given back without the lock. */
size_t kva_arena_compact(struct kva_arena *a, struct kva_block **gone);

/* The state to return to, and the return. */
struct kva_snapshot {
	struct kva_block *blocks, *block;
	char *start, *cur, *limit, *packed, *strip_end;
	size_t handed, tails, abandoned, records;
	uint64_t asked;			/* live bytes asked for */
	struct kva_fence *fences;
	struct kva_told *told;
};
void kva_arena_save(struct kva_arena *a, struct kva_snapshot *s);
void kva_arena_restore(struct kva_arena *a, const struct kva_snapshot *s);

/* Charge into and its ancestors, instead of from's, with every block of from. False:
 * ENOMEM, and nothing is changed. */
bool kva_arena_admit(struct kva_arena *into, struct kva_arena *from);

/* Then move those blocks. The shards of from, if it has any, are shut. */
void kva_arena_absorb(struct kva_arena *into, struct kva_arena *from);

/* Whether p lies in a block of the arena. */
bool kva_arena_owns(struct kva_arena *a, const void *p);

/* All bytes asked for since create: folded and in the front's tally. */
uint64_t kva_arena_asked(const struct kva_arena *a);

/* Assert A1 to A4, but for what shards have; for tests. */
void kva_arena_check(const struct kva_arena *a);

#endif
