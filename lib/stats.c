/* stats.c [6] -- what an arena has done, and where its bytes are
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Handed-out bytes come from the distance that cur has moved, counts from tallies;
 * both are summed over the windows. Of the bytes handed out, those
 * asked for and not abandoned are used, and the rest is padding. Without detailed
 * statistics nobody knows what was asked for, and used takes the padding in.
 */
#include "stats.h"
#include "front.h"
#include "shard.h"
#include "size.h"

#include <string.h>

static struct kva_arena *
lock_settled(const struct kva_arena *a)
{
	struct kva_arena *locked = (struct kva_arena *)(uintptr_t)a;

	kva_arena_lock(locked);
	kva_arena_settle(locked);
	return locked;
}

/* What the windows of an arena hold together. */
struct view {
	size_t used, left;
};

static struct view
view_of(struct kva_arena *a)
{
	struct view v = { 0, 0 };

	for (unsigned i = 0; i < kva_arena_nfronts(a); i++) {
		struct kva_front *f = kva_arena_front(a, (int)i);

		v.used += kva_window_used(&f->window);
		v.left += kva_window_slack(&f->window) + kva_arena_left(f);
	}
	for (struct kva_shard *s = a->team ? a->team->shards : NULL; s; s = s->next) {
		v.used += kva_window_used(&s->window);
		v.left += kva_window_slack(&s->window);
		if (!s->front || !kva_front_ends_with(s->front, &s->window))
			v.left += kva_window_room(&s->window);
	}
	for (const struct kva_block *b = a->spares; b; b = b->next)
		v.left += b->size;
	return v;
}

static struct kva_counts
counts_of(const struct kva_arena *a)
{
	struct kva_counts sum;

	memset(&sum, 0, sizeof sum);
	if (a->tolls)
		sum = a->tolls->counts;
	kva_window_count(&a->front.window, &sum);
	if (a->team)
		for (struct kva_shard *s = a->team->shards; s; s = s->next)
			kva_window_count(&s->window, &sum);
	return sum;
}

static void
read_bytes(struct kva_arena *a, uint64_t asked, kv_arena_stats_t *s)
{
	struct view v = view_of(a);
	uint64_t records = kva_load_relaxed(&a->bytes.records);
	uint64_t handed = a->bytes.handed + v.used - records;
	uint64_t dead = kva_load_relaxed(&a->bytes.abandoned);

	s->current_memory_usage = a->bytes.reserved;
	s->peak_memory_usage = a->bytes.peak;
	s->header_bytes = a->bytes.headers + records;
	s->tail_bytes = a->bytes.tails;
	s->free_bytes = v.left;
	s->abandoned_bytes = dead;
	s->used_bytes = handed - dead;
	if (kva_arena_is_counted(a)) {
		s->used_bytes = asked - a->bytes.asked_before - dead;
		s->padding_bytes = handed - dead - s->used_bytes;
	}
	s->total_bytes_wasted = s->padding_bytes + s->tail_bytes;
	s->children_memory_usage = kva_load_relaxed(&a->charged) - a->bytes.reserved;
}

static void
read_tolls(const struct kva_arena *a, kv_arena_stats_t *s)
{
	const struct kva_tolls *t = a->tolls;

	s->blocks = a->nblocks + a->nspares;
	s->resets = a->resets;
	s->failed_allocations = kva_load_relaxed(&a->failed);
	if (!t)
		return;
	s->block_allocations = t->fresh;
	s->block_reuses = t->reused;
	s->blocks_returned = t->returned;
	s->large_allocations = t->own;
	s->numa_fallbacks = t->misplaced;
	for (unsigned i = 0; i < 8; i++)
		s->alignment_requests[i] = kva_load_relaxed(&t->alignments[i]);
}

static void
read_counts(const struct kva_counts *c, kv_arena_stats_t *s)
{
	for (unsigned i = 0; i < KV_ARENA_TALLIES; i++) {
		s->size_distribution[i] = c->calls[i];
		s->total_allocations += c->calls[i];
	}
}

void
kva_stats_read(const struct kva_arena *arena, kv_arena_stats_t *s)
{
	struct kva_arena *a = lock_settled(arena);
	struct kva_counts c = counts_of(a);

	memset(s, 0, sizeof *s);
	read_bytes(a, c.bytes, s);
	read_tolls(a, s);
	read_counts(&c, s);
	s->total_bytes_allocated = c.bytes - (a->tolls ? a->tolls->asked_before : 0);
	if (!kva_arena_is_counted(a))
		s->total_bytes_allocated = s->used_bytes + s->abandoned_bytes;
	if (a->team) {
		s->shards = a->team->nshards;
		s->shard_handovers = a->team->handovers;
		s->lock_waits = kva_load_relaxed(&a->team->waits);
	}
	kva_arena_unlock(a);
}

/* Owners go on writing their tallies, so what they show now is taken off what is
 * folded: the sums fall to 0, in the arithmetic of unsigned numbers. */
void
kva_stats_reset(struct kva_arena *arena)
{
	struct kva_arena *a = lock_settled(arena);
	struct kva_counts now = counts_of(a);
	struct kva_counts *folded = a->tolls ? &a->tolls->counts : NULL;

	if (folded) {
		for (unsigned i = 0; i < KV_ARENA_TALLIES; i++)
			folded->calls[i] -= now.calls[i];
		memset((char *)a->tolls + sizeof *folded, 0,
			sizeof *a->tolls - sizeof *folded);
		a->tolls->asked_before = now.bytes;
	}
	kva_store_relaxed(&a->failed, 0);
	a->resets = 0;
	a->bytes.peak = a->bytes.reserved;
	kva_arena_unlock(a);
}

size_t
kva_stats_reserved(const struct kva_arena *arena)
{
	struct kva_arena *a = lock_settled(arena);
	size_t bytes = a->bytes.reserved;

	kva_arena_unlock(a);
	return bytes;
}

size_t
kva_stats_handed(const struct kva_arena *arena)
{
	struct kva_arena *a = lock_settled(arena);
	size_t bytes = a->bytes.handed + view_of(a).used -
		kva_load_relaxed(&a->bytes.records);

	kva_arena_unlock(a);
	return bytes;
}

/* ---- NUMA ------------------------------------------------------------------------ */

#define BATCH 1024

static void
count_pages(const int *node, size_t n, kva_place_t place, kv_arena_numa_report_t *r)
{
	int wanted = kva_place_node(place);

	for (size_t i = 0; i < n; i++) {
		if (node[i] < 0) {
			r->pages_untouched++;
			continue;
		}
		if (node[i] < KV_ARENA_MAX_NODES)
			r->pages_on[node[i]]++;
		if (wanted == KVA_NO_NODE || wanted == node[i])
			r->pages_wanted++;
		else
			r->pages_elsewhere++;
	}
}

static int
ask_block(const struct kva_block *b, kv_arena_numa_report_t *r)
{
	void *pages[BATCH];
	int node[BATCH];
	size_t page = kva_os.page(), n = 0;
	char *first = (char *)kva_round_down((uintptr_t)b->base, page);

	for (char *p = first; p < b->base + b->size; p += page) {
		pages[n++] = p;
		if (n < BATCH && p + page < b->base + b->size)
			continue;
		if (kva_os.where(pages, node, n) != 0)
			return -1;
		count_pages(node, n, b->place, r);
		n = 0;
	}
	return 0;
}

int
kva_stats_numa(const struct kva_arena *arena, kv_arena_numa_report_t *r)
{
	struct kva_arena *a = lock_settled(arena);
	int result = 0;

	memset(r, 0, sizeof *r);
	r->nodes = kva_os.nodes();
	r->wanted_node = kva_place_node(a->setup.place);
	r->permitted = kva_source_may_place();
	r->fallbacks = a->tolls ? a->tolls->misplaced : 0;
	r->last_errno = r->fallbacks ? (int)a->tolls->refusal
		: kva_source_place_errno();
	for (const struct kva_block *b = a->blocks; b && result == 0; b = b->next)
		result = ask_block(b, r);
	for (const struct kva_block *b = a->spares; b && result == 0; b = b->next)
		result = ask_block(b, r);
	kva_arena_unlock(a);
	return result;
}
