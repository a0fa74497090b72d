/* charge.c [4] -- bytes held, by an arena and its ancestors
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "charge.h"

static bool
charge_one(struct kva_arena *a, size_t bytes)
{
	size_t limit = a->extras ? a->extras->memory_limit : 0;
	size_t held = kva_load_relaxed(&a->charged);

	do {
		if (limit && (held > limit || bytes > limit - held))
			return false;
	} while (!kva_cas_weak_relaxed(&a->charged, &held, held + bytes));
	return true;
}

/* relaxed: the sum alone decides, it guards no other memory. */
bool
kva_arena_charge(struct kva_arena *a, size_t bytes)
{
	for (struct kva_arena *p = a; p; p = p->parent)
		if (!charge_one(p, bytes)) {
			for (struct kva_arena *q = a; q != p; q = q->parent)
				kva_sub_relaxed(&q->charged, bytes);
			return false;
		}
	return true;
}

void
kva_arena_uncharge(struct kva_arena *a, size_t bytes)
{
	for (struct kva_arena *p = a; p; p = p->parent)
		kva_sub_relaxed(&p->charged, bytes);
}

void
kva_arena_charge_again(struct kva_arena *a, size_t bytes)
{
	for (struct kva_arena *p = a; p; p = p->parent)
		kva_add_relaxed(&p->charged, bytes);
}

void
kva_arena_hold(struct kva_arena *a, size_t bytes)
{
	a->bytes.reserved += bytes;
	if (a->bytes.peak < a->bytes.reserved)
		a->bytes.peak = a->bytes.reserved;
}

void
kva_arena_unhold(struct kva_arena *a, size_t bytes)
{
	a->bytes.reserved -= bytes;
	kva_arena_uncharge(a, bytes);
}

void
kva_arena_add_header(struct kva_arena *a, size_t size)
{
	a->bytes.headers += size;
	kva_arena_hold(a, size);
}
