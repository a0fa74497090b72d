/* t-api-source.c -- the section Create of kv_arena.h: buffers, hints, sources
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <stdlib.h>
#include <string.h>

/* The arena works: a thousand allocations are given, kept and accounted for. */
static void
try_out(kv_arena_t *a)
{
	struct kvt_book book = { 0 };

	kvt_true(a != NULL);
	for (size_t i = 1; i <= 1000; i++)
		kvt_enter(&book, kv_arena_alloc(a, i), i, KV_ARENA_ALIGNMENT);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}

/* ---- In a caller's buffer ------------------------------------------------------- */

START_TEST(arena_in_a_buffer_takes_nothing_until_it_is_full)
{
	static _Alignas(64) char buffer[8192];
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_in(buffer, sizeof buffer, &config);
	struct kvt_book book = { 0 };
	size_t inside = 0;
	char *p;

	kvt_true((char *)a >= buffer && (char *)a < buffer + sizeof buffer);
	while (p = kv_arena_alloc(a, 40), source.takes == 0) {
		kvt_true(p >= buffer && p + 40 <= buffer + sizeof buffer);
		kvt_enter(&book, p, 40, KV_ARENA_ALIGNMENT);
		inside += 40;
	}
	kvt_cmp(inside, >, sizeof buffer / (kvt_is_watched() ? 2 : 1) - 1024);
	kvt_enter(&book, p, 40, KV_ARENA_ALIGNMENT);
	kvt_true(p < buffer || p >= buffer + sizeof buffer);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
	kvt_eq(source.held, 0);
	memset(buffer, 0, sizeof buffer);
}
END_TEST

START_TEST(buffer_may_begin_anywhere)
{
	static _Alignas(64) char buffer[4096 + 64];

	for (size_t offset = 0; offset < 64; offset++) {
		struct kvt_book book = { 0 };
		kv_arena_t *a = kv_arena_create_in(buffer + offset, 4096, NULL);

		kvt_true(a != NULL);
		memset(buffer, 'x', offset);
		memset(buffer + offset + 4096, 'x', 64 - offset);
		for (size_t i = 1; i < 100; i++)
			kvt_enter(&book, kv_arena_alloc_aligned(a, i, 16), i, 16);
		kvt_intact(&book);
		kvt_balanced(a);
		kv_arena_destroy(a);
		kvt_drop(&book);
		for (size_t i = 0; i < offset; i++)
			kvt_true(buffer[i] == 'x');
		for (size_t i = offset + 4096; i < sizeof buffer; i++)
			kvt_true(buffer[i] == 'x');
	}
}
END_TEST

START_TEST(buffer_under_the_minimum_is_refused)
{
	static _Alignas(64) char buffer[2 * KV_ARENA_MIN_BLOCK_SIZE];

	kvt_refused(kv_arena_create_in(NULL, 4096, NULL), EINVAL);
	for (size_t size = 0; size < KV_ARENA_MIN_BLOCK_SIZE; size++)
		kvt_refused(kv_arena_create_in(buffer, size, NULL), ENOMEM);
	for (size_t size = KV_ARENA_MIN_BLOCK_SIZE; size < sizeof buffer; size++) {
		kv_arena_t *a = kv_arena_create_in(buffer + 1, size - 1, NULL);

		if (size > KV_ARENA_MIN_BLOCK_SIZE)
			kvt_true(a != NULL);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(buffer_serves_threads_too)
{
	static _Alignas(64) char buffer[1 << 16];
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	try_out(kv_arena_create_in(buffer, sizeof buffer, &config));
}
END_TEST

START_TEST(buffer_is_what_the_arena_holds)
{
	static _Alignas(64) char buffer[4096];
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a = kv_arena_create_in(buffer, sizeof buffer, &config);

	kvt_cmp(kv_arena_memory_usage(a), <=, sizeof buffer);
	kvt_cmp(kv_arena_memory_usage(a), >=, sizeof buffer - 64);
	kv_arena_destroy(a);
	/* A shared arena has its lock outside. */
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	a = kv_arena_create_in(buffer, sizeof buffer, &config);
	kvt_cmp(kv_arena_memory_usage(a), >, sizeof buffer);
	kvt_cmp(kv_arena_memory_usage(a), <, sizeof buffer + 512);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(buffer_does_not_excuse_a_bad_config)
{
	static _Alignas(64) char buffer[4096];
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.reserved[3] = buffer;
	kvt_refused(kv_arena_create_in(buffer, sizeof buffer, &config), EINVAL);
}
END_TEST

/* ---- Hints and sources ------------------------------------------------------------ */

START_TEST(named_hints_are_known)
{
	kvt_eq(kv_arena_suggest_block_size("small"), KV_ARENA_SMALL_BLOCK_SIZE);
	kvt_eq(kv_arena_suggest_block_size("default"),
		KV_ARENA_DEFAULT_BLOCK_SIZE);
	kvt_eq(kv_arena_suggest_block_size("large"), KV_ARENA_LARGE_BLOCK_SIZE);
}
END_TEST

START_TEST(hints_may_be_numbers)
{
	kvt_eq(kv_arena_suggest_block_size("4096"), 4096);
	kvt_eq(kv_arena_suggest_block_size("64k"), 65536);
	kvt_eq(kv_arena_suggest_block_size("64K"), 65536);
	kvt_eq(kv_arena_suggest_block_size("2m"), 2 << 20);
	kvt_eq(kv_arena_suggest_block_size("1g"),	/* too large with 32 bits */
		sizeof(size_t) > 4 ? 1 << 30 : KV_ARENA_DEFAULT_BLOCK_SIZE);
}
END_TEST

START_TEST(absurd_hints_mean_the_default)
{
	static const char *const absurd[] = {
		"", " ", "k", "-1", "-1k", "64q", "64kk", "0x10", "1.5m",
		"99999999999999999999", "99999999999999999999k",
		"18446744073709551615k", "17592186044416m", "nobody's name"
	};
	char *endless = malloc(1 << 20);

	kvt_eq(kv_arena_suggest_block_size(NULL), KV_ARENA_DEFAULT_BLOCK_SIZE);
	for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++)
		if (kv_arena_suggest_block_size(absurd[i]) !=
			KV_ARENA_DEFAULT_BLOCK_SIZE)
			ck_abort_msg("hint \"%s\"", absurd[i]);
	kvt_count(sizeof absurd / sizeof *absurd);
	memset(endless, '9', (1 << 20) - 1);
	endless[(1 << 20) - 1] = '\0';
	kvt_eq(kv_arena_suggest_block_size(endless),
		KV_ARENA_DEFAULT_BLOCK_SIZE);
	free(endless);
}
END_TEST

START_TEST(block_size_is_learnt_by_name)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.name = "learner";
	config.learn_block_size = true;
	for (int i = 0; i < 3; i++) {
		kv_arena_t *a = kv_arena_create_ex(&config);

		for (size_t bytes = 0; bytes < 1 << 20; bytes += 1024)
			kvt_true(kv_arena_alloc(a, 1024) != NULL);
		kvt_balanced(a);
		kv_arena_destroy(a);
	}
	kvt_cmp(kv_arena_suggest_block_size("learner"), >=, 1 << 20);
	kvt_cmp(kv_arena_suggest_block_size("learner"), <=, 4 << 20);
}
END_TEST

START_TEST(sources_of_malloc_and_of_pages_serve)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.block_source = kv_arena_source_malloc();
	kvt_true(config.block_source.take && config.block_source.give);
	try_out(kv_arena_create_ex(&config));
	config.block_source = kv_arena_source_pages();
	kvt_true(config.block_source.take && config.block_source.give);
	try_out(kv_arena_create_ex(&config));
}
END_TEST

START_TEST(source_may_give_blocks_aligned_to_16_only)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_ex(&config);
	struct kvt_book book = { 0 };

	for (size_t alignment = 1; alignment <= 65536; alignment *= 2)
		kvt_enter(&book, kv_arena_alloc_aligned(a, 100, alignment),
			100, alignment);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_cmp(kv_arena_memory_usage(a), >=, source.held);
	kvt_cmp(kv_arena_memory_usage(a), <, source.held + 4096);
	kvt_drop(&book);
	kv_arena_destroy(a);
	kvt_eq(source.takes, source.gives);
	kvt_eq(source.held, 0);
	kvt_eq(source.faults, 0);
}
END_TEST

/* A source that takes its blocks from other arenas. */
static kv_arena_t *behind;

static void *
take_from_arena(void *context, size_t size)
{
	kv_arena_t *passing = kv_arena_create(0);
	void *p = kv_arena_alloc(passing, 100);

	*(size_t *)context += p != NULL;
	kv_arena_destroy(passing);
	return kv_arena_alloc_aligned(behind, size, 16);
}

static void
give_to_nobody(void *context, void *block, size_t size)
{
	(void)block, (void)size;
	--*(size_t *)context;
}

START_TEST(source_may_use_other_arenas)
{
	for (int mode = 0; mode < 2; mode++) {
		kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
		size_t taken = 0;

		behind = kv_arena_create(0);
		config.thread_mode = (kv_arena_thread_mode_t)mode;
		config.block_source = (kv_arena_block_source_t){
			take_from_arena, give_to_nobody, &taken };
		try_out(kv_arena_create_ex(&config));
		kvt_eq(taken, 0);
		kv_arena_destroy(behind);
	}
}
END_TEST

START_TEST(source_that_refuses_is_no_memory)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_ex(&config);

	source.budget = 0;
	kvt_refused(kv_arena_alloc(a, 8), ENOMEM);
	kvt_cmp(source.refusals, >, 0);
	kvt_eq(kvt_stats(a).failed_allocations, 1);
	kvt_balanced(a);
	source.budget = SIZE_MAX;
	try_out(a);
	kvt_eq(source.held, 0);
}
END_TEST

/* Gives its blocks from one row, each directly behind the last. */
struct row {
	char *at, *end;
	char *borders[64];
	size_t nborders;
};

static void *
take_next_in_row(void *context, size_t size)
{
	struct row *r = context;
	char *block = r->at;

	if (size > (size_t)(r->end - r->at) || r->nborders == 64)
		return NULL;
	r->at += size;
	r->borders[r->nborders++] = r->at;
	return block;
}

static void
keep_row(void *context, void *block, size_t size)
{
	(void)context, (void)block, (void)size;
}

static bool
is_in_one_block(const struct row *r, const char *p, size_t size)
{
	for (size_t i = 0; i < r->nborders; i++)
		if (p < r->borders[i] && p + size > r->borders[i])
			return false;
	return true;
}

START_TEST(neighbouring_blocks_are_not_run_together)
{
	static char memory[1 << 20] __attribute__((__aligned__(4096)));
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.block_size = config.max_block_size = 4096;
	for (int mode = 0; mode < 2; mode++) {
		struct row r = { memory, memory + sizeof memory, { NULL }, 0 };
		kv_arena_t *a;
		char *p;

		config.thread_mode = (kv_arena_thread_mode_t)mode;
		config.block_source = (kv_arena_block_source_t){
			take_next_in_row, keep_row, &r };
		a = kv_arena_create_ex(&config);
		for (size_t i = 0; r.nborders < 50; i++) {
			p = kv_arena_alloc(a, i % 700 + 1);
			kvt_true(p != NULL);
			kvt_true(is_in_one_block(&r, p, i % 700 + 1));
		}
		kvt_balanced(a);
		kv_arena_destroy(a);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-source");
	TCase *g = kvt_group(s, "buffer");

	tcase_add_test(g, arena_in_a_buffer_takes_nothing_until_it_is_full);
	tcase_add_test(g, buffer_may_begin_anywhere);
	tcase_add_test(g, buffer_under_the_minimum_is_refused);
	tcase_add_test(g, buffer_serves_threads_too);
	tcase_add_test(g, buffer_is_what_the_arena_holds);
	tcase_add_test(g, buffer_does_not_excuse_a_bad_config);

	g = kvt_group(s, "hints and sources");
	tcase_add_test(g, named_hints_are_known);
	tcase_add_test(g, hints_may_be_numbers);
	tcase_add_test(g, absurd_hints_mean_the_default);
	tcase_add_test(g, block_size_is_learnt_by_name);
	tcase_add_test(g, sources_of_malloc_and_of_pages_serve);
	tcase_add_test(g, source_may_give_blocks_aligned_to_16_only);
	tcase_add_test(g, source_may_use_other_arenas);
	tcase_add_test(g, source_that_refuses_is_no_memory);
	tcase_add_test(g, neighbouring_blocks_are_not_run_together);
	return kvt_run(s, 15000);
}
