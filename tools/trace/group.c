/* group.c -- call sites whose objects die together
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A site is fit for an arena if nearly all its objects die in bursts or live to
 * the end. Fit sites are taken in the order of their objects; each joins the
 * group in whose bursts most of its objects die, or founds one. What is left
 * may still be scratch memory.
 */
#include "config.h"

#include "group.h"
#include "scratch.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define FIT_SHARE 0.8			/* of a site's objects: in bursts */
#define JOIN_SHARE 0.9			/* of these: in bursts of the group */
#define LEAST_OBJECTS 16		/* of a site, to be looked at */
#define MAX_GROUPS 200

struct member {				/* one site, while groups are made */
	uint32_t site;
	uint32_t objects;
	uint32_t in_bursts;
	uint64_t bytes;
	uint32_t *bursts;		/* one for each of in_bursts */
};

static int
compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->in_bursts != y->in_bursts)
		return x->in_bursts > y->in_bursts ? -1 : 1;
	return x->site < y->site ? -1 : x->site > y->site;
}

static uint32_t
burst_of(const struct kvt_groups *g, const struct kvt_trace *t, size_t object)
{
	return t->objects[object].death == KVT_NEVER ? (uint32_t)g->bursts.n
		: g->bursts.of_object[object];
}

/* Return an array with one member per site: how and when its objects died. */
static struct member *
make_members(const struct kvt_groups *g, const struct kvt_trace *t)
{
	struct member *members = kvt_array(t->nsites, sizeof(*members)), *m;
	size_t o, i;

	for (o = 0; o < t->nobjects; o++) {
		m = &members[t->objects[o].site];
		m->objects++;
		m->bytes += t->objects[o].size;
		m->in_bursts += burst_of(g, t, o) != KVT_NO_BURST;
	}
	for (i = 0; i < t->nsites; i++) {
		members[i].site = (uint32_t)i;
		members[i].bursts = kvt_array(members[i].in_bursts,
			sizeof(uint32_t));
		members[i].in_bursts = 0;
	}
	for (o = 0; o < t->nobjects; o++) {
		uint32_t burst = burst_of(g, t, o);
		m = &members[t->objects[o].site];
		if (burst != KVT_NO_BURST)
			m->bursts[m->in_bursts++] = burst;
	}
	for (i = 0; i < t->nsites; i++)
		qsort(members[i].bursts, members[i].in_bursts, sizeof(uint32_t),
			compare_numbers);
	return members;
}

static bool
is_fit(const struct member *m)
{
	return m->site != 0 && m->objects >= LEAST_OBJECTS &&
		m->in_bursts >= FIT_SHARE * m->objects;
}

/* Return the share of a member's objects that die in bursts of the group. */
static double
share_in(const struct kvt_group *g, const struct member *m)
{
	size_t i = 0, k = 0, common = 0;

	while (i < m->in_bursts && k < g->nbursts) {
		if (m->bursts[i] == g->bursts[k]) {
			common++;
			i++;
		} else if (m->bursts[i] < g->bursts[k]) {
			i++;
		} else {
			k++;
		}
	}
	return (double)common / m->in_bursts;
}

/* Let the member in: the group's bursts become the union of both. */
static void
join(struct kvt_group *g, const struct member *m)
{
	uint32_t *both = kvt_array(g->nbursts + m->in_bursts, sizeof(*both));
	size_t i, n = 0;

	if (g->nbursts)
		memcpy(both, g->bursts, g->nbursts * sizeof(*both));
	memcpy(both + g->nbursts, m->bursts, m->in_bursts * sizeof(*both));
	qsort(both, g->nbursts + m->in_bursts, sizeof(*both), compare_numbers);
	for (i = 0; i < g->nbursts + m->in_bursts; i++)
		if (n == 0 || both[n - 1] != both[i])
			both[n++] = both[i];
	free(g->bursts);
	g->bursts = both;
	g->nbursts = n;
	g->nsites++;
	g->objects += m->objects;
	g->bytes += m->bytes;
}

static void
place(struct kvt_groups *g, const struct member *m)
{
	double share, best_share = 0;
	size_t i, best = g->n;

	for (i = 0; i < g->n; i++) {
		share = share_in(&g->groups[i], m);
		if (share > best_share) {
			best_share = share;
			best = i;
		}
	}
	if (best_share < JOIN_SHARE) {
		if (g->n == MAX_GROUPS)
			return;
		best = g->n++;
	}
	join(&g->groups[best], m);
	g->of_site[m->site] = (uint32_t)best;
}

/* Put the groups in the order of their objects, and renumber. */
static void
sort_groups(struct kvt_groups *g, size_t nsites)
{
	uint32_t *place_of = kvt_array(g->n, sizeof(*place_of));
	struct kvt_group *sorted = kvt_array(g->n, sizeof(*sorted));
	size_t i, k;

	for (i = 0; i < g->n; i++) {
		for (k = 0; k < g->n; k++)
			place_of[i] += g->groups[k].objects >
				g->groups[i].objects || (k < i &&
				g->groups[k].objects == g->groups[i].objects);
		sorted[place_of[i]] = g->groups[i];
	}
	for (i = 0; i < nsites; i++)
		if (g->of_site[i] != KVT_NO_GROUP)
			g->of_site[i] = place_of[g->of_site[i]];
	free(g->groups);
	free(place_of);
	g->groups = sorted;
}

static void
count_unfit(struct kvt_groups *g, const struct kvt_trace *t)
{
	size_t i;

	for (i = 0; i < t->nsites; i++)
		if (g->of_site[i] == KVT_NO_GROUP)
			g->unfit_objects += t->sites[i].objects;
}

void
kvt_groups_find(struct kvt_groups *g, const struct kvt_trace *t,
	struct kvt_symbols *symbols)
{
	struct member *members;
	size_t i;

	memset(g, 0, sizeof(*g));
	kvt_bursts_find(&g->bursts, t);
	g->groups = kvt_array(MAX_GROUPS + KVT_SCRATCH_GROUPS,
		sizeof(*g->groups));
	g->of_site = kvt_array(t->nsites, sizeof(*g->of_site));
	members = make_members(g, t);
	qsort(members, t->nsites, sizeof(*members), compare_members);
	for (i = 0; i < t->nsites; i++) {
		g->of_site[members[i].site] = KVT_NO_GROUP;
		if (is_fit(&members[i]))
			place(g, &members[i]);
		free(members[i].bursts);
	}
	free(members);
	kvt_scratch_find(g, t, symbols);
	count_unfit(g, t);
	sort_groups(g, t->nsites);
}

void
kvt_groups_free(struct kvt_groups *g)
{
	size_t i;

	for (i = 0; i < g->n; i++) {
		free(g->groups[i].bursts);
		free(g->groups[i].ops);
	}
	free(g->groups);
	free(g->of_site);
	free(g->bursts.bursts);
	free(g->bursts.of_object);
}
