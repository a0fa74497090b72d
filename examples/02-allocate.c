/* 02-allocate.c -- sizes, alignments, arrays, and growing in place
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <kv_arena.h>
#include <stdint.h>
#include <string.h>

#include "must.h"

struct sample {
	double at, value;
};

int
main(void)
{
	kv_arena_t *arena = kv_arena_create(0);
	struct sample *samples, *more;
	char *p, *line;
	int *zeros;
	size_t n;

	/* Any size; aligned to 8. */
	p = kv_arena_alloc(arena, 5);
	must(p != NULL && (uintptr_t)p % KV_ARENA_ALIGNMENT == 0);
	must(kv_arena_owns(arena, p));

	/* Aligned to a cache line. */
	p = kv_arena_alloc_aligned(arena, 100, 64);
	must(p != NULL && (uintptr_t)p % 64 == 0);

	/* Zeroed, and arrays: a count whose bytes overflow is refused. */
	zeros = kv_arena_calloc(arena, 1000, sizeof *zeros);
	must(zeros != NULL && zeros[999] == 0);
	samples = kv_arena_new_array(arena, struct sample, 50);
	must(samples != NULL);
	samples = kv_arena_new_array(arena, struct sample, SIZE_MAX / 2);
	must(samples == NULL && errno == EOVERFLOW);
	more = kv_arena_array(arena, 4, sizeof *more, 32);
	must(more != NULL && (uintptr_t)more % 32 == 0);

	/* The latest allocation grows where it is: a string builder that copies
	 * nothing. The arena does not remember sizes; the caller says both. */
	line = kv_arena_alloc(arena, 1);
	for (n = 1; n < 2000; n++) {
		line[n - 1] = 'x';
		line = kv_arena_realloc(arena, line, n, n + 1);
		must(line != NULL);
	}
	line[n - 1] = '\0';
	must(strlen(line) == 1999);

	/* And can be given back: a size of 0 returns NULL, with errno 0. */
	p = kv_arena_realloc(arena, line, n, 0);
	must(p == NULL && errno == 0);

	/* The names of the library's ancestor. */
	must(kv_arena_malloc(arena, 24) != NULL);
	must(kv_arena_aligned_malloc(arena, 24, 16) != NULL);

	printf("%zu bytes handed out\n", kv_arena_total_allocated(arena));
	kv_arena_destroy(arena);
	return 0;
}
