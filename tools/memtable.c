/* memtable.c -- the table of a storage engine, held in memory: a skip list
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "memtable.h"

#include <stdbool.h>
#include <string.h>

/* A place in the table: for each level the link that leads to the first entry at
 * or after what was looked for, and that entry. */
struct place {
	struct memtable_entry *_Atomic *link[MEMTABLE_HEIGHT];
	struct memtable_entry *after[MEMTABLE_HEIGHT];
};

const char *
memtable_key(const struct memtable_entry *entry)
{
	return (const char *)&entry->next[entry->height];
}

/* Whether the entry comes before this key and sequence: keys in order of their
 * bytes, the newest of a key first. */
static bool
is_before(const struct memtable_entry *entry, const char *key, uint32_t key_size,
	uint64_t sequence)
{
	uint32_t shared = entry->key_size < key_size ? entry->key_size : key_size;
	int order = memcmp(memtable_key(entry), key, shared);

	if (order != 0)
		return order < 0;
	if (entry->key_size != key_size)
		return entry->key_size < key_size;
	return entry->sequence > sequence;
}

/* Go right along one level from a link, to the last link that leads too far. */
static struct memtable_entry *_Atomic *
go_right(struct memtable_entry *_Atomic *link, unsigned level, const char *key,
	uint32_t key_size, uint64_t sequence, struct memtable_entry **after)
{
	struct memtable_entry *e = atomic_load_explicit(link,
		memory_order_acquire);					/* M1 */

	while (e != NULL && is_before(e, key, key_size, sequence)) {
		link = &e->next[level];
		e = atomic_load_explicit(link, memory_order_acquire);	/* M1 */
	}
	*after = e;
	return link;
}

static void
find(const struct memtable *t, const char *key, uint32_t key_size,
	uint64_t sequence, struct place *place)
{
	/* The links are ours to change in put only. */
	struct memtable *table = (struct memtable *)(uintptr_t)t;
	struct memtable_entry *_Atomic *link = &table->first[MEMTABLE_HEIGHT - 1];

	for (unsigned level = MEMTABLE_HEIGHT; level-- > 0; ) {
		link = go_right(link, level, key, key_size, sequence,
			&place->after[level]);
		place->link[level] = link;
		/* One level down the same entry, or the table, has the link. */
		if (level > 0)
			link--;
	}
}

/* Each level has a quarter of the entries of the one below. The same sequence has
 * the same height in every run. */
static uint32_t
height_of(uint64_t sequence)
{
	uint64_t x = (sequence + 1) * 0x9e3779b97f4a7c15;
	uint32_t height;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x ^= x >> 27;
	for (height = 1; height < MEMTABLE_HEIGHT && x % 4 == 0; height++)
		x /= 4;
	return height;
}

/* Link an entry into one level; others may be doing the same next to it. */
static void
link_entry(struct memtable_entry *e, unsigned level, struct place *place)
{
	struct memtable_entry *_Atomic *link = place->link[level];
	struct memtable_entry *after = place->after[level];

	for (;;) {
		/* relaxed: the CAS publishes it */
		atomic_store_explicit(&e->next[level], after,
			memory_order_relaxed);
		if (atomic_compare_exchange_strong_explicit(link, &after, e,
			memory_order_release, memory_order_relaxed))	/* M1 */
			return;
		link = go_right(link, level, memtable_key(e), e->key_size,
			e->sequence, &after);
	}
}

void
memtable_start(struct memtable *t, struct memtable_memory memory)
{
	t->memory = memory;
	for (unsigned i = 0; i < MEMTABLE_HEIGHT; i++)
		atomic_init(&t->first[i], NULL);
}

int
memtable_put(struct memtable *t, const char *key, uint32_t key_size,
	uint64_t sequence, uint64_t value)
{
	uint32_t height = height_of(sequence);
	struct memtable_entry *e = t->memory.take(t->memory.context, sizeof *e +
		height * sizeof e->next[0] + key_size);
	struct place place;

	if (e == NULL)
		return -1;
	e->sequence = sequence;
	e->value = value;
	e->key_size = key_size;
	e->height = height;
	memcpy(&e->next[height], key, key_size);
	find(t, key, key_size, sequence, &place);
	for (unsigned level = 0; level < height; level++)
		link_entry(e, level, &place);
	return 0;
}

const struct memtable_entry *
memtable_get(const struct memtable *t, const char *key, uint32_t key_size)
{
	struct place place;
	const struct memtable_entry *e;

	find(t, key, key_size, UINT64_MAX, &place);
	e = place.after[0];
	if (e == NULL || e->key_size != key_size ||
		memcmp(memtable_key(e), key, key_size) != 0)
		return NULL;
	return e;
}

const struct memtable_entry *
memtable_next(const struct memtable *t, const struct memtable_entry *entry)
{
	return atomic_load_explicit(entry == NULL ? &t->first[0] : &entry->next[0],
		memory_order_acquire);					/* M1 */
}

void
memtable_clear(struct memtable *t, void (*give)(void *entry))
{
	struct memtable_entry *e = atomic_load(&t->first[0]), *next;

	for (; e != NULL; e = next) {
		next = atomic_load(&e->next[0]);
		give(e);
	}
	memtable_start(t, t->memory);
}
