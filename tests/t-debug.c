/* t-debug.c -- lib/debug.c: misuse ends the program with a line that names it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each case dies in a child of its own, whose last words are read.
 */
#include "arena.h"
#include "debug.h"
#include "kvpuppet.h"
#include "kvtest.h"
#include "shard.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run misuse in a child and say whether it died by abort() with both words on its
 * stderr. */
static bool
dies(void (*misuse)(void), const char *word, const char *name)
{
	char words[1024] = "";
	size_t n = 0;
	ssize_t got;
	int ends[2], status;
	pid_t child;

	if (pipe(ends) != 0)
		return false;
	child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		misuse();
		_exit(0);
	}
	close(ends[1]);
	while (n < sizeof words - 1 &&
	       (got = read(ends[0], words + n, sizeof words - 1 - n)) > 0)
		n += (size_t)got;
	close(ends[0]);
	waitpid(child, &status, 0);
	if (!WIFSIGNALED(status) || !strstr(words, word) || !strstr(words, name))
		printf("status %x, words: %s\n", (unsigned)status, words);
	return WIFSIGNALED(status) && strstr(words, word) && strstr(words, name);
}

static kv_arena_t *
create(kv_arena_debug_t level, kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.name = "victim";
	config.debug = level;
	config.thread_mode = mode;
	return kv_arena_create_ex(&config);
}

static void
write_past(kv_arena_thread_mode_t mode, size_t size, size_t beyond)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_FILL, mode);
	char *p = kv_arena_alloc(a, size);

	kv_arena_alloc(a, 8);
	*(volatile char *)(p + size + beyond) = 1;
	kv_arena_reset(a);
}

static void
write_into_slack(void)
{
	write_past(KV_ARENA_THREAD_UNSAFE, 5, 0);
}

static void
write_into_fence(void)
{
	write_past(KV_ARENA_THREAD_UNSAFE, 16, 1);
}

static void
write_past_shared(void)
{
	write_past(KV_ARENA_THREAD_SAFE, 3, 2);
}

static void
write_past_large(void)
{
	write_past(KV_ARENA_THREAD_UNSAFE, 3000001, 1);
}

static void
write_past_before_destroy(void)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_FILL, KV_ARENA_THREAD_UNSAFE);

	((volatile char *)kv_arena_alloc_aligned(a, 100, 1))[100] = 1;
	kv_arena_destroy(a);
}

static void
write_past_before_rewind(void)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_FILL, KV_ARENA_THREAD_UNSAFE);
	kv_arena_mark_t mark = kv_arena_mark(a);

	((volatile char *)kv_arena_alloc(a, 9))[9] = 1;
	kv_arena_rewind(a, mark);
}

static void
write_after_reset(void)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_FILL, KV_ARENA_THREAD_UNSAFE);
	volatile char *p = kv_arena_alloc(a, 64);

	kv_arena_reset(a);
	p[32] = 1;
	kv_arena_alloc(a, 64);
}

static void
write_after_reset_shared(void)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_GUARD, KV_ARENA_THREAD_SAFE);
	volatile char *p = kv_arena_alloc(a, 64);

	kv_arena_reset(a);
	p[0] = 1;
	kv_arena_alloc(a, 64);
}

START_TEST(writes_past_an_allocation_are_found_at_its_end)
{
	kvt_true(dies(write_into_slack, "past the end of 5 bytes", "victim"));
	kvt_true(dies(write_into_fence, "past the end", "victim"));
	kvt_true(dies(write_past_shared, "past the end", "victim"));
	kvt_true(dies(write_past_large, "past the end of 3000001", "victim"));
	kvt_true(dies(write_past_before_destroy, "past the end", "victim"));
	kvt_true(dies(write_past_before_rewind, "past the end of 9", "victim"));
}
END_TEST

START_TEST(writes_after_a_reset_are_found_when_the_memory_is_used_again)
{
	kvt_true(dies(write_after_reset, "after the reset", "victim"));
	kvt_true(dies(write_after_reset_shared, "after the reset", "victim"));
}
END_TEST

/* ---- Two threads in an UNSAFE arena ------------------------------------------ */

static pthread_barrier_t both;

/* The block source holds one thread inside the slow path, in any build. */
static void *
wait_in_source(void *context, size_t size)
{
	static _Thread_local char memory[1 << 20] __attribute__((__aligned__(64)));

	(void)context;
	if (size > sizeof memory)
		return NULL;
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	return memory;
}

static void
forget(void *context, void *block, size_t size)
{
	(void)context, (void)block, (void)size;
}

static void *
allocate(void *arena)
{
	return kv_arena_alloc(arena, 16);
}

static void
two_threads(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	pthread_t thread;
	kv_arena_t *a;

	config.name = "victim";
	config.block_source.take = wait_in_source;
	config.block_source.give = forget;
	a = kv_arena_create_ex(&config);
	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&thread, NULL, allocate, a);
	pthread_barrier_wait(&both);
	kv_arena_alloc(a, 16);
}

START_TEST(two_threads_in_an_unsafe_arena_are_named)
{
	kvt_true(dies(two_threads, "thread 2 allocates while thread 1 does", "victim") ||
		dies(two_threads, "thread 1 allocates while thread 2 does", "victim"));
}
END_TEST

/* ---- Guards ------------------------------------------------------------------- */

START_TEST(page_after_a_block_cannot_be_touched)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_GUARD, KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *plain = create(KV_ARENA_DEBUG_OFF, KV_ARENA_THREAD_UNSAFE);
	char *p = kv_arena_alloc(a, 4 << 20);
	char *end = p + (4 << 20) + 4096;
	int status;
	pid_t child;

	end -= (uintptr_t)end % 4096;
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		for (int i = 0; i < 6 << 20; i += 4096)
			*(volatile char *)(end + i) = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	kvt_true(WIFSIGNALED(status));
	kv_arena_destroy(a);
	/* and the cache hands the block out whole again */
	p = kv_arena_alloc(plain, 6 << 20);
	memset(p, 1, 6 << 20);
	kv_arena_destroy(plain);
}
END_TEST

/* ---- No false alarms ------------------------------------------------------------- */

START_TEST(every_level_lets_correct_programs_be)
{
	for (int level = 0; level <= KV_ARENA_DEBUG_GUARD; level++) {
		for (int mode = 0; mode < 2; mode++) {
			kv_arena_t *a = create((kv_arena_debug_t)level,
				(kv_arena_thread_mode_t)mode);
			kv_arena_t *b = create((kv_arena_debug_t)level,
				(kv_arena_thread_mode_t)mode);

			for (int round = 0; round < 4; round++) {
				for (size_t n = 1; n < 3000; n += 7)
					memset(kv_arena_alloc_aligned(a, n,
						(size_t)1 << n % 9), 1, n);
				memset(kv_arena_realloc(a, kv_arena_alloc(a, 5), 5,
					5000), 2, 5000);
				memset(kv_arena_alloc(b, 100), 3, 100);
				kvt_eq(kv_arena_absorb(a, b), 0);
				kvt_balanced(a);
				kv_arena_reset(a);
				kvt_balanced(a);
			}
			kv_arena_destroy(b);
			kv_arena_destroy(a);
		}
	}
}
END_TEST

/* As if another thread had come in unseen, while this one was inside. */
static struct kva_arena *
enter_with_another(void)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_OFF, KV_ARENA_THREAD_UNSAFE);

	kva_debug_enter(kva_arena_of(a));
	kva_arena_of(a)->front.window.visitor++;
	return kva_arena_of(a);
}

static void
come_in_beside_another(void)
{
	kva_debug_enter(enter_with_another());
}

static void
allocate_beside_another(void)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_CHECK, KV_ARENA_THREAD_UNSAFE);

	kv_arena_alloc(a, 8);
	kva_debug_enter(kva_arena_of(a));
	kva_arena_of(a)->front.window.visitor++;
	kv_arena_alloc(a, 8);
}

static void
go_out_before_another(void)
{
	kva_debug_leave(enter_with_another());
}

START_TEST(another_thread_is_found_on_the_way_in)
{
	kvt_true(dies(come_in_beside_another, "allocates while thread", "victim"));
}
END_TEST

START_TEST(the_first_level_looks_at_who_allocates_from_what_is_there)
{
	kvt_true(dies(allocate_beside_another, "allocates while thread", "victim"));
}
END_TEST

/* It is no arena of another layout, and costs no memory. */
START_TEST(the_first_level_changes_nothing_but_that)
{
	kv_arena_t *plain = create(KV_ARENA_DEBUG_OFF, (kv_arena_thread_mode_t)_i);
	kv_arena_t *a = create(KV_ARENA_DEBUG_CHECK, (kv_arena_thread_mode_t)_i);
	kv_arena_stats_t s, t;

	for (size_t i = 1; i < 3000; i++) {
		kvt_true(kv_arena_alloc(plain, i) != NULL);
		kvt_true(kv_arena_alloc(a, i) != NULL);
	}
	kvt_eq(kv_arena_get_stats(plain, &s), 0);
	kvt_eq(kv_arena_get_stats(a, &t), 0);
	kvt_eq(t.total_allocations, s.total_allocations);
	kvt_eq(t.total_bytes_allocated, s.total_bytes_allocated);
	kvt_eq(t.current_memory_usage, s.current_memory_usage);
	kvt_eq(t.padding_bytes, s.padding_bytes);
	kvt_eq(t.free_bytes, s.free_bytes);
	kvt_balanced(a);
	kv_arena_destroy(a);
	kv_arena_destroy(plain);
}
END_TEST

START_TEST(another_thread_is_also_found_on_the_way_out)
{
	kvt_true(dies(go_out_before_another, "allocates while thread", "victim"));
}
END_TEST

START_TEST(a_thread_may_come_in_twice)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_OFF, KV_ARENA_THREAD_UNSAFE);

	kva_debug_enter(kva_arena_of(a));
	kva_debug_enter(kva_arena_of(a));
	kva_debug_leave(kva_arena_of(a));
	kvt_eq(kva_arena_of(a)->front.window.visitor, 0);
	kv_arena_destroy(a);
}
END_TEST

static void
allocate_some(void *arena)
{
	kv_arena_t *a = arena;

	kv_arena_alloc(a, 16);
}

/* Its blocks are listed under the lock, which the allocation itself does not need. */
START_TEST(a_shared_arena_is_looked_at_under_its_lock)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_FILL, KV_ARENA_THREAD_SAFE);
	struct kva_arena *core = kva_arena_of(a);
	struct kvp p;

	kvp_begin(&p);
	kvp_do(&p, allocate_some, a);
	kva_team_lock(core);
	kvp_tell(&p, allocate_some, a);
	for (int i = 0; i < 300 && kva_load_relaxed(&core->team->waits) == 0; i++)
		usleep(1000);
	kvt_eq(kva_load_relaxed(&core->team->waits), 1);
	kva_team_unlock(core);
	kvp_end(&p);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(rewinds_and_loops_raise_no_alarm)
{
	kv_arena_t *a = create(KV_ARENA_DEBUG_GUARD, KV_ARENA_THREAD_UNSAFE);

	for (int round = 0; round < 50; round++) {
		kv_arena_mark_t mark = kv_arena_mark(a);

		for (size_t n = 1; n < 9000; n *= 2)
			memset(kv_arena_alloc(a, n), 1, n);
		kvt_eq(kv_arena_rewind(a, mark), 0);
		memset(kv_arena_alloc(a, 40), 1, 40);
		if (round % 10 == 9)
			kv_arena_reset(a);
	}
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("debug");
	TCase *g = kvt_group(s, "misuse");

	if (!kvt_is_watched()) {	/* a checker speaks first, in its own words */
		tcase_add_test(g, writes_past_an_allocation_are_found_at_its_end);
		tcase_add_test(g,
			writes_after_a_reset_are_found_when_the_memory_is_used_again);
		tcase_add_test(g, two_threads_in_an_unsafe_arena_are_named);
		tcase_add_test(g, another_thread_is_found_on_the_way_in);
		tcase_add_test(g, another_thread_is_also_found_on_the_way_out);
		tcase_add_test(g, the_first_level_looks_at_who_allocates_from_what_is_there);
		tcase_add_test(g, page_after_a_block_cannot_be_touched);
		tcase_add_test(g, a_shared_arena_is_looked_at_under_its_lock);
	}
	g = kvt_group(s, "peace");
	tcase_add_test(g, every_level_lets_correct_programs_be);
	tcase_add_test(g, rewinds_and_loops_raise_no_alarm);
	tcase_add_test(g, a_thread_may_come_in_twice);
	tcase_add_loop_test(g, the_first_level_changes_nothing_but_that, 0, 2);
	return kvt_run(s, 100);
}
