/* site.h [2] -- the call stacks that allocate, with what was sampled at each
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Equal stacks are one site. A table is bounded: it has the first KVA_SITES stacks,
 * and one sum of all that came later or found no memory. Neither sites nor tables
 * count in what an arena holds.
 *
 * Threads: any, at any time; but for destroy, which nobody else is inside for.
 */
#ifndef KVA_SITE_H
#define KVA_SITE_H

#include "lot.h"

#define KVA_FRAMES 64		/* of a stack, the innermost */
#define KVA_SITES 4096		/* of a table */

struct kva_sites;

/* What was sampled at one stack; depth 0: at all others. */
struct kva_site {
	struct kva_amounts sum;
	size_t depth;
	void *frames[KVA_FRAMES];	/* return addresses, the innermost first */
};

/* A table for samples taken once in interval bytes; NULL: ENOMEM. */
struct kva_sites *kva_sites_create(size_t interval);
void kva_sites_destroy(struct kva_sites *t);	/* NULL is fine */

size_t kva_sites_interval(const struct kva_sites *t);

/* Add to the site of the stack that returns to caller. errno stays. */
void kva_sites_add(struct kva_sites *t, const struct kva_amounts *amounts,
	const void *caller);

/* Set all sums to 0, and forget the stacks. */
void kva_sites_clear(struct kva_sites *t);

/* How many sites there are, with the sum of the others; copy at most n of these and
 * return how many. */
size_t kva_sites_count(struct kva_sites *t);
size_t kva_sites_copy(struct kva_sites *t, struct kva_site *sites, size_t n);

/* Around fork. */
void kva_sites_fork_before(void);
void kva_sites_fork_after(void);

#endif
