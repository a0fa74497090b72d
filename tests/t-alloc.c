/* t-alloc.c -- lib/alloc.c: arguments, and the twins of the inline functions
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "kvpuppet.h"
#include "shard.h"
#include "watch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static kv_arena_t *
create(int mode)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)mode);

	return kvi_create(&config);
}

/* Eight of them fit the table of a thread (lib/thread.c). */
START_TEST(a_thread_goes_back_and_forth_between_shared_arenas)
{
	enum { ARENAS = 11 };
	struct kvt_book book = { 0 };
	kv_arena_t *a[ARENAS];
	size_t n = (size_t)_i + 1;

	for (size_t k = 0; k < n; k++)
		a[k] = create(KV_ARENA_THREAD_SAFE);
	for (size_t i = 0; i < 500 * n; i++)
		kvt_enter(&book, kv_arena_alloc(a[i % n], i % 100 + 1), i % 100 + 1, 8);
	kvt_intact(&book);
	kvt_drop(&book);
	for (size_t k = 0; k < n; k++) {
		kvt_eq(kvi_stats(a[k]).total_allocations, 500);
		kvt_eq(kvi_stats(a[k]).shards, 1);
		kvi_destroy(a[k]);
	}
}
END_TEST

/* ---- Twins: what a program gets that takes a function's address -------------------- */

START_TEST(the_linkable_alloc_does_what_the_inline_one_does)
{
	void *(*volatile alloc)(kv_arena_t *, size_t) = kv_arena_alloc;
	kv_arena_t *a = create(_i);
	struct kvt_book book = { 0 };

	for (size_t i = 1; i < 2000; i++)
		kvt_enter(&book, i % 2 ? alloc(a, i) : kv_arena_alloc(a, i), i, 8);
	kvt_refused(alloc(a, 0), EINVAL);
	kvt_refused(alloc(NULL, 8), EINVAL);
	kvt_refused(alloc(a, SIZE_MAX), ENOMEM);
	kvt_eq(kvi_stats(a).total_allocations, 1999);
	kvt_intact(&book);
	kvt_drop(&book);
	kvi_destroy(a);
}
END_TEST

START_TEST(the_linkable_local_alloc_does_what_the_inline_one_does)
{
	void *(*volatile alloc)(kv_arena_local_t *, size_t) = kv_arena_local_alloc;
	kv_arena_t *a = create(_i);
	kv_arena_local_t *local = kv_arena_local(a);
	struct kvt_book book = { 0 };

	for (size_t i = 1; i < 2000; i++)
		kvt_enter(&book, i % 2 ? alloc(local, i)
			: kv_arena_local_alloc(local, i), i, 8);
	kvt_refused(alloc(local, 0), EINVAL);
	kvt_refused(alloc(NULL, 8), EINVAL);
	kvt_refused(alloc(local, SIZE_MAX), ENOMEM);
	kvt_eq(kvi_stats(a).total_allocations, 1999);
	kvt_eq(kvi_stats(a).failed_allocations, 2);
	kvt_intact(&book);
	kvt_drop(&book);
	kvi_destroy(a);
}
END_TEST

/* ---- Arguments ------------------------------------------------------------------------- */

START_TEST(each_wrong_argument_is_refused)
{
	kv_arena_t *a = create(_i);
	char *p = kvt_alloc(a, 100);

	kvt_refused(kv_arena_array(NULL, 1, 8, 8), EINVAL);
	kvt_refused(kv_arena_array(a, 0, 8, 8), EINVAL);
	kvt_refused(kv_arena_array(a, 1, 0, 8), EINVAL);
	kvt_refused(kv_arena_array(a, 1, 8, 0), EINVAL);
	kvt_refused(kv_arena_array(a, 1, 8, 24), EINVAL);
	kvt_refused(kv_arena_array(a, SIZE_MAX, 2, 8), EOVERFLOW);
	kvt_refused(kv_arena_calloc(NULL, 1, 8), EINVAL);
	kvt_refused(kv_arena_calloc(a, 0, 8), EINVAL);
	kvt_refused(kv_arena_calloc(a, 8, 0), EINVAL);
	kvt_refused(kv_arena_realloc(NULL, p, 100, 8), EINVAL);
	kvt_refused(kv_arena_realloc(a, p, 0, 8), EINVAL);
	kvt_refused(kv_arena_realloc(a, NULL, 0, 0), EINVAL);
	kvt_refused(kv_arena_realloc(a, NULL, 8, 0), EINVAL);
	kvt_fails(kv_arena_reserve(NULL, 8, false), -1, EINVAL);
	kvt_fails(kv_arena_reserve(a, 0, true), -1, EINVAL);
	kvt_fails(kv_arena_path(NULL, p, 100), -1, EINVAL);
	kvt_fails(kv_arena_path(a, NULL, 100), -1, EINVAL);
	kvt_eq(kv_arena_path(a, NULL, 0), 1);
	kvt_refused(kv_arena_local(NULL), EINVAL);
	kvi_destroy(a);
}
END_TEST

START_TEST(sizes_that_no_arena_has_are_no_memory)
{
	kv_arena_t *a = create(_i);
	char *p = kvt_alloc(a, 100);

	kvt_refused(kv_arena_realloc(a, p, 100, SIZE_MAX), ENOMEM);
	kvt_refused(kv_arena_realloc(a, p, 100, SIZE_MAX / 2), ENOMEM);
	kvt_refused(kv_arena_realloc(a, NULL, 0, SIZE_MAX), ENOMEM);
	kvt_true(kv_arena_realloc(a, p, SIZE_MAX / 2, 50) == p);	/* a lie */
	kv_arena_reset(a);
	kvi_destroy(a);
}
END_TEST

START_TEST(arrays_are_aligned_to_8_at_least)
{
	kv_arena_t *a = create(_i);

	for (size_t alignment = 1; alignment <= 256; alignment *= 2) {
		kv_arena_strdup(a, "x");
		kvt_eq((uintptr_t)kv_arena_array(a, 3, 5, alignment) %
			(alignment < 8 ? 8 : alignment), 0);
	}
	kvi_destroy(a);
}
END_TEST

/* ---- Realloc --------------------------------------------------------------------------------- */

struct text {
	kv_arena_t *a;
	char *p;
};

static void
make_text(void *arg)
{
	struct text *t = arg;

	t->p = kv_arena_strdup(t->a, "what was there");
}

/* By a thread that has no shard: it has allocated nothing. */
START_TEST(a_piece_of_another_thread_moves_when_it_grows)
{
	struct text t = { create(KV_ARENA_THREAD_SAFE), NULL };
	char *p;

	kvp_once(make_text, &t);
	p = kv_arena_realloc(t.a, t.p, 15, 500);
	kvt_true(p != t.p);
	ck_assert_str_eq(p, "what was there");
	kvi_destroy(t.a);
}
END_TEST

START_TEST(zeroed_arenas_stay_zeroed_behind_what_shrinks)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a;
	char *p;

	config.zero = true;
	a = kvi_create(&config);
	for (size_t size = 100; size > 0; size -= 7) {
		p = kvt_alloc(a, 100);
		kvt_true(p[0] == 0 && memcmp(p, p + 1, 99) == 0);
		memset(p, 7, 100);
		kv_arena_realloc(a, p, 100, size % 50);
		p = kvt_alloc(a, 100);
		kvt_true(p[0] == 0 && memcmp(p, p + 1, 99) == 0);
		if (size < 7)
			break;
	}
	kvi_destroy(a);
}
END_TEST

/* Resizes in place count too, and must not overflow a tally. */
START_TEST(endless_resizing_is_counted)
{
	kv_arena_t *a = create(_i);
	char *p = kvt_alloc(a, 1);
	size_t size = 1, next;

	for (uint32_t i = 0; i < 300000; i++) {
		next = i * 7919 % 20000 + 1;
		p = kv_arena_realloc(a, p, size, next);
		kvt_true(p != NULL);
		size = next;
	}
	kvi_check(a);
	kvt_eq(kvi_stats(a).used_bytes, size);
	kvi_destroy(a);
}
END_TEST

START_TEST(resizing_folds_what_is_due)
{
	kv_arena_t *a = create(_i);
	char *p = kvt_alloc(a, 100);
	struct kva_window *w = kva_arena_of(a)->team
		? &kva_arena_of(a)->team->shards->window
		: &kva_arena_of(a)->front.window;

	w->shown = (uint64_t)1 << 26;
	kvt_true(kv_arena_realloc(a, p, 100, 200) == p);
	kvt_true(!kva_window_is_due(w));
	kvt_eq(kvi_stats(a).total_bytes_allocated, 200);
	kvi_destroy(a);
}
END_TEST

/* ---- Prefault -------------------------------------------------------------------- */

static struct {
	char *p;
	size_t size;
} populated;

static int
note_populate(void *p, size_t size)
{
	populated.p = p;
	populated.size = size;
	return 0;
}

START_TEST(every_page_of_what_is_reserved_is_populated_and_no_other)
{
	size_t page = kva_os.page();
	const size_t sizes[] = { 1, page - 1, page, page + 1, 3 * page + 5, 100000 };
	kv_arena_t *a = create(KV_ARENA_THREAD_UNSAFE);

	kva_os.populate = note_populate;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char *p, *end = (char *)kvt_alloc(a, 40) + 40;

		kvt_eq(kv_arena_reserve(a, sizes[i], true), 0);
		p = kvt_alloc(a, sizes[i]);
		kvt_true(p == end || sizes[i] > page || kva_watch_on());
		kvt_eq((uintptr_t)populated.p % page, 0);
		kvt_eq(populated.size % page, 0);
		kvt_true(populated.p <= p && p < populated.p + page);
		end = populated.p + populated.size;
		kvt_true(end - page < p + sizes[i] && p + sizes[i] <= end);
	}
	kvi_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("alloc");
	TCase *g = kvi_group(s, "shared arenas");

	tcase_add_loop_test(g, a_thread_goes_back_and_forth_between_shared_arenas, 0, 11);

	g = kvi_group(s, "twins");
	tcase_add_loop_test(g, the_linkable_alloc_does_what_the_inline_one_does, 0, 2);
	tcase_add_loop_test(g, the_linkable_local_alloc_does_what_the_inline_one_does,
		0, 2);

	g = kvi_group(s, "arguments");
	tcase_add_loop_test(g, each_wrong_argument_is_refused, 0, 2);
	tcase_add_loop_test(g, sizes_that_no_arena_has_are_no_memory, 0, 2);
	tcase_add_loop_test(g, arrays_are_aligned_to_8_at_least, 0, 2);

	g = kvi_group(s, "realloc");
	tcase_add_test(g, a_piece_of_another_thread_moves_when_it_grows);
	tcase_add_loop_test(g, zeroed_arenas_stay_zeroed_behind_what_shrinks, 0, 2);
	tcase_add_loop_test(g, endless_resizing_is_counted, 0, 2);
	tcase_add_loop_test(g, resizing_folds_what_is_due, 0, 2);

	g = kvi_group(s, "prefault");
	tcase_add_test(g, every_page_of_what_is_reserved_is_populated_and_no_other);
	return kvt_run(s, 10000);
}
