/* t-api-room.c -- room ahead, ownership, handles of a thread
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

START_TEST(reserved_bytes_cannot_fail)
{
	/* Where a checker keeps pieces apart, the promise is for one piece. */
	for (size_t n = 1; n < 4 << 20; n = n * 3 + 5) {
		size_t most = kvt_is_watched() ? n : 104;
		struct kvt_source source = KVT_SOURCE;
		kv_arena_config_t config = kvt_sourced(&source);
		kv_arena_t *a = kv_arena_create_ex(&config);

		kvt_true(kv_arena_alloc(a, 24) != NULL);
		kvt_eq(kv_arena_reserve(a, n, n % 2), 0);
		source.budget = 0;
		for (size_t left = n, size; left > 0; left -= size) {
			size = left < most ? left : most;
			kvt_true(kv_arena_alloc(a, size) != NULL);
		}
		kvt_balanced(a);
		kv_arena_destroy(a);
		kvt_eq(source.held, 0);
	}
}
END_TEST

#define BYTES ((size_t)8 << 20)

static long
faults_of_filling(kv_arena_t *a)
{
	long before = kvt_faults();

	for (size_t i = 0; i < BYTES / 1024; i++)
		*(char *)kv_arena_alloc(a, 1024) = 1;
	return kvt_faults() - before;
}

/* A first arena brings in the code itself, which comes from a file. */
START_TEST(prefaulted_bytes_take_no_page_fault)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *first, *a;
	long faults, without;

	if (kvt_is_watched() || kvt_is_emulated() || kvt_faults() == 0) {
		kvt_skip("page faults are not counted here");
		return;
	}
	config.huge_pages = KV_ARENA_HUGE_OFF;
	first = kv_arena_create_ex(&config);
	a = kv_arena_create_ex(&config);
	without = faults_of_filling(first);
	kvt_eq(kv_arena_reserve(a, BYTES, true), 0);
	faults = faults_of_filling(a);
	printf("%ld page faults in %zu KiB, %ld once they are reserved\n", without,
		BYTES / 1024, faults);
	kvt_cmp(without, >, 100);
	kvt_eq(faults, 0);
	kv_arena_destroy(first);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reserve_that_cannot_be_met_fails)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_ex(&config);

	source.budget = 1 << 20;
	kvt_fails(kv_arena_reserve(a, 2 << 20, false), -1, ENOMEM);
	kvt_fails(kv_arena_reserve(a, SIZE_MAX, false), -1, ENOMEM);
	kvt_fails(kv_arena_reserve(a, SIZE_MAX - 7, true), -1, ENOMEM);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(arena_owns_its_blocks_and_nothing_else)
{
	static char of_the_program[16];
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_ex(&config);
	kv_arena_t *other = kv_arena_create(0);
	char of_the_stack, *p = kv_arena_alloc(a, 100);

	kvt_true(kv_arena_owns(a, p) && kv_arena_owns(a, p + 99));
	kvt_true(kv_arena_owns(a, source.last));
	kvt_true(kv_arena_owns(a, source.last + source.last_size - 1));
	kvt_true(!kv_arena_owns(a, source.last + source.last_size));
	kvt_true(!kv_arena_owns(a, source.last - 1));
	kvt_true(!kv_arena_owns(a, NULL));
	kvt_true(!kv_arena_owns(a, (void *)UINTPTR_MAX));
	kvt_true(!kv_arena_owns(a, of_the_program));
	kvt_true(!kv_arena_owns(a, &of_the_stack));
	kvt_true(!kv_arena_owns(a, kv_arena_alloc(other, 8)));
	kvt_true(!kv_arena_owns(other, p));
	kv_arena_reset(a);
	kvt_true(!kv_arena_owns(a, p));
	kv_arena_destroy(other);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(every_piece_is_owned_wherever_it_lies)
{
	kv_arena_t *a = kvt_create_safe(0);

	for (size_t size = 1; size < 10 << 20; size = size * 2 + 1) {
		char *p = kvt_alloc(a, size);

		kvt_true(kv_arena_owns(a, p));
		kvt_true(kv_arena_owns(a, p + size - 1));
	}
	kv_arena_destroy(a);
}
END_TEST

static void
use_local(kv_arena_t *a)
{
	kv_arena_local_t *local = kv_arena_local(a);
	struct kvt_book book = { 0 };
	volatile size_t most = SIZE_MAX;	/* out of the compiler's sight */

	kvt_true(local != NULL);
	kvt_true(kv_arena_local(a) == local);
	for (size_t i = 1; i <= 3000; i++) {
		kvt_enter(&book, kv_arena_local_alloc(local, i), i, 8);
		kvt_enter(&book, kv_arena_alloc(a, i), i, 8);
	}
	kvt_refused(kv_arena_local_alloc(local, 0), EINVAL);
	kvt_refused(kv_arena_local_alloc(local, most), ENOMEM);
	kvt_eq(kvt_stats(a).total_allocations, 6000);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}

START_TEST(thread_may_hold_its_own_handle)
{
	use_local(kvt_create_safe(0));
	use_local(kv_arena_create(0));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-room");
	TCase *g = kvt_group(s, "room, ownership, handles");

	tcase_add_test(g, reserved_bytes_cannot_fail);
	tcase_add_test(g, prefaulted_bytes_take_no_page_fault);
	tcase_add_test(g, reserve_that_cannot_be_met_fails);
	tcase_add_test(g, arena_owns_its_blocks_and_nothing_else);
	tcase_add_test(g, every_piece_is_owned_wherever_it_lies);
	tcase_add_test(g, thread_may_hold_its_own_handle);
	return kvt_run(s, 1000);
}
