/* fence.h [0] -- what lies behind an allocation that somebody wants to know of
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Fences are a list, so that all allocations are known without knowing where they
 * begin: debug.c looks whether they were written to, and the recorder of
 * kvarena-trace is told of each allocation and of its end.
 */
#ifndef KVA_FENCE_H
#define KVA_FENCE_H

#include "base.h"

struct kva_fence {
	uint64_t canary;	/* a constant ^ its own address */
	struct kva_fence *older;
	char *start;		/* of the allocation */
	size_t size;
};

#define KVA_CANARY 0x6b76617265616e61u
#define KVA_CANARY_ENDED 0x656e646564206279u	/* its allocation has moved away */

static inline uint64_t
kva_fence_canary(const struct kva_fence *f, uint64_t canary)
{
	return canary ^ (uintptr_t)f;
}

/* The recorder, if kvarena-trace has loaded it into the program before us. */
#if defined(__ELF__)
#define KVA_IF_LOADED __attribute__((__weak__, __visibility__("default")))
void kvarena_record_alloc(void *p, size_t size, size_t alignment, const void *caller)
	KVA_IF_LOADED;
void kvarena_record_free(void *p, const void *caller) KVA_IF_LOADED;
#else
#define kvarena_record_alloc ((void (*)(void *, size_t, size_t, const void *))NULL)
#define kvarena_record_free ((void (*)(void *, const void *))NULL)
#endif

/* Tell it that all allocations younger than last end. */
static inline void
kva_fence_tell_ends(const struct kva_fence *f, const struct kva_fence *last,
	const void *caller)
{
	for (; f != last; f = f->older)
		if (f->canary != kva_fence_canary(f, KVA_CANARY_ENDED))
			kvarena_record_free(f->start, caller);
}

#endif
