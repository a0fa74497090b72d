/* t-watch.c -- lib/watch.c beside whatever checker this program runs under
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * t-watch-asan.c and t-watch-msan.c have checkers of their own, so that what a
 * checker is told is tested without one.
 */
#include "kvtest.h"
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define CHECKER "asan"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHECKER "asan"
#elif __has_feature(memory_sanitizer)
#define CHECKER "msan"
#endif
#endif
#ifndef CHECKER
#define CHECKER (const char *)NULL
#endif

static const char *
checker_of_this_run(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (CHECKER)
		return CHECKER;
	return preload && strstr(preload, "vgpreload") ? "valgrind" : "none";
}

START_TEST(the_checker_is_recognised)
{
	const char *name = checker_of_this_run();

	if (strcmp(name, "valgrind") == 0 && strcmp(kva_watch_name(), "none") == 0) {
		kvt_skip("built without valgrind's header");
		return;
	}
	ck_assert_str_eq(kva_watch_name(), name);
	kvt_true(kva_watch_on() == (strcmp(name, "none") != 0));
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(kva_watch_name(), name);
}
END_TEST

START_TEST(users_may_ask_which_checker_is_at_work)
{
	static const char *const names[] = { "asan", "msan", "valgrind" };

	for (int i = 0; i < 3; i++)
		kvt_true(kv_arena_has(names[i]) ==
			(strcmp(kva_watch_name(), names[i]) == 0));
	kvt_true(!kv_arena_has("none"));
}
END_TEST

START_TEST(allowed_memory_can_be_used_and_restored_memory_is_as_before)
{
	char *p = malloc(1000);

	memset(p, 7, 1000);
	kva_watch_forbid(p, 1000);
	kva_watch_allow(p, 500);
	memset(p, 8, 500);
	kvt_eq(p[499], 8);
	kva_watch_forbid(p, 500);
	kva_watch_restore(p, 1000);
	memset(p, 9, 1000);
	kvt_eq(p[999], 9);
	free(p);
}
END_TEST

START_TEST(restoring_does_not_write)
{
	char *p = malloc(100);

	memset(p, 7, 100);
	kva_watch_forbid(p + 8, 80);
	kva_watch_restore(p, 100);
	for (int i = 0; i < 100; i++)
		kvt_eq(p[i], 7);
	free(p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("watch");
	TCase *g = kvt_group(s, "checker");

	tcase_add_test(g, the_checker_is_recognised);
	tcase_add_test(g, users_may_ask_which_checker_is_at_work);
	tcase_add_test(g, allowed_memory_can_be_used_and_restored_memory_is_as_before);
	if (strcmp(kva_watch_name(), "msan") != 0)	/* it undefines contents */
		tcase_add_test(g, restoring_does_not_write);
	return kvt_run(s, 6);
}
