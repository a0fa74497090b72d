/* t-api-handle.c -- the section Handles of kv_arena.h, and sealing
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

/* ---- Handles --------------------------------------------------------------- */

START_TEST(handle_gives_its_pointer_while_it_lives)
{
	kv_arena_t *a = kv_arena_create(1024);
	kv_arena_handle_t handles[500];
	int *p[500];

	for (int i = 0; i < 500; i++) {
		p[i] = kv_arena_new(a, int);
		*p[i] = i;
		handles[i] = kv_arena_handle(a, p[i]);
		kvt_true(handles[i].ptr == p[i]);
	}
	for (int i = 0; i < 500; i++) {
		kvt_true(kv_arena_deref(handles[i]) == p[i]);
		kvt_eq(*(int *)kv_arena_deref(handles[i]), i);
	}
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(handle_dies_with_reset)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_handle_t old = kv_arena_handle(a, kv_arena_alloc(a, 8)), fresh;

	kvt_true(kv_arena_deref(old) != NULL);
	kv_arena_reset(a);
	kvt_true(kv_arena_deref(old) == NULL);
	/* The same bytes again: the old handle stays dead. */
	fresh = kv_arena_handle(a, kv_arena_alloc(a, 8));
	kvt_true(kv_arena_deref(old) == NULL);
	kvt_true(kv_arena_deref(fresh) == fresh.ptr && fresh.ptr != NULL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(handle_of_another_arena_survives_a_second_reset)
{
	kv_arena_t *a = kv_arena_create(0), *b = kv_arena_create(0);
	kv_arena_handle_t old = kv_arena_handle(a, kv_arena_alloc(a, 8)), other;

	kv_arena_reset(a);
	other = kv_arena_handle(b, kv_arena_alloc(b, 8));
	kv_arena_reset(a);
	kvt_true(kv_arena_deref(other) != NULL);
	kvt_true(kv_arena_deref(old) == NULL);
	kv_arena_destroy(b);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(handle_dies_with_destroy)
{
	kv_arena_handle_t handles[100];

	for (int i = 0; i < 100; i++) {
		kv_arena_t *a = kv_arena_create(0);

		handles[i] = kv_arena_handle(a, kv_arena_alloc(a, 8));
		kvt_true(handles[i].ptr != NULL);
		kv_arena_destroy(a);
		for (int k = 0; k <= i; k++)
			kvt_true(kv_arena_deref(handles[k]) == NULL);
	}
}
END_TEST

START_TEST(handle_dies_with_a_rewind_past_it)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_mark_t mark;
	kv_arena_handle_t after;

	kvt_true(kv_arena_alloc(a, 8) != NULL);
	mark = kv_arena_mark(a);
	after = kv_arena_handle(a, kv_arena_alloc(a, 8));
	kvt_true(kv_arena_deref(after) != NULL);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_true(kv_arena_deref(after) == NULL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(handle_dies_with_the_parent)
{
	kv_arena_t *a = kv_arena_create(0);
	kv_arena_t *child = kv_arena_create_child(a, NULL);
	kv_arena_handle_t h = kv_arena_handle(child, kv_arena_alloc(child, 8));

	kvt_true(kv_arena_deref(h) != NULL);
	kv_arena_reset(a);
	kvt_true(kv_arena_deref(h) == NULL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(handle_of_foreign_memory_is_refused)
{
	kv_arena_t *a = kv_arena_create(0), *b = kv_arena_create(0);
	void *p = kv_arena_alloc(b, 8);
	int of_the_stack;

	kvt_true(kv_arena_alloc(a, 8) != NULL);
	errno = 0;
	kvt_true(kv_arena_handle(a, &of_the_stack).ptr == NULL);
	kvt_eq(errno, EINVAL);
	errno = 0;
	kvt_true(kv_arena_handle(a, p).ptr == NULL);
	kvt_eq(errno, EINVAL);
	errno = 0;
	kvt_true(kv_arena_handle(a, NULL).ptr == NULL);
	kvt_eq(errno, EINVAL);
	errno = 0;
	kvt_true(kv_arena_handle(NULL, p).ptr == NULL);
	kvt_eq(errno, EINVAL);
	kvt_true(kv_arena_deref(kv_arena_handle(a, NULL)) == NULL);
	kv_arena_destroy(b);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(zeroed_handle_is_dead)
{
	kv_arena_handle_t none = { NULL, NULL, 0 };

	kvt_true(kv_arena_deref(none) == NULL);
}
END_TEST

/* What was written before the reset is seen by a thread that finds the handle dead:
 * by the orders of the two, as TSan knows, and not by luck. */
struct watcher {
	kv_arena_handle_t handle;
	int written, seen;
};

static void *
wait_until_dead(void *arg)
{
	struct watcher *w = arg;

	while (kv_arena_deref(w->handle) != NULL)
		sched_yield();
	w->seen = w->written;
	return NULL;
}

START_TEST(dead_handle_tells_of_what_was_done_before)
{
	kv_arena_t *a = kv_arena_create(0);

	if (kv_arena_has("valgrind")) {
		kvt_skip("helgrind and drd do not know the orders of atomics");
		kv_arena_destroy(a);
		return;
	}
	for (int i = 1; i <= 50; i++) {
		struct watcher w = { kv_arena_handle(a, kv_arena_alloc(a, 8)), 0, 0 };
		pthread_t thread;

		kvt_eq(pthread_create(&thread, NULL, wait_until_dead, &w), 0);
		w.written = i;
		kv_arena_reset(a);
		kvt_eq(pthread_join(thread, NULL), 0);
		kvt_eq(w.seen, i);
	}
	kv_arena_destroy(a);
}
END_TEST

/* ---- Sealing ---------------------------------------------------------------- */

/* An arena of whole pages, or NULL where the system cannot seal. */
static kv_arena_t *
create_sealable(struct kvt_book *book)
{
	kv_arena_t *a = kv_arena_create(KV_ARENA_LARGE_BLOCK_SIZE);

	for (size_t i = 1; i <= 1000; i++)
		kvt_enter(book, kv_arena_alloc(a, i), i, 8);
	if (kv_arena_seal(a) == 0)
		return a;
	kvt_eq(errno, ENOTSUP);
	kvt_intact(book);
	kvt_drop(book);
	kv_arena_destroy(a);
	kvt_skip("blocks cannot be sealed here");
	return NULL;
}

START_TEST(sealed_arena_can_be_read_and_not_allocated_from)
{
	struct kvt_book book = { 0 };
	kv_arena_t *a = create_sealable(&book);

	if (a == NULL)
		return;
	kvt_intact(&book);
	kvt_refused(kv_arena_alloc(a, 8), EPERM);
	kvt_refused(kv_arena_alloc_aligned(a, 8, 64), EPERM);
	kvt_refused(kv_arena_calloc(a, 1, 8), EPERM);
	kvt_refused(kv_arena_strdup(a, "x"), EPERM);
	kvt_refused(kv_arena_printf(a, "x"), EPERM);
	kvt_eq(kv_arena_unseal(a), 0);
	for (size_t i = 1; i <= 1000; i++)
		kvt_enter(&book, kv_arena_alloc(a, i), i, 8);
	kvt_intact(&book);
	kvt_balanced(a);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(sealed_arena_may_be_destroyed)
{
	struct kvt_book book = { 0 };
	kv_arena_t *a = create_sealable(&book);
	char *p;

	kv_arena_destroy(a);
	kvt_drop(&book);
	/* The blocks are writable for who comes next. */
	a = kv_arena_create(KV_ARENA_LARGE_BLOCK_SIZE);
	p = kvt_alloc(a, 500000);
	kvt_true(p != NULL);
	memset(p, 1, 500000);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(reset_unseals)
{
	for (int unsealed = 0; unsealed < 2; unsealed++) {
		struct kvt_book book = { 0 };
		kv_arena_t *a = create_sealable(&book);
		char *p;

		if (a == NULL)
			return;
		kvt_drop(&book);
		if (unsealed)
			kvt_eq(kv_arena_unseal(a), 0);
		kv_arena_reset(a);
		p = kvt_alloc(a, 500000);
		kvt_true(p != NULL);
		memset(p, 1, 500000);
		kvt_balanced(a);
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(blocks_under_a_page_cannot_be_sealed)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a;

	config.block_size = KV_ARENA_MIN_BLOCK_SIZE;
	a = kv_arena_create_ex(&config);
	kvt_true(kv_arena_alloc(a, 8) != NULL);
	kvt_fails(kv_arena_seal(a), -1, ENOTSUP);
	kvt_true(kv_arena_alloc(a, 8) != NULL);
	kvt_fails(kv_arena_seal(NULL), -1, EINVAL);
	kvt_fails(kv_arena_unseal(NULL), -1, EINVAL);
	kv_arena_destroy(a);
}
END_TEST

#ifndef _WIN32
START_TEST(writing_to_a_sealed_arena_is_fatal)
{
	struct kvt_book book = { 0 };
	kv_arena_t *a;
	int status;
	pid_t child;

	if (kvt_is_watched()) {
		kvt_skip("a checker would report the fatal write");
		return;
	}
	a = create_sealable(&book);
	if (a == NULL)
		return;
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile unsigned char *)book.pieces[500].p = 0;
		_exit(0);
	}
	kvt_true(waitpid(child, &status, 0) == child);
	kvt_true(WIFSIGNALED(status));
	kvt_intact(&book);
	kvt_drop(&book);
	kv_arena_destroy(a);
}
END_TEST
#else
START_TEST(writing_to_a_sealed_arena_is_fatal)
{
	kvt_skip("no fork");
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("api-handle");
	TCase *g = kvt_group(s, "handles");

	tcase_add_test(g, handle_gives_its_pointer_while_it_lives);
	tcase_add_test(g, handle_dies_with_reset);
	tcase_add_test(g, handle_of_another_arena_survives_a_second_reset);
	tcase_add_test(g, handle_dies_with_destroy);
	tcase_add_test(g, handle_dies_with_a_rewind_past_it);
	tcase_add_test(g, handle_dies_with_the_parent);
	tcase_add_test(g, handle_of_foreign_memory_is_refused);
	tcase_add_test(g, zeroed_handle_is_dead);
	tcase_add_test(g, dead_handle_tells_of_what_was_done_before);

	g = kvt_group(s, "sealing");
	tcase_add_test(g, sealed_arena_can_be_read_and_not_allocated_from);
	tcase_add_test(g, sealed_arena_may_be_destroyed);
	tcase_add_test(g, reset_unseals);
	tcase_add_test(g, blocks_under_a_page_cannot_be_sealed);
	tcase_add_test(g, writing_to_a_sealed_arena_is_fatal);
	return kvt_run(s, 5000);
}
