/* place.c -- call sites that read the same
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "place.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_SHOWN 3

static int
compare_chains(const void *a, const void *b)
{
	const struct kvt_place *x = a, *y = b;

	return strcmp(x->chain, y->chain);
}

static int
compare_objects(const void *a, const void *b)
{
	const struct kvt_place *x = a, *y = b;

	if (x->objects != y->objects)
		return x->objects > y->objects ? -1 : 1;
	return strcmp(x->chain, y->chain);
}

struct kvt_place *
kvt_places_list(struct kvt_symbols *symbols, const struct kvt_trace *t,
	const struct kvt_groups *g, uint32_t group, size_t *count)
{
	struct kvt_place *places = kvt_array(t->nsites, sizeof(*places));
	size_t i, n = 0, merged = 0;
	char chain[512];

	for (i = 0; i < t->nsites; i++) {
		if (g->of_site[i] != group)
			continue;
		kvt_symbol_chain(symbols, &t->sites[i], FRAMES_SHOWN, chain,
			sizeof(chain));
		places[n].chain = kvt_array(strlen(chain) + 1, 1);
		strcpy(places[n].chain, chain);
		places[n].site = (uint32_t)i;
		places[n].objects = t->sites[i].objects;
		places[n++].bytes = t->sites[i].bytes;
	}
	qsort(places, n, sizeof(*places), compare_chains);
	for (i = 0; i < n; i++) {
		if (merged && !compare_chains(&places[merged - 1], &places[i])) {
			places[merged - 1].objects += places[i].objects;
			places[merged - 1].bytes += places[i].bytes;
			free(places[i].chain);
		} else {
			places[merged++] = places[i];
		}
	}
	qsort(places, merged, sizeof(*places), compare_objects);
	*count = merged;
	return places;
}

void
kvt_places_free(struct kvt_place *places, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(places[i].chain);
	free(places);
}
