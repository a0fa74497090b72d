/* t-api-create.c -- the sections Version and Create of kv_arena.h
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
#include <malloc.h>
#define MALLOC_BYTES mallinfo2().uordblks
#endif
#endif
#ifndef MALLOC_BYTES
#define MALLOC_BYTES 0
#endif

/* The arena works: a thousand allocations are given, kept and accounted for. */
static void
try_out(kv_arena_t *a)
{
	struct kvt_book book = { 0 };

	kvt_true(a != NULL);
	for (size_t i = 1; i <= 1000; i++)
		kvt_enter(&book, kv_arena_alloc(a, i), i, KV_ARENA_ALIGNMENT);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}

/* ---- Version ------------------------------------------------------------ */

START_TEST(version_is_that_of_the_header)
{
	char text[32];

	snprintf(text, sizeof text, "%d.%d.%d", KV_ARENA_VERSION_MAJOR,
		KV_ARENA_VERSION_MINOR, KV_ARENA_VERSION_PATCH);
	ck_assert_str_eq(kv_arena_version(), text);
	kvt_count(1);
}
END_TEST

START_TEST(known_features_have_an_answer_that_stays)
{
	static const char *const names[] = {
		"numa", "huge-pages", "valgrind", "asan", "usdt",
		"inline-shared"
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		kvt_eq(kv_arena_has(names[i]), kv_arena_has(names[i]));
#if defined(__ELF__)
	kvt_true(kv_arena_has("inline-shared"));
#endif
}
END_TEST

START_TEST(unknown_features_are_false)
{
	kvt_true(!kv_arena_has(NULL));
	kvt_true(!kv_arena_has(""));
	kvt_true(!kv_arena_has("num"));
	kvt_true(!kv_arena_has("numa "));
	kvt_true(!kv_arena_has("NUMA"));
	kvt_true(!kv_arena_has("teleportation"));
}
END_TEST

/* ---- The configuration ---------------------------------------------------- */

START_TEST(zeroed_config_is_valid)
{
	kv_arena_config_t config;

	memset(&config, 0, sizeof config);
	try_out(kv_arena_create_ex(&config));
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	try_out(kv_arena_create_ex(&config));
}
END_TEST

START_TEST(zeroed_config_counts_no_allocations)
{
	kv_arena_config_t config;
	kv_arena_t *a;

	memset(&config, 0, sizeof config);
	a = kv_arena_create_ex(&config);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_eq(kvt_stats(a).total_allocations, 0);
	kvt_eq(kvt_stats(a).total_bytes_allocated, kv_arena_total_allocated(a));
	kvt_cmp(kv_arena_total_allocated(a), >=, 104);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(default_config_is_as_documented)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	kvt_eq(config.block_size, 65536);
	kvt_eq(config.thread_mode, KV_ARENA_THREAD_UNSAFE);
	kvt_true(config.enable_block_cache);
	kvt_eq(config.max_cached_blocks, 16);
	kvt_true(!config.enable_numa);
	kvt_true(config.preferred_numa_node == -1);
	kvt_true(config.enable_detailed_stats);
	kvt_true(config.name == NULL && config.memory_limit == 0);
}
END_TEST

START_TEST(null_config_counts_allocations)
{
	kv_arena_t *a = kv_arena_create_ex(NULL);

	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_eq(kvt_stats(a).total_allocations, 1);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(unknown_modes_policies_and_levels_are_refused)
{
	static const int bad[] = { -1, 99, 2147483647 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

		config.thread_mode = (kv_arena_thread_mode_t)bad[i];
		kvt_refused(kv_arena_create_ex(&config), EINVAL);
		config.thread_mode = KV_ARENA_THREAD_UNSAFE;
		config.numa_policy = (kv_arena_numa_policy_t)bad[i];
		kvt_refused(kv_arena_create_ex(&config), EINVAL);
		config.numa_policy = KV_ARENA_NUMA_PREFERRED;
		config.huge_pages = (kv_arena_huge_pages_t)bad[i];
		kvt_refused(kv_arena_create_ex(&config), EINVAL);
		config.huge_pages = KV_ARENA_HUGE_AUTO;
		config.debug = (kv_arena_debug_t)bad[i];
		kvt_refused(kv_arena_create_ex(&config), EINVAL);
		config.debug = KV_ARENA_DEBUG_OFF;
		try_out(kv_arena_create_ex(&config));
	}
}
END_TEST

START_TEST(first_values_past_the_last_are_refused)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = (kv_arena_thread_mode_t)2;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
	config.thread_mode = KV_ARENA_THREAD_UNSAFE;
	config.numa_policy = (kv_arena_numa_policy_t)4;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
	config.numa_policy = KV_ARENA_NUMA_PREFERRED;
	config.huge_pages = (kv_arena_huge_pages_t)3;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
	config.huge_pages = KV_ARENA_HUGE_AUTO;
	config.debug = (kv_arena_debug_t)4;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
}
END_TEST

START_TEST(reserved_words_must_be_zero)
{
	for (size_t i = 0; i < 7; i++) {
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

		config.reserved[i] = &config;
		kvt_refused(kv_arena_create_ex(&config), EINVAL);
	}
}
END_TEST

START_TEST(source_must_have_both_functions)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);

	config.block_source.give = NULL;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
	config = kvt_sourced(&source);
	config.block_source.take = NULL;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
	kvt_eq(source.takes, 0);
}
END_TEST

START_TEST(block_size_over_half_the_address_space_is_refused)
{
	static const size_t bad[] = {
		SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 64, SIZE_MAX / 2 + 2
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

		kvt_refused(kv_arena_create(bad[i]), EINVAL);
		config.block_size = bad[i];
		kvt_refused(kv_arena_create_ex(&config), EINVAL);
	}
}
END_TEST

START_TEST(block_size_that_cannot_be_had_fails_later_and_cleanly)
{
	kv_arena_t *a = kv_arena_create(SIZE_MAX / 4);

	if (a != NULL) {
		if (sizeof(size_t) > 4)		/* else there may be as much */
			kvt_refused(kvt_alloc(a, SIZE_MAX / 8), ENOMEM);
		kvt_balanced(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(odd_block_sizes_work)
{
	static const size_t sizes[] = {
		0, 1, 2, 7, 8, 63, 1023, 1024, 1025, 4095, 4097, 5000, 65535,
		65537, (2 << 20) - 1, (2 << 20) + 1, 3 << 20
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

		try_out(kv_arena_create(sizes[i]));
		config.block_size = sizes[i];
		try_out(kv_arena_create_ex(&config));
		config.thread_mode = KV_ARENA_THREAD_SAFE;
		try_out(kv_arena_create_ex(&config));
	}
}
END_TEST

/* The size of the first block that an arena of this block size takes. */
static size_t
first_block(size_t block_size)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a;

	config.block_size = block_size;
	a = kv_arena_create_ex(&config);
	kvt_eq(source.takes, 0);
	kvt_true(kv_arena_alloc(a, 1) != NULL);
	kvt_eq(source.takes, 1);
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
	kvt_eq(source.faults, 0);
	return source.last_size;
}

START_TEST(block_size_is_rounded_up_to_a_power_of_two)
{
	kvt_eq(first_block(0), 65536);
	kvt_eq(first_block(1), 1024);
	kvt_eq(first_block(1024), 1024);
	kvt_eq(first_block(1025), 2048);
	kvt_eq(first_block(5000), 8192);
	kvt_eq(first_block(65536), 65536);
	kvt_eq(first_block(2 << 20), 2 << 20);
}
END_TEST

START_TEST(block_size_over_2_mib_is_rounded_up_to_2_mib)
{
	kvt_eq(first_block((2 << 20) + 1), 4 << 20);
	kvt_eq(first_block(5 << 20), 6 << 20);
}
END_TEST

START_TEST(blocks_double_up_to_the_largest)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	size_t last = 0, largest = 0;
	kv_arena_t *a;

	config.block_size = 4096;
	config.max_block_size = 32768;
	a = kv_arena_create_ex(&config);
	for (size_t i = 0; i < 1000; i++) {
		kvt_true(kv_arena_alloc(a, 512) != NULL);
		kvt_true(source.last_size == last || last == 0 ||
			source.last_size == 2 * last ||
			source.last_size == 32768);
		last = source.last_size;
		largest = last > largest ? last : largest;
	}
	kvt_eq(largest, 32768);
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
}
END_TEST

START_TEST(default_largest_block_is_2_mib)
{
	kv_arena_t *a = kv_arena_create(0);

	for (size_t i = 0; i < 40000; i++)
		kvt_true(kv_arena_alloc(a, 1024) != NULL);
	/* 64 KiB to 1 MiB, once each, and then blocks of 2 MiB. */
	kvt_cmp(kvt_stats(a).blocks, <=, 5 + 20);
	kvt_cmp(kvt_stats(a).blocks, >=, 40000 / 2048);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Cost of an arena --------------------------------------------------------- */

#define CROWD 40000

START_TEST(unused_arenas_cost_under_512_bytes)
{
	kv_arena_t **crowd = calloc(CROWD, sizeof *crowd);
	size_t before, after, n = kvt_is_watched() ? 1000 : CROWD;

	kvt_true(crowd != NULL);
	before = MALLOC_BYTES;
	for (size_t i = 0; i < n; i++) {
		crowd[i] = kv_arena_create(0);
		kvt_true(crowd[i] != NULL);
		kvt_cmp(kv_arena_memory_usage(crowd[i]), <, 512);
	}
	after = MALLOC_BYTES;
	if (kvt_is_watched() || after == 0) {
		kvt_skip("what malloc gave out is not known here");
	} else {
		printf("an unused arena: %zu bytes\n", (after - before) / n);
		kvt_cmp((after - before) / n, <, 512);
	}
	for (size_t i = 0; i < n; i++)
		kv_arena_destroy(crowd[i]);
	free(crowd);
}
END_TEST

START_TEST(ten_kib_cost_at_most_16_kib)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	if (kvt_skip_if_apart())
		return;
	config.block_size = KV_ARENA_SMALL_BLOCK_SIZE;
	a = kv_arena_create_ex(&config);
	for (size_t bytes = 0; bytes < 10240; bytes += 64)
		kvt_true(kv_arena_alloc(a, 64) != NULL);
	kvt_cmp(kv_arena_memory_usage(a), <=, 16384);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(ten_kib_keep_at_most_16_kib_resident)
{
	enum { ARENAS = 1000 };
	static kv_arena_t *arenas[ARENAS];
	size_t before = kvt_resident(), each;

	if (kvt_is_watched() || before == 0) {
		kvt_skip("what is resident is not known here");
		return;
	}
	for (int i = 0; i < ARENAS; i++) {
		arenas[i] = kv_arena_create(0);
		for (size_t bytes = 0; bytes < 10240; bytes += 64)
			memset(kv_arena_alloc(arenas[i], 64), 'r', 64);
	}
	each = (kvt_resident() - before) / ARENAS;
	printf("an arena of 10 KiB: %zu bytes resident\n", each);
	kvt_cmp(each, <=, 16384);
	kvt_cmp(each, >=, 10240);
	for (int i = 0; i < ARENAS; i++)
		kv_arena_destroy(arenas[i]);
}
END_TEST

/* ---- The other switches -------------------------------------------------------------- */

START_TEST(zero_arenas_zero_every_allocation)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a;

	config.zero = true;
	config.enable_block_cache = true;
	a = kv_arena_create_ex(&config);
	for (int round = 0; round < 3; round++) {
		for (size_t size = 1; size < 300000; size = size * 2 + 1) {
			unsigned char *p = kv_arena_alloc(a, size);
			unsigned char *q = kv_arena_alloc_aligned(a, size, 32);
			unsigned char any = 0;

			kvt_true(p != NULL && q != NULL);
			for (size_t i = 0; i < size; i++)
				any |= p[i] | q[i];
			kvt_eq(any, 0);
			memset(p, 0xff, size);
			memset(q, 0xff, size);
		}
		kv_arena_reset(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(zero_arenas_zero_what_realloc_adds)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.zero = true;
	a = kv_arena_create_ex(&config);
	for (size_t size = 1; size < 5000; size += 17) {
		char *p = kv_arena_alloc(a, size);
		char any = 0;

		memset(p, 0xff, size);
		p = kv_arena_realloc(a, p, size, size / 2 + 1);
		p = kv_arena_realloc(a, p, size / 2 + 1, 3 * size);
		kvt_true(p != NULL);
		for (size_t i = size / 2 + 1; i < 3 * size; i++)
			any |= p[i];
		kvt_eq(any, 0);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(every_debug_level_works)
{
	for (int level = KV_ARENA_DEBUG_OFF; level <= KV_ARENA_DEBUG_GUARD; level++) {
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

		config.debug = (kv_arena_debug_t)level;
		try_out(kv_arena_create_ex(&config));
		config.thread_mode = KV_ARENA_THREAD_SAFE;
		try_out(kv_arena_create_ex(&config));
	}
}
END_TEST

START_TEST(huge_pages_may_be_off_or_required)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.huge_pages = KV_ARENA_HUGE_OFF;
	try_out(kv_arena_create_ex(&config));
	config.huge_pages = KV_ARENA_HUGE_REQUIRE;
	a = kv_arena_create_ex(&config);
	kvt_eq(a != NULL, kv_arena_has("huge-pages"));
	if (a != NULL)
		try_out(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-create");
	TCase *g = kvt_group(s, "version");

	tcase_add_test(g, version_is_that_of_the_header);
	tcase_add_test(g, known_features_have_an_answer_that_stays);
	tcase_add_test(g, unknown_features_are_false);

	g = kvt_group(s, "config");
	tcase_add_test(g, zeroed_config_is_valid);
	tcase_add_test(g, zeroed_config_counts_no_allocations);
	tcase_add_test(g, default_config_is_as_documented);
	tcase_add_test(g, null_config_counts_allocations);
	tcase_add_test(g, unknown_modes_policies_and_levels_are_refused);
	tcase_add_test(g, first_values_past_the_last_are_refused);
	tcase_add_test(g, reserved_words_must_be_zero);
	tcase_add_test(g, source_must_have_both_functions);
	tcase_add_test(g, block_size_over_half_the_address_space_is_refused);
	tcase_add_test(g, block_size_that_cannot_be_had_fails_later_and_cleanly);
	tcase_add_test(g, odd_block_sizes_work);
	tcase_add_test(g, block_size_is_rounded_up_to_a_power_of_two);
	tcase_add_test(g, block_size_over_2_mib_is_rounded_up_to_2_mib);
	tcase_add_test(g, blocks_double_up_to_the_largest);
	tcase_add_test(g, default_largest_block_is_2_mib);

	g = kvt_group(s, "cost");
	tcase_add_test(g, unused_arenas_cost_under_512_bytes);
	tcase_add_test(g, ten_kib_cost_at_most_16_kib);
	tcase_add_test(g, ten_kib_keep_at_most_16_kib_resident);

	g = kvt_group(s, "switches");
	tcase_add_test(g, zero_arenas_zero_every_allocation);
	tcase_add_test(g, zero_arenas_zero_what_realloc_adds);
	tcase_add_test(g, every_debug_level_works);
	tcase_add_test(g, huge_pages_may_be_off_or_required);
	return kvt_run(s, 15000);
}
