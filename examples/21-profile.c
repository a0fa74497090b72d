/* 21-profile.c -- who allocates how much
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>

#include "must.h"

/* Not inlined, to be found in the profile; nor do they end in a call, which would
 * leave no trace of them. */
#define OWN_FRAME __attribute__((__noinline__))

OWN_FRAME static void
make_nodes(kv_arena_t *arena)
{
	for (int i = 0; i < 10000; i++)
		must(kv_arena_alloc(arena, 64) != NULL);
}

OWN_FRAME static void
make_names(kv_arena_t *arena)
{
	for (int i = 0; i < 10000; i++)
		must(kv_arena_printf(arena, "name %d", i) != NULL);
}

int
main(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *arena;

	config.name = "words";
	config.sample_interval = 4096;	/* 512 KiB in a program that runs long */
	arena = kv_arena_create_ex(&config);
	must(arena != NULL);
	make_nodes(arena);
	make_names(arena);

	/* One line for each call stack, with its bytes: of about 640,000 in
	 * make_nodes, and 100,000 in make_names. */
	must(kv_arena_write_profile(arena, stdout, KV_ARENA_PROFILE_FOLDED) == 0);
	must(kv_arena_write_profile(arena, stdout,
		KV_ARENA_PROFILE_FOLDED_OBJECTS) == 0);

	/* Count from here. */
	kv_arena_reset_stats(arena);
	must(kv_arena_write_profile(NULL, stdout, KV_ARENA_PROFILE_FOLDED) == 0);
	kv_arena_destroy(arena);
	return 0;
}
