/* t-oom.c -- lib/oom.c: who is told, and what, when memory cannot be had
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "oom.h"

#include <stdlib.h>
#include <string.h>

static struct {
	int times;
	int again;			/* how often it says: try again */
	bool heals;			/* and puts things right */
	kv_arena_oom_t last;
	char message[512];
} told;

static bool
listen(void *context, const kv_arena_oom_t *oom)
{
	told.times++;
	told.last = *oom;
	strncpy(told.message, oom->message, sizeof told.message - 1);
	if (told.heals)
		kvo_heal();
	errno = 77;			/* which must not be seen */
	return context == &told && told.again-- > 0;
}

static kv_arena_config_t
listening(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = kvi_config(mode);

	memset(&told, 0, sizeof told);
	config.on_oom = listen;
	config.on_oom_context = &told;
	return config;
}

/* ---- The handler ------------------------------------------------------------------ */

START_TEST(the_handler_is_told_once_for_each_failure)
{
	kv_arena_config_t config = listening((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);

	kvi_load(a, 1000);
	kvo_fail_from(KVO_CALL(ALLOC) | KVO_CALL(MAP), 1, 0);
	for (int i = 1; i <= 5; i++) {
		kvt_refused(kvt_alloc(a, 5 * MIB), ENOMEM);
		kvt_eq(told.times, i);
		kvt_eq(kvi_stats(a).failed_allocations, (uint64_t)i);
	}
	kvt_true(told.last.arena == a);
	kvt_eq(told.last.wanted, 5 * MIB);
	kvt_eq(told.last.limit, 0);
	kvt_true(strstr(told.message, "no memory for 5242880 bytes") != NULL);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_handler_that_found_memory_is_obeyed)
{
	kv_arena_config_t config = listening((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);
	void *p;

	kvi_load(a, 1000);
	for (int again = 1; again < 4; again++) {
		told.again = again;
		told.heals = false;
		kvo_fail_from(KVO_CALL(ALLOC) | KVO_CALL(MAP), 1, 0);
		kvt_refused(kvt_alloc(a, 5 * MIB), ENOMEM);
		kvt_eq(told.again, -1);
		told.again = 1;
		told.heals = true;
		p = kvt_alloc(a, 5 * MIB);
		kvt_true(p != NULL);
	}
	kvi_destroy(a);
}
END_TEST

START_TEST(the_limit_that_refused_is_named)
{
	kv_arena_config_t config = listening(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *root, *middle, *leaf;

	config.name = "root";
	config.memory_limit = MIB;
	root = kvi_create(&config);
	config.name = NULL;
	config.memory_limit = 0;
	middle = kv_arena_create_child(root, &config);
	config.name = "leaf";
	config.memory_limit = 3 * MIB;
	leaf = kv_arena_create_child(middle, &config);
	kvt_refused(kvt_alloc(leaf, 2 * MIB), ENOMEM);
	kvt_eq(told.last.limit, MIB);
	kvt_true(strstr(told.message, "root/?/leaf") != NULL);
	kvt_true(strstr(told.message, "refused by a limit of 1048576") != NULL);
	kvt_refused(kvt_alloc(leaf, 4 * MIB), ENOMEM);
	kvt_eq(told.last.limit, 3 * MIB);
	kvt_true(strchr(told.message, '\n') == NULL);
	kvi_load(middle, 700 * KIB);
	kvt_refused(kvt_alloc(leaf, 700 * KIB), ENOMEM);
	kvt_eq(told.last.limit, MIB);
	kvi_destroy(root);
}
END_TEST

START_TEST(ancestors_without_a_limit_are_passed_over)
{
	kv_arena_config_t config = listening(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *root = kv_arena_create(0), *leaf;

	config.cache = kvi_cache;
	leaf = kv_arena_create_child(root, &config);
	kvo_fail_from(KVO_CALL(MAP), 1, 0);
	kvt_refused(kvt_alloc(leaf, 100), ENOMEM);
	kvt_eq(told.times, 1);
	kvt_eq(told.last.limit, 0);
	kvo_heal();
	kvi_destroy(root);
}
END_TEST

START_TEST(what_is_no_lack_of_memory_is_not_told)
{
	kv_arena_config_t config = listening(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);

	kvt_refused(kvt_alloc(a, 0), EINVAL);
	kvt_refused(kv_arena_alloc_aligned(a, 8, 3), EINVAL);
	kvt_refused(kv_arena_calloc(a, SIZE_MAX, 2), EOVERFLOW);
	kvi_load(a, 1000);
	kvt_eq(kv_arena_seal(a), 0);
	kvt_refused(kvt_alloc(a, 8), EPERM);
	kvt_eq(kv_arena_unseal(a), 0);
	kvt_eq(told.times, 0);
	kvt_eq(kvi_stats(a).failed_allocations, 4);
	kvi_destroy(a);
}
END_TEST

START_TEST(every_way_to_allocate_asks_the_handler)
{
	kv_arena_config_t config = listening((kv_arena_thread_mode_t)(_i % 2));
	kv_arena_t *a = kvi_create(&config);
	void *p = kvt_alloc(a, 100), *q = NULL;
	int result = -1;

	kvo_fail_from(KVO_CALL(ALLOC) | KVO_CALL(MAP), 1, 0);
	while (kvt_alloc(a, 8))
		;
	told.times = 0;
	told.again = 1;
	told.heals = true;
	switch (_i / 2) {
	case 0: q = kvt_alloc(a, MIB); break;
	case 1: q = kv_arena_alloc_aligned(a, MIB, 64); break;
	case 2: q = kv_arena_calloc(a, MIB, 2); break;
	case 3: q = kv_arena_realloc(a, p, 100, MIB); break;
	case 4: q = kv_arena_memdup(a, kvi_cache, 100); break;
	case 5: q = kv_arena_strdup(a, "some text that is long enough"); break;
	case 6: q = kv_arena_printf(a, "%1000d", 7); break;
	case 7: q = kv_arena_array(a, MIB, 2, 8); break;
	case 8: result = kv_arena_defer(a, free, NULL); break;
	default: result = kv_arena_reserve(a, 3 * MIB, false); break;
	}
	kvt_true(q != NULL || result == 0);
	kvt_eq(told.times, 1);
	kvi_destroy(a);
}
END_TEST

/* ---- Paths ----------------------------------------------------------------------------- */

START_TEST(a_path_is_cut_as_snprintf_cuts)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a, *b;
	char path[32];

	config.name = "root";
	a = kvi_create(&config);
	config.name = "query7";
	b = kv_arena_create_child(a, &config);
	for (size_t size = 0; size <= 16; size++) {
		memset(path, '#', sizeof path);
		kvt_eq(kva_oom_path(kva_arena_of(b), path, size), 11);
		if (size > 0) {
			kvt_eq(strlen(path), size < 12 ? size - 1 : 11);
			kvt_true(strncmp(path, "root/query7", size - 1) == 0);
		}
		kvt_true(path[size > 11 ? 12 : size] == '#');
	}
	kvt_eq(kva_oom_path(kva_arena_of(b), NULL, 0), 11);
	kvi_destroy(a);
}
END_TEST

START_TEST(paths_longer_than_a_message_are_cut)
{
	kv_arena_config_t config = listening(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *root, *a;

	config.name = "a name of thirty-one characters";
	root = a = kvi_create(&config);
	for (int i = 0; i < 40; i++)
		a = kv_arena_create_child(a, &config);
	kvt_eq(kva_oom_path(kva_arena_of(a), NULL, 0), 41 * 32 - 1);
	kvo_fail_from(KVA_ALL_CALLS, 1, 0);
	kvt_refused(kvt_alloc(a, 100), ENOMEM);
	kvo_heal();
	kvt_eq(told.times, 1);
	kvt_cmp(strlen(told.message), <, 400);
	kvt_true(strncmp(told.message, "kvarena: a name", 15) == 0);
	kvi_destroy(root);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("oom");
	TCase *g = kvi_group(s, "handler");

	tcase_add_loop_test(g, the_handler_is_told_once_for_each_failure, 0, 2);
	tcase_add_loop_test(g, a_handler_that_found_memory_is_obeyed, 0, 2);
	tcase_add_test(g, the_limit_that_refused_is_named);
	tcase_add_test(g, ancestors_without_a_limit_are_passed_over);
	tcase_add_test(g, what_is_no_lack_of_memory_is_not_told);
	tcase_add_loop_test(g, every_way_to_allocate_asks_the_handler, 0, 20);

	g = kvi_group(s, "paths");
	tcase_add_test(g, a_path_is_cut_as_snprintf_cuts);
	tcase_add_test(g, paths_longer_than_a_message_are_cut);
	return kvt_run(s, 400);
}
