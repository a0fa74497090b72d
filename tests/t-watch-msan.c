/* t-watch-msan.c -- what MemorySanitizer is told of an arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * This program brings along the function by which lib/watch.c recognises
 * MemorySanitizer: it is told of memory whose contents are not yet defined.
 */
#include "kvtest.h"
#include "watch.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_REAL_CHECKER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_REAL_CHECKER 1
#endif
#endif

#ifndef __ELF__
int
main(void)
{
	puts("skip: no weak references, by which a checker is found");
	return 77;
}
#elif defined(HAS_REAL_CHECKER)
int
main(void)
{
	puts("skip: there is a checker already");
	return 77;
}
#else

static const char *last;		/* the latest memory told of */
static size_t last_size, times;

void __msan_allocated_memory(const volatile void *p, size_t size);

void
__msan_allocated_memory(const volatile void *p, size_t size)
{
	last = (const char *)(uintptr_t)p;
	last_size = size;
	times++;
}

START_TEST(the_checker_is_taken_for_the_real_one)
{
	ck_assert_str_eq(kva_watch_name(), "msan");
	kvt_true(kva_watch_on());
	kvt_true(kv_arena_has("msan") && !kv_arena_has("asan"));
}
END_TEST

START_TEST(forbidden_and_allowed_memory_is_undefined)
{
	char x[10] = { 0 };

	kva_watch_forbid(x, 10);
	kvt_true(last == x && last_size == 10);
	kva_watch_allow(x + 1, 9);
	kvt_true(last == x + 1 && last_size == 9);
}
END_TEST

START_TEST(restored_memory_is_as_it_was)
{
	char x[10] = { 0 };
	size_t before = times;

	kva_watch_restore(x, 10);
	kvt_eq(times, before);
}
END_TEST

START_TEST(each_allocation_is_told_of)
{
	kv_arena_t *a = kv_arena_create(0);

	for (size_t size = 1; size < 200000; size += size / 2 + 1) {
		char *p = kv_arena_alloc(a, size);

		kvt_true(last == p && last_size == size);
		p = kv_arena_realloc(a, p, size, size + 100);
		kvt_true(p != NULL);
	}
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("watch-msan");
	TCase *g = kvt_group(s, "arenas");

	tcase_add_test(g, the_checker_is_taken_for_the_real_one);
	tcase_add_test(g, forbidden_and_allowed_memory_is_undefined);
	tcase_add_test(g, restored_memory_is_as_it_was);
	tcase_add_test(g, each_allocation_is_told_of);
	return kvt_run(s, 30);
}
#endif
