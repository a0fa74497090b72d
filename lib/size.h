/* size.h [0] -- arithmetic of sizes and alignments
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pure functions, each right for every input its requirement admits; the
 * contracts are proved by `make check-proof`, which knows the words they use from
 * proof/words.h. No other file rounds, aligns or multiplies sizes by hand.
 */
#ifndef KVA_SIZE_H
#define KVA_SIZE_H

#include "base.h"

/* The largest request: rounding it up, or adding any alignment up to it, cannot
 * overflow, and pointer differences stay within ptrdiff_t. */
#define KVA_SIZE_LIMIT ((size_t)PTRDIFF_MAX / 2)

/*@ assigns \nothing;
  @ ensures \result <==> power_of_two(n); */
static inline bool
kva_is_power_of_two(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/*@ requires power_of_two(alignment);
  @ assigns \nothing;
  @ ensures \result % alignment == 0 && \result <= size < \result + alignment; */
static inline size_t
kva_round_down(size_t size, size_t alignment)
{
	return size & ~(alignment - 1);
}

/*@ requires power_of_two(alignment) && size + alignment - 1 <= SIZE_MAX;
  @ assigns \nothing;
  @ ensures rounded_up(\result, size, alignment); */
static inline size_t
kva_round_up(size_t size, size_t alignment)
{
	return kva_round_down(size + (alignment - 1), alignment);
}

/* Bytes from address at to the next multiple of a power of two. */
/*@ requires power_of_two(alignment);
  @ assigns \nothing;
  @ ensures rounded_up(at + \result, at, alignment); */
static inline size_t
kva_padding(uintptr_t at, size_t alignment)
{
	return (size_t)(-at & (uintptr_t)(alignment - 1));
}

/* Whether size bytes fit in room after pad bytes. No sum can overflow. */
/*@ assigns \nothing;
  @ ensures \result <==> pad + size <= room; */
static inline bool
kva_fits_after(size_t room, size_t pad, size_t size)
{
	return pad <= room && size <= room - pad;
}

/* n * size, or false if that overflows. */
/*@ requires \valid(product);
  @ assigns *product;
  @ ensures \result <==> n * size <= SIZE_MAX;
  @ ensures *product == (\result ? n * size : \old(*product)); */
static inline bool
kva_multiply(size_t n, size_t size, size_t *product)
{
	if (size != 0 && n > SIZE_MAX / size)
		return false;
	*product = n * size;
	return true;
}

/* The room that serves size bytes at alignment wherever a block begins, given
 * that blocks begin at multiples of 16; or false: more than any block has. */
/*@ requires \valid(room) && power_of_two(alignment);
  @ assigns *room;
  @ ensures \result <==> size <= KVA_SIZE_LIMIT && alignment <= KVA_SIZE_LIMIT;
  @ ensures \result ==> \forall integer at, start, end; word(at) &&
  @	at % 16 == 0 && rounded_up(start, at, alignment) &&
  @	rounded_up(end, start + size, 8) ==> end <= at + *room; */
static inline bool
kva_room_for(size_t size, size_t alignment, size_t *room)
{
	if (size > KVA_SIZE_LIMIT || alignment > KVA_SIZE_LIMIT)
		return false;
	*room = kva_round_up(size, KV_ARENA_ALIGNMENT) +
		(alignment > 16 ? alignment - 16 : 0);
	return true;
}

/* The smallest power of two that is at least n. */
/*@ requires 1 <= n <= 0x4000000000000000;
  @ assigns \nothing;
  @ ensures power_of_two(\result) && n <= \result < 2 * n; */
static inline size_t
kva_power_above(size_t n)
{
	size_t p = 1;

	/*@ loop invariant power_of_two(p) && p < 2 * n;
	  @ loop assigns p;
	  @ loop variant n - p; */
	while (p < n)
		p <<= 1;
	return p;
}

/* The size class of the statistics: i where 2^(i-1) < size <= 2^i, at most last. */
/*@ requires 1 <= size <= KVA_SIZE_LIMIT;
  @ assigns \nothing;
  @ ensures \result <= last && (\result < last ==> size <= 1 << \result);
  @ ensures 0 < \result ==> 1 << (\result - 1) < size; */
static inline unsigned
kva_bucket(size_t size, unsigned last)
{
	unsigned i = 63u ^ (unsigned)__builtin_clzll(2 * (uint64_t)size - 1);

	return i < last ? i : last;
}

#endif
