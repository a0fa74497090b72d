/* 13-handles.c -- a pointer that knows when it is dead
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A cache outside the arena remembers something inside it. After the reset it
 * gets NULL, not the bytes of somebody else.
 */
#include <kv_arena.h>
#include <string.h>

#include "must.h"

int
main(void)
{
	kv_arena_t *arena = kv_arena_create(0);
	kv_arena_handle_t user = kv_arena_handle(arena,
		kv_arena_strdup(arena, "alice"));
	kv_arena_handle_t foreign;

	must(user.ptr != NULL);
	must(strcmp(kv_arena_deref(user), "alice") == 0);

	/* Only of what the arena owns. */
	foreign = kv_arena_handle(arena, &arena);
	must(foreign.ptr == NULL);

	kv_arena_reset(arena);
	must(kv_arena_strdup(arena, "bob") != NULL);
	must(kv_arena_deref(user) == NULL);

	user = kv_arena_handle(arena, kv_arena_strdup(arena, "carol"));
	kv_arena_destroy(arena);
	must(kv_arena_deref(user) == NULL);	/* even now */
	puts("no dangling pointer was followed");
	return 0;
}
