/* t-ancestor.c -- the table of tests that the ancestor of this library had
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The report of the "enhanced arena" counted 101,151 assertions in eight
 * groups. Here is its table again, group by group and of the same sizes; what
 * it assumed (that threads do not overlap, that the cache is used) is checked.
 */
#include "kvthread.h"

#include <stdlib.h>
#include <string.h>

#define ANCESTOR_ASSERTIONS 101151

/* The ancestor's benchmark load: allocation i of W1. */
static size_t
w1_size(size_t i)
{
	return i % 1000 + 1;
}

/* ---- Creation: 4 -------------------------------------------------------- */

START_TEST(default_arena_allocates)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };

	kvt_true(a != NULL);
	kvt_load(a, &book, 1000);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(null_config_means_the_default_config)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a = kv_arena_create_ex(NULL);
	kv_arena_t *b = kv_arena_create_ex(&config);

	kvt_true(a != NULL && b != NULL);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_true(kv_arena_alloc(b, 100) != NULL);
	kvt_eq(kvt_stats(a).total_allocations, 1);
	kvt_eq(kvt_stats(a).free_bytes, kvt_stats(b).free_bytes);
	kv_arena_destroy(b);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(every_named_block_size_works)
{
	static const size_t sizes[] = {
		KV_ARENA_MIN_BLOCK_SIZE, KV_ARENA_SMALL_BLOCK_SIZE,
		KV_ARENA_DEFAULT_BLOCK_SIZE, KV_ARENA_LARGE_BLOCK_SIZE
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		kv_arena_t *a = kv_arena_create(sizes[i]);
		struct kvt_book book = { 0 };

		kvt_true(a != NULL);
		kvt_load(a, &book, 1000);
		kvt_intact(&book);
		kvt_balanced(a);
		kvt_drop(&book);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(block_size_under_the_minimum_is_the_minimum)
{
	kv_arena_t *least = kv_arena_create(KV_ARENA_MIN_BLOCK_SIZE);
	kv_arena_t *a = kv_arena_create(1);

	kvt_true(kv_arena_alloc(least, 8) != NULL);
	kvt_true(kv_arena_alloc(a, 8) != NULL);
	kvt_eq(kv_arena_memory_usage(a), kv_arena_memory_usage(least));
	kv_arena_destroy(a);
	kv_arena_destroy(least);
}
END_TEST

/* ---- Thread safety: 9 ----------------------------------------------------- */

static void *
allocate_aligned(void *arg)
{
	struct kvt_worker *w = arg;

	for (size_t i = 0; i < w->n; i++) {
		size_t alignment = (size_t)1 << i % 9;

		kvt_enter(&w->book, kv_arena_alloc_aligned(w->arena,
			w1_size(i), alignment), w1_size(i), alignment);
	}
	return NULL;
}

/* Totals never fall while others allocate. */
static void *
read_stats(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_stats_t s, last = { 0 };

	for (; w->rounds < w->n; w->rounds++) {
		w->faults += kv_arena_get_stats(w->arena, &s) != 0;
		w->faults += s.total_allocations < last.total_allocations;
		w->faults += s.total_bytes_allocated < last.total_bytes_allocated;
		last = s;
	}
	return NULL;
}

static void
run_threads(size_t threads, size_t n, void *(*fn)(void *))
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[KVT_THREADS];

	kvt_prepare(w, threads, a, n);
	kvt_run_all(w, threads, fn);
	kvt_collect(w, threads);
	kvt_eq(kvt_stats(a).total_allocations, threads * n);
	kvt_balanced(a);
	kv_arena_destroy(a);
}

START_TEST(safe_arena_serves_one_thread)
{
	run_threads(1, 1000, kvt_allocate);
}
END_TEST

START_TEST(two_threads_do_not_overlap)
{
	run_threads(2, 1000, kvt_allocate);
}
END_TEST

START_TEST(eight_threads_of_1000_allocations_do_not_overlap)
{
	run_threads(KVT_THREADS, 1000, kvt_allocate);
}
END_TEST

START_TEST(eight_threads_of_100000_allocations_do_not_overlap)
{
	run_threads(KVT_THREADS, kvt_scaled(100000), kvt_allocate);
}
END_TEST

START_TEST(eight_threads_of_aligned_allocations_do_not_overlap)
{
	run_threads(KVT_THREADS, 1000, allocate_aligned);
}
END_TEST

START_TEST(small_blocks_are_shared_out_without_overlap)
{
	kv_arena_t *a = kvt_create_safe(KV_ARENA_MIN_BLOCK_SIZE);
	struct kvt_worker w[KVT_THREADS];

	kvt_prepare(w, KVT_THREADS, a, 1000);
	kvt_run_all(w, KVT_THREADS, kvt_allocate);
	kvt_collect(w, KVT_THREADS);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(statistics_may_be_read_while_threads_allocate)
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker writers[4], reader;
	pthread_t thread;

	kvt_prepare(writers, 4, a, 10000);
	kvt_prepare(&reader, 1, a, 1000);
	kvt_eq(pthread_create(&thread, NULL, read_stats, &reader), 0);
	kvt_run_all(writers, 4, kvt_allocate);
	kvt_eq(pthread_join(thread, NULL), 0);
	kvt_eq(reader.rounds, 1000);
	kvt_eq(reader.faults, 0);
	kvt_collect(writers, 4);
	kvt_eq(kvt_stats(a).total_allocations, 40000);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(unsafe_arenas_serve_one_thread_each)
{
	struct kvt_worker w[KVT_THREADS];

	kvt_prepare(w, KVT_THREADS, NULL, 1000);
	for (size_t i = 0; i < KVT_THREADS; i++)
		w[i].arena = kv_arena_create(0);
	kvt_run_all(w, KVT_THREADS, kvt_allocate);
	kvt_collect(w, KVT_THREADS);
	for (size_t i = 0; i < KVT_THREADS; i++) {
		kvt_eq(kvt_stats(w[i].arena).total_allocations, 1000);
		kv_arena_destroy(w[i].arena);
	}
}
END_TEST

START_TEST(threads_may_come_again_after_a_reset)
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[KVT_THREADS];

	for (int round = 0; round < 5; round++) {
		kvt_prepare(w, KVT_THREADS, a, 1000);
		kvt_run_all(w, KVT_THREADS, kvt_allocate);
		kvt_collect(w, KVT_THREADS);
		kvt_balanced(a);
		kv_arena_reset(a);
		kvt_eq(kv_arena_total_allocated(a), 0);
	}
	kvt_eq(kvt_stats(a).total_allocations, 5 * KVT_THREADS * 1000);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Cache: 6 -------------------------------------------------------------- */

/* An arena of its own cache, so that other tests do not show in its counts. */
static kv_arena_t *
create_cached(kv_arena_cache_t *cache, size_t max_cached_blocks)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = cache;
	config.max_cached_blocks = max_cached_blocks;
	return kv_arena_create_ex(&config);
}

START_TEST(reset_keeps_blocks_for_the_next_use)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;
	uint64_t fresh;

	for (size_t i = 0; i < 1000; i++)
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
	fresh = kvt_stats(a).block_allocations;
	kv_arena_reset(a);
	for (size_t i = 0; i < 1000; i++)
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
	s = kvt_stats(a);
	kvt_eq(s.block_allocations, fresh);
	kvt_cmp(s.block_reuses, >, 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(destroyed_arenas_warm_the_next_ones)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 << 20);
	uint64_t fresh = 0, warm = 0;

	for (int i = 0; i < 200; i++) {
		kv_arena_t *a = create_cached(cache, KV_ARENA_MAX_CACHED_BLOCKS);

		for (size_t bytes = 0; bytes < 1 << 20; bytes += 512)
			kvt_true(kv_arena_alloc(a, 512) != NULL);
		fresh += kvt_stats(a).block_allocations;
		warm += kvt_stats(a).block_reuses;
		kv_arena_destroy(a);
	}
	kvt_cmp(warm * 10, >, (fresh + warm) * 9);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(no_cached_block_means_that_reset_keeps_none)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 << 20);
	kv_arena_t *a = create_cached(cache, 0);

	for (size_t i = 0; i < 4000; i++)
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
	kv_arena_reset(a);
	kvt_eq(kvt_stats(a).blocks, 0);
	kv_arena_destroy(a);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(huge_number_of_cached_blocks_is_no_harm)
{
	kv_arena_t *a = create_cached(NULL, SIZE_MAX);
	struct kvt_book book = { 0 };

	kvt_load(a, &book, 4000);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_reset(a);
	kvt_load(a, &book, 4000);
	kvt_intact(&book);
	kvt_eq(kvt_stats(a).resets, 1);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(arena_without_cache_gives_all_back_at_reset)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;
	size_t empty;

	config.enable_block_cache = false;
	a = kv_arena_create_ex(&config);
	empty = kv_arena_memory_usage(a);
	for (size_t i = 0; i < 1000; i++)
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
	kv_arena_reset(a);
	kvt_eq(kvt_stats(a).blocks, 0);
	kvt_cmp(kv_arena_memory_usage(a), <=, empty + 512);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(compact_never_takes_live_blocks)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };
	size_t used;

	kvt_load(a, &book, 4000);
	used = kv_arena_total_allocated(a);
	kv_arena_compact(a);
	kvt_eq(kv_arena_total_allocated(a), used);
	kvt_eq(kv_arena_compact(a), 0);
	kvt_intact(&book);
	kvt_balanced(a);
	kv_arena_reset(a);
	kvt_cmp(kv_arena_compact(a), >=, used);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Statistics: 12 --------------------------------------------------------- */

START_TEST(new_arena_has_counted_nothing)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s = kvt_stats(a);

	kvt_eq(s.total_allocations, 0);
	kvt_eq(s.total_bytes_allocated, 0);
	kvt_eq(s.total_bytes_wasted, 0);
	kvt_eq(s.block_allocations + s.block_reuses, 0);
	kvt_eq(s.used_bytes, 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(every_allocation_is_counted)
{
	kv_arena_t *a = kv_arena_create(0);

	for (size_t i = 1; i <= 1000; i++) {
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
		kvt_eq(kvt_stats(a).total_allocations, i);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(bytes_allocated_are_those_asked_for)
{
	kv_arena_t *a = kv_arena_create(0);
	uint64_t asked = 0;

	for (size_t i = 0; i < 1000; i++) {
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
		asked += w1_size(i);
		kvt_eq(kvt_stats(a).total_bytes_allocated, asked);
	}
	kvt_eq(kvt_stats(a).used_bytes, asked);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(total_allocated_includes_rounding)
{
	kv_arena_t *a;

	if (kvt_skip_if_apart())
		return;
	a = kv_arena_create(0);
	for (size_t i = 1; i <= 100; i++) {
		kvt_true(kv_arena_alloc(a, 1) != NULL);
		kvt_eq(kv_arena_total_allocated(a), i * KV_ARENA_ALIGNMENT);
		kvt_eq(kvt_stats(a).padding_bytes, i * (KV_ARENA_ALIGNMENT - 1));
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(waste_is_padding_and_tails)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;

	for (size_t i = 0; i < 4000; i++)
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
	s = kvt_stats(a);
	kvt_eq(s.total_bytes_wasted, s.padding_bytes + s.tail_bytes);
	kvt_cmp(s.padding_bytes, >, 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(memory_usage_holds_what_was_allocated)
{
	kv_arena_t *a = kv_arena_create(0);

	for (size_t i = 0; i < 1000; i++) {
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
		kvt_cmp(kv_arena_memory_usage(a), >=,
			kv_arena_total_allocated(a));
		kvt_balanced(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(peak_stays_when_usage_falls)
{
	kv_arena_t *a = kv_arena_create(0);
	uint64_t most;

	kvt_true(kvt_alloc(a, 10 << 20) != NULL);
	most = kv_arena_memory_usage(a);
	kvt_eq(kvt_stats(a).peak_memory_usage, most);
	kv_arena_reset(a);
	kv_arena_compact(a);
	kvt_cmp(kv_arena_memory_usage(a), <, most);
	kvt_eq(kvt_stats(a).peak_memory_usage, most);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(sizes_fall_into_their_buckets)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;

	for (size_t i = 0; i < 16; i++)
		kvt_true(kv_arena_alloc(a, (size_t)1 << i) != NULL);
	for (size_t i = 2; i < 15; i++)
		kvt_true(kv_arena_alloc(a, ((size_t)1 << i) - 1) != NULL);
	kvt_true(kv_arena_alloc(a, (1 << 15) + 1) != NULL);
	s = kvt_stats(a);
	kvt_eq(s.size_distribution[0], 1);
	kvt_eq(s.size_distribution[1], 1);
	for (size_t i = 2; i < 15; i++)
		kvt_eq(s.size_distribution[i], 2);
	kvt_eq(s.size_distribution[15], 2);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(alignments_asked_for_are_counted)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;

	for (size_t i = 0; i < 10; i++)
		kvt_true(kv_arena_alloc_aligned(a, 8, (size_t)1 << i) != NULL);
	kvt_true(kv_arena_alloc(a, 8) != NULL);
	s = kvt_stats(a);
	for (size_t i = 0; i < 7; i++)
		kvt_eq(s.alignment_requests[i], 1);
	kvt_eq(s.alignment_requests[7], 3);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_stats_starts_anew_and_keeps_what_lives)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };
	size_t used;

	kvt_load(a, &book, 1000);
	used = kv_arena_total_allocated(a);
	kv_arena_reset_stats(a);
	kvt_eq(kvt_stats(a).total_allocations, 0);
	kvt_eq(kvt_stats(a).total_bytes_allocated, 0);
	kvt_eq(kv_arena_total_allocated(a), used);
	kvt_true(kv_arena_alloc(a, 24) != NULL);
	kvt_eq(kvt_stats(a).total_allocations, 1);
	kvt_eq(kvt_stats(a).total_bytes_allocated, 24);
	kvt_balanced(a);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(blocks_are_counted_fresh_or_warm)
{
	kv_arena_t *a = kv_arena_create(KV_ARENA_SMALL_BLOCK_SIZE);
	kv_arena_stats_t s;

	for (size_t i = 0; i < 1000; i++)
		kvt_true(kv_arena_alloc(a, w1_size(i)) != NULL);
	s = kvt_stats(a);
	kvt_cmp(s.block_allocations + s.block_reuses, >=, s.blocks);
	kvt_cmp(s.blocks, >, 1);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(null_arguments_have_no_statistics)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;

	kvt_fails(kv_arena_get_stats(NULL, &s), -1, EINVAL);
	kvt_fails(kv_arena_get_stats(a, NULL), -1, EINVAL);
	kvt_eq(kv_arena_memory_usage(NULL), 0);
	kvt_eq(kv_arena_total_allocated(NULL), 0);
	kv_arena_reset_stats(NULL);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Benchmark: 1 ------------------------------------------------------------ */

START_TEST(benchmark_load_runs_at_99_61_percent)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };
	double efficiency;

	kvt_load(a, &book, 100000);
	efficiency = (double)kv_arena_total_allocated(a) /
		(double)kv_arena_memory_usage(a);
	kvt_intact(&book);
	kvt_balanced(a);
	printf("memory efficiency %.2f %%\n", 100 * efficiency);
	kvt_true(efficiency >= 0.9961);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

/* ---- NUMA: 2 ------------------------------------------------------------------ */

START_TEST(numa_arena_works_with_and_without_numa)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_book book = { 0 };
	kv_arena_t *a;

	config.enable_numa = true;
	config.preferred_numa_node = 0;
	a = kv_arena_create_ex(&config);
	kvt_true(a != NULL);
	kvt_load(a, &book, 4000);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(preferred_node_that_does_not_exist_is_replaced)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_book book = { 0 };
	kv_arena_t *a;

	config.enable_numa = true;
	config.preferred_numa_node = 999;
	a = kv_arena_create_ex(&config);
	kvt_true(a != NULL);
	kvt_load(a, &book, 1000);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Edge cases: 8 --------------------------------------------------------------- */

START_TEST(null_arena_gives_nothing)
{
	kvt_refused(kv_arena_alloc(NULL, 8), EINVAL);
	kvt_refused(kv_arena_alloc_aligned(NULL, 8, 8), EINVAL);
	kv_arena_destroy(NULL);
	kv_arena_reset(NULL);
	kvt_eq(kv_arena_compact(NULL), 0);
}
END_TEST

START_TEST(size_zero_gives_nothing)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_refused(kv_arena_alloc(a, 0), EINVAL);
	kvt_refused(kv_arena_alloc_aligned(a, 0, 8), EINVAL);
	kvt_true(kv_arena_alloc(a, 1) != NULL);
	kvt_refused(kv_arena_alloc(a, 0), EINVAL);
	kvt_eq(kvt_stats(a).total_allocations, 1);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(size_max_gives_nothing)
{
	kv_arena_t *a = kv_arena_create(0);

	for (size_t k = 0; k < 8192; k++)
		kvt_refused(kvt_alloc(a, SIZE_MAX - k), ENOMEM);
	kvt_true(kv_arena_alloc(a, 16) != NULL);
	kvt_eq(kvt_stats(a).total_allocations, 1);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(alignment_must_be_a_power_of_two)
{
	static const size_t bad[] = { 0, 3, 5, 6, 7, 24, SIZE_MAX };
	kv_arena_t *a = kv_arena_create(0);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		kvt_refused(kv_arena_alloc_aligned(a, 8, bad[i]), EINVAL);
	kvt_refused(kv_arena_alloc_aligned(a, 8, SIZE_MAX / 2 + 1), ENOMEM);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(allocation_larger_than_a_block_is_served)
{
	kv_arena_t *a = kv_arena_create(KV_ARENA_SMALL_BLOCK_SIZE);
	struct kvt_book book = { 0 };

	for (size_t size = 1000; size < 20 << 20; size *= 3)
		kvt_enter(&book, kv_arena_alloc(a, size), size,
			KV_ARENA_ALIGNMENT);
	kvt_intact(&book);
	kvt_cmp(kvt_stats(a).large_allocations, >, 0);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(every_alignment_up_to_a_megabyte_is_met)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };

	for (size_t alignment = 1; alignment <= 1 << 20; alignment *= 2)
		for (size_t size = 1; size <= 100; size += 33)
			kvt_enter(&book, kv_arena_alloc_aligned(a, size,
				alignment), size, alignment);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(sizes_around_a_block_are_served)
{
	struct kvt_book book = { 0 };
	kv_arena_t *a = kv_arena_create(KV_ARENA_SMALL_BLOCK_SIZE);

	for (size_t size = KV_ARENA_SMALL_BLOCK_SIZE - 300;
	     size < KV_ARENA_SMALL_BLOCK_SIZE + 300; size++)
		kvt_enter(&book, kv_arena_alloc(a, size), size,
			KV_ARENA_ALIGNMENT);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(impossible_configurations_are_refused)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.block_size = SIZE_MAX;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
	kvt_refused(kv_arena_create(SIZE_MAX), EINVAL);
	config.block_size = 0;
	config.thread_mode = (kv_arena_thread_mode_t)7;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
}
END_TEST

/* ---- Leaks: 10 --------------------------------------------------------------------
 * An arena of a cache of its own. When the arena is gone, what the cache has
 * taken from the system must be in the cache, and the cache must be able to end.
 * What malloc gave is the business of the leak checkers. */

struct closed {
	kv_arena_cache_t *cache;
	kv_arena_t *arena;
};

static struct closed
open_closed(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct closed c = { kv_arena_cache_create(64 << 20), NULL };

	kvt_true(c.cache != NULL);
	config.cache = c.cache;
	config.thread_mode = mode;
	c.arena = kv_arena_create_ex(&config);
	kvt_true(c.arena != NULL);
	return c;
}

static void
close_closed(struct closed c)
{
	kv_arena_cache_stats_t s;

	kv_arena_destroy(c.arena);
	kv_arena_cache_trim(c.cache, 0);
	kvt_eq(kv_arena_cache_get_stats(c.cache, &s), 0);
	kvt_eq(s.cached_bytes, 0);
	kvt_eq(s.held_bytes, 0);
	kvt_eq(kv_arena_cache_destroy(c.cache), 0);
}

START_TEST(empty_arena_leaves_nothing)
{
	close_closed(open_closed(KV_ARENA_THREAD_UNSAFE));
}
END_TEST

START_TEST(small_allocations_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_UNSAFE);

	for (size_t i = 0; i < 10000; i++)
		kvt_true(kv_arena_alloc(c.arena, w1_size(i)) != NULL);
	close_closed(c);
}
END_TEST

START_TEST(large_allocations_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_UNSAFE);

	for (size_t i = 1; i <= 10; i++)
		kvt_true(kvt_alloc(c.arena, i << 20) != NULL);
	close_closed(c);
}
END_TEST

START_TEST(aligned_allocations_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_UNSAFE);

	for (size_t i = 0; i < 20; i++)
		kvt_true(kv_arena_alloc_aligned(c.arena, 100,
			(size_t)1 << i) != NULL);
	close_closed(c);
}
END_TEST

START_TEST(resets_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_UNSAFE);

	for (int round = 0; round < 100; round++) {
		for (size_t i = 0; i < 100; i++)
			kvt_true(kv_arena_alloc(c.arena, w1_size(i)) != NULL);
		kv_arena_reset(c.arena);
	}
	close_closed(c);
}
END_TEST

START_TEST(threads_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_SAFE);
	struct kvt_worker w[KVT_THREADS];

	kvt_prepare(w, KVT_THREADS, c.arena, 1000);
	kvt_run_all(w, KVT_THREADS, kvt_allocate);
	kvt_collect(w, KVT_THREADS);
	close_closed(c);
}
END_TEST

START_TEST(children_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_UNSAFE);
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = c.cache;
	for (int i = 0; i < 10; i++) {
		kv_arena_t *child = kv_arena_create_child(c.arena, &config);

		kvt_true(child != NULL);
		kvt_true(kv_arena_alloc(child, 100000) != NULL);
	}
	close_closed(c);
}
END_TEST

START_TEST(failed_allocations_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_UNSAFE);

	for (size_t i = 0; i < 1000; i++)
		kvt_refused(kvt_alloc(c.arena, SIZE_MAX - i * 4096), ENOMEM);
	close_closed(c);
}
END_TEST

START_TEST(reallocations_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_UNSAFE);
	void *p = NULL;
	size_t old = 0;

	for (size_t size = 1; size < 1 << 22; size = size * 3 + 1) {
		p = kv_arena_realloc(c.arena, p, old, size);
		kvt_true(p != NULL);
		old = size;
	}
	close_closed(c);
}
END_TEST

START_TEST(thousand_arenas_leave_nothing)
{
	struct closed c = open_closed(KV_ARENA_THREAD_UNSAFE);

	for (int i = 0; i < 1000; i++) {
		kv_arena_t *a = create_cached(c.cache, 4);

		kvt_true(a != NULL);
		kvt_true(kv_arena_alloc(a, 100) != NULL);
		kv_arena_destroy(a);
	}
	close_closed(c);
}
END_TEST

/* ---- The table --------------------------------------------------------------------- */

static void
add_creation(Suite *s)
{
	TCase *g = kvt_group(s, "creation");

	tcase_add_test(g, default_arena_allocates);
	tcase_add_test(g, null_config_means_the_default_config);
	tcase_add_test(g, every_named_block_size_works);
	tcase_add_test(g, block_size_under_the_minimum_is_the_minimum);
}

static void
add_thread_safety(Suite *s)
{
	TCase *g = kvt_group(s, "thread safety");

	tcase_add_test(g, safe_arena_serves_one_thread);
	tcase_add_test(g, two_threads_do_not_overlap);
	tcase_add_test(g, eight_threads_of_1000_allocations_do_not_overlap);
	tcase_add_test(g, eight_threads_of_100000_allocations_do_not_overlap);
	tcase_add_test(g, eight_threads_of_aligned_allocations_do_not_overlap);
	tcase_add_test(g, small_blocks_are_shared_out_without_overlap);
	tcase_add_test(g, statistics_may_be_read_while_threads_allocate);
	tcase_add_test(g, unsafe_arenas_serve_one_thread_each);
	tcase_add_test(g, threads_may_come_again_after_a_reset);
}

static void
add_cache(Suite *s)
{
	TCase *g = kvt_group(s, "cache");

	tcase_add_test(g, reset_keeps_blocks_for_the_next_use);
	tcase_add_test(g, destroyed_arenas_warm_the_next_ones);
	tcase_add_test(g, no_cached_block_means_that_reset_keeps_none);
	tcase_add_test(g, huge_number_of_cached_blocks_is_no_harm);
	tcase_add_test(g, arena_without_cache_gives_all_back_at_reset);
	tcase_add_test(g, compact_never_takes_live_blocks);
}

static void
add_statistics(Suite *s)
{
	TCase *g = kvt_group(s, "statistics");

	tcase_add_test(g, new_arena_has_counted_nothing);
	tcase_add_test(g, every_allocation_is_counted);
	tcase_add_test(g, bytes_allocated_are_those_asked_for);
	tcase_add_test(g, total_allocated_includes_rounding);
	tcase_add_test(g, waste_is_padding_and_tails);
	tcase_add_test(g, memory_usage_holds_what_was_allocated);
	tcase_add_test(g, peak_stays_when_usage_falls);
	tcase_add_test(g, sizes_fall_into_their_buckets);
	tcase_add_test(g, alignments_asked_for_are_counted);
	tcase_add_test(g, reset_stats_starts_anew_and_keeps_what_lives);
	tcase_add_test(g, blocks_are_counted_fresh_or_warm);
	tcase_add_test(g, null_arguments_have_no_statistics);
}

static void
add_benchmark_and_numa(Suite *s)
{
	TCase *g = kvt_group(s, "benchmark");

	tcase_add_test(g, benchmark_load_runs_at_99_61_percent);
	g = kvt_group(s, "numa");
	tcase_add_test(g, numa_arena_works_with_and_without_numa);
	tcase_add_test(g, preferred_node_that_does_not_exist_is_replaced);
}

static void
add_edge_cases(Suite *s)
{
	TCase *g = kvt_group(s, "edge cases");

	tcase_add_test(g, null_arena_gives_nothing);
	tcase_add_test(g, size_zero_gives_nothing);
	tcase_add_test(g, size_max_gives_nothing);
	tcase_add_test(g, alignment_must_be_a_power_of_two);
	tcase_add_test(g, allocation_larger_than_a_block_is_served);
	tcase_add_test(g, every_alignment_up_to_a_megabyte_is_met);
	tcase_add_test(g, sizes_around_a_block_are_served);
	tcase_add_test(g, impossible_configurations_are_refused);
}

static void
add_leaks(Suite *s)
{
	TCase *g = kvt_group(s, "leaks");

	tcase_add_test(g, empty_arena_leaves_nothing);
	tcase_add_test(g, small_allocations_leave_nothing);
	tcase_add_test(g, large_allocations_leave_nothing);
	tcase_add_test(g, aligned_allocations_leave_nothing);
	tcase_add_test(g, resets_leave_nothing);
	tcase_add_test(g, threads_leave_nothing);
	tcase_add_test(g, children_leave_nothing);
	tcase_add_test(g, failed_allocations_leave_nothing);
	tcase_add_test(g, reallocations_leave_nothing);
	tcase_add_test(g, thousand_arenas_leave_nothing);
}

int
main(void)
{
	Suite *s = suite_create("ancestor");

	add_creation(s);
	add_thread_safety(s);
	add_cache(s);
	add_statistics(s);
	add_benchmark_and_numa(s);
	add_edge_cases(s);
	add_leaks(s);
	return kvt_run(s, ANCESTOR_ASSERTIONS);
}
