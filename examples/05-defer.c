/* 05-defer.c -- what is not memory ends with the arena too
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>

#include "must.h"

static int open_files;

static void
close_file(void *file)
{
	must(fclose(file) == 0);
	open_files--;
}

/* Open a file that is closed when the arena is reset. */
static FILE *
scratch_file(kv_arena_t *arena)
{
	FILE *f = tmpfile();

	if (!f)
		return NULL;
	if (kv_arena_defer(arena, close_file, f) != 0) {
		fclose(f);
		return NULL;
	}
	open_files++;
	return f;
}

int
main(void)
{
	kv_arena_t *arena = kv_arena_create(0);
	int i;

	for (i = 0; i < 3; i++) {
		FILE *f = scratch_file(arena);

		must(f != NULL);
		fprintf(f, "line %d\n", i);
	}
	must(open_files == 3);
	kv_arena_reset(arena);		/* closes the last one first */
	must(open_files == 0);

	must(scratch_file(arena) != NULL);
	kv_arena_destroy(arena);	/* and so does destroy */
	must(open_files == 0);
	puts("every file was closed");
	return 0;
}
