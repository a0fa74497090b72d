/* 07-limits.c -- a configuration, a limit, and a second chance
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <kv_arena.h>
#include <string.h>

#include "must.h"

struct reserve {
	kv_arena_t *spare;		/* what can be done without */
	int asked;
	char message[200];
};

/* Called when the arena may not grow: free something, and say whether it is
 * worth trying again. */
static bool
free_the_spare(void *context, const kv_arena_oom_t *oom)
{
	struct reserve *r = context;

	r->asked++;
	snprintf(r->message, sizeof r->message, "%s", oom->message);
	if (!r->spare)
		return false;
	kv_arena_destroy(r->spare);
	r->spare = NULL;
	return true;
}

int
main(void)
{
	struct reserve reserve = { NULL, 0, "" };
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *arena;

	config.name = "import";
	config.block_size = kv_arena_suggest_block_size("64k");
	config.memory_limit = 1 << 20;
	config.on_oom = free_the_spare;
	config.on_oom_context = &reserve;
	must(config.block_size == 65536);
	arena = kv_arena_create_ex(&config);
	must(arena != NULL);

	/* The spare lives in the same budget: it is a child. */
	config.name = "cached";
	config.memory_limit = 0;
	config.on_oom = NULL;
	reserve.spare = kv_arena_create_child(arena, &config);
	must(kv_arena_alloc(reserve.spare, 600000) != NULL);

	/* Both together do not fit, so the spare goes. */
	must(kv_arena_alloc(arena, 600000) != NULL);
	must(reserve.asked == 1 && reserve.spare == NULL);

	/* Now there is nothing left to free: NULL, and the arena works on. */
	must(kv_arena_alloc(arena, 600000) == NULL && errno == ENOMEM);
	must(strstr(reserve.message, "import") != NULL);
	must(kv_arena_memory_usage(arena) <= 1 << 20);
	must(kv_arena_alloc(arena, 100) != NULL);
	puts(reserve.message);

	kv_arena_destroy(arena);
	return 0;
}
