/* t-numa.c -- what each NUMA policy promises, where it is hard to keep
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * On four nodes that are made up (kvos.h); tests/numa has real ones. What each
 * policy does where nothing is in the way, t-front.c tells.
 */
#include "cache.h"
#include "front.h"
#include "kvinside.h"
#include "kvsource.h"
#include "kvthread.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static kv_arena_t *
create_at(kv_arena_thread_mode_t mode, kv_arena_numa_policy_t policy, int node)
{
	kv_arena_config_t config = kvi_config(mode);

	config.enable_numa = true;
	config.numa_policy = policy;
	config.preferred_numa_node = node;
	return kvi_create(&config);
}

static kv_arena_t *
create_bound(int node)
{
	return create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_BIND, node);
}

static kv_arena_t *
create_local(kv_arena_thread_mode_t mode)
{
	return create_at(mode, KV_ARENA_NUMA_LOCAL, -1);
}

static uint64_t
calls(enum kva_call call)
{
	return kvo_counts().calls[call];
}

static int
node_of(const void *p)
{
	return kva_place_node(kvo_place_of(p));
}

/* ---- Bound memory ---------------------------------------------------------- */

START_TEST(bound_memory_is_there_before_it_is_handed_out)
{
	unsigned char resident[16] = { 0 };
	size_t page = kva_os.page();
	kv_arena_t *a;
	char *p;

	if (kvt_skip_if_emulated())
		return;
	a = create_bound(1);
	p = kv_arena_alloc_aligned(a, 16 * page, page);
	kvt_true(p != NULL);
	kvt_eq(mincore(p, 16 * page, (void *)resident), 0);
	for (int i = 0; i < 16; i++)
		kvt_true(resident[i] & 1);
	kvi_destroy(a);
}
END_TEST

START_TEST(bound_memory_that_is_not_there_is_refused)
{
	static const size_t sizes[] = { 100, 100000, 3 * MIB };
	kv_arena_t *a = create_bound(1);
	size_t held = kv_arena_memory_usage(a);

	kvo_fail_once(KVO_CALL(POPULATE), 1, EFAULT);
	kvt_refused(kvt_alloc(a, sizes[_i]), ENOMEM);
	kva_cache_check(kvi_cache);
	kvt_cmp(kv_arena_memory_usage(a), <=, held + sizeof(struct kva_tolls));
	kvt_true(kvt_alloc(a, sizes[_i]) != NULL);
	kvi_destroy(a);
}
END_TEST

/* The node may fill up between the segment and the block that is cut from it. */
START_TEST(bound_memory_whose_node_is_full_by_now_is_refused)
{
	kv_arena_t *a = create_bound(1);

	kvo_fail_once(KVO_CALL(BIND), 2, ENOMEM);
	kvt_refused(kvt_alloc(a, 100), ENOMEM);
	kvt_eq(kva_source_place_errno(), ENOMEM);
	kva_cache_check(kvi_cache);
	kvt_true(kvt_alloc(a, 100) != NULL);
	kvi_destroy(a);
}
END_TEST

START_TEST(other_memory_is_not_touched_before_its_owner_does)
{
	for (int policy = 0; policy < 4; policy++) {
		kv_arena_t *a;

		if (policy == KV_ARENA_NUMA_BIND)
			continue;
		a = create_at(KV_ARENA_THREAD_UNSAFE, (kv_arena_numa_policy_t)policy, 1);
		kvt_true(kvt_alloc(a, 100000) != NULL);
		kvi_destroy(a);
	}
	kvt_eq(calls(KVA_CALL_POPULATE), 0);
}
END_TEST

/* Steps of the current block that a rewind left unused. */
static uint64_t
emptied_by_compact(kv_arena_numa_policy_t policy)
{
	kv_arena_t *a = create_at(KV_ARENA_THREAD_UNSAFE, policy, 1);
	kv_arena_mark_t mark;
	uint64_t before;

	kvi_load(a, MIB);	/* so that the block is a large one */
	mark = kv_arena_mark(a);
	kvi_load(a, 300000);
	kv_arena_rewind(a, mark);
	before = calls(KVA_CALL_DISCARD);
	kv_arena_compact(a);
	before = calls(KVA_CALL_DISCARD) - before;
	kvi_load(a, MIB);
	kvi_destroy(a);
	return before;
}

START_TEST(compact_leaves_bound_memory_where_it_is)
{
	kvt_cmp(emptied_by_compact(KV_ARENA_NUMA_PREFERRED), >, 0);
	kvt_eq(emptied_by_compact(KV_ARENA_NUMA_BIND), 0);
}
END_TEST

static int
where_on_node_0(void *const *pages, int *node, size_t n)
{
	(void)pages;
	for (size_t i = 0; i < n; i++)
		node[i] = 0;
	return 0;
}

/* As the kernel does when it takes a node away: what lay there moves. */
START_TEST(bound_blocks_that_were_moved_are_not_used_again)
{
	kv_arena_t *a = create_bound(1);
	kv_arena_stats_t s;

	kvi_load(a, MIB);
	kvi_destroy(a);
	kva_os.where = where_on_node_0;
	a = create_bound(1);
	kvi_load(a, MIB);
	s = kvi_stats(a);
	kvt_eq(s.block_reuses, 0);
	kvt_cmp(s.block_allocations, >, 0);
	kvi_destroy(a);
}
END_TEST

START_TEST(bound_blocks_that_were_not_moved_are_used_again)
{
	kv_arena_t *a = create_bound(1);

	kvi_load(a, MIB);
	kvi_destroy(a);
	if (!kvt_is_watched()) {
		a = create_bound(1);
		kvi_load(a, MIB);
		kvt_eq(kvi_stats(a).block_allocations, 0);
		kvi_destroy(a);
	}
}
END_TEST

/* What into absorbed lies anywhere: it is not handed out again as bound. */
START_TEST(absorbed_blocks_do_not_become_bound)
{
	kv_arena_config_t anywhere = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *into = create_bound(1), *from = kvi_create(&anywhere);

	kvi_load(from, MIB);
	kvt_eq(kv_arena_absorb(into, from), 0);
	for (int round = 0; round < 4; round++) {
		kv_arena_reset(into);
		for (int i = 0; i < 3000; i++)
			kvt_eq(kvo_place_of(kvt_alloc(into, 1000)), KVA_PLACE_BIND(1));
	}
	kvi_destroy(into);
	kvi_destroy(from);
}
END_TEST

/* ---- Local memory ------------------------------------------------------------ */

START_TEST(after_a_reset_memory_is_local_to_where_the_thread_went)
{
	kv_arena_t *a = create_local((kv_arena_thread_mode_t)_i);

	for (int round = 0; round < 12; round++) {
		int node = round / 3 % 2;

		kvo_run_on(node);
		for (int i = 0; i < 100; i++)
			kvt_eq(node_of(kvt_alloc(a, 1000)), node);
		kvi_check(a);
		kv_arena_reset(a);
	}
	kvo_run_on(0);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_thread_that_stays_finds_its_block_again)
{
	kv_arena_t *a = create_local((kv_arena_thread_mode_t)_i);

	kvo_run_on(1);
	for (int round = 0; round < 10; round++) {
		kvi_load(a, 10000);
		kv_arena_reset(a);
	}
	kvt_eq(kvi_stats(a).block_allocations, 1);
	kvo_run_on(0);
	kvi_destroy(a);
}
END_TEST

static unsigned asked;

/* A thread that moves each time it is asked where it is. */
static int
restless(void)
{
	return (int)(asked++ % 2);
}

START_TEST(a_thread_that_moves_meanwhile_mixes_no_nodes)
{
	kv_arena_t *a = create_local(KV_ARENA_THREAD_SAFE);
	struct kva_arena *inside = kva_arena_of(a);

	kva_os.node_here = restless;
	for (int i = 0; i < 300; i++) {
		kvt_true(kvt_alloc(a, 30000) != NULL);
		for (int node = 0; node < 2; node++) {
			const struct kva_front *f = kva_arena_front(inside, node);

			if (f->block)
				kvt_eq(kva_place_node(f->block->place), node);
		}
	}
	kvi_destroy(a);
}
END_TEST

struct visit {
	kv_arena_t *arena;
	int node;
	char *p;
};

static void *
visit(void *arg)
{
	struct visit *v = arg;

	kvo_run_on(v->node);
	v->p = kv_arena_alloc(v->arena, 100);
	return NULL;
}

static struct visit
visit_from(kv_arena_t *a, int node)
{
	struct visit v = { a, node, NULL };
	pthread_t thread;

	kvt_eq(pthread_create(&thread, NULL, visit, &v), 0);
	pthread_join(thread, NULL);
	kvt_true(v.p != NULL);
	kvt_eq(node_of(v.p), node);
	return v;
}

START_TEST(a_thread_takes_over_only_what_lies_on_its_node)
{
	kv_arena_t *a = create_local(KV_ARENA_THREAD_SAFE);

	for (int round = 0; round < 50; round++) {
		visit_from(a, 0);
		visit_from(a, 1);
	}
	kvt_eq(kvi_stats(a).shards, 2);
	kvt_eq(kvi_stats(a).shard_handovers, 98);
	kvi_destroy(a);
}
END_TEST

/* Its blocks have no place, so that one front serves all. */
static int
know_no_node(void)
{
	return KVA_NO_NODE;
}

START_TEST(a_system_with_nodes_is_said_to_have_numa)
{
	kvt_true(kv_arena_has("numa"));
	kva_os.node_here = know_no_node;
	kvt_true(!kv_arena_has("numa"));
}
END_TEST

START_TEST(an_arena_with_a_source_is_not_local)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	kv_arena_t *a;

	config.enable_numa = true;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	config.block_source = kvt_hooks(&source);
	a = kvi_create(&config);
	for (int node = 0; node < 2; node++) {
		kvo_run_on(node);
		kvi_load(a, 1000);
	}
	kvt_true(kva_arena_of(a)->fronts == NULL);
	kvo_run_on(0);
	kvi_destroy(a);
}
END_TEST

START_TEST(an_arena_in_a_buffer_goes_on_locally)
{
	static char buffer[8192];
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.enable_numa = true;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	a = kv_arena_create_in(buffer, sizeof buffer, &config);
	kvt_true(a != NULL);
	kvo_run_on(1);
	for (int round = 0; round < 3; round++) {
		char *p = kvt_alloc(a, 100);

		kvt_true(p >= buffer && p < buffer + sizeof buffer);
		kvt_eq(node_of(kvt_alloc(a, 20000)), 1);
		kv_arena_reset(a);
	}
	kvo_run_on(0);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Interleaved memory -------------------------------------------------------- */

static unsigned wanted, declined;

static int
note_huge(void *p, size_t size, bool on)
{
	(void)p, (void)size;
	wanted += on;
	declined += !on;
	return 0;
}

/* In huge pages a few MiB would lie on a few nodes. */
START_TEST(interleaved_memory_has_huge_pages_once_they_are_even)
{
	const uint64_t many = 100 * KVO_NODES;
	kv_arena_t *a;

	kva_os.huge = note_huge;
	a = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_INTERLEAVE, -1);
	for (uint64_t i = 0; i < many - 2; i++)
		kvt_true(kvt_alloc(a, 2 * MIB) != NULL);
	kvt_eq(wanted, 0);
	for (uint64_t i = 0; i < 10; i++)
		kvt_true(kvt_alloc(a, 2 * MIB) != NULL);
	kvt_cmp(wanted, >=, 8);
	kvi_destroy(a);
}
END_TEST

START_TEST(interleaved_memory_has_small_pages_unless_huge_ones_are_required)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	kva_os.huge = note_huge;
	wanted = declined = 0;
	a = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_INTERLEAVE, -1);
	kvi_load(a, 5 * MIB);
	kvi_destroy(a);
	kvt_eq(wanted, 0);
	kvt_cmp(declined, >, 0);
	config.enable_numa = true;
	config.numa_policy = KV_ARENA_NUMA_INTERLEAVE;
	config.huge_pages = KV_ARENA_HUGE_REQUIRE;
	if (!kva_os.has_huge())
		return;
	a = kvi_create(&config);
	kvi_load(a, 5 * MIB);
	kvi_destroy(a);
	kvt_cmp(wanted, >, 0);
}
END_TEST

/* ---- What is told ---------------------------------------------------------------- */

static kv_arena_numa_report_t
report_of(const kv_arena_t *a)
{
	kv_arena_numa_report_t r;

	kvt_eq(kv_arena_numa_report(a, &r), 0);
	return r;
}

START_TEST(each_arena_tells_its_own_reason)
{
	kv_arena_t *bare = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_PREFERRED,
		KVO_BARE_NODE);
	kv_arena_t *full = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_PREFERRED,
		KVO_FULL_NODE);
	kv_arena_t *good = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_PREFERRED, 1);

	kvi_load(bare, 1000);
	kvi_load(full, 1000);
	kvi_load(good, 1000);
	kvt_eq(report_of(bare).last_errno, EINVAL);
	kvt_eq(report_of(full).last_errno, ENOMEM);
	kvt_eq(report_of(good).fallbacks, 0);
	kvi_destroy(bare);
	kvi_destroy(full);
	kvi_destroy(good);
}
END_TEST

/* A node without memory says nothing about what is permitted. */
START_TEST(permission_is_what_the_system_last_said_of_it)
{
	kv_arena_t *a = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_PREFERRED, 1);
	kv_arena_t *bare = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_PREFERRED,
		KVO_BARE_NODE);

	kvo_refuse_nodes(EPERM);
	kvt_true(kvt_alloc(a, 3 * MIB) != NULL);
	kvo_refuse_nodes(0);
	kvt_true(kvt_alloc(bare, 3 * MIB) != NULL);
	kvt_true(!report_of(bare).permitted);
	kvt_true(kvt_alloc(a, 9 * MIB) != NULL);
	kvt_true(report_of(a).permitted);
	kvi_destroy(a);
	kvi_destroy(bare);
}
END_TEST

static bool
says(const kv_arena_t *a, kv_arena_report_format_t format, const char *what)
{
	static char text[16384];
	FILE *out = fmemopen(text, sizeof text, "w");

	kvt_true(out && kv_arena_write_report(a, out, format) == 0);
	fclose(out);
	return strstr(text, what) != NULL;
}

START_TEST(reports_tell_where_pages_are_and_why)
{
	kv_arena_t *a = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_PREFERRED,
		KVO_BARE_NODE);
	char line[64];

	memset(kvt_alloc(a, 40000), 1, 40000);
	snprintf(line, sizeof line, "numa: 0 pages in place, %u elsewhere",
		(unsigned)report_of(a).pages_elsewhere);
	kvt_cmp(report_of(a).pages_elsewhere, >=, 40000 / kva_os.page());
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, line));
	kvt_true(says(a, KV_ARENA_REPORT_TEXT,
		"numa: 1 blocks not placed as asked: no such node, or it has no memory\n"));
	kvt_true(says(a, KV_ARENA_REPORT_JSON, "\"wanted_node\": 3, \"permitted\": true, "
		"\"fallbacks\": 1, \"last_errno\": 22, \"reason\": \"no such node"));
	snprintf(line, sizeof line, "\"pages_on\": [%u, 0, 0, 0]",
		(unsigned)report_of(a).pages_on[0]);
	kvt_true(says(a, KV_ARENA_REPORT_JSON, line));
	snprintf(line, sizeof line, "node=\"0\"} %u\n", (unsigned)report_of(a).pages_on[0]);
	kvt_true(says(a, KV_ARENA_REPORT_PROMETHEUS, line));
	kvt_true(says(a, KV_ARENA_REPORT_PROMETHEUS, "state=\"wanted\"} 0\n"));
	kvt_true(says(a, KV_ARENA_REPORT_PROMETHEUS, "kvarena_numa_permitted 1\n"));
	kvt_true(says(a, KV_ARENA_REPORT_PROMETHEUS, "it has no memory\"} 22\n"));
	kvi_destroy(a);
}
END_TEST

START_TEST(reports_tell_why_nothing_is_told)
{
	static const struct {
		int error;
		const char *reason;
	} rows[] = {
		{ ENOMEM, "not placed as asked: the node is full\n" },
		{ EIO, "not placed as asked: refused\n" },
		{ EPERM, "not placed as asked: not permitted\n" },	/* and stays so */
		{ ENOSYS, "not placed as asked: no NUMA here\n" },
		{ ENOTSUP, "not placed as asked: no NUMA here\n" },
	};
	kv_arena_t *a = create_at(KV_ARENA_THREAD_SAFE, KV_ARENA_NUMA_LOCAL, -1);
	bool forbids = rows[_i].error == EPERM || rows[_i].error == ENOSYS ||
		rows[_i].error == ENOTSUP;

	kvo_refuse_nodes(rows[_i].error);
	kvi_load(a, 1000);
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, rows[_i].reason));
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "does not tell where pages are\n"));
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "placing memory is not permitted\n") ==
		forbids);
	kvt_true(!says(a, KV_ARENA_REPORT_JSON, "pages_on"));
	kvt_true(!says(a, KV_ARENA_REPORT_PROMETHEUS, "kvarena_numa_pages{"));
	kvo_refuse_nodes(0);
	kvi_destroy(a);
}
END_TEST

/* Prometheus has a line of each figure for each arena, but asks where pages are only
 * for those that tell it: it may be a long list. */
START_TEST(prometheus_asks_little)
{
	kv_arena_t *a = create_at(KV_ARENA_THREAD_UNSAFE, KV_ARENA_NUMA_PREFERRED, 1);
	uint64_t before;

	kvi_load(a, 1000);
	before = calls(KVA_CALL_WHERE);
	kvt_true(says(a, KV_ARENA_REPORT_PROMETHEUS, "kvarena_numa_node_pages{"));
	kvt_cmp(calls(KVA_CALL_WHERE) - before, <=, 4);
	kvi_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("numa");
	TCase *g = kvi_group(s, "numa");

	tcase_add_test(g, bound_memory_is_there_before_it_is_handed_out);
	tcase_add_loop_test(g, bound_memory_that_is_not_there_is_refused, 0, 3);
	tcase_add_test(g, bound_memory_whose_node_is_full_by_now_is_refused);
	tcase_add_test(g, other_memory_is_not_touched_before_its_owner_does);
	tcase_add_test(g, compact_leaves_bound_memory_where_it_is);
	tcase_add_test(g, bound_blocks_that_were_moved_are_not_used_again);
	tcase_add_test(g, bound_blocks_that_were_not_moved_are_used_again);
	tcase_add_test(g, absorbed_blocks_do_not_become_bound);
	tcase_add_loop_test(g, after_a_reset_memory_is_local_to_where_the_thread_went,
		0, 2);
	tcase_add_loop_test(g, a_thread_that_stays_finds_its_block_again, 0, 2);
	tcase_add_test(g, a_thread_that_moves_meanwhile_mixes_no_nodes);
	tcase_add_test(g, a_thread_takes_over_only_what_lies_on_its_node);
	tcase_add_test(g, a_system_with_nodes_is_said_to_have_numa);
	tcase_add_test(g, an_arena_with_a_source_is_not_local);
	tcase_add_test(g, an_arena_in_a_buffer_goes_on_locally);
	tcase_add_test(g, interleaved_memory_has_huge_pages_once_they_are_even);
	tcase_add_test(g,
		interleaved_memory_has_small_pages_unless_huge_ones_are_required);
	tcase_add_test(g, each_arena_tells_its_own_reason);
	tcase_add_test(g, permission_is_what_the_system_last_said_of_it);
	tcase_add_test(g, reports_tell_where_pages_are_and_why);
	tcase_add_loop_test(g, reports_tell_why_nothing_is_told, 0, 5);
	tcase_add_test(g, prometheus_asks_little);
	return kvt_run(s, 10000);
}
