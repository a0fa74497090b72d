/* memtable.h -- the table of a storage engine: a skip list over records
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Records come from a file, a line each: the key is its first 32 bytes, made
 * unique by a sequence number as in LevelDB, the value the whole line. Insertion
 * is lock-free (a compare-and-swap per level, as RocksDB's), so with a
 * thread-safe allocator threads wait for nobody.
 */
#ifndef KB_MEMTABLE_H
#define KB_MEMTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KB_MAX_HEIGHT 12	/* with a quarter at each level: 16 million */

struct record {
	const char *line;
	uint32_t key_size;
	uint32_t size;		/* of the line */
};

/*	entry:  | key_size u32 | sequence u64 | size u32 | key | line | */
#define KB_ENTRY_HEAD 16u

struct node {
	const char *entry;
	struct node *next[1];	/* as many as its height; atomic */
};

struct table {
	const struct record *records;
	size_t nrecords;
	union {
		struct node node;
		void *room[1 + KB_MAX_HEIGHT];
	} head;
};

static inline size_t
kb_entry_size(const struct record *r)
{
	return KB_ENTRY_HEAD + r->key_size + r->size;
}

static inline size_t
kb_node_size(unsigned height)
{
	return offsetof(struct node, next) + height * sizeof(struct node *);
}

static inline const char *
kb_entry_write(char *entry, const struct record *r, uint64_t sequence)
{
	memcpy(entry, &r->key_size, 4);
	memcpy(entry + 4, &sequence, 8);
	memcpy(entry + 12, &r->size, 4);
	memcpy(entry + KB_ENTRY_HEAD, r->line, r->key_size);
	memcpy(entry + KB_ENTRY_HEAD + r->key_size, r->line, r->size);
	return entry;
}

/* 1 + the number of leading pairs of zero bits of a hash: the same heights for
 * every peer. */
static inline unsigned
kb_table_height(size_t i)
{
	uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
	unsigned height;

	z = (z ^ (z >> 31)) * 0xbf58476d1ce4e5b9u;
	height = 1 + (unsigned)__builtin_clzll(z | 1) / 2;
	return height < KB_MAX_HEIGHT ? height : KB_MAX_HEIGHT;
}

/* Read the records of a file; count of them, repeating the file if it is
 * shorter. Returns 0 if it cannot be read or has no line. */
size_t kb_records_read(const char *path, struct record *records, size_t count);
const char *kb_records_default(void);	/* a file that is here, or NULL */

void kb_table_start(struct table *t);
void kb_table_insert(struct table *t, struct node *node, unsigned height,
	const char *entry);
/* Count the entries while checking that they are in order; 0: they are not. */
size_t kb_table_check(const struct table *t);

#ifdef __cplusplus
}
#endif

#endif
