/* t-api-realloc.c -- kv_arena_realloc
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvtest.h"

#include <string.h>

/* Write 0, 1, 2 ... from at to size, and check that they stand up to size. */
static void
count_up(unsigned char *p, size_t at, size_t size)
{
	for (; at < size; at++)
		p[at] = (unsigned char)(at * 7);
}

static bool
counts_up(const unsigned char *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] != (unsigned char)(i * 7))
			return false;
	return true;
}

START_TEST(latest_allocation_grows_and_shrinks_in_place)
{
	kv_arena_t *a = kv_arena_create(0);
	unsigned char *p = kv_arena_alloc(a, 1), *q;
	size_t old = 1;

	count_up(p, 0, 1);
	for (size_t size = 2; size < 3000; size += 13) {
		q = kv_arena_realloc(a, p, old, size);
		kvt_true(q == p);
		kvt_true(counts_up(p, old));
		count_up(p, old, size);
		old = size;
	}
	q = kv_arena_realloc(a, p, old, 10);
	kvt_true(q == p && counts_up(p, 10));
	kvt_eq(kvt_stats(a).used_bytes, 10);
	kvt_eq(kvt_stats(a).abandoned_bytes, 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(other_allocations_move_when_they_grow)
{
	kv_arena_t *a = kv_arena_create(0);
	unsigned char *p = kv_arena_alloc(a, 64), *q;
	struct kvt_book book = { 0 };

	count_up(p, 0, 64);
	kvt_enter(&book, kv_arena_alloc(a, 64), 64, 8);
	q = kv_arena_realloc(a, p, 64, 128);
	kvt_true(q != NULL && q != p);
	kvt_true(counts_up(q, 64));
	kvt_cmp(kvt_stats(a).abandoned_bytes, >=, 64);
	kvt_eq(kvt_stats(a).used_bytes, 64 + 128);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(other_allocations_shrink_where_they_are)
{
	kv_arena_t *a = kv_arena_create(0);
	unsigned char *p = kv_arena_alloc(a, 100), *q;
	struct kvt_book book = { 0 };

	count_up(p, 0, 100);
	kvt_enter(&book, kv_arena_alloc(a, 64), 64, 8);
	q = kv_arena_realloc(a, p, 100, 20);
	kvt_true(q == p && counts_up(q, 20));
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(growth_across_blocks_keeps_the_contents)
{
	kv_arena_t *a = kv_arena_create(1024);
	unsigned char *p = NULL;
	size_t old = 0;

	for (size_t size = 1; size < 8 << 20; size = size * 2 + 5) {
		p = kv_arena_realloc(a, p, old, size);
		kvt_true(p != NULL && (uintptr_t)p % 8 == 0);
		kvt_true(counts_up(p, old));
		count_up(p, old, size);
		old = size;
		kvt_balanced(a);
	}
	for (size_t size = old / 3; size > 0; size /= 3) {
		p = kv_arena_realloc(a, p, old, size);
		kvt_true(p != NULL && counts_up(p, size));
		old = size;
		kvt_balanced(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(null_is_allocated_anew)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_true(kv_arena_realloc(a, NULL, 0, 100) != NULL);
	kvt_refused(kv_arena_realloc(a, NULL, 0, 0), EINVAL);
	kvt_eq(kvt_stats(a).used_bytes, 100);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(new_size_zero_gives_the_latest_back)
{
	kv_arena_t *a = kv_arena_create(0);
	void *first = kv_arena_alloc(a, 64), *p;
	size_t used = kv_arena_total_allocated(a);

	p = kv_arena_alloc(a, 64);
	errno = 99;
	kvt_true(kv_arena_realloc(a, p, 64, 0) == NULL);
	kvt_eq(errno, 0);
	kvt_eq(kv_arena_total_allocated(a), used);
	kvt_true(kv_arena_alloc(a, 64) == p);
	errno = 99;
	kvt_true(kv_arena_realloc(a, first, 64, 0) == NULL);
	kvt_eq(errno, 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(failed_growth_leaves_the_allocation)
{
	kv_arena_t *a = kv_arena_create(0);
	unsigned char *p = kv_arena_alloc(a, 100);

	count_up(p, 0, 100);
	for (size_t k = 0; k < 1000; k++)
		kvt_refused(kv_arena_realloc(a, p, 100, SIZE_MAX - k), ENOMEM);
	kvt_true(counts_up(p, 100));
	kvt_eq(kvt_stats(a).used_bytes, 100);
	kvt_true(kv_arena_realloc(a, p, 100, 200) == p);
	kvt_true(counts_up(p, 100));
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(large_allocations_are_resized_too)
{
	kv_arena_t *a = kv_arena_create(0);
	size_t size = 5 << 20;
	unsigned char *p = kvt_alloc(a, size);

	count_up(p, 0, size);
	p = kv_arena_realloc(a, p, size, 2 * size);
	kvt_true(p != NULL && counts_up(p, size));
	count_up(p, size, 2 * size);
	p = kv_arena_realloc(a, p, 2 * size, 1000);
	kvt_true(p != NULL && counts_up(p, 1000));
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(packed_neighbours_are_not_grown_over)
{
	/* Tight pieces of every size, each resized while the next one lives. */
	for (size_t n = 1; n <= 72; n++) {
		for (size_t m = 1; m <= 9; m++) {
			kv_arena_t *a = kv_arena_create(0);
			struct kvt_book book = { 0 };

			kvt_enter(&book, kv_arena_alloc_aligned(a, n, 1), n, 1);
			kvt_enter(&book, kv_arena_alloc_aligned(a, m, 4), m, 4);
			for (size_t i = 0; i < 2; i++)
				kvt_resize(&book, i, kv_arena_realloc(a,
					book.pieces[i].p, book.pieces[i].size,
					n + m + 16), n + m + 16);
			kvt_enter(&book, kv_arena_alloc_aligned(a, m, 2), m, 2);
			kvt_intact(&book);
			kvt_balanced(a);
			kvt_drop(&book);
			kv_arena_destroy(a);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-realloc");
	TCase *g = kvt_group(s, "resizing");

	tcase_add_test(g, latest_allocation_grows_and_shrinks_in_place);
	tcase_add_test(g, other_allocations_move_when_they_grow);
	tcase_add_test(g, other_allocations_shrink_where_they_are);
	tcase_add_test(g, growth_across_blocks_keeps_the_contents);
	tcase_add_test(g, null_is_allocated_anew);
	tcase_add_test(g, new_size_zero_gives_the_latest_back);
	tcase_add_test(g, failed_growth_leaves_the_allocation);
	tcase_add_test(g, large_allocations_are_resized_too);
	tcase_add_test(g, packed_neighbours_are_not_grown_over);
	return kvt_run(s, 1000);
}
