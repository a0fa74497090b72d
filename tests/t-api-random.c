/* t-api-random.c -- random operations, with the books balanced after each one
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every operation of the interface on one arena, in random order, for a range of
 * configurations. After each the statistics must say where every byte is; now
 * and then every live byte is read. The seed is printed, and KVT_SEED repeats a
 * run.
 */
#include "kvsource.h"
#include "kvtest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH 32

struct run {
	kv_arena_t *arena;
	struct kvt_book book;
	struct {
		kv_arena_mark_t mark;
		size_t kept;		/* pieces in the book then */
		int defers;		/* pending then */
	} marks[DEPTH];
	size_t depth;
	bool has_marks;			/* the arena can mark */
	bool is_limited;		/* so that failures are expected */
	int defers_made, defers_run;
	kv_arena_t *child;
	uint64_t x;			/* state of the generator */
};

static uint64_t
next(struct run *r)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return r->x;
}

/* Mostly small, sometimes around a block, rarely large. */
static size_t
some_size(struct run *r)
{
	size_t n = (size_t)next(r);

	if (n % 100 < 90)
		return n / 128 % 400 + 1;
	if (n % 100 < 99)
		return n / 128 % 9000 + 1;
	return n / 128 % 300000 + 1;
}

static void
enter(struct run *r, void *p, size_t size, size_t alignment)
{
	if (p != NULL || !r->is_limited)
		kvt_enter(&r->book, p, size, alignment);
}

static size_t
pieces_since_mark(const struct run *r)
{
	return r->book.n - (r->depth ? r->marks[r->depth - 1].kept : 0);
}

/* ---- One operation each -------------------------------------------------- */

static void
do_alloc(struct run *r)
{
	size_t size = some_size(r);

	enter(r, kv_arena_alloc(r->arena, size), size, KV_ARENA_ALIGNMENT);
}

static void
do_aligned(struct run *r)
{
	size_t size = some_size(r), alignment = (size_t)1 << next(r) % 13;

	enter(r, kv_arena_alloc_aligned(r->arena, size, alignment), size,
		alignment);
}

static void
do_calloc(struct run *r)
{
	size_t size = some_size(r);
	unsigned char *p = kv_arena_calloc(r->arena, 1, size);
	unsigned char any = 0;

	for (size_t i = 0; p != NULL && i < size; i++)
		any |= p[i];
	kvt_eq(any, 0);
	enter(r, p, size, KV_ARENA_ALIGNMENT);
}

static void
do_text(struct run *r)
{
	int n = (int)(next(r) % 200);
	char *text = kv_arena_printf(r->arena, "%0*d", n, 7);

	enter(r, text, text != NULL ? strlen(text) + 1 : 0, 1);
}

/* Half of the time the latest piece, which can be resized in place. A piece
 * older than the last mark is left: its growth would end with the rewind. */
static void
do_realloc(struct run *r)
{
	size_t live = pieces_since_mark(r), i, size = some_size(r);
	void *p;

	if (live == 0)
		return;
	i = r->book.n - 1 - (next(r) % 2 ? (size_t)next(r) % live : 0);
	p = kv_arena_realloc(r->arena, r->book.pieces[i].p,
		r->book.pieces[i].size, size);
	if (p != NULL || !r->is_limited)
		kvt_resize(&r->book, i, p, size);
}

static void
do_give_back(struct run *r)
{
	struct kvt_piece last;

	if (pieces_since_mark(r) == 0)
		return;
	last = r->book.pieces[r->book.n - 1];
	errno = 0;
	kvt_true(kv_arena_realloc(r->arena, last.p, last.size, 0) == NULL);
	kvt_eq(errno, 0);
	kvt_strike(&r->book, r->book.n - 1);
}

static void
do_fail(struct run *r)
{
	switch (next(r) % 5) {
	case 0:
		kvt_refused(kv_arena_alloc(r->arena, 0), EINVAL);
		break;
	case 1:
		kvt_refused(kvt_alloc(r->arena, SIZE_MAX - (size_t)next(r) % 9999),
			ENOMEM);
		break;
	case 2:
		kvt_refused(kv_arena_alloc_aligned(r->arena, 8, 24), EINVAL);
		break;
	case 3:
		kvt_refused(kv_arena_calloc(r->arena, SIZE_MAX, 3), EOVERFLOW);
		break;
	default:
		kvt_true(kv_arena_reserve(r->arena, SIZE_MAX, false) == -1);
		break;
	}
}

static void
do_mark(struct run *r)
{
	kv_arena_mark_t mark;

	if (!r->has_marks || r->depth == DEPTH)
		return;
	mark = kv_arena_mark(r->arena);
	kvt_true(mark.serial != 0 || r->is_limited);
	if (mark.serial == 0)
		return;
	r->marks[r->depth].mark = mark;
	r->marks[r->depth].kept = r->book.n;
	r->marks[r->depth++].defers = r->defers_made - r->defers_run;
}

static void
do_rewind(struct run *r)
{
	if (r->depth == 0)
		return;
	r->depth -= (size_t)next(r) % (r->depth < 4 ? r->depth : 4) + 1;
	kvt_eq(kv_arena_rewind(r->arena, r->marks[r->depth].mark), 0);
	kvt_eq(r->defers_made - r->defers_run, r->marks[r->depth].defers);
	kvt_strike(&r->book, r->marks[r->depth].kept);
}

static void
note_run(void *arg)
{
	++*(int *)arg;
}

static void
do_defer(struct run *r)
{
	if (kv_arena_defer(r->arena, note_run, &r->defers_run) == 0)
		r->defers_made++;
	else
		kvt_true(r->is_limited);
}

static void
do_child(struct run *r)
{
	if (r->child == NULL)
		r->child = kv_arena_create_child(r->arena, NULL);
	else if (next(r) % 4 == 0)
		kv_arena_destroy(r->child), r->child = NULL;
	if (r->child != NULL)
		kv_arena_alloc(r->child, some_size(r));
}

static void
do_compact(struct run *r)
{
	size_t before = kv_arena_memory_usage(r->arena);
	size_t given = kv_arena_compact(r->arena);

	kvt_eq(kv_arena_memory_usage(r->arena), before - given);
}

static void
do_reserve(struct run *r)
{
	kvt_true(kv_arena_reserve(r->arena, some_size(r), next(r) % 2) == 0 ||
		r->is_limited);
}

static void
do_reset(struct run *r)
{
	if (next(r) % 20 != 0)
		return;
	kvt_intact(&r->book);
	kv_arena_reset(r->arena);
	kvt_eq(kv_arena_total_allocated(r->arena), 0);
	kvt_eq(r->defers_run, r->defers_made);
	kvt_strike(&r->book, 0);
	r->depth = 0;
	r->child = NULL;
}

static void
do_ask(struct run *r)
{
	kv_arena_handle_t h;

	if (next(r) % 50 == 0)
		kv_arena_reset_stats(r->arena);
	if (r->book.n == 0)
		return;
	h.ptr = r->book.pieces[next(r) % r->book.n].p;
	kvt_true(kv_arena_owns(r->arena, h.ptr));
	kvt_true(!kv_arena_owns(r->arena, r));
	h = kv_arena_handle(r->arena, h.ptr);
	kvt_true(kv_arena_deref(h) == h.ptr);
}

/* ---- The run ------------------------------------------------------------- */

static void (*const operations[32])(struct run *r) = {
	do_alloc, do_alloc, do_alloc, do_alloc, do_alloc, do_alloc, do_alloc,
	do_alloc, do_alloc, do_aligned, do_aligned, do_aligned, do_calloc,
	do_calloc, do_text, do_text, do_realloc, do_realloc, do_realloc,
	do_realloc, do_give_back, do_fail, do_mark, do_mark, do_rewind,
	do_defer, do_child, do_compact, do_reserve, do_reset, do_ask, do_ask
};

static void
check(struct run *r, bool detailed)
{
	kv_arena_stats_t s;
	uint64_t live = 0;

	for (size_t i = 0; i < r->book.n; i++)
		live += r->book.pieces[i].size;
	kvt_eq(kv_arena_get_stats(r->arena, &s), 0);
	if (detailed)
		kvt_eq(s.used_bytes, live);
	else
		kvt_cmp(s.used_bytes, >=, live);
	kvt_intact(&r->book);
}

static void
run_random(kv_arena_t *a, const kv_arena_config_t *config)
{
	const char *env = getenv("KVT_SEED");
	uint64_t seed = env != NULL ? strtoull(env, NULL, 0) :
		(uint64_t)time(NULL) * 2654435761u + (uintptr_t)a % 65537;
	struct run r = { .arena = a, .x = seed * 2 + 1, .book.salt = seed };

	kvt_true(a != NULL);
	printf("KVT_SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	r.has_marks = config->thread_mode == KV_ARENA_THREAD_UNSAFE;
	r.is_limited = config->memory_limit != 0;
	for (size_t i = 0, n = kvt_scaled(20000); i < n; i++) {
		operations[next(&r) % 32](&r);
		kvt_balanced(a);
		if (i % 256 == 0 || i + 1 == n)
			check(&r, config->enable_detailed_stats);
	}
	kv_arena_destroy(a);
	kvt_eq(r.defers_run, r.defers_made);
	kvt_drop(&r.book);
}

static void
run_config(const kv_arena_config_t *config)
{
	run_random(kv_arena_create_ex(config), config);
}

START_TEST(default_arena_balances)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	run_config(&config);
}
END_TEST

START_TEST(shared_arena_balances)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	run_config(&config);
}
END_TEST

START_TEST(arena_of_small_blocks_balances)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.block_size = 1024;
	config.max_block_size = 4096;
	run_config(&config);
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	run_config(&config);
}
END_TEST

START_TEST(arena_without_details_balances)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.enable_detailed_stats = false;
	run_config(&config);
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	run_config(&config);
}
END_TEST

START_TEST(arena_that_caches_nothing_balances)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);

	run_config(&config);
	kvt_eq(source.held, 0);
	kvt_eq(source.faults, 0);
}
END_TEST

START_TEST(arena_in_a_buffer_balances)
{
	static char buffer[10007];
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	run_random(kv_arena_create_in(buffer + 1, sizeof buffer - 1, &config),
		&config);
}
END_TEST

START_TEST(limited_arena_balances)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.memory_limit = 1 << 20;
	config.block_size = 1024;
	run_config(&config);
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	run_config(&config);
}
END_TEST

START_TEST(zeroing_arena_balances)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.zero = true;
	run_config(&config);
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	run_config(&config);
}
END_TEST

START_TEST(debugged_arena_balances)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	for (int level = 1; level <= KV_ARENA_DEBUG_GUARD; level++) {
		config.debug = (kv_arena_debug_t)level;
		run_config(&config);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-random");
	TCase *g = kvt_group(s, "random");

	tcase_add_test(g, default_arena_balances);
	tcase_add_test(g, shared_arena_balances);
	tcase_add_test(g, arena_of_small_blocks_balances);
	tcase_add_test(g, arena_without_details_balances);
	tcase_add_test(g, arena_that_caches_nothing_balances);
	tcase_add_test(g, arena_in_a_buffer_balances);
	tcase_add_test(g, limited_arena_balances);
	tcase_add_test(g, zeroing_arena_balances);
	tcase_add_test(g, debugged_arena_balances);
	return kvt_run(s, 30000);
}
