/* oom.h [6] -- what happens when memory cannot be had
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_OOM_H
#define KVA_OOM_H

#include "arena.h"

/* Count the failure, tell the arena's handler, and return whether it wants the
 * allocation tried again. errno is as the failed attempt left it, and stays. No
 * lock is held. */
bool kva_oom_retry(struct kva_arena *a, size_t wanted);

/* Write "root/query7/join"; an arena without a name is "?". Returns the length. */
int kva_oom_path(const struct kva_arena *a, char *buffer, size_t size);

#endif
