/* place.h -- call sites that read the same
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Recursion has many call sites that are one to the reader.
 */
#ifndef KVT_PLACE_H
#define KVT_PLACE_H

#include "group.h"

struct kvt_place {
	char *chain;			/* "a < b < c" */
	uint32_t site;			/* one of them */
	uint64_t objects;
	uint64_t bytes;
};

/* Return the places of a group, the one with the most objects first. */
struct kvt_place *kvt_places_list(struct kvt_symbols *symbols,
	const struct kvt_trace *trace, const struct kvt_groups *groups,
	uint32_t group, size_t *n);
void kvt_places_free(struct kvt_place *places, size_t n);

#endif
