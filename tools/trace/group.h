/* group.h -- call sites whose objects die together
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_GROUP_H
#define KVT_GROUP_H

#include "burst.h"
#include "symbol.h"
#include "trace.h"

#define KVT_NO_GROUP UINT32_MAX

enum kvt_group_kind {
	KVT_TOGETHER,			/* its objects die in bursts */
	KVT_SCRATCH			/* again and again none of them is alive */
};

struct kvt_group {
	enum kvt_group_kind kind;
	uint32_t nsites;
	uint64_t objects;
	uint64_t bytes;			/* their last sizes */
	uint32_t *bursts;		/* KVT_TOGETHER: in which its objects die,
					 * ascending; bursts.n: at the end */
	size_t nbursts;
	uint32_t *ops;			/* KVT_SCRATCH: its operations, in order */
	size_t nops;
};

struct kvt_groups {
	struct kvt_bursts bursts;
	struct kvt_group *groups;	/* the most objects first */
	size_t n;
	uint32_t *of_site;		/* group of a site, or KVT_NO_GROUP */
	uint64_t unfit_objects;		/* of sites that are in none */
};

void kvt_groups_find(struct kvt_groups *groups, const struct kvt_trace *trace,
	struct kvt_symbols *symbols);
void kvt_groups_free(struct kvt_groups *groups);

#endif
