/* loops.h -- the measured loops, once for each peer that includes this
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The includer defines
 *	KB_ARENA		the type life.arena points to
 *	KB_ALLOC(a, l, size)	an expression: size bytes from arena a in life l
 * and gets a static const struct loops named kb_loops. So each peer's allocation
 * is compiled into its own loops, as in a program that uses it, and none pays an
 * indirect call. Sizes come from memory for everyone: no compiler sees them.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "memtable.h"
#include "ticks.h"

#define KB_INLINE static inline __attribute__((__always_inline__))
/* The same alignment for every peer, or luck decides a tenth of a nanosecond. */
#define KB_LOOP static __attribute__((__noinline__, __aligned__(64)))

KB_INLINE void *
kb_one(KB_ARENA *a, struct life *l, size_t size, bool locked)
{
	void *p;

	(void)a;
	(void)l;
	if (locked)
		pthread_mutex_lock(l->lock);
	p = KB_ALLOC(a, l, size);
	if (locked)
		pthread_mutex_unlock(l->lock);
	return p;
}

KB_INLINE void
kb_use(void *p, size_t size, enum touch touch)
{
	const uint64_t word = 0x0101010101010101u;

	if (touch == TOUCH_WHOLE)
		memset(p, 1, size);
	else if (touch == TOUCH_WORD && size >= sizeof word)
		memcpy(p, &word, sizeof word);
	else if (touch == TOUCH_WORD)
		*(unsigned char *)p = 1;
	kb_sink(p);
}

KB_INLINE void
kb_pass(struct life *l, const uint32_t *sizes, size_t n, enum touch touch,
	bool locked)
{
	KB_ARENA *a = (KB_ARENA *)l->arena;

	for (size_t i = 0; i < n; i++)
		kb_use(kb_one(a, l, sizes[i], locked), sizes[i], touch);
}

#define KB_PASS(name, touch, locked)					\
	KB_LOOP void							\
	name(struct life *l, const uint32_t *sizes, size_t n)		\
	{								\
		kb_pass(l, sizes, n, touch, locked);			\
	}
KB_PASS(kb_pass_none, TOUCH_NONE, false)
KB_PASS(kb_pass_word, TOUCH_WORD, false)
KB_PASS(kb_pass_whole, TOUCH_WHOLE, false)
KB_PASS(kb_locked_none, TOUCH_NONE, true)
KB_PASS(kb_locked_word, TOUCH_WORD, true)
KB_PASS(kb_locked_whole, TOUCH_WHOLE, true)

KB_LOOP void
kb_timed(struct life *l, const uint32_t *sizes, size_t n, uint32_t *ticks)
{
	KB_ARENA *a = (KB_ARENA *)l->arena;

	for (size_t i = 0; i < n; i++) {
		uint64_t begin = kb_ticks_begin();
		void *p = kb_one(a, l, sizes[i], false);

		kb_sink(p);
		ticks[i] = (uint32_t)(kb_ticks_end() - begin);
	}
}

/* Insert every step-th record from first. As LevelDB does, a record is copied
 * into one piece and its node is another. */
KB_INLINE void
kb_fill_with(struct life *l, struct table *t, size_t first, size_t step,
	bool locked)
{
	KB_ARENA *a = (KB_ARENA *)l->arena;

	for (size_t i = first; i < t->nrecords; i += step) {
		const struct record *r = &t->records[i];
		unsigned height = kb_table_height(i);
		char *entry = (char *)kb_one(a, l, kb_entry_size(r), locked);
		struct node *node = (struct node *)kb_one(a, l,
			kb_node_size(height), locked);

		kb_table_insert(t, node, height, kb_entry_write(entry, r, i));
	}
}

KB_LOOP void
kb_fill(struct life *l, struct table *t, size_t first, size_t step)
{
	kb_fill_with(l, t, first, step, false);
}

KB_LOOP void
kb_fill_locked(struct life *l, struct table *t, size_t first, size_t step)
{
	kb_fill_with(l, t, first, step, true);
}

/* Fill every piece with its own pattern and read all of them back: a peer that
 * hands out overlapping or misaligned memory is not measured. */
KB_LOOP bool
kb_verify(struct life *l, const uint32_t *sizes, size_t n, unsigned char **where)
{
	KB_ARENA *a = (KB_ARENA *)l->arena;

	for (size_t i = 0; i < n; i++) {
		where[i] = (unsigned char *)kb_one(a, l, sizes[i], false);
		if (!where[i] || (uintptr_t)where[i] % 8)
			return false;
		memset(where[i], (int)(i % 251), sizes[i]);
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < sizes[i]; j++) {
			if (where[i][j] != i % 251)
				return false;
		}
	}
	return true;
}

static const struct loops kb_loops = {
	{ kb_pass_none, kb_pass_word, kb_pass_whole },
	{ kb_locked_none, kb_locked_word, kb_locked_whole },
	kb_timed, kb_fill, kb_fill_locked, kb_verify,
};
