/* gdb-subject.c -- has arenas of every kind, and stops; for t-gdb.sh and t-probes.sh
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* What gdb asks about. */
kv_arena_t *root, *queries, *evil;
char *in_root, *in_old_block, *in_queries, *of_other_thread, *alone, *packed, *warm;
char *outside;

void stop_here(void);

__attribute__((__noinline__)) void
stop_here(void)
{
	__asm__ volatile ("" ::: "memory");
}

static void *
other_thread(void *arg)
{
	of_other_thread = kv_arena_alloc(arg, 100);
	return NULL;
}

int
main(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *small;
	pthread_t thread;

	config.name = "root";
	root = kv_arena_create_ex(&config);
	config.name = "queries";
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	config.enable_detailed_stats = true;
	queries = kv_arena_create_child(root, &config);
	config.name = "bad\033[31mname";
	evil = kv_arena_create_ex(&config);
	config = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
	config.name = "small";
	config.memory_limit = 100000;
	small = kv_arena_create_ex(&config);
	outside = malloc(100);
	if (!root || !queries || !evil || !small || !outside)
		return 1;

	in_old_block = kv_arena_alloc(root, 100);
	for (int i = 0; i < 1000; i++)
		if (!kv_arena_alloc(root, 1000))
			return 1;
	in_root = kv_arena_alloc(root, 100);
	packed = kv_arena_strdup(root, "packed");
	in_queries = kv_arena_alloc(queries, 100);
	alone = kv_arena_alloc(queries, 3 << 20);
	warm = kv_arena_alloc(small, 100);
	if (kv_arena_alloc(small, 1234567))
		return 1;
	if (pthread_create(&thread, NULL, other_thread, queries) ||
	    pthread_join(thread, NULL))
		return 1;
	kv_arena_destroy(small);
	stop_here();
	printf("held %zu %zu %zu\n", kv_arena_memory_usage(root),
		kv_arena_memory_usage(queries), kv_arena_memory_usage(evil));
	free(outside);
	kv_arena_reset(root);
	kv_arena_destroy(evil);
	kv_arena_destroy(root);
	return 0;
}
