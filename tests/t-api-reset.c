/* t-api-reset.c -- the section Reset and destroy of kv_arena.h, and blocks that
 * come back warm
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <string.h>

/* After a reset: nothing is live, all is accounted for, and it works as new. */
static void
check_empty(kv_arena_t *a)
{
	struct kvt_book book = { 0 };

	kvt_eq(kv_arena_total_allocated(a), 0);
	kvt_eq(kvt_stats(a).used_bytes, 0);
	kvt_eq(kvt_stats(a).abandoned_bytes, 0);
	kvt_balanced(a);
	kvt_load(a, &book, 500);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
}

static void
bump_int(void *arg)
{
	++*(int *)arg;
}

/* ---- The reset matrix --------------------------------------------------------- */

START_TEST(reset_of_null_is_fine)
{
	kv_arena_reset(NULL);
	kv_arena_destroy(NULL);
	kvt_eq(kv_arena_compact(NULL), 0);
}
END_TEST

START_TEST(reset_of_an_empty_arena)
{
	kv_arena_t *a = kv_arena_create(0);

	kv_arena_reset(a);
	kv_arena_reset(a);
	check_empty(a);
	kv_arena_reset(a);
	kv_arena_reset(a);
	check_empty(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_of_one_block_keeps_it)
{
	kv_arena_t *a = kv_arena_create(0);
	void *first = kv_arena_alloc(a, 100);
	uint64_t fresh = kvt_stats(a).block_allocations;

	kv_arena_reset(a);
	kvt_true(kv_arena_alloc(a, 100) == first);
	kvt_eq(kvt_stats(a).block_allocations, fresh);
	kv_arena_reset(a);
	check_empty(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_of_many_blocks_keeps_them_warm)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_source source = KVT_SOURCE;
	struct kvt_book book = { 0 };
	kv_arena_t *a;
	size_t takes;

	config.block_source = kvt_hooks(&source);
	config.max_cached_blocks = 1000;
	a = kv_arena_create_ex(&config);
	kvt_load(a, &book, 10000);
	takes = source.takes;
	kvt_cmp(takes, >, 3);
	for (int round = 0; round < 10; round++) {
		kvt_intact(&book);
		kvt_drop(&book);
		kv_arena_reset(a);
		kvt_load(a, &book, 10000);
		kvt_balanced(a);
	}
	kvt_eq(source.takes, takes);
	kv_arena_reset(a);
	check_empty(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
	kvt_eq(source.takes, source.gives);
	kvt_eq(source.faults, 0);
}
END_TEST

START_TEST(reset_keeps_at_most_max_cached_blocks)
{
	static const size_t most[] = { 0, 1, 2, 5 };

	for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
		struct kvt_source source = KVT_SOURCE;
		kv_arena_config_t config = kvt_sourced(&source);
		struct kvt_book book = { 0 };
		kv_arena_t *a;

		config.enable_block_cache = true;
		config.max_cached_blocks = most[i];
		config.block_size = 4096;
		config.max_block_size = 4096;
		a = kv_arena_create_ex(&config);
		kvt_load(a, &book, 300);
		kvt_cmp(kvt_stats(a).blocks, >, 10);
		kv_arena_reset(a);
		kvt_eq(kvt_stats(a).blocks, most[i]);
		check_empty(a);
		kvt_drop(&book);
		kv_arena_destroy(a);
		kvt_eq(source.held, 0);
	}
}
END_TEST

START_TEST(reset_of_large_objects)
{
	kv_arena_t *a = kv_arena_create(4096);
	struct kvt_book book = { 0 };

	for (size_t i = 1; i <= 8; i++)
		kvt_enter(&book, kvt_alloc(a, i << 20), i << 20, 8);
	kvt_intact(&book);
	kv_arena_reset(a);
	check_empty(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(thousand_resets_of_large_objects_do_not_grow)
{
	kv_arena_t *a = kv_arena_create(0);
	uint64_t peak = 0;

	for (int i = 0; i < 1000; i++) {
		kvt_true(kvt_alloc(a, 3 << 20) != NULL);
		kvt_true(kvt_alloc(a, 100) != NULL);
		kv_arena_reset(a);
		if (i == 10)
			peak = kvt_stats(a).peak_memory_usage;
	}
	kvt_eq(kvt_stats(a).peak_memory_usage, peak);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_in_a_callers_buffer)
{
	static _Alignas(16) char buffer[16384];
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_in(buffer, sizeof buffer, &config);
	struct kvt_book book = { 0 };
	void *first = kv_arena_alloc(a, 8);

	kvt_load(a, &book, 1000);
	kvt_cmp(source.takes, >, 0);
	kvt_intact(&book);
	kv_arena_reset(a);
	kvt_true(kv_arena_alloc(a, 8) == first);
	kvt_eq(source.held, 0);
	kv_arena_reset(a);
	check_empty(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
}
END_TEST

START_TEST(reset_after_failed_growth)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	struct kvt_book book = { 0 };
	kv_arena_t *a = kv_arena_create_ex(&config);

	kvt_load(a, &book, 1000);
	source.budget = source.held;
	kvt_refused(kvt_alloc(a, 1 << 20), ENOMEM);
	kvt_intact(&book);
	kvt_balanced(a);
	kv_arena_reset(a);
	kvt_eq(kv_arena_total_allocated(a), 0);
	kvt_refused(kvt_alloc(a, 4 << 20), ENOMEM);
	source.budget = SIZE_MAX;
	check_empty(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
}
END_TEST

START_TEST(reset_with_children_ends_them)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_ex(&config);
	int ended = 0;

	for (int round = 0; round < 3; round++) {
		kv_arena_t *child = kv_arena_create_child(a, &config);
		kv_arena_t *grandchild = kv_arena_create_child(child, &config);

		kvt_true(kv_arena_alloc(child, 1000) != NULL);
		kvt_true(kv_arena_alloc(grandchild, 1000) != NULL);
		kvt_eq(kv_arena_defer(child, bump_int, &ended), 0);
		kvt_eq(kv_arena_defer(grandchild, bump_int, &ended), 0);
		kv_arena_reset(a);
		kvt_eq(ended, 2 * (round + 1));
		kvt_eq(source.held, 0);
		kvt_eq(kvt_stats(a).children_memory_usage, 0);
	}
	check_empty(a);
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
}
END_TEST

START_TEST(reset_gives_the_limit_back)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.memory_limit = 1 << 20;
	config.max_cached_blocks = 0;
	a = kv_arena_create_ex(&config);
	for (int round = 0; round < 5; round++) {
		size_t n = 0;

		while (kv_arena_alloc(a, 1000) != NULL)
			n++;
		kvt_cmp(n, >, 800);
		kvt_cmp(kv_arena_memory_usage(a), <=, 1 << 20);
		kvt_balanced(a);
		kv_arena_reset(a);
		kvt_eq(kv_arena_total_allocated(a), 0);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_of_a_shared_arena)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_book book = { 0 };
	kv_arena_t *a;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	a = kv_arena_create_ex(&config);
	for (int round = 0; round < 10; round++) {
		kvt_load(a, &book, 2000);
		kvt_intact(&book);
		kvt_drop(&book);
		kv_arena_reset(a);
		kvt_eq(kv_arena_total_allocated(a), 0);
		kvt_balanced(a);
	}
	check_empty(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_at_every_debug_level)
{
	for (int level = 0; level <= KV_ARENA_DEBUG_GUARD; level++) {
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
		struct kvt_book book = { 0 };
		kv_arena_t *a;

		config.debug = (kv_arena_debug_t)level;
		a = kv_arena_create_ex(&config);
		kvt_load(a, &book, 1000);
		kvt_intact(&book);
		kv_arena_reset(a);
		check_empty(a);
		kvt_drop(&book);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(million_resets_are_no_trouble)
{
	kv_arena_t *a = kv_arena_create(0);
	size_t n = kvt_scaled(1000000), held = 0;

	for (size_t i = 0; i < n; i++) {
		if (kv_arena_alloc(a, 100) == NULL)
			ck_abort_msg("no memory");
		kv_arena_reset(a);
		if (i == 0)
			held = kv_arena_memory_usage(a);
	}
	kvt_eq(kv_arena_memory_usage(a), held);
	kvt_eq(kvt_stats(a).resets, n);
	kvt_eq(kvt_stats(a).total_allocations, n);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Compact ---------------------------------------------------------------------- */

START_TEST(compact_gives_back_nothing_that_lives)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };
	size_t given, usage, used;

	kvt_load(a, &book, 20000);
	used = kv_arena_total_allocated(a);
	usage = kv_arena_memory_usage(a);
	given = kv_arena_compact(a);
	kvt_eq(kv_arena_memory_usage(a), usage - given);
	kvt_eq(kv_arena_total_allocated(a), used);
	kvt_cmp(kv_arena_memory_usage(a), >=, used);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_load(a, &book, 1000);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(compact_after_reset_gives_the_blocks_back)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	struct kvt_book book = { 0 };
	kv_arena_t *a;
	size_t usage, given;

	config.enable_block_cache = true;
	config.max_cached_blocks = 1000;
	a = kv_arena_create_ex(&config);
	kvt_load(a, &book, 20000);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_reset(a);
	usage = kv_arena_memory_usage(a);
	kvt_cmp(usage, >, 9 << 20);
	given = kv_arena_compact(a);
	kvt_cmp(given, >, 9 << 20);
	kvt_eq(kv_arena_memory_usage(a), usage - given);
	kvt_eq(kvt_stats(a).blocks, 0);
	kvt_eq(source.held, 0);
	check_empty(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(compact_of_an_empty_arena_gives_nothing)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_eq(kv_arena_compact(a), 0);
	check_empty(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(compact_twice_gives_nothing_more)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };

	kvt_load(a, &book, 2000);
	kv_arena_compact(a);
	kvt_eq(kv_arena_compact(a), 0);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(compact_is_the_owner_of_no_one_elses_memory)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_book book = { 0 };
	kv_arena_t *a;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	a = kv_arena_create_ex(&config);
	for (int i = 0; i < 50; i++) {
		kvt_load(a, &book, 100);
		kv_arena_compact(a);
		kvt_balanced(a);
	}
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Warm blocks -------------------------------------------------------------------- */

START_TEST(loop_of_create_allocate_destroy_stays_warm)
{
	uint64_t fresh = 0, warm = 0;

	for (int i = 0; i < 500; i++) {
		kv_arena_t *a = kv_arena_create(0);

		for (size_t bytes = 0; bytes < 1 << 20; bytes += 256)
			if (kv_arena_alloc(a, 256) == NULL)
				ck_abort_msg("no memory");
		fresh += kvt_stats(a).block_allocations;
		warm += kvt_stats(a).block_reuses;
		kv_arena_destroy(a);
	}
	printf("blocks: %" PRIu64 " fresh, %" PRIu64 " warm\n", fresh, warm);
	kvt_cmp(warm * 10, >, (fresh + warm) * 9);
}
END_TEST

/* A MiB, wholly written. */
static void
write_mib(kv_arena_t *a)
{
	for (size_t bytes = 0; bytes < 1 << 20; bytes += 256)
		memset(kv_arena_alloc(a, 256), 'w', 256);
}

START_TEST(steady_loops_take_no_page_fault)
{
	kv_arena_t *a = kv_arena_create(0);
	long faults[2];

	/* An emulator takes faults of its own, as it translates. */
	if (kvt_is_watched() || kvt_is_emulated() || kvt_faults() == 0) {
		kvt_skip("the arena's page faults are not counted here");
		kv_arena_destroy(a);
		return;
	}
	for (int loop = 0; loop < 2; loop++) {
		for (int i = 0; i < 120; i++) {
			if (i == 20)
				faults[loop] = kvt_faults();
			if (loop == 0) {
				kv_arena_t *passing = kv_arena_create(0);

				write_mib(passing);
				kv_arena_destroy(passing);
			} else {
				write_mib(a);
				kv_arena_reset(a);
			}
		}
		faults[loop] = kvt_faults() - faults[loop];
	}
	printf("page faults in 100 MiB: %ld with destroy, %ld with reset\n",
		faults[0], faults[1]);
	kvt_cmp(faults[0], <=, 4);
	kvt_cmp(faults[1], <=, 4);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(loop_of_resets_takes_no_fresh_block)
{
	kv_arena_t *a = kv_arena_create(0);
	uint64_t fresh = 0;

	for (int i = 0; i < 100; i++) {
		for (size_t bytes = 0; bytes < 1 << 20; bytes += 256)
			if (kv_arena_alloc(a, 256) == NULL)
				ck_abort_msg("no memory");
		if (i == 10)
			fresh = kvt_stats(a).block_allocations;
		kv_arena_reset(a);
	}
	kvt_eq(kvt_stats(a).block_allocations, fresh);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Destroy --------------------------------------------------------------------------- */

START_TEST(destroy_gives_everything_back)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	struct kvt_book book = { 0 };

	for (int cached = 0; cached < 2; cached++) {
		for (int mode = 0; mode < 2; mode++) {
			kv_arena_t *a;

			config.enable_block_cache = cached;
			config.thread_mode = (kv_arena_thread_mode_t)mode;
			a = kv_arena_create_ex(&config);
			kvt_load(a, &book, 3000);
			kvt_enter(&book, kvt_alloc(a, 5 << 20), 5 << 20, 8);
			kvt_intact(&book);
			kvt_drop(&book);
			kv_arena_destroy(a);
			kvt_eq(source.held, 0);
			kvt_eq(source.faults, 0);
		}
	}
}
END_TEST

START_TEST(destroy_runs_defers_and_ends_children)
{
	kv_arena_t *a = kv_arena_create(0), *child;
	int ended = 0;

	child = kv_arena_create_child(a, NULL);
	kvt_eq(kv_arena_defer(a, bump_int, &ended), 0);
	kvt_eq(kv_arena_defer(child, bump_int, &ended), 0);
	kv_arena_destroy(a);
	kvt_eq(ended, 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-reset");
	TCase *g = kvt_group(s, "reset");

	tcase_add_test(g, reset_of_null_is_fine);
	tcase_add_test(g, reset_of_an_empty_arena);
	tcase_add_test(g, reset_of_one_block_keeps_it);
	tcase_add_test(g, reset_of_many_blocks_keeps_them_warm);
	tcase_add_test(g, reset_keeps_at_most_max_cached_blocks);
	tcase_add_test(g, reset_of_large_objects);
	tcase_add_test(g, thousand_resets_of_large_objects_do_not_grow);
	tcase_add_test(g, reset_in_a_callers_buffer);
	tcase_add_test(g, reset_after_failed_growth);
	tcase_add_test(g, reset_with_children_ends_them);
	tcase_add_test(g, reset_gives_the_limit_back);
	tcase_add_test(g, reset_of_a_shared_arena);
	tcase_add_test(g, reset_at_every_debug_level);
	tcase_add_test(g, million_resets_are_no_trouble);

	g = kvt_group(s, "compact");
	tcase_add_test(g, compact_gives_back_nothing_that_lives);
	tcase_add_test(g, compact_after_reset_gives_the_blocks_back);
	tcase_add_test(g, compact_of_an_empty_arena_gives_nothing);
	tcase_add_test(g, compact_twice_gives_nothing_more);
	tcase_add_test(g, compact_is_the_owner_of_no_one_elses_memory);

	g = kvt_group(s, "warm");
	tcase_add_test(g, loop_of_create_allocate_destroy_stays_warm);
	tcase_add_test(g, steady_loops_take_no_page_fault);
	tcase_add_test(g, loop_of_resets_takes_no_fresh_block);

	g = kvt_group(s, "destroy");
	tcase_add_test(g, destroy_gives_everything_back);
	tcase_add_test(g, destroy_runs_defers_and_ends_children);
	return kvt_run(s, 20000);
}
