/* arena.c [4] -- one arena: allocate, start over, begin and end
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts are told apart by what they know: charge.c counts bytes, holding.c has
 * the blocks, front.c the window into the current one. Here they come together.
 */
#include "charge.h"
#include "front.h"
#include "holding.h"
#include "otel.h"
#include "size.h"
#include "watch.h"

#include <string.h>

uint64_t
kva_arena_asked(const struct kva_arena *a)
{
	struct kva_counts sum = { .bytes = a->tolls ? a->tolls->counts.bytes : 0 };

	kva_window_count(&a->front.window, &sum);
	return sum.bytes;
}

/* The node whose blocks a front hands out: in an UNSAFE local arena the one on which
 * its thread happens to run. */
static int
node_of(const struct kva_arena *a, const struct kva_front *f)
{
	if (!a->fronts)
		return kva_os.node_here();
	return f == &a->front ? 0 : (int)(f - a->fronts) + 1;
}

/* Whether a spare lies where a front's blocks should. Those of other arenas, that
 * were absorbed, may not. */
static bool
is_in_place(const struct kva_arena *a, const struct kva_front *f,
	const struct kva_block *b)
{
	if (b->borrowed || kva_holding_is_custom(a))
		return true;
	if (a->setup.local)
		return kva_place_node(b->place) == node_of(a, f) &&
			!kva_place_is_bind(b->place);
	return b->place == a->setup.place;
}

/* The front is left as it is until the spare is certain to do. */
static bool
use_spare(struct kva_arena *a, struct kva_front *f, size_t room)
{
	for (struct kva_block **link = &a->spares; *link; link = &(*link)->next) {
		struct kva_block *b = *link;

		if (b->capacity < room)
			return false;	/* the largest come first */
		if (!is_in_place(a, f, b))
			continue;
		if (!kva_front_count_up_to(a, b, room))
			return false;
		kva_front_leave(a, f);
		kva_holding_take_spare(a, link);
		f->block = b;
		kva_front_look(a, f);
		return true;
	}
	return false;
}

bool
kva_arena_make_room_here(struct kva_arena *a, struct kva_front *f, size_t size,
	size_t alignment)
{
	if (size > KVA_SIZE_LIMIT || alignment > KVA_SIZE_LIMIT)
		return false;
	return kva_window_fits(&f->window, size, alignment) ||
		kva_front_grow(a, f, size, alignment);
}

bool
kva_arena_make_room(struct kva_arena *a, struct kva_front *f, size_t size,
	size_t alignment)
{
	size_t room;

	if (kva_arena_make_room_here(a, f, size, alignment))
		return true;
	return kva_room_for(size, alignment, &room) &&
		use_spare(a, f, room + f->window.gap) &&
		kva_arena_make_room_here(a, f, size, alignment);
}

/* Leaving a block costs what is left of it. It may cost an eighth; for more, a
 * request that would fill a quarter of a block goes elsewhere. */
bool
kva_arena_wants_own(const struct kva_arena *a, const struct kva_front *f,
	size_t size, size_t alignment)
{
	size_t room;

	if (!kva_room_for(size, alignment, &room))
		return true;
	if (room > a->setup.max_block / 4)
		return true;
	return f->block && room > f->block->capacity / 4 &&
		f->block->capacity - (size_t)(f->window.bump.cur - f->block->base) >
		f->block->capacity / 8;
}

int
kva_arena_prepare(struct kva_arena *a)
{
	struct kva_tolls *t;

	if (a->tolls)
		return 0;
	if (!kva_arena_charge(a, sizeof *t)) {
		errno = ENOMEM;
		return -1;
	}
	t = kva_os.alloc(sizeof *t, sizeof(uint64_t));
	if (!t) {
		kva_arena_uncharge(a, sizeof *t);
		errno = ENOMEM;
		return -1;
	}
	memset(t, 0, sizeof *t);
	a->tolls = t;
	kva_arena_add_header(a, sizeof *t);
	return 0;
}

void
kva_arena_install(struct kva_arena *a, struct kva_front *f, struct kva_block *b)
{
	size_t next = 2 * b->capacity;

	kva_front_leave(a, f);
	kva_holding_link(a, b);
	f->block = b;
	kva_front_look(a, f);
	if (next > a->setup.max_block)
		next = a->setup.max_block;
	if (next > a->next_capacity)
		kva_store_relaxed(&a->next_capacity, next);
}

void *
kva_arena_use_own(struct kva_arena *a, struct kva_window *w, struct kva_block *b,
	size_t size, size_t alignment)
{
	char *p = b->base + kva_padding((uintptr_t)b->base, alignment);
	size_t handed = (size_t)(p - b->base) + kva_round_up(size, KV_ARENA_ALIGNMENT);

	kva_front_clean(a, b, p, size);
	kva_holding_link(a, b);
	a->tolls->own++;
	a->bytes.handed += handed;
	a->bytes.tails += b->size - handed;
	kva_window_tally(w, size);
	kva_arena_fold(a, w);	/* w may look at nothing, and then nobody else does */
	kva_window_draw(w, size, 1, handed - size);
	kva_window_show(w);
	kva_watch_allow(p, size);
	return p;
}

static void *
alloc_own(struct kva_arena *a, size_t size, size_t alignment)
{
	struct kva_block *b = kva_arena_fetch(a, size, alignment, true);

	if (!b)
		return NULL;
	return kva_arena_use_own(a, &a->front.window, b, size, alignment);
}

/* Requires that the front's window had no room. */
static void *
alloc_after_refill(struct kva_arena *a, size_t size, size_t alignment)
{
	struct kva_front *f = &a->front;
	struct kva_block *b;

	kva_arena_probe(refill, a, size);
	if (kva_arena_prepare(a) != 0)
		return NULL;
	if (!kva_arena_make_room(a, f, size, alignment)) {
		if (kva_arena_wants_own(a, f, size, alignment))
			return alloc_own(a, size, alignment);
		b = kva_arena_fetch(a, size, alignment, false);
		if (!b)
			return NULL;
		kva_arena_install(a, f, b);
		kva_arena_make_room(a, f, size, alignment);
	}
	return kva_window_take(&f->window, size, alignment);
}

void *
kva_arena_alloc(struct kva_arena *a, size_t size, size_t alignment)
{
	struct kva_window *w = &a->front.window;
	void *p;

	if (kva_unlikely(kva_arena_is_sealed(a))) {
		errno = EPERM;
		return NULL;
	}
	if (kva_window_is_due(w))
		kva_arena_fold(a, w);
	p = kva_window_take(w, size, alignment);
	return kva_likely(p) ? p : alloc_after_refill(a, size, alignment);
}

/* The common case: an arena of one block looks at it anew. A local one first sees
 * where its thread runs now. */
static bool
start_over(struct kva_arena *a)
{
	struct kva_front *f = &a->front;
	struct kva_block *b = a->blocks;

	if (!b || b->next || b != f->block || a->spares || a->setup.local ||
	    !kva_holding_is_worth(a, b))
		return false;
	kva_front_settle(a, f);
	kva_arena_fold(a, &f->window);
	kva_watch_forbid(b->base, b->size);
	b->dirty = true;
	a->tolls->reused++;
	kva_front_look(a, f);
	return true;
}

static void
retire_all(struct kva_arena *a)
{
	for (unsigned i = 0; i < kva_arena_nfronts(a); i++)
		kva_front_leave(a, kva_arena_front(a, (int)i));
	kva_holding_forget(a);
	kva_holding_retire(a, NULL);
	if (a->spares && !a->setup.local)
		use_spare(a, &a->front, 0);
}

/* The allocations that are younger than these end. */
static void
tell_ends(struct kva_arena *a, struct kva_fence *last, struct kva_told *last_told)
{
	if (!a->extras)
		return;
	if (a->setup.traced)
		kva_fence_tell_ends(a->extras->fences, last, __builtin_return_address(0));
	a->extras->fences = last;
	kva_otel_end(a, last_told);
}

void
kva_arena_reset(struct kva_arena *a)
{
	tell_ends(a, NULL, NULL);
	if (a->tolls && !start_over(a))
		retire_all(a);
	a->resets++;
	a->bytes.handed = a->bytes.tails = 0;
	kva_store_relaxed(&a->bytes.records, 0);
	kva_store_relaxed(&a->bytes.abandoned, 0);
	a->bytes.asked_before = a->tolls ? a->tolls->counts.bytes : 0;
}

void
kva_arena_save(struct kva_arena *a, struct kva_snapshot *s)
{
	struct kva_window *w = &a->front.window;

	*s = (struct kva_snapshot){
		.blocks = a->blocks, .block = a->front.block,
		.start = w->start, .cur = w->bump.cur, .limit = w->limit,
		.packed = w->packed, .strip_end = w->strip_end,
		.handed = a->bytes.handed, .tails = a->bytes.tails,
		.abandoned = a->bytes.abandoned, .records = a->bytes.records,
		.asked = kva_arena_asked(a) - a->bytes.asked_before,
		.fences = a->extras ? a->extras->fences : NULL,
		.told = a->extras ? a->extras->told : NULL,
	};
}

/* If the block has grown since, the steps above the old limit stay counted; if it was
 * compacted, there is less of it. */
void
kva_arena_restore(struct kva_arena *a, const struct kva_snapshot *s)
{
	struct kva_window *w = &a->front.window;
	char *limit = s->limit;

	tell_ends(a, s->fences, s->told);
	if (!a->setup.late && s->block && limit > s->block->base + s->block->size)
		limit = s->block->base + s->block->size;

	kva_front_settle(a, &a->front);
	kva_arena_fold(a, w);
	kva_holding_retire(a, s->blocks);
	a->front.block = s->block;
	if (s->block) {
		kva_watch_forbid(s->cur, (size_t)(limit - s->cur));
		s->block->dirty = true;
		kva_front_clean(a, s->block, s->cur, (size_t)(limit - s->cur));
	}
	w->start = s->start;
	kva_window_move(w, s->cur);
	w->limit = limit;
	kva_store_relaxed(&w->packed, s->packed);
	kva_store_relaxed(&w->strip_end, s->strip_end);
	kva_window_show(w);
	a->bytes.handed = s->handed;
	a->bytes.tails = s->tails;
	kva_store_relaxed(&a->bytes.abandoned, s->abandoned);
	kva_store_relaxed(&a->bytes.records, s->records);
	a->bytes.asked_before = kva_arena_asked(a) - s->asked;
}

static bool
is_untouched(const struct kva_front *f)
{
	return f->block && f->window.start == f->block->base &&
		kva_window_used(&f->window) == 0;
}

static void
drop_untouched(struct kva_arena *a, struct kva_front *f, struct kva_block **gone)
{
	struct kva_block *b = f->block;

	if (!is_untouched(f) || b->borrowed)
		return;
	f->block = NULL;
	kva_window_shut(&f->window);
	kva_holding_unlink(a, b);
	kva_holding_uncount(a, b);
	b->next = *gone;
	*gone = b;
}

/* Uncount the whole steps beyond what the window has used, and empty their pages. */
static void
drop_steps(struct kva_arena *a, struct kva_front *f)
{
	struct kva_block *b = f->block;
	size_t used, size, page = kva_os.page(), from;

	if (!b || b->borrowed || kva_holding_is_custom(a))
		return;
	if (kva_place_is_bind(b->place))	/* its memory was promised to stay */
		return;
	used = (size_t)(f->window.bump.cur - b->base);
	size = kva_round_up(used, a->setup.step);
	if (size >= b->size)
		return;
	if (!a->setup.late && f->window.limit > b->base + size) {
		f->window.limit = b->base + size;
		kva_window_show(&f->window);
	}
	from = kva_round_up(size, page);
	b->filled = false;
	if (from < b->capacity)
		kva_os.discard(b->base + from, b->capacity - from);
	kva_arena_unhold(a, b->size - size);
	b->size = size;
}

size_t
kva_arena_compact(struct kva_arena *a, struct kva_block **gone)
{
	size_t before;

	kva_arena_settle(a);
	before = a->bytes.reserved;
	*gone = NULL;
	kva_holding_drop_spares(a, gone);
	for (unsigned i = 0; i < kva_arena_nfronts(a); i++) {
		drop_untouched(a, kva_arena_front(a, (int)i), gone);
		drop_steps(a, kva_arena_front(a, (int)i));
	}
	return before - a->bytes.reserved;
}

/* In front of into's blocks: what is absorbed is younger than into's marks. */
static void
splice_blocks(struct kva_arena *into, struct kva_arena *from)
{
	struct kva_block **link = &from->blocks;

	for (; *link; link = &(*link)->next)
		kva_holding_sign(into, *link);
	*link = into->blocks;
	into->blocks = from->blocks;
	from->blocks = NULL;
	into->nblocks += from->nblocks;
	from->nblocks = 0;
}

/* What the blocks of an arena are charged with. */
static size_t
cost_of_blocks(const struct kva_arena *a)
{
	size_t sum = a->nblocks * sizeof(struct kva_block);

	for (const struct kva_block *b = a->blocks; b; b = b->next)
		sum += b->size;
	return sum;
}

bool
kva_arena_admit(struct kva_arena *into, struct kva_arena *from)
{
	size_t bytes;

	if (!from->blocks)
		return true;
	if (kva_arena_prepare(into) != 0)
		return false;
	kva_arena_settle(from);
	bytes = cost_of_blocks(from);
	kva_arena_uncharge(from, bytes);
	if (kva_arena_charge(into, bytes))
		return true;
	kva_arena_charge_again(from, bytes);
	errno = ENOMEM;
	return false;
}

/* Bytes asked for that are live or abandoned; where nobody counts, those handed
 * out. Its windows are shut. */
static uint64_t
asked_since_reset(const struct kva_arena *a)
{
	if (kva_arena_is_counted(a))
		return kva_arena_asked(a) - a->bytes.asked_before;
	return a->bytes.handed - a->bytes.records;
}

/* The windows of from are shut; what they had left is lost to into as a tail. */
void
kva_arena_absorb(struct kva_arena *into, struct kva_arena *from)
{
	size_t headers = from->nblocks * sizeof(struct kva_block);
	size_t moved = cost_of_blocks(from);

	kva_otel_end(from, NULL);	/* as far as from is concerned */
	if (!from->blocks)
		return;
	for (unsigned i = 0; i < kva_arena_nfronts(from); i++)
		kva_front_leave(from, kva_arena_front(from, (int)i));
	splice_blocks(into, from);
	kva_arena_hold(into, moved);
	into->bytes.headers += headers;
	into->bytes.handed += from->bytes.handed;
	into->bytes.tails += from->bytes.tails;
	into->bytes.abandoned += from->bytes.abandoned;
	into->bytes.records += from->bytes.records;
	into->bytes.asked_before -= asked_since_reset(from);

	from->bytes.reserved -= moved;
	from->bytes.headers -= headers;
	from->bytes.handed = from->bytes.tails = 0;
	from->bytes.abandoned = from->bytes.records = 0;
	from->bytes.asked_before = kva_arena_asked(from);
}

int
kva_arena_init(struct kva_arena *a, uint64_t key, size_t header)
{
	bool is_fenced = a->setup.debug >= KV_ARENA_DEBUG_FILL || a->setup.traced;
	uint16_t gap = is_fenced ? KVA_FENCE_GAP : 0;

	if (kva_watch_on())	/* finds more, and at once */
		gap = KVA_WATCH_GAP;
	if (!kva_arena_charge(a, header)) {
		errno = ENOMEM;
		return -1;
	}
	kva_window_init(&a->front.window, key, gap);
	a->front.window.watched |= kva_arena_is_checked(a);
	a->next_capacity = a->setup.step;
	kva_arena_add_header(a, header);
	return 0;
}

void
kva_arena_fini(struct kva_arena *a)
{
	struct kva_block *b;

	tell_ends(a, NULL, NULL);
	while ((b = a->blocks) != NULL) {
		a->blocks = b->next;
		a->nblocks--;
		kva_holding_drop(a, b);
	}
	while ((b = a->spares) != NULL) {
		a->spares = b->next;
		kva_holding_drop(a, b);
	}
	kva_arena_uncharge(a, a->bytes.reserved);
	kva_os.free(a->front.window.sampler);
	kva_sites_destroy(kva_arena_sites(a));
	if (a->extras)
		kva_os.free(a->extras->shown);
	if (a->setup.in_buffer)
		return;
	kva_os.free(a->tolls);
	kva_os.free(a->fronts);
	kva_os.free(a->extras);
}

static bool
holds(const struct kva_block *list, uintptr_t at)
{
	for (const struct kva_block *b = list; b; b = b->next)
		if (at - (uintptr_t)b->base < b->size)
			return true;
	return false;
}

bool
kva_arena_owns(struct kva_arena *a, const void *p)
{
	kva_arena_settle(a);
	return holds(a->blocks, (uintptr_t)p);
}

void
kva_arena_check(const struct kva_arena *a)
{
	size_t sizes = 0;
	unsigned n = 0;

	for (const struct kva_block *b = a->blocks; b; b = b->next, n++) {
		assert(b->size <= b->capacity);
		sizes += b->size;
	}
	assert(n == a->nblocks);
	n = 0;
	for (const struct kva_block *b = a->spares; b; b = b->next, n++) {
		assert(!b->next || b->capacity >= b->next->capacity);
		sizes += b->size;
	}
	assert(n == a->nspares);
	assert(a->bytes.reserved == a->bytes.headers + sizes);
	assert(a->bytes.reserved <= kva_load_relaxed(&a->charged));
}
