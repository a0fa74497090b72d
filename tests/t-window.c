/* t-window.c -- lib/window.c: bumping, packing, counting
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvtest.h"
#include "window.h"

#include <string.h>

#define SIZE ((size_t)256 << 10)

static char memory[SIZE] __attribute__((__aligned__(64)));

#define PLAIN (16u | KV_ARENA_PLAIN)
#define COUNTED (16u | KV_ARENA_COUNTED)

/* A window on the first size bytes of memory. */
static struct kva_window
open_window(uint64_t key, uint16_t gap, size_t size)
{
	struct kva_window w;

	kva_window_init(&w, key, gap);
	kva_window_open(&w, memory, size);
	return w;
}

/* W1 to W3, and that used, slack and room make up the window. */
static void
check(const struct kva_window *w, size_t size)
{
	const struct kv_arena_bump *b = &w->bump;

	kvt_true(w->start <= b->cur && b->cur <= w->limit);
	kvt_true(b->end <= w->limit);
	kvt_true(w->packed <= w->strip_end && w->strip_end <= b->cur);
	kvt_eq((uintptr_t)b->cur % KV_ARENA_ALIGNMENT, 0);
	kvt_eq((uintptr_t)b->end % KV_ARENA_ALIGNMENT, 0);
	if (b->key & KV_ARENA_COUNTED)
		kvt_true(b->end <= b->cur + (32 << 10));
	kvt_eq(kva_window_used(w) + kva_window_slack(w) + kva_window_room(w), size);
}

static struct kva_counts
counts(const struct kva_window *w)
{
	struct kva_counts sum;

	memset(&sum, 0, sizeof sum);
	kva_window_count(w, &sum);
	return sum;
}

static uint64_t
calls(const struct kva_window *w)
{
	struct kva_counts sum = counts(w);
	uint64_t n = 0;

	for (int i = 0; i < KV_ARENA_TALLIES; i++)
		n += sum.calls[i];
	return n;
}

/* ---- Room --------------------------------------------------------------------- */

START_TEST(a_fresh_window_is_empty)
{
	struct kva_window w;

	kva_window_init(&w, PLAIN, 0);
	check(&w, 0);
	kvt_true(kva_window_take(&w, 1, 1) == NULL);
	kvt_true(!kva_window_fits(&w, 1, 8));
}
END_TEST

START_TEST(it_hands_out_all_that_it_looks_at)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);

	for (size_t i = 0; i < 4096; i += 8)
		kvt_true(kva_window_take(&w, i % 8 + 1, 8) == memory + i);
	check(&w, 4096);
	kvt_true(kva_window_take(&w, 1, 8) == NULL);
	kvt_eq(kva_window_used(&w), 4096);
}
END_TEST

START_TEST(what_fits_is_taken_and_what_does_not_is_not)
{
	for (size_t size = 1; size < 200; size++)
		for (size_t alignment = 1; alignment <= 128; alignment *= 2) {
			struct kva_window w = open_window(PLAIN, 0, 128);
			bool fits;

			kva_window_take(&w, 3, 1);
			kva_window_take(&w, 24, 8);
			fits = kva_window_fits(&w, size, alignment);
			kvt_true(fits == (kva_window_take(&w, size, alignment) != NULL));
			check(&w, 128);
		}
}
END_TEST

START_TEST(sizes_that_no_block_has_are_refused)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);

	kvt_true(kva_window_take(&w, SIZE_MAX, 8) == NULL);
	kvt_true(kva_window_take(&w, SIZE_MAX, 1) == NULL);
	kvt_true(kva_window_take(&w, SIZE_MAX / 2, 8) == NULL);
	kvt_true(kva_window_take(&w, 1, SIZE_MAX / 2 + 1) == NULL);
	kvt_true(!kva_window_fits(&w, SIZE_MAX - 6, 4));
	check(&w, 4096);
}
END_TEST

START_TEST(alignment_is_kept_and_its_padding_is_used)
{
	struct kva_window w = open_window(PLAIN, 0, SIZE);

	for (size_t alignment = 8; alignment <= 4096; alignment *= 2) {
		char *p;

		kva_window_take(&w, 8, 8);
		p = kva_window_take(&w, 10, alignment);
		kvt_eq((uintptr_t)p % alignment, 0);
		kvt_true(p + 16 == w.bump.cur);
		check(&w, SIZE);
	}
}
END_TEST

START_TEST(extending_adds_what_follows)
{
	struct kva_window w = open_window(PLAIN, 0, 64);

	kvt_true(kva_window_take(&w, 65, 8) == NULL);
	kva_window_extend(&w, 64);
	kvt_true(w.bump.end == memory + 128);
	check(&w, 128);
	kvt_true(kva_window_take(&w, 65, 8) == memory);
}
END_TEST

START_TEST(cutting_takes_bytes_that_were_never_seen)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);

	kva_window_take(&w, 5, 1);
	kvt_true(kva_window_cut(&w, 56) == memory + 8);
	check(&w, 4096 - 64);
	kvt_eq(kva_window_used(&w), 0);
	kvt_eq(kva_window_room(&w), 4096 - 64);
	kvt_true(kva_window_cut(&w, 0) == memory + 64);
}
END_TEST

START_TEST(a_shut_window_has_nothing)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);

	kva_window_shut(&w);
	check(&w, 0);
	kvt_true(w.bump.cur == w.bump.end);
}
END_TEST

/* ---- What is shown ---------------------------------------------------------------- */

START_TEST(all_is_shown_of_a_plain_window)
{
	struct kva_window w = open_window(PLAIN, 0, SIZE);

	kvt_true(w.bump.end == memory + SIZE);
}
END_TEST

/* W3 rests on that: also where nothing is left to be shown. */
START_TEST(each_count_is_of_8_bytes_shown_or_more)
{
	struct kva_window w = open_window(COUNTED, 0, 64);

	for (int i = 0; i < 8; i++) {
		uint64_t before = w.shown;

		kvt_true(kva_window_take(&w, 1, 8) != NULL);
		kvt_cmp(w.shown, >=, before + 8);
	}
	for (int i = 0; i < 3; i++) {
		uint64_t before = w.shown;

		kva_window_show(&w);
		kvt_eq(w.shown, before + 8);
	}
}
END_TEST

/* There the fast path's sum would begin again at 0. */
START_TEST(nothing_is_shown_near_the_end_of_the_address_space)
{
	uintptr_t border = UINTPTR_MAX - KV_ARENA_QUICK + 1;
	struct kva_window w = open_window(PLAIN, 0, 0);

	kva_window_open(&w, (char *)(border - 64), 56);
	kvt_true(w.bump.end == (char *)(border - 8));
	kva_window_open(&w, (char *)(border - 64), 64);
	kvt_true(w.bump.end == w.bump.cur);
	kvt_eq(kva_window_room(&w), 64);
}
END_TEST

START_TEST(a_counted_window_shows_32_kib_at_a_time)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);

	for (size_t taken = 0; taken < SIZE; taken += 1000) {
		size_t room = kva_window_room(&w);

		kvt_eq((size_t)(w.bump.end - w.bump.cur),
			room < 32768 ? room : 32768);
		if (room >= 1000)
			kvt_true(kva_window_take(&w, 1000, 8) != NULL);
	}
}
END_TEST

START_TEST(a_watched_window_shows_nothing_and_gives_all)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);

	w.watched = true;
	kva_window_show(&w);
	for (int i = 0; i < 512; i++) {
		kvt_true(w.bump.end == w.bump.cur);
		kvt_true(kva_window_take(&w, 8, 8) != NULL);
	}
	kvt_eq(kva_window_room(&w), 0);
}
END_TEST

START_TEST(a_plain_take_is_what_the_fast_path_would_do)
{
	struct kva_window w = open_window(COUNTED, 0, 4100), twin = w;
	struct kva_counts sum, sum_of_twin;

	w.watched = twin.watched = true;
	kva_window_show(&w);
	kva_window_show(&twin);
	for (size_t size = 1; kva_window_fits(&twin, size, 8); size += 3) {
		if (size == 31)
			kvt_true(kva_window_take(&w, 3, 1) ==
				kva_window_take(&twin, 3, 1));
		kvt_true(kva_window_take_plain(&w, size) ==
			kva_window_take(&twin, size, 8));
		kvt_true(w.bump.end == w.bump.cur);
		kvt_true(w.bump.cur == twin.bump.cur);
		kvt_eq(w.shown, twin.shown);
		check(&w, 4100);
	}
	sum = counts(&w);
	sum_of_twin = counts(&twin);
	kvt_true(memcmp(&sum, &sum_of_twin, sizeof sum) == 0);
}
END_TEST

START_TEST(a_plain_take_leaves_alone_what_is_more_than_that)
{
	struct kva_window w = open_window(COUNTED, 0, 4100), before;
	struct kva_sampler sampler;

	w.watched = true;
	before = w;
	kvt_true(kva_window_take_plain(&w, 4097) == NULL);
	kvt_true(kva_window_take_plain(&w, SIZE_MAX) == NULL);
	w.sealed = true;
	kvt_true(kva_window_take_plain(&w, 8) == NULL);
	w.sealed = false;
	w.gap = 16;
	kvt_true(kva_window_take_plain(&w, 8) == NULL);
	w.gap = 0;
	w.sampler = &sampler;
	kvt_true(kva_window_take_plain(&w, 8) == NULL);
	w.sampler = NULL;
	w.shown = UINT64_MAX;
	kvt_true(kva_window_take_plain(&w, 8) == NULL);
	w.shown = before.shown;
	kvt_true(memcmp(&w, &before, sizeof w) == 0);
	kvt_true(kva_window_take_plain(&w, 4096) == w.start);
}
END_TEST

START_TEST(a_watched_window_keeps_its_gap)
{
	struct kva_window w = open_window(PLAIN, 16, 4096);
	char *p, *q, *r;

	p = kva_window_take(&w, 5, 1);
	q = kva_window_take(&w, 5, 1);
	r = kva_window_take(&w, 8, 64);
	kvt_true(q >= p + 5 + 16 && r >= q + 5 + 16);
	kvt_eq((uintptr_t)r % 64, 0);
	kvt_true(w.bump.end == w.bump.cur);
	check(&w, 4096);
}
END_TEST

START_TEST(a_window_that_showed_much_is_due)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);
	uint64_t n = 0;

	while (!kva_window_is_due(&w) && n++ < 1 << 20)
		kva_window_open(&w, memory, SIZE);
	kvt_cmp(n, >, 100);
	kvt_cmp(n, <, 1 << 20);
	kva_window_fold(&w, NULL);
	kvt_true(!kva_window_is_due(&w));
	w.shown = ((uint64_t)1 << 26) - 1;
	kvt_true(!kva_window_is_due(&w));
	w.shown++;
	kvt_true(kva_window_is_due(&w));
}
END_TEST

/* ---- Packing ------------------------------------------------------------------------- */

START_TEST(a_run_of_strings_has_no_gaps)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);
	char *next = memory;

	for (size_t i = 1; i < 60; i++) {
		kvt_true(kva_window_take(&w, i, 1) == next);
		next += i;
		check(&w, 4096);
	}
	kvt_eq(kva_window_used(&w), 59 * 60 / 2);
}
END_TEST

START_TEST(packing_fills_the_window_to_the_last_byte)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);

	for (int i = 0; i < 4096; i++)
		kvt_true(kva_window_take(&w, 1, 1) == memory + i);
	kvt_true(kva_window_take(&w, 1, 1) == NULL);
	kvt_eq(kva_window_used(&w), 4096);
}
END_TEST

START_TEST(an_object_between_strings_leaves_the_strip_its_rest)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);
	char *first = kva_window_take(&w, 3, 1);
	char *object = kva_window_take(&w, 16, 8);
	char *in_strip = kva_window_take(&w, 5, 1);
	char *beyond = kva_window_take(&w, 1, 1);

	kvt_true(first == memory && object == memory + 8);
	kvt_true(in_strip == memory + 3);
	kvt_true(beyond == memory + 24);
	check(&w, 4096);
}
END_TEST

START_TEST(alignments_below_8_are_kept_when_packing)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);

	for (int i = 0; i < 200; i++) {
		size_t alignment = (size_t)1 << i % 3;
		char *p = kva_window_take(&w, (size_t)i % 7 + 1, alignment);

		kvt_true(p != NULL);
		kvt_eq((uintptr_t)p % alignment, 0);
		check(&w, 4096);
	}
}
END_TEST

START_TEST(no_two_pieces_overlap_in_a_random_run)
{
	uint32_t seed = 1;

	for (int round = 0; round < 50; round++) {
		struct kva_window w = open_window(round % 2 ? PLAIN : COUNTED, 0, SIZE);
		struct kvt_book book = { 0 };

		for (int i = 0; i < 500; i++) {
			size_t size, alignment;
			char *p;

			seed = seed * 1664525 + 1013904223;
			size = (seed >> 8) % 400 + 1;
			alignment = (size_t)1 << (seed >> 24) % 7;
			p = kva_window_take(&w, size, alignment);
			kvt_true(p != NULL);
			kvt_enter(&book, p, size, alignment);
			check(&w, SIZE);
		}
		kvt_intact(&book);
		kvt_drop(&book);
	}
}
END_TEST

/* ---- Resizing --------------------------------------------------------------------------- */

START_TEST(only_the_latest_piece_is_resized)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);
	char *p = kva_window_take(&w, 20, 8), *q = kva_window_take(&w, 20, 8);

	kvt_true(!kva_window_is_last(&w, p, 20) && kva_window_is_last(&w, q, 20));
	kvt_true(!kva_window_resize(&w, p, 20, 40));
	kvt_true(!kva_window_resize(&w, memory + SIZE, 20, 40));
	kvt_true(kva_window_resize(&w, q, 20, 40));
	check(&w, 4096);
	kvt_true(w.bump.cur == q + 40);
	kvt_true(kva_window_resize(&w, q, 40, 4096 - 24));
	kvt_true(!kva_window_resize(&w, q, 4096 - 24, 4096 - 23));
	check(&w, 4096);
}
END_TEST

START_TEST(what_is_no_piece_of_the_window_is_not_its_latest)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);
	char *p = w.start;

	kvt_true(!kva_window_is_last(&w, p, 0));
	kvt_true(kva_window_take(&w, 3, 1) == p);
	kvt_true(kva_window_is_last(&w, p, 3));
	kvt_true(!kva_window_is_last(&w, p - 5, 8));
	kvt_true(!kva_window_is_last(&w, p, 2));
}
END_TEST

START_TEST(resizing_to_nothing_gives_all_back)
{
	struct kva_window w = open_window(PLAIN, 0, 4096);
	char *p = kva_window_take(&w, 20, 8);

	kvt_true(kva_window_resize(&w, p, 20, 0));
	kvt_true(w.bump.cur == memory);
	p = kva_window_take(&w, 5, 1);
	kvt_true(kva_window_resize(&w, p, 5, 0));
	check(&w, 4096);
	kvt_eq(kva_window_used(&w), 0);
}
END_TEST

START_TEST(packed_pieces_are_resized_byte_by_byte)
{
	struct kva_window w = open_window(PLAIN, 0, 64);
	char *p;

	kva_window_take(&w, 3, 1);
	p = kva_window_take(&w, 4, 1);
	kvt_true(kva_window_is_last(&w, p, 4));
	kvt_true(kva_window_resize(&w, p, 4, 30));
	kvt_true(kva_window_take(&w, 1, 1) == p + 30);
	kvt_true(!kva_window_resize(&w, p, 30, 31));
	check(&w, 64);
	kvt_true(kva_window_resize(&w, p + 30, 1, 64 - 33));
	kvt_true(!kva_window_resize(&w, p + 30, 64 - 33, 64 - 32));
	check(&w, 64);
}
END_TEST

START_TEST(resizing_keeps_the_gap)
{
	struct kva_window w = open_window(PLAIN, 16, 128);
	char *p = kva_window_take(&w, 8, 8);

	kvt_true(kva_window_is_last(&w, p, 8));
	kvt_true(kva_window_resize(&w, p, 8, 112));
	kvt_true(!kva_window_resize(&w, p, 112, 113));
	kvt_true(kva_window_resize(&w, p, 112, 0));
	kvt_true(w.bump.cur == memory);
}
END_TEST

/* ---- Counting ------------------------------------------------------------------------------ */

START_TEST(a_counted_window_counts_calls_and_bytes)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);
	struct kva_counts sum;
	uint64_t bytes = 0;

	for (size_t size = 1; size <= 100; size++) {
		kva_window_take(&w, size, size % 2 ? 1 : 8);
		bytes += size;
	}
	sum = counts(&w);
	kvt_eq(sum.bytes, bytes);
	kvt_eq(calls(&w), 100);
	kvt_eq(sum.calls[0], 1);
	kvt_eq(sum.calls[6], 32);	/* 33 to 64 */
}
END_TEST

START_TEST(a_plain_window_counts_nothing)
{
	struct kva_window w = open_window(PLAIN, 0, SIZE);

	kva_window_take(&w, 100, 8);
	kva_window_tally(&w, 100);
	kva_window_untally(&w, 100);
	kvt_eq(calls(&w), 0);
	kvt_eq(counts(&w).bytes, 0);
}
END_TEST

START_TEST(resizing_changes_bytes_and_no_calls)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);
	char *p = kva_window_take(&w, 100, 8);

	kva_window_resize(&w, p, 100, 250);
	kvt_eq(counts(&w).bytes, 250);
	kva_window_resize(&w, p, 250, 10);
	kvt_eq(counts(&w).bytes, 10);
	kvt_eq(calls(&w), 1);
}
END_TEST

START_TEST(what_was_uncounted_was_never_counted)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);

	kva_window_take(&w, 100, 8);
	kva_window_tally(&w, 50);
	kva_window_untally(&w, 50);
	kvt_eq(counts(&w).bytes, 100);
	kvt_eq(calls(&w), 1);
}
END_TEST

START_TEST(what_was_uncounted_is_not_sampled)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);
	struct kva_sampler sampler;
	struct kva_amounts pick;

	kva_window_sample(&w, &sampler, 1, 1);
	kva_window_take(&w, 100, 8);
	kva_window_untally(&w, 100);
	kvt_true(!kva_window_pick(&w, &pick));
	kva_window_take(&w, 100, 8);
	kvt_true(kva_window_pick(&w, &pick));
}
END_TEST

START_TEST(all_large_sizes_have_one_count)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);
	struct kva_counts sum;

	kva_window_take(&w, 16385, 8);
	kva_window_take(&w, 100000, 8);
	kva_window_tally(&w, SIZE);
	sum = counts(&w);
	kvt_eq(sum.calls[KV_ARENA_TALLIES - 1], 3);
	kvt_eq(sum.bytes, 16385 + 100000 + SIZE);
	kva_window_untally(&w, SIZE);
	kva_window_untally(&w, 100000);
	sum = counts(&w);
	kvt_eq(sum.calls[KV_ARENA_TALLIES - 1], 1);
	kvt_eq(sum.bytes, 16385);
}
END_TEST

START_TEST(folding_moves_the_counts)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);
	struct kva_counts into;
	char *p;

	memset(&into, 0, sizeof into);
	kva_window_take(&w, 100, 8);
	p = kva_window_take(&w, 7, 1);
	kva_window_resize(&w, p, 7, 9);
	kva_window_fold(&w, &into);
	kvt_eq(into.bytes, 109);
	kvt_eq(into.calls[7], 1);
	kvt_eq(into.calls[3], 1);
	kvt_eq(calls(&w), 0);
	kvt_eq(counts(&w).bytes, 0);
	kva_window_take(&w, 1, 8);
	kva_window_fold(&w, &into);
	kvt_eq(into.bytes, 110);
}
END_TEST

/* As often as can be: the fast path takes single bytes of all that is shown. */
START_TEST(no_tally_overflows_before_a_window_is_due)
{
	struct kva_window w = open_window(COUNTED, 0, SIZE);
	uint64_t n = 0;

	while (!kva_window_is_due(&w)) {
		if (kva_window_room(&w) < 8)
			kva_window_open(&w, memory, SIZE);
		for (; w.bump.cur < w.bump.end; w.bump.cur += 8, n++)
			w.bump.tally[0] += KV_ARENA_TALLY_ONE + 1;
		n += kva_window_take(&w, 1, 8) != NULL;
	}
	kvt_cmp(n, >, 1 << 20);
	kvt_cmp(n, <, 1 << 24);
	kvt_eq(counts(&w).bytes, n);
	kvt_eq(counts(&w).calls[0], n);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("window");
	TCase *g = kvt_group(s, "room");

	tcase_add_test(g, a_fresh_window_is_empty);
	tcase_add_test(g, it_hands_out_all_that_it_looks_at);
	tcase_add_test(g, what_fits_is_taken_and_what_does_not_is_not);
	tcase_add_test(g, sizes_that_no_block_has_are_refused);
	tcase_add_test(g, alignment_is_kept_and_its_padding_is_used);
	tcase_add_test(g, extending_adds_what_follows);
	tcase_add_test(g, cutting_takes_bytes_that_were_never_seen);
	tcase_add_test(g, a_shut_window_has_nothing);

	g = kvt_group(s, "what is shown");
	tcase_add_test(g, all_is_shown_of_a_plain_window);
	tcase_add_test(g, nothing_is_shown_near_the_end_of_the_address_space);
	tcase_add_test(g, a_counted_window_shows_32_kib_at_a_time);
	tcase_add_test(g, each_count_is_of_8_bytes_shown_or_more);
	tcase_add_test(g, a_watched_window_shows_nothing_and_gives_all);
	tcase_add_test(g, a_plain_take_is_what_the_fast_path_would_do);
	tcase_add_test(g, a_plain_take_leaves_alone_what_is_more_than_that);
	tcase_add_test(g, a_watched_window_keeps_its_gap);
	tcase_add_test(g, a_window_that_showed_much_is_due);

	g = kvt_group(s, "packing");
	tcase_add_test(g, a_run_of_strings_has_no_gaps);
	tcase_add_test(g, packing_fills_the_window_to_the_last_byte);
	tcase_add_test(g, an_object_between_strings_leaves_the_strip_its_rest);
	tcase_add_test(g, alignments_below_8_are_kept_when_packing);
	tcase_add_test(g, no_two_pieces_overlap_in_a_random_run);

	g = kvt_group(s, "resizing");
	tcase_add_test(g, only_the_latest_piece_is_resized);
	tcase_add_test(g, what_is_no_piece_of_the_window_is_not_its_latest);
	tcase_add_test(g, resizing_to_nothing_gives_all_back);
	tcase_add_test(g, packed_pieces_are_resized_byte_by_byte);
	tcase_add_test(g, resizing_keeps_the_gap);

	g = kvt_group(s, "counting");
	tcase_add_test(g, a_counted_window_counts_calls_and_bytes);
	tcase_add_test(g, a_plain_window_counts_nothing);
	tcase_add_test(g, resizing_changes_bytes_and_no_calls);
	tcase_add_test(g, what_was_uncounted_was_never_counted);
	tcase_add_test(g, what_was_uncounted_is_not_sampled);
	tcase_add_test(g, all_large_sizes_have_one_count);
	tcase_add_test(g, folding_moves_the_counts);
	tcase_add_test(g, no_tally_overflows_before_a_window_is_due);
	return kvt_run(s, 100000);
}
