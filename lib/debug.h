/* debug.h [6] -- misuse found while the program runs
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * KV_ARENA_DEBUG_FILL puts a fence behind every allocation and fills what a reset
 * ended; both are looked at when the arena is used again. Under a memory checker
 * (watch.h) neither is needed.
 */
#ifndef KVA_DEBUG_H
#define KVA_DEBUG_H

#include "arena.h"

/* The calling thread enters an UNSAFE arena's slow path, and leaves it. Another that
 * is inside ends the program. */
void kva_debug_enter(struct kva_arena *a);
void kva_debug_leave(struct kva_arena *a);

/* Whether allocations are fenced: asked for, and no checker does better; or traced. */
bool kva_debug_is_fenced(const struct kva_arena *a);

/* Fence an allocation just made, whose memory nobody may have written since the
 * last reset. */
void kva_debug_fence(struct kva_arena *a, char *p, size_t size);

/* In an arena that is traced: realloc moved an allocation away, or gave it up. */
void kva_debug_moved(struct kva_arena *a, char *p, size_t size, const void *caller);

/* Look at all fences. */
void kva_debug_verify(struct kva_arena *a);

/* Allocations have ended: all, or those that a rewind took back. Nobody else is
 * inside. */
void kva_debug_ended(struct kva_arena *a);
void kva_debug_rewound(struct kva_arena *a);

/* Another arena takes the allocations over: look at their fences a last time. */
void kva_debug_part(struct kva_arena *a);

#endif
