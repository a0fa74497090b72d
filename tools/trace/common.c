/* common.c -- the function that many call sites lie below
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "common.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define NEARLY_ALL 0.95

struct function {
	const char *name;		/* NULL: an empty slot */
	uint64_t weight;
	double depth;			/* sum of weight times distance */
};

struct table {
	struct function *slots;
	size_t mask;
	size_t n;
};

static struct function *
find(struct table *t, const char *name)
{
	size_t i = (size_t)kvt_sum((const uint8_t *)name, strlen(name)) & t->mask;

	while (t->slots[i].name && strcmp(t->slots[i].name, name) != 0)
		i = (i + 1) & t->mask;
	return &t->slots[i];
}

static void
double_size(struct table *t)
{
	struct table old = *t;
	size_t i;

	t->mask = 2 * old.mask + 1;
	t->slots = kvt_array(t->mask + 1, sizeof(*t->slots));
	for (i = 0; i <= old.mask; i++)
		if (old.slots[i].name)
			*find(t, old.slots[i].name) = old.slots[i];
	free(old.slots);
}

/* Add a site's weight to each function of its chain, once. */
static void
add_chain(struct table *t, struct kvt_symbols *symbols,
	const struct kvt_site *site, uint64_t weight)
{
	unsigned i, k, first = kvt_symbol_first(symbols, site);

	for (i = first; i < site->n; i++) {
		const char *name = kvt_symbol_name(symbols, site->frames[i]);
		struct function *f;
		for (k = first; k < i; k++)
			if (strcmp(name, kvt_symbol_name(symbols,
				site->frames[k])) == 0)
				break;
		if (k < i)
			continue;
		if (t->n > t->mask / 2)
			double_size(t);
		f = find(t, name);
		if (!f->name) {
			f->name = name;
			t->n++;
		}
		f->weight += weight;
		f->depth += (double)weight * (i - first);
	}
}

const char *
kvt_common_function(struct kvt_symbols *symbols, const struct kvt_trace *trace,
	const uint64_t *weights, double *share)
{
	struct table t = { kvt_array(1024, sizeof(struct function)), 1023, 0 };
	struct function *best = NULL;
	const char *name;
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < trace->nsites; i++) {
		if (!weights[i])
			continue;
		total += weights[i];
		if (i)
			add_chain(&t, symbols, &trace->sites[i], weights[i]);
	}
	for (i = 0; i <= t.mask; i++) {
		struct function *f = &t.slots[i];
		if (f->name && (double)f->weight >= NEARLY_ALL * (double)total &&
			(!best || f->depth / (double)f->weight <
			best->depth / (double)best->weight))
			best = f;
	}
	name = best ? best->name : NULL;
	*share = best ? (double)best->weight / (double)total : 0;
	free(t.slots);
	return name;
}
