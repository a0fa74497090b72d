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
	w->watched = gap > 0;
	kva_window_shut(w);
}

static void
set_strip(struct kva_window *w, char *packed, char *end)
{
	kva_store_relaxed(&w->packed, packed);
	kva_store_relaxed(&w->strip_end, end);
}

void
kva_window_sample(struct kva_window *w, struct kva_sampler *s, uint64_t interval,
	uint64_t seed)
{
	memset(s, 0, sizeof *s);
	kva_lot_begin(&s->lot, interval, seed);
	s->counted = w->bump.cur;
	w->sampler = s;
}

KVA_COLD void
kva_window_catch_up(struct kva_window *w)
{
	struct kva_sampler *s = w->sampler;

	assert((uint64_t)(w->bump.cur - s->counted) <= s->lot.until);
	s->lot.until -= (uint64_t)(w->bump.cur - s->counted);
	s->counted = w->bump.cur;
}

static KVA_COLD void
draw(struct kva_window *w, size_t n, struct kva_amounts amounts)
{
	struct kva_sampler *s = w->sampler;
	double chance;

	kva_window_catch_up(w);
	if (!kva_lot_draw(&s->lot, n))
		return;
	chance = kva_lot_chance(s->lot.interval, n);
	for (unsigned i = 0; i < KVA_AMOUNTS; i++)
		s->pick.of[i] = amounts.of[i] / chance;
	s->has_pick = true;
}

void
kva_window_draw(struct kva_window *w, size_t bytes, unsigned objects, size_t padding)
{
	if (kva_unlikely(w->sampler != NULL))
		draw(w, bytes, (struct kva_amounts){{
			[KVA_BYTES] = (double)bytes, [KVA_OBJECTS] = objects,
			[KVA_PADDING] = (double)padding,
		}});
}

void
kva_window_draw_abandoned(struct kva_window *w, size_t bytes)
{
	if (kva_unlikely(w->sampler != NULL))
		draw(w, bytes, (struct kva_amounts){{
			[KVA_ABANDONED] = (double)bytes,
		}});
}

bool
kva_window_pick(struct kva_window *w, struct kva_amounts *pick)
{
	struct kva_sampler *s = w->sampler;

	if (!s->has_pick)
		return false;
	*pick = s->pick;
	s->has_pick = false;
	return true;
}

void
kva_window_open(struct kva_window *w, char *start, size_t size)
{
	w->start = start;
	kva_window_move(w, start);
	w->limit = start + size;
	set_strip(w, start, start);
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
	w->limit += more;
	kva_window_show(w);
}

char *
kva_window_cut(struct kva_window *w, size_t size)
{
	char *p = w->bump.cur;

	assert(size <= kva_window_room(w));
	kva_window_move(w, p + size);
	w->start = p + size;
	set_strip(w, w->start, w->start);
	kva_window_show(w);
	return p;
}

void
kva_window_show(struct kva_window *w)
{
	size_t room = kva_window_room(w);

	/* Then every call comes to us; the last is F3. */
	if (w->watched || w->sealed ||
		(uintptr_t)w->limit > UINTPTR_MAX - KV_ARENA_QUICK)
		room = 0;
	else if (room > COUNTED_ROOM && kva_window_is_counted(w))
		room = COUNTED_ROOM;
	if (kva_unlikely(w->sampler != NULL)) {
		kva_window_catch_up(w);
		if (room > w->sampler->lot.until)	/* W5 */
			room = (size_t)w->sampler->lot.until;
	}
	w->bump.end = w->bump.cur + kva_round_down(room, KV_ARENA_ALIGNMENT);
	w->shown += room + KV_ARENA_ALIGNMENT;
}

/* Bytes to the next packed allocation, and those it needs beyond the strip. */
static size_t
strip_pad(const struct kva_window *w, size_t alignment)
{
	return kva_padding((uintptr_t)w->packed, alignment);
}

static bool
is_strip_last(const struct kva_window *w)
{
	return w->strip_end == w->bump.cur;
}

/* What a request moves cur by; more than any room: it is too large. A watched
 * window packs nothing: each allocation has its gap. */
static size_t
advance_of(const struct kva_window *w, size_t size, size_t alignment)
{
	size_t strip = kva_window_slack(w), pad;

	if (size > KVA_SIZE_LIMIT || alignment > KVA_SIZE_LIMIT)
		return SIZE_MAX;
	if (alignment >= KV_ARENA_ALIGNMENT || w->gap)
		return kva_padding((uintptr_t)w->bump.cur, alignment) +
			kva_round_up(size, KV_ARENA_ALIGNMENT) + w->gap;
	pad = strip_pad(w, alignment);
	if (kva_fits_after(strip, pad, size))
		return 0;
	if (is_strip_last(w))
		return kva_round_up(pad + size - strip, KV_ARENA_ALIGNMENT);
	return kva_round_up(size, KV_ARENA_ALIGNMENT);
}

bool
kva_window_fits(const struct kva_window *w, size_t size, size_t alignment)
{
	return advance_of(w, size, alignment) <= kva_window_room(w);
}

void
kva_window_tally(struct kva_window *w, size_t size)
{
	uint64_t *t = &w->bump.tally[kva_bucket(size, KV_ARENA_TALLIES - 1)];

	w->shown += size;
	if (kva_window_is_counted(w))
		kva_store_relaxed(t, *t + KV_ARENA_TALLY_ONE + size);
}

void
kva_window_untally(struct kva_window *w, size_t size)
{
	uint64_t *t = &w->bump.tally[kva_bucket(size, KV_ARENA_TALLIES - 1)];

	if (kva_window_is_counted(w))
		kva_store_relaxed(t, *t - KV_ARENA_TALLY_ONE - size);
	if (w->sampler)
		w->sampler->has_pick = false;
}

/* Move on by what advance_of said, and keep the strip with it. */
static char *
take_packed(struct kva_window *w, size_t size, size_t alignment, size_t advance)
{
	char *cur = w->bump.cur, *end = w->strip_end, *p;

	if (advance > 0) {
		if (!is_strip_last(w))
			set_strip(w, cur, cur);
		end = cur + advance;
		kva_window_move(w, end);
	}
	p = w->packed + strip_pad(w, alignment);
	set_strip(w, p + size, end);
	return p;
}

static void *
take(struct kva_window *w, size_t size, size_t alignment)
{
	size_t advance = advance_of(w, size, alignment);
	char *p;

	if (advance > kva_window_room(w))
		return NULL;
	if (alignment < KV_ARENA_ALIGNMENT && !w->gap) {
		p = take_packed(w, size, alignment, advance);
	} else {
		p = w->bump.cur + kva_padding((uintptr_t)w->bump.cur, alignment);
		kva_window_move(w, w->bump.cur + advance);
	}
	kva_window_tally(w, size);
	kva_window_show(w);
	if (w->watched)
		kva_watch_allow(p, size);
	return p;
}

static KVA_COLD void *
take_sampled(struct kva_window *w, size_t size, size_t alignment)
{
	size_t used = kva_window_used(w);
	void *p = take(w, size, alignment);

	if (p) {
		kva_window_draw(w, size, 1, kva_window_used(w) - used - size);
		kva_window_show(w);
	}
	return p;
}

void *
kva_window_take(struct kva_window *w, size_t size, size_t alignment)
{
	if (kva_unlikely(w->sampler != NULL))
		return take_sampled(w, size, alignment);
	return take(w, size, alignment);
}

void *
kva_window_take_plain(struct kva_window *w, size_t size)
{
	size_t room = kva_window_room(w);
	char *p = w->bump.cur;

	/* What fits in the rounded room does so when it is rounded itself. */
	if (size > kva_round_down(room, KV_ARENA_ALIGNMENT) || w->gap || w->sealed ||
		w->sampler || kva_window_is_due(w))
		return NULL;
	w->bump.end = p + kva_round_up(size, KV_ARENA_ALIGNMENT);
	kva_store_relaxed(&w->bump.cur, w->bump.end);
	w->shown += KV_ARENA_ALIGNMENT;
	kva_window_tally(w, size);
	return p;
}

static bool
is_last_packed(const struct kva_window *w, const char *p, size_t size)
{
	return is_strip_last(w) && p + size == w->packed && p >= w->start &&
		w->packed > w->start;
}

static bool
is_last_aligned(const struct kva_window *w, const char *p, size_t size)
{
	return p >= w->start && !is_strip_last(w) &&
		p + kva_round_up(size, KV_ARENA_ALIGNMENT) + w->gap == w->bump.cur;
}

bool
kva_window_is_last(const struct kva_window *w, const void *p, size_t size)
{
	return is_last_packed(w, p, size) || is_last_aligned(w, p, size);
}

/* Both kinds end where cur is; they differ in what follows the last byte. */
bool
kva_window_resize(struct kva_window *w, void *p, size_t old_size, size_t new_size)
{
	char *at = p, *cur;
	bool packed = is_last_packed(w, at, old_size);

	if (!packed && !is_last_aligned(w, at, old_size))
		return false;
	if (new_size > (size_t)(w->limit - at))
		return false;
	cur = at + new_size + (new_size && !packed ? w->gap : 0);
	cur += kva_padding((uintptr_t)cur, KV_ARENA_ALIGNMENT);
	if (cur > w->limit)
		return false;
	kva_window_move(w, cur);
	if (packed)
		set_strip(w, at + new_size, cur);
	kva_bump_relaxed(&w->regrown, (int64_t)new_size - (int64_t)old_size);
	if (new_size > old_size)
		kva_window_draw(w, new_size - old_size, 0, 0);
	kva_window_show(w);
	if (w->watched) {
		/* Only what changes: the bytes kept stay as defined as they are. */
		if (new_size > old_size)
			kva_watch_allow(at + old_size, new_size - old_size);
		else
			kva_watch_forbid(at + new_size, old_size - new_size);
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
	w->shown = 0;
	if (!kva_window_is_counted(w))
		return;
	if (counts)
		kva_window_count(w, counts);
	for (unsigned i = 0; i < KV_ARENA_TALLIES; i++)
		kva_store_relaxed(&w->bump.tally[i], 0);
	kva_store_relaxed(&w->regrown, 0);
}
