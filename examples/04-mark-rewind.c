/* 04-mark-rewind.c -- short lives inside a long one
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A parser tries an alternative and takes it back; a loop uses scratch memory
 * that ends with each turn, however the turn is left.
 */
#include <errno.h>
#include <kv_arena.h>
#include <string.h>

#include "must.h"

static size_t
longest_reversed(kv_arena_t *arena, const char *const *lines, size_t n)
{
	size_t i, longest = 0;

	for (i = 0; i < n; i++) {
		KV_ARENA_SCOPE(arena);
		size_t size = strlen(lines[i]), j;
		char *scratch = kv_arena_alloc(arena, size + 1);

		if (size == 0 || !scratch)
			continue;		/* the scope ends here too */
		for (j = 0; j < size; j++)
			scratch[j] = lines[i][size - 1 - j];
		if (scratch[0] != ' ' && size > longest)
			longest = size;
	}
	return longest;
}

int
main(void)
{
	static const char *const lines[] = { "one", "", "three", "trailing " };
	kv_arena_t *arena = kv_arena_create(0);
	char *kept = kv_arena_strdup(arena, "kept");
	kv_arena_mark_t mark, inner;
	size_t before;

	mark = kv_arena_mark(arena);
	must(mark.serial != 0);
	before = kv_arena_total_allocated(arena);
	must(kv_arena_alloc(arena, 1 << 20) != NULL);
	inner = kv_arena_mark(arena);
	must(kv_arena_rewind(arena, mark) == 0);
	must(kv_arena_total_allocated(arena) == before);
	must(strcmp(kept, "kept") == 0);

	/* The mark is still good; one that was made after it is not. */
	must(kv_arena_rewind(arena, mark) == 0);
	must(kv_arena_rewind(arena, inner) == -1 && errno == EINVAL);

	must(longest_reversed(arena, lines, 4) == 5);
	must(kv_arena_total_allocated(arena) <= before);
	kv_arena_destroy(arena);
	return 0;
}
