/* fuzz.h -- what the fuzz targets share
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A target is one file with LLVMFuzzerTestOneInput. It reads its input byte by
 * byte as a program for the library, runs a model beside it, and aborts where the
 * two differ. replay.c runs a target over files where there is no fuzzer.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <kv_arena.h>

#include "kvbook.h"
#include "kvsource.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(x) do {							\
	if (!(x)) {							\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x); \
		abort();						\
	}								\
} while (0)

#define must_say(x, why) do {						\
	if (!(x)) {							\
		fprintf(stderr, "%s:%d: not so: %s: %s\n", __FILE__, __LINE__, \
			#x, why);					\
		abort();						\
	}								\
} while (0)

/* ---- Input: zeros once it is used up ------------------------------------- */

struct input {
	const uint8_t *p, *end;
};

static inline unsigned
next(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static inline unsigned
next16(struct input *in)
{
	unsigned low = next(in);

	return low | next(in) << 8;
}

/* More than any memory: a request for it must fail. */
#define HOPELESS ((size_t)1 << (sizeof(size_t) * 8 - 17))

/* Mostly small; sometimes near a power of two, where blocks end; now and then
 * hopeless, near a power of two again or near the largest. */
static inline size_t
next_size(struct input *in)
{
	unsigned b = next(in);
	unsigned last = sizeof(size_t) * 8 - 1;

	switch (b % 8) {
	case 4:
		return next16(in);
	case 5:
		return ((size_t)1 << (b / 8 % 22)) + next(in) - 128;
	case 6:
		if (b / 8 % 2)
			return SIZE_MAX - next16(in);
		return ((size_t)1 << (last - b / 16)) + (next(in) & 63) - 32;
	default:
		return b / 8 + 1;
	}
}

/* What a generous fuzzer may be given. Sizes between this and HOPELESS do not
 * occur, but for powers of two, and those the caller leaves out. */
#define PLENTY ((size_t)1 << 23)

static inline bool
is_serious(size_t size)
{
	return size <= PLENTY || size >= HOPELESS;
}

/* ---- The model's view of an arena at rest --------------------------------- */

static inline void
must_balance(const kv_arena_t *a)
{
	char why[256];

	must_say(kvt_balances(a, why), why);
}

static inline size_t
live_bytes(const struct kvt_book *b)
{
	size_t sum = 0;

	for (size_t i = 0; i < b->n; i++)
		sum += b->pieces[i].size;
	return sum;
}

static inline void
must_be_intact(struct kvt_book *b)
{
	must_say(kvt_verify(b), b->fault);
}

static inline kv_arena_stats_t
stats_of(const kv_arena_t *a)
{
	kv_arena_stats_t s;

	must(kv_arena_get_stats(a, &s) == 0);
	return s;
}

#endif
