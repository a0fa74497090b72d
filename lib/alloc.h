/* alloc.h [7] -- what the allocating functions share
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_ALLOC_H
#define KVA_ALLOC_H

#include "arena.h"

/* Allocate for the calling thread, asking the arena's handler when memory cannot be
 * had. size is not 0, alignment a power of two. caller: where the stack that asks
 * leaves the library. NULL with errno. */
void *kva_alloc_for(const void *caller, struct kva_arena *a, size_t size,
	size_t alignment);

/* The same, for whoever called the exported function that calls this. */
#define kva_alloc(a, size, alignment) \
	kva_alloc_for(KVA_CALLER(), (a), (size), (alignment))
#define KVA_CALLER() __builtin_extract_return_addr(__builtin_return_address(0))

/* The same for the library's own records: not counted as an allocation. */
void *kva_alloc_record(struct kva_arena *a, size_t size);

#endif
