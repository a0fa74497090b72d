/* t-create.c -- lib/create.c: beginnings that fail, families, and ends
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "kvrefuse.h"
#include "kvsource.h"

#include <string.h>

static char buffer[32768] __attribute__((__aligned__(16)));

/* ---- In a buffer --------------------------------------------------------------------- */

START_TEST(every_buffer_serves_or_is_too_small)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	size_t least = 0;

	for (size_t size = 0; size < 3000; size += 7)
		for (size_t offset = 0; offset < 32; offset += 5) {
			kv_arena_t *a = kv_arena_create_in(buffer + offset, size, &config);

			if (!a) {
				kvt_eq(errno, ENOMEM);
				kvt_cmp(size, <, 1200);
				continue;
			}
			least = least ? least : size;
			kvi_load(a, 3000);
			kvi_destroy(a);
		}
	kvt_cmp(least, >=, KV_ARENA_MIN_BLOCK_SIZE);
	kvt_refused(kv_arena_create_in(NULL, 4096, &config), EINVAL);
	config.reserved[3] = buffer;
	kvt_refused(kv_arena_create_in(buffer, 4096, &config), EINVAL);
}
END_TEST

START_TEST(a_limit_below_its_buffer_refuses_an_arena)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	size_t served = 0;

	config.name = "limited";
	config.learn_block_size = true;
	for (size_t limit = 1; limit < 12000; limit += 99) {
		kv_arena_t *a;

		config.memory_limit = limit;
		a = kv_arena_create_in(buffer, 8192, &config);
		if (!a) {
			kvt_eq(errno, ENOMEM);
			kvt_eq(served, 0);
			continue;
		}
		served++;
		if (limit > 10000)	/* there is room for a shard too */
			kvt_true(kvt_alloc(a, 100) != NULL);
		kvi_destroy(a);
	}
	kvt_cmp(served, >, 5);
}
END_TEST

START_TEST(a_local_arena_in_a_buffer_works)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a;

	config.enable_numa = true;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	a = kv_arena_create_in(buffer, 8192, &config);
	for (int node = 0; node < 2; node++) {
		kvo_run_on(node);
		kvi_load(a, 100000);
	}
	kvo_run_on(0);
	kv_arena_reset(a);
	kvi_load(a, 100000);
	kvi_destroy(a);
}
END_TEST

/* ---- Failures ------------------------------------------------------------------------------ */

static void (*free_before)(void *p);

static void
free_and_clobber(void *p)
{
	free_before(p);
	errno = EDOM;
}

START_TEST(errno_is_of_the_failure_and_not_of_cleaning_up)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)(_i % 2));
	kv_arena_t *a = NULL;
	uint64_t nth;

	config.name = "fails";
	config.sample_interval = 4096;
	free_before = kva_os.free;
	kva_os.free = free_and_clobber;
	for (nth = 1; !a; nth++) {
		kvo_fail_once(KVO_CALL(ALLOC), nth, ENOMEM);
		errno = 0;
		a = _i / 2 ? kv_arena_create_in(buffer, 8192, &config)
			: kv_arena_create_ex(&config);
		if (!a)
			kvt_eq(errno, ENOMEM);
		kvo_heal();
	}
	kvt_cmp(nth, >, 3);
	kvi_destroy(a);
	config.memory_limit = _i / 2 ? 8000 : 10;
	kvt_refused(_i / 2 ? kv_arena_create_in(buffer, 8192, &config)
		: kv_arena_create_ex(&config), ENOMEM);
}
END_TEST

/* Else every thread would be a guest, and fork would find locks taken. */
START_TEST(the_first_arena_of_a_process_has_its_hooks_set)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	if (!kvr_has_own_process())
		return;
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	a = _i ? kv_arena_create_in(buffer, 8192, &config) : kv_arena_create_ex(&config);
	kvt_true(kv_arena_local(a) != NULL);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Families ---------------------------------------------------------------------------- */

START_TEST(a_child_that_a_limit_refuses_leaves_nothing)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *root, *child = NULL, *last;
	size_t n = 0;

	config.memory_limit = 20000;
	root = kvi_create(&config);
	config.memory_limit = 0;
	config.thread_mode = (kv_arena_thread_mode_t)_i;
	config.name = "child";
	for (last = root; n < 1000; last = child, n++) {
		size_t charged = kva_arena_of(root)->charged;

		child = kv_arena_create_child(last, &config);
		if (child)
			continue;
		kvt_eq(errno, ENOMEM);
		kvt_eq(kva_arena_of(root)->charged, charged);
		kvt_true(kva_arena_of(last)->children == NULL);
		break;
	}
	kvt_cmp(n, >, 5);
	kvt_cmp(n, <, 100);
	kvt_refused(kv_arena_create_child(NULL, &config), EINVAL);
	config.reserved[0] = &config;
	kvt_refused(kv_arena_create_child(root, &config), EINVAL);
	kvi_destroy(root);
}
END_TEST

START_TEST(children_end_in_any_order_or_with_their_parent)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *root = kvi_create(&config), *child[7];

	for (int i = 0; i < 7; i++) {
		child[i] = kv_arena_create_child(root, &config);
		kvi_load(child[i], 10000);
		kvt_true(kv_arena_create_child(child[i], NULL) != NULL);
	}
	for (int i = 0; i < 5; i++)
		kvi_destroy(child[i * 3 % 7]);
	kvi_check(root);
	kvt_eq(kva_arena_of(root)->charged, kv_arena_memory_usage(root) +
		kvi_stats(root).children_memory_usage);
	kv_arena_reset(root);
	kvt_true(kva_arena_of(root)->children == NULL);
	kvt_eq(kvi_stats(root).children_memory_usage, 0);
	kvi_destroy(root);
}
END_TEST

/* ---- Absorb: who may ----------------------------------------------------------------------- */

static void *
take(void *context, size_t size)
{
	(void)context, (void)size;
	return NULL;
}

static void
give(void *context, void *block, size_t size)
{
	(void)context, (void)block, (void)size;
}

START_TEST(arenas_of_different_sources_do_not_absorb_each_other)
{
	kv_arena_block_source_t one = kv_arena_source_pages(), sources[4];
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a, *b;

	sources[0] = sources[1] = sources[2] = sources[3] = one;
	sources[0].take = take;
	sources[1].give = give;
	sources[2].context = &config;
	sources[3].take = NULL;
	sources[3].give = NULL;
	config.block_source = one;
	a = kvi_create(&config);
	for (int i = 0; i < 4; i++) {
		config.block_source = sources[i];
		b = kvi_create(&config);
		kvt_fails(kv_arena_absorb(a, b), -1, EINVAL);
		kvt_fails(kv_arena_absorb(b, a), -1, EINVAL);
		kvi_destroy(b);
	}
	config.block_source = one;
	b = kvi_create(&config);
	kvi_load(b, 5000);
	kvt_eq(kv_arena_absorb(a, b), 0);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

START_TEST(arenas_of_different_caches_do_not_absorb_each_other)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_cache_t *other = kv_arena_cache_create(1 << 20);
	kv_arena_t *a = kvi_create(&config), *b, *in;

	config.cache = other;
	b = kvi_create(&config);
	config.cache = kvi_cache;
	in = kv_arena_create_in(buffer, 8192, &config);
	kvt_fails(kv_arena_absorb(a, b), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, in), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, a), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, NULL), -1, EINVAL);
	kvt_fails(kv_arena_absorb(NULL, a), -1, EINVAL);
	kvt_true(kv_arena_create_child(a, &config) != NULL);
	kvt_fails(kv_arena_absorb(in, a), -1, EINVAL);
	kv_arena_reset(a);
	kvi_load(a, 5000);
	kvt_eq(kv_arena_absorb(in, a), 0);
	kvi_destroy(in);
	kvi_destroy(a);
	kvi_destroy(b);
	kvt_eq(kv_arena_cache_destroy(other), 0);
}
END_TEST

/* ---- Learning ------------------------------------------------------------------------------------ */

START_TEST(an_arena_that_was_never_used_teaches_nothing)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a;

	config.name = "idle";
	config.learn_block_size = true;
	for (int i = 0; i < 5; i++) {
		a = kvi_create(&config);
		kv_arena_reset(a);
		kvi_destroy(a);
	}
	kvt_eq(kv_arena_suggest_block_size("idle"), KV_ARENA_DEFAULT_BLOCK_SIZE);
}
END_TEST

START_TEST(a_reset_teaches_as_much_as_an_end)
{
	static const char *const names[] = {
		"ended", "shared, ended", "reset", "shared, reset",
	};
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)(_i % 2));
	const char *name = names[_i];
	kv_arena_t *a;

	config.name = name;
	config.learn_block_size = true;
	a = kvi_create(&config);
	kvi_load(a, 300 * KIB);
	kvt_eq(kv_arena_suggest_block_size(name), KV_ARENA_DEFAULT_BLOCK_SIZE);
	if (_i / 2)
		kv_arena_reset(a);
	else
		kvi_destroy(a);
	kvt_eq(kv_arena_suggest_block_size(name), 512 * KIB);
	if (_i / 2)
		kvi_destroy(a);
}
END_TEST

/* Those before it needed 120 KiB. */
START_TEST(there_is_room_for_an_eighth_more_than_was_learnt)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	if (kvt_skip_if_apart())
		return;
	config.name = "grows";
	config.learn_block_size = true;
	for (int i = 0; i < 2; i++) {
		a = kvi_create(&config);
		kvi_load(a, i ? 134 * KIB : 120 * KIB);
		kvt_cmp(kvi_stats(a).blocks, ==, i ? 1 : 2);
		kvi_destroy(a);
	}
}
END_TEST

START_TEST(what_was_learnt_may_be_more_than_the_largest_block)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	if (kvt_skip_if_apart())
		return;
	config.name = "large";
	config.learn_block_size = true;
	for (int i = 0; i < 2; i++) {
		a = kvi_create(&config);
		kvt_eq(kva_arena_of(a)->setup.max_block, i ? 6 * MIB : 2 * MIB);
		kvi_load(a, 5 * MIB);
		kvt_true((kvi_stats(a).blocks == 1) == i);
		kvi_destroy(a);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("create");
	TCase *g = kvi_group(s, "in a buffer");

	tcase_add_loop_test(g, every_buffer_serves_or_is_too_small, 0, 2);
	tcase_add_loop_test(g, a_limit_below_its_buffer_refuses_an_arena, 0, 2);
	tcase_add_loop_test(g, a_local_arena_in_a_buffer_works, 0, 2);

	g = kvi_group(s, "failures");
	tcase_add_loop_test(g, errno_is_of_the_failure_and_not_of_cleaning_up, 0, 4);
	g = kvt_group(s, "first");
	tcase_add_loop_test(g, the_first_arena_of_a_process_has_its_hooks_set, 0, 2);

	g = kvi_group(s, "families");
	tcase_add_loop_test(g, a_child_that_a_limit_refuses_leaves_nothing, 0, 2);
	tcase_add_loop_test(g, children_end_in_any_order_or_with_their_parent, 0, 2);

	g = kvi_group(s, "absorb");
	tcase_add_test(g, arenas_of_different_sources_do_not_absorb_each_other);
	tcase_add_test(g, arenas_of_different_caches_do_not_absorb_each_other);

	g = kvi_group(s, "learning");
	tcase_add_loop_test(g, an_arena_that_was_never_used_teaches_nothing, 0, 2);
	tcase_add_loop_test(g, a_reset_teaches_as_much_as_an_end, 0, 4);
	tcase_add_test(g, there_is_room_for_an_eighth_more_than_was_learnt);
	tcase_add_test(g, what_was_learnt_may_be_more_than_the_largest_block);
	return kvt_run(s, 5000);
}
