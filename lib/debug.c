/* debug.c [6] -- misuse found while the program runs
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A fence lies in the gap that a watched window leaves behind each allocation:
 *
 *	| allocation | slack to 8 bytes | fence |
 *
 * What a thread writes past its allocation hits the slack or the fence.
 */
#include "debug.h"
#include "holding.h"
#include "oom.h"
#include "panic.h"
#include "shard.h"
#include "size.h"
#include "thread.h"
#include "watch.h"

#include <string.h>

#define SLACK 0xA5		/* between an allocation and its fence */
#define ENDED 0xDB		/* memory whose life is over */

static_assert(sizeof(struct kva_fence) <= KVA_FENCE_GAP, "fits the gap");

bool
kva_debug_is_fenced(const struct kva_arena *a)
{
	return (a->setup.debug >= KV_ARENA_DEBUG_FILL || a->setup.traced) &&
		!kva_watch_on();
}

static bool
is_looked_at(const struct kva_arena *a)
{
	return a->setup.debug >= KV_ARENA_DEBUG_FILL && !kva_watch_on();
}

/* ---- Two threads in one arena ------------------------------------------------ */

static _Noreturn void
accuse(const struct kva_arena *a, uint32_t inside, uint32_t me)
{
	char path[256];

	kva_oom_path(a, path, sizeof path);
	kva_panic("arena %s: thread %u allocates while thread %u does: an UNSAFE "
		"arena serves one thread at a time", path, me, inside);
}

/* relaxed: a word that says who, seen late at worst; misuse is often caught, never
 * invented. */
void
kva_debug_enter(struct kva_arena *a)
{
	uint32_t me = (uint32_t)kva_thread_token();
	uint32_t inside = kva_load_relaxed(&a->front.window.visitor);

	if (kva_unlikely(inside != 0 && inside != me))
		accuse(a, inside, me);
	kva_store_relaxed(&a->front.window.visitor, me);
}

void
kva_debug_leave(struct kva_arena *a)
{
	uint32_t me = (uint32_t)kva_thread_token();
	uint32_t inside = kva_load_relaxed(&a->front.window.visitor);

	if (kva_unlikely(inside != me))
		accuse(a, inside, me);
	kva_store_relaxed(&a->front.window.visitor, 0);
}

/* ---- Fences --------------------------------------------------------------------- */

static _Noreturn void
report(const struct kva_arena *a, const char *what, const char *p, size_t size)
{
	char path[256];

	kva_oom_path(a, path, sizeof path);
	kva_panic("arena %s: %s %zu bytes at %p", path, what, size, (const void *)p);
}

static bool
is_all(const char *p, size_t size, unsigned char byte)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)p[i] != byte)
			return false;
	return true;
}

/* The block that an allocation of the arena lies in. */
static const struct kva_block *
block_of(const struct kva_arena *a, const char *p)
{
	const struct kva_block *b = a->blocks;

	while ((uintptr_t)p - (uintptr_t)b->base >= b->capacity)
		b = b->next;
	return b;
}

static void
check_untouched(struct kva_arena *a, const char *p, size_t size)
{
	kva_arena_lock(a);
	if (block_of(a, p)->filled && !is_all(p, size, ENDED))
		report(a, "written after the reset that ended it, before it became",
			p, size);
	kva_arena_unlock(a);
}

void
kva_debug_fence(struct kva_arena *a, char *p, size_t size)
{
	size_t whole = kva_round_up(size, KV_ARENA_ALIGNMENT);
	struct kva_fence *f = (struct kva_fence *)(void *)(p + whole);

	if (!kva_debug_is_fenced(a))
		return;
	if (is_looked_at(a))
		check_untouched(a, p, size);
	memset(p + size, SLACK, whole - size);
	f->canary = kva_fence_canary(f, KVA_CANARY);
	f->start = p;
	f->size = size;
	f->older = kva_load_relaxed(&a->extras->fences);
	while (!kva_cas_weak_relaxed(&a->extras->fences, &f->older, f))
		;
}

void
kva_debug_moved(struct kva_arena *a, char *p, size_t size, const void *caller)
{
	struct kva_fence *f = (struct kva_fence *)(void *)
		(p + kva_round_up(size, KV_ARENA_ALIGNMENT));

	if (!a->setup.traced || f->canary != kva_fence_canary(f, KVA_CANARY))
		return;
	f->canary = kva_fence_canary(f, KVA_CANARY_ENDED);
	kvarena_record_free(p, caller);
}

static bool
is_whole(const struct kva_fence *f)
{
	return f->canary == kva_fence_canary(f, KVA_CANARY) ||
		f->canary == kva_fence_canary(f, KVA_CANARY_ENDED);
}

void
kva_debug_verify(struct kva_arena *a)
{
	if (!is_looked_at(a))
		return;
	for (struct kva_fence *f = a->extras->fences; f; f = f->older) {
		if (!is_whole(f))
			report(a, "written past the end of an allocation before", (char *)f,
				sizeof *f);
		if (!is_all(f->start + f->size, (size_t)((char *)f - f->start) - f->size,
			    SLACK))
			report(a, "written past the end of", f->start, f->size);
	}
}

static void
fill(struct kva_block *list)
{
	for (struct kva_block *b = list; b; b = b->next) {
		memset(b->base, ENDED, b->capacity);
		b->filled = true;
	}
}

/* A zeroed arena clears its memory, and so cannot find it filled. */
void
kva_debug_ended(struct kva_arena *a)
{
	if (!is_looked_at(a) || a->setup.zero)
		return;
	fill(a->blocks);
	fill(a->spares);
}

void
kva_debug_rewound(struct kva_arena *a)
{
	if (!is_looked_at(a))
		return;
	for (struct kva_block *b = a->blocks; b; b = b->next)
		b->filled = false;	/* part of it may have been written */
}

void
kva_debug_part(struct kva_arena *a)
{
	if (!kva_debug_is_fenced(a))
		return;
	kva_debug_verify(a);
	a->extras->fences = NULL;
}
