/* t-seal.c -- lib/seal.c: arenas that can only be read, and systems that refuse it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "kvsource.h"
#include "seal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static kv_arena_t *
create(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = kvi_config(mode);

	config.block_size = 16 * KIB;
	config.max_block_size = 64 * KIB;
	return kvi_create(&config);
}

/* Whether a child process that writes there is ended for it. */
static bool
is_fatal(volatile char *p)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		kvo_look_at((const void *)(uintptr_t)p, 1);	/* ask the kernel */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		*p = *p;
		_exit(0);
	}
	kvt_true(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status);
}

/* All that is live can be written, and more can be had. */
static void
check_open(kv_arena_t *a)
{
	for (struct kva_block *b = kva_arena_of(a)->blocks; b; b = b->next) {
		kvt_true(!b->sealed);
		kvt_true(!is_fatal(b->base) && !is_fatal(b->base + b->capacity - 1));
	}
	kvi_load(a, 200 * KIB);
}

static size_t
count_sealed(const kv_arena_t *a)
{
	size_t n = 0;

	for (struct kva_block *b = kva_arena_of(a)->blocks; b; b = b->next)
		n += b->sealed;
	return n;
}

/* ---- As it should be ------------------------------------------------------------- */

START_TEST(every_block_is_read_only_until_it_is_unsealed)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);
	struct kvt_book book = { 0 };

	for (size_t i = 0; i < 2000; i++)
		kvt_enter(&book, kvt_alloc(a, i % 300 + 1), i % 300 + 1, 8);
	kvt_enter(&book, kvt_alloc(a, MIB), MIB, 8);
	kvt_eq(kv_arena_seal(a), 0);
	kvt_intact(&book);
	for (struct kva_block *b = kva_arena_of(a)->blocks; b; b = b->next)
		kvt_true(b->sealed && is_fatal(b->base));
	kvi_check(a);
	kvt_eq(kv_arena_seal(a), 0);
	kvt_eq(kv_arena_unseal(a), 0);
	kvt_eq(kv_arena_unseal(a), 0);
	kvt_intact(&book);
	check_open(a);
	kvt_drop(&book);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_sealed_arena_refuses_everything_that_writes)
{
	kv_arena_t *a = create(KV_ARENA_THREAD_UNSAFE), *b = create(0);
	char *p = kvt_alloc(a, 100);
	kv_arena_mark_t mark = kv_arena_mark(a);

	kvt_eq(kv_arena_seal(a), 0);
	kvt_refused(kvt_alloc(a, 8), EPERM);
	kvt_refused(kv_arena_calloc(a, 1, 8), EPERM);
	kvt_refused(kv_arena_strdup(a, "x"), EPERM);
	kvt_refused(kv_arena_realloc(a, p, 100, 50), EPERM);
	kvt_refused(kv_arena_realloc(a, p, 100, 500), EPERM);
	kvt_fails(kv_arena_reserve(a, 8, false), -1, EPERM);
	kvt_fails(kv_arena_rewind(a, mark), -1, EPERM);
	kvt_fails(kv_arena_defer(a, free, NULL), -1, EPERM);
	kvt_fails(kv_arena_absorb(a, b), -1, EINVAL);
	kvt_fails(kv_arena_absorb(b, a), -1, EINVAL);
	kvt_eq(kv_arena_compact(a), 0);
	kvt_true(kv_arena_handle(a, p).ptr == p);
	kvt_eq(kv_arena_unseal(a), 0);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	check_open(a);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST

START_TEST(blocks_that_share_pages_cannot_be_sealed)
{
	static char buffer[3 * 4096] __attribute__((__aligned__(4096)));
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a;

	a = kvi_create(&config);
	kvi_load(a, 1000);
	kvt_fails(kv_arena_seal(a), -1, ENOTSUP);
	kvi_load(a, 1000);
	kvi_destroy(a);
	a = kv_arena_create_in(buffer, sizeof buffer, NULL);
	kvi_load(a, 1000);
	kvt_fails(kv_arena_seal(a), -1, ENOTSUP);
	kvi_load(a, 1000);
	kvi_destroy(a);
}
END_TEST

START_TEST(blocks_of_pages_can_be_sealed_whoever_gave_them)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.block_source = kv_arena_source_pages();
	a = kvi_create(&config);
	kvi_load(a, 100000);
	kvt_eq(kv_arena_seal(a), 0);
	kvt_true(is_fatal(kva_arena_of(a)->blocks->base));
	kv_arena_reset(a);
	check_open(a);
	kvi_destroy(a);
}
END_TEST

START_TEST(an_empty_arena_can_be_sealed)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);

	kvt_eq(kv_arena_seal(a), 0);
	kvt_refused(kvt_alloc(a, 8), EPERM);
	kvt_eq(kv_arena_unseal(a), 0);
	kvi_load(a, 1000);
	kvi_destroy(a);
}
END_TEST

/* ---- Refused ------------------------------------------------------------------------ */

START_TEST(a_seal_that_is_refused_is_undone)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	kv_arena_t *a = create((kv_arena_thread_mode_t)(_i % 2));
	uint64_t nth = 0;
	int result;

	kvi_load(a, 300 * KIB);
	do {
		kvo_fail_once(KVO_CALL(PROTECT), ++nth, reasons[_i / 2]);
		errno = 0;
		result = kv_arena_seal(a);
		if (result != 0) {
			kvt_eq(errno, reasons[_i / 2]);
			kvt_eq(count_sealed(a), 0);
			kvt_true(kvt_alloc(a, 8) != NULL);
		}
	} while (result != 0);
	kvt_cmp(nth, >, 3);
	kvo_heal();
	kvt_eq(kv_arena_unseal(a), 0);
	check_open(a);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_seal_that_can_be_neither_done_nor_undone_is_sealed_in_part)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);

	kvi_load(a, 300 * KIB);
	kvo_fail_from(KVO_CALL(PROTECT), 2, ENOMEM);
	kvt_fails(kv_arena_seal(a), -1, ENOMEM);
	kvt_eq(count_sealed(a), 1);
	kvt_refused(kvt_alloc(a, 8), EPERM);
	kvt_fails(kv_arena_unseal(a), -1, ENOMEM);
	kvo_heal();
	kvt_eq(kv_arena_unseal(a), 0);
	check_open(a);
	kvi_destroy(a);
}
END_TEST

static int (*protect)(void *p, size_t size, enum kva_access access);
static int protects;

/* The first is done, and each that follows is refused for another reason. */
static int
protect_once(void *p, size_t size, enum kva_access access)
{
	static const int reasons[] = { 0, EPERM, EINVAL, ENOMEM };

	if (protects == 0) {
		protects++;
		return protect(p, size, access);
	}
	errno = reasons[protects < 3 ? protects++ : 3];
	return -1;
}

START_TEST(the_reason_told_is_the_one_why_it_was_not_sealed)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);

	kvi_load(a, 300 * KIB);
	protect = kva_os.protect;
	protects = 0;
	kva_os.protect = protect_once;
	kvt_fails(kv_arena_seal(a), -1, EPERM);
	kvt_cmp(protects, >, 2);
	kva_os.protect = protect;
	kvt_eq(kv_arena_unseal(a), 0);
	check_open(a);
	kvi_destroy(a);
}
END_TEST

START_TEST(an_unseal_that_is_refused_can_be_tried_again)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);
	uint64_t nth = 0;

	kvi_load(a, 300 * KIB);
	kvt_eq(kv_arena_seal(a), 0);
	do {
		kvo_fail_once(KVO_CALL(PROTECT), ++nth, EPERM);
		errno = 0;
		if (kv_arena_unseal(a) == 0)
			break;
		kvt_eq(errno, EPERM);
		kvt_refused(kvt_alloc(a, 8), EPERM);
	} while (nth < 100);
	kvt_cmp(nth, >, 1);
	kvo_heal();
	check_open(a);
	kvi_destroy(a);
}
END_TEST

/* Whatever the system will not open again serves nobody: neither this arena nor the
 * next. */
static void
use_after_refusal(kv_arena_t *a, bool zero)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *b;

	config.zero = zero;
	for (int round = 0; round < 3; round++) {
		if (a)
			check_open(a);
		b = kvi_create(&config);
		for (int i = 0; i < 1000; i++)
			memset(kvt_alloc(b, 1000), 1, 1000);
		check_open(b);
		kvi_destroy(b);
		if (a)
			kv_arena_reset(a);
	}
	kva_cache_check(kvi_cache);
}

START_TEST(reset_drops_what_cannot_be_unsealed)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)(_i % 2));
	kv_arena_t *a;

	config.zero = _i / 2;
	config.block_size = _i < 4 ? 16 * KIB : 2 * MIB;
	a = kvi_create(&config);
	kvi_load(a, 300 * KIB);
	kvt_eq(kv_arena_seal(a), 0);
	kvo_fail_from(KVO_CALL(PROTECT), 1, EPERM);
	kv_arena_reset(a);
	kvo_heal();
	kvt_eq(count_sealed(a), 0);
	use_after_refusal(a, config.zero);
	kvi_destroy(a);
}
END_TEST

START_TEST(destroy_drops_what_cannot_be_unsealed)
{
	kv_arena_t *a = create((kv_arena_thread_mode_t)_i);

	kvi_load(a, 300 * KIB);
	kvt_eq(kv_arena_seal(a), 0);
	kvo_fail_from(KVO_CALL(PROTECT), 2, EPERM);
	kv_arena_destroy(a);
	kvo_heal();
	use_after_refusal(NULL, false);
}
END_TEST

START_TEST(guard_pages_that_cannot_be_opened_are_lost_with_their_blocks)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.debug = KV_ARENA_DEBUG_GUARD;
	for (uint64_t nth = 1; nth < 12; nth++) {
		a = kvi_create(&config);
		kvo_fail_once(KVO_CALL(PROTECT), nth, ENOMEM);
		for (int i = 0; i < 400; i++)
			memset(kvt_alloc(a, 1000), 1, 1000);
		kvi_destroy(a);
		kvo_heal();
		use_after_refusal(NULL, false);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("seal");
	TCase *g = kvi_group(s, "sealing");

	tcase_add_loop_test(g, every_block_is_read_only_until_it_is_unsealed, 0, 2);
	tcase_add_test(g, a_sealed_arena_refuses_everything_that_writes);
	tcase_add_test(g, blocks_that_share_pages_cannot_be_sealed);
	tcase_add_test(g, blocks_of_pages_can_be_sealed_whoever_gave_them);
	tcase_add_loop_test(g, an_empty_arena_can_be_sealed, 0, 2);

	g = kvi_group(s, "refusals");
	tcase_add_loop_test(g, a_seal_that_is_refused_is_undone, 0, 8);
	tcase_add_loop_test(g,
		a_seal_that_can_be_neither_done_nor_undone_is_sealed_in_part, 0, 2);
	tcase_add_loop_test(g, the_reason_told_is_the_one_why_it_was_not_sealed, 0, 2);
	tcase_add_loop_test(g, an_unseal_that_is_refused_can_be_tried_again, 0, 2);

	g = kvi_group(s, "losses");
	tcase_add_loop_test(g, reset_drops_what_cannot_be_unsealed, 0, 8);
	tcase_add_loop_test(g, destroy_drops_what_cannot_be_unsealed, 0, 2);
	tcase_add_test(g, guard_pages_that_cannot_be_opened_are_lost_with_their_blocks);
	return kvt_run(s, 2000);
}
