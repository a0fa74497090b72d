/* check.h -- a small stand-in for Check, with the part of its API that we use
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * For hosts that have no Check (cross builds, Windows) and for MemorySanitizer,
 * which needs every line of a program built by itself: configure with
 * --enable-mini-check. Where fork exists each test runs in a child, as Check
 * does, unless CK_FORK=no. A failed check leaves its test by longjmp.
 */
#ifndef KV_MINICHECK_H
#define KV_MINICHECK_H

#include <stdint.h>
#include <string.h>

typedef struct Suite Suite;
typedef struct TCase TCase;
typedef struct SRunner SRunner;

typedef void (*SFun)(void);
typedef struct TTest {
	const char *name;
	void (*fn)(int);
} TTest;

enum print_output { CK_SILENT, CK_MINIMAL, CK_NORMAL, CK_VERBOSE, CK_ENV };
enum fork_status { CK_FORK_GETENV, CK_FORK, CK_NOFORK };

Suite *suite_create(const char *name);
void suite_add_tcase(Suite *s, TCase *group);

TCase *tcase_create(const char *name);
void tcase_set_timeout(TCase *group, double seconds);
void tcase_add_checked_fixture(TCase *group, SFun setup, SFun teardown);
void tcase_add_unchecked_fixture(TCase *group, SFun setup, SFun teardown);

/* What a test is expected to end with, and its loop. */
void kv_minicheck_add(TCase *group, const TTest *test, int signal_wanted,
	int exit_wanted, int start, int end);

#define tcase_add_test(group, test) kv_minicheck_add(group, test, 0, 0, 0, 1)
#define tcase_add_loop_test(group, test, start, end) \
	kv_minicheck_add(group, test, 0, 0, start, end)
#define tcase_add_test_raise_signal(group, test, signal) \
	kv_minicheck_add(group, test, signal, 0, 0, 1)
#define tcase_add_exit_test(group, test, status) \
	kv_minicheck_add(group, test, 0, status, 0, 1)

SRunner *srunner_create(Suite *s);
void srunner_add_suite(SRunner *runner, Suite *s);
void srunner_set_fork_status(SRunner *runner, enum fork_status status);
enum fork_status srunner_fork_status(SRunner *runner);
void srunner_run_all(SRunner *runner, enum print_output verbosity);
int srunner_ntests_failed(SRunner *runner);
int srunner_ntests_run(SRunner *runner);
void srunner_free(SRunner *runner);

#define START_TEST(name) \
static void name##_fn(int _i); \
static const TTest name##_ttest = { #name, name##_fn }; \
static const TTest *const name = &name##_ttest; \
static void name##_fn(int _i) \
{ \
	(void)_i;
#define END_TEST }

#if defined(__MINGW32__) && !defined(__clang__)
#define KV_MINICHECK_FORMAT(a, b) \
	__attribute__((noreturn, format(gnu_printf, a, b)))
#elif defined(__GNUC__)
#define KV_MINICHECK_FORMAT(a, b) __attribute__((noreturn, format(printf, a, b)))
#else
#define KV_MINICHECK_FORMAT(a, b)
#endif

void kv_minicheck_fail(const char *file, int line, const char *format, ...)
	KV_MINICHECK_FORMAT(3, 4);
void kv_minicheck_mark(const char *file, int line);

#define mark_point() kv_minicheck_mark(__FILE__, __LINE__)
#define ck_abort() kv_minicheck_fail(__FILE__, __LINE__, "Failed")
#define ck_abort_msg(...) kv_minicheck_fail(__FILE__, __LINE__, __VA_ARGS__)

#define ck_assert_msg(x, ...) do { \
	mark_point(); \
	if (!(x)) \
		kv_minicheck_fail(__FILE__, __LINE__, __VA_ARGS__); \
} while (0)
#define ck_assert(x) ck_assert_msg(x, "Assertion '%s' failed", #x)

#define kv_minicheck_cmp(type, format, a, op, b) do { \
	type ck_a_ = (type)(a), ck_b_ = (type)(b); \
	ck_assert_msg(ck_a_ op ck_b_, "Assertion '%s' failed: " format \
		" and " format, #a " " #op " " #b, ck_a_, ck_b_); \
} while (0)

#define ck_assert_int_eq(a, b) kv_minicheck_cmp(long long, "%lld", a, ==, b)
#define ck_assert_int_ne(a, b) kv_minicheck_cmp(long long, "%lld", a, !=, b)
#define ck_assert_int_lt(a, b) kv_minicheck_cmp(long long, "%lld", a, <, b)
#define ck_assert_int_le(a, b) kv_minicheck_cmp(long long, "%lld", a, <=, b)
#define ck_assert_int_gt(a, b) kv_minicheck_cmp(long long, "%lld", a, >, b)
#define ck_assert_int_ge(a, b) kv_minicheck_cmp(long long, "%lld", a, >=, b)

#define kv_minicheck_u(a, op, b) \
	kv_minicheck_cmp(unsigned long long, "%llu", a, op, b)
#define ck_assert_uint_eq(a, b) kv_minicheck_u(a, ==, b)
#define ck_assert_uint_ne(a, b) kv_minicheck_u(a, !=, b)
#define ck_assert_uint_lt(a, b) kv_minicheck_u(a, <, b)
#define ck_assert_uint_le(a, b) kv_minicheck_u(a, <=, b)
#define ck_assert_uint_gt(a, b) kv_minicheck_u(a, >, b)
#define ck_assert_uint_ge(a, b) kv_minicheck_u(a, >=, b)

#define ck_assert_ptr_eq(a, b) kv_minicheck_cmp(const void *, "%p", a, ==, b)
#define ck_assert_ptr_ne(a, b) kv_minicheck_cmp(const void *, "%p", a, !=, b)
#define ck_assert_ptr_null(a) ck_assert_ptr_eq(a, NULL)
#define ck_assert_ptr_nonnull(a) ck_assert_ptr_ne(a, NULL)

#define kv_minicheck_str(a, op, b) do { \
	const char *ck_a_ = (a), *ck_b_ = (b); \
	ck_assert_msg(ck_a_ != NULL && ck_b_ != NULL && \
		strcmp(ck_a_, ck_b_) op 0, "Assertion '%s' failed: " \
		"\"%s\" and \"%s\"", #a " " #op " " #b, \
		ck_a_ ? ck_a_ : "(null)", ck_b_ ? ck_b_ : "(null)"); \
} while (0)
#define ck_assert_str_eq(a, b) kv_minicheck_str(a, ==, b)
#define ck_assert_str_ne(a, b) kv_minicheck_str(a, !=, b)

#define ck_assert_mem_eq(a, b, n) \
	ck_assert_msg(memcmp(a, b, n) == 0, "%s and %s differ", #a, #b)
#define ck_assert_mem_ne(a, b, n) \
	ck_assert_msg(memcmp(a, b, n) != 0, "%s and %s are the same", #a, #b)

#define kv_minicheck_f(a, op, b) kv_minicheck_cmp(double, "%g", a, op, b)
#define ck_assert_double_eq(a, b) kv_minicheck_f(a, ==, b)
#define ck_assert_double_lt(a, b) kv_minicheck_f(a, <, b)
#define ck_assert_double_le(a, b) kv_minicheck_f(a, <=, b)
#define ck_assert_double_gt(a, b) kv_minicheck_f(a, >, b)
#define ck_assert_double_ge(a, b) kv_minicheck_f(a, >=, b)

#endif
