/* common.c -- the function that many call sites lie below
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "common.h"
#include "names.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define NEARLY_ALL 0.95

struct function {
	uint64_t weight;
	double depth;			/* sum of weight times distance */
};

struct tally {
	struct kvt_names names;
	struct function *functions;	/* by the number of the name */
	size_t room;
};

/* Add a site's weight to each function of its chain, once. */
static void
add_chain(struct tally *t, struct kvt_symbols *symbols,
	const struct kvt_site *site, uint64_t weight)
{
	uint32_t seen[KVT_MAX_DEPTH];
	unsigned i, k, first = kvt_symbol_first(symbols, site);

	for (i = first; i < site->n; i++) {
		uint32_t n = t->names.n;
		seen[i] = kvt_names_number(&t->names,
			kvt_symbol_name(symbols, site->frames[i]));
		if (seen[i] == n) {
			t->functions = kvt_grow(t->functions, n, &t->room,
				sizeof(*t->functions));
			memset(&t->functions[n], 0, sizeof(*t->functions));
		}
		for (k = first; k < i && seen[k] != seen[i]; k++)
			;
		if (k < i)
			continue;
		t->functions[seen[i]].weight += weight;
		t->functions[seen[i]].depth += (double)weight * (i - first);
	}
}

const char *
kvt_common_function(struct kvt_symbols *symbols, const struct kvt_trace *trace,
	const uint64_t *weights)
{
	struct tally t = { 0 };
	const char *name = NULL;
	double nearest = 0;
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < trace->nsites; i++) {
		total += weights[i];
		if (i && weights[i])
			add_chain(&t, symbols, &trace->sites[i], weights[i]);
	}
	for (i = 0; i < t.names.n; i++) {
		const struct function *f = &t.functions[i];
		double distance = f->depth / (double)f->weight;
		/* What always comes first only hands malloc on, too. */
		if (f->depth <= 0)
			distance = KVT_MAX_DEPTH;
		if ((double)f->weight >= NEARLY_ALL * (double)total &&
			(!name || distance < nearest)) {
			name = t.names.names[i];
			nearest = distance;
		}
	}
	kvt_names_free(&t.names);
	free(t.functions);
	return name;
}
