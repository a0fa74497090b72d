/* t-degraded.c -- systems that refuse: nothing is printed, everything goes on or
 * returns NULL
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Containers refuse to place memory, old kernels do not know calls, some machines
 * have no /sys, and memory ends. First the calls of lib/os.h are refused, by the
 * twins of lib/fault.h, then those of the kernel.
 */
#include "kvinside.h"
#include "kvrefuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };

#define REASONS 4

/* ---- A life ------------------------------------------------------------------------- */

static bool
is_known(int error)
{
	return error == ENOMEM || error == EPERM || error == ENOSYS ||
		error == EINVAL || error == ENOTSUP;
}

/* Calls may be refused, and then say why. */
static void
may_fail(bool worked)
{
	kvt_true(worked || is_known(errno));
}

static void
allocate(kv_arena_t *a, struct kvt_book *book)
{
	for (size_t i = 1; i < 100; i++) {
		size_t size = i % 20 ? i * 31 % 900 + 1 : i == 60 ? 600000 : i * 2000;
		void *p = kvt_alloc(a, size);

		if (p)
			kvt_enter(book, p, size, 8);
		else
			kvt_true(errno == ENOMEM);
	}
}

static void
live(const kv_arena_config_t *config)
{
	static struct kvt_book book;	/* keeps its room, for when malloc fails */
	kv_arena_numa_report_t report;
	kv_arena_t *a = kv_arena_create_ex(config);

	may_fail(a != NULL);
	if (!a)
		return;
	for (int round = 0; round < 2; round++) {
		allocate(a, &book);
		kvi_check(a);
		may_fail(kv_arena_reserve(a, 10000, true) == 0);
		may_fail(kv_arena_numa_report(a, &report) == 0);
		may_fail(kv_arena_seal(a) == 0);
		kvt_intact(&book);
		may_fail(kv_arena_unseal(a) == 0);
		kv_arena_compact(a);
		kvt_intact(&book);
		kvi_check(a);
		kv_arena_reset(a);
		kvt_strike(&book, 0);
	}
	kv_arena_destroy(a);
}

/* One arena of each kind that asks the system for something of its own. */
static void
live_in_every_way(kv_arena_thread_mode_t mode, kv_arena_cache_t *cache)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = mode;
	config.cache = cache;
	live(&config);
	config.huge_pages = KV_ARENA_HUGE_REQUIRE;
	live(&config);
	config.huge_pages = KV_ARENA_HUGE_AUTO;
	config.enable_numa = true;
	config.preferred_numa_node = 0;
	for (int policy = 0; policy < 4; policy++) {
		config.numa_policy = (kv_arena_numa_policy_t)policy;
		live(&config);
	}
	config.enable_numa = false;
	config.debug = KV_ARENA_DEBUG_GUARD;
	live(&config);
	config.debug = KV_ARENA_DEBUG_OFF;
	config.zero = true;
	live(&config);
	config.block_source = kv_arena_source_pages();
	live(&config);
	may_fail(kv_arena_set_numa_policy(0) == 0);
	may_fail(kv_arena_set_numa_policy(-1) == 0);
	kv_arena_has("huge-pages");
	kv_arena_get_numa_node();
	kv_arena_cache_trim(cache, 0);
}

/* ---- The calls of lib/os.h ------------------------------------------------------------ */

static const enum kva_call calls[] = {
	KVA_CALL_MAP, KVA_CALL_UNMAP, KVA_CALL_DISCARD, KVA_CALL_HUGE,
	KVA_CALL_PROTECT, KVA_CALL_POPULATE, KVA_CALL_LABEL, KVA_CALL_BIND,
	KVA_CALL_WHERE, KVA_CALL_PREFER, KVA_CALL_ALLOC, KVA_CALL_EXIT_VALUE,
};

#define CALLS ((int)(sizeof calls / sizeof *calls))

static void
live_with(unsigned refused, int reason)
{
	kv_arena_cache_t *cache = kv_arena_cache_create(64 * MIB);

	kvo_hush();
	kvo_fail_from(refused, 1, reason);
	live_in_every_way(KV_ARENA_THREAD_UNSAFE, cache);
	live_in_every_way(KV_ARENA_THREAD_SAFE, cache);
	kvo_heal();
	live_in_every_way(KV_ARENA_THREAD_SAFE, cache);
	kvt_eq(kvo_said(), 0);
	kva_cache_check(cache);
	kvt_eq(kv_arena_cache_destroy(cache), 0);
}

START_TEST(a_system_that_never_makes_one_call)
{
	kvo_begin(_i / (CALLS * REASONS) ? KVO_FOUR_NODES : KVO_THIS_MACHINE);
	live_with(1u << calls[_i / REASONS % CALLS], reasons[_i % REASONS]);
	kvo_end();
}
END_TEST

/* All that only advises or helps. */
START_TEST(a_system_that_serves_memory_and_nothing_else)
{
	kvo_begin(KVO_FOUR_NODES);
	live_with(KVA_ALL_CALLS & ~(KVO_CALL(MAP) | KVO_CALL(ALLOC)), reasons[_i]);
	kvo_end();
}
END_TEST

START_TEST(a_system_that_serves_nothing)
{
	kvo_begin(KVO_FOUR_NODES);
	live_with(KVA_ALL_CALLS, reasons[_i]);
	kvo_end();
}
END_TEST

/* ---- The calls of the kernel ------------------------------------------------------------- */

#ifdef KV_OS_LINUX

#ifdef SYS_mmap2
#define MMAP SYS_mmap2
#else
#define MMAP SYS_mmap
#endif

/* prctl last: it refuses the others. */
static const long system_calls[] = {
	MMAP, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_mbind, SYS_get_mempolicy,
	SYS_set_mempolicy, SYS_move_pages, SYS_getcpu, SYS_prctl,
};

#define SYSTEM_CALLS ((int)(sizeof system_calls / sizeof *system_calls))

static void
live_in_both_modes(void)
{
	live_in_every_way(KV_ARENA_THREAD_UNSAFE, NULL);
	live_in_every_way(KV_ARENA_THREAD_SAFE, NULL);
}

static void
live_on(void)
{
	kvo_hush();
	live_in_both_modes();
	kvt_eq(kvo_said(), 0);
}

/* The thread's stack and the test's own buffers must be there before. */
static void
touch_everything(void)
{
	live_on();
	kv_arena_cache_trim(NULL, 0);
	free(malloc(MIB));
}

START_TEST(a_kernel_that_refuses_one_call)
{
	if (!kvr_works_here())
		return;
	touch_everything();
	kvo_hush();			/* while its file can have a buffer */
	kvr_refuse(system_calls[_i / REASONS], reasons[_i % REASONS]);
	live_in_both_modes();
	kvt_eq(kvo_said(), 0);
}
END_TEST

START_TEST(a_kernel_that_refuses_all_advice_and_placing)
{
	if (!kvr_works_here())
		return;
	for (int i = 3; i < SYSTEM_CALLS; i++)
		kvr_refuse(system_calls[i], reasons[_i]);
	live_on();
}
END_TEST

START_TEST(a_machine_without_sys_and_proc)
{
	if (!kvr_works_here())
		return;
	kvr_refuse_open(O_RDONLY | O_CLOEXEC, ENOENT);
	kvr_refuse_open(O_RDONLY, ENOENT);
	live_on();
}
END_TEST

START_TEST(a_process_that_may_have_little_memory)
{
	struct rlimit limit;

	if (!kvr_has_own_process() || kvt_is_watched())
		return;
	touch_everything();
	kvo_hush();			/* while its file can have a buffer */
	limit.rlim_cur = limit.rlim_max = 64 * MIB;
	kvt_eq(setrlimit(RLIMIT_AS, &limit), 0);
	live_in_both_modes();
	limit.rlim_cur = 0;		/* and none at all */
	kvt_eq(setrlimit(RLIMIT_AS, &limit), 0);
	live_in_both_modes();
	kvt_eq(kvo_said(), 0);
}
END_TEST

static void
add_kernels(Suite *s)
{
	TCase *g = kvt_group(s, "kernel");

	tcase_add_loop_test(g, a_kernel_that_refuses_one_call, 0,
		SYSTEM_CALLS * REASONS);
	tcase_add_loop_test(g, a_kernel_that_refuses_all_advice_and_placing, 0,
		REASONS);
	tcase_add_test(g, a_machine_without_sys_and_proc);
	tcase_add_test(g, a_process_that_may_have_little_memory);
}

#else

static void
add_kernels(Suite *s)
{
	(void)s;
}

#endif

int
main(void)
{
	Suite *s = suite_create("degraded");
	TCase *g = kvt_group(s, "system");

	tcase_add_loop_test(g, a_system_that_never_makes_one_call, 0,
		2 * CALLS * REASONS);
	tcase_add_loop_test(g, a_system_that_serves_memory_and_nothing_else, 0,
		REASONS);
	tcase_add_loop_test(g, a_system_that_serves_nothing, 0, REASONS);
	add_kernels(s);
	return kvt_run(s, 100000);
}
