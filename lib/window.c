/* window.c [4] -- the part of a block that one thread bumps through
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "window.h"
#include "size.h"
#include "watch.h"

#include <string.h>

#define COUNTED_ROOM ((size_t)32 << 10)	/* W3 */

/* What an empty window looks at: NULL - NULL is undefined. */
static char nothing[KV_ARENA_ALIGNMENT] __attribute__((__aligned__(KV_ARENA_ALIGNMENT)));

void
kva_window_init(struct kva_window *w, uint64_t key, uint16_t gap)
{
	memset(w, 0, sizeof *w);
	w->bump.key = key;
	w->gap = gap;
	w->lowered = gap > 0;
	kva_window_shut(w);
}

void
kva_window_open(struct kva_window *w, char *start, size_t size)
{
	w->start = start;
	kva_store_relaxed(&w->bump.cur, start);
	w->top = start + size;
	kva_store_relaxed(&w->limit, w->top);
	kva_window_show(w);
}

void
kva_window_shut(struct kva_window *w)
{
	kva_window_open(w, nothing, 0);
}

void
kva_window_extend(struct kva_window *w, size_t more)
{
	assert(!kva_window_has_packed(w));
	w->top += more;
	kva_store_relaxed(&w->limit, w->top);
	kva_window_show(w);
}

char *
kva_window_cut(struct kva_window *w, size_t size)
{
	char *p = w->bump.cur;

	assert(size <= kva_window_room(w));
	kva_store_relaxed(&w->bump.cur, p + size);
	w->start = w->bump.cur;
	kva_window_show(w);
	return p;
}

void
kva_window_show(struct kva_window *w)
{
	size_t room = kva_window_room(w);

	if (w->lowered)
		room = 0;
	else if (room > COUNTED_ROOM && (w->bump.key & KV_ARENA_KEY_COUNTED))
		room = COUNTED_ROOM;
	w->bump.end = w->bump.cur + kva_round_down(room, KV_ARENA_ALIGNMENT);
	w->shown += room + KV_ARENA_ALIGNMENT;
}

bool
kva_window_fits(const struct kva_window *w, size_t size, size_t alignment)
{
	size_t room = kva_window_room(w), pad;

	if (alignment < KV_ARENA_ALIGNMENT) {
		pad = (uintptr_t)w->limit & (alignment - 1);
		return kva_fits_after(room, pad, size);
	}
	pad = kva_padding((uintptr_t)w->bump.cur, alignment);
	return size <= KVA_SIZE_LIMIT && kva_fits_after(room, pad,
		kva_round_up(size, KV_ARENA_ALIGNMENT) + w->gap);
}

void
kva_window_tally(struct kva_window *w, size_t size)
{
	uint64_t *t = &w->bump.tally[kva_bucket(size, KV_ARENA_TALLIES - 1)];

	w->shown += size;
	if (w->bump.key & KV_ARENA_KEY_COUNTED)
		kva_store_relaxed(t, *t + KV_ARENA_TALLY_ONE + size);
}

void
kva_window_untally(struct kva_window *w, size_t size)
{
	uint64_t *t = &w->bump.tally[kva_bucket(size, KV_ARENA_TALLIES - 1)];

	if (w->bump.key & KV_ARENA_KEY_COUNTED)
		kva_store_relaxed(t, *t - KV_ARENA_TALLY_ONE - size);
}

static void *
take_packed(struct kva_window *w, size_t size, size_t alignment)
{
	uintptr_t pad = (uintptr_t)w->limit & (alignment - 1);
	char *p = w->limit - pad - size;

	kva_store_relaxed(&w->limit, p);
	return p;
}

void *
kva_window_take(struct kva_window *w, size_t size, size_t alignment)
{
	char *p;

	if (!kva_window_fits(w, size, alignment))
		return NULL;
	if (alignment < KV_ARENA_ALIGNMENT) {
		p = take_packed(w, size, alignment);
	} else {
		p = w->bump.cur + kva_padding((uintptr_t)w->bump.cur, alignment);
		kva_store_relaxed(&w->bump.cur,
			p + kva_round_up(size, KV_ARENA_ALIGNMENT) + w->gap);
	}
	kva_window_tally(w, size);
	kva_window_show(w);
	if (w->lowered)
		kva_watch_allow(p, size);
	return p;
}

bool
kva_window_is_last(const struct kva_window *w, const void *p, size_t size)
{
	const char *at = p;
	size_t held = kva_round_up(size, KV_ARENA_ALIGNMENT) + w->gap;

	return at >= w->start && at + held == w->bump.cur;
}

bool
kva_window_resize(struct kva_window *w, void *p, size_t old_size, size_t new_size)
{
	char *at = p;
	size_t held = kva_round_up(old_size, KV_ARENA_ALIGNMENT) + w->gap;
	size_t want = kva_round_up(new_size, KV_ARENA_ALIGNMENT) + w->gap;

	if (new_size == 0)
		want = 0;
	if (!kva_window_is_last(w, p, old_size))
		return false;
	if (want > held && want - held > kva_window_room(w))
		return false;
	kva_store_relaxed(&w->bump.cur, at + want);
	kva_bump_relaxed(&w->regrown, (int64_t)new_size - (int64_t)old_size);
	kva_window_show(w);
	if (w->lowered) {
		kva_watch_forbid(at, held > want ? held : want);
		kva_watch_restore(at, old_size < new_size ? old_size : new_size);
		if (new_size > old_size)
			kva_watch_allow(at + old_size, new_size - old_size);
	}
	return true;
}

void
kva_window_count(const struct kva_window *w, struct kva_counts *sum)
{
	for (unsigned i = 0; i < KV_ARENA_TALLIES; i++) {
		uint64_t t = kva_load_relaxed(&w->bump.tally[i]);

		sum->calls[i] += t / KV_ARENA_TALLY_ONE;
		sum->bytes += t % KV_ARENA_TALLY_ONE;
	}
	sum->bytes += (uint64_t)kva_load_relaxed(&w->regrown);
}

void
kva_window_fold(struct kva_window *w, struct kva_counts *counts)
{
	if (counts)
		kva_window_count(w, counts);
	for (unsigned i = 0; i < KV_ARENA_TALLIES; i++)
		kva_store_relaxed(&w->bump.tally[i], 0);
	kva_store_relaxed(&w->regrown, 0);
	w->shown = 0;
}
