/* scratch.c -- call sites whose objects are gone again and again
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sites are taken in the order of their objects. One joins a group if the two
 * still are scratch memory when taken together, and if there is a function that
 * all of the group lies below: there the arena would be.
 */
#include "config.h"

#include "names.h"
#include "scratch.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_OBJECTS 256		/* of a site, to be looked at */
#define MOST_SITES 400			/* the largest */
#define MOST_BYTES (256u << 10)		/* between two moments of none alive */

struct pad {				/* one site, or a group that grows */
	uint32_t site;
	uint32_t *ops;
	size_t nops;
	uint32_t *functions;		/* that all of it lies below */
	size_t nfunctions;
};

struct finder {
	struct kvt_groups *groups;
	const struct kvt_trace *trace;
	struct kvt_symbols *symbols;
	struct kvt_names names;
	struct kvt_scratch_state *states;	/* by stream */
};

bool
kvt_scratch_step(struct kvt_scratch_state *s, const struct kvt_op *op)
{
	if (op->kind != KVT_FREE) {
		s->live += op->kind != KVT_REALLOC;
		s->bytes += (op->size + 7) & ~(uint64_t)7;
		return false;
	}
	return --s->live == 0;
}

/* Memory belongs to the thread that allocated it, whoever frees it. */
static uint32_t
stream_of(const struct kvt_trace *t, const struct kvt_op *op)
{
	return t->ops[t->objects[op->object].birth].stream;
}

static bool
is_scratch(struct finder *f, const uint32_t *ops, size_t n)
{
	const struct kvt_trace *t = f->trace;
	uint64_t live = 0;
	size_t i;

	memset(f->states, 0, t->input.nstreams * sizeof(*f->states));
	for (i = 0; i < n; i++) {
		const struct kvt_op *op = &t->ops[ops[i]];
		struct kvt_scratch_state *s = &f->states[stream_of(t, op)];
		if (op->kind == KVT_FREE)
			live--;
		else if (op->kind != KVT_REALLOC)
			live++;
		if (kvt_scratch_step(s, op))
			s->bytes = 0;
		else if (s->bytes > MOST_BYTES)
			return false;
	}
	return live == 0;
}

/* Merge two ascending lists. */
static uint32_t *
merge(const struct pad *a, const struct pad *b)
{
	uint32_t *both = kvt_array(a->nops + b->nops, sizeof(*both));
	size_t i = 0, k = 0, n = 0;

	while (i < a->nops || k < b->nops)
		if (k == b->nops || (i < a->nops && a->ops[i] < b->ops[k]))
			both[n++] = a->ops[i++];
		else
			both[n++] = b->ops[k++];
	return both;
}

/* Functions that everything lies below tell nothing. */
static bool
is_general(const char *name)
{
	static const char *const general[] = { "main", "_start", "start_thread",
		"__libc_start_main", "__libc_start_call_main" };
	size_t i;

	for (i = 0; i < sizeof(general) / sizeof(*general); i++)
		if (strcmp(name, general[i]) == 0)
			return true;
	return strstr(name, "clone") != NULL;
}

static void
find_functions(struct finder *f, struct pad *p)
{
	const struct kvt_site *site = &f->trace->sites[p->site];
	unsigned i = kvt_symbol_first(f->symbols, site);

	p->functions = kvt_array(site->n, sizeof(*p->functions));
	for (; i < site->n; i++) {
		const char *name = kvt_symbol_name(f->symbols, site->frames[i]);
		if (!is_general(name))
			p->functions[p->nfunctions++] =
				kvt_names_number(&f->names, name);
	}
}

/* Leave in a's functions those that b has, too; count them. With keep unset
 * nothing changes. */
static size_t
share_functions(struct pad *a, const struct pad *b, bool keep)
{
	size_t i, k, n = 0;

	for (i = 0; i < a->nfunctions; i++) {
		for (k = 0; k < b->nfunctions; k++)
			if (a->functions[i] == b->functions[k])
				break;
		if (k == b->nfunctions)
			continue;
		if (keep)
			a->functions[n] = a->functions[i];
		n++;
	}
	if (keep)
		a->nfunctions = n;
	return n;
}

static bool
try_join(struct finder *f, struct pad *group, struct pad *p)
{
	uint32_t *both;

	if (share_functions(group, p, false) == 0)
		return false;
	both = merge(group, p);
	if (!is_scratch(f, both, group->nops + p->nops)) {
		free(both);
		return false;
	}
	free(group->ops);
	group->ops = both;
	group->nops += p->nops;
	share_functions(group, p, true);
	return true;
}

static int
compare_pads(const void *a, const void *b)
{
	const struct pad *x = a, *y = b;

	if (x->nops != y->nops)
		return x->nops > y->nops ? -1 : 1;
	return x->site < y->site ? -1 : x->site > y->site;
}

/* List the sites that might be scratch memory, with their operations. */
static struct pad *
list_pads(struct finder *f, size_t *count)
{
	const struct kvt_trace *t = f->trace;
	struct pad *pads = kvt_array(t->nsites, sizeof(*pads));
	size_t *nops = kvt_array(t->nsites, sizeof(*nops));
	uint32_t **ops = kvt_array(t->nsites, sizeof(*ops));
	size_t i, n = 0;

	for (i = 0; i < t->nops; i++)
		nops[t->objects[t->ops[i].object].site]++;
	for (i = 1; i < t->nsites; i++)
		if (f->groups->of_site[i] == KVT_NO_GROUP &&
			t->sites[i].objects >= LEAST_OBJECTS) {
			pads[n].site = (uint32_t)i;
			pads[n].nops = nops[i];
			pads[n].ops = kvt_array(nops[i], sizeof(uint32_t));
			ops[i] = pads[n++].ops;
		}
	for (i = 0; i < t->nops; i++) {
		uint32_t site = t->objects[t->ops[i].object].site;
		if (ops[site])
			*ops[site]++ = (uint32_t)i;
	}
	free(nops);
	free(ops);
	qsort(pads, n, sizeof(*pads), compare_pads);
	*count = n;
	return pads;
}

static void
enter(struct finder *f, const struct pad *p, uint32_t number)
{
	struct kvt_group *g = &f->groups->groups[number];
	const struct kvt_trace *t = f->trace;
	size_t i;

	g->kind = KVT_SCRATCH;
	g->nsites++;
	g->objects += t->sites[p->site].objects;
	for (i = 0; i < p->nops; i++)
		if (t->ops[p->ops[i]].kind == KVT_FREE)
			g->bytes += t->ops[p->ops[i]].size;
	f->groups->of_site[p->site] = number;
}

static void
place(struct finder *f, struct pad *made, size_t *nmade, struct pad *p)
{
	size_t first = f->groups->n - *nmade, i;

	for (i = 0; i < *nmade; i++)
		if (try_join(f, &made[i], p)) {
			enter(f, p, (uint32_t)(first + i));
			free(p->ops);
			free(p->functions);
			return;
		}
	if (*nmade == KVT_SCRATCH_GROUPS)
		return;
	made[(*nmade)++] = *p;
	enter(f, p, (uint32_t)f->groups->n++);
}

void
kvt_scratch_find(struct kvt_groups *groups, const struct kvt_trace *t,
	struct kvt_symbols *symbols)
{
	struct finder f = { groups, t, symbols, { 0 }, NULL };
	struct pad made[KVT_SCRATCH_GROUPS], *pads;
	size_t i, n, nmade = 0;

	f.states = kvt_array(t->input.nstreams, sizeof(*f.states));
	pads = list_pads(&f, &n);
	for (i = 0; i < n; i++) {
		if (i >= MOST_SITES || !is_scratch(&f, pads[i].ops, pads[i].nops)) {
			free(pads[i].ops);
			continue;
		}
		find_functions(&f, &pads[i]);
		place(&f, made, &nmade, &pads[i]);
	}
	for (i = 0; i < nmade; i++) {
		groups->groups[groups->n - nmade + i].ops = made[i].ops;
		groups->groups[groups->n - nmade + i].nops = made[i].nops;
		free(made[i].functions);
	}
	free(pads);
	free(f.states);
	kvt_names_free(&f.names);
}
