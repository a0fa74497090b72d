/* t-learn.c -- lib/learn.c: how large arenas of a name become
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvrefuse.h"
#include "kvtest.h"
#include "learn.h"

#include <stdio.h>
#include <string.h>

/* Names are kept as long as the process lives, so each test has its own. */

START_TEST(nothing_is_known_of_a_name_at_first)
{
	kvt_eq(kva_learn_size("never heard of"), 0);
	kvt_eq(kva_learn_size(""), 0);
}
END_TEST

START_TEST(one_size_is_the_answer)
{
	kva_learn_note("one", 5000);
	kvt_eq(kva_learn_size("one"), 5000);
	kva_learn_note("one", 5000);
	kvt_eq(kva_learn_size("one"), 5000);
}
END_TEST

START_TEST(nine_in_ten_stay_within_the_answer)
{
	for (size_t i = 1; i <= 20; i++) {
		kva_learn_note("twenty", i * 7 % 20 * 100 + 100);
		kvt_cmp(kva_learn_size("twenty"), >, 0);
	}
	kvt_eq(kva_learn_size("twenty"), 1800);	/* the 18th of 100 to 2000 */
}
END_TEST

START_TEST(one_giant_does_not_change_the_answer)
{
	for (int i = 0; i < 19; i++)
		kva_learn_note("giant", 1000);
	kva_learn_note("giant", (size_t)1 << 30);
	kvt_eq(kva_learn_size("giant"), 1000);
}
END_TEST

START_TEST(of_nine_sizes_the_largest_is_the_answer)
{
	for (size_t i = 1; i <= 9; i++)
		kva_learn_note("nine", i * 100);
	kvt_eq(kva_learn_size("nine"), 900);
}
END_TEST

START_TEST(the_order_of_sizes_does_not_matter)
{
	for (size_t i = 1; i <= 10; i++) {
		kva_learn_note("rising", i * 100);
		kva_learn_note("falling", (11 - i) * 100);
	}
	kvt_eq(kva_learn_size("rising"), 900);
	kvt_eq(kva_learn_size("falling"), 900);
}
END_TEST

START_TEST(old_sizes_are_forgotten)
{
	for (int i = 0; i < 50; i++)
		kva_learn_note("old", 1000000);
	for (int i = 0; i < 20; i++)
		kva_learn_note("old", 1000);
	kvt_eq(kva_learn_size("old"), 1000);
}
END_TEST

START_TEST(names_are_told_apart)
{
	kva_learn_note("left", 1000);
	kva_learn_note("right", 2000);
	kvt_eq(kva_learn_size("left"), 1000);
	kvt_eq(kva_learn_size("right"), 2000);
	kvt_eq(kva_learn_size("lef"), 0);
	kvt_eq(kva_learn_size("leftt"), 0);
}
END_TEST

START_TEST(the_longest_names_differ_in_their_last_byte)
{
	char left[32] = "", right[32] = "";

	memset(left, 'n', 30);
	memset(right, 'n', 30);
	left[30] = 'l';
	right[30] = 'r';
	kva_learn_note(left, 1000);
	kva_learn_note(right, 2000);
	kvt_eq(kva_learn_size(left), 1000);
	kvt_eq(kva_learn_size(right), 2000);
}
END_TEST

START_TEST(more_names_than_there_is_room_for_are_no_trouble)
{
	char name[32];

	if (!kvr_has_own_process())
		return;
	for (size_t i = 1; i <= 200; i++) {
		snprintf(name, sizeof name, "name %zu", i);
		kva_learn_note(name, i);
	}
	kvt_eq(kva_learn_size("name 1"), 1);
	kvt_eq(kva_learn_size("name 64"), 64);
	kvt_eq(kva_learn_size("name 200"), 0);
	kva_learn_note("name 1", 3);
	kvt_eq(kva_learn_size("name 1"), 3);
}
END_TEST

START_TEST(an_arena_begins_as_large_as_those_before_it_became)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_stats_t stats;
	kv_arena_t *a;

	config.name = "pupil";
	config.learn_block_size = true;
	for (int round = 0; round < 3; round++) {
		a = kv_arena_create_ex(&config);
		for (int i = 0; i < 5000; i++)
			kvt_true(kvt_alloc(a, 1000) != NULL);
		kvt_eq(kv_arena_get_stats(a, &stats), 0);
		kvt_true((stats.blocks == 1) == (round > 0));
		kvt_balanced(a);
		kv_arena_destroy(a);
	}
	kvt_cmp(kv_arena_suggest_block_size("pupil"), >=, 5000000);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("learn");
	TCase *g = kvt_group(s, "names");

	tcase_add_test(g, nothing_is_known_of_a_name_at_first);
	tcase_add_test(g, one_size_is_the_answer);
	tcase_add_test(g, nine_in_ten_stay_within_the_answer);
	tcase_add_test(g, one_giant_does_not_change_the_answer);
	tcase_add_test(g, of_nine_sizes_the_largest_is_the_answer);
	tcase_add_test(g, the_order_of_sizes_does_not_matter);
	tcase_add_test(g, old_sizes_are_forgotten);
	tcase_add_test(g, names_are_told_apart);
	tcase_add_test(g, the_longest_names_differ_in_their_last_byte);
	tcase_add_test(g, an_arena_begins_as_large_as_those_before_it_became);
	tcase_add_test(g, more_names_than_there_is_room_for_are_no_trouble);
	return kvt_run(s, 40);
}
