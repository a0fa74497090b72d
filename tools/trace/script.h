/* script.h -- calls to be made again, as a replay runs them
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A script lies in a memory file, so that a fresh process can run it without
 * reading the trace: the steps, and then the block size of each arena, which
 * are 32-bit numbers.
 */
#ifndef KVT_SCRIPT_H
#define KVT_SCRIPT_H

#include "plan.h"

/* A step's call. Those of an arena follow those of the heap in the same order. */
enum kvt_call_code {
	KVT_DO_MALLOC,
	KVT_DO_CALLOC,
	KVT_DO_ALIGNED,
	KVT_DO_REALLOC,
	KVT_DO_FREE,
	KVT_DO_ARENA_MALLOC,
	KVT_DO_ARENA_CALLOC,
	KVT_DO_ARENA_ALIGNED,
	KVT_DO_ARENA_REALLOC,
	KVT_DO_ARENA_FREE,		/* nothing: that is the point */
	KVT_DO_ARENA_RESET
};

struct kvt_step {
	uint64_t size;
	uint64_t other;			/* old size, or alignment */
	uint32_t object;
	uint32_t code_and_arena;	/* code in the lowest 4 bits */
};

struct kvt_script {
	int fd;				/* of the memory file */
	size_t nsteps;
	size_t nobjects;
	size_t narenas;
	uint64_t need;			/* bytes that a replay holds at most */
};

/* Make a script of a plan, or with every object in the heap (NULL). With only,
 * leave out the objects that this plan leaves in the heap. */
void kvt_script_make(struct kvt_script *script, const struct kvt_trace *trace,
	const struct kvt_plan *plan, const struct kvt_plan *only);
void kvt_script_free(struct kvt_script *script);

#endif
