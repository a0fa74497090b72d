/* front.c [4] -- the window through which an arena hands out a block
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory is taken in blocks and counted in steps. A block's capacity doubles from
 * block to block up to max_block, but only the steps in use count as held and are
 * charged to limits; the next step is simply the memory that follows:
 *
 *	| window: used ... | room ...... | counted ...... | not counted .....|
 *	^ base             ^ cur         ^ limit          ^ base + size      ^ capacity
 *
 * So an arena of many MiB loses the end of one block in 2 MiB and at most one
 * step, where fixed blocks lose the end of each, and doubling ones half of the
 * last. Nothing is touched before it is handed out.
 *
 * Where a limit may refuse a step, or a zeroed arena must clear it, the window ends
 * where counting does. Elsewhere nobody needs to know before he asks: the window
 * looks at the whole block at once and steps are counted late (settle), so that
 * the slow path is taken once a block.
 */
#include "front.h"
#include "charge.h"
#include "size.h"
#include "watch.h"

#include <string.h>

unsigned
kva_arena_nfronts(const struct kva_arena *a)
{
	return a->fronts ? (unsigned)kva_os.nodes() : 1;
}

struct kva_front *
kva_arena_front(struct kva_arena *a, int node)
{
	/* A processor may have come, with its node, since they were counted. */
	bool has_own = node > 0 && (unsigned)node < kva_arena_nfronts(a);

	return has_own ? &a->fronts[node - 1] : &a->front;
}

/* Zeroed arenas clear memory when a window comes to look at it. */
void
kva_front_clean(const struct kva_arena *a, const struct kva_block *b, char *p, size_t size)
{
	if (a->setup.zero && b->dirty) {
		kva_watch_allow(p, size);
		memset(p, 0, size);
		kva_watch_forbid(p, size);
	}
}

bool
kva_front_ends_with(const struct kva_front *f, const struct kva_window *w)
{
	return w && w == f->newest && w->limit == f->window.bump.cur;
}

/* How far a front's block is in use: a window that was cut last may be longer than
 * what its thread has needed so far. */
static char *
reach(const struct kva_front *f)
{
	if (kva_front_ends_with(f, f->newest))
		return kva_load_relaxed(&f->newest->bump.cur);
	return f->window.bump.cur;
}

/* Count as many more steps of a block as bytes need; if a limit refuses, exactly
 * the bytes. */
static bool
count_more(struct kva_arena *a, struct kva_block *b, size_t bytes)
{
	size_t left = b->capacity - b->size;
	size_t more = kva_round_up(bytes, a->setup.step);

	if (bytes > left)
		return false;
	more = more < left ? more : left;
	if (!kva_arena_charge(a, more)) {
		more = kva_round_up(bytes, KV_ARENA_ALIGNMENT);
		if (!kva_arena_charge(a, more))
			return false;
	}
	b->size += more;
	kva_arena_hold(a, more);
	return true;
}

bool
kva_front_count_up_to(struct kva_arena *a, struct kva_block *b, size_t size)
{
	return a->setup.late || size <= b->size || count_more(a, b, size - b->size);
}

/* Late counting is not refused: nobody has a limit. */
void
kva_front_settle(struct kva_arena *a, struct kva_front *f)
{
	size_t used;

	if (!f->block)
		return;
	used = (size_t)(reach(f) - f->block->base);
	if (used > f->block->size)
		count_more(a, f->block, used - f->block->size);
}

void
kva_arena_settle(struct kva_arena *a)
{
	for (unsigned i = 0; a->setup.late && i < kva_arena_nfronts(a); i++)
		kva_front_settle(a, kva_arena_front(a, (int)i));
}

size_t
kva_arena_left(const struct kva_front *f)
{
	return f->block ? (size_t)(f->block->base + f->block->size - reach(f)) : 0;
}

void
kva_front_pull_back(struct kva_front *f)
{
	struct kva_window *w = f->newest;

	if (kva_front_ends_with(f, w)) {
		kva_store_relaxed(&f->window.bump.cur, w->bump.cur);
		kva_window_cut(&f->window, 0);
		w->limit = w->bump.cur;
		kva_window_show(w);
	}
	f->newest = NULL;
}

void
kva_arena_fold(struct kva_arena *a, struct kva_window *w)
{
	kva_window_fold(w, a->tolls ? &a->tolls->counts : NULL);
}

void
kva_arena_shut(struct kva_arena *a, struct kva_window *w)
{
	kva_arena_fold(a, w);
	a->bytes.handed += kva_window_used(w);
	a->bytes.tails += kva_window_room(w) + kva_window_slack(w);
	kva_window_shut(w);
}

void
kva_front_leave(struct kva_arena *a, struct kva_front *f)
{
	if (!f->block)
		return;
	f->newest = NULL;	/* it keeps its window, all of which counts now */
	kva_front_settle(a, f);
	kva_arena_fold(a, &f->window);
	a->bytes.handed += kva_window_used(&f->window);
	a->bytes.tails += kva_arena_left(f) + kva_window_slack(&f->window);
	kva_window_shut(&f->window);
	f->block = NULL;
}

/* Look at size more bytes of the front's block, which are counted already. */
static void
look_further(struct kva_arena *a, struct kva_front *f, size_t size)
{
	kva_front_clean(a, f->block, f->window.limit, size);
	kva_window_extend(&f->window, size);
}

/* How much to look at: all that is counted, but in a zeroed arena no more than is
 * likely to be used. */
static size_t
stretch(const struct kva_arena *a, size_t needed, size_t counted)
{
	if (!a->setup.zero || counted <= a->setup.step)
		return counted;
	return needed > a->setup.step ? needed : a->setup.step;
}

void
kva_front_look(struct kva_arena *a, struct kva_front *f)
{
	struct kva_block *b = f->block;
	size_t size = a->setup.late ? b->capacity : stretch(a, 0, b->size);

	kva_front_clean(a, b, b->base, size);
	kva_window_open(&f->window, b->base, size);
}

/* Bytes that a request which does not fit needs beyond a window's room: at most, as
 * a strip may save some. */
static size_t
missing(const struct kva_window *w, size_t size, size_t alignment)
{
	size_t pad = alignment > KV_ARENA_ALIGNMENT
		? kva_padding((uintptr_t)w->bump.cur, alignment) : 0;
	size_t need = pad + kva_round_up(size, KV_ARENA_ALIGNMENT) + w->gap;

	assert(need > kva_window_room(w));
	return need - kva_window_room(w);
}

bool
kva_front_grow(struct kva_arena *a, struct kva_front *f, size_t size, size_t alignment)
{
	size_t more = missing(&f->window, size, alignment), ready;
	struct kva_block *b = f->block;

	if (!b || a->setup.late)
		return false;
	ready = (size_t)(b->base + b->size - f->window.limit);
	if (more > ready && !count_more(a, b, more - ready))
		return false;
	ready = (size_t)(b->base + b->size - f->window.limit);
	look_further(a, f, stretch(a, kva_round_up(more, KV_ARENA_ALIGNMENT), ready));
	return true;
}
