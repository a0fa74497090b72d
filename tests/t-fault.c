/* t-fault.c -- lib/fault.c: calls fail when they should, and only then
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fault.h"
#include "kvtest.h"

#include <string.h>

/* ---- A system that only notes what it is asked -------------------------------- */

static unsigned asked[KVA_CALLS];
static char something[8];

static int
note(enum kva_call call)
{
	asked[call]++;
	return 0;
}

static void *
note_alloc(size_t size, size_t alignment)
{
	(void)size, (void)alignment;
	note(KVA_CALL_ALLOC);
	return something;
}

static void *
note_map(size_t size, size_t alignment, kva_place_t place)
{
	(void)size, (void)alignment, (void)place;
	note(KVA_CALL_MAP);
	return something;
}

static int
note_unmap(void *p, size_t size)
{
	(void)p, (void)size;
	return note(KVA_CALL_UNMAP);
}

static int
note_discard(void *p, size_t size)
{
	(void)p, (void)size;
	return note(KVA_CALL_DISCARD);
}

static int
note_huge(void *p, size_t size, bool on)
{
	(void)p, (void)size, (void)on;
	return note(KVA_CALL_HUGE);
}

static int
note_protect(void *p, size_t size, enum kva_access access)
{
	(void)p, (void)size, (void)access;
	return note(KVA_CALL_PROTECT);
}

static int
note_populate(void *p, size_t size)
{
	(void)p, (void)size;
	return note(KVA_CALL_POPULATE);
}

static int
note_label(void *p, size_t size, const char *name)
{
	(void)p, (void)size, (void)name;
	return note(KVA_CALL_LABEL);
}

static int
note_bind(void *p, size_t size, kva_place_t place)
{
	(void)p, (void)size, (void)place;
	return note(KVA_CALL_BIND);
}

static int
note_where(void *const *pages, int *node, size_t n)
{
	(void)pages, (void)node, (void)n;
	return note(KVA_CALL_WHERE);
}

static int
note_prefer(int node)
{
	(void)node;
	return note(KVA_CALL_PREFER);
}

static int
note_exit_hook(void (*fn)(void *value))
{
	(void)fn;
	return note(KVA_CALL_EXIT_HOOK);
}

static int
note_exit_value(void *value)
{
	(void)value;
	return note(KVA_CALL_EXIT_VALUE);
}

static void *
note_record(size_t size)
{
	(void)size;
	return something;
}

static int
note_fork_hook(void (*before)(void), void (*parent)(void), void (*child)(void))
{
	(void)before, (void)parent, (void)child;
	return note(KVA_CALL_FORK_HOOK);
}

static struct kva_os before;

static void
take_notes(void)
{
	before = kva_os;
	memset(asked, 0, sizeof asked);
	kva_os.alloc = note_alloc;
	kva_os.map = note_map;
	kva_os.unmap = note_unmap;
	kva_os.discard = note_discard;
	kva_os.huge = note_huge;
	kva_os.protect = note_protect;
	kva_os.populate = note_populate;
	kva_os.label = note_label;
	kva_os.bind = note_bind;
	kva_os.where = note_where;
	kva_os.prefer = note_prefer;
	kva_os.exit_hook = note_exit_hook;
	kva_os.exit_value = note_exit_value;
	kva_os.record = note_record;
	kva_os.fork_hook = note_fork_hook;
}

static void
stop_notes(void)
{
	kva_fault_end();
	kva_os = before;
}

/* Make a call; whether it worked. */
static bool
call(enum kva_call which)
{
	char *p = something;

	switch (which) {
	case KVA_CALL_ALLOC:
		return kva_os.alloc(1, 8) == p;
	case KVA_CALL_MAP:
		return kva_os.map(1, 8, KVA_PLACE_ANY) == p;
	case KVA_CALL_UNMAP:
		return kva_os.unmap(p, 1) != -1;
	case KVA_CALL_DISCARD:
		return kva_os.discard(p, 1) != -1;
	case KVA_CALL_HUGE:
		return kva_os.huge(p, 1, true) != -1;
	case KVA_CALL_PROTECT:
		return kva_os.protect(p, 1, KVA_ACCESS_READ) != -1;
	case KVA_CALL_POPULATE:
		return kva_os.populate(p, 1) != -1;
	case KVA_CALL_LABEL:
		return kva_os.label(p, 1, "") != -1;
	case KVA_CALL_BIND:
		return kva_os.bind(p, 1, KVA_PLACE_INTERLEAVE) != -1;
	case KVA_CALL_WHERE:
		return kva_os.where((void *const *)&p, &(int){ 0 }, 1) != -1;
	case KVA_CALL_PREFER:
		return kva_os.prefer(0) != -1;
	case KVA_CALL_EXIT_HOOK:
		return kva_os.exit_hook(NULL) != -1;
	case KVA_CALL_EXIT_VALUE:
		return kva_os.exit_value(p) != -1;
	default:
		return kva_os.fork_hook(NULL, NULL, NULL) != -1;
	}
}

static void
plan(uint64_t nth, bool for_ever, unsigned calls, int error)
{
	kva_fault_plan(&(struct kva_fault){ nth, for_ever, calls, error });
}

/* ---- The plan ---------------------------------------------------------------- */

START_TEST(each_call_can_fail_and_then_does_not_reach_the_system)
{
	for (int i = 0; i < KVA_CALLS; i++) {
		plan(1, false, 1u << i, 0);
		kvt_fails(call((enum kva_call)i), false, ENOMEM);
		kvt_eq(asked[i], 0);
		kvt_true(call((enum kva_call)i));
		kvt_eq(asked[i], 1);
	}
}
END_TEST

START_TEST(the_nth_call_fails_once)
{
	plan(3, false, KVA_ALL_CALLS, 0);
	kvt_true(call(KVA_CALL_MAP));
	kvt_true(call(KVA_CALL_ALLOC));
	kvt_true(!call(KVA_CALL_UNMAP));
	for (int i = 0; i < 100; i++)
		kvt_true(call((enum kva_call)(i % KVA_CALLS)));
	kvt_eq(kva_fault_seen(), 103);
	kvt_eq(kva_fault_struck(), 1);
}
END_TEST

START_TEST(all_calls_fail_from_the_nth_on)
{
	plan(3, true, KVA_ALL_CALLS, 0);
	kvt_true(call(KVA_CALL_MAP));
	kvt_true(call(KVA_CALL_MAP));
	for (int i = 0; i < 100; i++)
		kvt_true(!call((enum kva_call)(i % KVA_CALLS)));
	kvt_eq(kva_fault_struck(), 100);
}
END_TEST

START_TEST(only_the_chosen_calls_count_and_fail)
{
	plan(2, false, 1u << KVA_CALL_BIND | 1u << KVA_CALL_MAP, 0);
	kvt_true(call(KVA_CALL_BIND));
	for (int i = 0; i < 10; i++)
		kvt_true(call(KVA_CALL_ALLOC));
	kvt_eq(kva_fault_seen(), 1);
	kvt_true(!call(KVA_CALL_MAP));
	kvt_true(call(KVA_CALL_BIND));
}
END_TEST

START_TEST(errno_is_the_chosen_one)
{
	plan(1, true, KVA_ALL_CALLS, EPERM);
	for (int i = 0; i < KVA_CALLS; i++)
		kvt_fails(call((enum kva_call)i), false, EPERM);
}
END_TEST

START_TEST(nth_0_never_strikes)
{
	plan(0, true, KVA_ALL_CALLS, 0);
	for (int i = 0; i < KVA_CALLS; i++)
		kvt_true(call((enum kva_call)i));
	kvt_eq(kva_fault_seen(), KVA_CALLS);
	kvt_eq(kva_fault_struck(), 0);
}
END_TEST

START_TEST(a_thread_may_be_refused_its_record_but_not_lose_it)
{
	plan(1, false, 1u << KVA_CALL_EXIT_VALUE, 0);
	kvt_refused(kva_os.record(1), ENOMEM);
	kvt_true(kva_os.record(1) == something);
	plan(1, true, KVA_ALL_CALLS, 0);
	kvt_true(kva_os.record(1) == something);
}
END_TEST

START_TEST(a_new_plan_counts_anew)
{
	plan(1, true, KVA_ALL_CALLS, 0);
	kvt_true(!call(KVA_CALL_MAP));
	plan(2, false, KVA_ALL_CALLS, 0);
	kvt_eq(kva_fault_seen(), 0);
	kvt_eq(kva_fault_struck(), 0);
	kvt_true(call(KVA_CALL_MAP));
	kvt_true(!call(KVA_CALL_MAP));
}
END_TEST

START_TEST(the_end_puts_the_system_back)
{
	struct kva_os own = kva_os;

	plan(1, true, KVA_ALL_CALLS, 0);
	kvt_true(memcmp(&own, &kva_os, sizeof own) != 0);
	kva_fault_end();
	kvt_true(memcmp(&own, &kva_os, sizeof own) == 0);
	kvt_true(call(KVA_CALL_MAP));
	kva_fault_end();
	kvt_true(memcmp(&own, &kva_os, sizeof own) == 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fault");
	TCase *g = kvt_group(s, "plan");

	tcase_add_checked_fixture(g, take_notes, stop_notes);
	tcase_add_test(g, each_call_can_fail_and_then_does_not_reach_the_system);
	tcase_add_test(g, the_nth_call_fails_once);
	tcase_add_test(g, all_calls_fail_from_the_nth_on);
	tcase_add_test(g, only_the_chosen_calls_count_and_fail);
	tcase_add_test(g, errno_is_the_chosen_one);
	tcase_add_test(g, nth_0_never_strikes);
	tcase_add_test(g, a_thread_may_be_refused_its_record_but_not_lose_it);
	tcase_add_test(g, a_new_plan_counts_anew);
	tcase_add_test(g, the_end_puts_the_system_back);
	return kvt_run(s, 300);
}
