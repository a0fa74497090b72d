/* t-signals.c -- signals that arrive inside the library
 *
 * A handler may not call the library. It may read what lies in an arena, and it
 * does no harm to the call that it interrupts.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvthread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char said[] = "what lies in an arena";

static char *_Atomic shown;
static atomic_size_t taken, misread;

/* Also spoil what a call must not rely on. */
static void
handle(int sig)
{
	const char *p = atomic_load(&shown);

	(void)sig;
	if (p == NULL || memcmp(p, said, sizeof said) != 0)
		atomic_fetch_add(&misread, 1);
	atomic_fetch_add(&taken, 1);
	errno = 0;
}

/* Be in every part of the library until told to stop. */
static void *
be_interrupted(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_stats_t s;

	while (!atomic_load(w->stop)) {
		kv_arena_t *own = kv_arena_create(0);
		kv_arena_t *child = kv_arena_create_child(w->arena, NULL);

		kvt_load(own, &w->book, 20);
		kvt_load(child, &w->book, 20);
		for (size_t i = 0; i < 20; i++)
			w->faults += kv_arena_alloc(w->arena, 100) == NULL;
		w->faults += kv_arena_get_stats(w->arena, &s) != 0;
		w->faults += !kvt_verify(&w->book);
		kvt_strike(&w->book, 0);
		kv_arena_destroy(child);
		kv_arena_destroy(own);
		w->rounds++;
	}
	return NULL;
}

/* Whether one more signal is taken soon: the thread runs at this moment. */
static bool
is_taken(size_t before)
{
	for (int i = 0; i < 10000; i++)
		if (atomic_load(&taken) > before)
			return true;
	return false;
}

/* Send signals until n were taken: to a thread that runs again and again, then to
 * the next. What was sent to one that waits is taken when it goes on. */
static void
interrupt(pthread_t *threads, size_t n)
{
	for (size_t i = 0; atomic_load(&taken) < n; i++) {
		size_t before;

		do {
			before = atomic_load(&taken);
			if (pthread_kill(threads[i % KVT_THREADS], SIGUSR1) != 0)
				ck_abort_msg("a thread is gone");
		} while (is_taken(before) && before < n);
		sched_yield();
	}
}

START_TEST(signals_may_interrupt_every_call)
{
	kv_arena_t *a = kvt_create_safe(0), *of_handler = kv_arena_create(0);
	struct sigaction action = { .sa_handler = handle };
	size_t n = kvt_full(2000, 1000000), rounds = 0;
	struct kvt_worker w[KVT_THREADS];
	pthread_t threads[KVT_THREADS];
	atomic_bool stop = false;

	atomic_store(&shown, kv_arena_strdup(of_handler, said));
	kvt_eq(sigaction(SIGUSR1, &action, NULL), 0);	/* calls are not restarted */
	kvt_prepare(w, KVT_THREADS, a, 0);
	for (int i = 0; i < KVT_THREADS; i++) {
		w[i].stop = &stop;
		kvt_eq(pthread_create(&threads[i], NULL, be_interrupted, &w[i]), 0);
	}
	interrupt(threads, n);
	atomic_store(&stop, true);
	for (int i = 0; i < KVT_THREADS; i++) {
		kvt_eq(pthread_join(threads[i], NULL), 0);
		rounds += w[i].rounds;
	}
	kvt_collect(w, KVT_THREADS);
	printf("%zu signals in %zu rounds of %d threads\n",
		atomic_load(&taken), rounds, KVT_THREADS);
	kvt_cmp(atomic_load(&taken), >=, n);
	kvt_eq(atomic_load(&misread), 0);
	kvt_cmp(rounds, >, 0);
	kvt_eq(kvt_stats(a).failed_allocations, 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
	kv_arena_destroy(of_handler);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("signals");
	TCase *g = kvt_group(s, "interrupted calls");

	tcase_add_test(g, signals_may_interrupt_every_call);
	return kvt_run(s, 20);
}
