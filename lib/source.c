/* source.c [2] -- where blocks come from
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "source.h"
#include "atomic.h"
#include "size.h"
#include "watch.h"

#include <stdlib.h>

static int place_errno;		/* atomic; relaxed: only told to people */

struct kva_block *
kva_source_describe(char *base, size_t size)
{
	struct kva_block *b = kva_os.alloc(sizeof *b, sizeof(void *));

	if (b)
		*b = (struct kva_block){ .base = base, .capacity = size };
	return b;
}

void
kva_source_forget(struct kva_block *b)
{
	kva_os.free(b);
}

/* Place fresh memory. A refusal is counted and borne, but for a bound place. */
static bool
put_in_place(struct kva_block *b)
{
	if (b->place == KVA_PLACE_ANY)
		return true;
	if (kva_os.bind(b->base, b->capacity, b->place) == 0)
		return true;
	kva_store_relaxed(&place_errno, errno);
	b->misplaced = true;
	return !kva_place_is_bind(b->place);
}

struct kva_block *
kva_source_map(size_t size, kva_place_t place, bool huge)
{
	size_t alignment = size >= KVA_SEGMENT_SIZE ? KVA_SEGMENT_SIZE : kva_os.page();
	struct kva_block *b = kva_source_describe(NULL, size);
	int error;

	if (!b)
		return NULL;
	b->base = kva_os.map(size, alignment);
	if (!b->base) {
		kva_source_forget(b);
		errno = ENOMEM;
		return NULL;
	}
	b->place = place;
	b->huge = huge;
	if (size >= KVA_SEGMENT_SIZE)	/* refused: ordinary pages serve too */
		kva_os.huge(b->base, size, huge);
	if (!put_in_place(b)) {
		error = errno;
		kva_source_unmap(b);
		errno = error;
		return NULL;
	}
	kva_os.label(b->base, size, "kvarena");
	kva_watch_forbid(b->base, size);
	return b;
}

static void
unmap_or_empty(void *p, size_t size)
{
	if (kva_os.unmap(p, size) != 0)
		kva_os.discard(p, size);
}

void
kva_source_unmap(struct kva_block *b)
{
	kva_watch_restore(b->base, b->capacity);
	unmap_or_empty(b->base, b->capacity);
	kva_source_forget(b);
}

struct kva_block *
kva_source_take(const kv_arena_block_source_t *from, size_t size)
{
	struct kva_block *b = kva_source_describe(NULL, size);

	if (!b)
		return NULL;
	b->base = from->take(from->context, size);
	if (b->base && kva_padding((uintptr_t)b->base, 16) == 0) {
		b->dirty = true;
		kva_watch_forbid(b->base, size);
		return b;
	}
	if (b->base)	/* misaligned: we cannot use what we were given */
		from->give(from->context, b->base, size);
	kva_source_forget(b);
	errno = ENOMEM;
	return NULL;
}

void
kva_source_give(const kv_arena_block_source_t *from, struct kva_block *b)
{
	kva_watch_restore(b->base, b->capacity);
	from->give(from->context, b->base, b->capacity);
	kva_source_forget(b);
}

int
kva_source_place_errno(void)
{
	return kva_load_relaxed(&place_errno);
}

static void *
take_malloc(void *context, size_t size)
{
	(void)context;
	return malloc(size);
}

static void
give_malloc(void *context, void *block, size_t size)
{
	(void)context, (void)size;
	free(block);
}

static void *
take_pages(void *context, size_t size)
{
	(void)context;
	return kva_os.map(kva_round_up(size, kva_os.page()), kva_os.page());
}

static void
give_pages(void *context, void *block, size_t size)
{
	(void)context;
	unmap_or_empty(block, kva_round_up(size, kva_os.page()));
}

kv_arena_block_source_t
kv_arena_source_malloc(void)
{
	return (kv_arena_block_source_t){ take_malloc, give_malloc, NULL };
}

kv_arena_block_source_t
kv_arena_source_pages(void)
{
	return (kv_arena_block_source_t){ take_pages, give_pages, NULL };
}
