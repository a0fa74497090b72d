/* t-front.c -- lib/front.c: where the memory of an arena comes from
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * On a machine of four nodes, of which one is full and one has no memory; see
 * kvos.h.
 */
#include "front.h"
#include "kvinside.h"

#include <string.h>

static kv_arena_numa_report_t
report_of(const kv_arena_t *a)
{
	kv_arena_numa_report_t r;

	kvt_eq(kv_arena_numa_report(a, &r), 0);
	kvt_eq(r.nodes, KVO_NODES);
	return r;
}

/* Use an arena so that every page of it has memory. */
static void
touch(kv_arena_t *a, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += 1000)
		memset(kvt_alloc(a, 1000), 1, 1000);
	memset(kvt_alloc(a, MIB), 1, MIB);
	kvi_check(a);
}

START_TEST(preferred_memory_comes_from_its_node)
{
	kv_arena_config_t config = kvi_placed((kv_arena_thread_mode_t)_i,
		KV_ARENA_NUMA_PREFERRED, 1);
	kv_arena_t *a = kvi_create(&config);
	kv_arena_numa_report_t r;

	touch(a, 300000);
	kvt_eq(kvo_place_of(kvt_alloc(a, 10)), KVA_PLACE_PREFERRED(1));
	r = report_of(a);
	kvt_eq(r.wanted_node, 1);
	kvt_true(r.permitted);
	kvt_cmp(r.pages_on[1], >, 300);
	kvt_eq(r.pages_wanted, r.pages_on[1]);
	kvt_eq(r.pages_elsewhere, 0);
	kvt_eq(r.fallbacks, 0);
	kvi_destroy(a);
}
END_TEST

START_TEST(preferred_memory_comes_from_elsewhere_when_its_node_is_full)
{
	kv_arena_config_t config = kvi_placed(KV_ARENA_THREAD_UNSAFE,
		KV_ARENA_NUMA_PREFERRED, KVO_FULL_NODE);
	kv_arena_t *a = kvi_create(&config);
	kv_arena_numa_report_t r;

	touch(a, 300000);
	r = report_of(a);
	kvt_eq(r.pages_on[KVO_FULL_NODE], 0);
	kvt_eq(r.pages_wanted, 0);
	kvt_cmp(r.pages_elsewhere, >, 300);
	kvt_cmp(r.fallbacks, >, 0);
	kvt_eq(r.fallbacks, kvi_stats(a).numa_fallbacks);
	kvt_eq(r.last_errno, ENOMEM);
	kvt_true(r.permitted);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_preferred_node_without_memory_is_counted_and_borne)
{
	static const int nodes[] = { KVO_BARE_NODE, 4, 61, 1000, INT32_MAX };
	kv_arena_config_t config = kvi_placed(KV_ARENA_THREAD_UNSAFE,
		KV_ARENA_NUMA_PREFERRED, nodes[_i]);
	kv_arena_t *a = kvi_create(&config);
	kv_arena_numa_report_t r;

	touch(a, 300000);
	r = report_of(a);
	kvt_eq(r.last_errno, EINVAL);
	kvt_true(r.permitted);
	kvt_eq(r.fallbacks, kvi_stats(a).blocks);
	kvt_eq(kvi_stats(a).numa_fallbacks, r.fallbacks);
	kvt_cmp(r.pages_elsewhere, >, 300);
	kvi_destroy(a);
}
END_TEST

START_TEST(bound_memory_comes_from_its_node_or_not_at_all)
{
	kv_arena_config_t config = kvi_placed((kv_arena_thread_mode_t)_i,
		KV_ARENA_NUMA_BIND, 1);
	kv_arena_t *a = kvi_create(&config);

	touch(a, 300000);
	kvt_eq(report_of(a).pages_wanted, report_of(a).pages_on[1]);
	kvt_eq(report_of(a).pages_elsewhere, 0);
	kvi_destroy(a);

	config.preferred_numa_node = KVO_FULL_NODE;
	a = kvi_create(&config);
	kvt_refused(kvt_alloc(a, 100), ENOMEM);
	kvt_refused(kvt_alloc(a, 3 * MIB), ENOMEM);
	kvt_eq(kvi_stats(a).failed_allocations, 2);
	kvt_eq(report_of(a).last_errno, ENOMEM);
	kvi_destroy(a);

	config.preferred_numa_node = KVO_BARE_NODE;
	a = kvi_create(&config);
	kvt_refused(kvt_alloc(a, 100), ENOMEM);
	kvi_destroy(a);
	config.preferred_numa_node = KVO_NODES;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
	config.preferred_numa_node = -1;
	kvt_refused(kv_arena_create_ex(&config), EINVAL);
}
END_TEST

START_TEST(under_a_limit_a_block_is_counted_step_by_step)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	struct kva_arena *a;
	struct kva_block *b;
	size_t size, step;

	config.memory_limit = 64 * MIB;
	config.block_size = 4096;
	a = kva_arena_of(kvi_create(&config));
	kvi_load(kva_arena_public(a), 100000);
	b = a->front.block;
	size = b->size;
	step = a->setup.step;
	kvt_cmp(size + 3 * step, <=, b->capacity);
	kvt_true(kva_front_count_up_to(a, b, size));
	kvt_eq(b->size, size);
	kvt_true(kva_front_count_up_to(a, b, size + 1));
	kvt_eq(b->size, size + step);
	kvt_true(!kva_front_count_up_to(a, b, b->capacity + 1));
	kvt_eq(b->size, size + step);
	kvi_check(kva_arena_public(a));
	kvi_destroy(kva_arena_public(a));
}
END_TEST

START_TEST(interleaved_memory_comes_from_all_nodes_with_memory)
{
	kv_arena_config_t config = kvi_placed((kv_arena_thread_mode_t)_i,
		KV_ARENA_NUMA_INTERLEAVE, -1);
	kv_arena_t *a = kvi_create(&config);
	kv_arena_numa_report_t r;

	touch(a, 300000);
	r = report_of(a);
	for (int i = 0; i < 3; i++)
		kvt_cmp(r.pages_on[i], >, 100);
	kvt_eq(r.pages_on[KVO_BARE_NODE], 0);
	kvt_eq(r.wanted_node, -1);
	kvt_eq(r.pages_elsewhere, 0);
	kvt_eq(r.pages_wanted, r.pages_on[0] + r.pages_on[1] + r.pages_on[2]);
	kvi_destroy(a);
}
END_TEST

START_TEST(local_memory_comes_from_where_the_thread_runs)
{
	kv_arena_config_t config = kvi_placed((kv_arena_thread_mode_t)_i,
		KV_ARENA_NUMA_LOCAL, -1);
	kv_arena_t *a = kvi_create(&config);

	for (int round = 0; round < 2; round++) {
		for (int node = 0; node < 2; node++) {
			kvo_run_on(node);
			memset(kvt_alloc(a, 3 * MIB), 1, 3 * MIB);
			kvi_check(a);
			kvt_eq(kvo_place_of(kvt_alloc(a, MIB)),
				KVA_PLACE_PREFERRED(node));
		}
		kv_arena_reset(a);
		kvi_check(a);
	}
	kvo_run_on(0);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_shared_local_arena_keeps_a_front_for_each_node)
{
	kv_arena_config_t config = kvi_placed(KV_ARENA_THREAD_SAFE,
		KV_ARENA_NUMA_LOCAL, -1);
	kv_arena_t *a = kvi_create(&config);
	struct kva_arena *core = kva_arena_of(a);

	kvt_eq(kva_arena_nfronts(core), KVO_NODES);
	for (int round = 0; round < 3; round++) {
		for (int node = 0; node < KVO_NODES; node++) {
			kvo_run_on(node);
			kvi_load(a, 600 * KIB);
		}
		for (int node = 0; node < 2; node++) {
			struct kva_front *f = kva_arena_front(core, node);

			kvt_true(f->block != NULL);
			kvt_eq(f->block->place, KVA_PLACE_PREFERRED(node));
		}
		kv_arena_reset(a);	/* spares serve their own node only */
		kvi_check(a);
	}
	kvo_run_on(0);
	kvi_destroy(a);
}
END_TEST

/* A processor that was plugged in later, or a system that does not know. */
START_TEST(nodes_beyond_those_counted_are_no_trouble)
{
	static const int nodes[] = { KVO_NODES, 62, 63, 64, 4095, INT32_MAX, -1, -7 };

	for (int i = 0; i < 8; i++) {
		kv_arena_config_t config = kvi_placed((kv_arena_thread_mode_t)_i,
			KV_ARENA_NUMA_LOCAL, -1);
		kv_arena_t *a = kvi_create(&config);

		kvo_run_on(nodes[i]);
		touch(a, 300000);
		kv_arena_reset(a);
		touch(a, 300000);
		kvo_run_on(0);
		kvi_destroy(a);
	}
}
END_TEST

/* EPERM as in a container, ENOSYS as without NUMA in the kernel. */
START_TEST(a_system_that_refuses_all_places_serves_all_but_bound_memory)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	int reason = reasons[_i % 4];
	kv_arena_thread_mode_t mode = (kv_arena_thread_mode_t)(_i / 4);

	kvo_refuse_nodes(reason);
	for (int policy = 0; policy < 4; policy++) {
		kv_arena_config_t config = kvi_placed(mode, (kv_arena_numa_policy_t)policy, 1);
		kv_arena_numa_report_t r;
		kv_arena_t *a = kvi_create(&config);

		if (policy == KV_ARENA_NUMA_BIND) {
			kvt_refused(kvt_alloc(a, 100), ENOMEM);
		} else {
			touch(a, 300000);
			kvt_fails(kv_arena_numa_report(a, &r), -1, reason);
		}
		kvo_refuse_nodes(0);
		r = report_of(a);
		kvt_eq(r.last_errno, reason);
		kvt_eq(r.permitted, reason != EPERM && reason != ENOSYS);
		touch(a, 300000);	/* and once it allows them, bound memory too */
		kvo_refuse_nodes(reason);
		kvi_destroy(a);
	}
}
END_TEST

START_TEST(without_nodes_no_node_can_be_preferred)
{
	static const int nodes[] = { 0, KVO_NODES, 62, 63, INT32_MAX };

	for (int i = 0; i < 5; i++) {
		kvt_true(nodes[i] < KVO_NODES || (errno = 0,
			kv_arena_set_numa_policy(nodes[i]) == -1 && errno == EINVAL));
		kvo_run_on(KVA_NO_NODE);
		kvo_fail_from(KVO_CALL(PREFER), 1, ENOTSUP);
		kvt_fails(kv_arena_set_numa_policy(nodes[i]), -1, ENOTSUP);
		kvt_true(!kv_arena_has("numa"));
		kvo_heal();
		kvo_run_on(0);
		kvt_eq(kv_arena_set_numa_policy(1), 0);
		kvt_eq(kvo_preferred(), 1);
		kvt_eq(kv_arena_set_numa_policy(-1), 0);
	}
}
END_TEST

START_TEST(a_report_tells_pages_without_memory)
{
	kv_arena_config_t config = kvi_placed(KV_ARENA_THREAD_UNSAFE,
		KV_ARENA_NUMA_PREFERRED, 1);
	kv_arena_t *a = kvi_create(&config);

	kvt_true(kvt_alloc(a, 6 * MIB) != NULL);
	kvt_cmp(report_of(a).pages_untouched, >=, 6 * MIB / kva_os.page() - 1);
	kv_arena_reset(a);
	kvi_load(a, 100);
	kv_arena_reset(a);	/* spares are asked about too */
	kvt_cmp(report_of(a).pages_untouched + report_of(a).pages_on[1], >, 0);
	kvi_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("front");
	TCase *g = kvi_group(s, "places");

	tcase_add_loop_test(g, preferred_memory_comes_from_its_node, 0, 2);
	tcase_add_test(g, preferred_memory_comes_from_elsewhere_when_its_node_is_full);
	tcase_add_loop_test(g, a_preferred_node_without_memory_is_counted_and_borne,
		0, 5);
	tcase_add_loop_test(g, bound_memory_comes_from_its_node_or_not_at_all, 0, 2);
	tcase_add_test(g, under_a_limit_a_block_is_counted_step_by_step);
	tcase_add_loop_test(g, interleaved_memory_comes_from_all_nodes_with_memory,
		0, 2);
	tcase_add_loop_test(g, local_memory_comes_from_where_the_thread_runs, 0, 2);
	tcase_add_test(g, a_shared_local_arena_keeps_a_front_for_each_node);
	tcase_add_loop_test(g, nodes_beyond_those_counted_are_no_trouble, 0, 2);
	tcase_add_loop_test(g,
		a_system_that_refuses_all_places_serves_all_but_bound_memory, 0, 8);
	tcase_add_test(g, without_nodes_no_node_can_be_preferred);
	tcase_add_test(g, a_report_tells_pages_without_memory);
	return kvt_run(s, 1000);
}
