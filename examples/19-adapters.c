/* 19-adapters.c -- a library that takes malloc and free gets an arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The "library" is ten lines here; the programs named after real ones
 * (protobuf-c.c, cjson.c, lua.c, ...) do the same with those.
 */
#include <kv_arena_adapters.h>
#include <string.h>

#include "must.h"

/* ---- A library with a context for its allocator ---- */
struct hooks {
	void *(*alloc)(void *context, size_t size);
	void (*release)(void *context, void *ptr);
	void *context;
};

static char *
lib_reverse(const struct hooks *h, const char *s)
{
	size_t n = strlen(s), i;
	char *r = h->alloc(h->context, n + 1);

	must(r != NULL);
	for (i = 0; i < n; i++)
		r[i] = s[n - 1 - i];
	r[n] = '\0';
	return r;
}

/* ---- A library with global hooks and no context ---- */
static void *(*lib_malloc)(size_t) = malloc;

static char *
lib_twice(const char *s)
{
	size_t n = strlen(s);
	char *r = lib_malloc(2 * n + 1);

	must(r != NULL);
	memcpy(r, s, n);
	memcpy(r + n, s, n + 1);
	return r;
}

int
main(void)
{
	kv_arena_t *arena = kv_arena_create(0), *before;
	struct hooks hooks = { kv_arena_adapter_malloc, kv_arena_adapter_free, arena };
	char *s;

	s = lib_reverse(&hooks, "stressed");
	must(strcmp(s, "desserts") == 0 && kv_arena_owns(arena, s));
	hooks.release(hooks.context, s);

	/* Hooks are set once; a push says whose arena it is, in this thread. */
	lib_malloc = kv_arena_current_malloc;
	before = kv_arena_current_push(arena);
	s = lib_twice("ding");
	must(strcmp(s, "dingding") == 0 && kv_arena_owns(arena, s));
	kv_arena_current_pop(before);

	/* Without a push it is malloc, and free is needed. */
	s = lib_twice("dong");
	must(!kv_arena_owns(arena, s));
	kv_arena_current_free(s);

	/* A library that says the old sizes, as Lua does: no header. */
	s = kv_arena_adapter_sized(arena, NULL, 0, 10);
	s = kv_arena_adapter_sized(arena, s, 10, 20);
	must(s != NULL);
	s = kv_arena_adapter_sized(arena, s, 20, 0);
	must(s == NULL);

	kv_arena_destroy(arena);
	return 0;
}
