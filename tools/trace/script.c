/* script.c -- calls to be made again, as a replay runs them
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "script.h"
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static_assert(KVT_DO_ARENA_FREE - KVT_DO_ARENA_MALLOC ==
	KVT_DO_FREE - KVT_DO_MALLOC, "the two halves are alike");
static_assert(sizeof(struct kvt_step) == 24, "no padding in the file");

#define MAX_ARENAS (1u << 28)

/* Lives in the order in which they end. */
struct ends {
	uint32_t *lives;
	size_t n;
	size_t next;
};

static const struct kvt_life *sorting;	/* for the comparison only */

static int
compare_ends(const void *a, const void *b)
{
	const struct kvt_life *x = &sorting[*(const uint32_t *)a];
	const struct kvt_life *y = &sorting[*(const uint32_t *)b];

	return x->end < y->end ? -1 : x->end > y->end;
}

static void
find_ends(struct ends *e, const struct kvt_plan *p)
{
	size_t i;

	memset(e, 0, sizeof(*e));
	e->lives = kvt_array(p ? p->nlives : 0, sizeof(*e->lives));
	for (i = 0; p && i < p->nlives; i++)
		if (p->lives[i].objects && p->lives[i].end != KVT_NEVER)
			e->lives[e->n++] = (uint32_t)i;
	sorting = p ? p->lives : NULL;
	qsort(e->lives, e->n, sizeof(*e->lives), compare_ends);
}

static unsigned
code_of(const struct kvt_op *op)
{
	switch (op->kind) {
	case KVT_MALLOC: return KVT_DO_MALLOC;
	case KVT_CALLOC: return KVT_DO_CALLOC;
	case KVT_ALIGNED: return KVT_DO_ALIGNED;
	case KVT_REALLOC: return KVT_DO_REALLOC;
	default: return KVT_DO_FREE;
	}
}

/* Steps are gathered here and go to the file by the thousand. */
struct writer {
	int fd;
	size_t n;
	size_t total;
	struct kvt_step steps[4096];
};

static void
write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);
		if (n < 0 && errno != EINTR)
			kvt_fail("the replay script: %s", strerror(errno));
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
}

static void
flush(struct writer *w)
{
	write_all(w->fd, w->steps, w->n * sizeof(*w->steps));
	w->total += w->n;
	w->n = 0;
}

static struct kvt_step *
add(struct writer *w)
{
	if (w->n == sizeof(w->steps) / sizeof(*w->steps))
		flush(w);
	return &w->steps[w->n++];
}

static void
add_call(struct writer *w, const struct kvt_op *op, uint64_t before,
	const struct kvt_life *life)
{
	struct kvt_step *s = add(w);
	unsigned code = code_of(op);

	s->size = op->size;
	s->object = op->object;
	s->other = code == KVT_DO_ALIGNED ? (uint64_t)1 << op->log2_alignment
		: before;
	if (life)
		code += KVT_DO_ARENA_MALLOC - KVT_DO_MALLOC;
	s->code_and_arena = code | (life ? life->arena << 4 : 0);
}

static void
add_resets(struct writer *w, struct ends *e, const struct kvt_plan *p, uint32_t op)
{
	struct kvt_step *s;

	for (; e->next < e->n && p->lives[e->lives[e->next]].end == op; e->next++) {
		s = add(w);
		memset(s, 0, sizeof(*s));
		s->code_and_arena = KVT_DO_ARENA_RESET |
			p->lives[e->lives[e->next]].arena << 4;
	}
}

void
kvt_script_make(struct kvt_script *script, const struct kvt_trace *t,
	const struct kvt_plan *plan, const struct kvt_plan *only)
{
	struct writer *w = kvt_array(1, sizeof(*w));
	uint64_t *sizes = kvt_array(t->nobjects, sizeof(*sizes));
	struct ends ends;
	size_t i;

	memset(script, 0, sizeof(*script));
	w->fd = memfd_create("kvarena-trace", MFD_CLOEXEC);
	if (w->fd < 0)
		kvt_fail("a memory file: %s", strerror(errno));
	find_ends(&ends, plan);
	if (plan && plan->narenas > MAX_ARENAS)
		kvt_fail("%s: %u arenas at once are too many", t->input.name,
			plan->narenas);
	for (i = 0; i < t->nops; i++) {
		const struct kvt_op *op = &t->ops[i];
		uint32_t life = plan ? plan->life_of[op->object] : KVT_HEAP;
		if (!only || only->life_of[op->object] != KVT_HEAP)
			add_call(w, op, sizes[op->object],
				life == KVT_HEAP ? NULL : &plan->lives[life]);
		sizes[op->object] = op->size;
		add_resets(w, &ends, plan, (uint32_t)i);
	}
	flush(w);
	if (plan)
		write_all(w->fd, plan->blocks,
			plan->narenas * sizeof(*plan->blocks));
	script->fd = w->fd;
	script->nsteps = w->total;
	script->nobjects = t->nobjects;
	script->narenas = plan ? plan->narenas : 0;
	script->need = plan ? plan->heap_bytes + plan->held_bytes
		: t->counts.peak_bytes;
	free(w);
	free(sizes);
	free(ends.lives);
}

void
kvt_script_free(struct kvt_script *script)
{
	close(script->fd);
}
