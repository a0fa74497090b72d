/* 15-reserve.c -- a promise: the next bytes neither fail nor fault
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reserve before the part that must not be late, or must not be half done.
 */
#include <kv_arena.h>
#include <string.h>

#include "must.h"

int
main(void)
{
	enum { FRAMES = 1000, SIZE = 512 };
	kv_arena_t *arena = kv_arena_create(0);
	int i;

	must(kv_arena_reserve(arena, (size_t)FRAMES * SIZE, true) == 0);
	for (i = 0; i < FRAMES; i++)
		memset(kv_arena_alloc(arena, SIZE), i, SIZE);

	/* More than there is: the promise is refused, not broken. */
	must(kv_arena_reserve(arena, SIZE_MAX / 2, false) == -1);
	kv_arena_destroy(arena);
	return 0;
}
