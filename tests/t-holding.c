/* t-holding.c -- lib/holding.c: blocks fetched, kept and given back
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "front.h"
#include "holding.h"
#include "kvinside.h"
#include "kvpages.h"
#include "kvsource.h"
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Blocks ---------------------------------------------------------------- */

START_TEST(blocks_double_up_to_the_largest)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	size_t last = 0, largest = 0, seen = 0;
	kv_arena_t *a;

	config.block_size = 8 * KIB;
	config.max_block_size = 128 * KIB;
	a = kvi_create(&config);
	while (seen < 8) {
		const struct kva_block *b = kva_arena_of(a)->blocks;

		kvt_true(kvt_alloc(a, 500) != NULL);
		if (kva_arena_of(a)->blocks == b)
			continue;
		b = kva_arena_of(a)->blocks;
		kvt_true(last == 0 || b->capacity == 2 * last ||
			b->capacity == 128 * KIB);
		last = b->capacity;
		largest = last > largest ? last : largest;
		seen++;
	}
	kvt_eq(largest, 128 * KIB);
	kvi_destroy(a);
}
END_TEST

START_TEST(large_requests_get_a_block_of_their_own)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);
	char *p, *before;

	before = kvt_alloc(a, 100);
	for (size_t size = MIB; size < 8 * MIB; size += 300001) {
		p = kv_arena_alloc_aligned(a, size, 1 << size % 13);
		kvt_true(p != NULL);
		memset(p, 1, size);
		kvi_check(a);
	}
	kvt_cmp(kvi_stats(a).large_allocations, >=, 20);
	p = kvt_alloc(a, 100);
	kvt_true(p == before + 104 || kva_watch_on());
	kvi_destroy(a);
}
END_TEST

START_TEST(a_fetched_block_that_is_not_needed_goes_back)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);
	struct kva_arena *core = kva_arena_of(a);
	size_t charged = core->charged;
	struct kva_block *b = kva_arena_fetch(core, 1000, 8, false);

	kvt_true(b != NULL);
	kvt_cmp(core->charged, >, charged);
	kva_arena_unfetch(core, b);
	kvt_eq(core->charged, charged);
	kvt_refused(kva_arena_fetch(core, SIZE_MAX, 8, false), ENOMEM);
	kvt_refused(kva_arena_fetch(core, 8, SIZE_MAX / 2 + 1, true), ENOMEM);
	kvt_true(!kva_arena_make_room(core, &core->front, SIZE_MAX, 8));
	kvt_true(kva_arena_wants_own(core, &core->front, SIZE_MAX, 8));
	kvi_destroy(a);
}
END_TEST

START_TEST(under_a_tight_limit_a_source_is_asked_for_just_enough)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a;

	config.memory_limit = 20000;
	a = kvi_create(&config);
	kvt_true(kvt_alloc(a, 10000) != NULL);
	kvt_cmp(source.last_size, <, 10100);
	kvi_check(a);
	kvt_refused(kvt_alloc(a, 10000), ENOMEM);
	kvi_destroy(a);
	kvt_eq(source.held, 0);
	kvt_eq(source.faults, 0);
}
END_TEST

static const struct kva_arena *charged_arena;
static size_t charged_at_give;

static void *
take_plainly(void *context, size_t size)
{
	(void)context;
	return kva_os.alloc(size, 16);	/* malloc of some aligns to 8 */
}

static void
give_and_note(void *context, void *block, size_t size)
{
	(void)context;
	(void)size;
	charged_at_give = kva_load_relaxed(&charged_arena->charged);
	kva_os.free(block);
}

START_TEST(a_block_is_charged_until_its_source_has_it)
{
	const kv_arena_block_source_t source = { take_plainly, give_and_note, NULL };
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	struct kva_block *b;
	kv_arena_t *a;

	config.block_source = source;
	a = kvi_create(&config);
	charged_arena = kva_arena_of(a);
	b = kva_arena_fetch(kva_arena_of(a), 1000, 8, false);
	kvt_true(b != NULL);
	kva_arena_unfetch(kva_arena_of(a), b);
	kvt_cmp(charged_at_give, >=, charged_arena->charged + 1000);

	kvt_true(kvt_alloc(a, 3 * MIB) != NULL);
	kv_arena_reset(a);
	kv_arena_compact(a);
	kvt_cmp(charged_at_give, >=, charged_arena->charged + 3 * MIB);
	kvi_destroy(a);
}
END_TEST

START_TEST(owned_is_what_lies_in_a_block)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = kvi_create(&config);
	char *p = kvt_alloc(a, 100), *q = kvt_alloc(a, 3 * MIB);

	kvt_true(kv_arena_owns(a, p) && kv_arena_owns(a, p + 99));
	kvt_true(kv_arena_owns(a, q + 3 * MIB - 1));
	kvt_true(!kv_arena_owns(a, q + 3 * MIB + KVA_WATCH_GAP));
	kvt_true(!kv_arena_owns(a, &a) && !kv_arena_owns(a, (void *)UINTPTR_MAX));
	kv_arena_reset(a);
	kvt_true(!kv_arena_owns(a, q));
	kvi_destroy(a);
}
END_TEST

/* ---- Spares ---------------------------------------------------------------- */

START_TEST(reset_keeps_so_many_blocks_the_largest_first)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	kv_arena_t *a;

	config.max_cached_blocks = 3;
	config.block_size = 4 * KIB;
	a = kvi_create(&config);
	for (int round = 0; round < 4; round++) {
		kvi_load(a, MIB);
		kv_arena_reset(a);
		kvi_check(a);
		kvt_cmp(kvi_stats(a).blocks, <=, 3);
		kvt_cmp(kvi_stats(a).blocks, >, 0);
	}
	kvi_destroy(a);
}
END_TEST

START_TEST(spares_serve_before_the_cache_is_asked)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);
	kv_arena_cache_stats_t before, after;

	kvi_load(a, 4 * MIB);
	kv_arena_reset(a);
	kv_arena_cache_get_stats(kvi_cache, &before);
	for (int round = 0; round < 5; round++) {
		kvi_load(a, 3 * MIB);
		kv_arena_reset(a);
	}
	kv_arena_cache_get_stats(kvi_cache, &after);
	kvt_eq(after.takes, before.takes);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_spare_that_serves_again_counts_as_reused)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);
	uint64_t before, blocks;

	kvi_load(a, 4 * MIB);
	kv_arena_reset(a);
	before = kvi_stats(a).block_reuses;
	blocks = kvi_stats(a).blocks;
	kvt_cmp(blocks, >, 1);
	kvi_load(a, 3 * MIB);
	kvt_eq(kvi_stats(a).blocks, blocks);
	/* One was at hand since the reset. */
	kvt_eq(kvi_stats(a).block_reuses - before,
		blocks - 1 - kva_arena_of(a)->nspares);
	kvt_cmp(kva_arena_of(a)->nspares, <, blocks - 1);
	kvi_destroy(a);
}
END_TEST

START_TEST(spares_that_nobody_needs_are_given_up_one_a_round)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);
	uint64_t held;

	kvi_load(a, 8 * MIB);
	kv_arena_reset(a);
	held = kvi_stats(a).blocks;
	kvt_cmp(held, >, 4);
	for (int round = 0; round < 20; round++) {
		kvi_load(a, 1000);
		kv_arena_reset(a);
		kvi_check(a);
		kvt_cmp(kvi_stats(a).blocks + 1, >=, held);
		held = kvi_stats(a).blocks;
	}
	kvt_cmp(held, <=, 2);
	kvi_destroy(a);
}
END_TEST

static int
count_borrowed(const struct kva_block *list)
{
	int n = 0;

	for (; list; list = list->next)
		n += list->borrowed;
	return n;
}

START_TEST(the_callers_buffer_is_never_given_up)
{
	static char buffer[16384] __attribute__((__aligned__(16)));
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kv_arena_create_in(buffer, sizeof buffer, &config);

	kvt_true(a != NULL);
	for (int round = 0; round < 6; round++) {
		kvi_load(a, round % 2 ? 100000 : 100);
		kv_arena_reset(a);
		kvi_check(a);
		kv_arena_compact(a);
		kvi_check(a);
	}
	kvt_eq(count_borrowed(kva_arena_of(a)->blocks) +
		count_borrowed(kva_arena_of(a)->spares), 1);
	kvi_destroy(a);
}
END_TEST

/* ---- Names ------------------------------------------------------------------- */

static struct {
	unsigned calls;
	const void *at;
	char name[64];
} label;

static int
note_label(void *p, size_t size, const char *name)
{
	label.calls++;
	label.at = p;
	kvt_cmp(size, >=, 2 * MIB);
	snprintf(label.name, sizeof label.name, "%s", name);
	return 0;
}

static kv_arena_t *
create_named(const char *name)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);

	config.name = name;
	config.huge_pages = KV_ARENA_HUGE_OFF;
	return kvi_create(&config);
}

/* Allocate one mapping, and return how often something was labelled for it. */
static unsigned
labels_for(kv_arena_t *a, size_t size)
{
	label.calls = 0;
	kvt_true(kvt_alloc(a, size) != NULL);
	return label.calls;
}

START_TEST(a_mapping_has_the_name_of_the_arena_that_has_it)
{
	kv_arena_t *a = create_named("first"), *b = create_named("second");

	kva_os.label = note_label;
	kvt_eq(labels_for(a, 3 * MIB), 2);
	kvt_true(strcmp(label.name, "kvarena:first") == 0);
	kvt_true(label.at == kva_arena_of(a)->blocks->base);
	kvt_eq(labels_for(b, 3 * MIB), 2);
	kvt_true(strcmp(label.name, "kvarena:second") == 0);

	kvt_eq(kv_arena_absorb(a, b), 0);
	kvt_true(strcmp(label.name, "kvarena:first") == 0);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

START_TEST(a_warm_mapping_is_named_only_if_that_is_news)
{
	kv_arena_t *a;

	if (kvt_skip_if_apart())	/* blocks rest there */
		return;
	a = create_named("first");
	kva_os.label = note_label;
	labels_for(a, 3 * MIB);
	kvi_destroy(a);
	a = create_named("first");
	kvt_eq(labels_for(a, 3 * MIB), 0);
	kvi_destroy(a);
	a = create_named(NULL);
	kvt_eq(labels_for(a, 3 * MIB), 1);
	kvt_true(strcmp(label.name, "kvarena") == 0);
	kvi_destroy(a);
}
END_TEST

START_TEST(what_arenas_share_has_no_arenas_name)
{
	kv_arena_t *a, *b;

	if (kvt_skip_if_apart())
		return;
	a = create_named("first");
	b = create_named("second");
	kva_os.label = note_label;
	kvt_eq(labels_for(a, 100), 1);
	kvt_true(strcmp(label.name, "kvarena") == 0);
	labels_for(b, 2 * MIB - 100);
	kvt_true(strcmp(label.name, "kvarena:second") == 0);
	kvi_destroy(b);

	/* What b had is cut now. */
	b = create_named("third");
	kvt_eq(labels_for(b, 300 * KIB), 1);
	kvt_true(strcmp(label.name, "kvarena") == 0);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

START_TEST(what_the_caller_gave_is_not_ours_to_name)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a, *b;

	config.name = "first";
	a = kvi_create(&config);
	config.name = "second";
	b = kvi_create(&config);
	kva_os.label = note_label;
	kvt_eq(labels_for(b, 3 * MIB), 0);
	kvt_eq(kv_arena_absorb(a, b), 0);
	kvt_eq(label.calls, 0);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

START_TEST(names_that_the_system_would_not_take_are_passed_over)
{
	static const char *const names[] = { "a[0]", "a\\b", "`a`", "a$", "t\to", "\303\244",
		"a\177" };
	kv_arena_t *a = create_named(names[_i]);

	kva_os.label = note_label;
	kvt_eq(labels_for(a, 3 * MIB), 1);
	kvt_true(strcmp(label.name, "kvarena") == 0);
	kvi_destroy(a);
}
END_TEST

/* tests/numa has the same on a kernel that is known to name mappings. */
START_TEST(smaps_shows_the_names_of_arenas)
{
	kv_arena_t *a = create_named("orders of May");
	bool found;

	kvt_true(kvt_alloc(a, 3 * MIB) != NULL);
	found = kvpg_map_says("[anon:kvarena:orders of May]");
	if (kva_os.label(kva_arena_of(a)->blocks->base, 2 * MIB, "probe") == 0)
		kvt_true(found);
	else
		kvt_skip("this system does not name mappings");
	kvi_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("holding");
	TCase *g = kvi_group(s, "blocks");

	tcase_add_test(g, blocks_double_up_to_the_largest);
	tcase_add_loop_test(g, large_requests_get_a_block_of_their_own, 0, 2);
	tcase_add_test(g, a_fetched_block_that_is_not_needed_goes_back);
	tcase_add_test(g, a_block_is_charged_until_its_source_has_it);
	tcase_add_test(g, under_a_tight_limit_a_source_is_asked_for_just_enough);
	tcase_add_test(g, owned_is_what_lies_in_a_block);

	g = kvi_group(s, "spares");
	tcase_add_test(g, reset_keeps_so_many_blocks_the_largest_first);
	tcase_add_loop_test(g, spares_serve_before_the_cache_is_asked, 0, 2);
	tcase_add_loop_test(g, a_spare_that_serves_again_counts_as_reused, 0, 2);
	tcase_add_loop_test(g, spares_that_nobody_needs_are_given_up_one_a_round, 0, 2);
	tcase_add_loop_test(g, the_callers_buffer_is_never_given_up, 0, 2);

	g = kvi_group(s, "names");
	tcase_add_test(g, a_mapping_has_the_name_of_the_arena_that_has_it);
	tcase_add_test(g, a_warm_mapping_is_named_only_if_that_is_news);
	tcase_add_test(g, what_arenas_share_has_no_arenas_name);
	tcase_add_test(g, what_the_caller_gave_is_not_ours_to_name);
	tcase_add_loop_test(g, names_that_the_system_would_not_take_are_passed_over, 0, 7);
	tcase_add_test(g, smaps_shows_the_names_of_arenas);
	return kvt_run(s, 1000);
}
