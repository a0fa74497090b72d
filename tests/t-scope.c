/* t-scope.c -- lib/scope.c: marks, defers, generations
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "kvpuppet.h"
#include "scope.h"

#include <string.h>
#include <unistd.h>

static kv_arena_t *
create(void)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);

	return kvi_create(&config);
}

static size_t
count_marks(const kv_arena_t *a)
{
	size_t n = 0;

	for (const struct kva_mark *m = kva_arena_of(a)->marks; m; m = m->older)
		n++;
	return n;
}

static bool
are_same(const kv_arena_stats_t *a, const kv_arena_stats_t *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* ---- Marks --------------------------------------------------------------------- */

START_TEST(serials_rise_and_records_are_linked_newest_first)
{
	kv_arena_t *a = create();
	uint64_t last = 0;

	for (int i = 0; i < 100; i++) {
		kv_arena_mark_t mark = kva_scope_mark(kva_arena_of(a));

		kvt_cmp(mark.serial, >, last);
		kvt_true(kva_arena_of(a)->marks == mark.record);
		last = mark.serial;
		kvi_load(a, 100);
	}
	kvt_eq(count_marks(a), 100);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_mark_where_nothing_happened_is_the_one_before)
{
	kv_arena_t *a = create();
	kv_arena_mark_t first = kv_arena_mark(a), second;
	kv_arena_stats_t before = kvi_stats(a), after;

	for (int i = 0; i < 1000; i++) {
		second = kv_arena_mark(a);
		kvt_true(second.serial == first.serial && second.record == first.record);
		kvi_load(a, 5000);
		kvt_eq(kv_arena_rewind(a, second), 0);
	}
	after = kvi_stats(a);
	kvt_eq(after.header_bytes, before.header_bytes);
	kvt_eq(count_marks(a), 1);
	kvi_destroy(a);
}
END_TEST

static void
nop(void *arg)
{
	(void)arg;
}

/* Each of these must not be forgotten by a rewind to the mark before it. */
START_TEST(a_mark_after_anything_is_a_new_one)
{
	kv_arena_t *a = create();
	char *p = kv_arena_strdup(a, "packed");
	kv_arena_mark_t last = kv_arena_mark(a), next;

	for (int i = 0; i < 5; i++) {
		if (i == 0)
			kvt_alloc(a, 8);
		else if (i == 1)
			kv_arena_strdup(a, "x");
		else if (i == 2)
			kvt_eq(kv_arena_defer(a, nop, NULL), 0);
		else if (i == 3)
			kvt_true(kv_arena_realloc(a, p, 7, 500) != NULL);
		else
			kvt_true(kv_arena_handle(a, p).ptr == p);
		next = kv_arena_mark(a);
		kvt_true(next.serial != last.serial);
		last = next;
	}
	kvi_destroy(a);
}
END_TEST

START_TEST(rewind_restores_every_figure)
{
	kv_arena_t *a = create();
	kv_arena_stats_t before, after;
	kv_arena_mark_t mark;

	kvi_load(a, 300 * KIB);
	mark = kv_arena_mark(a);
	before = kvi_stats(a);
	for (int round = 0; round < 5; round++) {
		kvi_load(a, (size_t)round * 700 * KIB);
		kv_arena_strdup(a, "packed");
		kvt_alloc(a, 3 * MIB);
		kvt_eq(kv_arena_rewind(a, mark), 0);
		kvi_check(a);
		after = kvi_stats(a);
		kvt_eq(after.used_bytes, before.used_bytes);
		kvt_eq(after.padding_bytes, before.padding_bytes);
		kvt_eq(after.tail_bytes, before.tail_bytes);
		kvt_eq(after.abandoned_bytes, before.abandoned_bytes);
		kvt_eq(after.header_bytes - after.blocks * sizeof(struct kva_block),
			before.header_bytes - before.blocks * sizeof(struct kva_block));
	}
	kvi_destroy(a);
}
END_TEST

START_TEST(stale_and_foreign_marks_are_refused)
{
	kv_arena_t *a = create(), *b = create();
	kv_arena_mark_t outer = kv_arena_mark(a), inner, foreign = kv_arena_mark(b);

	kvi_load(a, 1000);
	inner = kv_arena_mark(a);
	kvt_eq(kv_arena_rewind(a, outer), 0);
	kvt_fails(kva_scope_rewind(kva_arena_of(a), inner), -1, EINVAL);
	kvt_fails(kva_scope_rewind(kva_arena_of(a), foreign), -1, EINVAL);
	inner.serial = outer.serial;
	kvt_fails(kva_scope_rewind(kva_arena_of(a), inner), -1, EINVAL);
	outer.serial = 0;
	kvt_fails(kva_scope_rewind(kva_arena_of(a), outer), -1, EINVAL);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

START_TEST(without_memory_there_is_no_mark)
{
	kv_arena_t *a = create();
	kv_arena_mark_t mark;

	kvo_fail_from(KVA_ALL_CALLS, 1, 0);
	mark = kv_arena_mark(a);
	kvt_true(mark.serial == 0 && mark.record == NULL);
	kvt_eq(errno, ENOMEM);
	kvo_heal();
	kvt_fails(kv_arena_rewind(a, mark), -1, EINVAL);
	kvt_cmp(kv_arena_mark(a).serial, >, 0);
	kvi_destroy(a);
}
END_TEST

static int asked;

static bool
free_something(void *context, const kv_arena_oom_t *oom)
{
	(void)context, (void)oom;
	kvo_heal();
	return ++asked < 10;
}

START_TEST(the_handler_is_asked_for_a_mark_as_for_memory)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.on_oom = free_something;
	a = kvi_create(&config);
	asked = 0;
	kvo_fail_from(KVA_ALL_CALLS, 1, 0);
	kvt_cmp(kv_arena_mark(a).serial, >, 0);
	kvt_eq(asked, 1);
	kvt_eq(kvi_stats(a).failed_allocations, 1);
	kvi_destroy(a);
}
END_TEST

START_TEST(reset_forgets_all_marks)
{
	kv_arena_t *a = create();
	kv_arena_mark_t mark[10];

	for (int i = 0; i < 10; i++) {
		kvi_load(a, 10000);
		mark[i] = kv_arena_mark(a);
	}
	kv_arena_reset(a);
	kvt_eq(count_marks(a), 0);
	for (int i = 0; i < 10; i++)
		kvt_fails(kv_arena_rewind(a, mark[i]), -1, EINVAL);
	kvi_destroy(a);
}
END_TEST

/* ---- Defers ---------------------------------------------------------------------- */

static char ran[64];

static void
note(void *arg)
{
	strcat(ran, arg);
}

START_TEST(defers_run_last_in_first_out)
{
	kv_arena_t *a = create();
	kv_arena_mark_t mark;

	ran[0] = '\0';
	kv_arena_defer(a, note, "a");
	kv_arena_defer(a, note, "b");
	mark = kv_arena_mark(a);
	kv_arena_defer(a, note, "c");
	kv_arena_defer(a, note, "d");
	kvt_eq(kv_arena_rewind(a, mark), 0);
	ck_assert_str_eq(ran, "dc");
	kvi_check(a);
	kv_arena_reset(a);
	ck_assert_str_eq(ran, "dcba");
	kvi_destroy(a);
	ck_assert_str_eq(ran, "dcba");
}
END_TEST

static kv_arena_t *own;

static void
defer_again(void *arg)
{
	strcat(ran, arg);
	if (kvt_alloc(own, 100000))
		kv_arena_defer(own, note, "z");
}

START_TEST(a_defer_that_defers_runs_it_next)
{
	own = create();
	ran[0] = '\0';
	kv_arena_defer(own, note, "a");
	kv_arena_defer(own, defer_again, "b");
	kv_arena_reset(own);
	ck_assert_str_eq(ran, "bza");
	kv_arena_defer(own, defer_again, "c");
	kvi_destroy(own);
	ck_assert_str_eq(ran, "bzacz");
}
END_TEST

static void
count(void *n)
{
	++*(size_t *)n;
}

START_TEST(a_defer_that_cannot_be_had_is_not_run)
{
	kv_arena_t *a = create();
	kv_arena_stats_t before, after;
	size_t made = 0, n = 0;

	kvo_fail_from(KVA_ALL_CALLS, 1, 0);
	kvt_fails(kv_arena_defer(a, count, &n), -1, ENOMEM);
	kvo_heal();
	kvi_load(a, 1000);
	kvo_fail_from(KVA_ALL_CALLS, 1, 0);
	while (kv_arena_defer(a, count, &n) == 0)
		made++;
	kvt_cmp(made, >, 100);		/* without asking anybody */
	before = kvi_stats(a);
	kvt_fails(kv_arena_defer(a, count, &n), -1, ENOMEM);
	after = kvi_stats(a);
	before.failed_allocations++;
	kvt_true(are_same(&before, &after));
	kvo_heal();
	kvi_destroy(a);
	kvt_eq(n, made);
}
END_TEST

START_TEST(absorbed_defers_run_before_those_of_the_arena)
{
	kv_arena_t *a = create(), *b = create();

	ran[0] = '\0';
	kv_arena_defer(a, note, "a");
	kv_arena_defer(b, note, "b");
	kv_arena_defer(b, note, "c");
	kvt_eq(kv_arena_absorb(a, b), 0);
	kvi_destroy(b);
	ck_assert_str_eq(ran, "");
	kv_arena_defer(a, note, "d");
	kvi_destroy(a);
	ck_assert_str_eq(ran, "dcba");
}
END_TEST

START_TEST(a_rewind_runs_what_was_absorbed_since_the_mark)
{
	kv_arena_t *a = create(), *b = create();
	kv_arena_mark_t mark = kv_arena_mark(a), of_b = kv_arena_mark(b);

	ran[0] = '\0';
	kvi_load(b, 300000);
	kv_arena_defer(b, note, "b");
	kvt_eq(kv_arena_absorb(a, b), 0);
	kvt_fails(kv_arena_rewind(b, of_b), -1, EINVAL);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	ck_assert_str_eq(ran, "b");
	kvi_check(a);
	kvt_eq(kvi_stats(a).used_bytes, 0);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

/* ---- Generations --------------------------------------------------------------------- */

START_TEST(an_arena_has_no_cell_before_it_has_a_handle)
{
	kv_arena_t *a = create();
	void *p = kvt_alloc(a, 10);
	uint64_t *cell;

	kvt_true(kva_arena_of(a)->cell == NULL);
	cell = kva_scope_cell(kva_arena_of(a));
	kvt_true(cell != NULL);
	kvt_true(kva_scope_cell(kva_arena_of(a)) == cell);
	kvt_true(kv_arena_handle(a, p).cell == cell);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_rewind_ends_exactly_the_generations_begun_since)
{
	kv_arena_t *a = create();
	kv_arena_handle_t h[5];
	kv_arena_mark_t mark[5];

	for (int i = 0; i < 5; i++) {
		h[i] = kv_arena_handle(a, kvt_alloc(a, 8));
		mark[i] = kv_arena_mark(a);
		kvt_alloc(a, 8);
	}
	for (int i = 4; i >= 0; i--) {
		kvt_eq(kv_arena_rewind(a, mark[i]), 0);
		for (int k = 0; k < 5; k++)
			kvt_true((kv_arena_deref(h[k]) != NULL) == (k <= i));
	}
	kvi_destroy(a);
	kvt_true(kv_arena_deref(h[0]) == NULL);
}
END_TEST

START_TEST(a_rewind_ends_no_handle_of_another_arena)
{
	kv_arena_t *a = create(), *b = create();
	kv_arena_mark_t mark = kv_arena_mark(a);
	kv_arena_handle_t of_a = kv_arena_handle(a, kvt_alloc(a, 8)), of_b;

	kvt_eq(kv_arena_rewind(a, mark), 0);
	of_b = kv_arena_handle(b, kvt_alloc(b, 8));
	kvt_true(of_b.cell == of_a.cell);	/* which is free again */
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_true(kv_arena_deref(of_b) != NULL);
	kvt_true(kv_arena_deref(of_a) == NULL);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

START_TEST(a_cell_that_serves_again_does_not_revive_handles)
{
	kv_arena_handle_t dead[600];

	for (int i = 0; i < 600; i++) {
		kv_arena_t *a = create();

		dead[i] = kv_arena_handle(a, kvt_alloc(a, 8));
		kvt_true(kv_arena_deref(dead[i]) != NULL);
		kvi_destroy(a);
		for (int k = 0; k <= i; k += 37)
			kvt_true(kv_arena_deref(dead[k]) == NULL);
	}
}
END_TEST

START_TEST(a_mark_ends_no_handle)
{
	kv_arena_t *a = create();
	kv_arena_handle_t h = kv_arena_handle(a, kvt_alloc(a, 8));
	kv_arena_mark_t mark = kv_arena_mark(a);

	kvt_true(kv_arena_deref(h) != NULL);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_true(kv_arena_deref(h) != NULL);
	kvi_destroy(a);
}
END_TEST

START_TEST(absorbing_ends_the_handles_of_the_absorbed)
{
	kv_arena_t *a = create(), *b = create();
	kv_arena_handle_t of_a = kv_arena_handle(a, kvt_alloc(a, 8));
	kv_arena_handle_t of_b = kv_arena_handle(b, kvt_alloc(b, 8));

	kvt_eq(kv_arena_absorb(a, b), 0);
	kvt_true(kv_arena_deref(of_a) != NULL);
	kvt_true(kv_arena_deref(of_b) == NULL);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

/* More handles than a page of cells serves, so that another is made: for ever. */
START_TEST(without_memory_for_cells_there_is_no_handle)
{
	kv_arena_t *a = kv_arena_create(0);
	void *p = kvt_alloc(a, 8);
	kv_arena_handle_t h;
	int n = 0;

	kvo_fail_from(KVO_CALL(ALLOC), 1, 0);
	while ((h = kv_arena_handle(a, p)).ptr && n < 2000) {
		kvo_heal();
		kv_arena_mark(a);
		kvo_fail_from(KVO_CALL(ALLOC), 1, 0);
		n++;
	}
	kvt_cmp(n, <, 2000);
	kvt_eq(errno, ENOMEM);
	kvt_true(h.cell == NULL && kv_arena_deref(h) == NULL);
	kvo_heal();
	h = kv_arena_handle(a, p);
	kvt_true(kv_arena_deref(h) == p);
	kv_arena_destroy(a);
	kvt_true(kv_arena_deref(h) == NULL);
}
END_TEST

static void
start_counting(void)
{
	kvo_begin(KVO_THIS_MACHINE);
}

static void
make_a_handle(void *done)
{
	kv_arena_t *a = create();

	kv_arena_handle(a, kvt_alloc(a, 8));
	kv_arena_destroy(a);
	kva_store_relaxed((int *)done, 1);
}

static void
end_a_handle(void *arena)
{
	kv_arena_reset(*(kv_arena_t **)arena);
	kva_store_relaxed((kv_arena_t **)arena, NULL);
}

START_TEST(no_cell_comes_or_goes_while_a_process_forks)
{
	kv_arena_t *a = create();
	kv_arena_t *kept = a;
	struct kvp p[2];
	int done = 0;

	kvt_true(kv_arena_handle(a, kvt_alloc(a, 8)).ptr != NULL);
	kvp_begin(&p[0]);
	kvp_begin(&p[1]);
	kva_scope_fork_before();
	kvp_tell(&p[0], make_a_handle, &done);
	kvp_tell(&p[1], end_a_handle, &a);
	usleep(20000);
	kvt_true(!kva_load_relaxed(&done));
	kvt_true(kva_load_relaxed(&a) != NULL);
	kva_scope_fork_after();
	kvp_end(&p[0]);
	kvp_end(&p[1]);
	kvt_true(done && !a);
	kvi_destroy(kept);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scope");
	TCase *g = kvi_group(s, "marks");

	tcase_add_test(g, serials_rise_and_records_are_linked_newest_first);
	tcase_add_test(g, a_mark_where_nothing_happened_is_the_one_before);
	tcase_add_test(g, a_mark_after_anything_is_a_new_one);
	tcase_add_test(g, rewind_restores_every_figure);
	tcase_add_test(g, stale_and_foreign_marks_are_refused);
	tcase_add_test(g, without_memory_there_is_no_mark);
	tcase_add_test(g, the_handler_is_asked_for_a_mark_as_for_memory);
	tcase_add_test(g, reset_forgets_all_marks);

	g = kvi_group(s, "defers");
	tcase_add_test(g, defers_run_last_in_first_out);
	tcase_add_test(g, a_defer_that_defers_runs_it_next);
	tcase_add_test(g, a_defer_that_cannot_be_had_is_not_run);
	tcase_add_test(g, absorbed_defers_run_before_those_of_the_arena);
	tcase_add_test(g, a_rewind_runs_what_was_absorbed_since_the_mark);

	g = kvi_group(s, "generations");
	tcase_add_test(g, an_arena_has_no_cell_before_it_has_a_handle);
	tcase_add_test(g, a_rewind_ends_exactly_the_generations_begun_since);
	tcase_add_test(g, a_rewind_ends_no_handle_of_another_arena);
	tcase_add_test(g, a_cell_that_serves_again_does_not_revive_handles);
	tcase_add_test(g, a_mark_ends_no_handle);
	tcase_add_test(g, absorbing_ends_the_handles_of_the_absorbed);
	tcase_add_test(g, no_cell_comes_or_goes_while_a_process_forks);

	g = kvt_group(s, "cells");
	tcase_add_checked_fixture(g, start_counting, kvo_end);
	tcase_add_test(g, without_memory_for_cells_there_is_no_handle);
	return kvt_run(s, 1500);
}
