/* t-threads.c -- one arena, many threads
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvthread.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(counts_are_exact_at_rest)
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[KVT_THREADS];
	kv_arena_stats_t s;
	uint64_t asked = 0;
	size_t n = kvt_scaled(50000);

	for (size_t i = 0; i < n; i++)
		asked += KVT_THREADS * (i % 1000 + 1);
	kvt_prepare(w, KVT_THREADS, a, n);
	kvt_run_all(w, KVT_THREADS, kvt_allocate);
	s = kvt_stats(a);
	kvt_eq(s.total_allocations, KVT_THREADS * n);
	kvt_eq(s.total_bytes_allocated, asked);
	kvt_eq(s.used_bytes, asked);
	kvt_balanced(a);
	kvt_collect(w, KVT_THREADS);
	kv_arena_reset_stats(a);
	kvt_eq(kvt_stats(a).total_allocations, 0);
	kvt_eq(kvt_stats(a).used_bytes, asked);
	kv_arena_destroy(a);
}
END_TEST

static void *
read_on(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_stats_t s, last = { 0 };

	while (!atomic_load(w->stop)) {
		uint64_t sizes = 0;

		w->faults += kv_arena_get_stats(w->arena, &s) != 0;
		w->faults += s.total_allocations < last.total_allocations;
		w->faults += s.total_bytes_allocated < last.total_bytes_allocated;
		w->faults += s.peak_memory_usage < s.current_memory_usage;
		for (int i = 0; i < 16; i++)
			sizes += s.size_distribution[i];
		w->faults += sizes < last.total_allocations;
		w->faults += kv_arena_memory_usage(w->arena) == 0;
		kv_arena_total_allocated(w->arena);
		last = s;
		w->rounds++;
	}
	return NULL;
}

START_TEST(statistics_may_be_read_meanwhile)
{
	kv_arena_t *a = kvt_create_safe(0);
	atomic_bool stop = false;
	struct kvt_worker w[4], reader;
	pthread_t thread;

	kvt_prepare(w, 4, a, kvt_scaled(50000));
	kvt_prepare(&reader, 1, a, 0);
	reader.stop = &stop;
	kvt_eq(pthread_create(&thread, NULL, read_on, &reader), 0);
	kvt_run_all(w, 4, kvt_allocate);
	atomic_store(&stop, true);
	kvt_eq(pthread_join(thread, NULL), 0);
	kvt_cmp(reader.rounds, >, 0);
	kvt_eq(reader.faults, 0);
	kvt_collect(w, 4);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* Everything marked [any] that is not an allocation. */
static void *
meddle(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_t *a = w->arena;
	FILE *out = tmpfile();
	char path[16];

	while (!atomic_load(w->stop)) {
		char *p = kv_arena_strdup(a, "mine");
		kv_arena_handle_t h = kv_arena_handle(a, p);

		w->faults += kv_arena_deref(h) != p;
		w->faults += !kv_arena_owns(a, p);
		w->faults += kv_arena_owns(a, path);
		kv_arena_compact(a);
		w->faults += kv_arena_reserve(a, 10000, false) != 0;
		w->faults += kv_arena_path(a, path, sizeof path) < 0;
		w->faults += strcmp(p, "mine") != 0;
		if (out != NULL && w->rounds++ % 64 == 0) {
			rewind(out);
			w->faults += kv_arena_write_report(a, out,
				KV_ARENA_REPORT_JSON) != 0;
			kv_arena_reset_stats(a);
		}
	}
	if (out != NULL)
		fclose(out);
	return NULL;
}

START_TEST(any_thread_may_do_what_any_thread_may)
{
	kv_arena_t *a = kvt_create_safe(4096);
	atomic_bool stop = false;
	struct kvt_worker w[4], other;
	pthread_t thread;

	kvt_prepare(w, 4, a, kvt_scaled(20000));
	kvt_prepare(&other, 1, a, 0);
	other.stop = &stop;
	kvt_eq(pthread_create(&thread, NULL, meddle, &other), 0);
	kvt_run_all(w, 4, kvt_allocate);
	atomic_store(&stop, true);
	kvt_eq(pthread_join(thread, NULL), 0);
	kvt_eq(other.faults, 0);
	kvt_collect(w, 4);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

static void *
use_all_calls(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_t *a = w->arena;

	for (size_t i = 1; i <= w->n; i++) {
		size_t size = i % 200 + 1, alignment = (size_t)1 << i % 8;
		char *p;

		kvt_enter(&w->book, kv_arena_alloc(a, size), size, 8);
		kvt_enter(&w->book, kv_arena_alloc_aligned(a, size, alignment),
			size, alignment);
		p = kv_arena_calloc(a, size, 2);
		w->faults += p == NULL || p[0] != 0 || p[2 * size - 1] != 0;
		kvt_enter(&w->book, p, 2 * size, 8);
		p = kv_arena_realloc(a, p, 2 * size, 3 * size);
		kvt_resize(&w->book, w->book.n - 1, p, 3 * size);
		p = kv_arena_printf(a, "%zu", i);
		w->faults += p == NULL || strtoul(p, NULL, 10) != i;
		w->faults += kv_arena_alloc(a, 0) != NULL;
		w->faults += kvt_alloc(a, SIZE_MAX - i) != NULL;
		if (i % 500 == 0)
			kvt_enter(&w->book, kvt_alloc(a, 3 << 20), 3 << 20, 8);
	}
	return NULL;
}

START_TEST(every_way_to_allocate_works_in_threads)
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[KVT_THREADS];
	size_t n = kvt_scaled(2000);

	kvt_prepare(w, KVT_THREADS, a, n);
	kvt_run_all(w, KVT_THREADS, use_all_calls);
	kvt_collect(w, KVT_THREADS);
	kvt_eq(kvt_stats(a).failed_allocations, 2 * KVT_THREADS * n);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

static void
count_defer(void *arg)
{
	atomic_fetch_add((atomic_size_t *)arg, 1);
}

static atomic_size_t defers_run;

static void *
defer_much(void *arg)
{
	struct kvt_worker *w = arg;

	for (size_t i = 0; i < w->n; i++)
		w->faults += kv_arena_defer(w->arena, count_defer,
			&defers_run) != 0;
	return NULL;
}

START_TEST(defers_of_all_threads_run_once)
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[KVT_THREADS];

	atomic_store(&defers_run, 0);
	kvt_prepare(w, KVT_THREADS, a, 500);
	kvt_run_all(w, KVT_THREADS, defer_much);
	kvt_eq(atomic_load(&defers_run), 0);
	kv_arena_reset(a);
	kvt_eq(atomic_load(&defers_run), KVT_THREADS * 500);
	kv_arena_destroy(a);
	kvt_eq(atomic_load(&defers_run), KVT_THREADS * 500);
	kvt_collect(w, KVT_THREADS);
}
END_TEST

static void *
hold_local(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_local_t *local = kv_arena_local(w->arena);

	w->faults += local == NULL;
	for (size_t i = 0; i < w->n && local != NULL; i++)
		kvt_enter(&w->book, kv_arena_local_alloc(local, i % 100 + 1),
			i % 100 + 1, 8);
	return NULL;
}

START_TEST(threads_may_hold_their_own_handles)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_worker w[KVT_THREADS];
	kv_arena_t *a;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	config.enable_detailed_stats = _i;
	a = kv_arena_create_ex(&config);
	kvt_true(a != NULL);
	kvt_prepare(w, KVT_THREADS, a, 10000);
	kvt_run_all(w, KVT_THREADS, hold_local);
	kvt_collect(w, KVT_THREADS);
	kvt_true(!_i || kvt_stats(a).total_allocations == KVT_THREADS * 10000);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

enum { CROWD = 32 };

/* So that no thread ends, and leaves its share to another, before all have one. */
static void *
allocate_beside_others(void *arg)
{
	struct kvt_worker *w = arg;
	atomic_int *here = w->extra;

	w->faults += !kv_arena_alloc(w->arena, 64);
	for (atomic_fetch_add(here, 1); atomic_load(here) < CROWD; )
		sched_yield();
	for (size_t i = 0; i < w->n; i++)
		w->faults += !kv_arena_alloc(w->arena, 64);
	return NULL;
}

START_TEST(what_threads_leave_unused_does_not_grow_with_them)
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[CROWD];
	atomic_int here = 0;
	kv_arena_stats_t s;

	kvt_prepare(w, CROWD, a, 544);		/* 34 KiB: just into a share */
	for (int i = 0; i < CROWD; i++)
		w[i].extra = &here;
	kvt_run_all(w, CROWD, allocate_beside_others);
	kvt_collect(w, CROWD);
	s = kvt_stats(a);
	kvt_eq(s.shards, CROWD);
	/* A quarter of it all, the least share of each, and one step. */
	kvt_cmp(s.free_bytes, <=, s.current_memory_usage / 4 + CROWD * 1088 +
		KV_ARENA_DEFAULT_BLOCK_SIZE);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("threads");
	TCase *g = kvt_group(s, "sharing");

	tcase_add_test(g, counts_are_exact_at_rest);
	tcase_add_test(g, statistics_may_be_read_meanwhile);
	tcase_add_test(g, any_thread_may_do_what_any_thread_may);
	tcase_add_test(g, every_way_to_allocate_works_in_threads);
	tcase_add_test(g, defers_of_all_threads_run_once);
	tcase_add_loop_test(g, threads_may_hold_their_own_handles, 0, 2);
	tcase_add_test(g, what_threads_leave_unused_does_not_grow_with_them);
	return kvt_run(s, 20000);
}
