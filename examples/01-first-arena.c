/* 01-first-arena.c -- make things, use them, forget them all at once
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A list of the words of a text: not one free, and nothing leaks.
 */
#include <kv_arena.h>
#include <string.h>

#include "must.h"

struct word {
	struct word *next;
	const char *text;
};

static const char text[] = "memory handed out by moving a pointer";

int
main(void)
{
	kv_arena_t *arena = kv_arena_create(0);
	struct word *words = NULL, *w;
	const char *s = text;

	must(arena != NULL);
	while (*s) {
		size_t n = strcspn(s, " ");

		w = kv_arena_new(arena, struct word);
		must(w != NULL);
		w->text = kv_arena_strndup(arena, s, n);
		w->next = words;
		words = w;
		s += n + strspn(s + n, " ");
	}

	for (w = words; w; w = w->next)
		printf("%s%s", w->text, w->next ? " " : "\n");
	must(strcmp(words->text, "pointer") == 0);

	kv_arena_destroy(arena);
	return 0;
}
