/* t-watch-asan.c -- what AddressSanitizer is told of an arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * This program brings along the two functions by which lib/watch.c recognises
 * AddressSanitizer. They keep a shadow of a piece of land, from which all blocks
 * are taken: so it is known of every byte whether it may be touched.
 */
#include "kvtest.h"
#include "source.h"
#include "watch.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_REAL_CHECKER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_REAL_CHECKER 1
#endif
#endif

#ifndef __ELF__
int
main(void)
{
	puts("skip: no weak references, by which a checker is found");
	return 77;
}
#elif defined(HAS_REAL_CHECKER)
int
main(void)
{
	puts("skip: there is a checker already");
	return 77;
}
#else

/* ---- The land and its shadow ---------------------------------------------------- */

#define LAND ((size_t)16 << 20)

static char land[LAND] __attribute__((__aligned__(4096)));
static char forbidden[LAND];		/* a byte for each of the land */
static size_t taken;			/* land given out so far; never reused */
static size_t outside;			/* poisoned elsewhere */
static struct {
	const char *p;			/* one byte elsewhere */
	bool is_shut;
} looked_at;

void __asan_poison_memory_region(void const volatile *p, size_t size);
void __asan_unpoison_memory_region(void const volatile *p, size_t size);

static void
cast_shadow(void const volatile *p, size_t size, char value)
{
	size_t at = (size_t)((const char *)(uintptr_t)p - land);

	if (at < LAND && size <= LAND - at)
		memset(forbidden + at, value, size);
	else
		outside += value != 0;
	if ((size_t)(looked_at.p - (const char *)(uintptr_t)p) < size)
		looked_at.is_shut = value;
}

void
__asan_poison_memory_region(void const volatile *p, size_t size)
{
	cast_shadow(p, size, 1);
}

void
__asan_unpoison_memory_region(void const volatile *p, size_t size)
{
	cast_shadow(p, size, 0);
}

static void *
take_land(void *context, size_t size)
{
	size_t at = taken;

	(void)context;
	if (size > LAND - taken)
		return NULL;
	taken += size;
	return land + at;
}

static void
give_land(void *context, void *block, size_t size)
{
	(void)context, (void)block, (void)size;
}

static size_t
count(const char *p, size_t size, char value)
{
	const char *shadow = forbidden + (p - land);
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += shadow[i] == value;
	return n;
}

static bool
is_open(const void *p, size_t size)
{
	return count(p, size, 0) == size;
}

static bool
is_shut(const void *p, size_t size)
{
	return count(p, size, 1) == size;
}

/* All of the land that was given out and is open. */
static size_t
open_bytes(void)
{
	return count(land, taken, 0);
}

static kv_arena_t *
create(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = mode;
	config.block_source = (kv_arena_block_source_t){ take_land, give_land, NULL };
	return kv_arena_create_ex(&config);
}

/* ---- What is handed out is open, all else shut -------------------------------------- */

START_TEST(the_checker_is_taken_for_the_real_one)
{
	kvt_true(kva_watch_on());
	ck_assert_str_eq(kva_watch_name(), "asan");
	kvt_true(kv_arena_has("asan"));
	kvt_eq(kv_arena_suggest_block_size(NULL), KV_ARENA_DEFAULT_BLOCK_SIZE);
}
END_TEST

START_TEST(exactly_the_bytes_asked_for_are_open)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);
	size_t asked = 0;

	for (size_t size = 1; size < 3000; size += 13) {
		char *p = kv_arena_alloc(a, size);

		asked += size;
		kvt_true(is_open(p, size));
		kvt_true(is_shut(p + size, KVA_WATCH_GAP));
		kvt_eq(open_bytes(), asked);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(packed_text_is_open_byte_by_byte)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);

	for (int i = 0; i < 1000; i++) {
		char *p = kv_arena_printf(a, "%d", i);

		kvt_true(is_open(p, strlen(p) + 1));
		kvt_true(is_shut(p + strlen(p) + 1, KVA_WATCH_GAP));
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(aligned_and_large_pieces_are_open_exactly)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);
	size_t asked = 0;

	for (size_t alignment = 1; alignment <= 4096; alignment *= 4)
		for (size_t size = 1; size < 500000; size *= 9) {
			char *p = kv_arena_alloc_aligned(a, size, alignment);

			asked += size;
			kvt_true(is_open(p, size));
			kvt_eq(open_bytes(), asked);
		}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(growing_opens_and_shrinking_shuts)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);
	char *p = kv_arena_alloc(a, 100);

	kvt_true(kv_arena_realloc(a, p, 100, 300) == p);
	kvt_true(is_open(p, 300) && is_shut(p + 300, KVA_WATCH_GAP));
	kvt_true(kv_arena_realloc(a, p, 300, 50) == p);
	kvt_true(is_open(p, 50) && is_shut(p + 50, 250));
	kvt_eq(open_bytes(), 50);
	kv_arena_realloc(a, p, 50, 0);
	kvt_eq(open_bytes(), 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(what_realloc_left_behind_is_shut)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);
	char *old = kv_arena_alloc(a, 100), *p;

	kv_arena_alloc(a, 8);
	p = kv_arena_realloc(a, old, 100, 300);
	kvt_true(p != old);
	kvt_true(is_shut(old, 100) && is_open(p, 300));
	kvt_eq(open_bytes(), 308);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_shuts_everything)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);

	for (int i = 0; i < 300; i++)
		kv_arena_alloc(a, 1000);
	kv_arena_reset(a);
	kvt_eq(open_bytes(), 0);
	for (int i = 0; i < 300; i++)
		kv_arena_alloc(a, 1000);
	kvt_eq(open_bytes(), 300000);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(rewind_shuts_what_came_after_the_mark)
{
	kv_arena_t *a = create(KV_ARENA_THREAD_UNSAFE);
	char *before = kv_arena_alloc(a, 100), *after;
	kv_arena_mark_t mark = kv_arena_mark(a);
	size_t open = open_bytes();

	after = kv_arena_alloc(a, 100);
	for (int i = 0; i < 200; i++)
		kv_arena_alloc(a, 3000);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_true(is_open(before, 100) && is_shut(after, 100));
	kvt_eq(open_bytes(), open);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(destroy_opens_what_it_gives_back)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);

	for (int i = 0; i < 300; i++)
		kv_arena_alloc(a, 1000);
	kv_arena_destroy(a);
	kvt_eq(open_bytes(), taken);
}
END_TEST

START_TEST(the_callers_buffer_is_open_again_after_destroy)
{
	kv_arena_t *a = kv_arena_create_in(land, 8192, NULL);
	char *p = kv_arena_alloc(a, 100);

	kvt_true(is_open(p, 100) && is_shut(p + 100, KVA_WATCH_GAP));
	kv_arena_destroy(a);
	kvt_true(is_open(land, 8192));
}
END_TEST

START_TEST(zeroed_arenas_clear_without_opening)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;
	char *p;

	config.block_source = (kv_arena_block_source_t){ take_land, give_land, NULL };
	config.zero = true;
	memset(land, 7, LAND);
	a = kv_arena_create_ex(&config);
	for (int i = 0; i < 100; i++) {
		p = kv_arena_alloc(a, 5000);
		kvt_true(p[0] == 0 && memcmp(p, p + 1, 4999) == 0);
		memset(p, 7, 5000);
		kvt_eq(open_bytes(), 5000 * ((size_t)i + 1));
	}
	kv_arena_destroy(a);
}
END_TEST

/* ---- The cache ------------------------------------------------------------------------ */

START_TEST(blocks_rest_in_the_cache_before_they_serve_again)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 << 20);
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;
	char *first, *again;

	config.cache = cache;
	a = kv_arena_create_ex(&config);
	first = kv_arena_alloc(a, 100);
	kv_arena_destroy(a);
	a = kv_arena_create_ex(&config);
	again = kv_arena_alloc(a, 100);
	kvt_true(again != first);
	kv_arena_destroy(a);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(blocks_in_the_cache_are_shut)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 << 20);
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.cache = cache;
	config.thread_mode = (kv_arena_thread_mode_t)_i;
	a = kv_arena_create_ex(&config);
	looked_at.p = kv_arena_alloc(a, 100);
	looked_at.is_shut = false;
	kv_arena_destroy(a);
	kvt_true(looked_at.is_shut);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
	kvt_true(!looked_at.is_shut);		/* the system may have it as it is */
}
END_TEST

START_TEST(blocks_that_rested_long_enough_serve_again)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 << 20);
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_cache_stats_t stats;

	config.cache = cache;
	for (int i = 0; i < 30; i++) {
		kv_arena_t *a = kv_arena_create_ex(&config);

		kvt_true(kvt_alloc(a, 2 << 20) != NULL);
		kv_arena_destroy(a);
	}
	kvt_eq(kv_arena_cache_get_stats(cache, &stats), 0);
	kvt_cmp(stats.hits, >, 10);
	kvt_cmp(stats.cached_bytes, >, 15 << 20);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}
END_TEST

START_TEST(memory_of_the_system_comes_shut_and_goes_open)
{
	size_t before = outside;
	struct kva_block *b = kva_source_map(1 << 16, KVA_PLACE_ANY, false);

	kvt_eq(outside, before + 1);
	looked_at.p = b->base + (1 << 16) - 1;
	looked_at.is_shut = true;
	kva_source_unmap(b);
	kvt_true(!looked_at.is_shut);
}
END_TEST

static void
start(void)
{
	taken = outside = 0;
	memset(forbidden, 0, sizeof forbidden);
}

int
main(void)
{
	Suite *s = suite_create("watch-asan");
	TCase *g = kvt_group(s, "arenas");

	tcase_add_checked_fixture(g, start, NULL);
	tcase_add_test(g, the_checker_is_taken_for_the_real_one);
	tcase_add_loop_test(g, exactly_the_bytes_asked_for_are_open, 0, 2);
	tcase_add_loop_test(g, packed_text_is_open_byte_by_byte, 0, 2);
	tcase_add_loop_test(g, aligned_and_large_pieces_are_open_exactly, 0, 2);
	tcase_add_loop_test(g, growing_opens_and_shrinking_shuts, 0, 2);
	tcase_add_loop_test(g, what_realloc_left_behind_is_shut, 0, 2);
	tcase_add_loop_test(g, reset_shuts_everything, 0, 2);
	tcase_add_test(g, rewind_shuts_what_came_after_the_mark);
	tcase_add_loop_test(g, destroy_opens_what_it_gives_back, 0, 2);
	tcase_add_test(g, the_callers_buffer_is_open_again_after_destroy);
	tcase_add_test(g, zeroed_arenas_clear_without_opening);

	g = kvt_group(s, "cache");
	tcase_add_test(g, blocks_rest_in_the_cache_before_they_serve_again);
	tcase_add_loop_test(g, blocks_in_the_cache_are_shut, 0, 2);
	tcase_add_test(g, blocks_that_rested_long_enough_serve_again);
	tcase_add_test(g, memory_of_the_system_comes_shut_and_goes_open);
	return kvt_run(s, 5000);
}
#endif
