/* t-segment.c -- lib/segment.c: slots live, warm and cold
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvos.h"
#include "kvtest.h"
#include "segment.h"

static struct kva_block *memory;
static struct kva_segment *s, *list;

/* Blocks of 128 KiB: 16 slots. */
#define CLASS 5u
#define SLOTS 16u

static void
start(void)
{
	kvo_begin(KVO_THIS_MACHINE);
	memory = kva_source_map(KVA_SEGMENT_SIZE, KVA_PLACE_ANY, false);
	s = kva_segment_create(memory, CLASS);
	list = NULL;
	kva_segment_link(&list, s);
}

static void
finish(void)
{
	kvo_heal();
	kva_segment_destroy(s);
	kva_source_unmap(memory);
	kvt_eq(kvo_counts().pieces, 0);
	kvt_eq(kvo_counts().mapped, 0);
	kvo_end();
}

/* S1 and S2. */
static void
check(void)
{
	kvt_eq(s->live + s->warm + kva_segment_cold(s), s->slots);
	kvt_true((list == s) == (kva_segment_cold(s) > 0));
}

static struct kva_block *
cut(void)
{
	struct kva_block *b = kva_segment_cut(&list);

	check();
	return b;
}

/* Let go of a live block; whether the segment is empty now. */
static bool
let_go(struct kva_block *b)
{
	bool empty;

	s->live--;
	empty = kva_segment_let_go(&list, b);
	kva_source_forget(b);
	return empty;
}

START_TEST(a_new_segment_is_all_cold)
{
	kvt_eq(s->slots, SLOTS);
	kvt_eq(kva_segment_cold(s), SLOTS);
	check();
}
END_TEST

START_TEST(every_class_has_as_many_slots_as_fit)
{
	for (unsigned class = 0; class < KVA_CLASS_SEGMENT; class++) {
		struct kva_segment *other = kva_segment_create(memory, class);

		kvt_eq(other->slots, 512u >> class);
		kvt_eq(kva_segment_cold(other), other->slots);
		kva_segment_destroy(other);
	}
}
END_TEST

START_TEST(slots_are_cut_from_below_and_each_once)
{
	struct kva_block *b[SLOTS];

	for (unsigned i = 0; i < SLOTS; i++) {
		b[i] = cut();
		kvt_true(b[i]->base == memory->base + i * (128u << 10));
		kvt_eq(b[i]->capacity, 128u << 10);
		kvt_true(b[i]->segment == s);
	}
	kvt_true(list == NULL);
	for (unsigned i = 0; i < SLOTS; i++)
		kvt_true(let_go(b[i]) == (i == SLOTS - 1));
	kvt_true(list == NULL);
}
END_TEST

START_TEST(blocks_are_as_the_memory_is)
{
	struct kva_block *b;

	memory->dirty = memory->misplaced = memory->huge = true;
	memory->place = KVA_PLACE_BIND(3);
	b = cut();
	kvt_true(b->dirty && b->misplaced && b->huge);
	kvt_eq(b->place, KVA_PLACE_BIND(3));
	let_go(b);
}
END_TEST

START_TEST(a_slot_that_went_cold_is_cut_again)
{
	struct kva_block *b[SLOTS];
	char *at;

	for (unsigned i = 0; i < SLOTS; i++)
		b[i] = cut();
	at = b[7]->base;
	kvt_true(!let_go(b[7]));
	check();
	b[7] = cut();
	kvt_true(b[7]->base == at);
	for (unsigned i = 0; i < SLOTS; i++)
		let_go(b[i]);
}
END_TEST

START_TEST(a_lost_slot_is_not_cut_again_and_keeps_nothing)
{
	struct kva_block *b[SLOTS];
	char *lost;

	for (unsigned i = 0; i < SLOTS; i++)
		b[i] = cut();
	lost = b[7]->base;
	b[7]->sealed = true;
	kvt_true(!let_go(b[7]));
	check();
	kvt_eq(s->slots, SLOTS - 1);
	kvt_true(!let_go(b[3]));
	b[3] = cut();
	kvt_true(b[3]->base != lost && list == NULL);
	b[0]->sealed = b[15]->sealed = true;
	for (unsigned i = 0; i < SLOTS; i++)
		if (i != 7)
			kvt_true(let_go(b[i]) == (i == SLOTS - 1));
	kvt_true(list == NULL);
}
END_TEST

START_TEST(a_segment_may_lose_all_its_slots)
{
	struct kva_block *b[SLOTS];

	for (unsigned i = 0; i < SLOTS; i++)
		b[i] = cut();
	for (unsigned i = 0; i < SLOTS; i++) {
		b[i]->sealed = true;
		kvt_true(let_go(b[i]) == (i == SLOTS - 1));
	}
	kvt_true(list == NULL);
}
END_TEST

START_TEST(a_cut_without_memory_changes_nothing)
{
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_true(cut() == NULL);
	kvt_eq(s->live, 0);
	kvt_eq(kva_segment_cold(s), SLOTS);
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_true(kva_segment_create(memory, 0) == NULL);
}
END_TEST

START_TEST(segments_leave_the_list_from_anywhere)
{
	struct kva_segment *other[3];

	for (int i = 0; i < 3; i++) {
		other[i] = kva_segment_create(memory, CLASS);
		kva_segment_link(&list, other[i]);
	}
	kva_segment_unlink(&list, other[1]);
	kvt_true(list == other[2] && list->next == other[0] && list->next->next == s);
	kva_segment_unlink(&list, other[2]);
	kvt_true(list == other[0] && list->prev == NULL);
	kva_segment_unlink(&list, s);
	kvt_true(list == other[0] && list->next == NULL);
	kva_segment_unlink(&list, other[0]);
	kvt_true(list == NULL);
	kva_segment_link(&list, other[1]);	/* which stood behind another */
	kvt_true(list == other[1] && !list->prev && !list->next);
	for (int i = 0; i < 3; i++)
		kva_segment_destroy(other[i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("segment");
	TCase *g = kvt_group(suite, "slots");

	tcase_add_checked_fixture(g, start, finish);
	tcase_add_test(g, a_new_segment_is_all_cold);
	tcase_add_test(g, every_class_has_as_many_slots_as_fit);
	tcase_add_test(g, slots_are_cut_from_below_and_each_once);
	tcase_add_test(g, blocks_are_as_the_memory_is);
	tcase_add_test(g, a_slot_that_went_cold_is_cut_again);
	tcase_add_test(g, a_lost_slot_is_not_cut_again_and_keeps_nothing);
	tcase_add_test(g, a_segment_may_lose_all_its_slots);
	tcase_add_test(g, a_cut_without_memory_changes_nothing);
	tcase_add_test(g, segments_leave_the_list_from_anywhere);
	return kvt_run(suite, 150);
}
