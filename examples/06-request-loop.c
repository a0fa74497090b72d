/* 06-request-loop.c -- one arena, many requests: reset keeps the blocks warm
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>

#include "must.h"

static const char *
answer(kv_arena_t *arena, int request)
{
	const char *body = "";
	int i;

	/* Each turn leaves the text before it behind; who cares. */
	for (i = 0; i < request % 100; i++)
		body = kv_arena_printf(arena, "%s<li>%d</li>", body, i);
	return kv_arena_printf(arena, "<ul>%s</ul>", body);
}

int
main(void)
{
	kv_arena_t *arena = kv_arena_create(0);
	size_t held = 0, given;
	int request;

	for (request = 0; request < 1000; request++) {
		must(answer(arena, request) != NULL);
		kv_arena_reset(arena);

		/* After the largest request the arena has what it needs. */
		if (request == 100)
			held = kv_arena_memory_usage(arena);
		if (request > 100)
			must(kv_arena_memory_usage(arena) <= held);
	}

	/* Idle: give the warm blocks back to the system. */
	given = kv_arena_compact(arena);
	must(given + kv_arena_memory_usage(arena) >= held || held == 0);
	printf("%zu bytes served every request; idle %zu\n", held,
		kv_arena_memory_usage(arena));
	must(answer(arena, 50) != NULL);
	kv_arena_destroy(arena);
	return 0;
}
