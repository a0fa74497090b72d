/* charge.h [4] -- bytes held, by an arena and its ancestors
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What an arena holds is counted twice: in bytes.reserved, which its user alone
 * changes, and in charged, which limits are asked of and descendants add to.
 */
#ifndef KVA_CHARGE_H
#define KVA_CHARGE_H

#include "arena.h"

/* Count bytes as held by the arena and its ancestors; false: a limit refuses,
 * and nothing was counted. No lock needed for charge alone. */
bool kva_arena_charge(struct kva_arena *a, size_t bytes);
void kva_arena_uncharge(struct kva_arena *a, size_t bytes);

/* Count a descriptor of size bytes that was charged. */
void kva_arena_add_header(struct kva_arena *a, size_t size);

/* Count bytes that were counted a moment ago: no limit is asked. */
void kva_arena_charge_again(struct kva_arena *a, size_t bytes);

/* Bytes that were charged are held; they are no longer, nor charged. */
void kva_arena_hold(struct kva_arena *a, size_t bytes);
void kva_arena_unhold(struct kva_arena *a, size_t bytes);

#endif
