/* t-source.c -- lib/source.c: fetching blocks and giving them back
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvos.h"
#include "kvsource.h"
#include "kvtest.h"
#include "size.h"
#include "source.h"
#include "watch.h"

#include <string.h>

#define MIB ((size_t)1 << 20)
#define ANY KVA_PLACE_ANY

static void
start(void)
{
	kvo_begin(KVO_FOUR_NODES);
}

/* Whatever a test did, nothing is left. */
static void
finish(void)
{
	kvo_heal();
	kvt_eq(kvo_counts().pieces, 0);
	kvt_eq(kvo_counts().mapped, 0);
	kvo_end();
}

static uint64_t
calls(enum kva_call call)
{
	return kvo_counts().calls[call];
}

static bool
is_zero(const struct kva_block *b)
{
	kvo_look_at(b->base, b->capacity);
	return b->base[0] == 0 && memcmp(b->base, b->base + 1, b->capacity - 1) == 0;
}

/* ---- From the system ------------------------------------------------------------ */

START_TEST(a_fresh_block_is_zeroed_pages)
{
	struct kva_block *b = kva_source_map(3 * kva_os.page(), ANY, false);

	kvt_true(b != NULL && is_zero(b));
	kvt_eq(b->capacity, 3 * kva_os.page());
	kvt_eq((uintptr_t)b->base % kva_os.page(), 0);
	kvt_true(!b->dirty && !b->warm && !b->own && !b->borrowed && !b->misplaced);
	kvt_eq(calls(KVA_CALL_BIND), 0);
	kvt_eq(calls(KVA_CALL_HUGE), 0);
	kvt_eq(calls(KVA_CALL_LABEL), 1);
	kva_source_unmap(b);
}
END_TEST

START_TEST(a_segment_and_more_lies_at_a_segment)
{
	for (size_t size = 2 * MIB; size <= 8 * MIB; size += 2 * MIB) {
		struct kva_block *b = kva_source_map(size, ANY, size % (4 * MIB) == 0);

		kvt_true(b != NULL);
		kvt_eq((uintptr_t)b->base % KVA_SEGMENT_SIZE, 0);
		kvt_eq(b->huge, size % (4 * MIB) == 0);
		kvt_eq(calls(KVA_CALL_HUGE), size / (2 * MIB));
		kva_source_unmap(b);
	}
}
END_TEST

START_TEST(without_memory_there_is_no_block_and_nothing_is_left)
{
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_refused(kva_source_map(MIB, ANY, false), ENOMEM);
	kvt_eq(calls(KVA_CALL_MAP), 0);
	kvo_fail_once(KVO_CALL(MAP), 1, EPERM);
	kvt_refused(kva_source_map(MIB, ANY, false), ENOMEM);
	kvt_eq(kvo_counts().pieces, 0);
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_true(kva_source_describe(NULL, 1) == NULL);
}
END_TEST

START_TEST(advice_that_is_refused_is_borne)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	struct kva_block *b;

	kvo_fail_from(KVO_CALL(HUGE) | KVO_CALL(LABEL), 1, reasons[_i]);
	b = kva_source_map(2 * MIB, ANY, true);
	kvt_true(b != NULL && is_zero(b));
	kva_source_unmap(b);
}
END_TEST

START_TEST(what_cannot_be_unmapped_is_emptied)
{
	struct kva_block *b = kva_source_map(MIB, ANY, false);
	char *base = b->base;

	kvo_look_at(base, MIB);
	memset(base, 7, MIB);
	kvo_fail_once(KVO_CALL(UNMAP), 1, ENOMEM);
	kva_source_unmap(b);
	kvt_eq(calls(KVA_CALL_DISCARD), 1);
	kvt_eq(kvo_counts().lost, MIB);
	if (kva_os.discard(base, MIB) == 0)
		kvt_true(base[0] == 0 && base[MIB - 1] == 0);
}
END_TEST

START_TEST(what_can_neither_be_unmapped_nor_emptied_is_let_go)
{
	kva_source_unmap(kva_source_map(MIB, ANY, false));
	kvo_fail_from(KVO_CALL(UNMAP) | KVO_CALL(DISCARD), 1, EINVAL);
	kva_source_unmap(kva_source_map(MIB, ANY, false));
	kvt_eq(kvo_counts().lost, MIB);
}
END_TEST

/* ---- At a place -------------------------------------------------------------------- */

START_TEST(a_block_is_bound_to_its_place)
{
	static const kva_place_t places[] = {
		KVA_PLACE_PREFERRED(1), KVA_PLACE_BIND(1), KVA_PLACE_INTERLEAVE,
	};

	for (int i = 0; i < 3; i++) {
		struct kva_block *b = kva_source_map(MIB, places[i], false);

		kvt_true(b != NULL);
		kvt_eq(b->place, places[i]);
		kvt_true(!b->misplaced);
		kvt_eq(kvo_place_of(b->base), places[i]);
		kvt_eq(kvo_place_of(b->base + MIB - 1), places[i]);
		kva_source_unmap(b);
	}
}
END_TEST

START_TEST(a_preferred_place_that_is_refused_is_borne_and_told)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	static const kva_place_t places[] = {
		KVA_PLACE_PREFERRED(1), KVA_PLACE_INTERLEAVE,
	};

	for (int i = 0; i < 2; i++) {
		struct kva_block *b;

		kvo_refuse_nodes(reasons[_i]);
		b = kva_source_map(MIB, places[i], false);
		kvt_true(b != NULL && b->misplaced);
		kvt_eq(kva_source_place_errno(), reasons[_i]);
		kvt_eq(kvo_place_of(b->base), ANY);
		kva_source_unmap(b);
	}
}
END_TEST

START_TEST(a_bound_place_that_is_refused_gives_no_block)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	int reason = reasons[_i];

	kvo_refuse_nodes(reason);
	kvt_refused(kva_source_map(MIB, KVA_PLACE_BIND(1), false), reason);
	kvt_eq(kva_source_place_errno(), reason);
	kvt_eq(kvo_counts().mapped, 0);
	kvo_fail_from(KVO_CALL(UNMAP) | KVO_CALL(DISCARD), 1, EPERM);
	kvt_refused(kva_source_map(MIB, KVA_PLACE_BIND(1), false), reason);
	kvt_eq(kvo_counts().pieces, 0);
}
END_TEST

START_TEST(a_node_without_memory_is_no_place)
{
	struct kva_block *b;

	kvt_refused(kva_source_map(MIB, KVA_PLACE_BIND(KVO_BARE_NODE), false), EINVAL);
	kvt_refused(kva_source_map(MIB, KVA_PLACE_BIND(KVO_FULL_NODE), false), ENOMEM);
	b = kva_source_map(MIB, KVA_PLACE_PREFERRED(KVO_BARE_NODE), false);
	kvt_true(b != NULL && b->misplaced);
	kvt_eq(kva_source_place_errno(), EINVAL);
	kva_source_unmap(b);
}
END_TEST

/* A block, and where the system says that its two ends are. */
static const struct kva_block *asked;
static int ends_at[2];

static int
where_ends_are(void *const *pages, int *node, size_t n)
{
	kvt_eq(n, 2);
	kvt_true(pages[0] == asked->base);
	kvt_true(pages[1] == asked->base + asked->capacity - kva_os.page());
	memcpy(node, ends_at, sizeof ends_at);
	return 0;
}

START_TEST(a_warm_block_that_was_moved_is_not_on_its_node)
{
	enum { HERE = 1, GONE = -ENOENT };
	static const struct {
		int ends[2];
		bool stays;
	} cases[] = {
		{ { HERE, HERE }, true }, { { GONE, HERE }, true },
		{ { HERE, GONE }, true }, { { GONE, GONE }, true },
		{ { 0, HERE }, false }, { { HERE, 0 }, false },
		{ { 0, 0 }, false }, { { GONE, 0 }, false }, { { 0, GONE }, false },
	};
	struct kva_block *b = kva_source_map(MIB, KVA_PLACE_BIND(HERE), false);

	kvt_true(b != NULL);
	b->warm = true;
	asked = b;
	kva_os.where = where_ends_are;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memcpy(ends_at, cases[i].ends, sizeof ends_at);
		if (cases[i].stays)
			kvt_eq(kva_source_commit(b), 0);
		else
			kvt_fails(kva_source_commit(b), -1, EINVAL);
	}
	kva_source_unmap(b);
}
END_TEST

/* ---- From the caller ------------------------------------------------------------------ */

static char loose[1000];
static int gives;

static void *
take_odd(void *context, size_t size)
{
	(void)context, (void)size;
	return loose + kva_padding((uintptr_t)loose, 16) + 8;
}

static void
give_odd(void *context, void *block, size_t size)
{
	(void)context;
	gives += size == 100 && block == take_odd(NULL, 0);
}

START_TEST(blocks_of_the_caller_are_as_he_gave_them)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_block_source_t from = kvt_hooks(&source);
	struct kva_block *b = kva_source_take(&from, 5000);

	kvt_true(b != NULL && b->base == source.last);
	kvt_eq(b->capacity, 5000);
	kvt_true(b->dirty);
	kva_source_give(&from, b);
	kvt_eq(source.gives, 1);
	kvt_eq(source.faults, 0);
	kvt_true(kva_source_is_custom(&from));
	kvt_true(!kva_source_is_custom(&(kv_arena_block_source_t){ NULL, NULL, NULL }));
}
END_TEST

START_TEST(a_caller_who_has_nothing_gives_no_block)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_block_source_t from = kvt_hooks(&source);

	source.budget = 0;
	kvt_refused(kva_source_take(&from, 5000), ENOMEM);
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvt_refused(kva_source_take(&from, 5000), ENOMEM);
	kvt_eq(source.takes + source.gives, 0);
	kvt_eq(source.refusals, 1);
}
END_TEST

START_TEST(misaligned_blocks_go_straight_back)
{
	kv_arena_block_source_t from = { take_odd, give_odd, NULL };

	gives = 0;
	kvt_refused(kva_source_take(&from, 100), ENOMEM);
	kvt_eq(gives, 1);
}
END_TEST

START_TEST(ready_made_sources_serve_every_size)
{
	kv_arena_block_source_t from = _i ? kv_arena_source_pages()
		: kv_arena_source_malloc();

	for (size_t size = 16; size < 200000; size *= 3) {
		struct kva_block *b = kva_source_take(&from, size);

		kvt_true(b != NULL);
		kva_watch_allow(b->base, size);
		memset(b->base, 1, size);
		kva_source_give(&from, b);
	}
	kvt_eq(calls(KVA_CALL_MAP) > 0, _i == 1);
}
END_TEST

START_TEST(pages_that_cannot_be_had_or_given_back)
{
	kv_arena_block_source_t from = kv_arena_source_pages();
	struct kva_block *b = kva_source_take(&from, 5000);

	kvo_fail_once(KVO_CALL(MAP), 1, 0);
	kvt_refused(kva_source_take(&from, 5000), ENOMEM);
	kvo_fail_once(KVO_CALL(UNMAP), 1, ENOMEM);
	kva_source_give(&from, b);
	kvt_eq(kvo_counts().lost, kva_round_up(5000, kva_os.page()));
	kvt_eq(calls(KVA_CALL_DISCARD), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("source");
	TCase *g = kvt_group(s, "system");

	tcase_add_checked_fixture(g, start, finish);
	tcase_add_test(g, a_fresh_block_is_zeroed_pages);
	tcase_add_test(g, a_segment_and_more_lies_at_a_segment);
	tcase_add_test(g, without_memory_there_is_no_block_and_nothing_is_left);
	tcase_add_loop_test(g, advice_that_is_refused_is_borne, 0, 4);
	tcase_add_test(g, what_cannot_be_unmapped_is_emptied);
	tcase_add_test(g, what_can_neither_be_unmapped_nor_emptied_is_let_go);

	g = kvt_group(s, "places");
	tcase_add_checked_fixture(g, start, finish);
	tcase_add_test(g, a_block_is_bound_to_its_place);
	tcase_add_loop_test(g, a_preferred_place_that_is_refused_is_borne_and_told,
		0, 4);
	tcase_add_loop_test(g, a_bound_place_that_is_refused_gives_no_block, 0, 4);
	tcase_add_test(g, a_node_without_memory_is_no_place);
	tcase_add_test(g, a_warm_block_that_was_moved_is_not_on_its_node);

	g = kvt_group(s, "caller");
	tcase_add_checked_fixture(g, start, finish);
	tcase_add_test(g, blocks_of_the_caller_are_as_he_gave_them);
	tcase_add_test(g, a_caller_who_has_nothing_gives_no_block);
	tcase_add_test(g, misaligned_blocks_go_straight_back);
	tcase_add_loop_test(g, ready_made_sources_serve_every_size, 0, 2);
	tcase_add_test(g, pages_that_cannot_be_had_or_given_back);
	return kvt_run(s, 150);
}
