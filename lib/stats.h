/* stats.h [6] -- what an arena has done, and where its bytes are
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Figures are read by walking what lower layers keep anyway; nothing down there
 * calls up here. All lock the arena's team where there is one.
 */
#ifndef KVA_STATS_H
#define KVA_STATS_H

#include "arena.h"

void kva_stats_read(const struct kva_arena *a, kv_arena_stats_t *stats);
void kva_stats_reset(struct kva_arena *a);

size_t kva_stats_reserved(const struct kva_arena *a);
size_t kva_stats_handed(const struct kva_arena *a);

/* The pages of the arena by node, as the kernel tells. -1: ENOTSUP. */
int kva_stats_numa(const struct kva_arena *a, kv_arena_numa_report_t *report);

#endif
