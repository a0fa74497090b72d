/* t-adapters.c -- kv_arena_adapters.h: what a library sees of its hooks
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"
#include "kvtest.h"

#include <kv_arena_adapters.h>
#include <pthread.h>
#include <string.h>

/* t-adapters-other.c: the same functions, compiled into another file. */
void *other_file_malloc(size_t size);
void other_file_free(void *ptr);

static kv_arena_t *arena;

static void
setup(void)
{
	arena = kv_arena_create(0);
	kvt_true(arena != NULL);
}

static void
teardown(void)
{
	kv_arena_destroy(arena);
	arena = NULL;
}

static bool
holds(const void *p, size_t n, int byte)
{
	const unsigned char *bytes = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (bytes[i] != byte)
			return false;
	return true;
}

/* ---- A context, first ------------------------------------------------------ */

START_TEST(malloc_serves_from_the_arena)
{
	struct kvt_book book = { 0 };
	size_t size;

	for (size = 1; size <= 3000; size += 7) {
		void *p = kv_arena_adapter_malloc(arena, size);

		kvt_enter(&book, p, size, KV_ARENA_ALIGNMENT);
		kvt_true(kv_arena_owns(arena, p));
	}
	kvt_intact(&book);
	kvt_drop(&book);
}
END_TEST

START_TEST(size_zero_gives_distinct_pointers)
{
	char *p = kv_arena_adapter_malloc(arena, 0);
	char *q = kv_arena_adapter_calloc(arena, 0, 8);
	char *r = kv_arena_adapter_calloc(arena, 8, 0);

	kvt_true(p != NULL && q != NULL && r != NULL);
	kvt_true(p != q && q != r && p != r);
	kv_arena_adapter_free(arena, r);
	kv_arena_adapter_free(arena, p);
	kvt_true(kv_arena_adapter_realloc(arena, q, 100) != NULL);
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
	void *p = kv_arena_adapter_malloc(arena, 10);
	volatile size_t n;			/* keeps the sizes from the compiler */

	for (n = 0; n < 20; n++) {
		kvt_refused(kv_arena_adapter_malloc(arena, SIZE_MAX - n), ENOMEM);
		kvt_refused(kv_arena_adapter_realloc(arena, p, SIZE_MAX - n), ENOMEM);
		kvt_refused(kv_arena_adapter_calloc(arena, 1, SIZE_MAX - n), ENOMEM);
		kvt_refused(kv_arena_current_malloc(SIZE_MAX - n), ENOMEM);
	}
	kvt_refused(kv_arena_adapter_calloc(arena, SIZE_MAX / 2, 3), EOVERFLOW);
	kvt_refused(kv_arena_adapter_calloc(arena, 3, SIZE_MAX / 2), EOVERFLOW);
	kvt_refused(kv_arena_current_calloc(SIZE_MAX / 2, 3), EOVERFLOW);
	kvt_true(kv_arena_adapter_realloc(arena, p, 12) != NULL);
}
END_TEST

START_TEST(calloc_zeroes_memory_that_was_used_before)
{
	int round;

	for (round = 0; round < 3; round++) {
		size_t i;

		for (i = 0; i < 200; i++) {
			char *p = kv_arena_adapter_calloc(arena, i, 3);

			kvt_true(holds(p, 3 * i, 0));
			memset(p, 0xa5, 3 * i);
		}
		kv_arena_reset(arena);
	}
}
END_TEST

START_TEST(free_of_the_newest_makes_room_again)
{
	char *first = kv_arena_adapter_malloc(arena, 40);
	char *p = kv_arena_adapter_malloc(arena, 100);
	size_t before = kv_arena_total_allocated(arena);

	kv_arena_adapter_free(arena, p);
	kvt_cmp(kv_arena_total_allocated(arena), <, before);
	if (!kvt_is_watched())
		kvt_true(kv_arena_adapter_malloc(arena, 100) == p);
	kvt_true(first != NULL);
}
END_TEST

START_TEST(free_of_an_older_one_harms_nothing)
{
	struct kvt_book book = { 0 };
	void *old = kv_arena_adapter_malloc(arena, 64);

	kvt_enter(&book, kv_arena_adapter_malloc(arena, 64), 64, 8);
	kv_arena_adapter_free(arena, old);
	kvt_enter(&book, kv_arena_adapter_malloc(arena, 64), 64, 8);
	kv_arena_adapter_free(arena, NULL);
	kvt_intact(&book);
	kvt_drop(&book);
}
END_TEST

START_TEST(realloc_grows_the_newest_where_it_is)
{
	char *start = kv_arena_adapter_malloc(arena, 8);
	char *p = start;
	size_t size;

	memset(p, 1, 8);
	for (size = 9; size <= 4000; size++) {
		p = kv_arena_adapter_realloc(arena, p, size);
		kvt_true(p != NULL);
		kvt_true(holds(p, size - 1, 1));
		p[size - 1] = 1;
	}
	if (!kvt_is_watched())
		kvt_true(p == start);
	p = kv_arena_adapter_realloc(arena, p, 5);
	kvt_true(p != NULL && holds(p, 5, 1));
}
END_TEST

START_TEST(realloc_copies_an_older_one)
{
	char *p = kv_arena_adapter_malloc(arena, 100);
	char *q;

	memset(p, 7, 100);
	memset(kv_arena_adapter_malloc(arena, 100), 9, 100);
	q = kv_arena_adapter_realloc(arena, p, 300);
	kvt_true(q != p);
	kvt_true(holds(q, 100, 7));
	memset(q, 8, 300);
}
END_TEST

START_TEST(realloc_of_nothing_and_to_nothing)
{
	char *p = kv_arena_adapter_realloc(arena, NULL, 10);

	kvt_true(p != NULL);
	kvt_true(kv_arena_adapter_realloc(arena, p, 0) == NULL);
	if (!kvt_is_watched())
		kvt_true(kv_arena_adapter_malloc(arena, 10) == p);
}
END_TEST

START_TEST(zalloc_multiplies)
{
	struct kvt_book book = { 0 };

	kvt_enter(&book, kv_arena_adapter_zalloc(arena, 7, 11), 77, 8);
	kvt_enter(&book, kv_arena_adapter_zalloc(arena, 1, 1), 1, 8);
	kvt_intact(&book);
	kvt_drop(&book);
}
END_TEST

START_TEST(zalloc_does_not_multiply_as_unsigned)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	volatile unsigned half = 1u << 16;	/* 2^32 in all */
	kv_arena_t *small;

	config.memory_limit = KV_ARENA_LARGE_BLOCK_SIZE;
	small = kv_arena_create_ex(&config);
	kvt_refused(kv_arena_adapter_zalloc(small, half, half),
		sizeof(size_t) > sizeof(unsigned) ? ENOMEM : EOVERFLOW);
	kv_arena_destroy(small);
}
END_TEST

START_TEST(a_context_last_means_the_same)
{
	char *p = kv_arena_adapter_malloc_in(20, arena);
	char *q = kv_arena_adapter_calloc_in(4, 5, arena);

	kvt_true(kv_arena_owns(arena, p) && kv_arena_owns(arena, q));
	kvt_true(holds(q, 20, 0));
	memset(q, 3, 20);
	q = kv_arena_adapter_realloc_in(q, 50, arena);
	kvt_true(holds(q, 20, 3));
	kv_arena_adapter_free_in(q, arena);
	if (!kvt_is_watched())
		kvt_true(kv_arena_adapter_malloc_in(50, arena) == q);
}
END_TEST

START_TEST(a_missing_arena_is_refused)
{
	kvt_refused(kv_arena_adapter_malloc(NULL, 8), EINVAL);
	kvt_refused(kv_arena_adapter_sized(NULL, NULL, 0, 8), EINVAL);
	kv_arena_adapter_free(NULL, NULL);
}
END_TEST

/* Like a library: keep some, grow some, free some, and never lose a byte. */
static void
live(kv_arena_t *a, size_t steps)
{
	enum { SLOTS = 40 };
	struct { unsigned char *p; size_t size; } slot[SLOTS] = { 0 };
	size_t step;
	uint64_t seed = 20260714;

	for (step = 0; step < steps; step++) {
		size_t i, size;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		i = (size_t)(seed >> 33) % SLOTS;
		size = (size_t)(seed >> 40) % 700;
		if (slot[i].p)
			kvt_true(holds(slot[i].p, slot[i].size, (int)i + 1));
		if (seed >> 62 == 0) {
			kv_arena_adapter_free(a, slot[i].p);
			slot[i].p = NULL;
			continue;
		}
		if (slot[i].p && !size) {
			slot[i].p = kv_arena_adapter_realloc(a, slot[i].p, 0);
			kvt_true(slot[i].p == NULL);
			continue;
		}
		if (slot[i].p) {
			size_t kept = slot[i].size < size ? slot[i].size : size;

			slot[i].p = kv_arena_adapter_realloc(a, slot[i].p, size);
			kvt_true(holds(slot[i].p, kept, (int)i + 1));
		} else {
			slot[i].p = kv_arena_adapter_malloc(a, size);
		}
		kvt_true(slot[i].p != NULL);
		memset(slot[i].p, (int)i + 1, size);
		slot[i].size = size;
	}
}

START_TEST(a_random_life)
{
	live(arena, kvt_scaled(40000));
}
END_TEST

START_TEST(a_random_life_at_every_debug_level)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	int level;

	for (level = KV_ARENA_DEBUG_OFF; level <= KV_ARENA_DEBUG_GUARD; level++) {
		kv_arena_t *a;

		config.debug = (kv_arena_debug_t)level;
		config.enable_detailed_stats = level % 2 == 0;
		a = kv_arena_create_ex(&config);
		live(a, kvt_scaled(4000));
		kv_arena_reset(a);
		live(a, kvt_scaled(4000));
		kv_arena_destroy(a);
	}
}
END_TEST

/* ---- A context and old sizes ------------------------------------------------- */

START_TEST(sized_pieces_have_no_header)
{
	char *p = kv_arena_adapter_sized(arena, NULL, 0, 8);
	char *q = kv_arena_adapter_sized(arena, NULL, 0, 8);

	if (!kvt_is_watched())
		kvt_eq(q - p, 8);
	kvt_true(p != q);
}
END_TEST

START_TEST(sized_does_not_read_the_old_size_of_nothing)
{
	/* Lua passes the type of the new object there. */
	kvt_true(kv_arena_adapter_sized(arena, NULL, 4, 16) != NULL);
	kvt_true(kv_arena_adapter_sized(arena, NULL, 5, 0) == NULL);
}
END_TEST

START_TEST(sized_grows_shrinks_and_frees)
{
	char *p = kv_arena_adapter_sized(arena, NULL, 0, 10);
	char *q;

	memset(p, 6, 10);
	q = kv_arena_adapter_sized(arena, p, 10, 1000);
	kvt_true(holds(q, 10, 6));
	if (!kvt_is_watched())
		kvt_true(q == p);
	memset(kv_arena_adapter_sized(arena, NULL, 0, 64), 5, 64);
	memset(q, 6, 1000);
	p = kv_arena_adapter_sized(arena, q, 1000, 2000);
	kvt_true(p != q && holds(p, 1000, 6));
	p = kv_arena_adapter_sized(arena, p, 2000, 30);
	kvt_true(holds(p, 30, 6));
	kvt_true(kv_arena_adapter_sized(arena, p, 30, 0) == NULL);
}
END_TEST

START_TEST(bare_pieces_have_no_header_and_no_end)
{
	char *p = kv_arena_adapter_bare_malloc(arena, 8);
	char *q = kv_arena_adapter_bare_malloc(arena, 8);
	size_t before;

	kvt_true(kv_arena_owns(arena, p) && kv_arena_owns(arena, q));
	if (!kvt_is_watched())
		kvt_eq(q - p, 8);
	kvt_true(kv_arena_adapter_bare_malloc(arena, 0) != NULL);
	before = kv_arena_total_allocated(arena);
	kv_arena_adapter_bare_free(arena, q);
	kv_arena_adapter_bare_free(arena, NULL);
	kvt_eq(kv_arena_total_allocated(arena), before);
}
END_TEST

/* ---- No context --------------------------------------------------------------- */

START_TEST(without_a_push_it_is_malloc)
{
	char *p = kv_arena_current_malloc(100);
	char *q = kv_arena_current_calloc(10, 10);
	char *s = kv_arena_current_strdup("text");

	kvt_true(!kv_arena_owns(arena, p));
	kvt_eq((uintptr_t)p % 8, (uintptr_t)q % 8);
	kvt_true(holds(q, 100, 0));
	kvt_true(strcmp(s, "text") == 0);
	memset(p, 2, 100);
	p = kv_arena_current_realloc(p, 100000);
	kvt_true(holds(p, 100, 2));
	kv_arena_current_free(s);
	kv_arena_current_free(q);
	kvt_true(kv_arena_current_realloc(p, 0) == NULL);
	kv_arena_current_free(NULL);
}
END_TEST

START_TEST(a_push_sends_it_to_the_arena)
{
	kv_arena_t *before = kv_arena_current_push(arena);
	char *p = kv_arena_current_malloc(100);
	char *q = kv_arena_current_calloc(10, 10);
	char *s = kv_arena_current_strdup("text");
	char *r = kv_arena_current_realloc(NULL, 10);

	kv_arena_current_pop(before);
	kvt_true(before == NULL);
	kvt_true(kv_arena_owns(arena, p) && kv_arena_owns(arena, q));
	kvt_true(kv_arena_owns(arena, s) && kv_arena_owns(arena, r));
	kvt_true(holds(q, 100, 0));
	kvt_true(strcmp(s, "text") == 0);
	p = kv_arena_current_malloc(8);
	kvt_true(!kv_arena_owns(arena, p));
	kv_arena_current_free(p);
}
END_TEST

START_TEST(pushes_nest)
{
	kv_arena_t *inner = kv_arena_create(0);
	kv_arena_t *none = kv_arena_current_push(arena);
	kv_arena_t *outer = kv_arena_current_push(inner);
	void *p = kv_arena_current_malloc(8);

	kvt_true(outer == arena && none == NULL);
	kvt_true(kv_arena_owns(inner, p) && !kv_arena_owns(arena, p));
	kv_arena_current_pop(outer);
	p = kv_arena_current_malloc(8);
	kvt_true(kv_arena_owns(arena, p));
	outer = kv_arena_current_push(NULL);
	p = kv_arena_current_malloc(8);
	kvt_true(!kv_arena_owns(arena, p));
	kv_arena_current_pop(outer);
	kv_arena_current_free(p);
	kv_arena_current_pop(none);
	kv_arena_destroy(inner);
}
END_TEST

START_TEST(a_late_free_goes_where_the_piece_came_from)
{
	char *from_malloc = kv_arena_current_malloc(50);
	kv_arena_t *before = kv_arena_current_push(arena);
	char *from_arena = kv_arena_current_malloc(50);
	struct kvt_book book = { 0 };

	memset(from_malloc, 4, 50);
	from_malloc = kv_arena_current_realloc(from_malloc, 500);
	kvt_true(!kv_arena_owns(arena, from_malloc));
	kvt_true(holds(from_malloc, 50, 4));
	kv_arena_current_free(from_malloc);
	kvt_enter(&book, kv_arena_current_malloc(50), 50, 8);
	kv_arena_current_pop(before);
	kv_arena_current_free(from_arena);
	kvt_refused(kv_arena_current_realloc(book.pieces[0].p, 80), EINVAL);
	kvt_intact(&book);
	kvt_drop(&book);
}
END_TEST

static void *
is_another_thread_empty(void *arg)
{
	(void)arg;
	return kv_arena_current_top == NULL ? arg : NULL;
}

START_TEST(each_thread_has_its_own)
{
	kv_arena_t *before = kv_arena_current_push(arena);
	pthread_t t;
	void *empty;

	kvt_eq(pthread_create(&t, NULL, is_another_thread_empty, arena), 0);
	kvt_eq(pthread_join(t, &empty), 0);
	kvt_true(empty == arena);
	kv_arena_current_pop(before);
}
END_TEST

#ifdef __ELF__
START_TEST(every_file_sees_the_same_push)
{
	kv_arena_t *before = kv_arena_current_push(arena);
	void *p = other_file_malloc(8);

	kvt_true(kv_arena_owns(arena, p));
	kv_arena_current_pop(before);
	p = other_file_malloc(8);
	kvt_true(!kv_arena_owns(arena, p));
	other_file_free(p);
}
END_TEST
#endif

START_TEST(current_sized_is_malloc_or_the_arena)
{
	char *p = kv_arena_current_sized_malloc(10);
	kv_arena_t *before;

	memset(p, 1, 10);
	p = kv_arena_current_sized_realloc(p, 10, 5000);
	kvt_true(holds(p, 10, 1) && !kv_arena_owns(arena, p));
	kv_arena_current_sized_free(p, 5000);

	before = kv_arena_current_push(arena);
	p = kv_arena_current_sized_malloc(10);
	memset(p, 1, 10);
	kvt_true(kv_arena_current_sized_malloc(8) != NULL);
	p = kv_arena_current_sized_realloc(p, 10, 50);
	kvt_true(holds(p, 10, 1) && kv_arena_owns(arena, p));
	kv_arena_current_sized_free(p, 50);
	if (!kvt_is_watched())
		kvt_true(kv_arena_current_sized_malloc(50) == p);
	kv_arena_current_pop(before);
}
END_TEST

START_TEST(current_bare_is_malloc_or_the_arena)
{
	char *p = kv_arena_current_bare_malloc(10);
	kv_arena_t *before;

	kvt_true(p != NULL && !kv_arena_owns(arena, p));
	kv_arena_current_bare_free(p);		/* leak checkers see if not */
	kv_arena_current_bare_free(NULL);

	before = kv_arena_current_push(arena);
	p = kv_arena_current_bare_malloc(10);
	memset(p, 1, 10);
	kvt_true(kv_arena_owns(arena, p));
	kvt_true(kv_arena_current_bare_malloc(0) != NULL);
	kv_arena_current_bare_free(p);
	kvt_true(holds(p, 10, 1));
	kv_arena_current_pop(before);
}
END_TEST

/* ---- Limits and threads ---------------------------------------------------------- */

START_TEST(a_refused_realloc_leaves_the_piece)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *small;
	char *p;

	config.block_size = KV_ARENA_SMALL_BLOCK_SIZE;
	config.memory_limit = 65536;
	small = kv_arena_create_ex(&config);
	p = kv_arena_adapter_malloc(small, 1000);
	memset(p, 9, 1000);
	kvt_refused(kv_arena_adapter_realloc(small, p, 1 << 20), ENOMEM);
	kvt_refused(kv_arena_adapter_malloc(small, 1 << 20), ENOMEM);
	kvt_true(holds(p, 1000, 9));
	p = kv_arena_adapter_realloc(small, p, 1200);
	kvt_true(p != NULL && holds(p, 1000, 9));
	kv_arena_destroy(small);
}
END_TEST

enum { THREADS = 4 };

struct worker {
	kv_arena_t *shared;
	struct kvt_book book;
	size_t n;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	size_t i;

	for (i = 0; i < w->n; i++) {
		void *p = kv_arena_adapter_malloc(w->shared, i % 200 + 1);

		if (i % 3 == 0) {
			kv_arena_adapter_free(w->shared, p);
			continue;
		}
		if (i % 3 == 1)
			p = kv_arena_adapter_realloc(w->shared, p, i % 200 + 90);
		kvt_enter(&w->book, p, i % 200 + 1, KV_ARENA_ALIGNMENT);
	}
	return NULL;
}

START_TEST(threads_share_a_safe_arena)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct worker w[THREADS] = { 0 };
	pthread_t t[THREADS];
	size_t i;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	w[0].shared = kv_arena_create_ex(&config);
	for (i = 0; i < THREADS; i++) {
		w[i].shared = w[0].shared;
		w[i].book.salt = i;
		w[i].n = kvt_scaled(20000);
		kvt_eq(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		kvt_eq(pthread_join(t[i], NULL), 0);
	for (i = 0; i < THREADS; i++) {
		kvt_intact(&w[i].book);
		kvt_drop(&w[i].book);
	}
	kv_arena_destroy(w[0].shared);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("adapters");
	TCase *t;

	t = kvt_group(s, "context");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, malloc_serves_from_the_arena);
	tcase_add_test(t, size_zero_gives_distinct_pointers);
	tcase_add_test(t, sizes_that_overflow_are_refused);
	tcase_add_test(t, calloc_zeroes_memory_that_was_used_before);
	tcase_add_test(t, free_of_the_newest_makes_room_again);
	tcase_add_test(t, free_of_an_older_one_harms_nothing);
	tcase_add_test(t, realloc_grows_the_newest_where_it_is);
	tcase_add_test(t, realloc_copies_an_older_one);
	tcase_add_test(t, realloc_of_nothing_and_to_nothing);
	tcase_add_test(t, zalloc_multiplies);
	tcase_add_test(t, zalloc_does_not_multiply_as_unsigned);
	tcase_add_test(t, a_context_last_means_the_same);
	tcase_add_test(t, a_missing_arena_is_refused);
	tcase_add_test(t, a_random_life);
	tcase_add_test(t, a_random_life_at_every_debug_level);

	t = kvt_group(s, "sized and bare");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, sized_pieces_have_no_header);
	tcase_add_test(t, sized_does_not_read_the_old_size_of_nothing);
	tcase_add_test(t, sized_grows_shrinks_and_frees);
	tcase_add_test(t, bare_pieces_have_no_header_and_no_end);

	t = kvt_group(s, "current");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, without_a_push_it_is_malloc);
	tcase_add_test(t, a_push_sends_it_to_the_arena);
	tcase_add_test(t, pushes_nest);
	tcase_add_test(t, a_late_free_goes_where_the_piece_came_from);
	tcase_add_test(t, each_thread_has_its_own);
#ifdef __ELF__
	tcase_add_test(t, every_file_sees_the_same_push);
#endif
	tcase_add_test(t, current_sized_is_malloc_or_the_arena);
	tcase_add_test(t, current_bare_is_malloc_or_the_arena);

	t = kvt_group(s, "limits and threads");
	tcase_add_test(t, a_refused_realloc_leaves_the_piece);
	tcase_add_test(t, threads_share_a_safe_arena);

	return kvt_run(s, 1000);
}
