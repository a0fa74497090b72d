/* t-api-limit.c -- limits, also of families, and the out-of-memory call
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <stdio.h>
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
child_named(kv_arena_t *parent, const char *name)
{
	kv_arena_config_t config = named(name);

	return kv_arena_create_child(parent, &config);
}

/* ---- Limits -------------------------------------------------------------------- */

/* Fill an arena until it refuses; returns what it gave. */
static size_t
fill_up(kv_arena_t *a, size_t size)
{
	size_t given = 0;

	errno = 0;
	while (kvt_alloc(a, size) != NULL)
		given += size;
	kvt_eq(errno, ENOMEM);
	return given;
}

START_TEST(limit_is_never_exceeded_by_a_byte)
{
	for (size_t limit = 2048; limit < 8 * MIB; limit = limit * 3 + 17) {
		for (int mode = 0; mode < 2; mode++) {
			kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
			kv_arena_t *a;

			config.memory_limit = limit;
			config.block_size = 1024;
			config.thread_mode = (kv_arena_thread_mode_t)mode;
			a = kv_arena_create_ex(&config);
			if (a == NULL) {
				kvt_cmp(limit, <, 8192);
				continue;
			}
			fill_up(a, 100);
			kvt_cmp(kv_arena_memory_usage(a), <=, limit);
			kvt_cmp(kvt_stats(a).peak_memory_usage, <=, limit);
			fill_up(a, 1);
			kvt_cmp(kv_arena_memory_usage(a), <=, limit);
			kvt_balanced(a);
			kv_arena_destroy(a);
		}
	}
}
END_TEST

START_TEST(limit_can_be_used_nearly_whole)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	if (kvt_skip_if_apart())
		return;
	config.memory_limit = 4 * MIB;
	a = kv_arena_create_ex(&config);
	kvt_cmp(fill_up(a, 64), >, 4 * MIB - 128 * 1024);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(limit_refuses_a_large_piece_and_serves_a_small_one)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.memory_limit = MIB;
	a = kv_arena_create_ex(&config);
	kvt_refused(kvt_alloc(a, MIB), ENOMEM);
	kvt_refused(kvt_alloc(a, SIZE_MAX), ENOMEM);
	kvt_true(kvt_alloc(a, MIB / 2) != NULL);
	kvt_refused(kvt_alloc(a, MIB / 2), ENOMEM);
	kvt_true(kvt_alloc(a, 1000) != NULL);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(children_count_against_the_limits_of_their_ancestors)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *root, *child, *grandchild;
	size_t given;

	config.memory_limit = 4 * MIB;
	root = kv_arena_create_ex(&config);
	config.memory_limit = 2 * MIB;
	child = kv_arena_create_child(root, &config);
	grandchild = kv_arena_create_child(child, NULL);

	given = fill_up(grandchild, 1000);
	kvt_cmp(given, >, MIB + MIB / 2);
	kvt_cmp(kv_arena_memory_usage(grandchild) +
		kv_arena_memory_usage(child), <=, 2 * MIB);
	given = fill_up(root, 1000);
	kvt_cmp(given, >, MIB + MIB / 2);
	kvt_cmp(kv_arena_memory_usage(root) +
		kvt_stats(root).children_memory_usage, <=, 4 * MIB);
	kvt_refused(kvt_alloc(child, 100000), ENOMEM);

	kv_arena_destroy(grandchild);
	kvt_true(kvt_alloc(child, 100000) != NULL);
	kvt_true(kvt_alloc(root, 100000) != NULL);
	kv_arena_destroy(root);
}
END_TEST

struct filler {
	kv_arena_t *arena;
	struct kvt_book book;
	uint64_t most;
};

static void *
fill_and_watch(void *arg)
{
	struct filler *f = arg;
	size_t size = 1;
	void *p;

	while (size = size % 700 + 1,
		(p = kv_arena_alloc(f->arena, size)) != NULL) {
		kvt_enter(&f->book, p, size, 8);
		if (f->book.n % 64 == 0) {
			uint64_t now = kv_arena_memory_usage(f->arena);

			f->most = now > f->most ? now : f->most;
		}
	}
	return NULL;
}

#define MANY 64				/* threads */

/* The arena's own figure is watched and, in every other round, that of a source. */
START_TEST(limit_holds_for_many_threads)
{
	for (int round = 0; round < 6; round++) {
		struct kvt_source source = KVT_SOURCE;
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
		struct filler f[MANY] = { 0 };
		struct kvt_book all = { 0 };
		kv_arena_t *a;

		if (round % 2)
			config = kvt_sourced(&source);
		config.thread_mode = KV_ARENA_THREAD_SAFE;
		config.memory_limit = 3 * MIB + 12345;
		a = kv_arena_create_ex(&config);
		for (uint64_t i = 0; i < MANY; i++)
			f[i] = (struct filler){ a, { .salt = i << 40 }, 0 };
		kvt_threads(MANY, fill_and_watch, f, sizeof *f);
		for (int i = 0; i < MANY; i++) {
			kvt_cmp(f[i].most, <=, config.memory_limit);
			kvt_join(&all, &f[i].book);
		}
		kvt_cmp(source.most, <=, config.memory_limit);
		if (round % 2)
			kvt_cmp(source.most, >, config.memory_limit / 2);
		kvt_intact(&all);
		kvt_cmp(kvt_stats(a).peak_memory_usage, <=, config.memory_limit);
		kvt_balanced(a);
		kvt_drop(&all);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(limit_holds_for_children_in_many_threads)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *root;
	struct filler f[MANY] = { 0 };

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	config.memory_limit = 5 * MIB;
	root = kv_arena_create_ex(&config);
	config.memory_limit = 0;
	for (uint64_t i = 0; i < MANY; i++) {
		config.thread_mode = (kv_arena_thread_mode_t)(i % 2);
		f[i].arena = kv_arena_create_child(root, &config);
		f[i].book.salt = i << 40;
	}
	kvt_threads(MANY, fill_and_watch, f, sizeof *f);
	for (int i = 0; i < MANY; i++) {
		kvt_intact(&f[i].book);
		kvt_balanced(f[i].arena);
		kvt_drop(&f[i].book);
	}
	kvt_cmp(kv_arena_memory_usage(root) +
		kvt_stats(root).children_memory_usage, <=, 5 * MIB);
	kvt_cmp(kvt_stats(root).children_memory_usage, >, 4 * MIB);
	kv_arena_destroy(root);
}
END_TEST

/* ---- Out of memory --------------------------------------------------------------- */

struct witness {
	int calls;
	int retries;			/* times to say true */
	kv_arena_t *arena;
	size_t wanted, limit;
	char message[256];
	struct kvt_source *relief;	/* widened before saying true */
	kv_arena_t *victim;		/* destroyed before saying true */
};

static bool
witness_oom(void *context, const kv_arena_oom_t *oom)
{
	struct witness *w = context;

	w->calls++;
	w->arena = oom->arena;
	w->wanted = oom->wanted;
	w->limit = oom->limit;
	snprintf(w->message, sizeof w->message, "%s", oom->message);
	if (w->retries == 0)
		return false;
	w->retries--;
	if (w->relief != NULL)
		w->relief->budget = SIZE_MAX;
	kv_arena_destroy(w->victim);
	w->victim = NULL;
	return true;
}

START_TEST(oom_is_told_the_path_and_the_figures)
{
	struct witness w = { 0 };
	kv_arena_config_t config = named("root");
	kv_arena_t *root, *query, *join;

	config.memory_limit = MIB;
	root = kv_arena_create_ex(&config);
	query = child_named(root, "query7");
	config = named("join");
	config.on_oom = witness_oom;
	config.on_oom_context = &w;
	join = kv_arena_create_child(query, &config);

	kvt_refused(kvt_alloc(join, 2 * MIB), ENOMEM);
	kvt_eq(w.calls, 1);
	kvt_true(w.arena == join);
	kvt_cmp(w.wanted, >=, 2 * MIB);
	kvt_eq(w.limit, MIB);
	kvt_true(strstr(w.message, "root/query7/join") != NULL);
	kvt_true(strchr(w.message, '\n') == NULL);
	kv_arena_destroy(root);
}
END_TEST

START_TEST(oom_is_called_once_per_failure)
{
	struct witness w = { 0 };
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.memory_limit = MIB;
	config.on_oom = witness_oom;
	config.on_oom_context = &w;
	a = kv_arena_create_ex(&config);
	for (int i = 1; i <= 10; i++) {
		kvt_refused(kvt_alloc(a, 2 * MIB), ENOMEM);
		kvt_eq(w.calls, i);
	}
	kvt_refused(kv_arena_calloc(a, 2, MIB), ENOMEM);
	kvt_refused(kv_arena_alloc_aligned(a, 2 * MIB, 4096), ENOMEM);
	kvt_eq(w.calls, 12);
	kvt_refused(kv_arena_alloc(a, 0), EINVAL);
	kvt_eq(w.calls, 12);
	kvt_true(kv_arena_alloc(a, 1000) != NULL);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(oom_may_free_something_and_ask_for_a_retry)
{
	struct witness w = { .retries = 1 };
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *root, *worker;

	config.memory_limit = 2 * MIB;
	root = kv_arena_create_ex(&config);
	config = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
	config.on_oom = witness_oom;
	config.on_oom_context = &w;
	w.victim = kv_arena_create_child(root, NULL);
	worker = kv_arena_create_child(root, &config);
	kvt_true(kvt_alloc(w.victim, MIB + MIB / 2) != NULL);
	kvt_true(kvt_alloc(worker, MIB) != NULL);
	kvt_eq(w.calls, 1);
	kvt_balanced(worker);
	kv_arena_destroy(root);
}
END_TEST

/* No lock is held: everything may be asked of the arena, and of others. */
static bool
ask_much(void *context, const kv_arena_oom_t *oom)
{
	kv_arena_t *other = kv_arena_create(0);
	kv_arena_stats_t s;
	char path[64];
	int *good = context;

	*good = kv_arena_get_stats(oom->arena, &s) == 0 &&
		kv_arena_memory_usage(oom->arena) == s.current_memory_usage &&
		kv_arena_path(oom->arena, path, sizeof path) > 0 &&
		!kv_arena_owns(oom->arena, path) &&
		kv_arena_alloc(other, 100) != NULL;
	kv_arena_compact(oom->arena);
	kv_arena_destroy(other);
	return false;
}

START_TEST(oom_is_called_without_a_lock)
{
	for (int mode = 0; mode < 2; mode++) {
		kv_arena_config_t config = named("full");
		kv_arena_t *a;
		int good = 0;

		config.thread_mode = (kv_arena_thread_mode_t)mode;
		config.memory_limit = MIB;
		config.on_oom = ask_much;
		config.on_oom_context = &good;
		a = kv_arena_create_ex(&config);
		kvt_true(kv_arena_alloc(a, 1000) != NULL);
		kvt_refused(kvt_alloc(a, 2 * MIB), ENOMEM);
		kvt_true(good);
		kvt_balanced(a);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(oom_of_the_system_has_no_limit_to_name)
{
	struct kvt_source source = KVT_SOURCE;
	struct witness w = { .retries = 1, .relief = &source };
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a;

	config.on_oom = witness_oom;
	config.on_oom_context = &w;
	a = kv_arena_create_ex(&config);
	source.budget = 0;
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_eq(w.calls, 1);
	kvt_eq(w.limit, 0);
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
}
END_TEST

START_TEST(retry_that_was_in_vain_ends)
{
	struct witness w = { .retries = 3 };
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.memory_limit = MIB;
	config.on_oom = witness_oom;
	config.on_oom_context = &w;
	a = kv_arena_create_ex(&config);
	kvt_refused(kvt_alloc(a, 2 * MIB), ENOMEM);
	kvt_cmp(w.calls, >=, 1);
	kvt_cmp(w.calls, <=, 4);
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-limit");
	TCase *g = kvt_group(s, "limits");

	tcase_add_test(g, limit_is_never_exceeded_by_a_byte);
	tcase_add_test(g, limit_can_be_used_nearly_whole);
	tcase_add_test(g, limit_refuses_a_large_piece_and_serves_a_small_one);
	tcase_add_test(g, children_count_against_the_limits_of_their_ancestors);
	tcase_add_test(g, limit_holds_for_many_threads);
	tcase_add_test(g, limit_holds_for_children_in_many_threads);

	g = kvt_group(s, "out of memory");
	tcase_add_test(g, oom_is_told_the_path_and_the_figures);
	tcase_add_test(g, oom_is_called_once_per_failure);
	tcase_add_test(g, oom_may_free_something_and_ask_for_a_retry);
	tcase_add_test(g, oom_is_called_without_a_lock);
	tcase_add_test(g, oom_of_the_system_has_no_limit_to_name);
	tcase_add_test(g, retry_that_was_in_vain_ends);
	return kvt_run(s, 5000);
}
