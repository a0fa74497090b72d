/* 12-threads.c -- many threads, one arena, and no lock in sight
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Workers build lists; they end, and what they built is read by the others.
 */
#include <kv_arena.h>
#include <pthread.h>

#include "must.h"

enum { WORKERS = 4, NUMBERS = 20000 };

struct node {
	struct node *next;
	long number;
};

struct work {
	kv_arena_t *arena;
	long first;
	struct node *list;
};

static void *
build(void *arg)
{
	struct work *w = arg;
	long i;

	for (i = 0; i < NUMBERS / 2; i++) {
		struct node *n = kv_arena_new(w->arena, struct node);

		must(n != NULL);
		n->number = w->first + i;
		n->next = w->list;
		w->list = n;
	}
	return NULL;
}

/* The same with the thread's own handle, where every cycle counts. */
static void *
build_with_handle(void *arg)
{
	struct work *w = arg;
	kv_arena_local_t *mine = kv_arena_local(w->arena);
	long i;

	must(mine != NULL);
	for (i = NUMBERS / 2; i < NUMBERS; i++) {
		struct node *n = kv_arena_local_alloc(mine, sizeof *n);

		must(n != NULL);
		n->number = w->first + i;
		n->next = w->list;
		w->list = n;
	}
	return NULL;
}

int
main(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct work work[WORKERS] = { { 0 } };
	void *(*const round[2])(void *) = { build, build_with_handle };
	pthread_t thread[WORKERS];
	kv_arena_t *arena;
	long sum = 0, n = (long)WORKERS * NUMBERS;
	int i, r;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	arena = kv_arena_create_ex(&config);
	must(arena != NULL);
	for (r = 0; r < 2; r++) {
		for (i = 0; i < WORKERS; i++) {
			work[i].arena = arena;
			work[i].first = (long)i * NUMBERS;
			must(pthread_create(&thread[i], NULL, round[r],
				&work[i]) == 0);
		}
		for (i = 0; i < WORKERS; i++)
			must(pthread_join(thread[i], NULL) == 0);
	}

	for (i = 0; i < WORKERS; i++) {
		const struct node *node;

		for (node = work[i].list; node; node = node->next)
			sum += node->number;
	}
	must(sum == n * (n - 1) / 2);
	printf("%ld nodes from %d threads\n", n, (int)WORKERS);
	kv_arena_destroy(arena);
	return 0;
}
