/* memtable.h -- the table of a storage engine, held in memory: a skip list
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Entries are put by any number of threads at once, without a lock, and never
 * taken out: when the table is full its memory ends as a whole. A key put again
 * is a new entry beside the old one; get finds the one with the highest sequence
 * number.
 *
 * Who may run with whom ("-" freely, "X" the caller excludes):
 *		put	get	clear
 *	put	-	-	X
 *	get	-	-	X
 *	clear	X	X	X
 *
 * Edge M1: an entry, written before the release CAS that links it into a list,
 *	    is seen whole after the acquire load that finds it there.
 * ABA:	    none; entries are never unlinked.
 * Progress: get is wait-free, put lock-free.
 */
#ifndef MEMTABLE_H
#define MEMTABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* With a quarter of the entries at each further level, enough for 16 million. */
#define MEMTABLE_HEIGHT 12

/* Where entries come from; called by the threads that put. */
struct memtable_memory {
	void *(*take)(void *context, size_t size);	/* aligned to 8, or NULL */
	void *context;
};

/*	entry:	| the fields | next, one per level | the bytes of the key | */
struct memtable_entry {
	uint64_t sequence;
	uint64_t value;
	uint32_t key_size;
	uint32_t height;
	struct memtable_entry *_Atomic next[];
};

struct memtable {
	struct memtable_memory memory;
	struct memtable_entry *_Atomic first[MEMTABLE_HEIGHT];
};

/* Make an empty table. */
void memtable_start(struct memtable *t, struct memtable_memory memory);

/* Put a value under a key; sequence must be unique. -1: no memory. */
int memtable_put(struct memtable *t, const char *key, uint32_t key_size,
	uint64_t sequence, uint64_t value);

/* Return the newest entry of a key, or NULL. */
const struct memtable_entry *memtable_get(const struct memtable *t,
	const char *key, uint32_t key_size);

/* Go through all entries in order, the newest of a key first; NULL starts, and
 * ends. */
const struct memtable_entry *memtable_next(const struct memtable *t,
	const struct memtable_entry *entry);

const char *memtable_key(const struct memtable_entry *entry);

/* Give every entry to a function, as free, and leave the table empty. */
void memtable_clear(struct memtable *t, void (*give)(void *entry));

#endif
