/* t-hostile.c -- callers that come at odd moments and leave by odd ways
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What other tests hold against hostile sizes, strings and configurations,
 * doc/hostile.md lists. It links the library's archives, so that a constructor here
 * may run before any of the library's.
 */
#include "kvinside.h"
#include "kvsource.h"
#include "kvthread.h"

#include <setjmp.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Before main ------------------------------------------------------------- */

static kv_arena_t *early;
static char *early_text;

__attribute__((__constructor__(101))) static void
allocate_early(void)
{
	early = kvt_create_safe(0);
	early_text = kv_arena_strdup(early, "before main");
}

START_TEST(arenas_work_before_main)
{
	kvt_true(early_text && strcmp(early_text, "before main") == 0);
	kvt_true(kv_arena_owns(early, early_text));
	kvt_true(kv_arena_strdup(early, "and later") != NULL);
	kvt_balanced(early);
}
END_TEST

/* ---- Failures of many threads at once ------------------------------------------- */

static void *
ask_for_too_much(void *worker)
{
	struct kvt_worker *w = worker;

	for (size_t i = 0; i < w->n; i++) {
		size_t size = i % 2 ? SIZE_MAX - i : SIZE_MAX / 2 - i % 8;

		w->faults += kvt_alloc(w->arena, size) != NULL;
		w->faults += kv_arena_alloc_aligned(w->arena, size, 64) != NULL;
		w->faults += kv_arena_calloc(w->arena, size, size) != NULL;
		if (i % 1000 == 0)
			kvt_enter(&w->book, kvt_alloc(w->arena, 100), 100, 8);
	}
	return NULL;
}

START_TEST(a_million_failures_of_eight_threads_change_nothing)
{
	size_t n = kvt_scaled(1000000 / 3 / KVT_THREADS);
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[KVT_THREADS];

	kvt_prepare(w, KVT_THREADS, a, n);
	kvt_run_all(w, KVT_THREADS, ask_for_too_much);
	kvt_eq(kvt_stats(a).failed_allocations, 3 * n * KVT_THREADS);
	kvt_cmp(kv_arena_memory_usage(a), <, MIB);
	kvt_collect(w, KVT_THREADS);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* ---- A thread that is cancelled ---------------------------------------------------- */

struct victim {
	kv_arena_t *arena;
	atomic_bool is_ready, is_doomed, came_through;
};

/* Cancelled before it begins; heard at the first cancellation point. */
static void *
work_while_doomed(void *arg)
{
	struct victim *v = arg;
	kv_arena_stats_t s;
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	atomic_store(&v->is_ready, true);
	while (!atomic_load(&v->is_doomed))
		sched_yield();
	pthread_setcancelstate(before, NULL);
	for (size_t size = 1; size < 8 * MIB; size = 2 * size + 1) {
		void *p = kvt_alloc(v->arena, size);

		kv_arena_calloc(v->arena, 1, size);
		kv_arena_realloc(v->arena, p, size, 2 * size);
		kv_arena_printf(v->arena, "%zu", size);
		kv_arena_get_stats(v->arena, &s);
	}
	kv_arena_compact(v->arena);
	atomic_store(&v->came_through, true);
	pthread_testcancel();
	return NULL;
}

START_TEST(no_allocation_is_a_cancellation_point)
{
	struct victim v = { .arena = kvt_create_safe(0) };
	pthread_t thread;
	void *result = NULL;

	kvt_eq(pthread_create(&thread, NULL, work_while_doomed, &v), 0);
	while (!atomic_load(&v.is_ready))
		sched_yield();
	kvt_eq(pthread_cancel(thread), 0);
	atomic_store(&v.is_doomed, true);
	pthread_join(thread, &result);
	kvt_true(result == PTHREAD_CANCELED);
	kvt_true(atomic_load(&v.came_through));
	kvt_true(kvt_alloc(v.arena, 100) != NULL);
	kvt_balanced(v.arena);
	kv_arena_destroy(v.arena);
}
END_TEST

/* ---- Callbacks that do not return ---------------------------------------------------- */

static jmp_buf way_out;

static bool
leave(void *context, const kv_arena_oom_t *oom)
{
	(void)oom;
	++*(volatile int *)context;
	longjmp(way_out, 1);
}

START_TEST(a_handler_may_leave_by_longjmp)
{
	for (int mode = 0; mode < 2; mode++) {
		static volatile int calls;
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
		kv_arena_t *a;

		calls = 0;
		config.thread_mode = (kv_arena_thread_mode_t)mode;
		config.memory_limit = MIB;
		config.on_oom = leave;
		config.on_oom_context = (void *)(uintptr_t)&calls;
		a = kv_arena_create_ex(&config);
		for (volatile int i = 0; i < 100; i++)
			if (setjmp(way_out) == 0)
				kvt_true(kvt_alloc(a, 2 * MIB) == a);	/* never */
		kvt_eq(calls, 100);
		kvt_eq(kvt_stats(a).failed_allocations, 100);
		kvt_true(kvt_alloc(a, 1000) != NULL);
		kvt_balanced(a);
		kv_arena_destroy(a);
	}
}
END_TEST

static void
leave_defer(void *arg)
{
	++*(volatile int *)arg;
	longjmp(way_out, 1);
}

/* Each was taken off before it ran: the next reset goes on behind it. */
START_TEST(a_defer_may_leave_by_longjmp)
{
	static volatile int runs;
	kv_arena_t *a = kv_arena_create(0);

	for (int i = 0; i < 3; i++)
		kvt_eq(kv_arena_defer(a, leave_defer, (void *)(uintptr_t)&runs), 0);
	for (volatile int i = 0; i < 4; i++)
		if (setjmp(way_out) == 0)
			kv_arena_reset(a);
	kvt_eq(runs, 3);
	kvt_true(kvt_alloc(a, 1000) != NULL);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Fork of many threads at once ------------------------------------------------------ */

static void *
fork_and_use(void *worker)
{
	struct kvt_worker *w = worker;

	for (size_t i = 0; i < w->n; i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			void *p = kv_arena_alloc(w->arena, 1000);
			kv_arena_t *a = kv_arena_create(0);

			_exit(!p || !kv_arena_alloc(a, 100000));
		}
		w->faults += child < 0 || waitpid(child, &status, 0) != child ||
			status != 0;
		kvt_enter(&w->book, kv_arena_alloc(w->arena, 100), 100, 8);
	}
	return NULL;
}

START_TEST(many_threads_may_fork_at_once)
{
	enum { THREADS = 32 };
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[THREADS];

	if (kvt_is_watched() || kvt_is_emulated()) {
		kvt_skip("forks of threads are slow here");
		return;
	}
	kvt_prepare(w, THREADS, a, 4);
	kvt_run_all(w, THREADS, fork_and_use);
	kvt_collect(w, THREADS);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* Such a child runs in our memory, and the hooks of fork do not run. */
static void *
spawn_and_use(void *worker)
{
	struct kvt_worker *w = worker;
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
		(char *)(uintptr_t)":", NULL };
	char *envp[] = { NULL };

	for (size_t i = 0; i < w->n; i++) {
		int status = -1;
		pid_t child;

		w->faults += posix_spawn(&child, "/bin/sh", NULL, NULL, argv, envp) != 0 ||
			waitpid(child, &status, 0) != child || status != 0;
		kvt_enter(&w->book, kvt_alloc(w->arena, 1000 * i + 1), 1000 * i + 1, 8);
	}
	return NULL;
}

START_TEST(threads_may_spawn_programs_meanwhile)
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[KVT_THREADS];

	if (kvt_is_watched() || kvt_is_emulated()) {
		kvt_skip("programs start slowly here");
		return;
	}
	kvt_prepare(w, KVT_THREADS, a, 4);
	kvt_run_all(w, KVT_THREADS, spawn_and_use);
	kvt_collect(w, KVT_THREADS);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Pages of other machines ------------------------------------------------------------ */

static size_t page_size;

static size_t
other_page(void)
{
	return page_size;
}

START_TEST(pages_may_be_of_16_or_64_kib)
{
	struct kva_os under = kva_os;
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	page_size = (size_t)16384 << 2 * _i;
	kva_os.page = other_page;
	config.cache = kv_arena_cache_create(64 * MIB);
	for (int mode = 0; mode < 2; mode++)
		for (int debug = 0; debug < 4; debug++) {
			struct kvt_book book = { 0 };
			kv_arena_t *a;

			config.thread_mode = (kv_arena_thread_mode_t)mode;
			config.debug = (kv_arena_debug_t)debug;
			a = kv_arena_create_ex(&config);
			kvt_true(a != NULL);
			for (size_t i = 1; i < 3000; i++)
				kvt_enter(&book, kvt_alloc(a, i), i, 8);
			kvt_eq(kv_arena_reserve(a, 300000, true), 0);
			kv_arena_compact(a);
			if (kv_arena_seal(a) == 0)
				kvt_eq(kv_arena_unseal(a), 0);
			kvt_intact(&book);
			kvt_balanced(a);
			kvt_drop(&book);
			kv_arena_reset(a);
			kv_arena_compact(a);
			kvt_balanced(a);
			kv_arena_destroy(a);
		}
	kv_arena_cache_trim(config.cache, 0);
	kvt_eq(kv_arena_cache_destroy(config.cache), 0);
	kva_os = under;
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hostile");
	TCase *g = kvt_group(s, "hostile");
	int status;

	tcase_add_test(g, arenas_work_before_main);
	tcase_add_test(g, a_million_failures_of_eight_threads_change_nothing);
	tcase_add_test(g, no_allocation_is_a_cancellation_point);
	tcase_add_test(g, a_handler_may_leave_by_longjmp);
	tcase_add_test(g, a_defer_may_leave_by_longjmp);
	tcase_add_test(g, many_threads_may_fork_at_once);
	tcase_add_test(g, threads_may_spawn_programs_meanwhile);
	tcase_add_loop_test(g, pages_may_be_of_16_or_64_kib, 0, 2);
	status = kvt_run(s, 500);
	kv_arena_destroy(early);
	return status;
}
