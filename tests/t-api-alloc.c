/* t-api-alloc.c -- the section Allocate of kv_arena.h: sizes, alignments, types
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <stdlib.h>
#include <string.h>

/* ---- Sizes and alignments ------------------------------------------------- */

START_TEST(size_zero_is_refused_everywhere)
{
	kv_arena_t *a = kv_arena_create(0);
	char byte = 'x';

	kvt_refused(kv_arena_alloc(a, 0), EINVAL);
	kvt_refused(kv_arena_alloc_aligned(a, 0, 8), EINVAL);
	kvt_refused(kv_arena_calloc(a, 0, 8), EINVAL);
	kvt_refused(kv_arena_calloc(a, 8, 0), EINVAL);
	kvt_refused(kv_arena_calloc(a, SIZE_MAX, 0), EINVAL);
	kvt_refused(kv_arena_calloc(a, 0, SIZE_MAX), EINVAL);
	kvt_refused(kv_arena_realloc(a, NULL, 0, 0), EINVAL);
	kvt_refused(kv_arena_memdup(a, &byte, 0), EINVAL);
	kvt_refused(kv_arena_array(a, 0, 8, 8), EINVAL);
	kvt_refused(kv_arena_new_array(a, int, 0), EINVAL);
	kvt_eq(kvt_stats(a).total_allocations, 0);
	kvt_eq(kv_arena_total_allocated(a), 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(null_arena_is_refused_everywhere)
{
	kvt_refused(kv_arena_alloc(NULL, 8), EINVAL);
	kvt_refused(kv_arena_malloc(NULL, 8), EINVAL);
	kvt_refused(kv_arena_alloc_aligned(NULL, 8, 8), EINVAL);
	kvt_refused(kv_arena_aligned_malloc(NULL, 8, 8), EINVAL);
	kvt_refused(kv_arena_calloc(NULL, 1, 8), EINVAL);
	kvt_refused(kv_arena_realloc(NULL, NULL, 0, 8), EINVAL);
	kvt_refused(kv_arena_memdup(NULL, "x", 1), EINVAL);
	kvt_refused(kv_arena_strdup(NULL, "x"), EINVAL);
	kvt_refused(kv_arena_strndup(NULL, "x", 1), EINVAL);
	kvt_refused(kv_arena_printf(NULL, "x"), EINVAL);
	kvt_refused(kv_arena_array(NULL, 1, 8, 8), EINVAL);
	kvt_refused(kv_arena_local(NULL), EINVAL);
	kvt_fails(kv_arena_reserve(NULL, 8, false), -1, EINVAL);
	kvt_true(!kv_arena_owns(NULL, &errno));
}
END_TEST

START_TEST(every_size_is_aligned_to_8)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };

	for (size_t size = 1; size <= 5000; size++)
		kvt_enter(&book, kv_arena_alloc(a, size), size,
			KV_ARENA_ALIGNMENT);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(power_of_two_alignments_are_met)
{
	for (size_t alignment = 1; alignment <= 32 << 20; alignment *= 2) {
		kv_arena_t *a = kv_arena_create(0);
		struct kvt_book book = { 0 };

		for (size_t size = 1; size < 100000; size = size * 3 + 1)
			kvt_enter(&book, kv_arena_alloc_aligned(a, size,
				alignment), size, alignment);
		kvt_intact(&book);
		kvt_balanced(a);
		kvt_drop(&book);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(alignments_may_follow_each_other_in_any_order)
{
	kv_arena_t *a = kv_arena_create(KV_ARENA_SMALL_BLOCK_SIZE);
	struct kvt_book book = { 0 };
	uint32_t x = 12345;

	for (int i = 0; i < 20000; i++) {
		size_t alignment, size;

		x = x * 1664525 + 1013904223;
		alignment = (size_t)1 << (x >> 24) % 11;
		size = (x >> 8) % 700 + 1;
		kvt_enter(&book, kv_arena_alloc_aligned(a, size, alignment),
			size, alignment);
		kvt_enter(&book, kv_arena_alloc(a, size), size,
			KV_ARENA_ALIGNMENT);
	}
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(alignments_under_8_pack_tightly)
{
	kv_arena_t *a;
	char *first, *p;

	if (kvt_skip_if_apart())
		return;
	a = kv_arena_create(0);
	first = kv_arena_alloc_aligned(a, 3, 1);
	for (size_t i = 1; i < 1000; i++) {
		p = kv_arena_alloc_aligned(a, 3, 1);
		kvt_true(p == first + 3 * i);
	}
	kvt_cmp(kv_arena_total_allocated(a), >=, 3000);
	kvt_cmp(kv_arena_total_allocated(a), <=, 3008);
	p = kv_arena_alloc_aligned(a, 2, 2);
	kvt_true(p == first + 3000);
	p = kv_arena_alloc_aligned(a, 4, 4);
	kvt_true(p == first + 3004 - (uintptr_t)first % 4);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(odd_alignments_are_refused)
{
	static const size_t bad[] = {
		0, 3, 5, 6, 7, 9, 12, 24, 4095, 4097, SIZE_MAX, SIZE_MAX - 7,
		SIZE_MAX / 2
	};
	kv_arena_t *a = kv_arena_create(0);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		kvt_refused(kv_arena_alloc_aligned(a, 8, bad[i]), EINVAL);
		kvt_refused(kv_arena_array(a, 1, 8, bad[i]), EINVAL);
	}
	kvt_eq(kvt_stats(a).total_allocations, 0);
	kvt_eq(kv_arena_total_allocated(a), 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(largest_alignment_does_not_fit_in_memory)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_refused(kv_arena_alloc_aligned(a, 1, SIZE_MAX / 2 + 1), ENOMEM);
	kvt_refused(kv_arena_alloc_aligned(a, SIZE_MAX, SIZE_MAX / 2 + 1),
		ENOMEM);
	kvt_refused(kv_arena_alloc_aligned(a, SIZE_MAX - (2 << 20), 2 << 20),
		ENOMEM);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* Whatever is asked of it, an arena that said no is as it was. */
static void
refuse_grid(kv_arena_t *a)
{
	kv_arena_stats_t before, after;
	uint64_t wrong = 0, n = 0;
	void *p = kv_arena_alloc(a, 100);

	kvt_true(p != NULL);
	before = kvt_stats(a);
	for (size_t i = 0; i <= 2 * 8192; i++) {
		size_t size = i <= 8192 ? SIZE_MAX - i :
			(size_t)PTRDIFF_MAX - 4096 + (i - 8193);

		for (size_t alignment = 1; alignment <= 8192; alignment *= 2) {
			errno = 0;
			p = kv_arena_alloc_aligned(a, size, alignment);
			wrong += p != NULL || errno != ENOMEM;
			n++;
		}
		errno = 0;
		p = kvt_alloc(a, size);
		wrong += p != NULL || errno != ENOMEM;
		n++;
	}
	after = kvt_stats(a);
	kvt_count(n);
	printf("%" PRIu64 " sizes times alignments: %" PRIu64 " served\n", n, wrong);
	kvt_eq(wrong, 0);
	kvt_cmp(n, >, 229000);
	kvt_eq(after.failed_allocations, before.failed_allocations + n);
	kvt_eq(after.current_memory_usage, before.current_memory_usage);
	kvt_eq(after.total_allocations, before.total_allocations);
	kvt_eq(after.used_bytes, before.used_bytes);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_balanced(a);
	kv_arena_destroy(a);
}

START_TEST(sizes_past_the_address_space_are_refused)
{
	refuse_grid(kv_arena_create(0));
}
END_TEST

START_TEST(sizes_past_the_address_space_are_refused_in_safe_mode)
{
	refuse_grid(kvt_create_safe(0));
}
END_TEST

START_TEST(failures_do_not_add_up)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };

	kvt_enter(&book, kv_arena_alloc(a, 100), 100, 8);
	for (int i = 0; i < 100000; i++)
		kvt_refused(kvt_alloc(a, SIZE_MAX / 4 + 1), ENOMEM);
	for (size_t i = 1; i < 1000; i++)
		kvt_enter(&book, kv_arena_alloc(a, i), i, 8);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(block_is_filled_to_its_last_byte)
{
	/* Leave r bytes of a block, then ask for n: a neighbour is never hit. */
	for (size_t r = 1; r <= 200; r++) {
		for (size_t alignment = 1; alignment <= 64; alignment *= 2) {
			kv_arena_t *a = kv_arena_create(1024);
			struct kvt_book book = { 0 };
			size_t room = (size_t)kvt_stats(a).free_bytes;

			kvt_enter(&book, kv_arena_alloc(a, 8), 8, 8);
			room = (size_t)kvt_stats(a).free_bytes;
			if (room > r)
				kvt_enter(&book, kv_arena_alloc_aligned(a,
					room - r, 1), room - r, 1);
			kvt_enter(&book, kv_arena_alloc_aligned(a, 33,
				alignment), 33, alignment);
			kvt_enter(&book, kv_arena_alloc_aligned(a, r,
				alignment), r, alignment);
			kvt_intact(&book);
			kvt_balanced(a);
			kvt_drop(&book);
			kv_arena_destroy(a);
		}
	}
}
END_TEST

START_TEST(size_of_exactly_a_block_takes_one_block)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	struct kvt_book book = { 0 };
	kv_arena_t *a;

	config.block_size = 4096;
	config.max_block_size = 4096;
	a = kv_arena_create_ex(&config);
	for (size_t size = 4000; size <= 4200; size++)
		kvt_enter(&book, kv_arena_alloc(a, size), size, 8);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
	kvt_eq(source.faults, 0);
}
END_TEST

/* ---- Types ------------------------------------------------------------------- */

struct wide {
	_Alignas(64) char lanes[64];
	char one;
};

/* One byte more than the fast path takes. */
START_TEST(a_size_that_is_not_quick_is_served_all_the_same)
{
	kv_arena_t *a = kv_arena_create(0);
	size_t size = KV_ARENA_QUICK + 1;
	char *p = kvt_alloc(a, size), *q = kvt_alloc(a, 8);

	if (p) {
		p[0] = p[size - 1] = 'p';
		q[0] = 'q';
		kvt_true(p[0] == 'p' && p[size - 1] == 'p');
		kvt_eq(kvt_stats(a).used_bytes, size + 8);
	} else {
		kvt_skip("no memory for so large an allocation");
	}
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(new_is_aligned_for_its_type)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };

	for (int i = 0; i < 100; i++) {
		kvt_enter(&book, kv_arena_new(a, char), 1, 1);
		kvt_enter(&book, kv_arena_new(a, double), sizeof(double),
			_Alignof(double));
		kvt_enter(&book, kv_arena_new(a, long double),
			sizeof(long double), _Alignof(long double));
		kvt_enter(&book, kv_arena_new(a, max_align_t),
			sizeof(max_align_t), _Alignof(max_align_t));
		kvt_enter(&book, kv_arena_new(a, struct wide),
			sizeof(struct wide), 64);
	}
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(new_array_is_aligned_and_checked)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };

	kvt_enter(&book, kv_arena_new_array(a, struct wide, 10),
		10 * sizeof(struct wide), 64);
	kvt_enter(&book, kv_arena_new_array(a, int, 100), 100 * sizeof(int),
		_Alignof(int));
	kvt_refused(kv_arena_new_array(a, struct wide, SIZE_MAX / 64), EOVERFLOW);
	kvt_refused(kv_arena_new_array(a, short, SIZE_MAX), EOVERFLOW);
	kvt_refused(kv_arena_new_array(a, short, SIZE_MAX / 2), ENOMEM);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(calloc_zeroes_dirty_blocks)
{
	kv_arena_t *a = kv_arena_create(0);

	for (int round = 0; round < 3; round++) {
		for (size_t n = 1; n < 300000; n = n * 2 + 1) {
			unsigned char *p = kv_arena_calloc(a, n, 1);
			unsigned char any = 0;

			kvt_true(p != NULL && (uintptr_t)p % 8 == 0);
			for (size_t i = 0; i < n; i++)
				any |= p[i];
			kvt_eq(any, 0);
			memset(p, 0xff, n);
		}
		kv_arena_reset(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(calloc_checks_the_product)
{
	kv_arena_t *a = kv_arena_create(0);
	size_t half = (size_t)1 << (sizeof(size_t) * 4);

	kvt_refused(kv_arena_calloc(a, half, half), EOVERFLOW);
	kvt_refused(kv_arena_calloc(a, 2 * half, half), EOVERFLOW);
	kvt_refused(kv_arena_calloc(a, SIZE_MAX, 2), EOVERFLOW);
	kvt_refused(kv_arena_calloc(a, 2, SIZE_MAX), EOVERFLOW);
	kvt_refused(kv_arena_calloc(a, SIZE_MAX, SIZE_MAX), EOVERFLOW);
	kvt_refused(kv_arena_calloc(a, SIZE_MAX / 2, 2), ENOMEM);
	kvt_refused(kv_arena_calloc(a, SIZE_MAX, 1), ENOMEM);
	kvt_eq(kvt_stats(a).total_allocations, 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-alloc");
	TCase *g = kvt_group(s, "sizes");

	tcase_add_test(g, size_zero_is_refused_everywhere);
	tcase_add_test(g, null_arena_is_refused_everywhere);
	tcase_add_test(g, every_size_is_aligned_to_8);
	tcase_add_test(g, power_of_two_alignments_are_met);
	tcase_add_test(g, alignments_may_follow_each_other_in_any_order);
	tcase_add_test(g, alignments_under_8_pack_tightly);
	tcase_add_test(g, odd_alignments_are_refused);
	tcase_add_test(g, largest_alignment_does_not_fit_in_memory);
	tcase_add_test(g, sizes_past_the_address_space_are_refused);
	tcase_add_test(g, sizes_past_the_address_space_are_refused_in_safe_mode);
	tcase_add_test(g, failures_do_not_add_up);
	tcase_add_test(g, block_is_filled_to_its_last_byte);
	tcase_add_test(g, size_of_exactly_a_block_takes_one_block);

	g = kvt_group(s, "types");
	tcase_add_test(g, a_size_that_is_not_quick_is_served_all_the_same);
	tcase_add_test(g, new_is_aligned_for_its_type);
	tcase_add_test(g, new_array_is_aligned_and_checked);
	tcase_add_test(g, calloc_zeroes_dirty_blocks);
	tcase_add_test(g, calloc_checks_the_product);
	return kvt_run(s, 550000);
}
