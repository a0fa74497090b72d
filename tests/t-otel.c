/* t-otel.c -- lib/otel.c: what a profiler is told of, and for how long
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * That the trace points are where a profiler looks for them is seen in t-probes.sh.
 */
#include "kvinside.h"
#include "otel.h"

#ifdef HAVE_SYS_SDT_H

/* Hidden in the library, of which this program is a part. */
extern volatile unsigned short otel_memory_alloc_semaphore
	__attribute__((__visibility__("hidden")));

/* So that all that allocate() does is of one site. */
static int
know_no_stack(void **frames, int n)
{
	(void)frames, (void)n;
	return 0;
}

/* Allocate, and return how many allocations are told of now. */
static __attribute__((__noinline__)) int64_t
allocate(kv_arena_t *a, int n)
{
	int64_t before = kvo_counts().pieces;

	for (int i = 0; i < n; i++)
		kvt_true(kvt_alloc(a, 100) != NULL);
	return kvo_counts().pieces - before;
}

/* An arena that has what it needs besides: a block, a site. */
static kv_arena_t *
create_warm(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = kvi_config(mode);
	kv_arena_t *a;

	kva_os.backtrace = know_no_stack;
	config.sample_interval = 1;	/* then all are drawn */
	a = kvi_create(&config);
	allocate(a, 10);
	otel_memory_alloc_semaphore = 1;
	return a;
}

START_TEST(nothing_is_kept_while_nobody_looks)
{
	kv_arena_t *a = create_warm((kv_arena_thread_mode_t)_i);

	otel_memory_alloc_semaphore = 0;
	kvt_eq(allocate(a, 10), 0);
	kvt_true(kva_arena_of(a)->extras->told == NULL);
	kvi_destroy(a);
}
END_TEST

START_TEST(what_was_told_of_is_kept_until_it_ends)
{
	kv_arena_t *a = create_warm((kv_arena_thread_mode_t)_i);
	int64_t before;

	kvt_eq(allocate(a, 10), 10);
	before = kvo_counts().pieces;
	kv_arena_reset(a);
	kvt_eq(before - kvo_counts().pieces, 10);
	kvt_true(kva_arena_of(a)->extras->told == NULL);
	kvt_eq(allocate(a, 5), 5);
	otel_memory_alloc_semaphore = 0;
	kvi_destroy(a);
}
END_TEST

START_TEST(a_rewind_ends_those_that_are_younger)
{
	kv_arena_t *a = create_warm(KV_ARENA_THREAD_UNSAFE);
	kv_arena_mark_t mark;
	struct kva_told *last;

	kvt_eq(allocate(a, 3), 3);
	last = kva_arena_of(a)->extras->told;
	mark = kv_arena_mark(a);
	kvt_eq(allocate(a, 5), 5);
	kvt_true(kva_arena_of(a)->extras->told != last);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_true(kva_arena_of(a)->extras->told == last);
	otel_memory_alloc_semaphore = 0;
	kvi_destroy(a);
}
END_TEST

START_TEST(what_is_absorbed_has_ended_for_its_arena)
{
	kv_arena_t *a = create_warm(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *b = create_warm(KV_ARENA_THREAD_UNSAFE);

	kvt_eq(allocate(a, 3), 3);
	kvt_eq(allocate(b, 3), 3);
	kvt_eq(kv_arena_absorb(a, b), 0);
	kvt_true(kva_arena_of(a)->extras->told != NULL);
	kvt_true(kva_arena_of(b)->extras->told == NULL);
	otel_memory_alloc_semaphore = 0;
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

START_TEST(what_could_not_be_kept_is_not_told_of)
{
	kv_arena_t *a = create_warm((kv_arena_thread_mode_t)_i);

	kvo_fail_from(KVO_CALL(ALLOC), 1, 0);
	kvt_eq(allocate(a, 3), 0);
	kvo_heal();
	kvt_true(kva_arena_of(a)->extras->told == NULL);
	otel_memory_alloc_semaphore = 0;
	kvi_destroy(a);
}
END_TEST

static void
add_tests(TCase *g)
{
	tcase_add_loop_test(g, nothing_is_kept_while_nobody_looks, 0, 2);
	tcase_add_loop_test(g, what_was_told_of_is_kept_until_it_ends, 0, 2);
	tcase_add_test(g, a_rewind_ends_those_that_are_younger);
	tcase_add_test(g, what_is_absorbed_has_ended_for_its_arena);
	tcase_add_loop_test(g, what_could_not_be_kept_is_not_told_of, 0, 2);
}

#else

START_TEST(there_are_no_trace_points)
{
	kvt_skip("there is no sys/sdt.h");
}
END_TEST

static void
add_tests(TCase *g)
{
	tcase_add_test(g, there_are_no_trace_points);
}

#endif

int
main(void)
{
	Suite *s = suite_create("otel");

	add_tests(kvi_group(s, "told"));
	return kvt_run(s, 3);
}
