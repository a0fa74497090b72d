/* kvtest.h -- what the test programs share: cases and counted checks
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Everything is counted, also what is checked in Check's forked children, so
 * that a program can refuse to pass when checks have gone missing.
 *
 * Only the thread that runs the test may use the checking macros: Check leaves
 * a failed test by longjmp or exit. Other threads keep a book each; books
 * remember their first fault and are joined and closed by the test's thread.
 */
#ifndef KVTEST_H
#define KVTEST_H

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <kv_arena.h>

#include "kvbook.h"

/* ---- Programs ---------------------------------------------------------- */

/* Add a named group of tests. A test still running after a minute, ten under
 * valgrind, has hung. */
TCase *kvt_group(Suite *s, const char *name);

/* Run the suite and print Check's summary and the number of checks. Returns the
 * status for main: failure also if fewer than floor checks were made. */
int kvt_run(Suite *s, uint64_t floor);

/* Print that the calling test does not run here, and why, and count it. */
void kvt_skip(const char *why);

/* Tell whether valgrind or a sanitizer watches: memory is then not what it is
 * elsewhere. */
bool kvt_is_watched(void);

/* Tell whether an emulator of the processor answers for the kernel: it takes any
 * advice, and what is resident is not what it seems. The second counts the calling
 * test as skipped if so. */
bool kvt_is_emulated(void);
bool kvt_skip_if_emulated(void);

/* Tell whether allocations keep a distance, as they do under a memory checker;
 * if so, count the calling test as skipped. */
bool kvt_skip_if_apart(void);

/* Bytes resident, and page faults so far, of this process; 0 where the system does
 * not tell. */
size_t kvt_resident(void);
long kvt_faults(void);

/* Return n, or a part of it where a checker, an emulator or wine slows us down. */
size_t kvt_scaled(size_t n);

/* The same; and in a full run, "make check-lives", of full. */
size_t kvt_full(size_t n, size_t full);

/* Run fn(element) in n threads, one for each element of an array, and join
 * them. */
void kvt_threads(size_t n, void *(*fn)(void *), void *array, size_t size);

/* An arena of the default configuration that threads may share. */
kv_arena_t *kvt_create_safe(size_t block_size);

/* kv_arena_alloc of a size that the compiler cannot see. */
void *kvt_alloc(kv_arena_t *a, size_t size);

/* ---- Checks ------------------------------------------------------------ */

void kvt_count(uint64_t n);

#define kvt_true(x) do {						\
	kvt_count(1);							\
	if (!(x))							\
		ck_abort_msg("not so: %s", #x);				\
} while (0)

#define kvt_cmp(a, op, b) do {						\
	uint64_t kvt_a_ = (uint64_t)(a), kvt_b_ = (uint64_t)(b);		\
	kvt_count(1);							\
	if (!(kvt_a_ op kvt_b_))						\
		ck_abort_msg("not so: %s %s %s, with %" PRIu64 " and %" PRIu64, \
			#a, #op, #b, kvt_a_, kvt_b_);			\
} while (0)

#define kvt_eq(a, b) kvt_cmp(a, ==, b)

/* The call gives this value and sets errno to this. */
#define kvt_fails(call, value, error) do {				\
	errno = 0;							\
	kvt_true((call) == (value));					\
	if (errno != (error))						\
		ck_abort_msg("%s: errno is %d, not %s", #call, errno, #error); \
} while (0)

#define kvt_refused(call, error) kvt_fails(call, NULL, error)

/* The statistics of an arena at rest say where every byte is. */
#define kvt_balanced(a) do {						\
	char kvt_why_[256];						\
	kvt_count(2);							\
	if (!kvt_balances(a, kvt_why_))					\
		ck_abort_msg("%s", kvt_why_);				\
} while (0)

kv_arena_stats_t kvt_stats(const kv_arena_t *a);

/* Every piece of a book is as it was entered, and none overlaps another. */
#define kvt_intact(b) do {						\
	bool kvt_good_ = kvt_verify(b);					\
	kvt_count((b)->checks);						\
	(b)->checks = 0;						\
	if (!kvt_good_)							\
		ck_abort_msg("%s", (b)->fault);				\
} while (0)

#endif
