/* t-thread-lives.c -- shared arenas and the lives of threads
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvthread.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Lives of threads ---------------------------------------------------------- */

START_TEST(short_threads_do_not_make_the_arena_grow)
{
	kv_arena_t *a = kvt_create_safe(0);
	size_t n = kvt_full(20000, 100000), before = 0, after;
	struct kvt_worker w;
	kv_arena_stats_t s;

	for (size_t i = 0; i < n; i++) {
		kvt_prepare(&w, 1, a, 1);
		w.book.salt = i;
		kvt_run_all(&w, 1, kvt_allocate);
		kvt_true(w.book.fault[0] == '\0');
		kvt_drop(&w.book);
		if (i == n / 10)
			before = kvt_resident();
	}
	after = kvt_resident();
	s = kvt_stats(a);
	printf("%zu threads: %zu bytes held, %d shards, %" PRIu64
		" handed over, %zu bytes resident more than after a tenth\n", n,
		kv_arena_memory_usage(a), (int)s.shards, s.shard_handovers,
		after > before ? after - before : 0);
	/* qemu-user keeps 3 KiB of its own for each thread that has ended. */
	if (!kvt_is_watched() && !kvt_is_emulated())
		kvt_cmp(after, <, before + (1 << 20));
	kvt_eq(s.total_allocations, n);
	kvt_cmp(kv_arena_memory_usage(a), <, 1 << 20);
	kvt_cmp(s.shards, <=, 2);
	kvt_cmp(s.shard_handovers, >=, n - 2);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(memory_outlives_the_thread_that_asked_for_it)
{
	kv_arena_t *a = kvt_create_safe(1024);
	struct kvt_book all = { 0 };

	for (int round = 0; round < 50; round++) {
		struct kvt_worker w[KVT_THREADS];

		kvt_prepare(w, KVT_THREADS, a, 50);
		for (uint64_t i = 0; i < KVT_THREADS; i++)
			w[i].book.salt = (uint64_t)round << 40 | i << 32;
		kvt_run_all(w, KVT_THREADS, kvt_allocate);
		for (int i = 0; i < KVT_THREADS; i++)
			kvt_join(&all, &w[i].book);
	}
	kvt_intact(&all);
	kvt_balanced(a);
	kvt_drop(&all);
	kv_arena_destroy(a);
}
END_TEST

struct pair {
	pthread_mutex_t lock;
	pthread_cond_t turn;
	int step;			/* whose turn: even the test's, odd the thread's */
	kv_arena_t *arena;
	struct kvt_book book;
};

static void
pass_turn(struct pair *p)
{
	int next = ++p->step;

	pthread_cond_broadcast(&p->turn);
	while (p->step == next)
		pthread_cond_wait(&p->turn, &p->lock);
}

/* Allocate from whatever arena there is, whenever it is our turn. */
static void *
follow(void *arg)
{
	struct pair *p = arg;

	pthread_mutex_lock(&p->lock);
	while (p->step % 2 == 0)
		pthread_cond_wait(&p->turn, &p->lock);
	while (p->arena != NULL) {
		for (int i = 0; i < 100; i++)
			kvt_enter(&p->book, kv_arena_alloc(p->arena, 40), 40, 8);
		pass_turn(p);
	}
	p->step++;
	pthread_cond_broadcast(&p->turn);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

START_TEST(thread_outlives_arenas_at_the_same_address)
{
	struct pair p = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
		0, NULL, { 0 } };
	pthread_t thread;
	int same = 0;
	uintptr_t last = 0;

	kvt_eq(pthread_create(&thread, NULL, follow, &p), 0);
	pthread_mutex_lock(&p.lock);
	for (int i = 0; i < 300; i++) {
		p.arena = kvt_create_safe(0);
		same += (uintptr_t)p.arena == last;
		last = (uintptr_t)p.arena;
		kvt_enter(&p.book, kv_arena_alloc(p.arena, 40), 40, 8);
		pass_turn(&p);
		kvt_intact(&p.book);
		kvt_eq(kvt_stats(p.arena).total_allocations, 101);
		kvt_strike(&p.book, 0);
		kv_arena_destroy(p.arena);
	}
	p.arena = NULL;
	p.step++;
	pthread_cond_broadcast(&p.turn);
	pthread_mutex_unlock(&p.lock);
	kvt_eq(pthread_join(thread, NULL), 0);
	kvt_drop(&p.book);
	printf("%d of 300 arenas were at the address of the one before\n", same);
}
END_TEST

static void *
destroy_it(void *arg)
{
	kv_arena_destroy(*(kv_arena_t **)arg);
	return NULL;
}

START_TEST(any_thread_may_destroy)
{
	for (int i = 0; i < 100; i++) {
		kv_arena_t *a = kvt_create_safe(0);
		struct kvt_worker w[2];

		kvt_prepare(w, 2, a, 200);
		kvt_run_all(w, 2, kvt_allocate);
		kvt_allocate(&w[0]);
		kvt_collect(w, 2);
		kvt_threads(1, destroy_it, &a, sizeof a);
	}
}
END_TEST

enum { USERS = 32 };

/* Allocate, and hold a handle of this thread's own. */
static void *
use_both_ways(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_local_t *local = kv_arena_local(w->arena);

	w->faults += local == NULL;
	for (size_t i = 0; i < w->n && local != NULL; i++) {
		kvt_enter(&w->book, kv_arena_alloc(w->arena, i + 1), i + 1, 8);
		kvt_enter(&w->book, kv_arena_local_alloc(local, i + 1), i + 1, 8);
	}
	return NULL;
}

START_TEST(one_thread_may_create_and_destroy_what_many_use)
{
	size_t rounds = kvt_full(40, 1000);

	for (size_t i = 0; i < rounds; i++) {
		kv_arena_t *a = kvt_create_safe(1024);
		struct kvt_worker w[USERS];

		kvt_prepare(w, USERS, a, 30);
		kvt_run_all(w, USERS, use_both_ways);
		kvt_collect(w, USERS);
		kvt_balanced(a);
		kv_arena_destroy(a);
	}
	printf("%zu arenas lived through %d threads each\n", rounds, USERS);
}
END_TEST

static void *
create_and_fill(void *arg)
{
	struct kvt_worker *w = arg;

	for (size_t i = 0; i < w->n; i++) {
		kv_arena_t *a = kvt_create_safe((size_t)1024 << i % 7);
		kv_arena_t *child = kv_arena_create_child(a, NULL);

		for (size_t k = 0; k < 20; k++) {
			kvt_enter(&w->book, kv_arena_alloc(a, 100), 100, 8);
			kvt_enter(&w->book, kv_arena_alloc(child, 50), 50, 8);
		}
		w->faults += !kvt_verify(&w->book);
		kvt_strike(&w->book, 0);
		kv_arena_destroy(a);
	}
	return NULL;
}

START_TEST(threads_create_and_destroy_at_the_same_time)
{
	struct kvt_worker w[KVT_THREADS];

	kvt_prepare(w, KVT_THREADS, NULL, kvt_full(2000, 12500));
	kvt_run_all(w, KVT_THREADS, create_and_fill);
	kvt_collect(w, KVT_THREADS);
	printf("%zu arenas created and destroyed by each of %d threads\n",
		kvt_full(2000, 12500), KVT_THREADS);
}
END_TEST

struct many {
	size_t n;
	kv_arena_t **arenas;
};

/* n pieces from each arena in turn. */
static void *
allocate_from_all(void *arg)
{
	struct kvt_worker *w = arg;
	struct many *many = w->extra;

	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < many->n; k++)
			kvt_enter(&w->book, kv_arena_alloc(many->arenas[k],
				i % 300 + 1), i % 300 + 1, 8);
	return NULL;
}

START_TEST(many_arenas_serve_many_threads)
{
	struct many many = { kvt_full(200, 10000), NULL };
	struct kvt_worker w[KVT_THREADS];
	size_t pieces = kvt_full(100, 20), held = 0;

	many.arenas = calloc(many.n, sizeof *many.arenas);
	kvt_true(many.arenas != NULL);
	for (size_t i = 0; i < many.n; i++)
		many.arenas[i] = kvt_create_safe(0);
	kvt_prepare(w, KVT_THREADS, NULL, pieces);
	for (int i = 0; i < KVT_THREADS; i++)
		w[i].extra = &many;
	kvt_run_all(w, KVT_THREADS, allocate_from_all);
	kvt_collect(w, KVT_THREADS);
	for (size_t i = 0; i < many.n; i++) {
		kvt_eq(kvt_stats(many.arenas[i]).total_allocations,
			KVT_THREADS * pieces);
		kvt_balanced(many.arenas[i]);
		held += kv_arena_memory_usage(many.arenas[i]);
	}
	printf("%zu arenas, %d threads: %zu bytes each\n", many.n, KVT_THREADS,
		held / many.n);
	for (size_t i = 0; i < many.n; i++)
		kv_arena_destroy(many.arenas[i]);
	free(many.arenas);
}
END_TEST

/* ---- Thread-local destructors ---------------------------------------------------- */

static pthread_key_t early, late;
static kv_arena_t *of_destructors;
static atomic_size_t destructors_run, destructors_failed;

struct end {
	pthread_key_t *key;
	int more;			/* times to ask to be called again */
};

/* Allocate, and ask to be called again, as often as the system will at most. */
static void
allocate_at_end(void *value)
{
	struct end *end = value;
	char *p = kv_arena_alloc(of_destructors, 100);

	atomic_fetch_add(&destructors_run, 1);
	if (p != NULL)
		memset(p, 'd', 100);
	else
		atomic_fetch_add(&destructors_failed, 1);
	if (end->more-- > 0)
		pthread_setspecific(*end->key, end);
	else
		free(end);
}

/* ThreadSanitizer is gone in the system's last round; leave that out. */
static void
set_end(pthread_key_t *key)
{
	struct end *end = malloc(sizeof *end);

	if (end == NULL)
		abort();
	*end = (struct end){ key, kvt_is_watched() ? 1 : 3 };
	pthread_setspecific(*key, end);
}

static void *
end_with_destructors(void *arg)
{
	struct kvt_worker *w = arg;

	set_end(&early);
	set_end(&late);
	if (w->n > 0)
		kvt_enter(&w->book, kv_arena_alloc(of_destructors, 50), 50, 8);
	return NULL;
}

START_TEST(destructors_of_thread_locals_may_allocate)
{
	size_t most = 0;

	/* One key before the library has its own, if it has not; one after. */
	atomic_store(&destructors_run, 0);
	kvt_eq(pthread_key_create(&early, allocate_at_end), 0);
	of_destructors = kvt_create_safe(0);
	kvt_true(kv_arena_alloc(of_destructors, 8) != NULL);
	kvt_eq(pthread_key_create(&late, allocate_at_end), 0);
	for (int i = 0; i < 200; i++) {
		struct kvt_worker w;

		kvt_prepare(&w, 1, NULL, (size_t)i % 2);
		kvt_run_all(&w, 1, end_with_destructors);
		kvt_collect(&w, 1);
		if (i == 20)
			most = kv_arena_memory_usage(of_destructors);
	}
	kvt_cmp(atomic_load(&destructors_run), >=, 400);
	kvt_eq(atomic_load(&destructors_failed), 0);
	kvt_cmp(kv_arena_memory_usage(of_destructors), <,
		most + 100 * 1600 + (1 << 20));
	kvt_balanced(of_destructors);
	kv_arena_destroy(of_destructors);
	kvt_eq(pthread_key_delete(early), 0);
	kvt_eq(pthread_key_delete(late), 0);
}
END_TEST

START_TEST(keys_that_have_run_out_are_no_trouble)
{
	static pthread_key_t keys[4096];
	size_t n = 0;
	kv_arena_t *a;
	struct kvt_worker w[KVT_THREADS];

	while (n < 4096 && pthread_key_create(&keys[n], NULL) == 0)
		n++;
	a = kvt_create_safe(0);
	for (int round = 0; round < 10; round++) {
		kvt_prepare(w, KVT_THREADS, a, 100);
		kvt_run_all(w, KVT_THREADS, kvt_allocate);
		kvt_collect(w, KVT_THREADS);
	}
	kvt_balanced(a);
	kv_arena_destroy(a);
	while (n > 0)
		pthread_key_delete(keys[--n]);
}
END_TEST

START_TEST(thread_of_the_smallest_stack_can_allocate)
{
#if defined(PTHREAD_STACK_MIN)
	pthread_attr_t attr;
	pthread_t thread;
	kv_arena_t *a;
	struct kvt_worker w;

	if (kvt_is_watched()) {
		kvt_skip("a checker needs more stack");
		return;
	}
	a = kvt_create_safe(1024);
	kvt_prepare(&w, 1, a, 1000);
	pthread_attr_init(&attr);
	kvt_eq(pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN), 0);
	kvt_eq(pthread_create(&thread, &attr, kvt_allocate, &w), 0);
	kvt_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	kvt_collect(&w, 1);
	kv_arena_destroy(a);
#else
	kvt_skip("no PTHREAD_STACK_MIN");
#endif
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("thread-lives");
	TCase *g = kvt_group(s, "lives of threads");

	tcase_add_test(g, short_threads_do_not_make_the_arena_grow);
	tcase_add_test(g, memory_outlives_the_thread_that_asked_for_it);
	tcase_add_test(g, thread_outlives_arenas_at_the_same_address);
	tcase_add_test(g, any_thread_may_destroy);
	tcase_add_test(g, one_thread_may_create_and_destroy_what_many_use);
	tcase_add_test(g, threads_create_and_destroy_at_the_same_time);
	tcase_add_test(g, many_arenas_serve_many_threads);
	tcase_add_test(g, destructors_of_thread_locals_may_allocate);
	tcase_add_test(g, keys_that_have_run_out_are_no_trouble);
	tcase_add_test(g, thread_of_the_smallest_stack_can_allocate);
	return kvt_run(s, 10000);
}
