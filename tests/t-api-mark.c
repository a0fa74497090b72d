/* t-api-mark.c -- the section Mark and rewind of kv_arena.h
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <string.h>

static void
refuse_mark(kv_arena_t *a, kv_arena_mark_t mark)
{
	size_t before = kv_arena_total_allocated(a);

	kvt_fails(kv_arena_rewind(a, mark), -1, EINVAL);
	kvt_eq(kv_arena_total_allocated(a), before);
}

START_TEST(rewind_ends_what_came_after_the_mark)
{
	kv_arena_t *a = kv_arena_create(0);
	struct kvt_book book = { 0 };
	kv_arena_mark_t mark;
	size_t used, kept;

	kvt_load(a, &book, 100);
	mark = kv_arena_mark(a);
	kvt_true(mark.serial != 0);
	used = kv_arena_total_allocated(a);
	kept = book.n;
	kvt_load(a, &book, 1000);
	kvt_intact(&book);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_strike(&book, kept);
	kvt_intact(&book);
	kvt_eq(kv_arena_total_allocated(a), used);
	kvt_balanced(a);
	kvt_load(a, &book, 1000);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

/* In a block that is so large that it is counted step by step. */
START_TEST(what_a_rewind_ends_was_held_nevertheless)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_mark_t mark;
	kv_arena_stats_t s;

	for (int i = 0; i < 1000; i++)
		kvt_true(kvt_alloc(a, 1000) != NULL);
	mark = kv_arena_mark(a);
	for (int i = 0; i < 700; i++)
		kvt_true(kvt_alloc(a, 1000) != NULL);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_eq(kv_arena_get_stats(a, &s), 0);
	kvt_cmp(s.peak_memory_usage, >=, 1700 * 1000);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(mark_stays_valid_after_its_rewind)
{
	kv_arena_t *a = kv_arena_create(1024);
	kv_arena_mark_t mark = kv_arena_mark(a);
	void *first = kv_arena_alloc(a, 100);

	for (int i = 0; i < 1000; i++) {
		struct kvt_book book = { 0 };

		kvt_load(a, &book, 50);
		kvt_intact(&book);
		kvt_drop(&book);
		kvt_eq(kv_arena_rewind(a, mark), 0);
		kvt_true(kv_arena_alloc(a, 100) == first);
		kvt_balanced(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(mark_takes_under_200_bytes)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_stats_t before, after;

	kvt_true(kv_arena_alloc(a, 8) != NULL);
	kvt_eq(kv_arena_get_stats(a, &before), 0);
	for (int i = 0; i < 50; i++) {
		kvt_true(kv_arena_mark(a).serial != 0);
		kvt_true(kv_arena_alloc(a, 8) != NULL);
	}
	kvt_eq(kv_arena_get_stats(a, &after), 0);
	kvt_cmp(after.header_bytes, <, before.header_bytes + 50 * 200);
	kvt_cmp(after.free_bytes + 50 * 250, >, before.free_bytes);
	kvt_eq(after.used_bytes, before.used_bytes + 50 * 8);
	kvt_eq(after.total_allocations, 51);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(mark_after_a_mark_takes_nothing)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_mark_t first = kv_arena_mark(a), mark = first;
	size_t held = kv_arena_memory_usage(a);

	for (int i = 0; i < 100000; i++)
		mark = kv_arena_mark(a);
	kvt_eq(kv_arena_memory_usage(a), held);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_eq(kv_arena_rewind(a, first), 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(marks_nest)
{
	kv_arena_t *a = kv_arena_create(1024);
	struct kvt_book book = { 0 };
	kv_arena_mark_t marks[50];
	size_t kept[50];

	for (size_t i = 0; i < 50; i++) {
		kept[i] = book.n;
		marks[i] = kv_arena_mark(a);
		kvt_load(a, &book, 40);
	}
	for (size_t i = 50; i-- > 0; ) {
		kvt_intact(&book);
		kvt_eq(kv_arena_rewind(a, marks[i]), 0);
		kvt_strike(&book, kept[i]);
		kvt_balanced(a);
	}
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(mark_dies_with_a_rewind_past_it)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_mark_t outer = kv_arena_mark(a), inner;

	kvt_true(kv_arena_alloc(a, 100) != NULL);
	inner = kv_arena_mark(a);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_eq(kv_arena_rewind(a, outer), 0);
	refuse_mark(a, inner);
	/* Also when the same bytes have come to other uses. */
	kvt_true(kv_arena_calloc(a, 1, 1000) != NULL);
	refuse_mark(a, inner);
	kvt_eq(kv_arena_rewind(a, outer), 0);
	for (int i = 0; i < 20; i++) {
		kvt_true(kv_arena_alloc(a, 40) != NULL);
		kvt_true(kv_arena_mark(a).serial != inner.serial);
	}
	refuse_mark(a, inner);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(mark_dies_with_a_reset)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_mark_t mark;

	kvt_true(kv_arena_alloc(a, 100) != NULL);
	mark = kv_arena_mark(a);
	kv_arena_reset(a);
	refuse_mark(a, mark);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	refuse_mark(a, mark);
	kvt_true(kv_arena_mark(a).serial != 0);
	refuse_mark(a, mark);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(mark_of_another_arena_is_refused)
{
	kv_arena_t *a = kv_arena_create(0), *b = kv_arena_create(0);
	kv_arena_mark_t of_a, of_b;

	kvt_true(kv_arena_alloc(a, 100) && kv_arena_alloc(b, 100));
	of_a = kv_arena_mark(a);
	of_b = kv_arena_mark(b);
	refuse_mark(a, of_b);
	refuse_mark(b, of_a);
	kvt_eq(kv_arena_rewind(a, of_a), 0);
	kvt_eq(kv_arena_rewind(b, of_b), 0);
	kv_arena_destroy(b);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(made_up_marks_are_refused)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_mark_t mark = kv_arena_mark(a), bad = { 0, NULL };

	kvt_true(kv_arena_alloc(a, 100) != NULL);
	refuse_mark(a, bad);
	bad = mark;
	bad.serial++;
	refuse_mark(a, bad);
	bad.serial = 0;
	refuse_mark(a, bad);
	bad = mark;
	bad.record = &bad;
	refuse_mark(a, bad);
	bad.record = NULL;
	refuse_mark(a, bad);
	kvt_fails(kv_arena_rewind(NULL, mark), -1, EINVAL);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(safe_and_null_arenas_have_no_marks)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_mark_t mark;
	kv_arena_t *a;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	a = kv_arena_create_ex(&config);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	errno = 0;
	mark = kv_arena_mark(a);
	kvt_true(mark.serial == 0 && errno == EINVAL);
	refuse_mark(a, mark);
	errno = 0;
	kvt_true(kv_arena_mark(NULL).serial == 0 && errno == EINVAL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(mark_without_memory_fails)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a;

	config.block_size = 1024;
	a = kv_arena_create_ex(&config);
	kvt_true(kv_arena_alloc(a, 8) != NULL);
	source.budget = source.held;
	while (kv_arena_alloc(a, 8) != NULL)
		continue;
	errno = 0;
	kvt_eq(kv_arena_mark(a).serial, 0);
	kvt_eq(errno, ENOMEM);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(rewind_gives_blocks_back_to_the_arena)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_mark_t mark;
	size_t held = 0;
	kv_arena_t *a;

	config.enable_block_cache = true;
	config.max_cached_blocks = 1000;
	a = kv_arena_create_ex(&config);
	kvt_true(kv_arena_alloc(a, 8) != NULL);
	mark = kv_arena_mark(a);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < 5000; i++)
			kvt_true(kv_arena_alloc(a, 200) != NULL);
		kvt_true(round == 0 || kv_arena_memory_usage(a) == held);
		held = kv_arena_memory_usage(a);
		kvt_eq(kv_arena_rewind(a, mark), 0);
		kvt_balanced(a);
	}
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
}
END_TEST

START_TEST(rewind_over_large_and_resized_pieces)
{
	kv_arena_t *a = kv_arena_create(4096);
	struct kvt_book book = { 0 };
	size_t used;

	kvt_load(a, &book, 50);
	for (size_t size = 10; size < 9 << 20; size *= 3) {
		kv_arena_mark_t mark = kv_arena_mark(a);
		void *p;

		used = kv_arena_total_allocated(a);
		p = kvt_alloc(a, size);
		kvt_true(p != NULL);
		memset(p, 1, size);
		kvt_true(kv_arena_alloc(a, 16) != NULL);
		p = kv_arena_realloc(a, p, size, 2 * size);
		kvt_true(p != NULL);
		memset(p, 2, 2 * size);
		kvt_true(kv_arena_alloc_aligned(a, size, 4096) != NULL);
		kvt_eq(kv_arena_rewind(a, mark), 0);
		kvt_eq(kv_arena_total_allocated(a), used);
		kvt_balanced(a);
		kvt_intact(&book);
	}
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(rewind_of_a_resize_across_the_mark)
{
	kv_arena_t *a = kv_arena_create(0);
	char *p = kv_arena_alloc(a, 100), *q;
	kv_arena_mark_t mark;

	memset(p, 'p', 100);
	mark = kv_arena_mark(a);
	q = kv_arena_realloc(a, p, 100, 300);
	kvt_true(q != NULL);
	memset(q, 'q', 300);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_balanced(a);
	q = kv_arena_calloc(a, 1, 500);
	kvt_true(q != NULL && q != p);
	memset(q, 'r', 500);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(rewind_in_a_callers_buffer)
{
	static _Alignas(16) char buffer[4096];
	kv_arena_t *a = kv_arena_create_in(buffer, sizeof buffer, NULL);
	kv_arena_mark_t mark = kv_arena_mark(a);
	void *first = kv_arena_alloc(a, 64);

	for (int i = 0; i < 10; i++) {
		struct kvt_book book = { 0 };

		kvt_load(a, &book, 200);
		kvt_intact(&book);
		kvt_drop(&book);
		kvt_eq(kv_arena_rewind(a, mark), 0);
		kvt_true(kv_arena_alloc(a, 64) == first);
		kvt_balanced(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(random_marks_and_rewinds_keep_every_byte)
{
	kv_arena_t *a = kv_arena_create(1024);
	struct kvt_book book = { 0 };
	struct { kv_arena_mark_t mark; size_t kept; } stack[64];
	size_t depth = 0;
	uint32_t x = 2463534242u;

	for (int i = 0; i < 20000; i++) {
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		if (x % 16 == 0 && depth < 64) {
			stack[depth].kept = book.n;
			stack[depth++].mark = kv_arena_mark(a);
		} else if (x % 16 == 1 && depth > 0) {
			depth -= (x >> 8) % depth + 1;
			kvt_true(kv_arena_rewind(a, stack[depth].mark) == 0);
			kvt_strike(&book, stack[depth].kept);
		} else {
			size_t size = (x >> 8) % (x % 64 ? 300 : 20000) + 1;

			kvt_enter(&book, kv_arena_alloc(a, size), size, 8);
		}
		if (i % 64 == 0)
			kvt_balanced(a);
		if (i % 1024 == 0)
			kvt_intact(&book);
	}
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

static void
fill_in_a_scope(kv_arena_t *a, int early)
{
	KV_ARENA_SCOPE(a);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	if (early)
		return;
	for (int i = 0; i < 10; i++) {
		KV_ARENA_SCOPE(a);
		kvt_true(kvt_alloc(a, 100000) != NULL);
	}
	kvt_cmp(kv_arena_total_allocated(a), <, 100000);
}

START_TEST(scope_ends_what_was_allocated_in_it)
{
	kv_arena_t *a = kv_arena_create(0);

	kv_arena_stats_t s;

	kvt_true(kv_arena_alloc(a, 8) != NULL);
	for (int early = 0; early < 2; early++) {
		fill_in_a_scope(a, early);
		kvt_eq(kv_arena_get_stats(a, &s), 0);
		kvt_eq(s.used_bytes, 8);
		kvt_balanced(a);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(scopes_in_a_loop_do_not_make_the_arena_grow)
{
	kv_arena_t *a = kv_arena_create(0);
	size_t held;

	kvt_true(kv_arena_alloc(a, 8) != NULL);
	held = kv_arena_memory_usage(a);
	for (int i = 0; i < 100000; i++) {
		KV_ARENA_SCOPE(a);
		if (kv_arena_alloc(a, 100) == NULL)
			ck_abort_msg("no memory");
	}
	kvt_eq(kv_arena_memory_usage(a), held);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-mark");
	TCase *g = kvt_group(s, "marks");

	tcase_add_test(g, rewind_ends_what_came_after_the_mark);
	tcase_add_test(g, what_a_rewind_ends_was_held_nevertheless);
	tcase_add_test(g, mark_stays_valid_after_its_rewind);
	tcase_add_test(g, mark_takes_under_200_bytes);
	tcase_add_test(g, mark_after_a_mark_takes_nothing);
	tcase_add_test(g, marks_nest);
	tcase_add_test(g, mark_dies_with_a_rewind_past_it);
	tcase_add_test(g, mark_dies_with_a_reset);
	tcase_add_test(g, mark_of_another_arena_is_refused);
	tcase_add_test(g, made_up_marks_are_refused);
	tcase_add_test(g, safe_and_null_arenas_have_no_marks);
	tcase_add_test(g, mark_without_memory_fails);
	tcase_add_test(g, rewind_gives_blocks_back_to_the_arena);
	tcase_add_test(g, rewind_over_large_and_resized_pieces);
	tcase_add_test(g, rewind_of_a_resize_across_the_mark);
	tcase_add_test(g, rewind_in_a_callers_buffer);
	tcase_add_test(g, random_marks_and_rewinds_keep_every_byte);
	tcase_add_test(g, scope_ends_what_was_allocated_in_it);
	tcase_add_test(g, scopes_in_a_loop_do_not_make_the_arena_grow);
	return kvt_run(s, 100000);
}
