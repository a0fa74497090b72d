/* t-arena.c -- lib/arena.c: blocks, charges, places, and what is counted
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Arenas are made through the public functions and then looked into.
 */
#include "charge.h"
#include "front.h"
#include "holding.h"
#include "kvos.h"
#include "kvsource.h"
#include "kvtest.h"
#include "watch.h"

#include <string.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static kv_arena_cache_t *cache;

static void
start(void)
{
	kvo_begin(KVO_FOUR_NODES);
	cache = kv_arena_cache_create(256 * MIB);
}

/* Whatever a test did, nothing is left, but for pages of cells. */
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

static kv_arena_config_t
config_of(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = cache;
	config.thread_mode = mode;
	return config;
}

static kv_arena_t *
create(const kv_arena_config_t *config)
{
	kv_arena_t *a = kv_arena_create_ex(config);

	kvt_true(a != NULL);
	return a;
}

static kv_arena_stats_t
stats_of(const kv_arena_t *a)
{
	kv_arena_stats_t s;

	kvt_eq(kv_arena_get_stats(a, &s), 0);
	return s;
}

/* The arena's own invariants, and the balance of its statistics. */
static void
check(kv_arena_t *a)
{
	kvt_balanced(a);
	kva_arena_check(kva_arena_of(a));
}

static void
load(kv_arena_t *a, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += 1000)
		kvt_true(kvt_alloc(a, 1000) != NULL);
	check(a);
}

static void
destroy(kv_arena_t *a)
{
	check(a);
	kv_arena_destroy(a);
}

/* ---- Charges ------------------------------------------------------------------- */

START_TEST(bytes_are_charged_to_all_ancestors)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = create(&config);
	kv_arena_t *b = kv_arena_create_child(a, &config);
	kv_arena_t *c = kv_arena_create_child(b, &config);
	size_t before[2] = { kva_arena_of(a)->charged, kva_arena_of(b)->charged };

	kvt_true(kva_arena_charge(kva_arena_of(c), 1000));
	kvt_eq(kva_arena_of(a)->charged, before[0] + 1000);
	kvt_eq(kva_arena_of(b)->charged, before[1] + 1000);
	kva_arena_uncharge(kva_arena_of(c), 1000);
	kvt_eq(kva_arena_of(a)->charged, before[0]);
	load(c, 100000);
	kvt_eq(kva_arena_of(a)->charged, kv_arena_memory_usage(a) +
		kv_arena_memory_usage(b) + kv_arena_memory_usage(c));
	kv_arena_reset(b);
	kvt_eq(kva_arena_of(a)->charged, kv_arena_memory_usage(a) +
		kv_arena_memory_usage(b));
	destroy(a);
}
END_TEST

START_TEST(a_charge_that_an_ancestor_refuses_is_undone)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a, *b, *c;
	size_t before[3];

	config.memory_limit = 100000;
	a = create(&config);
	config.memory_limit = 0;
	b = kv_arena_create_child(a, &config);
	c = kv_arena_create_child(b, &config);
	before[0] = kva_arena_of(a)->charged;
	before[1] = kva_arena_of(b)->charged;
	before[2] = kva_arena_of(c)->charged;
	kvt_true(!kva_arena_charge(kva_arena_of(c), 100000));
	kvt_true(!kva_arena_charge(kva_arena_of(c), SIZE_MAX));
	kvt_true(kva_arena_charge(kva_arena_of(c), 100000 - before[0]));
	kvt_true(!kva_arena_charge(kva_arena_of(c), 1));
	kva_arena_uncharge(kva_arena_of(c), 100000 - before[0]);
	kvt_eq(kva_arena_of(a)->charged, before[0]);
	kvt_eq(kva_arena_of(b)->charged, before[1]);
	kvt_eq(kva_arena_of(c)->charged, before[2]);
	destroy(a);
}
END_TEST

/* Every limit from one that admits nothing to one that admits all. */
START_TEST(a_limit_is_never_exceeded_and_used_to_the_last_step)
{
	for (size_t limit = 512; limit < 300000; limit += 4999) {
		kv_arena_config_t config = config_of((kv_arena_thread_mode_t)_i);
		kv_arena_t *a;
		size_t n = 0;

		config.memory_limit = limit;
		config.block_size = 4 * KIB;
		a = kv_arena_create_ex(&config);
		if (!a) {
			kvt_eq(errno, ENOMEM);
			continue;
		}
		while (kvt_alloc(a, 500))
			n += 504;
		kvt_eq(errno, ENOMEM);
		check(a);
		kvt_cmp(kv_arena_memory_usage(a), <=, limit);
		kvt_cmp(stats_of(a).peak_memory_usage, <=, limit);
		if (limit > 40000)	/* what is lost is steps and descriptors */
			kvt_cmp(n, >, limit - limit / 4);
		kv_arena_reset(a);
		kvt_true(n == 0 || kvt_alloc(a, 500) != NULL);
		destroy(a);
	}
}
END_TEST

START_TEST(a_request_that_a_limit_refuses_changes_nothing)
{
	for (size_t limit = 1024; limit < 60000; limit += 777) {
		kv_arena_config_t config = config_of((kv_arena_thread_mode_t)_i);
		kv_arena_t *a;
		kv_arena_stats_t before, after;

		config.memory_limit = limit;
		config.block_size = 4 * KIB;
		a = kv_arena_create_ex(&config);
		if (!a)
			continue;
		while (kvt_alloc(a, 100))
			;
		kv_arena_reset(a);
		kvt_alloc(a, 100);
		for (size_t size = 50; size < 60000; size = size * 3 / 2) {
			before = stats_of(a);
			if (kvt_alloc(a, size))
				continue;
			after = stats_of(a);
			before.failed_allocations++;
			kvt_true(memcmp(&before, &after, sizeof before) == 0);
		}
		destroy(a);
	}
}
END_TEST

START_TEST(the_first_block_needs_memory_and_a_limit_that_admits_it)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = create(&config);
	struct kva_arena *core = kva_arena_of(a);
	size_t charged = core->charged;

	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_fails(kva_arena_prepare(core), -1, ENOMEM);
	kvt_eq(core->charged, charged);
	kvt_eq(kva_arena_prepare(core), 0);
	kvt_eq(kva_arena_prepare(core), 0);
	destroy(a);
	config.memory_limit = charged + 200;
	a = create(&config);
	kvt_fails(kva_arena_prepare(kva_arena_of(a)), -1, ENOMEM);
	destroy(a);
}
END_TEST

/* ---- Blocks ---------------------------------------------------------------------- */

START_TEST(blocks_double_up_to_the_largest)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	size_t last = 0, largest = 0, seen = 0;
	kv_arena_t *a;

	config.block_size = 8 * KIB;
	config.max_block_size = 128 * KIB;
	a = create(&config);
	while (seen < 8) {
		const struct kva_block *b = kva_arena_of(a)->blocks;

		kvt_true(kvt_alloc(a, 500) != NULL);
		if (kva_arena_of(a)->blocks == b)
			continue;
		b = kva_arena_of(a)->blocks;
		kvt_true(last == 0 || b->capacity == 2 * last ||
			b->capacity == 128 * KIB);
		last = b->capacity;
		largest = last > largest ? last : largest;
		seen++;
	}
	kvt_eq(largest, 128 * KIB);
	destroy(a);
}
END_TEST

START_TEST(large_requests_get_a_block_of_their_own)
{
	kv_arena_config_t config = config_of((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = create(&config);
	char *p, *before;

	before = kvt_alloc(a, 100);
	for (size_t size = MIB; size < 8 * MIB; size += 300001) {
		p = kv_arena_alloc_aligned(a, size, 1 << size % 13);
		kvt_true(p != NULL);
		memset(p, 1, size);
		check(a);
	}
	kvt_cmp(stats_of(a).large_allocations, >=, 20);
	p = kvt_alloc(a, 100);
	kvt_true(p == before + 104 || kva_watch_on());
	destroy(a);
}
END_TEST

START_TEST(a_fetched_block_that_is_not_needed_goes_back)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = create(&config);
	struct kva_arena *core = kva_arena_of(a);
	size_t charged = core->charged;
	struct kva_block *b = kva_arena_fetch(core, 1000, 8, false);

	kvt_true(b != NULL);
	kvt_cmp(core->charged, >, charged);
	kva_arena_unfetch(core, b);
	kvt_eq(core->charged, charged);
	kvt_refused(kva_arena_fetch(core, SIZE_MAX, 8, false), ENOMEM);
	kvt_refused(kva_arena_fetch(core, 8, SIZE_MAX / 2 + 1, true), ENOMEM);
	kvt_true(!kva_arena_make_room(core, &core->front, SIZE_MAX, 8));
	kvt_true(kva_arena_wants_own(core, &core->front, SIZE_MAX, 8));
	destroy(a);
}
END_TEST

START_TEST(under_a_tight_limit_a_source_is_asked_for_just_enough)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a;

	config.memory_limit = 20000;
	a = create(&config);
	kvt_true(kvt_alloc(a, 10000) != NULL);
	kvt_cmp(source.last_size, <, 10100);
	check(a);
	kvt_refused(kvt_alloc(a, 10000), ENOMEM);
	destroy(a);
	kvt_eq(source.held, 0);
	kvt_eq(source.faults, 0);
}
END_TEST

START_TEST(owned_is_what_lies_in_a_block)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = create(&config);
	char *p = kvt_alloc(a, 100), *q = kvt_alloc(a, 3 * MIB);

	kvt_true(kv_arena_owns(a, p) && kv_arena_owns(a, p + 99));
	kvt_true(kv_arena_owns(a, q + 3 * MIB - 1));
	kvt_true(!kv_arena_owns(a, q + 3 * MIB + KVA_WATCH_GAP));
	kvt_true(!kv_arena_owns(a, &a) && !kv_arena_owns(a, (void *)UINTPTR_MAX));
	kv_arena_reset(a);
	kvt_true(!kv_arena_owns(a, q));
	destroy(a);
}
END_TEST

/* ---- Spares ------------------------------------------------------------------------ */

START_TEST(reset_keeps_so_many_blocks_the_largest_first)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_SAFE);
	kv_arena_t *a;

	config.max_cached_blocks = 3;
	config.block_size = 4 * KIB;
	a = create(&config);
	for (int round = 0; round < 4; round++) {
		load(a, MIB);
		kv_arena_reset(a);
		check(a);
		kvt_cmp(stats_of(a).blocks, <=, 3);
		kvt_cmp(stats_of(a).blocks, >, 0);
	}
	destroy(a);
}
END_TEST

START_TEST(spares_serve_before_the_cache_is_asked)
{
	kv_arena_config_t config = config_of((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = create(&config);
	kv_arena_cache_stats_t before, after;

	load(a, 4 * MIB);
	kv_arena_reset(a);
	kv_arena_cache_get_stats(cache, &before);
	for (int round = 0; round < 5; round++) {
		load(a, 3 * MIB);
		kv_arena_reset(a);
	}
	kv_arena_cache_get_stats(cache, &after);
	kvt_eq(after.takes, before.takes);
	destroy(a);
}
END_TEST

START_TEST(spares_that_nobody_needs_are_given_up_one_a_round)
{
	kv_arena_config_t config = config_of((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = create(&config);
	uint64_t held;

	load(a, 8 * MIB);
	kv_arena_reset(a);
	held = stats_of(a).blocks;
	kvt_cmp(held, >, 4);
	for (int round = 0; round < 20; round++) {
		load(a, 1000);
		kv_arena_reset(a);
		check(a);
		kvt_cmp(stats_of(a).blocks + 1, >=, held);
		held = stats_of(a).blocks;
	}
	kvt_cmp(held, <=, 2);
	destroy(a);
}
END_TEST

static int
count_borrowed(const struct kva_block *list)
{
	int n = 0;

	for (; list; list = list->next)
		n += list->borrowed;
	return n;
}

START_TEST(the_callers_buffer_is_never_given_up)
{
	static char buffer[16384] __attribute__((__aligned__(16)));
	kv_arena_config_t config = config_of((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kv_arena_create_in(buffer, sizeof buffer, &config);

	kvt_true(a != NULL);
	for (int round = 0; round < 6; round++) {
		load(a, round % 2 ? 100000 : 100);
		kv_arena_reset(a);
		check(a);
		kv_arena_compact(a);
		check(a);
	}
	kvt_eq(count_borrowed(kva_arena_of(a)->blocks) +
		count_borrowed(kva_arena_of(a)->spares), 1);
	destroy(a);
}
END_TEST

/* ---- Compact ------------------------------------------------------------------------ */

START_TEST(compact_gives_back_what_is_not_in_use)
{
	kv_arena_config_t config = config_of((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = create(&config);
	struct kvt_book book = { 0 };
	size_t before, freed;

	load(a, 4 * MIB);
	kv_arena_reset(a);
	for (int i = 0; i < 100; i++)
		kvt_enter(&book, kvt_alloc(a, 100), 100, 8);
	before = kv_arena_memory_usage(a);
	freed = kv_arena_compact(a);
	check(a);
	kvt_eq(kv_arena_memory_usage(a), before - freed);
	if (_i == KV_ARENA_THREAD_UNSAFE)	/* shares are not taken back */
		kvt_cmp(kv_arena_memory_usage(a), <, 400 * KIB);
	kvt_eq(kv_arena_compact(a), 0);
	kvt_intact(&book);
	load(a, MIB);
	kvt_intact(&book);
	kvt_drop(&book);
	destroy(a);
}
END_TEST

START_TEST(an_arena_at_rest_compacts_to_its_descriptors)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = create(&config);

	load(a, 4 * MIB);
	kv_arena_reset(a);
	kv_arena_compact(a);
	check(a);
	kvt_eq(stats_of(a).blocks, 0);
	kvt_eq(kv_arena_memory_usage(a), stats_of(a).header_bytes);
	load(a, MIB);
	destroy(a);
}
END_TEST

START_TEST(compact_takes_steps_from_a_block_that_is_in_use)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;
	kv_arena_mark_t mark;

	config.block_size = 64 * KIB;
	config.memory_limit = _i ? 64 * MIB : 0;	/* counts at once, or late */
	config.zero = _i == 2;
	a = create(&config);
	load(a, 300 * KIB);
	mark = kv_arena_mark(a);
	load(a, 400 * KIB);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	check(a);
	kvt_cmp(kv_arena_compact(a), >=, 64 * KIB);
	check(a);
	load(a, 600 * KIB);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	check(a);
	load(a, 600 * KIB);
	destroy(a);
}
END_TEST

START_TEST(compacting_does_not_mind_what_the_system_refuses)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = create(&config);

	load(a, 4 * MIB);
	kv_arena_reset(a);
	load(a, 100);
	kvo_fail_from(KVO_CALL(DISCARD) | KVO_CALL(UNMAP), 1, EPERM);
	kvt_cmp(kv_arena_compact(a), >, 0);
	kvo_heal();
	check(a);
	load(a, MIB);
	destroy(a);
}
END_TEST

START_TEST(a_zeroed_arena_stays_zeroed_when_nothing_can_be_emptied)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.zero = true;
	config.block_size = 4 * KIB;
	a = create(&config);
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
		check(a);
	}
	destroy(a);
}
END_TEST

/* ---- Absorb ---------------------------------------------------------------------------- */

START_TEST(absorbed_bytes_change_hands_to_the_last)
{
	kv_arena_config_t config = config_of((kv_arena_thread_mode_t)(_i % 2));
	struct kvt_book book = { 0 };
	kv_arena_t *into, *from;
	size_t sum;

	config.memory_limit = _i / 2 ? 64 * MIB : 0;
	into = create(&config);
	from = create(&config);
	for (size_t i = 0; i < 3000; i++) {
		kvt_enter(&book, kvt_alloc(into, i % 300 + 1), i % 300 + 1, 8);
		kvt_enter(&book, kvt_alloc(from, i % 400 + 1), i % 400 + 1, 8);
	}
	kvt_enter(&book, kvt_alloc(from, MIB), MIB, 8);
	sum = kv_arena_memory_usage(into) + kv_arena_memory_usage(from);
	kvt_eq(kv_arena_absorb(into, from), 0);
	check(into);
	check(from);
	kvt_cmp(kv_arena_memory_usage(into) + kv_arena_memory_usage(from), <=, sum);
	kvt_eq(stats_of(from).used_bytes, 0);
	kvt_eq(stats_of(from).blocks, 0);
	destroy(from);
	kvt_intact(&book);
	load(into, 100000);
	kvt_intact(&book);
	kvt_drop(&book);
	destroy(into);
}
END_TEST

START_TEST(absorbing_what_a_limit_refuses_changes_nothing)
{
	kv_arena_config_t config = config_of((kv_arena_thread_mode_t)_i);
	kv_arena_stats_t before[2], after[2];
	kv_arena_t *into, *from = create(&config);

	config.memory_limit = 200 * KIB;
	into = create(&config);
	load(into, 50000);
	load(from, MIB);
	before[0] = stats_of(into);
	before[1] = stats_of(from);
	kvt_fails(kv_arena_absorb(into, from), -1, ENOMEM);
	after[0] = stats_of(into);
	after[1] = stats_of(from);
	kvt_true(memcmp(before, after, sizeof before) == 0);
	destroy(into);
	load(from, 100000);
	destroy(from);
}
END_TEST

START_TEST(absorbing_needs_a_place_to_count)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *into = create(&config), *from = create(&config);

	kvt_eq(kv_arena_absorb(into, from), 0);		/* nothing there yet */
	load(from, 100000);
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_fails(kv_arena_absorb(into, from), -1, ENOMEM);
	check(into);
	kvt_eq(kv_arena_absorb(into, from), 0);
	destroy(into);
	destroy(from);
}
END_TEST

START_TEST(a_child_absorbed_by_its_parent_is_charged_once)
{
	kv_arena_config_t config = config_of(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a, *child;
	size_t limit;

	config.memory_limit = 2 * MIB;
	a = create(&config);
	config.memory_limit = 0;
	child = kv_arena_create_child(a, &config);
	load(child, MIB);
	limit = kva_arena_of(a)->charged;
	kvt_eq(kv_arena_absorb(a, child), 0);
	check(a);
	check(child);
	/* Only the place where a counts is new. */
	kvt_cmp(kva_arena_of(a)->charged, <=, limit + sizeof(struct kva_tolls));
	destroy(a);
}
END_TEST

/* ---- Places ------------------------------------------------------------------------------- */

static kv_arena_config_t
placed(kv_arena_thread_mode_t mode, kv_arena_numa_policy_t policy, int node)
{
	kv_arena_config_t config = config_of(mode);

	config.enable_numa = true;
	config.numa_policy = policy;
	config.preferred_numa_node = node;
	return config;
}

static kv_arena_numa_report_t
report_of(const kv_arena_t *a)
{
	kv_arena_numa_report_t r;

	kvt_eq(kv_arena_numa_report(a, &r), 0);
	kvt_eq(r.nodes, KVO_NODES);
	return r;
}

/* Use an arena so that every page of it has memory. */
static void
touch(kv_arena_t *a, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += 1000)
		memset(kvt_alloc(a, 1000), 1, 1000);
	memset(kvt_alloc(a, MIB), 1, MIB);
	check(a);
}

START_TEST(preferred_memory_comes_from_its_node)
{
	kv_arena_config_t config = placed((kv_arena_thread_mode_t)_i,
		KV_ARENA_NUMA_PREFERRED, 1);
	kv_arena_t *a = create(&config);
	kv_arena_numa_report_t r;

	touch(a, 300000);
	kvt_eq(kvo_place_of(kvt_alloc(a, 10)), KVA_PLACE_PREFERRED(1));
	r = report_of(a);
	kvt_eq(r.wanted_node, 1);
	kvt_true(r.permitted);
	kvt_cmp(r.pages_on[1], >, 300);
	kvt_eq(r.pages_wanted, r.pages_on[1]);
	kvt_eq(r.pages_elsewhere, 0);
	kvt_eq(r.fallbacks, 0);
	destroy(a);
}
END_TEST

START_TEST(preferred_memory_comes_from_elsewhere_when_its_node_is_full)
{
	kv_arena_config_t config = placed(KV_ARENA_THREAD_UNSAFE,
		KV_ARENA_NUMA_PREFERRED, KVO_FULL_NODE);
	kv_arena_t *a = create(&config);
	kv_arena_numa_report_t r;

	touch(a, 300000);
	r = report_of(a);
	kvt_eq(r.pages_on[KVO_FULL_NODE], 0);
	kvt_eq(r.pages_wanted, 0);
	kvt_cmp(r.pages_elsewhere, >, 300);
	destroy(a);
}
END_TEST

START_TEST(a_preferred_node_without_memory_is_counted_and_borne)
{
	static const int nodes[] = { KVO_BARE_NODE, 4, 61, 1000, INT32_MAX };
	kv_arena_config_t config = placed(KV_ARENA_THREAD_UNSAFE,
		KV_ARENA_NUMA_PREFERRED, nodes[_i]);
	kv_arena_t *a = create(&config);
	kv_arena_numa_report_t r;

	touch(a, 300000);
	r = report_of(a);
	kvt_eq(r.last_errno, EINVAL);
	kvt_true(r.permitted);
	kvt_eq(r.fallbacks, stats_of(a).blocks);
	kvt_eq(stats_of(a).numa_fallbacks, r.fallbacks);
	kvt_cmp(r.pages_elsewhere, >, 300);
	destroy(a);
}
END_TEST

START_TEST(bound_memory_comes_from_its_node_or_not_at_all)
{
	kv_arena_config_t config = placed((kv_arena_thread_mode_t)_i,
		KV_ARENA_NUMA_BIND, 1);
	kv_arena_t *a = create(&config);

	touch(a, 300000);
	kvt_eq(report_of(a).pages_wanted, report_of(a).pages_on[1]);
	kvt_eq(report_of(a).pages_elsewhere, 0);
	destroy(a);

	config.preferred_numa_node = KVO_FULL_NODE;
	a = create(&config);
	kvt_refused(kvt_alloc(a, 100), ENOMEM);
	kvt_refused(kvt_alloc(a, 3 * MIB), ENOMEM);
	kvt_eq(stats_of(a).failed_allocations, 2);
	kvt_eq(report_of(a).last_errno, ENOMEM);
	destroy(a);

	config.preferred_numa_node = KVO_BARE_NODE;
	a = create(&config);
	kvt_refused(kvt_alloc(a, 100), ENOMEM);
	destroy(a);
	config.preferred_numa_node = KVO_NODES;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
	config.preferred_numa_node = -1;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
}
END_TEST

START_TEST(interleaved_memory_comes_from_all_nodes_with_memory)
{
	kv_arena_config_t config = placed((kv_arena_thread_mode_t)_i,
		KV_ARENA_NUMA_INTERLEAVE, -1);
	kv_arena_t *a = create(&config);
	kv_arena_numa_report_t r;

	touch(a, 300000);
	r = report_of(a);
	for (int i = 0; i < 3; i++)
		kvt_cmp(r.pages_on[i], >, 100);
	kvt_eq(r.pages_on[KVO_BARE_NODE], 0);
	kvt_eq(r.wanted_node, -1);
	kvt_eq(r.pages_elsewhere, 0);
	kvt_eq(r.pages_wanted, r.pages_on[0] + r.pages_on[1] + r.pages_on[2]);
	destroy(a);
}
END_TEST

START_TEST(local_memory_comes_from_where_the_thread_runs)
{
	kv_arena_config_t config = placed((kv_arena_thread_mode_t)_i,
		KV_ARENA_NUMA_LOCAL, -1);
	kv_arena_t *a = create(&config);

	for (int round = 0; round < 2; round++) {
		for (int node = 0; node < 2; node++) {
			kvo_run_on(node);
			memset(kvt_alloc(a, 3 * MIB), 1, 3 * MIB);
			check(a);
			kvt_eq(kvo_place_of(kvt_alloc(a, MIB)),
				KVA_PLACE_PREFERRED(node));
		}
		kv_arena_reset(a);
		check(a);
	}
	kvo_run_on(0);
	destroy(a);
}
END_TEST

START_TEST(a_shared_local_arena_keeps_a_front_for_each_node)
{
	kv_arena_config_t config = placed(KV_ARENA_THREAD_SAFE,
		KV_ARENA_NUMA_LOCAL, -1);
	kv_arena_t *a = create(&config);
	struct kva_arena *core = kva_arena_of(a);

	kvt_eq(kva_arena_nfronts(core), KVO_NODES);
	for (int round = 0; round < 3; round++) {
		for (int node = 0; node < KVO_NODES; node++) {
			kvo_run_on(node);
			load(a, 600 * KIB);
		}
		for (int node = 0; node < 2; node++) {
			struct kva_front *f = kva_arena_front(core, node);

			kvt_true(f->block != NULL);
			kvt_eq(f->block->place, KVA_PLACE_PREFERRED(node));
		}
		kv_arena_reset(a);	/* spares serve their own node only */
		check(a);
	}
	kvo_run_on(0);
	destroy(a);
}
END_TEST

/* A processor that was plugged in later, or a system that does not know. */
START_TEST(nodes_beyond_those_counted_are_no_trouble)
{
	static const int nodes[] = { KVO_NODES, 62, 63, 64, 4095, INT32_MAX, -1, -7 };

	for (int i = 0; i < 8; i++) {
		kv_arena_config_t config = placed((kv_arena_thread_mode_t)_i,
			KV_ARENA_NUMA_LOCAL, -1);
		kv_arena_t *a = create(&config);

		kvo_run_on(nodes[i]);
		touch(a, 300000);
		kv_arena_reset(a);
		touch(a, 300000);
		kvo_run_on(0);
		destroy(a);
	}
}
END_TEST

/* EPERM as in a container, ENOSYS as without NUMA in the kernel. */
START_TEST(a_system_that_refuses_all_places_serves_all_but_bound_memory)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	int reason = reasons[_i % 4];
	kv_arena_thread_mode_t mode = (kv_arena_thread_mode_t)(_i / 4);

	kvo_refuse_nodes(reason);
	for (int policy = 0; policy < 4; policy++) {
		kv_arena_config_t config = placed(mode, (kv_arena_numa_policy_t)policy, 1);
		kv_arena_numa_report_t r;
		kv_arena_t *a = create(&config);

		if (policy == KV_ARENA_NUMA_BIND) {
			kvt_refused(kvt_alloc(a, 100), ENOMEM);
		} else {
			touch(a, 300000);
			kvt_fails(kv_arena_numa_report(a, &r), -1, reason);
		}
		kvo_refuse_nodes(0);
		r = report_of(a);
		kvt_eq(r.last_errno, reason);
		kvt_eq(r.permitted, reason != EPERM && reason != ENOSYS);
		touch(a, 300000);	/* and once it allows them, bound memory too */
		kvo_refuse_nodes(reason);
		destroy(a);
	}
}
END_TEST

START_TEST(a_report_tells_pages_without_memory)
{
	kv_arena_config_t config = placed(KV_ARENA_THREAD_UNSAFE,
		KV_ARENA_NUMA_PREFERRED, 1);
	kv_arena_t *a = create(&config);

	kvt_true(kvt_alloc(a, 6 * MIB) != NULL);
	kvt_cmp(report_of(a).pages_untouched, >=, 6 * MIB / kva_os.page() - 1);
	kv_arena_reset(a);
	load(a, 100);
	kv_arena_reset(a);	/* spares are asked about too */
	kvt_cmp(report_of(a).pages_untouched + report_of(a).pages_on[1], >, 0);
	destroy(a);
}
END_TEST

/* ---- At random ------------------------------------------------------------------------------ */

enum kind { PLAIN, SAFE, LIMITED, ZEROED, SOURCED, LOCAL, KINDS };

static kv_arena_t *
create_kind(enum kind kind, struct kvt_source *source)
{
	kv_arena_config_t config = config_of(kind == SAFE || kind == LOCAL);

	config.block_size = 4 * KIB;
	config.memory_limit = kind == LIMITED ? 2 * MIB : 0;
	config.zero = kind == ZEROED;
	if (kind == SOURCED)
		config.block_source = kvt_hooks(source);
	config.enable_numa = kind == LOCAL;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	return create(&config);
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
		check(a);
	}
	kvo_run_on(0);
	destroy(a);
	kvt_eq(source.held, 0);
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
	Suite *s = suite_create("arena");
	TCase *g = group(s, "charges");

	tcase_add_test(g, bytes_are_charged_to_all_ancestors);
	tcase_add_test(g, a_charge_that_an_ancestor_refuses_is_undone);
	tcase_add_loop_test(g, a_limit_is_never_exceeded_and_used_to_the_last_step,
		0, 2);
	tcase_add_loop_test(g, a_request_that_a_limit_refuses_changes_nothing, 0, 2);
	tcase_add_test(g, the_first_block_needs_memory_and_a_limit_that_admits_it);

	g = group(s, "blocks");
	tcase_add_test(g, blocks_double_up_to_the_largest);
	tcase_add_loop_test(g, large_requests_get_a_block_of_their_own, 0, 2);
	tcase_add_test(g, a_fetched_block_that_is_not_needed_goes_back);
	tcase_add_test(g, under_a_tight_limit_a_source_is_asked_for_just_enough);
	tcase_add_test(g, owned_is_what_lies_in_a_block);

	g = group(s, "spares");
	tcase_add_test(g, reset_keeps_so_many_blocks_the_largest_first);
	tcase_add_loop_test(g, spares_serve_before_the_cache_is_asked, 0, 2);
	tcase_add_loop_test(g, spares_that_nobody_needs_are_given_up_one_a_round, 0, 2);
	tcase_add_loop_test(g, the_callers_buffer_is_never_given_up, 0, 2);

	g = group(s, "compact");
	tcase_add_loop_test(g, compact_gives_back_what_is_not_in_use, 0, 2);
	tcase_add_test(g, an_arena_at_rest_compacts_to_its_descriptors);
	tcase_add_loop_test(g, compact_takes_steps_from_a_block_that_is_in_use, 0, 3);
	tcase_add_test(g, compacting_does_not_mind_what_the_system_refuses);
	tcase_add_test(g, a_zeroed_arena_stays_zeroed_when_nothing_can_be_emptied);

	g = group(s, "absorb");
	tcase_add_loop_test(g, absorbed_bytes_change_hands_to_the_last, 0, 4);
	tcase_add_loop_test(g, absorbing_what_a_limit_refuses_changes_nothing, 0, 2);
	tcase_add_test(g, absorbing_needs_a_place_to_count);
	tcase_add_test(g, a_child_absorbed_by_its_parent_is_charged_once);

	g = group(s, "places");
	tcase_add_loop_test(g, preferred_memory_comes_from_its_node, 0, 2);
	tcase_add_test(g, preferred_memory_comes_from_elsewhere_when_its_node_is_full);
	tcase_add_loop_test(g, a_preferred_node_without_memory_is_counted_and_borne,
		0, 5);
	tcase_add_loop_test(g, bound_memory_comes_from_its_node_or_not_at_all, 0, 2);
	tcase_add_loop_test(g, interleaved_memory_comes_from_all_nodes_with_memory,
		0, 2);
	tcase_add_loop_test(g, local_memory_comes_from_where_the_thread_runs, 0, 2);
	tcase_add_test(g, a_shared_local_arena_keeps_a_front_for_each_node);
	tcase_add_loop_test(g, nodes_beyond_those_counted_are_no_trouble, 0, 2);
	tcase_add_loop_test(g,
		a_system_that_refuses_all_places_serves_all_but_bound_memory, 0, 8);
	tcase_add_test(g, a_report_tells_pages_without_memory);

	g = group(s, "at random");
	tcase_add_loop_test(g, a_random_run_keeps_the_invariants, 0, KINDS);
	return kvt_run(s, 20000);
}
