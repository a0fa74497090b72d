/* group.h -- call sites whose objects die together
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_GROUP_H
#define KVT_GROUP_H

#include "burst.h"
#include "trace.h"

#define KVT_NO_GROUP UINT32_MAX

/* Objects that live to the end die together, too: in the burst of this number,
 * bursts.n. */

struct kvt_group {
	uint32_t *bursts;		/* in which its objects die, ascending */
	size_t nbursts;
	uint32_t nsites;
	uint64_t objects;
	uint64_t bytes;			/* their last sizes */
	uint64_t in_bursts;		/* objects that died so, or at the end */
};

struct kvt_groups {
	struct kvt_bursts bursts;
	struct kvt_group *groups;	/* the most objects first */
	size_t n;
	uint32_t *of_site;		/* group of a site, or KVT_NO_GROUP */
	uint64_t unfit_objects;		/* of sites that die one by one */
};

void kvt_groups_find(struct kvt_groups *groups, const struct kvt_trace *trace);

#endif
