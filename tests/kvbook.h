/* kvbook.h -- a pattern book: what was allocated, and whether it is still so
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every allocation is filled with bytes of its own, and at the end all are read
 * again. A book never stops the program: it remembers its first fault, so that
 * any thread may keep one.
 */
#ifndef KVBOOK_H
#define KVBOOK_H

#include <kv_arena.h>

struct kvt_piece {
	unsigned char *p;
	size_t size;
	uint64_t seed;			/* of its bytes */
};

/* A zeroed book is empty. */
struct kvt_book {
	struct kvt_piece *pieces;	/* in order of entry */
	size_t n, room;
	uint64_t salt;			/* keeps books apart; any number */
	uint64_t checks;		/* not counted yet */
	char fault[160];		/* the first thing that went wrong, or "" */
};

/* Enter size bytes at p, just allocated with this alignment, and fill them.
 * Returns p. A NULL or misaligned p is a fault. */
void *kvt_enter(struct kvt_book *b, void *p, size_t size, size_t alignment);

/* Allocate n pieces of 1 to 1000 bytes, the i-th of i % 1000 + 1, and enter them. */
void kvt_load(kv_arena_t *a, struct kvt_book *b, size_t n);

/* Piece i has been resized, and is now at p with this size: see that what both
 * sizes share is still there, and fill it anew. Returns p. */
void *kvt_resize(struct kvt_book *b, size_t i, void *p, size_t size);

/* Strike out all but the first n pieces. */
void kvt_strike(struct kvt_book *b, size_t n);

/* Move all pieces of from behind those of into. */
void kvt_join(struct kvt_book *into, struct kvt_book *from);

/* Read the pieces from number first on again. Returns whether the book is without
 * fault. As no two pieces have the same bytes, this finds what overlaps too, but
 * cannot tell who with. */
bool kvt_read(struct kvt_book *b, size_t first);

/* Read every piece again and see that no two overlap. Returns whether the book
 * is without fault. */
bool kvt_verify(struct kvt_book *b);

/* Free what a book holds. */
void kvt_drop(struct kvt_book *b);

/* Tell whether an arena at rest says where every byte is; if not, why says
 * what differs. */
bool kvt_balances(const kv_arena_t *a, char why[256]);

#endif
