/* t-arena.c -- lib/arena.c: compact, absorb, and all of it at random
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "kvsource.h"
#include "watch.h"

#include <string.h>

/* ---- Room ------------------------------------------------------------------ */

static const struct kva_window *
window_of(const kv_arena_t *a)
{
	return &kva_arena_of(a)->front.window;
}

START_TEST(a_large_request_does_not_cost_what_is_left_of_a_block)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;
	char *p;

	config.block_size = MIB;
	a = kvi_create(&config);
	kvi_load(a, 800 * KIB);
	p = kvt_alloc(a, 8);
	kvt_true(kvt_alloc(a, 260 * KIB) != NULL);	/* over a quarter: elsewhere */
	kvt_true((char *)kvt_alloc(a, 8) == p + 8 || kva_watch_on());
	kvi_load(a, 100 * KIB);
	p = kvt_alloc(a, 8);
	kvt_true(kvt_alloc(a, 260 * KIB) != NULL);	/* too little is left to mind */
	kvt_true((char *)kvt_alloc(a, 8) != p + 8);
	kvi_check(a);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_request_of_more_than_a_quarter_of_the_largest_block_has_its_own)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a;

	config.max_block_size = MIB;
	a = kvi_create(&config);
	kvt_true(kvt_alloc(a, MIB / 4) != NULL);
	kvt_eq(kvi_stats(a).large_allocations, 0);
	kvt_true(kvt_alloc(a, MIB / 4 + 1) != NULL);
	kvt_eq(kvi_stats(a).large_allocations, 1);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_limit_is_used_to_the_last_bytes)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.memory_limit = 100000;
	a = kvi_create(&config);
	while (kvt_alloc(a, 8))
		;
	kvt_cmp(kv_arena_memory_usage(a), >, 100000 - 8);
	kvt_cmp(kv_arena_memory_usage(a), <=, 100000);
	kvi_destroy(a);
}
END_TEST

START_TEST(an_arena_that_was_reset_has_a_block_at_hand)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.block_size = 64 * KIB;
	a = kvi_create(&config);
	kvi_load(a, MIB);
	kv_arena_reset(a);
	kvt_true(kva_arena_of(a)->front.block != NULL);
	kvi_check(a);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_spare_serves_what_fills_it)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	const struct kva_block *spare;
	kv_arena_t *a;

	config.block_size = 64 * KIB;
	config.max_block_size = 2 * MIB;
	a = kvi_create(&config);
	kvi_load(a, 400 * KIB);
	kv_arena_reset(a);
	kvi_load(a, kva_arena_of(a)->front.block->capacity / 16 * 15);
	spare = kva_arena_of(a)->spares;
	kvt_true(spare != NULL);
	kvt_true(kvt_alloc(a, spare->capacity) == spare->base || kva_watch_on());
	kvi_check(a);
	kvi_destroy(a);
}
END_TEST

/* Zeroing costs, so it goes by steps. */
START_TEST(a_zeroed_arena_looks_no_further_than_a_step)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;
	size_t step, seen;

	config.zero = _i;
	config.memory_limit = 16 * MIB;
	a = kvi_create(&config);
	kvi_load(a, MIB);
	kv_arena_reset(a);
	kvt_true(kvt_alloc(a, 8) != NULL);
	step = kva_arena_of(a)->setup.step;
	seen = (size_t)(window_of(a)->limit - window_of(a)->start);
	kvt_cmp(kva_arena_of(a)->front.block->size, >, step);
	kvt_eq(seen, (_i ? step : kva_arena_of(a)->front.block->size));
	kvi_destroy(a);
}
END_TEST

/* ---- Compact --------------------------------------------------------------- */

START_TEST(compact_gives_back_what_is_not_in_use)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);
	struct kvt_book book = { 0 };
	size_t before, freed;

	kvi_load(a, 4 * MIB);
	kv_arena_reset(a);
	for (int i = 0; i < 100; i++)
		kvt_enter(&book, kvt_alloc(a, 100), 100, 8);
	before = kv_arena_memory_usage(a);
	freed = kv_arena_compact(a);
	kvi_check(a);
	kvt_eq(kv_arena_memory_usage(a), before - freed);
	if (_i == KV_ARENA_THREAD_UNSAFE)	/* shares are not taken back */
		kvt_cmp(kv_arena_memory_usage(a), <, 400 * KIB);
	kvt_eq(kv_arena_compact(a), 0);
	kvt_intact(&book);
	kvi_load(a, MIB);
	kvt_intact(&book);
	kvt_drop(&book);
	kvi_destroy(a);
}
END_TEST

START_TEST(an_arena_at_rest_compacts_to_its_descriptors)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);

	kvi_load(a, 4 * MIB);
	kv_arena_reset(a);
	kv_arena_compact(a);
	kvi_check(a);
	kvt_eq(kvi_stats(a).blocks, 0);
	kvt_eq(kv_arena_memory_usage(a), kvi_stats(a).header_bytes);
	kvi_load(a, MIB);
	kvi_destroy(a);
}
END_TEST

START_TEST(compact_takes_steps_from_a_block_that_is_in_use)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;
	kv_arena_mark_t mark;

	config.block_size = 64 * KIB;
	config.memory_limit = _i ? 64 * MIB : 0;	/* counts at once, or late */
	config.zero = _i == 2;
	a = kvi_create(&config);
	kvi_load(a, 300 * KIB);
	mark = kv_arena_mark(a);
	kvi_load(a, 400 * KIB);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvi_check(a);
	kvt_cmp(kv_arena_compact(a), >=, 64 * KIB);
	kvi_check(a);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvi_check(a);
	if (_i > 0)
		kvt_true(window_of(a)->limit <= kva_arena_of(a)->front.block->base +
			kva_arena_of(a)->front.block->size);
	kvi_load(a, 600 * KIB);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvi_check(a);
	kvi_load(a, 600 * KIB);
	kvi_destroy(a);
}
END_TEST

START_TEST(an_untouched_block_goes_also_from_behind_others)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);
	void *p;

	kvi_load(a, 300 * KIB);
	kv_arena_reset(a);
	p = kvt_alloc(a, 3 * MIB);	/* before the front's block in the list */
	kvt_cmp(kv_arena_compact(a), >, 0);
	kvi_check(a);
	kvt_eq(kvi_stats(a).blocks, 1);
	kvt_true(kv_arena_owns(a, p));
	kvi_load(a, 1000);
	kvi_destroy(a);
}
END_TEST

START_TEST(compacting_does_not_mind_what_the_system_refuses)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);

	kvi_load(a, 4 * MIB);
	kv_arena_reset(a);
	kvi_load(a, 100);
	kvo_fail_from(KVO_CALL(DISCARD) | KVO_CALL(UNMAP), 1, EPERM);
	kvt_cmp(kv_arena_compact(a), >, 0);
	kvo_heal();
	kvi_check(a);
	kvi_load(a, MIB);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_zeroed_arena_stays_zeroed_when_nothing_can_be_emptied)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.zero = true;
	config.block_size = 4 * KIB;
	config.debug = _i ? KV_ARENA_DEBUG_GUARD : KV_ARENA_DEBUG_OFF;
	a = kvi_create(&config);
	kvo_fail_from(KVO_CALL(DISCARD), 1, EINVAL);
	for (int round = 0; round < 6; round++) {
		kv_arena_mark_t mark;
		char *p, *q;

		p = kvt_alloc(a, 3000);
		kvt_true(p[0] == 0 && memcmp(p, p + 1, 2999) == 0);
		memset(p, 7, 3000);
		mark = kv_arena_mark(a);
		q = kvt_alloc(a, 50000);
		kvt_true(q[0] == 0 && memcmp(q, q + 1, 49999) == 0);
		memset(q, 7, 50000);
		if (round % 2)
			kv_arena_rewind(a, mark);
		kv_arena_compact(a);
		q = kvt_alloc(a, 70000);
		kvt_true(q[0] == 0 && memcmp(q, q + 1, 69999) == 0);
		memset(q, 7, 70000);
		if (round % 3)
			kv_arena_reset(a);
		kvi_check(a);
	}
	kvi_destroy(a);
}
END_TEST

/* ---- Absorb ---------------------------------------------------------------- */

static void
ignore(void *arg)
{
	(void)arg;
}

START_TEST(absorbed_bytes_change_hands_to_the_last)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)(_i % 2));
	struct kvt_book book = { 0 };
	kv_arena_t *into, *from;
	size_t sum;

	config.memory_limit = _i / 2 ? 64 * MIB : 0;
	into = kvi_create(&config);
	from = kvi_create(&config);
	for (size_t i = 0; i < 3000; i++) {
		kvt_enter(&book, kvt_alloc(into, i % 300 + 1), i % 300 + 1, 8);
		kvt_enter(&book, kvt_alloc(from, i % 400 + 1), i % 400 + 1, 8);
	}
	kvt_enter(&book, kvt_alloc(from, MIB), MIB, 8);
	sum = kv_arena_memory_usage(into) + kv_arena_memory_usage(from);
	kvt_eq(kv_arena_absorb(into, from), 0);
	kvi_check(into);
	kvi_check(from);
	kvt_cmp(kv_arena_memory_usage(into) + kv_arena_memory_usage(from), <=, sum);
	kvt_eq(kvi_stats(from).used_bytes, 0);
	kvt_eq(kvi_stats(from).blocks, 0);
	kvi_destroy(from);
	kvt_intact(&book);
	kvi_load(into, 100000);
	kvt_intact(&book);
	kvt_drop(&book);
	kvi_destroy(into);
}
END_TEST

START_TEST(what_nobody_counted_is_absorbed_as_used)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *into = kvi_create(&config), *from;
	size_t handed;

	config.enable_detailed_stats = false;
	from = kvi_create(&config);
	for (int i = 0; i < 1000; i++)
		kvt_true(kvt_alloc(from, 13) != NULL);
	handed = kv_arena_total_allocated(from);
	kvt_eq(kv_arena_absorb(into, from), 0);
	kvi_check(into);
	kvi_check(from);
	kvt_eq(kvi_stats(into).used_bytes, handed);
	kvt_eq(kv_arena_absorb(from, into), 0);
	kvt_eq(kvi_stats(from).used_bytes, handed);
	kvi_destroy(into);
	kvi_destroy(from);
}
END_TEST

/* What the arena keeps for itself is not the caller's. */
START_TEST(records_of_what_nobody_counted_are_not_absorbed_as_used)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)(_i % 2));
	kv_arena_t *into, *from;
	uint64_t used;

	config.enable_detailed_stats = _i / 2;
	into = kvi_create(&config);
	config.enable_detailed_stats = false;
	from = kvi_create(&config);
	kvt_true(kvt_alloc(from, 16) != NULL);
	for (int i = 0; i < 10; i++)
		kvt_eq(kv_arena_defer(from, ignore, NULL), 0);
	used = kvi_stats(from).used_bytes;
	kvt_cmp(used, <=, 16 + 11 * KVA_WATCH_GAP);
	kvt_eq(kv_arena_absorb(into, from), 0);
	kvi_check(into);
	kvt_eq(kvi_stats(into).used_bytes, used);
	kvi_destroy(into);
	kvi_destroy(from);
}
END_TEST

START_TEST(blocks_of_all_nodes_are_absorbed)
{
	kv_arena_config_t config = kvi_placed(KV_ARENA_THREAD_SAFE, KV_ARENA_NUMA_LOCAL, -1);
	kv_arena_t *into = kvi_create(&config), *from = kvi_create(&config);

	for (int node = 0; node < 2; node++) {
		kvo_run_on(node);
		kvi_load(from, 100 * KIB);
		kvt_eq(kvo_place_of(kvt_alloc(from, 50 * KIB)), KVA_PLACE_PREFERRED(node));
	}
	kvt_eq(kv_arena_absorb(into, from), 0);
	kvi_check(into);
	kvi_check(from);
	for (int node = 0; node < 2; node++) {
		kvo_run_on(node);
		kvt_true(!kv_arena_owns(into, kvt_alloc(from, 100)));
	}
	kvo_run_on(0);
	kvi_destroy(into);
	kvi_destroy(from);
}
END_TEST

/* They are of the right node, but stay bound to it. */
START_TEST(a_bound_block_that_was_absorbed_serves_no_local_arena)
{
	kv_arena_config_t config = kvi_placed(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_BIND, 1);
	kv_arena_t *into, *from = kvi_create(&config);

	config = kvi_placed(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_LOCAL, -1);
	into = kvi_create(&config);
	kvi_load(from, MIB);
	kvt_eq(kv_arena_absorb(into, from), 0);
	kv_arena_reset(into);
	kvt_cmp(kvi_stats(into).blocks, >, 0);
	for (int node = 0; node < 2; node++) {
		kvo_run_on(node);
		kvt_eq(kvo_place_of(kvt_alloc(into, 100)), KVA_PLACE_PREFERRED(node));
		kvi_load(into, MIB);
		kv_arena_reset(into);
	}
	kvo_run_on(0);
	kvi_destroy(into);
	kvi_destroy(from);
}
END_TEST

START_TEST(absorbing_what_a_limit_refuses_changes_nothing)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_stats_t before[2], after[2];
	kv_arena_t *into, *from = kvi_create(&config);

	config.memory_limit = 200 * KIB;
	into = kvi_create(&config);
	kvi_load(into, 50000);
	kvi_load(from, MIB);
	before[0] = kvi_stats(into);
	before[1] = kvi_stats(from);
	kvt_fails(kv_arena_absorb(into, from), -1, ENOMEM);
	after[0] = kvi_stats(into);
	after[1] = kvi_stats(from);
	kvt_true(memcmp(before, after, sizeof before) == 0);
	kvi_destroy(into);
	kvi_load(from, 100000);
	kvi_destroy(from);
}
END_TEST

START_TEST(absorbing_needs_a_place_to_count)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *into = kvi_create(&config), *from = kvi_create(&config);

	kvt_eq(kv_arena_absorb(into, from), 0);		/* nothing there yet */
	kvi_load(from, 100000);
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_fails(kv_arena_absorb(into, from), -1, ENOMEM);
	kvi_check(into);
	kvt_eq(kv_arena_absorb(into, from), 0);
	kvi_destroy(into);
	kvi_destroy(from);
}
END_TEST

START_TEST(a_child_absorbed_by_its_parent_is_charged_once)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a, *child;
	size_t limit;

	config.memory_limit = 2 * MIB;
	a = kvi_create(&config);
	config.memory_limit = 0;
	child = kv_arena_create_child(a, &config);
	kvi_load(child, MIB);
	limit = kva_arena_of(a)->charged;
	kvt_eq(kv_arena_absorb(a, child), 0);
	kvi_check(a);
	kvi_check(child);
	/* Only the place where a counts is new. */
	kvt_cmp(kva_arena_of(a)->charged, <=, limit + sizeof(struct kva_tolls));
	kvi_destroy(a);
}
END_TEST

/* ---- At random ------------------------------------------------------------- */

enum kind { PLAIN, SAFE, LIMITED, ZEROED, SOURCED, LOCAL, KINDS };

static kv_arena_t *
create_kind(enum kind kind, struct kvt_source *source)
{
	kv_arena_config_t config = kvi_config(kind == SAFE || kind == LOCAL);

	config.block_size = 4 * KIB;
	config.memory_limit = kind == LIMITED ? 2 * MIB : 0;
	config.zero = kind == ZEROED;
	if (kind == SOURCED)
		config.block_source = kvt_hooks(source);
	config.enable_numa = kind == LOCAL;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	return kvi_create(&config);
}

START_TEST(a_random_run_keeps_the_invariants)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_t *a = create_kind((enum kind)_i, &source);
	uint32_t seed = (uint32_t)_i + 1;

	for (size_t i = 0; i < kvt_scaled(10000); i++) {
		size_t size;

		seed = seed * 1664525 + 1013904223;
		size = (seed >> 8) % 3000 + 1;
		kvo_run_on((int)(seed >> 28) % 4);
		if (seed >> 8 & 1)
			kvo_fail_once(KVA_ALL_CALLS, (seed >> 9) % 8, 0);
		if (seed >> 24 == 0)
			kv_arena_reset(a);
		else if (seed >> 24 < 8)
			kv_arena_compact(a);
		else if (seed >> 24 < 16)
			kvt_alloc(a, size * 500);
		else
			kv_arena_alloc_aligned(a, size, (size_t)1 << (seed >> 16) % 8);
		kvo_heal();
		kvi_check(a);
	}
	kvo_run_on(0);
	kvi_destroy(a);
	kvt_eq(source.held, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("arena");
	TCase *g = kvi_group(s, "room");

	tcase_add_test(g, a_large_request_does_not_cost_what_is_left_of_a_block);
	tcase_add_loop_test(g,
		a_request_of_more_than_a_quarter_of_the_largest_block_has_its_own, 0, 2);
	tcase_add_test(g, a_limit_is_used_to_the_last_bytes);
	tcase_add_test(g, an_arena_that_was_reset_has_a_block_at_hand);
	tcase_add_test(g, a_spare_serves_what_fills_it);
	tcase_add_loop_test(g, a_zeroed_arena_looks_no_further_than_a_step, 0, 2);

	g = kvi_group(s, "compact");
	tcase_add_loop_test(g, compact_gives_back_what_is_not_in_use, 0, 2);
	tcase_add_test(g, an_arena_at_rest_compacts_to_its_descriptors);
	tcase_add_loop_test(g, compact_takes_steps_from_a_block_that_is_in_use, 0, 3);
	tcase_add_test(g, an_untouched_block_goes_also_from_behind_others);
	tcase_add_test(g, compacting_does_not_mind_what_the_system_refuses);
	tcase_add_loop_test(g, a_zeroed_arena_stays_zeroed_when_nothing_can_be_emptied,
		0, 2);

	g = kvi_group(s, "absorb");
	tcase_add_loop_test(g, absorbed_bytes_change_hands_to_the_last, 0, 4);
	tcase_add_loop_test(g, what_nobody_counted_is_absorbed_as_used, 0, 2);
	tcase_add_loop_test(g, records_of_what_nobody_counted_are_not_absorbed_as_used,
		0, 4);
	tcase_add_test(g, blocks_of_all_nodes_are_absorbed);
	tcase_add_test(g, a_bound_block_that_was_absorbed_serves_no_local_arena);
	tcase_add_loop_test(g, absorbing_what_a_limit_refuses_changes_nothing, 0, 2);
	tcase_add_test(g, absorbing_needs_a_place_to_count);
	tcase_add_test(g, a_child_absorbed_by_its_parent_is_charged_once);

	g = kvi_group(s, "at random");
	tcase_add_loop_test(g, a_random_run_keeps_the_invariants, 0, KINDS);
	return kvt_run(s, 1000);
}
