/* checkers-subject.c -- one fault, for a checker to find; see t-checkers.sh
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: checkers-subject FAULT; "none" and "shared" are controls.
 */
#include <kv_arena_adapters.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int out;

static void
look_at(const volatile char *p)
{
	if (*p == 'x')			/* a decision, which memcheck looks at */
		out++;
}

static void *
allocate(void *a)
{
	kv_arena_stats_t s;

	for (int i = 0; i < 100; i++)
		memset(kv_arena_alloc(a, 40), 'x', 40);
	return kv_arena_get_stats(a, &s) == 0 ? NULL : a;
}

/* Two threads, neither of which waits for the other. */
static int
share(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	pthread_t threads[2];
	kv_arena_t *a;

	config.thread_mode = mode;
	a = kv_arena_create_ex(&config);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, allocate, a) != 0)
			abort();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	kv_arena_destroy(a);
	return 0;
}

static int
commit(kv_arena_t *a, const char *fault)
{
	char *volatile p = kv_arena_alloc(a, 13);
	char *volatile q = kv_arena_alloc(a, 13);
	kv_arena_mark_t m;

	memset(p, 'x', 13);
	memset(q, 'x', 13);
	look_at(p + 12);
	if (strcmp(fault, "none") == 0) {
		kv_arena_reset(a);
		p = kv_arena_calloc(a, 1, 13);
		look_at(p);
		p = kv_arena_realloc(a, p, 13, 400);
		look_at(p + 12);
	} else if (strcmp(fault, "overflow") == 0) {
		p[13] = 'x';
	} else if (strcmp(fault, "neighbour") == 0) {
		p[24] = 'x';			/* 8 past the rounded end */
	} else if (strcmp(fault, "unset") == 0) {
		look_at(kv_arena_alloc(a, 8));
	} else if (strcmp(fault, "reset") == 0) {
		kv_arena_reset(a);
		look_at(p);
	} else if (strcmp(fault, "rewind") == 0) {
		m = kv_arena_mark(a);
		p = kv_arena_strdup(a, "xyz");
		kv_arena_rewind(a, m);
		look_at(p);
	} else if (strcmp(fault, "moved") == 0) {
		q = kv_arena_realloc(a, p, 13, 100);
		look_at(p);
	} else if (strcmp(fault, "freed") == 0) {
		p = kv_arena_adapter_malloc(a, 13);
		memset(p, 'x', 13);
		kv_arena_adapter_free(a, p);
		look_at(p);
	} else if (strcmp(fault, "packed") == 0) {
		p = kv_arena_strdup(a, "abc");
		p[4] = 'x';
	} else if (strcmp(fault, "destroyed") == 0) {
		a = kv_arena_create(0);
		kv_arena_destroy(a);
		kv_arena_alloc(a, 8);
	} else if (strcmp(fault, "twice") == 0) {
		a = kv_arena_create(0);
		kv_arena_destroy(a);
		kv_arena_destroy(a);
	} else if (strcmp(fault, "shared") == 0) {
		return share(KV_ARENA_THREAD_SAFE);
	} else if (strcmp(fault, "threads") == 0) {
		return share(KV_ARENA_THREAD_UNSAFE);
	} else {
		return 2;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	kv_arena_t *a = kv_arena_create(0);
	int status = argc == 2 && a ? commit(a, argv[1]) : 2;

	kv_arena_destroy(a);
	return status;
}
