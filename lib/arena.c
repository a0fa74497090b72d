/* arena.c [4] -- one arena: its blocks, its front, its bytes
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
#include "arena.h"
#include "size.h"
#include "watch.h"

#include <string.h>

/* ---- Bytes held ------------------------------------------------------------------ */

static bool
charge_one(struct kva_arena *a, size_t bytes)
{
	size_t limit = a->extras ? a->extras->memory_limit : 0;
	size_t held = kva_load_relaxed(&a->charged);

	do {
		if (limit && (held > limit || bytes > limit - held))
			return false;
	} while (!kva_cas_weak_relaxed(&a->charged, &held, held + bytes));
	return true;
}

/* relaxed: the sum alone decides, it guards no other memory. */
bool
kva_arena_charge(struct kva_arena *a, size_t bytes)
{
	for (struct kva_arena *p = a; p; p = p->parent)
		if (!charge_one(p, bytes)) {
			for (struct kva_arena *q = a; q != p; q = q->parent)
				kva_sub_relaxed(&q->charged, bytes);
			return false;
		}
	return true;
}

void
kva_arena_uncharge(struct kva_arena *a, size_t bytes)
{
	for (struct kva_arena *p = a; p; p = p->parent)
		kva_sub_relaxed(&p->charged, bytes);
}

static void
hold(struct kva_arena *a, size_t bytes)
{
	a->bytes.reserved += bytes;
	if (a->bytes.peak < a->bytes.reserved)
		a->bytes.peak = a->bytes.reserved;
}

static void
unhold(struct kva_arena *a, size_t bytes)
{
	a->bytes.reserved -= bytes;
	kva_arena_uncharge(a, bytes);
}

void
kva_arena_add_header(struct kva_arena *a, size_t size)
{
	a->bytes.headers += size;
	hold(a, size);
}

/* What a block is charged with. */
static size_t
cost(const struct kva_block *b)
{
	return b->size + sizeof *b;
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
	hold(a, more);
	return true;
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

/* Late counting is not refused: nobody has a limit. */
static void
settle(struct kva_arena *a, struct kva_front *f)
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
		settle(a, kva_arena_front(a, (int)i));
}

/* ---- Windows ----------------------------------------------------------------------- */

unsigned
kva_arena_nfronts(const struct kva_arena *a)
{
	return a->fronts ? (unsigned)kva_os.nodes() : 1;
}

struct kva_front *
kva_arena_front(struct kva_arena *a, int node)
{
	return node > 0 && a->fronts ? &a->fronts[node - 1] : &a->front;
}

uint64_t
kva_arena_asked(const struct kva_arena *a)
{
	struct kva_counts sum = { .bytes = a->tolls ? a->tolls->counts.bytes : 0 };

	kva_window_count(&a->front.window, &sum);
	return sum.bytes;
}

/* Zeroed arenas clear memory when a window comes to look at it. */
static void
clean(const struct kva_arena *a, const struct kva_block *b, char *p, size_t size)
{
	if (a->setup.zero && b->dirty) {
		kva_watch_allow(p, size);
		memset(p, 0, size);
		kva_watch_forbid(p, size);
	}
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

static void
leave_block(struct kva_arena *a, struct kva_front *f)
{
	if (!f->block)
		return;
	f->newest = NULL;	/* it keeps its window, all of which counts now */
	settle(a, f);
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
	clean(a, f->block, f->window.limit, size);
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

static void
look_from_start(struct kva_arena *a, struct kva_front *f)
{
	struct kva_block *b = f->block;
	size_t size = a->setup.late ? b->capacity : stretch(a, 0, b->size);

	clean(a, b, b->base, size);
	kva_window_open(&f->window, b->base, size);
}

/* ---- Room in what the arena holds --------------------------------------------------- */

/* Bytes that a window needs beyond its room: at most, as a strip may save some. */
static size_t
missing(const struct kva_window *w, size_t size, size_t alignment)
{
	size_t pad = alignment > KV_ARENA_ALIGNMENT
		? kva_padding((uintptr_t)w->bump.cur, alignment) : 0;
	size_t need = pad + kva_round_up(size, KV_ARENA_ALIGNMENT) + w->gap +
		(alignment < KV_ARENA_ALIGNMENT ? KV_ARENA_ALIGNMENT : 0);
	size_t room = kva_window_room(w);

	return need > room ? need - room : 0;
}

static bool
grow_in_place(struct kva_arena *a, struct kva_front *f, size_t size, size_t alignment)
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

static void
take_spare(struct kva_arena *a, struct kva_block **link)
{
	struct kva_block *b = *link;

	*link = b->next;
	a->nspares--;
	b->next = a->blocks;
	a->blocks = b;
	a->nblocks++;
	a->tolls->reused++;
}

static int
node_of(const struct kva_arena *a, const struct kva_front *f)
{
	return f == &a->front ? 0 : (int)(f - a->fronts) + 1;
}

static bool
use_spare(struct kva_arena *a, struct kva_front *f, size_t room)
{
	for (struct kva_block **link = &a->spares; *link; link = &(*link)->next) {
		struct kva_block *b = *link;

		if (b->capacity < room)
			return false;	/* the largest come first */
		if (a->fronts && kva_place_node(b->place) != node_of(a, f))
			continue;
		leave_block(a, f);
		take_spare(a, link);
		f->block = b;
		look_from_start(a, f);
		return true;
	}
	return false;
}

bool
kva_arena_make_room(struct kva_arena *a, struct kva_front *f, size_t size,
	size_t alignment)
{
	size_t room;

	if (!kva_room_for(size, alignment, &room))
		return false;
	room += f->window.gap;
	if (kva_window_fits(&f->window, size, alignment))
		return true;
	if (!grow_in_place(a, f, size, alignment)) {
		if (!use_spare(a, f, room))
			return false;
		if (!kva_window_fits(&f->window, size, alignment))
			grow_in_place(a, f, size, alignment);
	}
	return kva_window_fits(&f->window, size, alignment);
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

/* ---- Blocks ------------------------------------------------------------------------- */

static bool
is_custom(const struct kva_arena *a)
{
	return a->extras && kva_source_is_custom(&a->extras->source);
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

static struct kva_block *
obtain(struct kva_arena *a, size_t capacity)
{
	struct kva_want want = {
		.capacity = capacity,
		.place = a->setup.place,
		.small_pages = a->setup.small_pages,
	};
	int node;

	if (is_custom(a))
		return kva_source_take(&a->extras->source, capacity);
	if (a->setup.local) {
		node = kva_os.node_here();
		want.place = node < 0 || node >= KVA_NODES ? KVA_PLACE_ANY
			: KVA_PLACE_PREFERRED(node);
	}
	return kva_cache_take(a->cache, &want);
}

static void
surrender(struct kva_arena *a, struct kva_block *b, bool keep_warm)
{
	if (b->borrowed) {	/* and its descriptor is in the buffer too */
		kva_watch_restore(b->base, b->capacity);
	} else if (is_custom(a)) {
		kva_source_give(&a->extras->source, b);
	} else if (keep_warm) {
		kva_cache_put(a->cache, b);
	} else {
		kva_cache_discard(a->cache, b);
	}
}

struct kva_block *
kva_arena_fetch(struct kva_arena *a, size_t size, size_t alignment, bool own)
{
	size_t room, capacity, counted;
	struct kva_block *b;

	if (!kva_room_for(size, alignment, &room)) {
		errno = ENOMEM;
		return NULL;
	}
	room += a->front.window.gap;
	capacity = kva_load_relaxed(&a->next_capacity);
	if (own || capacity < room)
		capacity = room;
	if (!is_custom(a))
		capacity = kva_cache_capacity(capacity);
	else
		capacity = kva_round_up(capacity, 16);
	counted = kva_round_up(room, own ? KV_ARENA_ALIGNMENT : a->setup.step);
	if (counted > capacity || is_custom(a))
		counted = capacity;
	if (!kva_arena_charge(a, counted + sizeof *b)) {
		counted = kva_round_up(room, 16);
		if (is_custom(a))
			capacity = counted;
		if (!kva_arena_charge(a, counted + sizeof *b)) {
			errno = ENOMEM;
			return NULL;
		}
	}
	b = obtain(a, capacity);
	if (!b) {
		kva_arena_uncharge(a, counted + sizeof *b);
		errno = ENOMEM;
		return NULL;
	}
	b->size = counted;
	b->own = own;
	return b;
}

void
kva_arena_unfetch(struct kva_arena *a, struct kva_block *b)
{
	kva_arena_uncharge(a, cost(b));
	surrender(a, b, true);
}

static void
link_block(struct kva_arena *a, struct kva_block *b)
{
	b->next = a->blocks;
	a->blocks = b;
	a->nblocks++;
	a->bytes.headers += sizeof *b;
	hold(a, cost(b));
	if (b->warm)
		a->tolls->reused++;
	else
		a->tolls->fresh++;
	if (b->misplaced)
		a->tolls->misplaced++;
}

/* A block leaves the arena. It is in no list. */
static void
uncount(struct kva_arena *a, struct kva_block *b)
{
	a->bytes.headers -= sizeof *b;
	unhold(a, cost(b));
	a->tolls->returned++;
}

static void
drop_block(struct kva_arena *a, struct kva_block *b)
{
	uncount(a, b);
	surrender(a, b, true);
}

void
kva_arena_install(struct kva_arena *a, struct kva_front *f, struct kva_block *b)
{
	size_t next = 2 * b->capacity;

	leave_block(a, f);
	link_block(a, b);
	f->block = b;
	look_from_start(a, f);
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

	clean(a, b, p, size);
	link_block(a, b);
	a->tolls->own++;
	a->bytes.handed += handed;
	a->bytes.tails += b->size - handed;
	kva_window_tally(w, size);
	kva_arena_fold(a, w);	/* w may look at nothing, and then nobody else does */
	kva_watch_allow(p, size);
	return p;
}

/* ---- Allocate -------------------------------------------------------------------------- */

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

/* ---- Reset, save, restore ---------------------------------------------------------------- */

static bool
is_worth_keeping(const struct kva_arena *a, const struct kva_block *b)
{
	return b->borrowed || (!b->own && a->nspares < a->setup.max_spares);
}

/* A block that no longer holds an allocation: kept, the largest first, or dropped. */
static void
retire(struct kva_arena *a, struct kva_block *b)
{
	struct kva_block **link = &a->spares;

	a->nblocks--;
	kva_watch_forbid(b->base, b->size);
	b->dirty = true;
	if (!is_worth_keeping(a, b)) {
		drop_block(a, b);
		return;
	}
	while (*link && (*link)->capacity > b->capacity)
		link = &(*link)->next;
	b->next = *link;
	*link = b;
	a->nspares++;
}

static void
retire_blocks_above(struct kva_arena *a, struct kva_block *last)
{
	struct kva_block *b;

	while ((b = a->blocks) != last) {
		a->blocks = b->next;
		retire(a, b);
	}
}

/* A spare that a whole round did not need is given up, one each round. */
static void
forget_unused_spare(struct kva_arena *a)
{
	struct kva_block **link = &a->spares;

	if (!*link)
		return;
	while ((*link)->next)
		link = &(*link)->next;
	if ((*link)->borrowed)
		return;
	a->nspares--;
	drop_block(a, *link);
	*link = NULL;
}

/* The common case: an arena of one block looks at it anew. */
static bool
start_over(struct kva_arena *a)
{
	struct kva_front *f = &a->front;
	struct kva_block *b = a->blocks;

	if (!b || b->next || b != f->block || a->spares || a->fronts ||
	    !is_worth_keeping(a, b))
		return false;
	settle(a, f);
	kva_arena_fold(a, &f->window);
	kva_watch_forbid(b->base, b->size);
	b->dirty = true;
	a->tolls->reused++;
	look_from_start(a, f);
	return true;
}

static void
retire_all(struct kva_arena *a)
{
	for (unsigned i = 0; i < kva_arena_nfronts(a); i++)
		leave_block(a, kva_arena_front(a, (int)i));
	forget_unused_spare(a);
	retire_blocks_above(a, NULL);
	if (a->spares && !a->fronts)
		use_spare(a, &a->front, 0);
}

void
kva_arena_reset(struct kva_arena *a)
{
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
	};
}

/* If the block has grown since, the steps above the old limit stay counted; if it was
 * compacted, there is less of it. */
void
kva_arena_restore(struct kva_arena *a, const struct kva_snapshot *s)
{
	struct kva_window *w = &a->front.window;
	char *limit = s->limit;

	if (!a->setup.late && s->block && limit > s->block->base + s->block->size)
		limit = s->block->base + s->block->size;

	settle(a, &a->front);
	kva_arena_fold(a, w);
	retire_blocks_above(a, s->blocks);
	a->front.block = s->block;
	if (s->block) {
		kva_watch_forbid(s->cur, (size_t)(limit - s->cur));
		s->block->dirty = true;
		clean(a, s->block, s->cur, (size_t)(limit - s->cur));
	}
	w->start = s->start;
	kva_store_relaxed(&w->bump.cur, s->cur);
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

/* ---- Compact ------------------------------------------------------------------------------- */

static void
push(struct kva_block **list, struct kva_block *b)
{
	b->next = *list;
	*list = b;
}

static void
drop_spares(struct kva_arena *a, struct kva_block **gone)
{
	struct kva_block *b, *kept = NULL;

	while ((b = a->spares) != NULL) {
		a->spares = b->next;
		if (b->borrowed) {
			b->next = NULL;
			kept = b;
		} else {
			uncount(a, b);
			push(gone, b);
		}
	}
	a->spares = kept;
	a->nspares = kept ? 1 : 0;
}

static bool
is_untouched(const struct kva_front *f)
{
	return f->block && f->window.start == f->block->base &&
		kva_window_used(&f->window) == 0;
}

static void
unlink_block(struct kva_arena *a, struct kva_block *b)
{
	struct kva_block **link = &a->blocks;

	while (*link != b)
		link = &(*link)->next;
	*link = b->next;
	a->nblocks--;
}

static void
drop_untouched(struct kva_arena *a, struct kva_front *f, struct kva_block **gone)
{
	struct kva_block *b = f->block;

	if (!is_untouched(f) || b->borrowed)
		return;
	f->block = NULL;
	kva_arena_fold(a, &f->window);
	kva_window_shut(&f->window);
	unlink_block(a, b);
	uncount(a, b);
	push(gone, b);
}

/* Uncount the whole steps beyond what the window has used, and empty their pages. */
static void
drop_steps(struct kva_arena *a, struct kva_front *f)
{
	struct kva_block *b = f->block;
	size_t used, size, page = kva_os.page(), from;

	if (!b || b->borrowed || is_custom(a))
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
	if (from < b->capacity)
		kva_os.discard(b->base + from, b->capacity - from);
	unhold(a, b->size - size);
	b->size = size;
}

size_t
kva_arena_compact(struct kva_arena *a, struct kva_block **gone)
{
	size_t before;

	kva_arena_settle(a);
	before = a->bytes.reserved;
	*gone = NULL;
	drop_spares(a, gone);
	for (unsigned i = 0; i < kva_arena_nfronts(a); i++) {
		drop_untouched(a, kva_arena_front(a, (int)i), gone);
		drop_steps(a, kva_arena_front(a, (int)i));
	}
	return before - a->bytes.reserved;
}

void
kva_arena_give_back(struct kva_arena *a, struct kva_block *gone)
{
	struct kva_block *b;

	while ((b = gone) != NULL) {
		gone = b->next;
		surrender(a, b, false);
	}
}

/* ---- Absorb ---------------------------------------------------------------------------------- */

/* Count bytes that were counted a moment ago: no limit is asked. */
static void
charge_again(struct kva_arena *a, size_t bytes)
{
	for (struct kva_arena *p = a; p; p = p->parent)
		kva_add_relaxed(&p->charged, bytes);
}

/* In front of into's blocks: what is absorbed is younger than into's marks. */
static void
splice_blocks(struct kva_arena *into, struct kva_arena *from)
{
	struct kva_block **link = &from->blocks;

	while (*link)
		link = &(*link)->next;
	*link = into->blocks;
	into->blocks = from->blocks;
	from->blocks = NULL;
	into->nblocks += from->nblocks;
	from->nblocks = 0;
}

/* The windows of from are shut; what they had left is lost to into as a tail. */
int
kva_arena_absorb(struct kva_arena *into, struct kva_arena *from)
{
	size_t headers = from->nblocks * sizeof(struct kva_block), moved = headers;

	if (!from->blocks)
		return 0;
	if (kva_arena_prepare(into) != 0)
		return -1;
	kva_arena_settle(from);
	for (struct kva_block *b = from->blocks; b; b = b->next)
		moved += b->size;
	kva_arena_uncharge(from, moved);
	if (!kva_arena_charge(into, moved)) {
		charge_again(from, moved);
		errno = ENOMEM;
		return -1;
	}
	for (unsigned i = 0; i < kva_arena_nfronts(from); i++)
		leave_block(from, kva_arena_front(from, (int)i));
	splice_blocks(into, from);
	hold(into, moved);
	into->bytes.headers += headers;
	into->bytes.handed += from->bytes.handed;
	into->bytes.tails += from->bytes.tails;
	into->bytes.abandoned += from->bytes.abandoned;
	into->bytes.records += from->bytes.records;
	into->bytes.asked_before -= kva_arena_asked(from) - from->bytes.asked_before;

	from->bytes.reserved -= moved;
	from->bytes.headers -= headers;
	from->bytes.handed = from->bytes.tails = 0;
	from->bytes.abandoned = from->bytes.records = 0;
	from->bytes.asked_before = kva_arena_asked(from);
	return 0;
}

/* ---- Init and fini ------------------------------------------------------------------------------ */

int
kva_arena_init(struct kva_arena *a, uint64_t key, size_t header)
{
	uint16_t gap = kva_watch_on() ? KVA_WATCH_GAP : 0;

	if (!kva_arena_charge(a, header)) {
		errno = ENOMEM;
		return -1;
	}
	kva_window_init(&a->front.window, key, gap);
	a->next_capacity = a->setup.step;
	kva_arena_add_header(a, header);
	return 0;
}

void
kva_arena_fini(struct kva_arena *a)
{
	struct kva_block *b;

	while ((b = a->blocks) != NULL) {
		a->blocks = b->next;
		a->nblocks--;
		drop_block(a, b);
	}
	while ((b = a->spares) != NULL) {
		a->spares = b->next;
		drop_block(a, b);
	}
	kva_arena_uncharge(a, a->bytes.reserved);
	if (a->setup.in_buffer)
		return;
	kva_os.free(a->tolls);
	kva_os.free(a->fronts);
	kva_os.free(a->extras);
}

/* ---- Questions ----------------------------------------------------------------------------------- */

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
