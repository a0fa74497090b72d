/* 08-in-a-buffer.c -- an arena on the stack, or in static memory
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * No memory is taken from anywhere until the buffer is full, and then the arena
 * goes on with blocks as any other.
 */
#include <kv_arena.h>
#include <string.h>

#include "must.h"

static char boot_memory[16384];

static size_t
count_distinct(const char *text)
{
	char buffer[4096];
	kv_arena_t *arena = kv_arena_create_in(buffer, sizeof buffer, NULL);
	char *seen = kv_arena_calloc(arena, 1, 256);
	size_t n = 0;

	must(seen >= buffer && seen < buffer + sizeof buffer);
	for (; *text; text++) {
		n += !seen[(unsigned char)*text];
		seen[(unsigned char)*text] = 1;
	}
	kv_arena_destroy(arena);
	return n;
}

int
main(void)
{
	kv_arena_t *boot = kv_arena_create_in(boot_memory, sizeof boot_memory, NULL);
	char *large;

	must(boot != NULL);
	must(count_distinct("abracadabra") == 5);
	large = kv_arena_alloc(boot, sizeof boot_memory);
	must(large != NULL);		/* did not fit: a block was taken */
	memset(large, 0, sizeof boot_memory);
	kv_arena_destroy(boot);
	return 0;
}
