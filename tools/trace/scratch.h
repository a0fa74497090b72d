/* scratch.h -- call sites whose objects are gone again and again
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Scratch memory is freed piece by piece, but every so often none of it is
 * alive, and not much was allocated in between. Each thread can have an arena
 * for it that is reset at such a moment, once enough has come together.
 */
#ifndef KVT_SCRATCH_H
#define KVT_SCRATCH_H

#include "group.h"

#define KVT_SCRATCH_GROUPS 100		/* at most */
#define KVT_SCRATCH_ENOUGH 8192		/* bytes: resets then cost nearly nothing,
					 * and all stays in the nearest cache */

/* Make groups of the sites that are in none. */
void kvt_scratch_find(struct kvt_groups *groups, const struct kvt_trace *trace,
	struct kvt_symbols *symbols);

/* What one thread's scratch memory holds. */
struct kvt_scratch_state {
	uint32_t live;			/* objects */
	uint64_t bytes;			/* since the last moment that all were dead */
};

/* Follow one operation of scratch memory. True: now none of it is alive. */
bool kvt_scratch_step(struct kvt_scratch_state *state, const struct kvt_op *op);

#endif
