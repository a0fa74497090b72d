/* t-site.c -- lib/site.c: equal stacks are one site, and a table is bounded
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Stacks are made up here.
 */
#include "kvinside.h"
#include "kvos.h"
#include "kvpuppet.h"
#include "site.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	void *frames[200];
	int n;
} made_up;

static int
make_up(void **frames, int n)
{
	int some = made_up.n < n ? made_up.n : n;

	memcpy(frames, made_up.frames, (size_t)some * sizeof *frames);
	errno = EDOM;
	return some;
}

static void *
address(uintptr_t n)
{
	return (void *)(0x10000 + 2 * n);
}

/* A stack of frames first, first + 1 ... */
static void
stand_at(uintptr_t first, int n)
{
	made_up.n = n;
	for (int i = 0; i < n; i++)
		made_up.frames[i] = address(first + (uintptr_t)i);
}

static struct kva_sites *sites;
static struct kva_site *found;
static size_t nfound;

static void
begin(void)
{
	kvo_begin(KVO_THIS_MACHINE);
	kva_os.backtrace = make_up;
	sites = kva_sites_create(4096);
	kvt_true(sites != NULL);
	found = calloc(KVA_SITES + 1, sizeof *found);
}

static void
end(void)
{
	free(found);
	kva_sites_destroy(sites);
	kvt_eq(kvo_counts().pieces, 0);
	kvo_end();
}

static void
add(double bytes, const void *caller)
{
	struct kva_amounts amounts = {{ bytes, 1, 2, 3 }};

	errno = ERANGE;
	kva_sites_add(sites, &amounts, caller);
	kvt_eq(errno, ERANGE);
}

static double
look(void)
{
	double sum = 0;

	nfound = kva_sites_copy(sites, found, KVA_SITES + 1);
	kvt_eq(nfound, kva_sites_count(sites));
	kvt_eq(found[0].depth, 0);
	for (size_t i = 0; i < nfound; i++)
		sum += found[i].sum.of[KVA_BYTES];
	return sum;
}

START_TEST(equal_stacks_are_one_site)
{
	stand_at(100, 5);
	add(10, address(100));
	add(30, address(100));
	stand_at(200, 5);
	add(5, address(200));
	stand_at(100, 4);
	add(7, address(100));
	kvt_eq(look(), 52);
	kvt_eq(nfound, 4);
	for (size_t i = 1; i < nfound; i++)
		if (found[i].depth == 5 && found[i].frames[0] == address(100)) {
			kvt_eq(found[i].sum.of[KVA_BYTES], 40);
			kvt_eq(found[i].sum.of[KVA_OBJECTS], 2);
			kvt_eq(found[i].sum.of[KVA_PADDING], 4);
			kvt_eq(found[i].sum.of[KVA_ABANDONED], 6);
			return;
		}
	ck_abort_msg("the site is not there");
}
END_TEST

START_TEST(frames_of_the_library_are_left_out)
{
	stand_at(100, 10);
	add(1, address(104));
	look();
	kvt_eq(nfound, 2);
	kvt_eq(found[1].depth, 6);
	kvt_true(found[1].frames[0] == address(104));
	kvt_true(found[1].frames[5] == address(109));
	/* Thumb's bit. */
	add(1, (char *)address(104) + 1);
	look();
	kvt_eq(nfound, 2);
}
END_TEST

START_TEST(a_caller_that_is_not_in_the_stack_stands_alone)
{
	for (int n = 0; n < 20; n += 10) {
		stand_at(100, n);
		add(1, address(50));
	}
	kvt_eq(look(), 2);
	kvt_eq(nfound, 2);
	kvt_eq(found[1].depth, 1);
	kvt_true(found[1].frames[0] == address(50));
}
END_TEST

START_TEST(of_a_deep_stack_the_frames_nearest_to_the_call_are_kept)
{
	stand_at(100, 200);
	add(1, address(110));
	look();
	kvt_eq(found[1].depth, KVA_FRAMES);
	kvt_true(found[1].frames[KVA_FRAMES - 1] == address(110 + KVA_FRAMES - 1));
}
END_TEST

START_TEST(what_a_full_table_has_no_site_for_is_in_the_sum_of_others)
{
	double sum = 0;

	for (size_t i = 0; i < KVA_SITES + 500; i++, sum += 8) {
		stand_at(1000 + i, 3 + i % 2);
		add(8, address(1000 + i));
	}
	stand_at(1000, 3);	/* those that are there still count */
	add(100, address(1000));
	kvt_eq(look(), sum + 100);
	kvt_eq(nfound, KVA_SITES + 1);
	kvt_eq(found[0].sum.of[KVA_BYTES], 500 * 8);
	kvt_eq(found[0].sum.of[KVA_OBJECTS], 500);
	kvt_eq(kva_sites_copy(sites, found, 10), 10);
	kvt_eq(kva_sites_copy(sites, found, 0), 0);
}
END_TEST

START_TEST(a_stack_that_is_there_takes_no_memory)
{
	uint64_t before;

	stand_at(1, 3);
	add(1, address(1));
	before = kvo_counts().calls[KVA_CALL_ALLOC];
	add(1, address(1));
	kvt_eq(kvo_counts().calls[KVA_CALL_ALLOC], before);
}
END_TEST

START_TEST(without_memory_all_is_in_the_sum_of_others)
{
	stand_at(1, 3);
	add(1, address(1));
	kvo_fail_from(KVA_ALL_CALLS, 1, 0);
	add(1, address(1));
	stand_at(2, 3);
	add(8, address(2));
	kvt_true(kva_sites_create(1) == NULL);
	kvo_heal();
	kvt_eq(look(), 10);
	kvt_eq(nfound, 2);
	kvt_eq(found[0].sum.of[KVA_BYTES], 8);
}
END_TEST

START_TEST(a_cleared_table_is_empty_and_has_room)
{
	for (size_t i = 0; i < KVA_SITES + 1; i++) {
		stand_at(i, 1);
		add(1, address(i));
	}
	kva_sites_clear(sites);
	kvt_eq(look(), 0);
	kvt_eq(nfound, 1);
	stand_at(KVA_SITES, 1);
	add(1, address(KVA_SITES));
	look();
	kvt_eq(nfound, 2);
	kvt_eq(kva_sites_interval(sites), 4096);
	kva_sites_destroy(NULL);
}
END_TEST

/* ---- What happens while memory is asked for ----------------------------------- */

static struct {
	void *(*alloc)(size_t size, size_t alignment);
	uintptr_t stack;
} meanwhile;

/* Another thread adds a stack. */
static void *
alloc_late(size_t size, size_t alignment)
{
	kva_os.alloc = meanwhile.alloc;
	stand_at(meanwhile.stack, 1);
	add(4, address(meanwhile.stack));
	return kva_os.alloc(size, alignment);
}

static void
interrupt(uintptr_t stack)
{
	meanwhile.stack = stack;
	meanwhile.alloc = kva_os.alloc;
	kva_os.alloc = alloc_late;
}

START_TEST(a_stack_that_comes_twice_at_once_is_one_site)
{
	interrupt(7);
	stand_at(7, 1);
	add(1, address(7));
	kvt_eq(look(), 5);
	kvt_eq(nfound, 2);
	kvt_eq(found[0].sum.of[KVA_BYTES], 0);
}
END_TEST

START_TEST(a_table_may_fill_at_once)
{
	for (size_t i = 0; i < KVA_SITES - 1; i++) {
		stand_at(1000 + i, 1);
		add(1, address(1000 + i));
	}
	interrupt(7);
	stand_at(8, 1);
	add(1, address(8));
	kvt_eq(look(), KVA_SITES + 4);
	kvt_eq(nfound, KVA_SITES + 1);
	kvt_eq(found[0].sum.of[KVA_BYTES], 1);
}
END_TEST

/* ---- Threads ------------------------------------------------------------------ */

#define THREADS 4
#define ROUNDS 2000

static __thread int own;

static int
make_up_own(void **frames, int n)
{
	for (int i = 0; i < 4 && i < n; i++)
		frames[i] = address((uintptr_t)own + (uintptr_t)i);
	return 4;
}

static void *
add_many(void *unused)
{
	struct kva_amounts one = {{ 1, 1, 1, 1 }};

	(void)unused;
	for (own = 0; own < ROUNDS; own++)
		kva_sites_add(sites, &one, address((uintptr_t)own));
	return NULL;
}

START_TEST(threads_that_find_a_stack_at_once_make_one_site)
{
	char unused[THREADS];

	kva_os.backtrace = make_up_own;
	kvt_threads(THREADS, add_many, unused, 1);
	kvt_eq(look(), THREADS * ROUNDS);
	kvt_eq(nfound, ROUNDS + 1);
	for (size_t i = 1; i < nfound; i++)
		kvt_eq(found[i].sum.of[KVA_OBJECTS], THREADS);
}
END_TEST

/* ---- The lock ------------------------------------------------------------------ */

static void
count_sites(void *done)
{
	kva_sites_count(sites);
	kva_store_release((bool *)done, true);
}

static void
copy_sites(void *done)
{
	kva_sites_copy(sites, found, 1);
	kva_store_release((bool *)done, true);
}

static void
clear_sites(void *done)
{
	kva_sites_clear(sites);
	kva_store_release((bool *)done, true);
}

static void
add_to_sites(void *done)
{
	kva_sites_add(sites, &(struct kva_amounts){{ 1 }}, address(1));
	kva_store_release((bool *)done, true);
}

/* A fork holds it, so that its child finds every table whole. */
START_TEST(whatever_is_done_waits_for_a_fork)
{
	static void (*const what[])(void *done) = {
		count_sites, copy_sites, clear_sites, add_to_sites,
	};
	bool done = false;
	struct kvp p;

	stand_at(1, 1);
	kvp_begin(&p);
	kva_sites_fork_before();
	kvp_tell(&p, what[_i], &done);
	usleep(20000);
	kvt_true(!kva_load_acquire(&done));
	kva_sites_fork_after();
	kvp_wait(&p);
	kvt_true(kva_load_acquire(&done));
	kvp_end(&p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("site");
	TCase *g = kvt_group(s, "sites");

	tcase_add_checked_fixture(g, begin, end);
	tcase_add_test(g, equal_stacks_are_one_site);
	tcase_add_test(g, frames_of_the_library_are_left_out);
	tcase_add_test(g, a_caller_that_is_not_in_the_stack_stands_alone);
	tcase_add_test(g, of_a_deep_stack_the_frames_nearest_to_the_call_are_kept);
	tcase_add_test(g, what_a_full_table_has_no_site_for_is_in_the_sum_of_others);
	tcase_add_test(g, a_stack_that_is_there_takes_no_memory);
	tcase_add_test(g, without_memory_all_is_in_the_sum_of_others);
	tcase_add_test(g, a_cleared_table_is_empty_and_has_room);
	tcase_add_test(g, a_stack_that_comes_twice_at_once_is_one_site);
	tcase_add_test(g, a_table_may_fill_at_once);
	tcase_add_test(g, threads_that_find_a_stack_at_once_make_one_site);
	tcase_add_loop_test(g, whatever_is_done_waits_for_a_fork, 0, 4);
	return kvt_run(s, 10000);
}
