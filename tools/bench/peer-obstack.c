/* peer-obstack.c -- glibc's obstacks
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <obstack.h>
#include <stdlib.h>

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

#define KB_ARENA struct obstack
#define KB_ALLOC(a, l, size) obstack_alloc((a), (int)(size))
#include "loops.h"

struct stack {
	struct obstack o;
	void *first;		/* freeing it frees everything after it */
};

static bool
open_obstack(struct life *l)
{
	struct stack *s = malloc(sizeof *s);

	if (!s)
		return false;
	obstack_begin(&s->o, 65536 - 64);	/* room for malloc's own header */
	obstack_alignment_mask(&s->o) = 7;
	s->first = obstack_alloc(&s->o, 0);
	l->arena = s;
	return true;
}

static void
reset_obstack(struct life *l)
{
	struct stack *s = l->arena;

	obstack_free(&s->o, s->first);
}

static void
close_obstack(struct life *l)
{
	struct stack *s = l->arena;

	obstack_free(&s->o, NULL);
	free(s);
}

static size_t
held(struct life *l)
{
	struct stack *s = l->arena;

	return (size_t)obstack_memory_used(&s->o) + sizeof *s;
}

static void *
pack(struct life *l, size_t size)
{
	struct stack *s = l->arena;

	obstack_alignment_mask(&s->o) = 0;
	return obstack_alloc(&s->o, (int)size);
}

const struct peer kb_obstack = {
	.name = "obstack",
	.about = "glibc's, 64 KiB chunks",
	.loops = &kb_loops,
	.open = open_obstack,
	.reset = reset_obstack,
	.close = close_obstack,
	.held = held,
	.pack = pack,
};
