/* front.h [4] -- the window through which an arena hands out a block
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_FRONT_H
#define KVA_FRONT_H

#include "arena.h"

/* Shut a shard's window: what it handed out and what it loses. */
void kva_arena_shut(struct kva_arena *a, struct kva_window *w);

/* Count what the fronts have used since they were last asked. Before bytes.reserved
 * or a block's size is read. */
void kva_arena_settle(struct kva_arena *a);

/* Bytes of a front's block that are counted and neither used nor in a window that
 * was cut from it, after that. What the newest of those has left counts as left. */
size_t kva_arena_left(const struct kva_front *f);

/* Whether w is that newest window, and nothing was cut since. */
bool kva_front_ends_with(const struct kva_front *f, const struct kva_window *w);

/* Take back what the newest window has left. Nobody else is inside. */
void kva_front_pull_back(struct kva_front *f);

/* The front for a node; -1: any. */
struct kva_front *kva_arena_front(struct kva_arena *a, int node);
unsigned kva_arena_nfronts(const struct kva_arena *a);

/* Count what one front has used. */
void kva_front_settle(struct kva_arena *a, struct kva_front *f);

/* Look at the front's block from its start; leave it, with what is left lost. */
void kva_front_look(struct kva_arena *a, struct kva_front *f);
void kva_front_leave(struct kva_arena *a, struct kva_front *f);

/* Have a request fit by counting more of the block. False: its end is reached, or a
 * limit refuses. */
bool kva_front_grow(struct kva_arena *a, struct kva_front *f, size_t size,
	size_t alignment);

/* Have size bytes of a block counted, now or when it is settled. False: a limit
 * refuses. */
bool kva_front_count_up_to(struct kva_arena *a, struct kva_block *b, size_t size);

/* Clear memory that an earlier owner may have left, in an arena that promises so. */
void kva_front_clean(const struct kva_arena *a, const struct kva_block *b, char *p,
	size_t size);

/* Fold a window's tally into the tolls. */
void kva_arena_fold(struct kva_arena *a, struct kva_window *w);

#endif
