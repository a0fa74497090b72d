/* fold.c -- rare call sites, taken together
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A program of many layers has a call site for every way down to an allocation,
 * and few objects at each. Length by length, the longest first, the sites that
 * agree in so many frames are counted together; where they are too few they all
 * lose a frame. The first function that does more than hand malloc on is kept.
 */
#include "config.h"

#include "fold.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#define ENOUGH 64			/* objects */

struct prefix {
	uint64_t hash;			/* 0: an empty slot */
	uint64_t objects;
	uint32_t site;			/* the new one; 0: not made yet */
};

struct table {
	struct prefix *slots;
	size_t mask;
};

static struct prefix *
find(const struct table *t, uint64_t hash)
{
	size_t i = (size_t)hash & t->mask;

	while (t->slots[i].hash && t->slots[i].hash != hash)
		i = (i + 1) & t->mask;
	return &t->slots[i];
}

static uint64_t
hash_of(const struct kvt_site *s, unsigned length)
{
	return kvt_sum((const uint8_t *)s->frames, length * sizeof(*s->frames));
}

static void
clear(struct table *t)
{
	memset(t->slots, 0, (t->mask + 1) * sizeof(*t->slots));
}

/* Find how many frames each site keeps. */
static void
choose_lengths(const struct kvt_trace *t, struct kvt_symbols *symbols,
	struct table *table, unsigned *lengths)
{
	unsigned length;
	size_t i;

	for (i = 1; i < t->nsites; i++)
		lengths[i] = t->sites[i].n;
	for (length = KVT_MAX_DEPTH; length > 1; length--) {
		clear(table);
		for (i = 1; i < t->nsites; i++) {
			uint64_t hash;
			struct prefix *p;
			if (lengths[i] != length)
				continue;
			hash = hash_of(&t->sites[i], length);
			p = find(table, hash);
			p->hash = hash;
			p->objects += t->sites[i].objects;
		}
		for (i = 1; i < t->nsites; i++)
			if (lengths[i] == length && find(table,
				hash_of(&t->sites[i], length))->objects < ENOUGH &&
				length > kvt_symbol_first(symbols,
				&t->sites[i]) + 1)
				lengths[i]--;
	}
}

/* Add the shortened sites to the trace; to[i] is where site i has gone. */
static void
make_sites(struct kvt_trace *t, struct table *table, const unsigned *lengths,
	uint32_t *to)
{
	size_t i, before = t->nsites, room = t->nsites;

	clear(table);
	for (i = 1; i < before; i++) {
		uint64_t hash = hash_of(&t->sites[i], lengths[i]);
		struct prefix *p = find(table, hash);
		if (!t->sites[i].n)
			continue;
		if (!p->hash) {
			p->hash = hash;
			p->site = (uint32_t)t->nsites;
			t->sites = kvt_grow(t->sites, t->nsites, &room,
				sizeof(*t->sites));
			memset(&t->sites[t->nsites], 0, sizeof(*t->sites));
			t->sites[t->nsites].n = lengths[i];
			t->sites[t->nsites++].frames = t->sites[i].frames;
		}
		to[i] = p->site;
		t->sites[p->site].objects += t->sites[i].objects;
		t->sites[p->site].bytes += t->sites[i].bytes;
	}
	for (i = 1; i < before; i++)
		t->sites[i].objects = 0;
}

void
kvt_fold_sites(struct kvt_trace *t, struct kvt_symbols *symbols)
{
	unsigned *lengths = kvt_array(t->nsites, sizeof(*lengths));
	uint32_t *to = kvt_array(t->nsites, sizeof(*to));
	struct table table = { NULL, 1023 };
	size_t o;

	while (table.mask < 2 * t->nsites)
		table.mask = 2 * table.mask + 1;
	table.slots = kvt_array(table.mask + 1, sizeof(*table.slots));
	choose_lengths(t, symbols, &table, lengths);
	make_sites(t, &table, lengths, to);
	for (o = 0; o < t->nobjects; o++)
		t->objects[o].site = to[t->objects[o].site];
	free(lengths);
	free(to);
	free(table.slots);
}
