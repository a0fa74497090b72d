/* t-fence.c -- lib/fence.h: a recorder is told of each allocation and of its end
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The recorder is here; kvarena-trace has another (t-trace.sh). All arenas of this
 * program are traced.
 */
#include "fence.h"
#include "kvinside.h"
#include "kvpuppet.h"
#include "watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__ELF__)

#define MOST 5000

static struct {
	pthread_mutex_t lock;
	struct {
		char *p;
		size_t size;
	} live[MOST];
	size_t n, allocs, frees, faults;
	size_t alignment;		/* of the last */
} record = { .lock = PTHREAD_MUTEX_INITIALIZER };

void
kvarena_record_alloc(void *p, size_t size, size_t alignment, const void *caller)
{
	pthread_mutex_lock(&record.lock);
	record.faults += !p || !caller || record.n == MOST;
	if (record.n < MOST) {
		record.live[record.n].p = p;
		record.live[record.n++].size = size;
	}
	record.alignment = alignment;
	record.allocs++;
	pthread_mutex_unlock(&record.lock);
}

void
kvarena_record_free(void *p, const void *caller)
{
	size_t i = 0;

	pthread_mutex_lock(&record.lock);
	while (i < record.n && record.live[i].p != p)
		i++;
	record.faults += !caller || i == record.n;
	if (i < record.n)
		record.live[i] = record.live[--record.n];
	record.frees++;
	pthread_mutex_unlock(&record.lock);
}

static kv_arena_t *
create(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = kvi_config(mode);

	record.n = record.allocs = record.frees = record.faults = 0;
	return kvi_create(&config);
}

static size_t
size_of_live(const void *p)
{
	for (size_t i = 0; i < record.n; i++)
		if (record.live[i].p == p)
			return record.live[i].size;
	return 0;
}

/* A checker sees more than a recorder would. */
static bool
records(void)
{
	if (!kva_watch_on())
		return true;
	kvt_skip("under a checker nothing is traced");
	return false;
}

START_TEST(each_allocation_is_told_and_ends_with_the_arena)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);

	for (size_t size = 1; records() && size < 300000; size = size * 3 + 1) {
		kvt_eq(size_of_live(kvt_alloc(a, size)), size);
		kvt_eq(record.alignment, KV_ARENA_ALIGNMENT);
		kvt_eq(size_of_live(kv_arena_alloc_aligned(a, size, 64)), size);
		kvt_eq(record.alignment, 64);
	}
	if (records())
		kvt_eq(size_of_live(kv_arena_strdup(a, "text")), 5);
	if (_i)
		kv_arena_reset(a);
	else
		kvi_destroy(a);
	kvt_eq(record.frees, record.allocs);
	kvt_eq(record.n + record.faults, 0);
	if (_i)
		kvi_destroy(a);
	kvt_eq(record.frees, record.allocs);
}
END_TEST

START_TEST(a_rewind_ends_those_that_are_younger)
{
	kv_arena_t *a = create(KV_ARENA_THREAD_UNSAFE);
	kv_arena_mark_t mark;
	void *older;

	if (records()) {
		older = kvt_alloc(a, 10);
		mark = kv_arena_mark(a);
		for (int i = 0; i < 10; i++)
			kvt_true(kvt_alloc(a, 20000) != NULL);
		kvt_eq(record.n, 11);	/* a mark is none */
		kvt_eq(kv_arena_rewind(a, mark), 0);
		kvt_eq(record.n, 1);
		kvt_eq(size_of_live(older), 10);
	}
	kvi_destroy(a);
	kvt_eq(record.n + record.faults, 0);
}
END_TEST

START_TEST(what_moves_ends_where_it_was_and_only_once)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);
	char *p, *q;

	if (records()) {
		p = kvt_alloc(a, 100);
		q = kv_arena_realloc(a, p, 100, 300);
		kvt_true(q != p);
		kvt_eq(size_of_live(p), 0);
		kvt_eq(size_of_live(q), 300);
		kvt_true(kv_arena_realloc(a, q, 300, 200) == q);
		kvt_eq(size_of_live(q), 300);
		kvt_true(kv_arena_realloc(a, q, 300, 0) == NULL);
		kvt_eq(record.n, 0);
		kvt_true(kv_arena_realloc(a, q, 300, 0) == NULL);	/* again */

		p = kvt_alloc(a, 100);
		q = kv_arena_realloc(a, p, 50, 300);	/* it is longer than that */
		kvt_eq(size_of_live(p), 100);
		kvt_eq(size_of_live(q), 300);
	}
	kvi_destroy(a);
	kvt_eq(record.n + record.faults, 0);
}
END_TEST

START_TEST(what_is_checked_too_may_have_moved)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.debug = KV_ARENA_DEBUG_FILL;
	record.n = record.allocs = record.frees = record.faults = 0;
	a = kvi_create(&config);
	for (int round = 0; round < 3; round++) {
		char *p = kvt_alloc(a, 100);

		memset(kv_arena_realloc(a, p, 100, 300), 1, 300);
		kv_arena_reset(a);
	}
	if (records())
		kvt_eq(record.allocs, 6);
	kvi_destroy(a);
	kvt_eq(record.n + record.faults, 0);
}
END_TEST

START_TEST(what_is_absorbed_ends_with_its_new_arena_or_is_told_no_more)
{
	kv_arena_t *a = create(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *b = create(KV_ARENA_THREAD_UNSAFE);

	for (int i = 0; i < 10; i++)
		kvt_true(kvt_alloc(a, 100) && kvt_alloc(b, 100));
	kvt_eq(kv_arena_absorb(a, b), 0);
	kvi_destroy(b);
	kvt_cmp(record.n, >=, records() ? 10 : 0);
	kvi_destroy(a);
	kvt_eq(record.faults, 0);
}
END_TEST

static void
allocate_many(void *arena)
{
	kv_arena_t *a = arena;

	for (size_t i = 0; i < 500; i++)
		kv_arena_alloc(a, i % 100 + 1);
}

START_TEST(threads_are_told_of_together)
{
	kv_arena_t *a = create(KV_ARENA_THREAD_SAFE);
	struct kvp p[4];

	for (int i = 0; i < 4; i++)
		kvp_begin(&p[i]);
	for (int i = 0; i < 4; i++)
		kvp_tell(&p[i], allocate_many, a);
	for (int i = 0; i < 4; i++)
		kvp_end(&p[i]);
	if (records())
		kvt_eq(record.allocs, 2000);
	kvi_destroy(a);
	kvt_eq(record.frees, record.allocs);
	kvt_eq(record.n + record.faults, 0);
}
END_TEST

static void
add_tests(TCase *g)
{
	tcase_add_loop_test(g, each_allocation_is_told_and_ends_with_the_arena, 0, 2);
	tcase_add_test(g, a_rewind_ends_those_that_are_younger);
	tcase_add_loop_test(g, what_moves_ends_where_it_was_and_only_once, 0, 2);
	tcase_add_test(g, what_is_checked_too_may_have_moved);
	tcase_add_test(g, what_is_absorbed_ends_with_its_new_arena_or_is_told_no_more);
	tcase_add_test(g, threads_are_told_of_together);
}

#else

START_TEST(nothing_can_be_loaded_before_the_library)
{
	kvt_skip("there are no weak symbols");
}
END_TEST

static void
add_tests(TCase *g)
{
	tcase_add_test(g, nothing_can_be_loaded_before_the_library);
}

#endif

int
main(void)
{
	Suite *s = suite_create("fence");

	setenv("KVARENA_CONF", "trace", 1);
	add_tests(kvi_group(s, "recorder"));
	return kvt_run(s, 10);
}
