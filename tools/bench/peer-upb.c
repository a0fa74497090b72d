/* peer-upb.c -- upb's arena, the C runtime of protocol buffers
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Debian packages the library (in libgrpc-dev) but not its headers, so what is
 * inline there is written out here; the slow path, the blocks and their growth
 * are the library's. upb has no reset: a user makes an arena for each message.
 */
#include "bench.h"

#include <stdlib.h>

/* As that library has them; configure looked for the functions by name. */
struct upb_Arena {
	void *first;
	char *ptr;
	char *end;
};

typedef struct upb_alloc {
	void *(*func)(struct upb_alloc *alloc, void *ptr, size_t old, size_t size);
} upb_alloc;

extern upb_alloc upb_alloc_global;
struct upb_Arena *upb_Arena_Init(void *mem, size_t n, upb_alloc *alloc);
void upb_Arena_Free(struct upb_Arena *a);
void *_upb_Arena_SlowMalloc(struct upb_Arena *a, size_t size);

static inline void *
arena_malloc(struct upb_Arena *a, size_t size)
{
	char *p = a->ptr;

	size = (size + 7) & ~(size_t)7;
	if (__builtin_expect((size_t)(a->end - p) < size, 0))
		return _upb_Arena_SlowMalloc(a, size);
	a->ptr = p + size;
	return p;
}

#define KB_ARENA struct upb_Arena
#define KB_ALLOC(a, l, size) arena_malloc((a), (size))
#include "loops.h"

static bool
open_arena(struct life *l)
{
	l->arena = upb_Arena_Init(NULL, 0, &upb_alloc_global);
	return l->arena != NULL;
}

static void
close_arena(struct life *l)
{
	upb_Arena_Free(l->arena);
}

const struct peer kb_upb = {
	.name = "upb",
	.about = "upb_Arena_Malloc, inline; a new arena for each life",
	.loops = &kb_loops,
	.open = open_arena,
	.close = close_arena,
};
