/* source.c [2] -- where blocks come from
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "source.h"
#include "atomic.h"
#include "size.h"
#include "watch.h"

#include <stdio.h>
#include <string.h>

/* What became of the last placements; relaxed: only told to people. */
static struct {
	int error;
	bool is_forbidden;
} placing;

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

static void
note_refusal(int error)
{
	if (error == EPERM || error == ENOSYS || error == ENOTSUP)
		kva_store_relaxed(&placing.is_forbidden, true);
	kva_store_relaxed(&placing.error, error);
}

/* Place fresh memory. A refusal is counted and borne, but for a bound place. */
static bool
put_in_place(struct kva_block *b)
{
	if (b->place == KVA_PLACE_ANY)
		return true;
	kva_watch_atomic(&placing, sizeof placing);
	if (kva_os.bind(b->base, b->capacity, b->place) == 0) {
		kva_store_relaxed(&placing.is_forbidden, false);
		return true;
	}
	note_refusal(errno);
	b->misplaced = true;
	b->refusal = (uint8_t)errno;
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
	b->base = kva_os.map(size, alignment, place);
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

/* Linux takes what can be printed, but for a few characters. */
static bool
is_name(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || strchr("\\`$[]", *s))
			return false;
	return true;
}

/* What is remembered of a label; 0 of none. FNV-1a, but for where it starts. */
static uint32_t
sum_of(const char *name)
{
	uint32_t sum = 0;

	for (; *name; name++)
		sum = (sum ^ (unsigned char)*name) * 16777619u;
	return sum;
}

void
kva_source_name(struct kva_block *b, const char *name)
{
	char label[64];
	uint32_t sum;

	name = is_name(name) ? name : "";
	sum = sum_of(name);
	if (sum == b->label)
		return;
	snprintf(label, sizeof label, "kvarena%s%s", *name ? ":" : "", name);
	kva_os.label(b->base, b->capacity, label);
	b->label = sum;
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

/* Whether the ends of a block still lie on its node: when a node goes away, the system
 * moves what lay there, and forgets that it was bound. */
static bool
is_still_there(const struct kva_block *b)
{
	void *ends[] = { b->base, b->base + b->capacity - kva_os.page() };
	int node[] = { -1, -1 }, wanted = kva_place_node(b->place);

	if (kva_os.where(ends, node, 2) != 0)
		return true;	/* not told */
	return (node[0] < 0 || node[0] == wanted) && (node[1] < 0 || node[1] == wanted);
}

static int
populate(struct kva_block *b)
{
	int result;

	if (kva_os.bind(b->base, b->capacity, b->place) != 0)
		return -1;
	kva_watch_restore(b->base, b->capacity);
	result = kva_os.populate(b->base, b->capacity);
	kva_watch_forbid(b->base, b->capacity);
	return result;
}

int
kva_source_commit(struct kva_block *b)
{
	int result = 0;

	if (!kva_place_is_bind(b->place))
		return 0;
	if (!b->warm) {
		result = populate(b);
	} else if (!is_still_there(b)) {
		errno = EINVAL;
		result = -1;
	}
	if (result != 0)
		note_refusal(errno);
	return result;
}

int
kva_source_place_errno(void)
{
	return kva_load_relaxed(&placing.error);
}

bool
kva_source_may_place(void)
{
	return !kva_load_relaxed(&placing.is_forbidden);
}

static void *
take_malloc(void *context, size_t size)
{
	(void)context;
	return kva_os.alloc(size, 16);	/* malloc of some aligns to 8 */
}

static void
give_malloc(void *context, void *block, size_t size)
{
	(void)context, (void)size;
	kva_os.free(block);
}

static void *
take_pages(void *context, size_t size)
{
	(void)context;
	return kva_os.map(kva_round_up(size, kva_os.page()), kva_os.page(),
		KVA_PLACE_ANY);
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
