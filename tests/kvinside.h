/* kvinside.h -- arenas to be looked into, on a system that counts
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVINSIDE_H
#define KVINSIDE_H

#include "arena.h"
#include "kvos.h"
#include "kvtest.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* The cache from which all arenas below take their blocks. */
extern kv_arena_cache_t *kvi_cache;

/* A group whose tests run on four nodes, with every call counted, and of which
 * nothing is left at the end: neither memory nor descriptors. */
TCase *kvi_group(Suite *s, const char *name);

/* The default configuration with that cache, the same with a NUMA policy, and an
 * arena, which must exist. */
kv_arena_config_t kvi_config(kv_arena_thread_mode_t mode);
kv_arena_config_t kvi_placed(kv_arena_thread_mode_t mode, kv_arena_numa_policy_t policy,
	int node);
kv_arena_t *kvi_create(const kv_arena_config_t *config);

kv_arena_stats_t kvi_stats(const kv_arena_t *a);

/* The arena's own invariants hold, and its statistics balance. */
void kvi_check(kv_arena_t *a);

/* Allocate so many bytes in pieces of 1000, and check. */
void kvi_load(kv_arena_t *a, size_t bytes);

/* Check and destroy. */
void kvi_destroy(kv_arena_t *a);

#endif
