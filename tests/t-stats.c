/* t-stats.c -- lib/stats.c: figures read by walking what is there
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "kvpuppet.h"
#include "stats.h"
#include "watch.h"

#include <string.h>

static kv_arena_t *
create(kv_arena_thread_mode_t mode, bool detailed)
{
	kv_arena_config_t config = kvi_config(mode);

	config.enable_detailed_stats = detailed;
	return kvi_create(&config);
}

static struct kv_arena_stats_all {
	kv_arena_stats_t s;
	size_t reserved, handed;
} all_of(const kv_arena_t *a)
{
	struct kv_arena_stats_all all = {
		.s = kvi_stats(a),
		.reserved = kva_stats_reserved(kva_arena_of(a)),
		.handed = kva_stats_handed(kva_arena_of(a)),
	};

	return all;
}

/* ---- Bytes ---------------------------------------------------------------------- */

START_TEST(an_unused_arena_has_only_its_descriptors)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)(_i % 2), _i / 2);
	kv_arena_stats_t s = kvi_stats(a);

	kvt_eq(s.current_memory_usage, s.header_bytes);
	kvt_eq(s.peak_memory_usage, s.current_memory_usage);
	kvt_eq(s.used_bytes + s.free_bytes + s.tail_bytes + s.padding_bytes, 0);
	kvt_eq(s.total_allocations + s.blocks + s.resets, 0);
	kvi_destroy(a);
}
END_TEST

START_TEST(functions_agree_with_each_other)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)(_i % 2), _i / 2);
	struct kv_arena_stats_all all;

	for (int i = 0; i < 200; i++) {
		kv_arena_printf(a, "%d", i);
		kvt_alloc(a, (size_t)i * 50 + 1);
		all = all_of(a);
		kvt_eq(all.reserved, all.s.current_memory_usage);
		kvt_eq(all.handed, all.s.used_bytes + all.s.padding_bytes +
			all.s.abandoned_bytes);
		kvi_check(a);
	}
	kvi_destroy(a);
}
END_TEST

START_TEST(without_details_used_bytes_are_those_handed_out)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i, false);
	kv_arena_stats_t s;
	void *p;

	for (int i = 0; i < 100; i++)
		kvt_alloc(a, 13);
	s = kvi_stats(a);
	kvt_eq(s.used_bytes, kva_stats_handed(kva_arena_of(a)));
	kvt_eq(s.padding_bytes, 0);
	kvt_eq(s.total_allocations, 0);
	kvt_eq(s.total_bytes_allocated, s.used_bytes);
	kv_arena_reset(a);
	p = kvt_alloc(a, 104);
	kvt_alloc(a, 8);
	kvt_true(kv_arena_realloc(a, p, 104, 200) != p);
	s = kvi_stats(a);
	kvt_eq(s.abandoned_bytes, 104);
	kvt_cmp(s.used_bytes, >=, 8 + 200);
	kvt_eq(s.total_bytes_allocated, s.used_bytes + 104);
	kvi_destroy(a);
}
END_TEST

START_TEST(children_are_counted_apart)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);
	kv_arena_t *b = kv_arena_create_child(a, &config);
	kv_arena_t *c = kv_arena_create_child(b, &config);

	kvi_load(c, 100000);
	kvt_eq(kvi_stats(a).children_memory_usage, kv_arena_memory_usage(b) +
		kv_arena_memory_usage(c));
	kvt_eq(kvi_stats(c).children_memory_usage, 0);
	kv_arena_destroy(b);
	kvt_eq(kvi_stats(a).children_memory_usage, 0);
	kvi_destroy(a);
}
END_TEST

/* ---- Counts ------------------------------------------------------------------------ */

static void
allocate_100(void *arg)
{
	for (size_t i = 1; i <= 100; i++)
		kvt_alloc(arg, i);
}

START_TEST(the_windows_of_all_threads_are_summed)
{
	kv_arena_t *a = create(KV_ARENA_THREAD_SAFE, true);
	struct kvp p[3];

	for (int i = 0; i < 3; i++) {
		kvp_begin(&p[i]);
		kvp_do(&p[i], allocate_100, a);
	}
	allocate_100(a);
	kvt_eq(kvi_stats(a).total_allocations, 400);
	kvt_eq(kvi_stats(a).total_bytes_allocated, 4 * 5050);
	kvt_eq(kvi_stats(a).size_distribution[6], 4 * 32);
	kvt_eq(kvi_stats(a).shards, 4);
	for (int i = 0; i < 3; i++)
		kvp_end(&p[i]);
	kvt_eq(kvi_stats(a).total_allocations, 400);
	kvi_destroy(a);
}
END_TEST

START_TEST(reset_stats_begins_anew_and_forgets_nothing_live)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)(_i % 2), _i / 2);
	kv_arena_stats_t before, s;

	kva_stats_reset(kva_arena_of(a));	/* with nothing there */
	kvi_load(a, 300000);
	kv_arena_alloc_aligned(a, 8, 32);
	kvt_alloc(a, SIZE_MAX);
	kv_arena_reset(a);
	kvi_load(a, 100000);
	before = kvi_stats(a);
	kva_stats_reset(kva_arena_of(a));
	kvi_check(a);
	s = kvi_stats(a);
	kvt_eq(s.used_bytes, before.used_bytes);
	kvt_eq(s.current_memory_usage, before.current_memory_usage);
	kvt_eq(s.peak_memory_usage, before.current_memory_usage);
	kvt_eq(s.total_allocations, 0);
	kvt_eq(s.failed_allocations + s.resets + s.block_allocations, 0);
	kvt_eq(s.alignment_requests[5], 0);
	if (_i / 2)
		kvt_eq(s.total_bytes_allocated, 0);
	kvi_load(a, 5000);
	kvt_eq(kvi_stats(a).total_allocations, _i / 2 ? 5 : 0);
	if (_i / 2 || !kva_watch_on())	/* which has gaps, and they are used */
		kvt_eq(kvi_stats(a).used_bytes, before.used_bytes + 5000);
	kvi_destroy(a);
}
END_TEST

/* More than a tally can count, were it not folded. */
START_TEST(counts_do_not_overflow)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i, true);
	size_t n = kvt_scaled((size_t)20 << 20), left = n;

	while (left > 0) {
		for (int i = 0; i < 100000 && left > 0; i++, left--)
			kvt_alloc(a, 1);
		kv_arena_reset(a);
	}
	kvt_eq(kvi_stats(a).total_allocations, n);
	kvt_eq(kvi_stats(a).size_distribution[0], n);
	kvt_eq(kvi_stats(a).total_bytes_allocated, n);
	kvi_destroy(a);
}
END_TEST

/* ---- Pages ------------------------------------------------------------------------------ */

START_TEST(pages_are_asked_for_in_batches)
{
	kv_arena_t *a = create(KV_ARENA_THREAD_UNSAFE, true);
	kv_arena_numa_report_t r;
	uint64_t pages = 0, calls;

	kvt_true(kvt_alloc(a, 20 * MIB) != NULL);
	kvi_load(a, 300000);
	for (const struct kva_block *b = kva_arena_of(a)->blocks; b; b = b->next)
		pages += (b->size + kva_os.page() - 1) / kva_os.page();
	kvt_eq(kva_stats_numa(kva_arena_of(a), &r), 0);
	kvt_eq(r.pages_wanted + r.pages_elsewhere + r.pages_untouched, pages);
	calls = kvo_counts().calls[KVA_CALL_WHERE];
	kvt_cmp(calls, >=, 2);
	kvt_cmp(calls, <=, pages / 1024 + kvi_stats(a).blocks);
	kvi_destroy(a);
}
END_TEST

static int
tell_odd_nodes(void *const *pages, int *node, size_t n)
{
	(void)pages;
	for (size_t i = 0; i < n; i++)
		node[i] = i % 2 ? 70 : KV_ARENA_MAX_NODES - 1;
	return 0;
}

START_TEST(pages_on_nodes_beyond_the_last_are_counted_as_elsewhere)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_numa_report_t r;
	kv_arena_t *a;

	config.enable_numa = true;
	config.preferred_numa_node = 1;
	a = kvi_create(&config);
	kvi_load(a, 300000);
	kva_os.where = tell_odd_nodes;
	kvt_eq(kva_stats_numa(kva_arena_of(a), &r), 0);
	kvt_cmp(r.pages_on[KV_ARENA_MAX_NODES - 1], >, 30);
	kvt_eq(r.pages_wanted, 0);
	kvt_cmp(r.pages_elsewhere, >, 60);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_system_that_does_not_tell_is_said)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i, true);
	kv_arena_numa_report_t r;

	kvi_load(a, 300000);
	kv_arena_reset(a);
	kvi_load(a, 1000);
	for (uint64_t nth = 1; nth <= 2; nth++) {
		kvo_fail_once(KVO_CALL(WHERE), nth, ENOTSUP);
		kvt_fails(kva_stats_numa(kva_arena_of(a), &r), -1, ENOTSUP);
		kvt_eq(kva_fault_struck(), 1);
	}
	kvo_heal();
	kvt_eq(kva_stats_numa(kva_arena_of(a), &r), 0);
	kvi_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stats");
	TCase *g = kvi_group(s, "bytes");

	tcase_add_loop_test(g, an_unused_arena_has_only_its_descriptors, 0, 4);
	tcase_add_loop_test(g, functions_agree_with_each_other, 0, 4);
	tcase_add_loop_test(g, without_details_used_bytes_are_those_handed_out, 0, 2);
	tcase_add_test(g, children_are_counted_apart);

	g = kvi_group(s, "counts");
	tcase_add_test(g, the_windows_of_all_threads_are_summed);
	tcase_add_loop_test(g, reset_stats_begins_anew_and_forgets_nothing_live, 0, 4);
	tcase_add_loop_test(g, counts_do_not_overflow, 0, 2);

	g = kvi_group(s, "pages");
	tcase_add_test(g, pages_are_asked_for_in_batches);
	tcase_add_test(g, pages_on_nodes_beyond_the_last_are_counted_as_elsewhere);
	tcase_add_loop_test(g, a_system_that_does_not_tell_is_said, 0, 2);
	return kvt_run(s, 5000);
}
