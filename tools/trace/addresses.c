/* addresses.c -- which object lives at an address
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Open addressing with linear probing; a removal moves the followers back, so
 * that there are no tombstones.
 */
#include "config.h"

#include "addresses.h"
#include "tool.h"

#include <stdlib.h>

struct slot {
	uint64_t address;
	uint32_t object;		/* KVT_NO_OBJECT: empty */
};

struct kvt_addresses {
	struct slot *slots;
	size_t mask;
	size_t n;
};

static size_t
home(const struct kvt_addresses *a, uint64_t address)
{
	return (size_t)((address >> 3) * 0x9e3779b97f4a7c15u >> 20) & a->mask;
}

static void
set_size(struct kvt_addresses *a, size_t size)
{
	size_t i;

	a->slots = kvt_array(size, sizeof(*a->slots));
	a->mask = size - 1;
	a->n = 0;
	for (i = 0; i < size; i++)
		a->slots[i].object = KVT_NO_OBJECT;
}

struct kvt_addresses *
kvt_addresses_new(void)
{
	struct kvt_addresses *a = kvt_array(1, sizeof(*a));

	set_size(a, 4096);
	return a;
}

void
kvt_addresses_free(struct kvt_addresses *a)
{
	free(a->slots);
	free(a);
}

/* Return the slot of an address, or the empty one where it belongs. */
static size_t
find(const struct kvt_addresses *a, uint64_t address)
{
	size_t i = home(a, address);

	while (a->slots[i].object != KVT_NO_OBJECT &&
		a->slots[i].address != address)
		i = (i + 1) & a->mask;
	return i;
}

static void
double_size(struct kvt_addresses *a)
{
	struct slot *old = a->slots;
	size_t i, n = a->mask + 1;

	set_size(a, 2 * n);
	for (i = 0; i < n; i++)
		if (old[i].object != KVT_NO_OBJECT)
			kvt_addresses_put(a, old[i].address, old[i].object);
	free(old);
}

void
kvt_addresses_put(struct kvt_addresses *a, uint64_t address, uint32_t object)
{
	size_t i;

	if (a->n > a->mask / 2)
		double_size(a);
	i = find(a, address);
	a->slots[i].address = address;
	a->slots[i].object = object;
	a->n++;
}

uint32_t
kvt_addresses_take(struct kvt_addresses *a, uint64_t address)
{
	size_t hole = find(a, address), i = hole;
	uint32_t object = a->slots[hole].object;

	if (object == KVT_NO_OBJECT)
		return object;
	a->n--;
	/* Whoever probed past the hole moves into it. */
	for (;;) {
		i = (i + 1) & a->mask;
		if (a->slots[i].object == KVT_NO_OBJECT)
			break;
		if (((i - home(a, a->slots[i].address)) & a->mask) <
			((i - hole) & a->mask))
			continue;
		a->slots[hole] = a->slots[i];
		hole = i;
	}
	a->slots[hole].object = KVT_NO_OBJECT;
	return object;
}
