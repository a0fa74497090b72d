/* plan.c -- which objects go to which arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The objects of a group that die in one burst are one life. An object that
 * dies before its group's next burst stays, dead, in the life that ends there:
 * that is what an arena does, and held_bytes counts it. Scratch memory's lives
 * end when all of it is dead and enough has come together. So no life ends
 * before one of its objects.
 */
#include "config.h"

#include "plan.h"
#include "scratch.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static void
begin(struct kvt_plan *p, const struct kvt_trace *t)
{
	size_t o;

	memset(p, 0, sizeof(*p));
	p->life_of = kvt_array(t->nobjects, sizeof(*p->life_of));
	for (o = 0; o < t->nobjects; o++)
		p->life_of[o] = KVT_HEAP;
}

/* ---- Lives --------------------------------------------------------------------- */

/* Return the life of a group that ends first at or after an operation. The
 * lives of one group stand together, by end. */
static uint32_t
life_ending_after(const struct kvt_plan *p, size_t low, size_t high,
	uint32_t death)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->lives[middle].end >= death)
			high = middle;
		else
			low = middle + 1;
	}
	return (uint32_t)low;
}

static int
compare_ends(const void *a, const void *b)
{
	const struct kvt_life *x = a, *y = b;

	return x->end < y->end ? -1 : x->end > y->end;
}

/* Make the lives of one group: one for each of its bursts and one that never
 * ends, for whatever dies after the last. */
static size_t
make_lives(struct kvt_plan *p, const struct kvt_groups *g, uint32_t group,
	size_t first)
{
	const struct kvt_group *gr = &g->groups[group];
	size_t i, n = first;

	for (i = 0; i < gr->nbursts; i++) {
		if (gr->bursts[i] == g->bursts.n)
			continue;
		p->lives[n].end = g->bursts.bursts[gr->bursts[i]].last;
		p->lives[n++].group = group;
	}
	p->lives[n].end = KVT_NEVER;
	p->lives[n++].group = group;
	for (i = first; i < n; i++)
		p->lives[i].birth = KVT_NEVER;
	qsort(p->lives + first, n - first, sizeof(*p->lives), compare_ends);
	return n;
}

static void
enter_object(struct kvt_plan *p, const struct kvt_trace *t, size_t object,
	uint32_t life)
{
	struct kvt_life *l = &p->lives[life];

	p->life_of[object] = life;
	p->objects++;
	l->objects++;
	if (t->objects[object].birth < l->birth)
		l->birth = t->objects[object].birth;
}

/* Enter the objects of the groups that die in bursts; first has where the lives
 * of each group begin. */
static void
enter_together(struct kvt_plan *p, const struct kvt_trace *t,
	const struct kvt_groups *g, const size_t *first)
{
	size_t o;

	for (o = 0; o < t->nobjects; o++) {
		uint32_t group = g->of_site[t->objects[o].site];
		if (group == KVT_NO_GROUP || first[group] == first[group + 1] ||
			g->groups[group].kind != KVT_TOGETHER)
			continue;
		enter_object(p, t, o, life_ending_after(p, first[group],
			first[group + 1], t->objects[o].death));
	}
}

/* ---- Lives of scratch memory ------------------------------------------------------ */

struct thread {				/* of scratch memory */
	struct kvt_scratch_state state;
	uint32_t life;			/* that is going on; KVT_HEAP: none */
};

/* Sort lives by end. An object knows its life by number, so it must follow. */
static void
sort_lives(struct kvt_plan *p, const struct kvt_trace *t,
	const struct kvt_group *g, size_t first, size_t last)
{
	uint32_t *moved = kvt_array(last - first, sizeof(*moved));
	size_t i;

	for (i = first; i < last; i++)
		p->lives[i].arena = (uint32_t)(i - first);	/* where it was */
	qsort(p->lives + first, last - first, sizeof(*p->lives), compare_ends);
	for (i = first; i < last; i++)
		moved[p->lives[i].arena] = (uint32_t)i;
	for (i = 0; i < g->nops; i++) {
		const struct kvt_op *op = &t->ops[g->ops[i]];
		if (op->kind != KVT_FREE && op->kind != KVT_REALLOC)
			p->life_of[op->object] =
				moved[p->life_of[op->object] - first];
	}
	free(moved);
}

static size_t
enter_scratch(struct kvt_plan *p, const struct kvt_trace *t,
	const struct kvt_groups *g, uint32_t group, size_t first)
{
	const struct kvt_group *gr = &g->groups[group];
	struct thread *threads = kvt_array(t->input.nstreams, sizeof(*threads));
	size_t i, last = first;

	for (i = 0; i < t->input.nstreams; i++)
		threads[i].life = KVT_HEAP;
	for (i = 0; i < gr->nops; i++) {
		const struct kvt_op *op = &t->ops[gr->ops[i]];
		struct thread *th =
			&threads[t->ops[t->objects[op->object].birth].stream];
		if (th->life == KVT_HEAP) {
			th->life = (uint32_t)last++;
			p->lives[th->life].group = group;
			p->lives[th->life].birth = KVT_NEVER;
			p->lives[th->life].end = KVT_NEVER;
		}
		if (op->kind != KVT_FREE && op->kind != KVT_REALLOC)
			enter_object(p, t, op->object, th->life);
		if (!kvt_scratch_step(&th->state, op))
			continue;
		p->lives[th->life].end = gr->ops[i];
		if (th->state.bytes >= KVT_SCRATCH_ENOUGH) {
			th->life = KVT_HEAP;
			th->state.bytes = 0;
		}
	}
	free(threads);
	sort_lives(p, t, gr, first, last);
	return last;
}

/* Return how many lives a group can have at most. */
static size_t
most_lives(const struct kvt_group *g)
{
	return g->kind == KVT_TOGETHER ? g->nbursts + 1 : g->nops / 2 + 1;
}

/* ---- Arenas ---------------------------------------------------------------------- */

static const struct kvt_life *sorting;	/* for the comparison only */

static int
compare_births(const void *a, const void *b)
{
	const struct kvt_life *x = &sorting[*(const uint32_t *)a];
	const struct kvt_life *y = &sorting[*(const uint32_t *)b];

	return x->birth < y->birth ? -1 : x->birth > y->birth;
}

/* Give each of the lives [first, last), which are those of one group by end, an
 * arena that is free, the one that was used last. */
static void
share_arenas(struct kvt_plan *p, size_t first, size_t last)
{
	uint32_t *order = kvt_array(last - first, sizeof(*order));
	uint32_t *idle = kvt_array(last - first, sizeof(*idle));
	size_t i, ended = first, nidle = 0;

	for (i = first; i < last; i++)
		order[i - first] = (uint32_t)i;
	sorting = p->lives;
	qsort(order, last - first, sizeof(*order), compare_births);
	for (i = 0; i < last - first; i++) {
		struct kvt_life *l = &p->lives[order[i]];
		if (l->objects == 0)
			break;		/* these are born last: never */
		for (; p->lives[ended].end < l->birth; ended++)
			if (p->lives[ended].objects)
				idle[nidle++] = p->lives[ended].arena;
		l->arena = nidle ? idle[--nidle] : p->narenas++;
	}
	free(order);
	free(idle);
}

static int
compare_sizes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Return the power of two, 4 KiB to 1 MiB, that nine of ten lives fit into. */
static uint32_t
fitting_block(const struct kvt_plan *p, size_t first, size_t last)
{
	uint64_t *sizes = kvt_array(last - first, sizeof(*sizes));
	uint32_t block = 4096;
	size_t i, n = 0;

	for (i = first; i < last; i++)
		if (p->lives[i].objects)
			sizes[n++] = p->lives[i].bytes;
	qsort(sizes, n, sizeof(*sizes), compare_sizes);
	while (n && block < 1024 * 1024 && block < sizes[n * 9 / 10])
		block *= 2;
	free(sizes);
	return block;
}

/* Note the block size of each arena of the group with lives [first, last). */
static void
choose_blocks(struct kvt_plan *p, size_t first, size_t last)
{
	uint32_t block = fitting_block(p, first, last);
	size_t i;

	for (i = first; i < last; i++)
		if (p->lives[i].objects)
			p->blocks[p->lives[i].arena] = block;
}

/* ---- Bytes ------------------------------------------------------------------------ */

struct meter {
	uint64_t now;
	uint64_t most;
};

static void
move(struct meter *m, uint64_t before, uint64_t after)
{
	m->now += after - before;
	if (m->now > m->most)
		m->most = m->now;
}

/* Add up what lives in the heap, and in arenas until the life ends. */
static void
weigh(struct kvt_plan *p, const struct kvt_trace *t)
{
	uint64_t *sizes = kvt_array(t->nobjects, sizeof(*sizes));
	uint32_t *left = kvt_array(p->nlives, sizeof(*left));
	struct meter heap = { 0, 0 }, live = { 0, 0 }, arenas = { 0, 0 };
	size_t i;

	for (i = 0; i < p->nlives; i++)
		left[i] = p->lives[i].objects;
	for (i = 0; i < t->nops; i++) {
		const struct kvt_op *op = &t->ops[i];
		uint32_t life = p->life_of[op->object];
		uint64_t before = sizes[op->object];
		uint64_t after = op->kind == KVT_FREE ? 0 : op->size;
		sizes[op->object] = after;
		if (life == KVT_HEAP) {
			move(&heap, before, after);
			continue;
		}
		move(&live, before, after);
		if (op->kind != KVT_FREE) {
			/* A realloc that grows leaves the old bytes behind. */
			uint64_t more = after > before ? (after + 7) & ~(uint64_t)7
				: 0;
			p->lives[life].bytes += more;
			move(&arenas, 0, more);
		} else if (--left[life] == 0) {
			move(&arenas, p->lives[life].bytes, 0);
		}
	}
	p->live_bytes = live.most;
	p->held_bytes = arenas.most;
	p->heap_bytes = heap.most;
	free(sizes);
	free(left);
}

void
kvt_plan_whole(struct kvt_plan *p, const struct kvt_trace *t)
{
	size_t o;

	begin(p, t);
	p->lives = kvt_array(1, sizeof(*p->lives));
	p->nlives = 1;
	p->lives[0].end = KVT_NEVER;
	p->lives[0].birth = KVT_NEVER;
	for (o = 0; o < t->nobjects; o++)
		enter_object(p, t, o, 0);
	p->narenas = 1;
	weigh(p, t);
	p->blocks = kvt_array(1, sizeof(*p->blocks));
	choose_blocks(p, 0, 1);
}

void
kvt_plan_groups(struct kvt_plan *p, const struct kvt_trace *t,
	const struct kvt_groups *g, const bool *wanted)
{
	size_t *first = kvt_array(g->n + 1, sizeof(*first));
	size_t n = 0;
	uint32_t i;

	begin(p, t);
	for (i = 0; i < g->n; i++)
		n += wanted[i] ? most_lives(&g->groups[i]) : 0;
	p->lives = kvt_array(n, sizeof(*p->lives));
	for (i = 0; i < g->n; i++) {
		first[i] = p->nlives;
		if (wanted[i] && g->groups[i].kind == KVT_TOGETHER)
			p->nlives = make_lives(p, g, i, p->nlives);
		else if (wanted[i])
			p->nlives = enter_scratch(p, t, g, i, p->nlives);
	}
	first[g->n] = p->nlives;
	enter_together(p, t, g, first);
	for (i = 0; i < g->n; i++)
		share_arenas(p, first[i], first[i + 1]);
	weigh(p, t);
	p->blocks = kvt_array(p->narenas, sizeof(*p->blocks));
	for (i = 0; i < g->n; i++)
		choose_blocks(p, first[i], first[i + 1]);
	free(first);
}

void
kvt_plan_group(struct kvt_plan *p, const struct kvt_trace *t,
	const struct kvt_groups *g, uint32_t group)
{
	bool *wanted = kvt_array(g->n, sizeof(*wanted));

	wanted[group] = true;
	kvt_plan_groups(p, t, g, wanted);
	free(wanted);
}

void
kvt_plan_all_groups(struct kvt_plan *p, const struct kvt_trace *t,
	const struct kvt_groups *g)
{
	bool *wanted = kvt_array(g->n, sizeof(*wanted));
	size_t i;

	for (i = 0; i < g->n; i++)
		wanted[i] = true;
	kvt_plan_groups(p, t, g, wanted);
	free(wanted);
}

void
kvt_plan_free(struct kvt_plan *p)
{
	free(p->life_of);
	free(p->lives);
	free(p->blocks);
}
