/* t-api-cache.c -- the section Caches of kv_arena.h
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvtest.h"

#include <pthread.h>
#include <time.h>

#define MIB ((size_t)1 << 20)

static kv_arena_cache_stats_t
stats_of(kv_arena_cache_t *cache)
{
	kv_arena_cache_stats_t s;

	kvt_eq(kv_arena_cache_get_stats(cache, &s), 0);
	return s;
}

static kv_arena_t *
create_cached(kv_arena_cache_t *cache)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = cache;
	return kv_arena_create_ex(&config);
}

/* Create an arena, put bytes into it, destroy it. */
static void
use(kv_arena_cache_t *cache, size_t bytes)
{
	kv_arena_t *a = create_cached(cache);
	struct kvt_book book = { 0 };

	kvt_true(a != NULL);
	for (size_t done = 0; done < bytes; done += 1000)
		kvt_enter(&book, kv_arena_alloc(a, 1000), 1000, 8);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}

START_TEST(new_cache_holds_nothing)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(8 * MIB);
	kv_arena_cache_stats_t s = stats_of(cache);

	kvt_eq(s.takes, 0);
	kvt_eq(s.hits, 0);
	kvt_eq(s.cached_bytes, 0);
	kvt_eq(s.held_bytes, 0);
	kvt_eq(s.max_bytes, 8 * MIB);
	kvt_eq(s.returned_bytes, 0);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(cache_keeps_what_arenas_gave_back)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 * MIB);
	kv_arena_cache_stats_t s;

	use(cache, MIB);
	s = stats_of(cache);
	kvt_cmp(s.takes, >, 0);
	kvt_cmp(s.cached_bytes, >=, MIB);
	kvt_cmp(s.held_bytes, >=, s.cached_bytes);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(warm_blocks_are_found_again)
{
	kv_arena_cache_t *cache;
	kv_arena_cache_stats_t first, last;

	if (kvt_is_watched()) {
		kvt_skip("under a checker blocks wait before they are used again");
		return;
	}
	cache = kv_arena_cache_create(64 * MIB);
	use(cache, MIB);
	first = stats_of(cache);
	for (int i = 0; i < 50; i++)
		use(cache, MIB);
	last = stats_of(cache);
	kvt_eq(last.takes, 51 * first.takes);
	kvt_eq(last.hits - first.hits, last.takes - first.takes);
	kvt_eq(last.held_bytes, first.held_bytes);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(cache_never_keeps_more_than_its_most)
{
	for (size_t most = 0; most <= 16 * MIB; most = most * 2 + 100000) {
		kv_arena_cache_t *cache = kv_arena_cache_create(most);

		for (size_t bytes = 1000; bytes < 20 * MIB; bytes *= 4) {
			use(cache, bytes);
			kvt_cmp(stats_of(cache).cached_bytes, <=, most);
		}
		kvt_eq(stats_of(cache).max_bytes, most);
		kvt_eq(kv_arena_cache_destroy(cache), 0);
	}
}
END_TEST

START_TEST(cache_of_nothing_still_serves)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(0);

	kvt_true(cache != NULL);
	use(cache, 3 * MIB);
	kvt_eq(stats_of(cache).cached_bytes, 0);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(cache_of_everything_is_no_overflow)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(SIZE_MAX);

	kvt_true(cache != NULL);
	use(cache, 30 * MIB);
	kvt_eq(stats_of(cache).max_bytes, SIZE_MAX);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(trim_gives_back_all_but_what_is_to_be_kept)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 * MIB);
	kv_arena_cache_stats_t before, after;
	size_t given;

	use(cache, 16 * MIB);
	before = stats_of(cache);
	kvt_cmp(before.cached_bytes, >=, 16 * MIB);
	given = kv_arena_cache_trim(cache, 8 * MIB);
	after = stats_of(cache);
	kvt_cmp(after.cached_bytes, <=, 8 * MIB);
	kvt_eq(after.held_bytes, before.held_bytes - given);
	kvt_eq(after.returned_bytes, before.returned_bytes + given);
	kvt_eq(kv_arena_cache_trim(cache, SIZE_MAX), 0);
	kv_arena_cache_trim(cache, 0);
	after = stats_of(cache);
	kvt_eq(after.cached_bytes, 0);
	kvt_eq(after.held_bytes, 0);
	kvt_eq(kv_arena_cache_trim(cache, 0), 0);
	use(cache, MIB);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(trim_leaves_blocks_in_use_alone)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 * MIB);
	kv_arena_t *a = create_cached(cache);
	struct kvt_book book = { 0 };

	for (int i = 0; i < 3000; i++)
		kvt_enter(&book, kv_arena_alloc(a, 1000), 1000, 8);
	use(cache, 8 * MIB);
	kv_arena_cache_trim(cache, 0);
	kvt_cmp(stats_of(cache).held_bytes, >=, 3000000);
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
	kv_arena_cache_trim(cache, 0);
	kvt_eq(stats_of(cache).held_bytes, 0);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(cache_in_use_is_not_destroyed)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(8 * MIB);
	kv_arena_t *a = create_cached(cache);

	kvt_fails(kv_arena_cache_destroy(cache), -1, EBUSY);
	kvt_true(kv_arena_alloc(a, 100) != NULL);
	kvt_fails(kv_arena_cache_destroy(cache), -1, EBUSY);
	use(cache, MIB);
	kv_arena_destroy(a);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(null_is_the_cache_of_the_process)
{
	kv_arena_cache_stats_t before, after;

	before = stats_of(NULL);
	use(NULL, MIB);
	after = stats_of(NULL);
	kvt_cmp(after.takes, >, before.takes);
	kvt_cmp(after.cached_bytes, >, 0);
	kv_arena_cache_trim(NULL, 0);
	kvt_eq(stats_of(NULL).cached_bytes, 0);
	use(NULL, MIB);
	kvt_eq(kv_arena_cache_destroy(NULL), 0);
	use(NULL, MIB);
	kvt_fails(kv_arena_cache_get_stats(NULL, NULL), -1, EINVAL);
}
END_TEST

START_TEST(burst_is_given_back)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(256 * MIB);
	time_t began = time(NULL);
	size_t high;

	/* The cache looks back over some time, so give it that. */
	use(cache, 60 * MIB);
	high = (size_t)stats_of(cache).held_bytes;
	while (stats_of(cache).held_bytes >= high / 2 &&
		time(NULL) < began + 30)
		use(cache, 200000);
	printf("after a burst: %zu KiB, later %zu KiB\n", high / 1024,
		(size_t)stats_of(cache).held_bytes / 1024);
	kvt_cmp(stats_of(cache).held_bytes, <, high / 2);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(many_caches_do_not_meet)
{
	kv_arena_cache_t *caches[100];

	for (int i = 0; i < 100; i++) {
		caches[i] = kv_arena_cache_create(MIB);
		use(caches[i], 10000);
	}
	for (int i = 0; i < 100; i++) {
		kvt_eq(kv_arena_cache_destroy(caches[i]), 0);
		if (i < 99)
			use(caches[i + 1], 10000);
	}
}
END_TEST

struct user {
	kv_arena_cache_t *cache;
	int rounds;
	bool bad;
};

static void *
use_in_thread(void *arg)
{
	struct user *u = arg;
	struct kvt_book book = { .salt = (uint64_t)(uintptr_t)u << 20 };

	for (int i = 0; i < u->rounds; i++) {
		kv_arena_t *a = create_cached(u->cache);
		size_t size = (size_t)i * 37 % 3000 + 1;

		for (int k = 0; k < 300; k++)
			kvt_enter(&book, kv_arena_alloc(a, size), size, 8);
		u->bad |= !kvt_verify(&book);
		kvt_strike(&book, 0);
		kv_arena_destroy(a);
		if (i % 16 == 0)
			kv_arena_cache_trim(u->cache, 100000);
	}
	kvt_drop(&book);
	return NULL;
}

START_TEST(cache_serves_many_threads)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(4 * MIB);
	struct user users[8];

	for (int i = 0; i < 8; i++)
		users[i] = (struct user){ cache, (int)kvt_scaled(400), false };
	kvt_threads(8, use_in_thread, users, sizeof *users);
	for (int i = 0; i < 8; i++)
		kvt_true(!users[i].bad);
	kvt_cmp(stats_of(cache).cached_bytes, <=, 4 * MIB);
	kv_arena_cache_trim(cache, 0);
	kvt_eq(stats_of(cache).held_bytes, 0);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-cache");
	TCase *g = kvt_group(s, "caches");

	tcase_add_test(g, new_cache_holds_nothing);
	tcase_add_test(g, cache_keeps_what_arenas_gave_back);
	tcase_add_test(g, warm_blocks_are_found_again);
	tcase_add_test(g, cache_never_keeps_more_than_its_most);
	tcase_add_test(g, cache_of_nothing_still_serves);
	tcase_add_test(g, cache_of_everything_is_no_overflow);
	tcase_add_test(g, trim_gives_back_all_but_what_is_to_be_kept);
	tcase_add_test(g, trim_leaves_blocks_in_use_alone);
	tcase_add_test(g, cache_in_use_is_not_destroyed);
	tcase_add_test(g, null_is_the_cache_of_the_process);
	tcase_add_test(g, burst_is_given_back);
	tcase_add_test(g, many_caches_do_not_meet);
	tcase_add_test(g, cache_serves_many_threads);
	return kvt_run(s, 20000);
}
