/* inline.c -- the fast path's decisions, include/kv_arena_inline.h, for Frama-C
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * kv_arena_fits takes a request exactly if its size, rounded up, ends within the
 * window, for every size and every two addresses: no size that overflows passes,
 * and none that fits is refused. A quick size is told by kv_arena_is_quick, and of
 * those kv_arena_fits_quick says the same in fewer instructions. The contracts stand
 * here, for that header is part of programs.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void __atomic_store_n(void *p, uintptr_t value, int order);

#include "base.h"
#include "words.h"

/*@ requires word((uintptr_t)b->cur) && word((uintptr_t)b->end);
  @ requires (uintptr_t)b->cur <= (uintptr_t)b->end;
  @ requires (uintptr_t)b->cur % 8 == 0 && (uintptr_t)b->end % 8 == 0;
  @ requires \valid_read(b) && \valid(after) && \separated(b, after);
  @ assigns *after;
  @ ensures \result ==> 0 < size <= SIZE_MAX - 7;
  @ ensures \forall integer r; \result && rounded_up(r, size, 8) ==>
  @	(uintptr_t)b->cur + r <= (uintptr_t)b->end;
  @ ensures \forall integer r; !\result && 0 < size <= SIZE_MAX - 7 &&
  @	rounded_up(r, size, 8) ==> (uintptr_t)b->end < (uintptr_t)b->cur + r;
  @ ensures \result ==> *after == b->cur + (size - 1 - (size - 1) % 8 + 8); */
KV_ARENA_INLINE bool kv_arena_fits(const struct kv_arena_bump *b, size_t size,
	char **after);

/* As in words.h, where it would make other proofs longer. */
/*@ axiomatic odd {
  @ axiom odd: \forall integer x; word(x) ==> (x & 1) == x % 2;
  @ } */

/*@ requires word((uintptr_t)arena);
  @ assigns \nothing;
  @ ensures \result <==> (uintptr_t)arena % 2 == 1 && last < 0x100000000; */
KV_ARENA_INLINE bool kv_arena_is_quick(const kv_arena_t *arena, size_t last);

/*@ requires word((uintptr_t)b->cur) && (uintptr_t)b->end < 0xFFFFFFFF00000000;
  @ requires (uintptr_t)b->cur <= (uintptr_t)b->end;
  @ requires (uintptr_t)b->cur % 8 == 0 && (uintptr_t)b->end % 8 == 0;
  @ requires last < 0x100000000;
  @ requires \valid_read(b) && \valid(after) && \separated(b, after);
  @ assigns *after;
  @ ensures \result <==>
  @	(uintptr_t)b->cur + (last - last % 8 + 8) <= (uintptr_t)b->end;
  @ ensures \result ==>
  @	*after == (char *)((uintptr_t)b->cur + last - last % 8 + 8); */
KV_ARENA_INLINE bool kv_arena_fits_quick(const struct kv_arena_bump *b, size_t last,
	char **after);
