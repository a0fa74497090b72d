/* t-fork.c -- shared arenas and the lives of processes
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvthread.h"

#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#ifndef _WIN32
/* Be inside the library all the time, in every part that has a lock. */
static void *
be_busy(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_stats_t s;

	while (!atomic_load(w->stop)) {
		kv_arena_t *a = kvt_create_safe(1024);

		for (int i = 0; i < 50; i++)
			w->faults += kv_arena_alloc(a, 100) == NULL;
		kv_arena_destroy(a);
		w->faults += kv_arena_alloc(w->arena, 16) == NULL;
		w->faults += kv_arena_get_stats(w->arena, &s) != 0;
	}
	return NULL;
}

/* What a child does with the old arena and a new one; returns faults. */
static int
live_in_child(kv_arena_t *old)
{
	kv_arena_t *fresh = kvt_create_safe(0);
	kv_arena_stats_t s;
	int faults = fresh == NULL;

	for (size_t i = 1; i < 500; i++) {
		char *p = kv_arena_alloc(old, i), *q = kv_arena_alloc(fresh, i);

		faults += p == NULL || q == NULL;
		if (p != NULL && q != NULL) {
			memset(p, 'p', i);
			memset(q, 'q', i);
		}
	}
	faults += kv_arena_get_stats(old, &s) != 0;
	kv_arena_destroy(fresh);
	kv_arena_reset(old);
	faults += kv_arena_alloc(old, 100) == NULL;
	kv_arena_destroy(old);
	return faults;
}

START_TEST(child_of_fork_may_use_every_arena)
{
	kv_arena_t *a;
	atomic_bool stop = false;
	struct kvt_worker w[KVT_THREADS];
	pthread_t threads[KVT_THREADS];
	size_t forks = kvt_full(kvt_is_watched() ? 80 : 300, 20000), bad = 0;

	if (kv_arena_has("valgrind")) {
		kvt_skip("what other threads held is a leak in the child");
		return;
	}
	a = kvt_create_safe(0);
	kvt_prepare(w, KVT_THREADS, a, 0);
	for (int i = 0; i < KVT_THREADS; i++) {
		w[i].stop = &stop;
		kvt_eq(pthread_create(&threads[i], NULL, be_busy, &w[i]), 0);
	}
	for (size_t i = 0; i < forks; i++) {
		pid_t child = fork();
		int status = 0;

		if (child == 0) {
			alarm(kvt_is_watched() ? 120 : 20);
			_exit(live_in_child(a) == 0 ? 0 : 1);
		}
		bad += waitpid(child, &status, 0) != child || status != 0;
	}
	atomic_store(&stop, true);
	for (int i = 0; i < KVT_THREADS; i++) {
		kvt_eq(pthread_join(threads[i], NULL), 0);
		kvt_eq(w[i].faults, 0);
	}
	printf("%zu forks beside %d threads that allocate: %zu children failed\n",
		forks, KVT_THREADS, bad);
	kvt_eq(bad, 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(child_of_fork_finds_the_parents_bytes)
{
	kv_arena_t *a = kvt_create_safe(0);
	struct kvt_worker w[KVT_THREADS];
	int status;
	pid_t child;

	kvt_prepare(w, KVT_THREADS, a, 300);
	kvt_run_all(w, KVT_THREADS, kvt_allocate);
	child = fork();
	if (child == 0) {
		bool good = true;

		for (int i = 0; i < KVT_THREADS; i++)
			good = good && kvt_verify(&w[i].book);
		for (int i = 0; i < KVT_THREADS; i++)
			kvt_drop(&w[i].book);
		kv_arena_destroy(a);
		_exit(good ? 0 : 1);
	}
	kvt_true(waitpid(child, &status, 0) == child);
	kvt_eq(status, 0);
	kvt_collect(w, KVT_THREADS);
	kv_arena_destroy(a);
}
END_TEST

static kv_arena_t *of_exit;

static void
allocate_at_exit(void)
{
	char *p = kv_arena_alloc(of_exit, 100);
	kv_arena_t *fresh = kvt_create_safe(0);
	bool good = p != NULL && fresh != NULL;

	good = good && kv_arena_alloc(fresh, 100) != NULL;
	kv_arena_destroy(fresh);
	kv_arena_destroy(of_exit);
	_exit(good ? 0 : 1);
}

START_TEST(arenas_work_at_exit)
{
	int status;
	pid_t child;

	of_exit = kvt_create_safe(0);
	kvt_true(kv_arena_alloc(of_exit, 8) != NULL);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		atexit(allocate_at_exit);
		exit(2);
	}
	kvt_true(waitpid(child, &status, 0) == child);
	kvt_eq(status, 0);
	kv_arena_destroy(of_exit);
}
END_TEST
#else
START_TEST(child_of_fork_may_use_every_arena)
{
	kvt_skip("no fork");
}
END_TEST

START_TEST(child_of_fork_finds_the_parents_bytes)
{
	kvt_skip("no fork");
}
END_TEST

START_TEST(arenas_work_at_exit)
{
	kvt_skip("no fork");
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("fork");
	TCase *g = kvt_group(s, "lives of processes");

	tcase_add_test(g, child_of_fork_may_use_every_arena);
	tcase_add_test(g, child_of_fork_finds_the_parents_bytes);
	tcase_add_test(g, arenas_work_at_exit);
	return kvt_run(s, 20);
}
