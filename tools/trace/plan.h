/* plan.h -- which objects go to which arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A life is what one arena holds between two resets: every object of it is dead
 * when it ends. Lives that do not overlap take turns in one arena.
 */
#ifndef KVT_PLAN_H
#define KVT_PLAN_H

#include "group.h"
#include "trace.h"

#define KVT_HEAP UINT32_MAX

struct kvt_life {
	uint32_t group;
	uint32_t birth;			/* first operation of an object of it */
	uint32_t end;			/* operation after which all are dead, or
					 * KVT_NEVER */
	uint32_t arena;
	uint32_t objects;
	uint64_t bytes;			/* that its arena comes to hold */
};

struct kvt_plan {
	uint32_t *life_of;		/* by object; KVT_HEAP: malloc keeps it */
	struct kvt_life *lives;
	size_t nlives;
	uint32_t narenas;
	uint32_t *blocks;		/* by arena: the block size that nine of
					 * ten lives of its group fit into */
	uint64_t objects;		/* that go to arenas */
	uint64_t live_bytes;		/* most bytes of them live at once */
	uint64_t held_bytes;		/* most bytes in lives going on at once */
	uint64_t heap_bytes;		/* most bytes live at once in malloc */
};

/* Everything in one arena that is never reset. */
void kvt_plan_whole(struct kvt_plan *plan, const struct kvt_trace *trace);

/* The objects of those groups that are set in wanted. */
void kvt_plan_groups(struct kvt_plan *plan, const struct kvt_trace *trace,
	const struct kvt_groups *groups, const bool *wanted);

/* The same for one group, and for all. */
void kvt_plan_group(struct kvt_plan *plan, const struct kvt_trace *trace,
	const struct kvt_groups *groups, uint32_t group);
void kvt_plan_all_groups(struct kvt_plan *plan, const struct kvt_trace *trace,
	const struct kvt_groups *groups);

void kvt_plan_free(struct kvt_plan *plan);

#endif
