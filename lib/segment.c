/* segment.c [3] -- 2 MiB cut into blocks of one size
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "segment.h"

#include <string.h>

struct kva_segment *
kva_segment_create(struct kva_block *memory, unsigned class)
{
	struct kva_segment *s = kva_os.alloc(sizeof *s, sizeof(void *));

	if (!s)
		return NULL;
	memset(s, 0, sizeof *s);
	s->memory = memory;
	s->class = class;
	s->slots = (unsigned)(memory->capacity / (KVA_SMALLEST_BLOCK << class));
	for (unsigned i = 0; i < s->slots; i++)
		s->cold[i / 64] |= (uint64_t)1 << i % 64;
	return s;
}

void
kva_segment_destroy(struct kva_segment *s)
{
	kva_os.free(s);
}

void
kva_segment_link(struct kva_segment **list, struct kva_segment *s)
{
	s->prev = NULL;
	s->next = *list;
	if (s->next)
		s->next->prev = s;
	*list = s;
}

void
kva_segment_unlink(struct kva_segment **list, struct kva_segment *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		*list = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

/* Make a block of the lowest cold slot, or NULL. Low first: the memory in use
 * stays together, and what lies above may never be touched. */
struct kva_block *
kva_segment_cut(struct kva_segment **list)
{
	struct kva_segment *s = *list;
	size_t size = KVA_SMALLEST_BLOCK << s->class;
	struct kva_block *b = kva_source_describe(NULL, size);
	unsigned word = 0, bit;

	if (!b)
		return NULL;
	while (s->cold[word] == 0)
		word++;
	bit = (unsigned)__builtin_ctzll(s->cold[word]);
	s->cold[word] &= s->cold[word] - 1;
	s->live++;
	b->base = s->memory->base + (word * 64 + bit) * size;
	b->segment = s;
	b->place = s->memory->place;
	b->huge = s->memory->huge;
	b->misplaced = s->memory->misplaced;
	b->refusal = s->memory->refusal;
	b->dirty = s->memory->dirty;
	if (s->live + s->warm == s->slots)
		kva_segment_unlink(list, s);
	return b;
}

static void
make_cold(struct kva_segment **list, struct kva_segment *s, const struct kva_block *b)
{
	unsigned slot = (unsigned)((size_t)(b->base - s->memory->base) / b->capacity);

	if (s->live + s->warm == s->slots - 1)
		kva_segment_link(list, s);
	s->cold[slot / 64] |= (uint64_t)1 << slot % 64;
}

bool
kva_segment_let_go(struct kva_segment **list, struct kva_block *b)
{
	struct kva_segment *s = b->segment;

	if (b->sealed)
		s->slots--;
	else
		make_cold(list, s, b);
	if (s->live + s->warm > 0)
		return false;
	if (s->slots > 0)
		kva_segment_unlink(list, s);
	return true;
}

unsigned
kva_segment_cold(const struct kva_segment *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KVA_SLOT_WORDS; i++)
		n += (unsigned)__builtin_popcountll(s->cold[i]);
	return n;
}
