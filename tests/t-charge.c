/* t-charge.c -- lib/charge.c: bytes held, and the limits on them
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "charge.h"
#include "kvinside.h"

#include <string.h>

START_TEST(bytes_are_charged_to_all_ancestors)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);
	kv_arena_t *b = kv_arena_create_child(a, &config);
	kv_arena_t *c = kv_arena_create_child(b, &config);
	size_t before[2] = { kva_arena_of(a)->charged, kva_arena_of(b)->charged };

	kvt_true(kva_arena_charge(kva_arena_of(c), 1000));
	kvt_eq(kva_arena_of(a)->charged, before[0] + 1000);
	kvt_eq(kva_arena_of(b)->charged, before[1] + 1000);
	kva_arena_uncharge(kva_arena_of(c), 1000);
	kvt_eq(kva_arena_of(a)->charged, before[0]);
	kvi_load(c, 100000);
	kvt_eq(kva_arena_of(a)->charged, kv_arena_memory_usage(a) +
		kv_arena_memory_usage(b) + kv_arena_memory_usage(c));
	kv_arena_reset(b);
	kvt_eq(kva_arena_of(a)->charged, kv_arena_memory_usage(a) +
		kv_arena_memory_usage(b));
	kvi_destroy(a);
}
END_TEST

START_TEST(a_charge_that_an_ancestor_refuses_is_undone)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a, *b, *c;
	size_t before[3];

	config.memory_limit = 100000;
	a = kvi_create(&config);
	config.memory_limit = 0;
	b = kv_arena_create_child(a, &config);
	c = kv_arena_create_child(b, &config);
	before[0] = kva_arena_of(a)->charged;
	before[1] = kva_arena_of(b)->charged;
	before[2] = kva_arena_of(c)->charged;
	kvt_true(!kva_arena_charge(kva_arena_of(c), 100000));
	kvt_true(!kva_arena_charge(kva_arena_of(c), SIZE_MAX));
	kvt_true(kva_arena_charge(kva_arena_of(c), 100000 - before[0]));
	kvt_true(!kva_arena_charge(kva_arena_of(c), 1));
	kva_arena_uncharge(kva_arena_of(c), 100000 - before[0]);
	kvt_eq(kva_arena_of(a)->charged, before[0]);
	kvt_eq(kva_arena_of(b)->charged, before[1]);
	kvt_eq(kva_arena_of(c)->charged, before[2]);
	kvi_destroy(a);
}
END_TEST

static struct kva_arena *common;
static size_t rounds;

static void *
charge_and_uncharge(void *refused)
{
	for (size_t i = 0; i < rounds; i++) {
		*(size_t *)refused += !kva_arena_charge(common, 16);
		kva_arena_uncharge(common, 8);
	}
	return NULL;
}

START_TEST(threads_that_charge_at_once_lose_nothing)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	kv_arena_t *a = kvi_create(&config);
	size_t before = kva_arena_of(a)->charged, refused[4] = { 0 };

	common = kva_arena_of(a);
	rounds = kvt_scaled(1000000);
	kvt_threads(4, charge_and_uncharge, refused, sizeof refused[0]);
	for (int i = 0; i < 4; i++)
		kvt_eq(refused[i], 0);
	kvt_eq(common->charged, before + 4 * rounds * 8);
	kva_arena_uncharge(common, 4 * rounds * 8);
	kvi_destroy(a);
}
END_TEST

/* Every limit from one that admits nothing to one that admits all. */
START_TEST(a_limit_is_never_exceeded_and_used_to_the_last_step)
{
	for (size_t limit = 512; limit < 300000; limit += 4999) {
		kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
		kv_arena_t *a;
		size_t n = 0;

		config.memory_limit = limit;
		config.block_size = 4 * KIB;
		a = kv_arena_create_ex(&config);
		if (!a) {
			kvt_eq(errno, ENOMEM);
			continue;
		}
		while (kvt_alloc(a, 500))
			n += 504;
		kvt_eq(errno, ENOMEM);
		kvi_check(a);
		kvt_cmp(kv_arena_memory_usage(a), <=, limit);
		kvt_cmp(kvi_stats(a).peak_memory_usage, <=, limit);
		if (limit > 40000)	/* what is lost is steps and descriptors */
			kvt_cmp(n, >, limit - limit / 4);
		kv_arena_reset(a);
		kvt_true(n == 0 || kvt_alloc(a, 500) != NULL);
		kvi_destroy(a);
	}
}
END_TEST

START_TEST(a_request_that_a_limit_refuses_changes_nothing)
{
	for (size_t limit = 1024; limit < 60000; limit += 777) {
		kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
		kv_arena_t *a;
		kv_arena_stats_t before, after;

		config.memory_limit = limit;
		config.block_size = 4 * KIB;
		a = kv_arena_create_ex(&config);
		if (!a)
			continue;
		while (kvt_alloc(a, 100))
			;
		kv_arena_reset(a);
		kvt_alloc(a, 100);
		for (size_t size = 50; size < 60000; size = size * 3 / 2) {
			before = kvi_stats(a);
			if (kvt_alloc(a, size))
				continue;
			after = kvi_stats(a);
			before.failed_allocations++;
			kvt_true(memcmp(&before, &after, sizeof before) == 0);
		}
		kvi_destroy(a);
	}
}
END_TEST

/* A spare of which only the first steps count, as its node's thread left it. */
START_TEST(a_spare_that_a_limit_refuses_stays_a_spare)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	kv_arena_stats_t before, after;
	kv_arena_t *a;

	config.enable_numa = true;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	config.block_size = 4 * KIB;
	config.max_block_size = 256 * KIB;
	config.memory_limit = 32 * MIB;
	a = kvi_create(&config);
	kvi_load(a, 300 * KIB);
	kv_arena_reset(a);
	kvi_load(a, 1000);
	kv_arena_compact(a);		/* the front's block keeps one step */
	kv_arena_reset(a);
	kva_arena_of(a)->extras->memory_limit = kva_arena_of(a)->charged + 100;
	before = kvi_stats(a);
	kvt_refused(kvt_alloc(a, 60000), ENOMEM);
	after = kvi_stats(a);
	before.failed_allocations++;
	kvt_true(memcmp(&before, &after, sizeof before) == 0);
	kva_arena_of(a)->extras->memory_limit = 32 * MIB;
	kvi_load(a, 200 * KIB);
	kvi_destroy(a);
}
END_TEST

/* As when what was charged before is charged again, which no limit refuses. */
START_TEST(an_arena_beyond_its_limit_has_nothing_more)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.memory_limit = 64 * KIB;
	a = kvi_create(&config);
	kva_arena_charge_again(kva_arena_of(a), 100 * KIB);
	kvt_true(!kva_arena_charge(kva_arena_of(a), 1));
	kvt_refused(kvt_alloc(a, 8), ENOMEM);
	kva_arena_uncharge(kva_arena_of(a), 100 * KIB);
	kvi_load(a, 1000);
	kvi_destroy(a);
}
END_TEST

START_TEST(the_first_block_needs_memory_and_a_limit_that_admits_it)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);
	struct kva_arena *core = kva_arena_of(a);
	size_t charged = core->charged;

	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_fails(kva_arena_prepare(core), -1, ENOMEM);
	kvt_eq(core->charged, charged);
	kvt_eq(kva_arena_prepare(core), 0);
	kvt_eq(kva_arena_prepare(core), 0);
	kvi_destroy(a);
	config.memory_limit = charged + 200;
	a = kvi_create(&config);
	kvt_fails(kva_arena_prepare(kva_arena_of(a)), -1, ENOMEM);
	kvi_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("charge");
	TCase *g = kvi_group(s, "charges");

	tcase_add_test(g, bytes_are_charged_to_all_ancestors);
	tcase_add_test(g, a_charge_that_an_ancestor_refuses_is_undone);
	tcase_add_test(g, threads_that_charge_at_once_lose_nothing);
	tcase_add_loop_test(g, a_limit_is_never_exceeded_and_used_to_the_last_step,
		0, 2);
	tcase_add_loop_test(g, a_request_that_a_limit_refuses_changes_nothing, 0, 2);
	tcase_add_test(g, a_spare_that_a_limit_refuses_stays_a_spare);
	tcase_add_test(g, an_arena_beyond_its_limit_has_nothing_more);
	tcase_add_test(g, the_first_block_needs_memory_and_a_limit_that_admits_it);
	return kvt_run(s, 1000);
}
