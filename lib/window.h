/* window.h [4] -- the part of a block that one thread bumps through
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 *	| used .................. strip .. | free ................ |
 *	^ start                packed ^    ^ cur          ^ end    ^ limit
 *	                                 strip_end
 *
 * Allocations aligned to 8 and more start at cur. Those aligned to less are packed
 * into a strip, which is made of what they need rounded up to 8 and is made longer
 * as long as nothing else was taken since: a run of strings has no gaps, and a
 * string between objects costs what an object would. The fast path
 * (kv_arena_inline.h) takes from cur up to end; end is limit, or lower where the
 * slow path wants to be called.
 *
 *   W1  start <= cur <= limit, end <= limit, and packed <= strip_end <= cur.
 *   W2  cur and end are multiples of KV_ARENA_ALIGNMENT.
 *   W3  a counted window has end - cur <= 32 KiB, and shown below 2^27, so that
 *       no tally overflows.
 *   W4  one thread writes a window. cur, tally and regrown may be read by others
 *       meanwhile and are stored atomically; start and limit change only while the
 *       arena's lock, if it has one, is held.
 *   W5  a sampled window shows no more than its lot has until the next draw, so
 *       that nothing drawn is taken by the fast path.
 */
#ifndef KVA_WINDOW_H
#define KVA_WINDOW_H

#include "atomic.h"
#include "base.h"
#include "lot.h"

/* Counts that outlive windows: tallies unfolded; the last class is open-ended. */
struct kva_counts {
	uint64_t calls[KV_ARENA_TALLIES];
	uint64_t bytes;
};

/* What a window of a sampled arena has besides. */
struct kva_sampler {
	struct kva_lot lot;
	char *counted;			/* cur when the lot was last told */
	struct kva_amounts pick;	/* sampled, and not taken yet; weighted */
	bool has_pick;
};

struct kva_window {
	struct kv_arena_bump bump;	/* first: the fast path sees only this */
	char *start;
	char *limit;
	char *packed;			/* next byte of the strip; stored atomically */
	char *strip_end;
	int64_t regrown;		/* bytes that realloc asked for in place */
	uint64_t shown;			/* bytes shown since the last fold, and 8
					 * for each call: no fewer than 8 a count */
	uint16_t gap;			/* bytes kept free after each allocation */
	bool watched;			/* every allocation is announced, or its caller
					 * looked at */
	bool sealed;			/* with its arena: all are refused */
	uint32_t visitor;		/* atomic; thread in an UNSAFE arena's slow
					 * path, 0: none. W4 is held against it */
	struct kva_sampler *sampler;	/* NULL: nothing is sampled */
};

static inline bool
kva_window_is_counted(const struct kva_window *w)
{
	return w->bump.key & (KV_ARENA_COUNTED | KV_ARENA_SHARED_COUNTED);
}

/* Make it empty. key is the arena's; a gap has every allocation watched. */
void kva_window_init(struct kva_window *w, uint64_t key, uint16_t gap);

/* Have an empty window sampled, once in interval bytes. Equal seeds draw alike. */
void kva_window_sample(struct kva_window *w, struct kva_sampler *s,
	uint64_t interval, uint64_t seed);

/* Tell the lot of a sampled window what the fast path took. */
void kva_window_catch_up(struct kva_window *w);

/* Move cur, otherwise than the fast path does. */
static inline void
kva_window_move(struct kva_window *w, char *cur)
{
	if (kva_unlikely(w->sampler != NULL)) {
		kva_window_catch_up(w);
		w->sampler->counted = cur;
	}
	kva_store_relaxed(&w->bump.cur, cur);
}

/* Let the lot of a sampled window draw for bytes handed out in so many objects, or
 * left behind by realloc; then the window must be shown anew. */
void kva_window_draw(struct kva_window *w, size_t bytes, unsigned objects,
	size_t padding);
void kva_window_draw_abandoned(struct kva_window *w, size_t bytes);

/* Take what was sampled in a sampled window since the last call, if anything was. */
bool kva_window_pick(struct kva_window *w, struct kva_amounts *pick);

/* Look through at size bytes from start, or at nothing. */
void kva_window_open(struct kva_window *w, char *start, size_t size);
void kva_window_shut(struct kva_window *w);

/* Look at more bytes, which follow limit. */
void kva_window_extend(struct kva_window *w, size_t more);

/* Take size bytes off the front of what is free, as if they had never been seen;
 * for shares of a shared arena. Requires them to fit. Returns where they are. */
char *kva_window_cut(struct kva_window *w, size_t size);

/* Set the visible end anew, after cur, limit, watched or sealed changed. */
void kva_window_show(struct kva_window *w);

/* Count an allocation of size bytes that was served elsewhere. */
void kva_window_tally(struct kva_window *w, size_t size);

/* Uncount the allocation of size bytes just made, and do not sample it: it is the
 * library's own. */
void kva_window_untally(struct kva_window *w, size_t size);

/* Take size bytes at a power of two, counted; NULL: they do not fit. */
void *kva_window_take(struct kva_window *w, size_t size, size_t alignment);

/* The same at the usual alignment, from a watched window. NULL also if there is more
 * to do than to count: it takes what the fast path would if it were shown it. */
void *kva_window_take_plain(struct kva_window *w, size_t size);

/* Whether size bytes at alignment fit. */
bool kva_window_fits(const struct kva_window *w, size_t size, size_t alignment);

/* Whether p, of size bytes, was taken last. */
bool kva_window_is_last(const struct kva_window *w, const void *p, size_t size);

/* Resize in place what was taken last; false: it was not, or does not fit. */
bool kva_window_resize(struct kva_window *w, void *p, size_t old_size,
	size_t new_size);

/* Add the tally to counts and clear it. counts may be NULL: then there is none. */
void kva_window_fold(struct kva_window *w, struct kva_counts *counts);

/* Add what the tally holds to sum and leave it; for readers. */
void kva_window_count(const struct kva_window *w, struct kva_counts *sum);

static inline size_t
kva_window_room(const struct kva_window *w)
{
	return (size_t)(w->limit - kva_load_relaxed(&w->bump.cur));
}

/* Room of the strip, which only packed allocations can use. */
static inline size_t
kva_window_slack(const struct kva_window *w)
{
	return (size_t)(kva_load_relaxed(&w->strip_end) - kva_load_relaxed(&w->packed));
}

/* Bytes handed out; with slack and room they make up the window. */
static inline size_t
kva_window_used(const struct kva_window *w)
{
	return (size_t)(kva_load_relaxed(&w->bump.cur) - w->start) -
		kva_window_slack(w);
}

/* Whether the tally must be folded before more is taken: 2^23 counts are far from
 * the 2^24 that it holds. */
static inline bool
kva_window_is_due(const struct kva_window *w)
{
	return w->shown >= (uint64_t)1 << 26;
}

#endif
