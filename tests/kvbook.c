/* kvbook.c -- a pattern book
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvbook.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64: neighbouring numbers give unlike words. */
static uint64_t
mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static void
fill(struct kvt_piece piece)
{
	uint64_t word = piece.seed;
	size_t i;

	for (i = 0; i + 8 <= piece.size; i += 8, word += 0x0101010101010101)
		memcpy(piece.p + i, &word, 8);
	memcpy(piece.p + i, &word, piece.size - i);
}

static bool
is_filled(struct kvt_piece piece)
{
	uint64_t word = piece.seed;
	size_t i;

	for (i = 0; i + 8 <= piece.size; i += 8, word += 0x0101010101010101)
		if (memcmp(piece.p + i, &word, 8) != 0)
			return false;
	return memcmp(piece.p + i, &word, piece.size - i) == 0;
}

static void
make_room(struct kvt_book *b, size_t n)
{
	if (n <= b->room)
		return;
	b->room = n < 2 * b->room ? 2 * b->room : n + 64;
	b->pieces = realloc(b->pieces, b->room * sizeof *b->pieces);
	if (b->pieces == NULL)
		abort();
}

static void
note_fault(struct kvt_book *b, const char *what, struct kvt_piece piece)
{
	if (b->fault[0] == '\0')
		snprintf(b->fault, sizeof b->fault, "%zu bytes at %p %s",
			piece.size, (void *)piece.p, what);
}

void *
kvt_enter(struct kvt_book *b, void *p, size_t size, size_t alignment)
{
	struct kvt_piece piece = { p, size, mixed(b->salt + b->n) };

	b->checks += 2;
	if (p == NULL) {
		note_fault(b, "were not given", piece);
		return NULL;
	}
	if ((uintptr_t)p % alignment != 0)
		note_fault(b, "are not aligned", piece);
	fill(piece);
	make_room(b, b->n + 1);
	b->pieces[b->n++] = piece;
	return p;
}

void
kvt_load(kv_arena_t *a, struct kvt_book *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		kvt_enter(b, kv_arena_alloc(a, i % 1000 + 1), i % 1000 + 1,
			KV_ARENA_ALIGNMENT);
}

void *
kvt_resize(struct kvt_book *b, size_t i, void *p, size_t size)
{
	struct kvt_piece *piece = &b->pieces[i];
	struct kvt_piece kept = { p, piece->size, piece->seed };

	b->checks += 2;
	if (p == NULL) {
		note_fault(b, "could not be resized", *piece);
		return NULL;
	}
	if (size < kept.size)
		kept.size = size;
	if (!is_filled(kept))
		note_fault(b, "were not kept by a resize", kept);
	piece->p = p;
	piece->size = size;
	fill(*piece);
	return p;
}

void
kvt_strike(struct kvt_book *b, size_t n)
{
	if (n < b->n)
		b->n = n;
}

void
kvt_join(struct kvt_book *into, struct kvt_book *from)
{
	make_room(into, into->n + from->n);
	for (size_t i = 0; i < from->n; i++)
		into->pieces[into->n++] = from->pieces[i];
	into->checks += from->checks;
	if (into->fault[0] == '\0')
		memcpy(into->fault, from->fault, sizeof into->fault);
	kvt_drop(from);
}

static int
by_address(const void *x, const void *y)
{
	const struct kvt_piece *a = x, *b = y;

	return a->p < b->p ? -1 : a->p > b->p;
}

static void
find_overlap(struct kvt_book *b)
{
	struct kvt_book sorted = { 0 };

	make_room(&sorted, b->n);
	for (size_t i = 0; i < b->n; i++)
		sorted.pieces[i] = b->pieces[i];
	qsort(sorted.pieces, b->n, sizeof *sorted.pieces, by_address);
	for (size_t i = 1; i < b->n; i++)	/* may be 3 GiB apart with 32 bits */
		if ((uintptr_t)sorted.pieces[i].p - (uintptr_t)sorted.pieces[i - 1].p <
			sorted.pieces[i - 1].size)
			note_fault(b, "overlap another piece", sorted.pieces[i]);
	kvt_drop(&sorted);
}

bool
kvt_read(struct kvt_book *b, size_t first)
{
	for (size_t i = first; i < b->n; i++)
		if (!is_filled(b->pieces[i]))
			note_fault(b, "were overwritten", b->pieces[i]);
	b->checks += b->n - first;
	return b->fault[0] == '\0';
}

bool
kvt_verify(struct kvt_book *b)
{
	kvt_read(b, 0);
	if (b->n > 1)
		find_overlap(b);
	b->checks += b->n;
	return b->fault[0] == '\0';
}

void
kvt_drop(struct kvt_book *b)
{
	free(b->pieces);
	*b = (struct kvt_book){ .salt = b->salt };
}

bool
kvt_balances(const kv_arena_t *a, char why[256])
{
	kv_arena_stats_t s;
	uint64_t sum;

	if (kv_arena_get_stats(a, &s) != 0) {
		snprintf(why, 256, "no statistics");
		return false;
	}
	sum = s.used_bytes + s.padding_bytes + s.tail_bytes + s.abandoned_bytes +
		s.free_bytes + s.header_bytes;
	snprintf(why, 256, "held %" PRIu64 ", usage %zu; used %" PRIu64
		" + padding %" PRIu64 " + tails %" PRIu64 " + abandoned %" PRIu64
		" + free %" PRIu64 " + headers %" PRIu64 " = %" PRIu64,
		s.current_memory_usage, kv_arena_memory_usage(a), s.used_bytes,
		s.padding_bytes, s.tail_bytes, s.abandoned_bytes, s.free_bytes,
		s.header_bytes, sum);
	return s.current_memory_usage == sum &&
		s.current_memory_usage == kv_arena_memory_usage(a);
}
