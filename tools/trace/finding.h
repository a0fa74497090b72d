/* finding.h -- a group of call sites, measured
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_FINDING_H
#define KVT_FINDING_H

#include "bench.h"
#include "plan.h"

struct kvt_finding {
	uint32_t group;
	struct kvt_plan plan;
	struct kvt_result heap;		/* its objects alone, from malloc */
	struct kvt_result arenas;	/* and from arenas; 0 ns: not measured */
};

/* Plan a group's arenas and replay its objects, and nothing else, both ways. */
void kvt_finding_make(struct kvt_finding *finding, const struct kvt_trace *trace,
	const struct kvt_groups *groups, uint32_t group,
	const struct kvt_bench *bench);

/* Return the nanoseconds that arenas save, negative if they cost. */
int64_t kvt_finding_saves(const struct kvt_finding *finding);

/* Tell whether that is more than noise. */
bool kvt_finding_pays(const struct kvt_finding *finding);

/* Put those that pay first, and of these those that save most. */
void kvt_findings_sort(struct kvt_finding *findings, size_t n);

#endif
