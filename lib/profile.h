/* profile.h [6] -- what was sampled in some arenas, gathered and written
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_PROFILE_H
#define KVA_PROFILE_H

#include "arena.h"

/* One arena, and its sites. */
struct kva_part {
	char path[256];
	const struct kva_site *sites;
	size_t n;
};

struct kva_profile {
	struct kva_part *parts;
	struct kva_site *sites;		/* of all parts */
	size_t nparts, nsites;
	size_t most_parts, most_sites;	/* that there is room for */
	size_t interval;		/* 0: parts differ, or there are none */
};

/* Write what was sampled in an arena and its descendants, or in every live arena
 * (NULL). -1: ENOMEM, EIO. */
int kva_profile_write(struct kva_arena *a, FILE *out,
	kv_arena_profile_format_t format);

/* An amount as a whole number. */
static inline uint64_t
kva_profile_amount(const struct kva_site *s, enum kva_amount amount)
{
	return (uint64_t)(s->sum.of[amount] + 0.5);
}

/* An address in the call of a frame: the one that it returns to may be in another
 * function already. */
static inline uintptr_t
kva_profile_call(const void *frame)
{
	return (uintptr_t)frame - 1;
}

/* What stands for a stack without frames. */
#define KVA_OTHER_STACKS "[other stacks]"

#endif
