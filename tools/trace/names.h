/* names.h -- strings as small numbers
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_NAMES_H
#define KVT_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct kvt_names {
	const char **names;		/* by number */
	uint32_t n;
	uint32_t *slots;		/* number + 1; 0: empty */
	size_t mask;
	size_t room;
};

/* Start from all zero. Return the number of a string, which must stay. */
uint32_t kvt_names_number(struct kvt_names *names, const char *name);

void kvt_names_free(struct kvt_names *names);

#endif
