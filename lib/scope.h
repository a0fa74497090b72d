/* scope.h [4] -- moments of an arena's life: marks, defers, generations
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A mark's record lies in the arena itself, after all that it protects, so a
 * rewind past it forgets it too. The caller is alone, as in arena.h.
 */
#ifndef KVA_SCOPE_H
#define KVA_SCOPE_H

#include "arena.h"

struct kva_defer {
	struct kva_defer *next;		/* older */
	void (*fn)(void *arg);
	void *arg;
};

/* M1  The records of valid marks form the list a->marks, newest first; a mark is
 *     valid exactly if its record is in it, and serials are never used twice. */
struct kva_mark {
	struct kva_mark *older;
	uint64_t serial;
	struct kva_snapshot state;
	struct kva_defer *defers;	/* what was deferred before */
	uint64_t *cell;			/* generation of handles made before */
};

/* Make a mark; serial 0: ENOMEM. */
kv_arena_mark_t kva_scope_mark(struct kva_arena *a);

/* Return to a mark: -1 with EINVAL if it is stale. Runs defers. */
int kva_scope_rewind(struct kva_arena *a, kv_arena_mark_t mark);

/* Put d on top of the defers; run those above last, newest first. */
void kva_scope_defer(struct kva_arena *a, struct kva_defer *d);
void kva_scope_run_defers(struct kva_arena *a, struct kva_defer *last);

/* Everything ends: run all defers, forget all marks, end all handles. */
void kva_scope_end(struct kva_arena *a);

/* Move the defers of from on top of into's; from's marks and handles end. */
void kva_scope_absorb(struct kva_arena *into, struct kva_arena *from);

/* The cell whose value is the present generation; NULL: ENOMEM. */
uint64_t *kva_scope_cell(struct kva_arena *a);

/* Around fork. */
void kva_scope_fork_before(void);
void kva_scope_fork_after(void);

#endif
