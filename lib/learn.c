/* learn.c [1] -- how large arenas of a name become
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A fixed table: programs have few kinds of arenas, and one that has more learns
 * of those it saw first. The latest sizes of each stand in a ring.
 */
#include "learn.h"

#include <string.h>

#define NAMES 64
#define SIZES 20	/* so that nine in ten is the 18th */

static struct lesson {
	char name[32];
	size_t sizes[SIZES];
	unsigned n;		/* noted so far; SIZES and more: all are in use */
} lessons[NAMES];

static struct lesson *
find(const char *name)
{
	for (unsigned i = 0; i < NAMES && lessons[i].n > 0; i++)
		if (strncmp(lessons[i].name, name, sizeof lessons[i].name) == 0)
			return &lessons[i];
	return NULL;
}

static struct lesson *
find_free(const char *name)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (lessons[i].n == 0) {
			strncpy(lessons[i].name, name, sizeof lessons[i].name - 1);
			return &lessons[i];
		}
	return NULL;
}

void
kva_learn_note(const char *name, size_t bytes)
{
	struct lesson *l = find(name);

	if (!l)
		l = find_free(name);
	if (!l)
		return;
	l->sizes[l->n++ % SIZES] = bytes;
	if (l->n == 2 * SIZES)	/* so that it never falls to 0 again */
		l->n = SIZES;
}

static unsigned
larger_than(const struct lesson *l, unsigned n, size_t size)
{
	unsigned larger = 0;

	for (unsigned i = 0; i < n; i++)
		larger += l->sizes[i] > size;
	return larger;
}

size_t
kva_learn_size(const char *name)
{
	const struct lesson *l = find(name);
	unsigned n = l ? (l->n < SIZES ? l->n : SIZES) : 0;
	size_t best = 0;

	/* The least size that no more than a tenth of the others exceed. */
	for (unsigned i = 0; i < n; i++)
		if (larger_than(l, n, l->sizes[i]) <= n / 10 &&
		    (best == 0 || l->sizes[i] < best))
			best = l->sizes[i];
	return best;
}
