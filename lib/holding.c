/* holding.c [4] -- the blocks an arena holds
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "holding.h"
#include "charge.h"
#include "size.h"
#include "watch.h"

bool
kva_holding_is_custom(const struct kva_arena *a)
{
	return a->extras && kva_source_is_custom(&a->extras->source);
}

/* The page that follows the block, where the arena wants one that cannot be touched.
 * If the system will not protect it, the block serves without. */
static struct kva_block *
guarded_take(struct kva_arena *a, struct kva_want *want)
{
	size_t page = kva_os.page();
	struct kva_block *b;

	if (a->setup.debug < KV_ARENA_DEBUG_GUARD)
		return kva_cache_take(a->cache, want);
	want->capacity += page;
	b = kva_cache_take(a->cache, want);
	if (!b || kva_os.protect(b->base + b->capacity - page, page, KVA_ACCESS_NONE))
		return b;
	b->capacity -= page;
	b->guarded = true;
	return b;
}

/* Undo what was done to a block's pages. If the system refuses, it stays sealed. */
static void
open_up(struct kva_block *b)
{
	if (b->guarded)
		b->capacity += kva_os.page();
	if (b->guarded || b->sealed)
		b->sealed = kva_os.protect(b->base, b->capacity, KVA_ACCESS_WRITE) != 0;
	b->guarded = false;
}

/* Interleaved memory is even page by page, and so, within 1 %, in huge pages once
 * there are a hundred for each node. */
static bool
wants_small_pages(const struct kva_arena *a)
{
	uint64_t many = (uint64_t)100 * KVA_SEGMENT_SIZE * (unsigned)kva_os.nodes();

	if (!a->setup.small_first)
		return a->setup.small_pages;
	return kva_load_relaxed(&a->charged) < many;
}

void
kva_holding_sign(const struct kva_arena *a, struct kva_block *b)
{
	if (!b->segment && !kva_holding_is_custom(a))
		kva_source_name(b, kva_arena_name(a));
}

static struct kva_block *
obtain(struct kva_arena *a, size_t capacity)
{
	struct kva_want want = {
		.capacity = capacity,
		.place = a->setup.place,
		.small_pages = wants_small_pages(a),
	};
	struct kva_block *b;
	int node;

	if (kva_holding_is_custom(a))
		return kva_source_take(&a->extras->source, capacity);
	if (a->setup.local) {
		node = kva_os.node_here();
		want.place = node < 0 || node >= KVA_NODES ? KVA_PLACE_ANY
			: KVA_PLACE_PREFERRED(node);
	}
	b = guarded_take(a, &want);
	if (b)
		kva_holding_sign(a, b);
	return b;
}

/* What a block is charged with. */
static size_t
cost(const struct kva_block *b)
{
	return b->size + sizeof *b;
}

/* Give a block away, and only then its charge back: or the source would have it and
 * what another thread gets in its place, and a limit would not hold. */
static void
surrender(struct kva_arena *a, struct kva_block *b, bool keep_warm)
{
	size_t charged = cost(b);

	open_up(b);
	if (b->borrowed) {	/* and its descriptor is in the buffer too */
		kva_watch_restore(b->base, b->capacity);
	} else if (kva_holding_is_custom(a)) {
		kva_source_give(&a->extras->source, b);
	} else if (keep_warm && !b->sealed) {
		kva_cache_put(a->cache, b);
	} else {
		kva_cache_discard(a->cache, b);
	}
	kva_arena_uncharge(a, charged);
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
	if (!kva_holding_is_custom(a))
		capacity = kva_cache_capacity(capacity);
	else
		capacity = kva_round_up(capacity, 16);
	counted = kva_round_up(room, own ? KV_ARENA_ALIGNMENT : a->setup.step);
	if (counted > capacity || kva_holding_is_custom(a))
		counted = capacity;
	if (!kva_arena_charge(a, counted + sizeof *b)) {
		counted = kva_round_up(room, 16);
		if (kva_holding_is_custom(a))
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
	surrender(a, b, true);
}

void
kva_holding_link(struct kva_arena *a, struct kva_block *b)
{
	b->next = a->blocks;
	a->blocks = b;
	a->nblocks++;
	a->bytes.headers += sizeof *b;
	kva_arena_hold(a, cost(b));
	kva_probe(block, kva_arena_public(a), kva_arena_name(a), b->capacity, b->base);
	if (b->warm)
		a->tolls->reused++;
	else
		a->tolls->fresh++;
	if (b->misplaced) {
		a->tolls->misplaced++;
		a->tolls->refusal = b->refusal;
	}
}

/* A block leaves the arena, charged until it is surrendered. It is in no list. */
void
kva_holding_uncount(struct kva_arena *a, struct kva_block *b)
{
	a->bytes.headers -= sizeof *b;
	a->bytes.reserved -= cost(b);
	a->tolls->returned++;
}

void
kva_holding_drop(struct kva_arena *a, struct kva_block *b)
{
	kva_holding_uncount(a, b);
	surrender(a, b, true);
}

bool
kva_holding_is_worth(const struct kva_arena *a, const struct kva_block *b)
{
	return b->borrowed ||
		(!b->own && !b->sealed && a->nspares < a->setup.max_spares);
}

/* A block that no longer holds an allocation: kept, the largest first, or dropped. */
static void
retire(struct kva_arena *a, struct kva_block *b)
{
	struct kva_block **link = &a->spares;

	a->nblocks--;
	kva_watch_forbid(b->base, b->size);
	b->dirty = true;
	if (!kva_holding_is_worth(a, b)) {
		kva_holding_drop(a, b);
		return;
	}
	while (*link && (*link)->capacity > b->capacity)
		link = &(*link)->next;
	b->next = *link;
	*link = b;
	a->nspares++;
}

void
kva_holding_retire(struct kva_arena *a, struct kva_block *last)
{
	struct kva_block *b;

	while ((b = a->blocks) != last) {
		a->blocks = b->next;
		retire(a, b);
	}
}

/* A spare that a whole round did not need is given up, one each round. */
void
kva_holding_forget(struct kva_arena *a)
{
	struct kva_block **link = &a->spares;

	if (!*link)
		return;
	while ((*link)->next)
		link = &(*link)->next;
	if ((*link)->borrowed)
		return;
	a->nspares--;
	kva_holding_drop(a, *link);
	*link = NULL;
}

void
kva_holding_take_spare(struct kva_arena *a, struct kva_block **link)
{
	struct kva_block *b = *link;

	*link = b->next;
	a->nspares--;
	b->next = a->blocks;
	a->blocks = b;
	a->nblocks++;
	a->tolls->reused++;
}

static void
push(struct kva_block **list, struct kva_block *b)
{
	b->next = *list;
	*list = b;
}

void
kva_holding_drop_spares(struct kva_arena *a, struct kva_block **gone)
{
	struct kva_block *b, *kept = NULL;

	while ((b = a->spares) != NULL) {
		a->spares = b->next;
		if (b->borrowed) {
			b->next = NULL;
			kept = b;
		} else {
			kva_holding_uncount(a, b);
			push(gone, b);
		}
	}
	a->spares = kept;
	a->nspares = kept ? 1 : 0;
}

void
kva_holding_unlink(struct kva_arena *a, struct kva_block *b)
{
	struct kva_block **link = &a->blocks;

	while (*link != b)
		link = &(*link)->next;
	*link = b->next;
	a->nblocks--;
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
