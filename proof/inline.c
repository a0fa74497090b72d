/* inline.c -- the fast path's one decision, include/kv_arena_inline.h, for Frama-C
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * kv_arena_fits takes a request exactly if its size, rounded up, ends within the
 * window, for every size and every two addresses: no size that overflows passes,
 * and none that fits is refused. The contracts stand here, for that header is part
 * of programs.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*@ requires \valid(sum);
  @ assigns *sum;
  @ ensures \result <==> a + b > UINTPTR_MAX;
  @ ensures *sum == (\result ? a + b - UINTPTR_MAX - 1 : a + b); */
_Bool __builtin_add_overflow(uintptr_t a, uintptr_t b, uintptr_t *sum);

void __atomic_store_n(void *p, uintptr_t value, int order);

#include "base.h"
#include "words.h"

/*@ assigns \nothing;
  @ ensures 0 < size <= SIZE_MAX - 7 ==> rounded_up(\result, size, 8);
  @ ensures size == 0 || size > SIZE_MAX - 7 ==> \result == 0; */
KV_ARENA_INLINE size_t kv_arena_round_up(size_t size);

/*@ requires word((uintptr_t)b->cur) && word((uintptr_t)b->end);
  @ requires \valid_read(b) && \valid(after) && \separated(b, after);
  @ assigns *after;
  @ ensures \result ==> 0 < size <= SIZE_MAX - 7;
  @ ensures \forall integer r; \result && rounded_up(r, size, 8) ==>
  @	(uintptr_t)b->cur + r <= (uintptr_t)b->end;
  @ ensures \forall integer r; !\result && 0 < size <= SIZE_MAX - 7 &&
  @	rounded_up(r, size, 8) ==> (uintptr_t)b->end < (uintptr_t)b->cur + r;
  @ ensures \forall integer r; \result && rounded_up(r, size, 8) ==>
  @	*after == (char *)((uintptr_t)b->cur + r); */
KV_ARENA_INLINE bool kv_arena_fits(const struct kv_arena_bump *b, size_t size,
	char **after);
