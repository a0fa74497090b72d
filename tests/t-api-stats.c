/* t-api-stats.c -- the section Statistics of kv_arena.h: what the figures mean
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <string.h>

static kv_arena_t *
create_mode(int safe, bool detailed)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = (kv_arena_thread_mode_t)safe;
	config.enable_detailed_stats = detailed;
	return kv_arena_create_ex(&config);
}

START_TEST(null_has_no_statistics)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;

	memset(&s, 0x5a, sizeof s);
	kvt_fails(kv_arena_get_stats(NULL, &s), -1, EINVAL);
	kvt_fails(kv_arena_get_stats(a, NULL), -1, EINVAL);
	kvt_eq(s.total_allocations, 0x5a5a5a5a5a5a5a5a);
	kvt_eq(kv_arena_memory_usage(NULL), 0);
	kvt_eq(kv_arena_total_allocated(NULL), 0);
	kv_arena_reset_stats(NULL);
	kv_arena_print_hotspots(NULL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reserved_figures_are_zero)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;

	memset(&s, 0x5a, sizeof s);
	kvt_eq(kv_arena_get_stats(a, &s), 0);
	for (int i = 0; i < 8; i++)
		kvt_eq(s.reserved[i], 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(totals_are_exact_in_both_modes)
{
	for (int safe = 0; safe < 2; safe++) {
		kv_arena_t *a = create_mode(safe, true);
		uint64_t asked = 0;

		for (size_t i = 1; i <= 5000; i++) {
			size_t size = i * 7 % 3000 + 1;

			kvt_true(kv_arena_alloc(a, size) != NULL);
			asked += size;
			kvt_eq(kvt_stats(a).total_allocations, i);
			kvt_eq(kvt_stats(a).total_bytes_allocated, asked);
			kvt_eq(kvt_stats(a).used_bytes, asked);
			kvt_balanced(a);
		}
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(every_way_to_allocate_is_counted)
{
	kv_arena_t *a = kv_arena_create(0);
	void *p;

	kvt_true(kv_arena_alloc(a, 10) != NULL);
	kvt_true(kv_arena_alloc_aligned(a, 20, 64) != NULL);
	kvt_true(kv_arena_calloc(a, 3, 10) != NULL);
	p = kv_arena_realloc(a, NULL, 0, 40);
	kvt_true(kv_arena_memdup(a, p, 5) != NULL);
	kvt_true(kv_arena_strdup(a, "12345") != NULL);
	kvt_true(kv_arena_strndup(a, "1234567", 6) != NULL);
	kvt_true(kv_arena_printf(a, "%d", 1234567) != NULL);
	kvt_true(kv_arena_new(a, char) != NULL);
	kvt_true(kv_arena_new_array(a, char, 9) != NULL);
	kvt_eq(kvt_stats(a).total_allocations, 10);
	kvt_eq(kvt_stats(a).total_bytes_allocated,
		10 + 20 + 30 + 40 + 5 + 6 + 7 + 8 + 1 + 9);
	kvt_eq(kvt_stats(a).used_bytes, kvt_stats(a).total_bytes_allocated);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(without_details_the_bytes_handed_out_are_told)
{
	for (int safe = 0; safe < 2; safe++) {
		kv_arena_t *a = create_mode(safe, false);

		for (size_t i = 1; i <= 1000; i++) {
			kvt_true(kv_arena_alloc(a, 13) != NULL);
			if (!kvt_is_watched())
				kvt_eq(kvt_stats(a).total_bytes_allocated, i * 16);
			kvt_eq(kvt_stats(a).total_bytes_allocated,
				kv_arena_total_allocated(a));
			kvt_balanced(a);
		}
		kvt_eq(kvt_stats(a).total_allocations, 0);
		for (int i = 0; i < 16; i++)
			kvt_eq(kvt_stats(a).size_distribution[i], 0);
		kv_arena_reset(a);
		kvt_true(kv_arena_alloc(a, 8) != NULL);
		kvt_balanced(a);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(buckets_hold_sizes_up_to_a_power_of_two)
{
	for (int safe = 0; safe < 2; safe++) {
		for (size_t i = 0; i < 24; i++) {
			kv_arena_t *a = create_mode(safe, true);
			size_t top = (size_t)1 << i, low = i ? top / 2 + 1 : 1;
			size_t bucket = i < 15 ? i : 15;
			kv_arena_stats_t s;

			kvt_true(kvt_alloc(a, top) != NULL);
			kvt_true(kvt_alloc(a, low) != NULL);
			kvt_true(kv_arena_alloc_aligned(a, top, 1) != NULL);
			s = kvt_stats(a);
			for (size_t k = 0; k < 16; k++)
				kvt_eq(s.size_distribution[k],
					k == bucket ? 3 : 0);
			kv_arena_destroy(a);
		}
	}
}
END_TEST

START_TEST(buckets_add_up_to_all_allocations)
{
	for (int safe = 0; safe < 2; safe++) {
		kv_arena_t *a = create_mode(safe, true);
		kv_arena_stats_t s;
		uint64_t sum = 0;

		for (size_t i = 0; i < 30000; i++)
			kvt_true(kvt_alloc(a, i * i % 70000 + 1) != NULL);
		s = kvt_stats(a);
		for (int k = 0; k < 16; k++)
			sum += s.size_distribution[k];
		kvt_eq(sum, 30000);
		kvt_eq(s.total_allocations, 30000);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(alignment_requests_count_alloc_aligned_only)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;

	for (int i = 0; i < 12; i++)
		for (int k = 0; k <= i; k++)
			kvt_true(kv_arena_alloc_aligned(a, 8,
				(size_t)1 << i) != NULL);
	for (int i = 0; i < 100; i++)
		kvt_true(kv_arena_alloc(a, 8) != NULL);
	kvt_refused(kv_arena_alloc_aligned(a, 8, 3), EINVAL);
	s = kvt_stats(a);
	for (uint64_t i = 0; i < 7; i++)
		kvt_eq(s.alignment_requests[i], i + 1);
	kvt_eq(s.alignment_requests[7], 8 + 9 + 10 + 11 + 12);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(failures_are_counted_and_are_no_allocations)
{
	for (int safe = 0; safe < 2; safe++) {
		kv_arena_t *a = create_mode(safe, true);

		kvt_refused(kv_arena_alloc(a, 0), EINVAL);
		kvt_refused(kvt_alloc(a, SIZE_MAX), ENOMEM);
		kvt_refused(kv_arena_alloc_aligned(a, 8, 5), EINVAL);
		kvt_refused(kv_arena_calloc(a, SIZE_MAX, SIZE_MAX), EOVERFLOW);
		kvt_eq(kvt_stats(a).failed_allocations, 4);
		kvt_eq(kvt_stats(a).total_allocations, 0);
		kvt_eq(kvt_stats(a).total_bytes_allocated, 0);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(figures_fall_with_reset_and_totals_do_not)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t s;

	for (int round = 1; round <= 10; round++) {
		for (int i = 0; i < 1000; i++)
			kvt_true(kv_arena_alloc(a, 100) != NULL);
		s = kvt_stats(a);
		kvt_eq(s.used_bytes, 100000);
		kvt_eq(s.total_bytes_allocated, 100000 * (uint64_t)round);
		kv_arena_reset(a);
		s = kvt_stats(a);
		kvt_eq(s.used_bytes, 0);
		kvt_eq(s.padding_bytes, 0);
		kvt_eq(s.total_allocations, 1000 * (uint64_t)round);
		kvt_eq(s.resets, (uint64_t)round);
		kvt_balanced(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(padding_is_what_rounding_and_alignment_cost)
{
	kv_arena_t *a;
	char *p, *q;

	if (kvt_skip_if_apart())
		return;
	a = kv_arena_create(0);
	p = kv_arena_alloc(a, 13);
	kvt_eq(kvt_stats(a).padding_bytes, 3);
	q = kv_arena_alloc_aligned(a, 64, 64);
	kvt_eq(kvt_stats(a).padding_bytes, (uint64_t)(q - p) - 13);
	kvt_eq(kvt_stats(a).total_bytes_wasted,
		kvt_stats(a).padding_bytes + kvt_stats(a).tail_bytes);
	kvt_eq(kv_arena_total_allocated(a), (uint64_t)(q - p) + 64);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(memory_usage_counts_what_the_source_gave)
{
	for (int safe = 0; safe < 2; safe++) {
		struct kvt_source source = KVT_SOURCE;
		kv_arena_config_t config = kvt_sourced(&source);
		size_t empty;
		kv_arena_t *a;

		config.thread_mode = (kv_arena_thread_mode_t)safe;
		a = kv_arena_create_ex(&config);
		empty = kv_arena_memory_usage(a);
		for (int i = 0; i < 1000; i++) {
			kvt_true(kvt_alloc(a, 3000) != NULL);
			kvt_cmp(kv_arena_memory_usage(a), >=, source.held);
		}
		kvt_cmp(kv_arena_memory_usage(a), <=,
			source.held + empty + 64 * 1024);
		kvt_eq(kvt_stats(a).blocks, source.takes - source.gives);
		kvt_eq(kvt_stats(a).block_allocations, source.takes);
		kv_arena_destroy(a);
		kvt_eq(source.held, 0);
	}
}
END_TEST

START_TEST(blocks_returned_are_counted)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_ex(&config);

	for (int i = 0; i < 1000; i++)
		kvt_true(kv_arena_alloc(a, 3000) != NULL);
	kvt_eq(kvt_stats(a).blocks_returned, 0);
	kv_arena_reset(a);
	kvt_eq(kvt_stats(a).blocks_returned, source.gives);
	kvt_eq(kvt_stats(a).blocks, 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_stats_sets_the_peak_to_the_present)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_true(kvt_alloc(a, 8 << 20) != NULL);
	kv_arena_reset(a);
	kv_arena_compact(a);
	kvt_true(kv_arena_alloc(a, 8) != NULL);
	kvt_cmp(kvt_stats(a).peak_memory_usage, >=, 8 << 20);
	kv_arena_reset_stats(a);
	kvt_eq(kvt_stats(a).peak_memory_usage, kv_arena_memory_usage(a));
	kvt_eq(kvt_stats(a).block_allocations, 0);
	kvt_eq(kvt_stats(a).block_reuses, 0);
	kvt_eq(kvt_stats(a).used_bytes, 8);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_stats_clears_every_count)
{
	for (int safe = 0; safe < 2; safe++) {
		kv_arena_t *a = create_mode(safe, true);
		kv_arena_stats_t s;

		for (size_t i = 0; i < 1000; i++)
			kvt_true(kv_arena_alloc_aligned(a, i + 1,
				(size_t)1 << i % 8) != NULL);
		kv_arena_reset_stats(a);
		s = kvt_stats(a);
		kvt_eq(s.total_allocations, 0);
		kvt_eq(s.total_bytes_allocated, 0);
		for (int i = 0; i < 16; i++)
			kvt_eq(s.size_distribution[i], 0);
		for (int i = 0; i < 8; i++)
			kvt_eq(s.alignment_requests[i], 0);
		kvt_eq(s.used_bytes, 500500);
		kvt_balanced(a);
		kvt_true(kv_arena_alloc(a, 24) != NULL);
		s = kvt_stats(a);
		kvt_eq(s.total_allocations, 1);
		kvt_eq(s.total_bytes_allocated, 24);
		kvt_eq(s.size_distribution[5], 1);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(large_allocations_are_counted)
{
	kv_arena_t *a = kv_arena_create(4096);

	kvt_true(kvt_alloc(a, 8 << 20) != NULL);
	kvt_true(kvt_alloc(a, 5 << 20) != NULL);
	kvt_true(kvt_alloc(a, 100) != NULL);
	kvt_eq(kvt_stats(a).large_allocations, 2);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(resizing_is_accounted_for)
{
	kv_arena_t *a = kv_arena_create(0);
	void *p = kv_arena_alloc(a, 100), *q;

	q = kv_arena_alloc(a, 50);
	p = kv_arena_realloc(a, p, 100, 200);
	kvt_true(p != NULL);
	kvt_eq(kvt_stats(a).used_bytes, 250);
	kvt_cmp(kvt_stats(a).abandoned_bytes, >=, 100);
	kvt_balanced(a);
	kvt_true(kv_arena_realloc(a, q, 50, 20) == q);
	kvt_eq(kvt_stats(a).used_bytes, 220);
	kvt_balanced(a);
	kvt_true(kv_arena_realloc(a, p, 200, 0) == NULL);
	kvt_eq(kvt_stats(a).used_bytes, 20);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* kv mix: a header, a key and a value, as a memtable stores them. */
START_TEST(key_value_load_reaches_96_percent)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	uint64_t asked = 0;
	kv_arena_t *a;
	uint32_t x = 1;

	if (kvt_skip_if_apart())
		return;
	config.enable_detailed_stats = false;
	a = kv_arena_create_ex(&config);
	for (int i = 0; i < 200000; i++) {
		size_t key, value;

		x = x * 1664525 + 1013904223;
		key = 8 + (x >> 24) % 25;
		value = 20 + (x >> 8) % 181;
		if (kv_arena_alloc(a, 32) == NULL ||
			kv_arena_alloc_aligned(a, key, 1) == NULL ||
			kv_arena_alloc_aligned(a, value, 1) == NULL)
			ck_abort_msg("no memory");
		asked += 32 + key + value;
	}
	printf("key-value load: %.2f %%\n", 100.0 * (double)asked /
		(double)kv_arena_memory_usage(a));
	kvt_cmp(asked * 100, >=, (uint64_t)kv_arena_memory_usage(a) * 96);
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-stats");
	TCase *g = kvt_group(s, "figures");

	tcase_add_test(g, null_has_no_statistics);
	tcase_add_test(g, reserved_figures_are_zero);
	tcase_add_test(g, totals_are_exact_in_both_modes);
	tcase_add_test(g, every_way_to_allocate_is_counted);
	tcase_add_test(g, without_details_the_bytes_handed_out_are_told);
	tcase_add_test(g, buckets_hold_sizes_up_to_a_power_of_two);
	tcase_add_test(g, buckets_add_up_to_all_allocations);
	tcase_add_test(g, alignment_requests_count_alloc_aligned_only);
	tcase_add_test(g, failures_are_counted_and_are_no_allocations);
	tcase_add_test(g, figures_fall_with_reset_and_totals_do_not);
	tcase_add_test(g, padding_is_what_rounding_and_alignment_cost);
	tcase_add_test(g, memory_usage_counts_what_the_source_gave);
	tcase_add_test(g, blocks_returned_are_counted);
	tcase_add_test(g, reset_stats_sets_the_peak_to_the_present);
	tcase_add_test(g, reset_stats_clears_every_count);
	tcase_add_test(g, large_allocations_are_counted);
	tcase_add_test(g, resizing_is_accounted_for);
	tcase_add_test(g, key_value_load_reaches_96_percent);
	return kvt_run(s, 100000);
}
