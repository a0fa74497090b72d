/* trace-arenas.c -- allocates in arenas, so many times; for t-trace.sh
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Prints "arenas: CALLS BYTES LIVE": the allocations that arenas served, the bytes of
 * these, and the bytes that are live at the end.
 */
#include <kv_arena.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct {
	size_t calls, bytes, live;
} sum;

static void *
note(void *p, size_t size)
{
	if (!p)
		abort();
	memset(p, 1, size);
	__atomic_fetch_add(&sum.calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&sum.bytes, size, __ATOMIC_RELAXED);
	return p;
}

static void *
work(void *shared)
{
	for (size_t i = 1; i <= 500; i++)
		note(kv_arena_alloc(shared, 24), 24);
	return NULL;
}

int
main(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a = kv_arena_create(0), *shared, *child;
	pthread_t threads[2];
	kv_arena_mark_t mark;
	char *p;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	shared = kv_arena_create_ex(&config);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 1; i <= 100; i++)
			note(kv_arena_alloc(a, i), i);
		mark = kv_arena_mark(a);
		note(kv_arena_alloc_aligned(a, 100, 64), 100);
		note(kv_arena_calloc(a, 10, 20), 200);
		note(kv_arena_alloc(a, 3 << 20), 3 << 20);
		kv_arena_rewind(a, mark);
		child = kv_arena_create_child(a, NULL);
		p = note(kv_arena_alloc(child, 16), 16);
		p = note(kv_arena_realloc(child, p, 16, 1000), 1000);
		kv_arena_realloc(child, p, 1000, 0);
		kv_arena_reset(a);
	}
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, work, shared))
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	note(kv_arena_strdup(a, "left alive"), 11);
	sum.live = 11;
	kv_arena_destroy(shared);
	printf("arenas: %zu %zu %zu\n", sum.calls, sum.bytes, sum.live);
	return 0;
}
