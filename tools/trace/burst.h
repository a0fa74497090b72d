/* burst.h -- objects that were freed in one go
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A burst is a run of frees of one thread with hardly an allocation between
 * them: the taking down of a tree, a list, a request. What was born before it
 * began and ended in it died together.
 */
#ifndef KVT_BURST_H
#define KVT_BURST_H

#include "trace.h"

#define KVT_NO_BURST UINT32_MAX

/* Fewer objects than this are no burst. */
#define KVT_BURST_LEAST 8

struct kvt_burst {
	uint32_t first;			/* index of its first operation */
	uint32_t last;
	uint32_t objects;		/* that were born before it */
};

struct kvt_bursts {
	struct kvt_burst *bursts;	/* in the order in which they began */
	size_t n;
	uint32_t *of_object;		/* burst in which it died, or NO_BURST */
};

void kvt_bursts_find(struct kvt_bursts *bursts, const struct kvt_trace *trace);

#endif
