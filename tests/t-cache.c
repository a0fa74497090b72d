/* t-cache.c -- lib/cache.c: which block is given, what is kept, what goes back
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "atomic.h"
#include "cache.h"
#include "kvos.h"
#include "kvpuppet.h"
#include "kvrefuse.h"
#include "kvtest.h"
#include "watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define PAGE KVA_SMALLEST_BLOCK
#define SEGMENT KVA_SEGMENT_SIZE
#define ANY KVA_PLACE_ANY

static kv_arena_cache_t *cache;

static void
start(void)
{
	kvo_begin(KVO_FOUR_NODES);
	cache = kv_arena_cache_create(256 * MIB);
	kvt_true(cache != NULL);
}

/* Whatever a test did, nothing is left: neither memory nor descriptors. */
static void
finish(void)
{
	kvo_heal();
	kva_cache_check(cache);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
	kvt_eq(kvo_counts().pieces, 0);
	kvt_eq(kvo_counts().mapped, 0);
	kvo_end();
}

static struct kva_block *
take_at(size_t capacity, kva_place_t place, bool small_pages)
{
	struct kva_want want = { capacity, place, small_pages };
	struct kva_block *b = kva_cache_take(cache, &want);

	kva_cache_check(cache);
	if (b) {
		kvt_eq(b->capacity, kva_cache_capacity(capacity));
		kvt_eq(b->place, place);
	}
	return b;
}

static struct kva_block *
take(size_t capacity)
{
	return take_at(capacity, ANY, false);
}

static void
put(struct kva_block *b)
{
	kva_cache_put(cache, b);
	kva_cache_check(cache);
}

static void
discard(struct kva_block *b)
{
	kva_cache_discard(cache, b);
	kva_cache_check(cache);
}

static kv_arena_cache_stats_t
stats(void)
{
	kv_arena_cache_stats_t s;

	kvt_eq(kv_arena_cache_get_stats(cache, &s), 0);
	return s;
}

static uint64_t
calls(enum kva_call call)
{
	return kvo_counts().calls[call];
}

static size_t
mapped(void)
{
	return (size_t)kvo_counts().mapped;
}

/* Use all of a block. */
static void
fill(struct kva_block *b, char byte)
{
	kva_watch_allow(b->base, b->capacity);
	memset(b->base, byte, b->capacity);
}

static bool
is_all(struct kva_block *b, char byte)
{
	kvo_look_at(b->base, b->capacity);
	return b->base[0] == byte &&
		memcmp(b->base, b->base + 1, b->capacity - 1) == 0;
}

/* Under a checker, blocks rest before they serve again. */
static bool
serves_at_once(void)
{
	if (!kva_watch_on())
		return true;
	kvt_skip("a checker keeps blocks back");
	return false;
}

/* ---- Capacities ------------------------------------------------------------------ */

START_TEST(capacity_is_a_power_of_two_or_whole_segments)
{
	kvt_eq(kva_cache_capacity(1), PAGE);
	for (size_t size = PAGE; size <= SEGMENT; size *= 2) {
		kvt_eq(kva_cache_capacity(size), size);
		kvt_eq(kva_cache_capacity(size - 1), size);
		kvt_eq(kva_cache_capacity(size + 1), 2 * size);
	}
	kvt_eq(kva_cache_capacity(2 * SEGMENT + 1), 3 * SEGMENT);
	kvt_eq(kva_cache_capacity(9 * SEGMENT), 9 * SEGMENT);
}
END_TEST

START_TEST(blocks_of_all_capacities_can_be_had)
{
	for (size_t size = PAGE; size <= 8 * MIB; size *= 2) {
		struct kva_block *b = take(size);

		kvt_true(b != NULL && is_all(b, 0));
		kvt_true(!b->dirty && !b->warm);
		kvt_eq((uintptr_t)b->base % (size < SEGMENT ? size : SEGMENT), 0);
		fill(b, 1);
		put(b);
	}
}
END_TEST

/* ---- Segments ---------------------------------------------------------------------- */

START_TEST(small_blocks_are_cut_from_one_segment_in_order)
{
	struct kva_block *b[513];

	for (int i = 0; i < 513; i++) {
		b[i] = take(PAGE);
		kvt_true(b[i] != NULL);
		if (i > 0 && i < 512)
			kvt_true(b[i]->base == b[i - 1]->base + PAGE);
		kvt_eq(calls(KVA_CALL_MAP), i < 512 ? 1 : 2);
	}
	for (int i = 0; i < 513; i++)
		put(b[i]);
	kvt_eq(stats().cached_bytes, 513 * PAGE);
}
END_TEST

START_TEST(each_segment_serves_one_class)
{
	struct kva_block *small = take(PAGE), *larger = take(64 * KIB);

	kvt_eq(calls(KVA_CALL_MAP), 2);
	kvt_true(small->segment != larger->segment);
	discard(small);
	kvt_eq(mapped(), SEGMENT);
	discard(larger);
}
END_TEST

START_TEST(a_segment_goes_when_its_last_slot_is_cold)
{
	struct kva_block *a = take(PAGE), *b = take(PAGE), *c = take(PAGE);

	discard(b);
	discard(a);
	kvt_eq(mapped(), SEGMENT);
	kvt_eq(stats().held_bytes, SEGMENT);
	discard(c);
	kvt_eq(mapped(), 0);
	kvt_eq(stats().held_bytes, 0);
	kvt_eq(stats().returned_bytes, 3 * PAGE);
}
END_TEST

START_TEST(a_warm_block_keeps_its_segment)
{
	struct kva_block *a = take(PAGE), *b = take(PAGE);

	put(a);
	discard(b);
	kvt_eq(mapped(), SEGMENT);
	kvt_eq(kv_arena_cache_trim(cache, 0), PAGE);
	kvt_eq(mapped(), 0);
}
END_TEST

START_TEST(the_lowest_cold_slot_is_cut_first)
{
	struct kva_block *b[4];
	char *third;

	for (int i = 0; i < 4; i++)
		b[i] = take(PAGE);
	third = b[2]->base;
	discard(b[3]);
	discard(b[2]);
	b[2] = take(PAGE);
	kvt_true(b[2]->base == third);
	for (int i = 0; i < 3; i++)
		put(b[i]);
}
END_TEST

START_TEST(a_full_segment_serves_again_after_a_slot_went_cold)
{
	struct kva_block *b[512];
	char *at;

	for (int i = 0; i < 512; i++)
		b[i] = take(PAGE);
	at = b[300]->base;
	discard(b[300]);
	b[300] = take(PAGE);
	kvt_true(b[300]->base == at);
	kvt_eq(calls(KVA_CALL_MAP), 1);
	for (int i = 0; i < 512; i++)
		discard(b[i]);
	kvt_eq(mapped(), 0);
}
END_TEST

START_TEST(segments_with_cold_slots_are_linked_and_unlinked_anywhere)
{
	struct kva_block *b[6];

	/* Three segments of two slots each, all with a cold one. */
	for (int i = 0; i < 6; i++)
		b[i] = take(MIB);
	discard(b[0]);
	discard(b[2]);
	discard(b[4]);
	kvt_eq(mapped(), 3 * SEGMENT);
	discard(b[3]);		/* the one in the middle goes */
	kvt_eq(mapped(), 2 * SEGMENT);
	discard(b[1]);
	discard(b[5]);
	kvt_eq(mapped(), 0);
}
END_TEST

START_TEST(a_warm_segment_is_cut_rather_than_a_fresh_one)
{
	struct kva_block *whole = take(SEGMENT), *b;
	char *base = whole->base;

	if (!serves_at_once()) {
		discard(whole);
		return;
	}
	fill(whole, 7);
	put(whole);
	b = take(64 * KIB);
	kvt_true(b->base == base && b->dirty && !b->warm);
	kvt_eq(calls(KVA_CALL_MAP), 1);
	kvt_eq(stats().cached_bytes, 0);
	discard(b);
}
END_TEST

/* ---- Contents ------------------------------------------------------------------------ */

START_TEST(a_block_that_was_emptied_is_clean)
{
	struct kva_block *a = take(64 * KIB), *b = take(64 * KIB);

	fill(a, 7);
	discard(a);
	a = take(64 * KIB);
	kvt_true(a->dirty || is_all(a, 0));
	put(a);
	put(b);
}
END_TEST

START_TEST(a_block_that_could_not_be_emptied_is_dirty)
{
	struct kva_block *a = take(64 * KIB), *b = take(64 * KIB);

	fill(a, 7);
	kvo_fail_once(KVO_CALL(DISCARD), 1, ENOSYS);
	discard(a);
	a = take(64 * KIB);
	kvt_true(a->dirty);
	put(a);
	put(b);
}
END_TEST

START_TEST(a_warm_block_is_dirty)
{
	struct kva_block *b = take(64 * KIB);

	if (!serves_at_once()) {
		discard(b);
		return;
	}
	fill(b, 7);
	put(b);
	b = take(64 * KIB);
	kvt_true(b->dirty && b->warm && is_all(b, 7));
	put(b);
}
END_TEST

/* ---- What is given ---------------------------------------------------------------------- */

START_TEST(the_warmest_block_is_given_first)
{
	struct kva_block *b[10], *again[10];

	for (int i = 0; i < 10; i++)
		b[i] = take(64 * KIB);
	for (int i = 0; i < 10; i++)
		put(b[i]);
	if (!serves_at_once())
		return;
	for (int i = 9; i >= 0; i--)
		kvt_true((again[i] = take(64 * KIB)) == b[i]);
	kvt_eq(stats().hits, 10);
	kvt_eq(stats().takes, 20);
	for (int i = 0; i < 10; i++)
		put(again[i]);
}
END_TEST

START_TEST(a_large_block_serves_half_its_size_and_no_less)
{
	struct kva_block *large = take(16 * MIB), *b;
	struct kva_want want = { 8 * MIB, ANY, false };

	if (!serves_at_once()) {
		put(large);
		return;
	}
	put(large);
	b = kva_cache_take(cache, &want);
	kvt_true(b == large);
	kva_cache_put(cache, b);
	want.capacity = 6 * MIB;
	b = kva_cache_take(cache, &want);
	kvt_true(b != large);
	kva_cache_put(cache, b);
	want.capacity = 18 * MIB;
	b = kva_cache_take(cache, &want);
	kvt_true(b != large);
	kva_cache_put(cache, b);
	kva_cache_check(cache);
}
END_TEST

START_TEST(places_and_kinds_of_page_never_mix)
{
	static const kva_place_t places[] = {
		ANY, KVA_PLACE_INTERLEAVE, KVA_PLACE_PREFERRED(0), KVA_PLACE_BIND(0),
		KVA_PLACE_PREFERRED(1), KVA_PLACE_BIND(1), KVA_PLACE_PREFERRED(62),
	};
	struct kva_block *b[14];

	for (size_t size = 64 * KIB; size <= 4 * MIB; size *= 8) {
		uint64_t maps = calls(KVA_CALL_MAP);

		for (int i = 0; i < 14; i++) {
			b[i] = take_at(size, places[i / 2], i % 2);
			kvt_true(b[i] != NULL);
			kvt_eq(calls(KVA_CALL_MAP), maps + (uint64_t)i + 1);
		}
		for (int i = 0; i < 14; i++)
			put(b[i]);
		for (int i = 0; i < 14 && !kva_watch_on(); i++)
			kvt_true(take_at(size, places[i / 2], i % 2) == b[i]);
		for (int i = 0; i < 14 && !kva_watch_on(); i++)
			put(b[i]);
		kv_arena_cache_trim(cache, 0);
	}
	kvt_eq(mapped(), 0);
}
END_TEST

START_TEST(huge_pages_are_asked_for_whole_segments_only)
{
	struct kva_block *cut = take(64 * KIB), *small, *huge;

	kvt_true(cut->huge);		/* the pool's name, not the memory's */
	small = take_at(4 * MIB, ANY, true);
	huge = take_at(4 * MIB, ANY, false);
	kvt_true(!small->huge && huge->huge);
	put(cut);
	put(small);
	put(huge);
}
END_TEST

START_TEST(a_place_that_refuses_gives_nothing_or_elsewhere)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	struct kva_block *b;

	kvo_refuse_nodes(reasons[_i]);
	kvt_refused(take_at(64 * KIB, KVA_PLACE_BIND(1), false), reasons[_i]);
	kvt_refused(take_at(4 * MIB, KVA_PLACE_BIND(1), false), reasons[_i]);
	kvt_eq(mapped(), 0);
	b = take_at(64 * KIB, KVA_PLACE_PREFERRED(1), false);
	kvt_true(b != NULL && b->misplaced);
	put(b);
}
END_TEST

/* ---- What is kept --------------------------------------------------------------------------- */

START_TEST(no_more_is_kept_than_the_bound)
{
	kv_arena_cache_t *own = kv_arena_cache_create(MIB);
	struct kva_want want = { 256 * KIB, ANY, false };
	struct kva_block *b[16];
	kv_arena_cache_stats_t s;

	for (int i = 0; i < 16; i++)
		b[i] = kva_cache_take(own, &want);
	for (int i = 0; i < 16; i++) {
		kva_cache_put(own, b[i]);
		kva_cache_check(own);
		kvt_eq(kv_arena_cache_get_stats(own, &s), 0);
		kvt_cmp(s.cached_bytes, <=, MIB);
	}
	kvt_eq(s.max_bytes, MIB);
	kvt_eq(s.cached_bytes, MIB);
	kvt_eq(s.returned_bytes, 3 * MIB);
	kvt_eq(kv_arena_cache_destroy(own), 0);
}
END_TEST

START_TEST(a_cache_of_nothing_keeps_nothing)
{
	kv_arena_cache_t *own = kv_arena_cache_create(0);
	struct kva_want want = { 256 * KIB, ANY, false };
	struct kva_block *b = kva_cache_take(own, &want);
	int64_t before = kvo_counts().mapped;

	kva_cache_put(own, b);
	kvt_eq(kvo_counts().mapped, before - (int64_t)SEGMENT);
	for (int i = 0; i < 600; i++) {		/* nor when an epoch ends */
		kva_cache_put(own, kva_cache_take(own, &want));
		kvt_eq(kvo_counts().mapped, before - (int64_t)SEGMENT);
	}
	kvt_eq(kv_arena_cache_destroy(own), 0);
}
END_TEST

static void
take_and_put(size_t capacity, int times)
{
	for (int i = 0; i < times; i++)
		put(take(capacity));
}

static void
fill_cache(int segments)
{
	struct kva_block *b[8];

	for (int i = 0; i < segments; i++)
		b[i] = take(SEGMENT);
	for (int i = 0; i < segments; i++)
		put(b[i]);
}

/* Until so many blocks were put back in all, with one that has a pool of its own. */
static void
pass(int *puts, int until)
{
	for (; *puts < until; ++*puts)
		put(take_at(64 * KIB, KVA_PLACE_PREFERRED(0), false));
}

START_TEST(half_of_what_lay_idle_is_given_back_when_an_epoch_ends)
{
	int puts = 8;

	if (!serves_at_once())
		return;
	fill_cache(8);
	pass(&puts, 512);		/* all of it came in this epoch */
	kvt_eq(stats().cached_bytes, 8 * SEGMENT + 64 * KIB);
	pass(&puts, 1023);
	kvt_eq(stats().cached_bytes, 8 * SEGMENT + 64 * KIB);
	pass(&puts, 1024);
	kvt_eq(stats().cached_bytes, 4 * SEGMENT + 64 * KIB);

	/* What was trimmed did not lie idle to the end. */
	pass(&puts, 1030);
	kvt_eq(kv_arena_cache_trim(cache, 0), 4 * SEGMENT + 64 * KIB);
	fill_cache(8);
	puts += 8;
	pass(&puts, 1536);
	kvt_eq(stats().cached_bytes, 8 * SEGMENT + 64 * KIB);
}
END_TEST

START_TEST(a_burst_is_given_back_within_a_few_epochs)
{
	struct kva_block *b[32];

	if (!serves_at_once())
		return;
	for (int i = 0; i < 32; i++)
		b[i] = take(SEGMENT);
	for (int i = 0; i < 32; i++)
		put(b[i]);
	kvt_eq(stats().cached_bytes, 64 * MIB);
	take_and_put(64 * KIB, 20 * 512);
	kvt_cmp(stats().cached_bytes, <=, 4 * MIB);
	kvt_cmp(mapped(), <=, 16 * MIB);
}
END_TEST

START_TEST(a_loop_that_uses_all_keeps_all)
{
	struct kva_block *b[32];

	if (!serves_at_once())
		return;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 32; i++)
			b[i] = take(MIB);
		for (int i = 0; i < 32; i++)
			put(b[i]);
	}
	kvt_eq(stats().cached_bytes, 32 * MIB);
	kvt_eq(calls(KVA_CALL_MAP), 16);
	kvt_eq(calls(KVA_CALL_UNMAP), 0);
}
END_TEST

START_TEST(trimming_starts_with_the_largest_and_coldest)
{
	struct kva_block *small[4], *large[2];
	char *coldest;

	for (int i = 0; i < 4; i++)
		small[i] = take(64 * KIB);
	for (int i = 0; i < 2; i++)
		large[i] = take(4 * MIB);
	put(large[0]);
	put(large[1]);
	coldest = small[1]->base;
	put(small[1]);
	put(small[0]);
	kvt_eq(kv_arena_cache_trim(cache, 4 * MIB + 128 * KIB), 4 * MIB);
	kvt_eq(kv_arena_cache_trim(cache, 4 * MIB + 128 * KIB), 0);
	kvt_eq(kv_arena_cache_trim(cache, 128 * KIB), 4 * MIB);
	kvt_eq(kv_arena_cache_trim(cache, 64 * KIB), 64 * KIB);
	small[1] = take(64 * KIB);	/* warm, or cut below all that are cold */
	kvt_true(small[1]->base != coldest || kva_watch_on());
	put(small[1]);
	put(small[2]);
	put(small[3]);
	kvt_cmp(kv_arena_cache_trim(cache, 0), >=, 192 * KIB);
	kvt_eq(stats().cached_bytes, 0);
}
END_TEST

START_TEST(trimming_goes_through_all_pools)
{
	struct kva_block *b[8];

	for (int i = 0; i < 8; i++)
		b[i] = take_at(64 * KIB << i, KVA_PLACE_PREFERRED(i % 2), i % 2);
	for (int i = 0; i < 8; i++)
		put(b[i]);
	kvt_cmp(kv_arena_cache_trim(cache, MIB), >, 8 * MIB);
	kva_cache_check(cache);
	kvt_cmp(stats().cached_bytes, <=, MIB);
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------------------- */

/* Have the k-th call of a take fail, for every k, with fresh memory, with a warm
 * segment, and with one that has cold slots. */
START_TEST(a_take_that_fails_leaves_nothing_behind)
{
	size_t capacity = _i % 2 ? 64 * KIB : 4 * MIB;
	bool for_ever = _i / 2 % 2, is_warm = _i / 4;
	uint64_t k = 1, failed = 0;
	struct kva_block *b;

	do {
		kvo_heal();
		kv_arena_cache_trim(cache, 0);
		if (is_warm)
			put(take(SEGMENT));
		if (for_ever)
			kvo_fail_from(KVA_ALL_CALLS, k, 0);
		else
			kvo_fail_once(KVA_ALL_CALLS, k, 0);
		b = take(capacity);
		if (!b) {
			kvt_eq(errno, ENOMEM);
			failed++;
		}
		kvt_eq(stats().held_bytes, mapped());
		if (b)
			discard(b);
		k++;
	} while (kva_fault_struck() > 0);
	kvt_cmp(failed, >=, for_ever || !is_warm ? 2 : 0);
	kvo_heal();
	put(take(capacity));
}
END_TEST

START_TEST(memory_that_cannot_be_unmapped_is_no_trouble)
{
	struct kva_block *b = take(4 * MIB), *small = take(64 * KIB);

	kvo_fail_from(KVO_CALL(UNMAP) | KVO_CALL(DISCARD), 1, EPERM);
	discard(b);
	put(small);
	kvt_eq(kv_arena_cache_trim(cache, 0), 64 * KIB);
	kvt_eq(kvo_counts().lost, 6 * MIB);
	kvt_eq(stats().held_bytes, 0);
}
END_TEST

START_TEST(a_cache_needs_memory_itself)
{
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_refused(kv_arena_cache_create(MIB), ENOMEM);
}
END_TEST

/* ---- Users ------------------------------------------------------------------------------------------ */

START_TEST(a_cache_in_use_is_not_destroyed)
{
	kvt_true(kva_cache_join(cache) == cache);
	kvt_fails(kv_arena_cache_destroy(cache), -1, EBUSY);
	kva_cache_leave(cache);
	kvt_eq(kv_arena_cache_destroy(NULL), 0);
}
END_TEST

START_TEST(caches_may_be_destroyed_in_any_order)
{
	kv_arena_cache_t *c[4];

	for (int i = 0; i < 4; i++)
		c[i] = kv_arena_cache_create(MIB);
	kvt_eq(kv_arena_cache_destroy(c[1]), 0);
	kvt_eq(kv_arena_cache_destroy(c[3]), 0);
	kvt_eq(kv_arena_cache_destroy(c[0]), 0);
	kva_cache_fork_before();	/* walks the list */
	kva_cache_fork_after();
	kvt_eq(kv_arena_cache_destroy(c[2]), 0);
}
END_TEST

static void
create_cache(void *made)
{
	kv_arena_cache_t *c = kv_arena_cache_create(MIB);

	kva_store_relaxed((kv_arena_cache_t **)made, c);
}

START_TEST(no_cache_comes_while_a_process_forks)
{
	kv_arena_cache_t *made = NULL;
	struct kvp p;

	kvp_begin(&p);
	kva_cache_fork_before();
	kvp_tell(&p, create_cache, &made);
	usleep(20000);
	kvt_true(kva_load_relaxed(&made) == NULL);
	kva_cache_fork_after();
	kvp_wait(&p);
	kvt_true(made != NULL);
	kvp_end(&p);
	kvt_eq(kv_arena_cache_destroy(made), 0);
}
END_TEST

START_TEST(statistics_need_a_place)
{
	kvt_fails(kv_arena_cache_get_stats(cache, NULL), -1, EINVAL);
	kvt_fails(kv_arena_cache_get_stats(NULL, NULL), -1, EINVAL);
}
END_TEST

/* ---- The cache of the process ------------------------------------------------------------------------ */

static uint64_t memory_of_machine;

static uint64_t
pretended_memory(void)
{
	return memory_of_machine;
}

START_TEST(the_process_keeps_an_eighth_of_the_machine_within_bounds)
{
	static const size_t mib[][2] = {	/* memory and bound */
		{ 0, 64 }, { 256, 64 }, { 512, 64 }, { 1024, 128 }, { 4096, 512 },
		{ 8192, 1024 }, { 64 * 1024, 1024 },
	};
	kv_arena_cache_stats_t s;

	if (!kvr_has_own_process())
		return;
	memory_of_machine = (uint64_t)mib[_i][0] * MIB;
	kva_os.memory = pretended_memory;
	kvt_eq(kv_arena_cache_get_stats(NULL, &s), 0);
	kvt_eq(s.max_bytes, mib[_i][1] * MIB);
	memory_of_machine = 0;		/* asked once */
	kvt_eq(kv_arena_cache_get_stats(NULL, &s), 0);
	kvt_eq(s.max_bytes, mib[_i][1] * MIB);
}
END_TEST

START_TEST(null_is_the_cache_of_the_process)
{
	kv_arena_cache_t *c = kva_cache_join(NULL);
	struct kva_want want = { 64 * KIB, ANY, false };
	kv_arena_cache_stats_t s;

	kva_cache_put(c, kva_cache_take(c, &want));
	kva_cache_check(NULL);
	kvt_eq(kv_arena_cache_get_stats(NULL, &s), 0);
	kvt_cmp(s.cached_bytes, >=, 64 * KIB);
	kvt_cmp(kv_arena_cache_trim(NULL, 0), >=, 64 * KIB);
	kva_cache_leave(c);
}
END_TEST

/* ---- At random ------------------------------------------------------------------------------------------ */

#define HELD 60

struct run {
	struct kva_block *held[HELD];
	char byte[HELD];
	uint32_t seed;
	size_t faults;
};

static uint32_t
next(struct run *r)
{
	r->seed = r->seed * 1664525 + 1013904223;
	return r->seed >> 8;
}

static void
take_one(struct run *r, unsigned i)
{
	struct kva_want want = {
		.capacity = PAGE << next(r) % 9,
		.place = next(r) % 4 ? ANY : KVA_PLACE_PREFERRED(1),
		.small_pages = next(r) % 8 == 0,
	};

	if (next(r) % 50 == 0)
		want.capacity = (size_t)(next(r) % 3 + 1) * SEGMENT;
	r->held[i] = kva_cache_take(cache, &want);
	r->byte[i] = (char)next(r);
	if (!r->held[i] || (!r->held[i]->dirty && !is_all(r->held[i], 0)))
		r->faults++;
	else
		fill(r->held[i], r->byte[i]);
}

static void
give_one(struct run *r, unsigned i)
{
	if (!is_all(r->held[i], r->byte[i]))
		r->faults++;
	if (next(r) % 4 == 0)
		kva_cache_discard(cache, r->held[i]);
	else
		kva_cache_put(cache, r->held[i]);
	r->held[i] = NULL;
}

static void
step(struct run *r)
{
	unsigned i = next(r) % HELD;

	if (r->held[i])
		give_one(r, i);
	else
		take_one(r, i);
	if (next(r) % 200 == 0)
		kv_arena_cache_trim(cache, next(r) % 16 * MIB);
}

static void
end(struct run *r)
{
	for (unsigned i = 0; i < HELD; i++)
		if (r->held[i])
			give_one(r, i);
}

START_TEST(a_random_run_keeps_the_invariants)
{
	struct run r = { .seed = (uint32_t)_i + 1 };

	for (size_t i = 0; i < kvt_scaled(4000); i++) {
		step(&r);
		kva_cache_check(cache);
		kvt_eq(stats().held_bytes, mapped());
	}
	end(&r);
	kvt_eq(r.faults, 0);
}
END_TEST

static void *
run(void *arg)
{
	struct run *r = arg;

	for (size_t i = 0; i < kvt_scaled(3000); i++)
		step(r);
	end(r);
	return NULL;
}

START_TEST(threads_share_a_cache)
{
	struct run r[4] = { { .seed = 1 }, { .seed = 2 }, { .seed = 3 }, { .seed = 4 } };

	kvt_threads(4, run, r, sizeof *r);
	kva_cache_check(cache);
	for (int i = 0; i < 4; i++)
		kvt_eq(r[i].faults, 0);
	kvt_eq(stats().held_bytes, mapped());
}
END_TEST

static TCase *
group(Suite *s, const char *name)
{
	TCase *g = kvt_group(s, name);

	tcase_add_checked_fixture(g, start, finish);
	return g;
}

int
main(void)
{
	Suite *s = suite_create("cache");
	TCase *g = group(s, "capacities");

	tcase_add_test(g, capacity_is_a_power_of_two_or_whole_segments);
	tcase_add_test(g, blocks_of_all_capacities_can_be_had);

	g = group(s, "segments");
	tcase_add_test(g, small_blocks_are_cut_from_one_segment_in_order);
	tcase_add_test(g, each_segment_serves_one_class);
	tcase_add_test(g, a_segment_goes_when_its_last_slot_is_cold);
	tcase_add_test(g, a_warm_block_keeps_its_segment);
	tcase_add_test(g, the_lowest_cold_slot_is_cut_first);
	tcase_add_test(g, a_full_segment_serves_again_after_a_slot_went_cold);
	tcase_add_test(g, segments_with_cold_slots_are_linked_and_unlinked_anywhere);
	tcase_add_test(g, a_warm_segment_is_cut_rather_than_a_fresh_one);

	g = group(s, "contents");
	tcase_add_test(g, a_block_that_was_emptied_is_clean);
	tcase_add_test(g, a_block_that_could_not_be_emptied_is_dirty);
	tcase_add_test(g, a_warm_block_is_dirty);

	g = group(s, "what is given");
	tcase_add_test(g, the_warmest_block_is_given_first);
	tcase_add_test(g, a_large_block_serves_half_its_size_and_no_less);
	tcase_add_test(g, places_and_kinds_of_page_never_mix);
	tcase_add_test(g, huge_pages_are_asked_for_whole_segments_only);
	tcase_add_loop_test(g, a_place_that_refuses_gives_nothing_or_elsewhere, 0, 4);

	g = group(s, "what is kept");
	tcase_add_test(g, no_more_is_kept_than_the_bound);
	tcase_add_test(g, a_cache_of_nothing_keeps_nothing);
	tcase_add_test(g, half_of_what_lay_idle_is_given_back_when_an_epoch_ends);
	tcase_add_test(g, a_burst_is_given_back_within_a_few_epochs);
	tcase_add_test(g, a_loop_that_uses_all_keeps_all);
	tcase_add_test(g, trimming_starts_with_the_largest_and_coldest);
	tcase_add_test(g, trimming_goes_through_all_pools);

	g = group(s, "failures");
	tcase_add_loop_test(g, a_take_that_fails_leaves_nothing_behind, 0, 8);
	tcase_add_test(g, memory_that_cannot_be_unmapped_is_no_trouble);
	tcase_add_test(g, a_cache_needs_memory_itself);

	g = group(s, "users");
	tcase_add_test(g, a_cache_in_use_is_not_destroyed);
	tcase_add_test(g, caches_may_be_destroyed_in_any_order);
	tcase_add_test(g, no_cache_comes_while_a_process_forks);
	tcase_add_test(g, statistics_need_a_place);

	g = kvt_group(s, "process");
	tcase_add_loop_test(g, the_process_keeps_an_eighth_of_the_machine_within_bounds,
		0, 7);
	tcase_add_test(g, null_is_the_cache_of_the_process);

	g = group(s, "at random");
	tcase_add_loop_test(g, a_random_run_keeps_the_invariants, 0, 4);
	tcase_add_test(g, threads_share_a_cache);
	return kvt_run(s, 3000);
}
