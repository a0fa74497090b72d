/* names.c -- strings as small numbers
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "format.h"
#include "names.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

/* Return the slot of a name, or the empty one where it belongs. */
static uint32_t *
find(struct kvt_names *n, const char *name)
{
	size_t i = (size_t)kvt_sum((const uint8_t *)name, strlen(name)) & n->mask;

	while (n->slots[i] && strcmp(n->names[n->slots[i] - 1], name) != 0)
		i = (i + 1) & n->mask;
	return &n->slots[i];
}

static void
enlarge(struct kvt_names *n)
{
	uint32_t i;

	free(n->slots);
	n->mask = n->mask ? 2 * n->mask + 1 : 1023;
	n->slots = kvt_array(n->mask + 1, sizeof(*n->slots));
	for (i = 0; i < n->n; i++)
		*find(n, n->names[i]) = i + 1;
}

uint32_t
kvt_names_number(struct kvt_names *n, const char *name)
{
	uint32_t *slot;

	if (n->n >= n->mask / 2)
		enlarge(n);
	slot = find(n, name);
	if (!*slot) {
		n->names = kvt_grow(n->names, n->n, &n->room, sizeof(*n->names));
		n->names[n->n++] = name;
		*slot = n->n;
	}
	return *slot - 1;
}

void
kvt_names_free(struct kvt_names *n)
{
	free(n->names);
	free(n->slots);
	memset(n, 0, sizeof(*n));
}
