/* source.h [2] -- where blocks come from
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A block is memory with a descriptor that lies elsewhere: the memory itself is
 * not touched until it is handed out, an overflow in it cannot damage the
 * library, and a whole number of huge pages stays whole. A source only fetches
 * and gives back; what to keep is the cache's business.
 */
#ifndef KVA_SOURCE_H
#define KVA_SOURCE_H

#include "os.h"

#define KVA_SEGMENT_SIZE ((size_t)2 << 20)	/* a huge page of x86 and arm64 */

struct kva_segment;

struct kva_block {
	struct kva_block *next;		/* list of the arena or cache that has it */
	struct kva_block *prev;		/* in the cache only */
	char *base;			/* first byte; a multiple of 16 */
	size_t capacity;		/* bytes of memory here */
	size_t size;			/* of these, counted to the arena */
	struct kva_segment *segment;	/* what it was cut from, NULL: nothing */
	kva_place_t place;		/* where it should lie */
	bool huge;			/* huge pages were asked for */
	bool misplaced;			/* the system would not place it, */
	uint8_t refusal;		/* with this errno */
	uint32_t label;			/* sum of the name in the system's map */
	bool dirty;			/* may hold what an earlier owner left */
	bool warm;			/* was in use before and kept */
	bool own;			/* one large allocation has it to itself */
	bool borrowed;			/* the caller's buffer: never given back */
	bool sealed;			/* its pages are read-only */
	bool guarded;			/* a page after it is inaccessible */
	bool filled;			/* by debug.h: unwritten since */
};

/* Fresh memory from the system at a place, for at least one page. Memory of a
 * segment and more is aligned to a segment, and huge if asked. NULL with errno:
 * ENOMEM, or what refused a bound place. */
struct kva_block *kva_source_map(size_t size, kva_place_t place, bool huge);

/* Give that back. What the system will not unmap is at least emptied. */
void kva_source_unmap(struct kva_block *b);

/* The same from the caller's functions. */
struct kva_block *kva_source_take(const kv_arena_block_source_t *from, size_t size);
void kva_source_give(const kv_arena_block_source_t *from, struct kva_block *b);

/* Show who has the memory of a whole mapping in the system's map of the process, as
 * "kvarena:NAME"; "": nobody in particular. A name that the system would not take is
 * passed over. Costs a system call if that is news. */
void kva_source_name(struct kva_block *b, const char *name);

/* A descriptor of memory that is there already, or NULL. */
struct kva_block *kva_source_describe(char *base, size_t size);
void kva_source_forget(struct kva_block *b);

/* Have memory behind a block of a bound place before it is handed out: a touch that
 * finds the node full is answered with the OOM killer. A warm block has some, which
 * must still lie there. -1 with errno: it cannot be had; the block stays as it is.
 * Blocks of other places are left alone. */
int kva_source_commit(struct kva_block *b);

/* Why the system last refused a place, 0: it never did; whether it lets us place
 * memory at all, as far as it was asked. */
int kva_source_place_errno(void);
bool kva_source_may_place(void);

static inline bool
kva_source_is_custom(const kv_arena_block_source_t *from)
{
	return from->take != NULL;
}

#endif
