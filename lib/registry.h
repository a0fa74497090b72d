/* registry.h [5] -- the arenas that live, and the threads that share them
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_REGISTRY_H
#define KVA_REGISTRY_H

#include "shard.h"

/* Make the fork and thread-exit hooks, once. Where they cannot be had the library
 * works on: without the second every thread is a guest (thread.h). */
void kva_registry_start(void);

/* A key that no arena had before, with the kind in its low bits. */
uint64_t kva_registry_key(unsigned kind);

/* An arena begins and ends its public life. */
void kva_registry_add(struct kva_arena *a);
void kva_registry_remove(struct kva_arena *a);

/* L1, for reports of all arenas, and the list it guards, newest first. */
void kva_registry_lock(void);
void kva_registry_unlock(void);
struct kva_arena *kva_registry_first(void);

#endif
