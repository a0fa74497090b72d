/* 03-text.c -- strings: copied, cut, formatted
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>
#include <stdarg.h>
#include <string.h>

#include "must.h"

/* A function of your own that takes a format. */
static char *
complain(kv_arena_t *arena, int line, const char *format, ...)
{
	va_list args;
	char *what;

	va_start(args, format);
	what = kv_arena_vprintf(arena, format, args);
	va_end(args);
	return what ? kv_arena_printf(arena, "line %d: %s", line, what) : NULL;
}

int
main(void)
{
	static const unsigned char key[] = { 0, 1, 2, 0 };
	kv_arena_t *arena = kv_arena_create(0);
	const char *path = kv_arena_strdup(arena, "/etc/hosts");
	const char *dir = kv_arena_strndup(arena, path, 4);
	const char *copy = kv_arena_memdup(arena, key, sizeof key);
	const char *message = complain(arena, 3, "no %s in %s", "colon", path);

	must(strcmp(dir, "/etc") == 0);
	must(memcmp(copy, key, sizeof key) == 0);
	must(strcmp(message, "line 3: no colon in /etc/hosts") == 0);
	puts(message);

	kv_arena_destroy(arena);
	return 0;
}
