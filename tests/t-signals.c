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
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
enum { CHECKS = 15 };
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
#else
enum { CHECKS = 0 };
#endif

static const char said[] = "what lies in an arena";

static char *_Atomic shown;
static atomic_size_t taken, misread;
static bool spoils;		/* no checker complains of it */

/* Also spoil what a call must not rely on. */
static void
handle(int sig)
{
	const char *p = atomic_load(&shown);

	(void)sig;
	if (p == NULL || memcmp(p, said, sizeof said) != 0)
		atomic_fetch_add(&misread, 1);
	atomic_fetch_add(&taken, 1);
	if (spoils)
		errno = 0;
}

#ifdef __linux__
/* Begin to send the calling thread signals, one every 20 us; more seldom where taking
 * one takes longer than that. */
static bool
begin_signals(timer_t *timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID };
	long ns = kvt_is_watched() || kvt_is_emulated() ? 2000000 : 20000;
	struct itimerspec every = { { 0, ns }, { 0, ns } };

	event.sigev_signo = SIGUSR1;
	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	return timer_create(CLOCK_MONOTONIC, &event, timer) == 0 &&
		timer_settime(*timer, 0, &every, NULL) == 0;
}

/* Be in every part of the library until enough signals were taken. */
static void *
be_interrupted(void *arg)
{
	struct kvt_worker *w = arg;
	kv_arena_stats_t s;
	timer_t timer = 0;		/* MSan does not know who sets it */

	if (!begin_signals(&timer)) {
		w->faults++;
		return NULL;
	}
	while (atomic_load(&taken) < w->n) {
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
	timer_delete(timer);
	return NULL;
}

START_TEST(signals_may_interrupt_every_call)
{
	kv_arena_t *a = kvt_create_safe(0), *of_handler = kv_arena_create(0);
	struct sigaction action = { .sa_handler = handle };
	size_t n = kvt_full(5000, 1000000), rounds = 0;
	struct kvt_worker w[KVT_THREADS];

	spoils = !kvt_is_watched();
	atomic_store(&shown, kv_arena_strdup(of_handler, said));
	kvt_eq(sigaction(SIGUSR1, &action, NULL), 0);	/* calls are not restarted */
	kvt_prepare(w, KVT_THREADS, a, n);
	kvt_run_all(w, KVT_THREADS, be_interrupted);
	for (int i = 0; i < KVT_THREADS; i++)
		rounds += w[i].rounds;
	kvt_collect(w, KVT_THREADS);
	printf("%zu signals in %zu rounds of %d threads: none lost a byte\n",
		atomic_load(&taken), rounds, KVT_THREADS);
	kvt_cmp(atomic_load(&taken), >=, n);
	kvt_eq(atomic_load(&misread), 0);
	kvt_eq(kvt_stats(a).failed_allocations, 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
	kv_arena_destroy(of_handler);
}
END_TEST
#else
START_TEST(signals_may_interrupt_every_call)
{
	(void)handle;
	kvt_skip("no timer for each thread");
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("signals");
	TCase *g = kvt_group(s, "interrupted calls");

	tcase_add_test(g, signals_may_interrupt_every_call);
	return kvt_run(s, CHECKS);
}
