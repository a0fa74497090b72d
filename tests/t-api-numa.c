/* t-api-numa.c -- the section NUMA of kv_arena.h, on whatever machine this is
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvtest.h"

#include <limits.h>

/* A node that no machine has. */
#define NO_NODE 100000

static kv_arena_t *
create_on(kv_arena_numa_policy_t policy, int node)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.enable_numa = true;
	config.numa_policy = policy;
	config.preferred_numa_node = node;
	return kv_arena_create_ex(&config);
}

static void
try_out(kv_arena_t *a)
{
	struct kvt_book book = { 0 };

	kvt_true(a != NULL);
	for (size_t i = 0; i < 5000; i++)
		kvt_enter(&book, kv_arena_alloc(a, i % 1000 + 1), i % 1000 + 1,
			8);
	kvt_enter(&book, kvt_alloc(a, 5 << 20), 5 << 20, 8);
	kvt_intact(&book);
	kvt_balanced(a);
	kv_arena_reset(a);
	kvt_strike(&book, 0);
	for (size_t i = 0; i < 1000; i++)
		kvt_enter(&book, kv_arena_alloc(a, 100), 100, 8);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}

START_TEST(node_of_this_cpu_is_known_or_minus_1)
{
	int node = kv_arena_get_numa_node();

	kvt_true(node >= -1 && node < KV_ARENA_MAX_NODES);
	if (kv_arena_has("numa"))
		kvt_true(node >= 0);
}
END_TEST

START_TEST(no_preference_can_always_be_had)
{
	errno = 0;
	if (kv_arena_set_numa_policy(-1) != 0)
		kvt_eq(errno, ENOTSUP);
}
END_TEST

START_TEST(node_zero_can_be_had_where_nodes_are)
{
	bool placing = kv_arena_set_numa_policy(-1) == 0;

	errno = 0;
	if (kv_arena_set_numa_policy(0) != 0)
		kvt_eq(errno, placing ? EPERM : ENOTSUP);
	kv_arena_set_numa_policy(-1);
}
END_TEST

START_TEST(nodes_that_do_not_exist_are_refused)
{
	static const int bad[] = { NO_NODE, -2, INT_MAX, INT_MIN };
	bool placing = kv_arena_set_numa_policy(-1) == 0;

	for (int i = 0; i < 4; i++) {
		errno = 0;
		kvt_true(kv_arena_set_numa_policy(bad[i]) == -1);
		kvt_true(errno == EINVAL || (!placing && errno == ENOTSUP));
	}
}
END_TEST

START_TEST(every_policy_works_on_every_machine)
{
	for (int policy = 0; policy < 4; policy++)
		for (int node = -1; node < 1; node++) {
			kv_arena_t *a = create_on(
				(kv_arena_numa_policy_t)policy, node);

			/* Bound memory may be refused, and then is not had. */
			if (policy == KV_ARENA_NUMA_BIND &&
				(a == NULL || kv_arena_alloc(a, 1) == NULL))
				kv_arena_destroy(a);
			else
				try_out(a);
		}
}
END_TEST

START_TEST(preferred_node_that_does_not_exist_falls_back)
{
	static const int bad[] = { NO_NODE, INT_MAX, INT_MIN, -2 };

	for (int i = 0; i < 4; i++)
		try_out(create_on(KV_ARENA_NUMA_PREFERRED, bad[i]));
}
END_TEST

START_TEST(bound_node_that_does_not_exist_is_refused)
{
	kvt_refused(create_on(KV_ARENA_NUMA_BIND, NO_NODE), EINVAL);
	kvt_refused(create_on(KV_ARENA_NUMA_BIND, INT_MAX), EINVAL);
}
END_TEST

START_TEST(policy_counts_only_with_numa_enabled)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.preferred_numa_node = NO_NODE;
	config.numa_policy = KV_ARENA_NUMA_BIND;
	try_out(kv_arena_create_ex(&config));
}
END_TEST

START_TEST(report_counts_every_page)
{
	kv_arena_t *a = create_on(KV_ARENA_NUMA_PREFERRED, 0);
	kv_arena_numa_report_t r;
	uint64_t pages = 0;

	for (size_t i = 0; i < 1000; i++)
		kvt_true(kv_arena_calloc(a, 1, 4096) != NULL);
	errno = 0;
	if (kv_arena_numa_report(a, &r) != 0) {
		kvt_eq(errno, ENOTSUP);
		kvt_skip("the kernel does not tell where pages are");
		kv_arena_destroy(a);
		return;
	}
	for (int i = 0; i < KV_ARENA_MAX_NODES; i++)
		pages += r.pages_on[i];
	kvt_cmp(r.nodes, >=, 1);
	kvt_eq(r.wanted_node, 0);
	kvt_eq(pages, r.pages_wanted + r.pages_elsewhere);
	kvt_cmp(pages, >=, 4096000 / 65536);
	if (r.nodes == 1 && r.permitted)
		kvt_eq(r.pages_elsewhere, 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(report_of_an_empty_arena_is_empty)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_numa_report_t r;

	errno = 0;
	if (kv_arena_numa_report(a, &r) == 0)
		kvt_eq(r.pages_wanted + r.pages_elsewhere, 0);
	else
		kvt_eq(errno, ENOTSUP);
	kvt_fails(kv_arena_numa_report(NULL, &r), -1, EINVAL);
	kvt_fails(kv_arena_numa_report(a, NULL), -1, EINVAL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(fallbacks_are_counted_the_same_everywhere)
{
	kv_arena_t *a = create_on(KV_ARENA_NUMA_PREFERRED, NO_NODE);
	kv_arena_numa_report_t r;
	kv_arena_stats_t s;

	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	kvt_eq(kv_arena_get_stats(a, &s), 0);
	kvt_cmp(s.numa_fallbacks, >, 0);
	if (kv_arena_numa_report(a, &r) == 0)
		kvt_eq(r.fallbacks, s.numa_fallbacks);
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-numa");
	TCase *g = kvt_group(s, "numa");

	tcase_add_test(g, node_of_this_cpu_is_known_or_minus_1);
	tcase_add_test(g, no_preference_can_always_be_had);
	tcase_add_test(g, node_zero_can_be_had_where_nodes_are);
	tcase_add_test(g, nodes_that_do_not_exist_are_refused);
	tcase_add_test(g, every_policy_works_on_every_machine);
	tcase_add_test(g, preferred_node_that_does_not_exist_falls_back);
	tcase_add_test(g, bound_node_that_does_not_exist_is_refused);
	tcase_add_test(g, policy_counts_only_with_numa_enabled);
	tcase_add_test(g, report_counts_every_page);
	tcase_add_test(g, report_of_an_empty_arena_is_empty);
	tcase_add_test(g, fallbacks_are_counted_the_same_everywhere);
	return kvt_run(s, 50000);
}
