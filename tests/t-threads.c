/* t-threads.c -- shared arenas and the lives of threads and processes
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvtest.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#define THREADS 8

struct worker {
	kv_arena_t **arenas;
	size_t narenas, n;
	struct kvt_book book;
	atomic_bool *stop;
	size_t rounds, faults;
};

static kv_arena_t *
create_safe(size_t block_size)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	config.block_size = block_size;
	return kv_arena_create_ex(&config);
}

static kv_arena_stats_t
stats_of(const kv_arena_t *a)
{
	kv_arena_stats_t s;

	kvt_eq(kv_arena_get_stats(a, &s), 0);
	return s;
}

static void
prepare(struct worker *w, size_t threads, kv_arena_t **arenas, size_t narenas,
	size_t n)
{
	for (size_t i = 0; i < threads; i++)
		w[i] = (struct worker){ .arenas = arenas, .narenas = narenas,
			.n = n, .book = { .salt = (uint64_t)i << 40 } };
}

static void
collect(struct worker *w, size_t threads)
{
	struct kvt_book all = { 0 };

	for (size_t i = 0; i < threads; i++) {
		kvt_eq(w[i].faults, 0);
		kvt_join(&all, &w[i].book);
	}
	kvt_intact(&all);
	kvt_drop(&all);
}

/* Allocate n pieces from each arena in turn. */
static void *
allocate(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < w->narenas; k++)
			kvt_enter(&w->book, kv_arena_alloc(w->arenas[k],
				i % 300 + 1), i % 300 + 1, 8);
	return NULL;
}

/* ---- Counting -------------------------------------------------------------- */

START_TEST(counts_are_exact_at_rest)
{
	kv_arena_t *a = create_safe(0);
	struct worker w[THREADS];
	kv_arena_stats_t s;
	uint64_t asked = 0;
	size_t n = kvt_scaled(50000);

	for (size_t i = 0; i < n; i++)
		asked += THREADS * (i % 300 + 1);
	prepare(w, THREADS, &a, 1, n);
	kvt_threads(THREADS, allocate, w, sizeof *w);
	s = stats_of(a);
	kvt_eq(s.total_allocations, THREADS * n);
	kvt_eq(s.total_bytes_allocated, asked);
	kvt_eq(s.used_bytes, asked);
	kvt_balanced(a);
	collect(w, THREADS);
	kv_arena_reset_stats(a);
	kvt_eq(stats_of(a).total_allocations, 0);
	kvt_eq(stats_of(a).used_bytes, asked);
	kv_arena_destroy(a);
}
END_TEST

static void *
read_on(void *arg)
{
	struct worker *w = arg;
	kv_arena_stats_t s, last = { 0 };

	while (!atomic_load(w->stop)) {
		uint64_t sizes = 0;

		w->faults += kv_arena_get_stats(w->arenas[0], &s) != 0;
		w->faults += s.total_allocations < last.total_allocations;
		w->faults += s.total_bytes_allocated < last.total_bytes_allocated;
		w->faults += s.peak_memory_usage < s.current_memory_usage;
		for (int i = 0; i < 16; i++)
			sizes += s.size_distribution[i];
		w->faults += sizes < last.total_allocations;
		w->faults += kv_arena_memory_usage(w->arenas[0]) == 0;
		kv_arena_total_allocated(w->arenas[0]);
		last = s;
		w->rounds++;
	}
	return NULL;
}

START_TEST(statistics_may_be_read_meanwhile)
{
	kv_arena_t *a = create_safe(0);
	atomic_bool stop = false;
	struct worker w[4], reader;
	pthread_t thread;

	prepare(w, 4, &a, 1, kvt_scaled(50000));
	prepare(&reader, 1, &a, 1, 0);
	reader.stop = &stop;
	kvt_eq(pthread_create(&thread, NULL, read_on, &reader), 0);
	kvt_threads(4, allocate, w, sizeof *w);
	atomic_store(&stop, true);
	kvt_eq(pthread_join(thread, NULL), 0);
	kvt_cmp(reader.rounds, >, 0);
	kvt_eq(reader.faults, 0);
	collect(w, 4);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* Everything marked [any] that is not an allocation. */
static void *
meddle(void *arg)
{
	struct worker *w = arg;
	kv_arena_t *a = w->arenas[0];
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
	kv_arena_t *a = create_safe(4096);
	atomic_bool stop = false;
	struct worker w[4], other;
	pthread_t thread;

	prepare(w, 4, &a, 1, kvt_scaled(20000));
	prepare(&other, 1, &a, 1, 0);
	other.stop = &stop;
	kvt_eq(pthread_create(&thread, NULL, meddle, &other), 0);
	kvt_threads(4, allocate, w, sizeof *w);
	atomic_store(&stop, true);
	kvt_eq(pthread_join(thread, NULL), 0);
	kvt_eq(other.faults, 0);
	collect(w, 4);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

static void *
use_all_calls(void *arg)
{
	struct worker *w = arg;
	kv_arena_t *a = w->arenas[0];

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
	kv_arena_t *a = create_safe(0);
	struct worker w[THREADS];
	size_t n = kvt_scaled(2000);

	prepare(w, THREADS, &a, 1, n);
	kvt_threads(THREADS, use_all_calls, w, sizeof *w);
	collect(w, THREADS);
	kvt_eq(stats_of(a).failed_allocations, 2 * THREADS * n);
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
	struct worker *w = arg;

	for (size_t i = 0; i < w->n; i++)
		w->faults += kv_arena_defer(w->arenas[0], count_defer,
			&defers_run) != 0;
	return NULL;
}

START_TEST(defers_of_all_threads_run_once)
{
	kv_arena_t *a = create_safe(0);
	struct worker w[THREADS];

	atomic_store(&defers_run, 0);
	prepare(w, THREADS, &a, 1, 500);
	kvt_threads(THREADS, defer_much, w, sizeof *w);
	kvt_eq(atomic_load(&defers_run), 0);
	kv_arena_reset(a);
	kvt_eq(atomic_load(&defers_run), THREADS * 500);
	kv_arena_destroy(a);
	kvt_eq(atomic_load(&defers_run), THREADS * 500);
	collect(w, THREADS);
}
END_TEST

static void *
hold_local(void *arg)
{
	struct worker *w = arg;
	kv_arena_local_t *local = kv_arena_local(w->arenas[0]);

	w->faults += local == NULL;
	for (size_t i = 0; i < w->n && local != NULL; i++)
		kvt_enter(&w->book, kv_arena_local_alloc(local, i % 100 + 1),
			i % 100 + 1, 8);
	return NULL;
}

START_TEST(threads_may_hold_their_own_handles)
{
	kv_arena_t *a = create_safe(0);
	struct worker w[THREADS];

	prepare(w, THREADS, &a, 1, 10000);
	kvt_threads(THREADS, hold_local, w, sizeof *w);
	collect(w, THREADS);
	kvt_eq(stats_of(a).total_allocations, THREADS * 10000);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Lives of threads ---------------------------------------------------------- */

START_TEST(short_threads_do_not_make_the_arena_grow)
{
	kv_arena_t *a = create_safe(0);
	size_t n = kvt_scaled(20000);
	struct worker w;
	kv_arena_stats_t s;

	for (size_t i = 0; i < n; i++) {
		prepare(&w, 1, &a, 1, 1);
		w.book.salt = i;
		kvt_threads(1, allocate, &w, sizeof w);
		kvt_true(w.book.fault[0] == '\0');
		kvt_drop(&w.book);
	}
	s = stats_of(a);
	printf("%zu threads: %zu bytes held, %d shards, %" PRIu64
		" handed over\n", n, kv_arena_memory_usage(a), (int)s.shards,
		s.shard_handovers);
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
	kv_arena_t *a = create_safe(1024);
	struct kvt_book all = { 0 };

	for (int round = 0; round < 50; round++) {
		struct worker w[THREADS];

		prepare(w, THREADS, &a, 1, 50);
		for (uint64_t i = 0; i < THREADS; i++)
			w[i].book.salt = (uint64_t)round << 40 | i << 32;
		kvt_threads(THREADS, allocate, w, sizeof *w);
		for (int i = 0; i < THREADS; i++)
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
		p.arena = create_safe(0);
		same += (uintptr_t)p.arena == last;
		last = (uintptr_t)p.arena;
		kvt_enter(&p.book, kv_arena_alloc(p.arena, 40), 40, 8);
		pass_turn(&p);
		kvt_intact(&p.book);
		kvt_eq(stats_of(p.arena).total_allocations, 101);
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
		kv_arena_t *a = create_safe(0);
		struct worker w[2];

		prepare(w, 2, &a, 1, 200);
		kvt_threads(2, allocate, w, sizeof *w);
		allocate(&w[0]);
		collect(w, 2);
		kvt_threads(1, destroy_it, &a, sizeof a);
	}
}
END_TEST

static void *
create_and_fill(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < w->n; i++) {
		kv_arena_t *a = create_safe(1024 << i % 7);
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
	struct worker w[THREADS];

	prepare(w, THREADS, NULL, 0, kvt_scaled(2000));
	kvt_threads(THREADS, create_and_fill, w, sizeof *w);
	collect(w, THREADS);
}
END_TEST

START_TEST(many_arenas_serve_many_threads)
{
	enum { ARENAS = 200 };
	kv_arena_t *arenas[ARENAS];
	struct worker w[THREADS];
	size_t held = 0;

	for (int i = 0; i < ARENAS; i++)
		arenas[i] = create_safe(0);
	prepare(w, THREADS, arenas, ARENAS, kvt_scaled(100));
	kvt_threads(THREADS, allocate, w, sizeof *w);
	collect(w, THREADS);
	for (int i = 0; i < ARENAS; i++) {
		kvt_eq(stats_of(arenas[i]).total_allocations,
			THREADS * kvt_scaled(100));
		kvt_balanced(arenas[i]);
		held += kv_arena_memory_usage(arenas[i]);
	}
	printf("%d arenas, %d threads: %zu bytes each\n", ARENAS, THREADS,
		held / ARENAS);
	for (int i = 0; i < ARENAS; i++)
		kv_arena_destroy(arenas[i]);
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
	struct worker *w = arg;

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
	of_destructors = create_safe(0);
	kvt_true(kv_arena_alloc(of_destructors, 8) != NULL);
	kvt_eq(pthread_key_create(&late, allocate_at_end), 0);
	for (int i = 0; i < 200; i++) {
		struct worker w;

		prepare(&w, 1, NULL, 0, (size_t)i % 2);
		kvt_threads(1, end_with_destructors, &w, sizeof w);
		collect(&w, 1);
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
	struct worker w[THREADS];

	while (n < 4096 && pthread_key_create(&keys[n], NULL) == 0)
		n++;
	a = create_safe(0);
	for (int round = 0; round < 10; round++) {
		prepare(w, THREADS, &a, 1, 100);
		kvt_threads(THREADS, allocate, w, sizeof *w);
		collect(w, THREADS);
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
	struct worker w;

	if (kvt_is_watched()) {
		kvt_skip("a checker needs more stack");
		return;
	}
	a = create_safe(1024);
	prepare(&w, 1, &a, 1, 1000);
	pthread_attr_init(&attr);
	kvt_eq(pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN), 0);
	kvt_eq(pthread_create(&thread, &attr, allocate, &w), 0);
	kvt_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	collect(&w, 1);
	kv_arena_destroy(a);
#else
	kvt_skip("no PTHREAD_STACK_MIN");
#endif
}
END_TEST

/* ---- Lives of processes ------------------------------------------------------------- */

#ifndef _WIN32
/* Be inside the library all the time, in every part that has a lock. */
static void *
be_busy(void *arg)
{
	struct worker *w = arg;
	kv_arena_stats_t s;

	while (!atomic_load(w->stop)) {
		kv_arena_t *a = create_safe(1024);

		for (int i = 0; i < 50; i++)
			w->faults += kv_arena_alloc(a, 100) == NULL;
		kv_arena_destroy(a);
		w->faults += kv_arena_alloc(w->arenas[0], 16) == NULL;
		w->faults += kv_arena_get_stats(w->arenas[0], &s) != 0;
	}
	return NULL;
}

/* What a child does with the old arena and a new one; returns faults. */
static int
live_in_child(kv_arena_t *old)
{
	kv_arena_t *fresh = create_safe(0);
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
	struct worker w[THREADS];
	pthread_t threads[THREADS];
	size_t forks = kvt_is_watched() ? 20 : 300, bad = 0;

	if (kv_arena_has("valgrind")) {
		kvt_skip("what other threads held is a leak in the child");
		return;
	}
	a = create_safe(0);
	prepare(w, THREADS, &a, 1, 0);
	for (int i = 0; i < THREADS; i++) {
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
	for (int i = 0; i < THREADS; i++) {
		kvt_eq(pthread_join(threads[i], NULL), 0);
		kvt_eq(w[i].faults, 0);
	}
	kvt_eq(bad, 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(child_of_fork_finds_the_parents_bytes)
{
	kv_arena_t *a = create_safe(0);
	struct worker w[THREADS];
	int status;
	pid_t child;

	prepare(w, THREADS, &a, 1, 300);
	kvt_threads(THREADS, allocate, w, sizeof *w);
	child = fork();
	if (child == 0) {
		bool good = true;

		for (int i = 0; i < THREADS; i++)
			good = good && kvt_verify(&w[i].book);
		for (int i = 0; i < THREADS; i++)
			kvt_drop(&w[i].book);
		kv_arena_destroy(a);
		_exit(good ? 0 : 1);
	}
	kvt_true(waitpid(child, &status, 0) == child);
	kvt_eq(status, 0);
	collect(w, THREADS);
	kv_arena_destroy(a);
}
END_TEST

static kv_arena_t *of_exit;

static void
allocate_at_exit(void)
{
	char *p = kv_arena_alloc(of_exit, 100);
	kv_arena_t *fresh = create_safe(0);
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

	of_exit = create_safe(0);
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
	Suite *s = suite_create("threads");
	TCase *g = kvt_group(s, "sharing");

	tcase_add_test(g, counts_are_exact_at_rest);
	tcase_add_test(g, statistics_may_be_read_meanwhile);
	tcase_add_test(g, any_thread_may_do_what_any_thread_may);
	tcase_add_test(g, every_way_to_allocate_works_in_threads);
	tcase_add_test(g, defers_of_all_threads_run_once);
	tcase_add_test(g, threads_may_hold_their_own_handles);

	g = kvt_group(s, "lives of threads");
	tcase_add_test(g, short_threads_do_not_make_the_arena_grow);
	tcase_add_test(g, memory_outlives_the_thread_that_asked_for_it);
	tcase_add_test(g, thread_outlives_arenas_at_the_same_address);
	tcase_add_test(g, any_thread_may_destroy);
	tcase_add_test(g, threads_create_and_destroy_at_the_same_time);
	tcase_add_test(g, many_arenas_serve_many_threads);
	tcase_add_test(g, destructors_of_thread_locals_may_allocate);
	tcase_add_test(g, keys_that_have_run_out_are_no_trouble);
	tcase_add_test(g, thread_of_the_smallest_stack_can_allocate);

	g = kvt_group(s, "lives of processes");
	tcase_add_test(g, child_of_fork_may_use_every_arena);
	tcase_add_test(g, child_of_fork_finds_the_parents_bytes);
	tcase_add_test(g, arenas_work_at_exit);
	return kvt_run(s, 20000);
}
