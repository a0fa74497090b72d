/* plan.c -- which objects go to which arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The objects of a group that die in one burst are one life. An object that
 * dies before its group's next burst stays, dead, in the life that ends there:
 * that is what an arena does, and held_bytes counts it. So no life ends before
 * one of its objects.
 */
#include "config.h"

#include "plan.h"
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
	/* Objects still alive keep it from ending; if all have died, one reset
	 * at the very end would be all that it gains. */
	p->narenas = t->nobjects ? 1 : 0;
	weigh(p, t);
}

void
kvt_plan_groups(struct kvt_plan *p, const struct kvt_trace *t,
	const struct kvt_groups *g, uint32_t wanted)
{
	size_t *first = kvt_array(g->n + 1, sizeof(*first));
	size_t n = 0, i, o;

	begin(p, t);
	for (i = 0; i < g->n; i++)
		n += g->groups[i].nbursts + 1;
	p->lives = kvt_array(n, sizeof(*p->lives));
	for (i = 0; i < g->n; i++) {
		first[i] = p->nlives;
		if (wanted == KVT_NO_GROUP || wanted == i)
			p->nlives = make_lives(p, g, (uint32_t)i, p->nlives);
		first[i + 1] = p->nlives;
	}
	for (o = 0; o < t->nobjects; o++) {
		uint32_t group = g->of_site[t->objects[o].site];
		if (group == KVT_NO_GROUP || first[group] == first[group + 1])
			continue;
		enter_object(p, t, o, life_ending_after(p, first[group],
			first[group + 1], t->objects[o].death));
	}
	for (i = 0; i < g->n; i++)
		share_arenas(p, first[i], first[i + 1]);
	weigh(p, t);
	free(first);
}

void
kvt_plan_free(struct kvt_plan *p)
{
	free(p->life_of);
	free(p->lives);
}
