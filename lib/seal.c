/* seal.c [6] -- arenas that can only be read
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The windows' visible ends are lowered too, so that an allocation from a sealed
 * arena meets the slow path's refusal and not the processor's.
 */
#include "seal.h"
#include "front.h"
#include "shard.h"
#include "size.h"

static bool
has_whole_pages(const struct kva_block *list)
{
	size_t page = kva_os.page();

	for (const struct kva_block *b = list; b; b = b->next)
		if (b->borrowed || kva_padding((uintptr_t)b->base, page) != 0 ||
		    kva_padding(b->capacity, page) != 0)
			return false;
	return true;
}

/* False: the system refuses. */
static bool
seal_blocks(struct kva_block *list, bool sealed)
{
	enum kva_access access = sealed ? KVA_ACCESS_READ : KVA_ACCESS_WRITE;

	for (struct kva_block *b = list; b; b = b->next) {
		if (b->sealed == sealed)
			continue;
		if (kva_os.protect(b->base, b->capacity, access) != 0)
			return false;
		b->sealed = sealed;
	}
	return true;
}

static void
lower(struct kva_window *w, bool sealed)
{
	w->sealed = sealed;
	kva_window_show(w);
}

static void
lower_all(struct kva_arena *a, bool sealed)
{
	for (unsigned i = 0; i < kva_arena_nfronts(a); i++)
		lower(&kva_arena_front(a, (int)i)->window, sealed);
	if (a->team)
		for (struct kva_shard *s = a->team->shards; s; s = s->next)
			lower(&s->window, sealed);
}

int
kva_seal(struct kva_arena *a)
{
	int error;

	if (!has_whole_pages(a->blocks)) {
		errno = ENOTSUP;
		return -1;
	}
	if (!seal_blocks(a->blocks, true)) {
		error = errno;
		if (!seal_blocks(a->blocks, false))	/* then it stays sealed in part */
			lower_all(a, true);
		errno = error;
		return -1;
	}
	lower_all(a, true);
	return 0;
}

int
kva_unseal(struct kva_arena *a)
{
	if (!kva_arena_is_sealed(a))
		return 0;
	if (!seal_blocks(a->blocks, false))
		return -1;
	lower_all(a, false);
	return 0;
}

void
kva_seal_end(struct kva_arena *a)
{
	if (kva_arena_is_sealed(a))
		lower_all(a, false);
}
