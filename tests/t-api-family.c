/* t-api-family.c -- the section Families of kv_arena.h
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <string.h>

#define MIB ((size_t)1 << 20)

static kv_arena_config_t
named(const char *name)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.name = name;
	return config;
}

static kv_arena_t *
create_named(const char *name)
{
	kv_arena_config_t config = named(name);

	return kv_arena_create_ex(&config);
}

static kv_arena_t *
child_named(kv_arena_t *parent, const char *name)
{
	kv_arena_config_t config = named(name);

	return kv_arena_create_child(parent, &config);
}

static void
count(void *arg)
{
	++*(int *)arg;
}

/* ---- Children ------------------------------------------------------------- */

START_TEST(child_allocates_and_is_accounted_to_its_parent)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_t *child = kv_arena_create_child(a, NULL);
	struct kvt_book book = { 0 };

	kvt_true(child != NULL);
	kvt_load(a, &book, 500);
	kvt_load(child, &book, 500);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_balanced(child);
	kvt_eq(kvt_stats(a).children_memory_usage, kv_arena_memory_usage(child));
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(child_may_be_destroyed_first)
{
	kv_arena_t *a = kv_arena_create(0);
	int ended = 0;

	for (int i = 0; i < 100; i++) {
		kv_arena_t *first = kv_arena_create_child(a, NULL);
		kv_arena_t *second = kv_arena_create_child(a, NULL);
		kv_arena_t *third = kv_arena_create_child(a, NULL);

		kvt_eq(kv_arena_defer(first, count, &ended), 0);
		kvt_eq(kv_arena_defer(second, count, &ended), 0);
		kvt_eq(kv_arena_defer(third, count, &ended), 0);
		kv_arena_destroy(i % 2 ? first : second);
		kvt_eq(ended, 3 * i + 1);
		kv_arena_destroy(third);
		kvt_eq(ended, 3 * i + 2);
		kv_arena_destroy(i % 2 ? second : first);
		kvt_eq(ended, 3 * i + 3);
		kvt_eq(kvt_stats(a).children_memory_usage, 0);
	}
	kv_arena_destroy(a);
	kvt_eq(ended, 300);
}
END_TEST

START_TEST(whole_families_end_with_their_root)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_ex(&config), *deep = a;
	int ended = 0;

	for (int i = 0; i < 50; i++) {
		kv_arena_t *side = kv_arena_create_child(deep, &config);

		deep = kv_arena_create_child(deep, &config);
		kvt_true(side != NULL && deep != NULL);
		kvt_true(kv_arena_alloc(side, 100) != NULL);
		kvt_true(kv_arena_alloc(deep, 100) != NULL);
		kvt_eq(kv_arena_defer(side, count, &ended), 0);
		kvt_eq(kv_arena_defer(deep, count, &ended), 0);
	}
	kvt_eq(kvt_stats(a).children_memory_usage,
		100 * kv_arena_memory_usage(deep));
	kv_arena_destroy(a);
	kvt_eq(ended, 100);
	kvt_eq(source.held, 0);
}
END_TEST

START_TEST(child_of_null_is_refused)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a = kv_arena_create(0);

	kvt_refused(kv_arena_create_child(NULL, NULL), EINVAL);
	config.reserved[6] = &config;
	kvt_refused(kv_arena_create_child(a, &config), EINVAL);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Paths ------------------------------------------------------------------ */

START_TEST(path_names_the_ancestors)
{
	kv_arena_t *root = create_named("root");
	kv_arena_t *query = child_named(root, "query7");
	kv_arena_t *join = child_named(query, "join");
	char path[64];

	kvt_eq(kv_arena_path(join, path, sizeof path), 16);
	ck_assert_str_eq(path, "root/query7/join");
	kvt_eq(kv_arena_path(root, path, sizeof path), 4);
	ck_assert_str_eq(path, "root");
	kv_arena_destroy(root);
}
END_TEST

START_TEST(path_is_cut_as_snprintf_does)
{
	kv_arena_t *root = create_named("root");
	kv_arena_t *child = child_named(root, "child");
	char path[16];

	for (size_t size = 1; size <= 12; size++) {
		memset(path, 'x', sizeof path);
		kvt_eq(kv_arena_path(child, path, size), 10);
		kvt_eq(strlen(path), size - 1 < 10 ? size - 1 : 10);
		kvt_true(strncmp(path, "root/child", strlen(path)) == 0);
		kvt_true(path[size] == 'x');
	}
	kvt_eq(kv_arena_path(child, NULL, 0), 10);
	kvt_fails(kv_arena_path(NULL, path, sizeof path), -1, EINVAL);
	kv_arena_destroy(root);
}
END_TEST

START_TEST(name_is_copied_and_cut_at_31_bytes)
{
	char name[] = "0123456789012345678901234567890123456789", path[64];
	kv_arena_t *a = create_named(name);

	memset(name, '-', sizeof name - 1);
	kvt_eq(kv_arena_path(a, path, sizeof path), 31);
	ck_assert_str_eq(path, "0123456789012345678901234567890");
	kv_arena_destroy(a);
}
END_TEST

START_TEST(paths_of_deep_families_are_whole)
{
	kv_arena_t *a = create_named("a"), *deep = a;
	char path[512];

	for (int i = 0; i < 100; i++)
		deep = child_named(deep, "b");
	kvt_eq(kv_arena_path(deep, path, sizeof path), 201);
	kvt_eq(strlen(path), 201);
	kvt_true(strncmp(path, "a/b/b/", 6) == 0);
	kv_arena_destroy(a);
}
END_TEST

/* ---- Absorbing ---------------------------------------------------------------------- */

START_TEST(absorb_moves_allocations_and_defers)
{
	kv_arena_t *into = kv_arena_create(0), *from = kv_arena_create(0);
	struct kvt_book book = { 0 };
	int ended = 0;
	size_t used;

	kvt_load(into, &book, 500);
	kvt_load(from, &book, 700);
	kvt_enter(&book, kvt_alloc(from, 3 * MIB), 3 * MIB, 8);
	used = kv_arena_total_allocated(into) + kv_arena_total_allocated(from);
	kvt_eq(kv_arena_defer(from, count, &ended), 0);
	kvt_eq(kv_arena_absorb(into, from), 0);
	kvt_eq(kv_arena_total_allocated(from), 0);
	kvt_true(kv_arena_owns(into, book.pieces[600].p));
	kvt_true(!kv_arena_owns(from, book.pieces[600].p));
	kvt_cmp(kv_arena_total_allocated(into), >=, used);
	kvt_balanced(into);
	kvt_balanced(from);

	kvt_load(from, &book, 300);
	kv_arena_reset(from);
	kvt_strike(&book, 1201);
	kvt_eq(ended, 0);
	kv_arena_destroy(from);
	kvt_intact(&book);
	kvt_load(into, &book, 300);
	kvt_intact(&book);
	kvt_balanced(into);
	kv_arena_destroy(into);
	kvt_eq(ended, 1);
	kvt_drop(&book);
}
END_TEST

START_TEST(absorb_of_an_empty_arena_is_nothing)
{
	kv_arena_t *into = kv_arena_create(0), *from = kv_arena_create(0);

	kvt_eq(kv_arena_absorb(into, from), 0);
	kvt_eq(kv_arena_total_allocated(into), 0);
	kvt_true(kv_arena_alloc(from, 8) && kv_arena_alloc(into, 8));
	kvt_balanced(into);
	kvt_balanced(from);
	kv_arena_destroy(from);
	kv_arena_destroy(into);
}
END_TEST

START_TEST(absorb_refuses_what_cannot_be_moved)
{
	static _Alignas(16) char buffer[4096];
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create(0), *parent = kv_arena_create(0);
	kv_arena_t *in_buffer = kv_arena_create_in(buffer, sizeof buffer, NULL);
	kv_arena_t *sourced = kv_arena_create_ex(&config);
	kv_arena_cache_t *cache = kv_arena_cache_create(MIB);
	kv_arena_t *cached;

	config = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
	config.cache = cache;
	cached = kv_arena_create_ex(&config);
	kvt_true(kv_arena_create_child(parent, NULL) != NULL);
	kvt_fails(kv_arena_absorb(NULL, a), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, NULL), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, a), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, parent), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, in_buffer), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, sourced), -1, EINVAL);
	kvt_fails(kv_arena_absorb(sourced, a), -1, EINVAL);
	kvt_fails(kv_arena_absorb(a, cached), -1, EINVAL);
	kvt_eq(kv_arena_absorb(in_buffer, a), 0);
	kv_arena_destroy(cached);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
	kv_arena_destroy(sourced);
	kv_arena_destroy(in_buffer);
	kv_arena_destroy(parent);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(absorb_respects_the_limit)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *into, *from = kv_arena_create(0);
	struct kvt_book book = { 0 };

	config.memory_limit = MIB;
	into = kv_arena_create_ex(&config);
	kvt_load(into, &book, 10);
	kvt_enter(&book, kvt_alloc(from, 2 * MIB), 2 * MIB, 8);
	kvt_fails(kv_arena_absorb(into, from), -1, ENOMEM);
	kvt_eq(kv_arena_total_allocated(from), 2 * MIB);
	kvt_balanced(into);
	kvt_balanced(from);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(from);
	kv_arena_destroy(into);
}
END_TEST

START_TEST(refused_absorb_leaves_the_limits_as_they_were)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *into, *root, *from;

	config.memory_limit = MIB;
	into = kv_arena_create_ex(&config);
	config.memory_limit = 4 * MIB;
	root = kv_arena_create_ex(&config);
	from = kv_arena_create_child(root, NULL);
	kvt_true(kvt_alloc(from, 3 * MIB) != NULL);
	for (int i = 0; i < 10; i++)
		kvt_fails(kv_arena_absorb(into, from), -1, ENOMEM);
	kvt_refused(kvt_alloc(root, 2 * MIB), ENOMEM);
	kvt_refused(kvt_alloc(from, 2 * MIB), ENOMEM);
	kvt_true(kvt_alloc(into, MIB / 2) != NULL);
	kv_arena_destroy(from);
	kvt_true(kvt_alloc(root, 3 * MIB) != NULL);
	kv_arena_destroy(root);
	kv_arena_destroy(into);
}
END_TEST

START_TEST(child_may_be_absorbed_by_its_parent)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_book book = { 0 };
	kv_arena_t *parent, *child;

	/* Both count against this limit already; moving takes no more. */
	config.memory_limit = 4 * MIB;
	parent = kv_arena_create_ex(&config);
	child = kv_arena_create_child(parent, NULL);
	kvt_load(parent, &book, 100);
	kvt_load(child, &book, 100);
	kvt_enter(&book, kvt_alloc(child, 3 * MIB), 3 * MIB, 8);
	kvt_eq(kv_arena_absorb(parent, child), 0);
	kvt_eq(kv_arena_total_allocated(child), 0);
	kvt_balanced(parent);
	kvt_balanced(child);
	kv_arena_destroy(child);
	kvt_intact(&book);
	kvt_refused(kvt_alloc(parent, 2 * MIB), ENOMEM);
	kv_arena_reset(parent);
	kvt_true(kvt_alloc(parent, 2 * MIB) != NULL);
	kvt_drop(&book);
	kv_arena_destroy(parent);
}
END_TEST

START_TEST(absorbed_defers_run_once_each)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *last = kv_arena_create_ex(&config);
	int ended = 0;

	for (int i = 0; i < 20; i++) {
		kv_arena_t *next = kv_arena_create_ex(&config);

		kvt_true(kv_arena_alloc(next, 5000) != NULL);
		kvt_eq(kv_arena_defer(next, count, &ended), 0);
		kvt_eq(kv_arena_absorb(last, next), 0);
		kvt_balanced(last);
		kv_arena_destroy(next);
	}
	kvt_eq(ended, 0);
	kv_arena_reset(last);
	kvt_eq(ended, 20);
	kvt_balanced(last);
	kv_arena_destroy(last);
	kvt_eq(ended, 20);
	kvt_eq(source.held, 0);
	kvt_eq(source.faults, 0);
}
END_TEST

START_TEST(shared_arenas_absorb_each_other)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_book book = { 0 };
	kv_arena_t *into, *from;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	into = kv_arena_create_ex(&config);
	from = kv_arena_create_ex(&config);
	for (int i = 0; i < 10; i++) {
		kvt_load(into, &book, 200);
		kvt_load(from, &book, 200);
		kvt_eq(kv_arena_absorb(into, from), 0);
		kvt_eq(kv_arena_total_allocated(from), 0);
		kvt_balanced(into);
		kvt_balanced(from);
	}
	kv_arena_destroy(from);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(into);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-family");
	TCase *g = kvt_group(s, "children");

	tcase_add_test(g, child_allocates_and_is_accounted_to_its_parent);
	tcase_add_test(g, child_may_be_destroyed_first);
	tcase_add_test(g, whole_families_end_with_their_root);
	tcase_add_test(g, child_of_null_is_refused);

	g = kvt_group(s, "paths");
	tcase_add_test(g, path_names_the_ancestors);
	tcase_add_test(g, path_is_cut_as_snprintf_does);
	tcase_add_test(g, name_is_copied_and_cut_at_31_bytes);
	tcase_add_test(g, paths_of_deep_families_are_whole);

	g = kvt_group(s, "absorb");
	tcase_add_test(g, absorb_moves_allocations_and_defers);
	tcase_add_test(g, absorb_of_an_empty_arena_is_nothing);
	tcase_add_test(g, absorb_refuses_what_cannot_be_moved);
	tcase_add_test(g, absorb_respects_the_limit);
	tcase_add_test(g, refused_absorb_leaves_the_limits_as_they_were);
	tcase_add_test(g, child_may_be_absorbed_by_its_parent);
	tcase_add_test(g, absorbed_defers_run_once_each);
	tcase_add_test(g, shared_arenas_absorb_each_other);
	return kvt_run(s, 5000);
}
