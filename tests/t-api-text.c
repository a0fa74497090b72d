/* t-api-text.c -- copies of bytes and strings, formatted text
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#ifndef _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif

static void
kvt_str(const char *have, const char *want)
{
	kvt_count(1);
	if (have == NULL || strcmp(have, want) != 0)
		ck_abort_msg("\"%s\", not \"%s\"", have ? have : "(null)", want);
}

/* ---- Copies -------------------------------------------------------------- */

START_TEST(memdup_copies_every_byte)
{
	kv_arena_t *a = kv_arena_create(0);
	char bytes[3000];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 31);
	for (size_t n = 1; n <= sizeof bytes; n += 7) {
		char *copy = kv_arena_memdup(a, bytes, n);

		kvt_true(copy != NULL && copy != bytes);
		kvt_true(memcmp(copy, bytes, n) == 0);
	}
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(memdup_refuses_null_and_nothing)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_refused(kv_arena_memdup(a, NULL, 8), EINVAL);
	kvt_refused(kv_arena_memdup(a, "x", 0), EINVAL);
	kvt_refused(kv_arena_memdup(a, NULL, 0), EINVAL);
	kvt_eq(kv_arena_total_allocated(a), 0);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(memdup_of_an_impossible_size_reads_nothing)
{
	kv_arena_t *a = kv_arena_create(0);
	volatile size_t n = SIZE_MAX;

	kvt_refused(kv_arena_memdup(a, "x", n), ENOMEM);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(strdup_copies_strings)
{
	kv_arena_t *a = kv_arena_create(0);
	char text[300];

	for (size_t n = 0; n < sizeof text; n++) {
		memset(text, 'a' + (int)(n % 26), n);
		text[n] = '\0';
		kvt_str(kv_arena_strdup(a, text), text);
	}
	kvt_str(kv_arena_strdup(a, ""), "");
	kvt_refused(kv_arena_strdup(a, NULL), EINVAL);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(strndup_copies_at_most_n_and_terminates)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_str(kv_arena_strndup(a, "abcdef", 3), "abc");
	kvt_str(kv_arena_strndup(a, "abcdef", 6), "abcdef");
	kvt_str(kv_arena_strndup(a, "abcdef", 7), "abcdef");
	kvt_str(kv_arena_strndup(a, "abcdef", SIZE_MAX), "abcdef");
	kvt_str(kv_arena_strndup(a, "abcdef", 0), "");
	kvt_refused(kv_arena_strndup(a, NULL, 3), EINVAL);
	kvt_refused(kv_arena_strndup(a, NULL, 0), EINVAL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(strings_are_packed_tightly)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_str(kv_arena_strdup(a, "ab"), "ab");
	kvt_str(kv_arena_strdup(a, "cde"), "cde");
	kvt_str(kv_arena_strndup(a, "fgh", 1), "f");
	kvt_true(kv_arena_memdup(a, "ij", 2) != NULL);
	kvt_str(kv_arena_printf(a, "%d", 42), "42");
	if (!kvt_skip_if_apart())
		kvt_eq(kv_arena_total_allocated(a), 3 + 4 + 2 + 2 + 3);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(packed_strings_reach_99_8_percent)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	uint64_t asked = 0;
	kv_arena_t *a;

	if (kvt_skip_if_apart())
		return;
	config.enable_detailed_stats = false;
	a = kv_arena_create_ex(&config);
	for (int i = 0; i < 5000000; i++) {
		char text[] = "key-0000000";

		text[4 + i % 7] = (char)('0' + i % 10);
		asked += sizeof text;
		if (kv_arena_strdup(a, text) == NULL)
			ck_abort_msg("no memory");
	}
	printf("packed strings: %.2f %%\n", 100.0 * (double)asked /
		(double)kv_arena_memory_usage(a));
	kvt_cmp(asked * 1000, >=, (uint64_t)kv_arena_memory_usage(a) * 998);
	kv_arena_destroy(a);
}
END_TEST

#ifdef _WIN32
START_TEST(strings_are_never_read_past_their_end)
{
	kvt_skip("no mmap");
}
END_TEST
#else
START_TEST(strings_are_never_read_past_their_end)
{
	/* The text ends where the readable page does. */
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	kv_arena_t *a = kv_arena_create(0);
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	kvt_true(pages != MAP_FAILED);
	kvt_eq(mprotect(pages + page, page, PROT_NONE), 0);
	memset(pages, 'x', page);
	for (size_t n = 1; n < 70; n++) {
		char *copy = kv_arena_strndup(a, pages + page - n, n);

		kvt_true(copy != NULL && strlen(copy) == n);
		kvt_true(kv_arena_memdup(a, pages + page - n, n) != NULL);
		copy = kv_arena_printf(a, "%.*s", (int)n, pages + page - n);
		kvt_true(copy != NULL && strlen(copy) == n);
	}
	pages[page - 1] = '\0';
	for (size_t n = 1; n < 70; n++)
		kvt_eq(strlen(kv_arena_strdup(a, pages + page - n)), n - 1);
	munmap(pages, 2 * page);
	kv_arena_destroy(a);
}
END_TEST
#endif

/* ---- Formatted text --------------------------------------------------------- */

static char *
by_vprintf(kv_arena_t *a, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = kv_arena_vprintf(a, format, args);
	va_end(args);
	return text;
}

START_TEST(printf_formats_as_the_c_library_does)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_str(kv_arena_printf(a, "%s %d %5.2f %c%%", "abc", -7, 3.14159, 'x'),
		"abc -7  3.14 x%");
	kvt_str(kv_arena_printf(a, "%s", ""), "");
	kvt_str(by_vprintf(a, "%zu|%8s|%-8s|", (size_t)42, "r", "l"),
		"42|       r|l       |");
	kv_arena_destroy(a);
}
END_TEST

START_TEST(text_of_every_length_fits)
{
	kv_arena_t *a = kv_arena_create(1024);

	for (int n = 0; n < 3000; n++) {
		char *text = kv_arena_printf(a, "%*s", n, "");

		kvt_true(text != NULL && strlen(text) == (size_t)n);
	}
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(text_of_a_megabyte_fits)
{
#ifdef _WIN32
	kvt_skip("vsnprintf of mingw-w64 takes the width from the stack");
#else
	kv_arena_t *a = kv_arena_create(1024);
	char *text = kv_arena_printf(a, "%*d", 3 << 20, 7);

	kvt_true(text != NULL && strlen(text) == 3 << 20);
	kvt_true(text[(3 << 20) - 1] == '7');
	kvt_balanced(a);
	kv_arena_destroy(a);
#endif
}
END_TEST

START_TEST(text_is_only_as_large_as_it_is)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_str(kv_arena_printf(a, "%d-%d", 12, 34), "12-34");
	kvt_eq(kvt_stats(a).used_bytes, 6);
	kvt_eq(kvt_stats(a).total_allocations, 1);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(bad_format_is_refused)
{
	kv_arena_t *a = kv_arena_create(0);
	const char *none = NULL;

	kvt_refused(by_vprintf(a, none), EINVAL);
	kvt_eq(kv_arena_total_allocated(a), 0);
#ifndef _WIN32	/* In the C locale no character above 127 can be converted. */
	kvt_refused(by_vprintf(a, "%ls", L"\x3a9"), EINVAL);
#endif
	kvt_eq(kv_arena_total_allocated(a), 0);
	kvt_true(kv_arena_alloc(a, 8) != NULL);
	kvt_balanced(a);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(text_over_int_max_overflows)
{
#ifdef _WIN32
	kvt_skip("vsnprintf of mingw-w64 takes the width from the stack");
#else
	kv_arena_t *a = kv_arena_create(0);

	kvt_refused(by_vprintf(a, "%99999999999d", 1), EOVERFLOW);
	kvt_eq(kv_arena_total_allocated(a), 0);
	kvt_balanced(a);
	kv_arena_destroy(a);
#endif
}
END_TEST

START_TEST(failed_text_changes_nothing)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	kv_arena_t *a = kv_arena_create_ex(&config);
	size_t used;

	kvt_true(kv_arena_alloc(a, 100) != NULL);
	used = kv_arena_total_allocated(a);
	source.budget = 0;
	kvt_refused(kv_arena_printf(a, "%*d", 1 << 20, 7), ENOMEM);
	kvt_eq(kv_arena_total_allocated(a), used);
	kvt_balanced(a);
	kvt_str(kv_arena_printf(a, "%d", 7), "7");
	kv_arena_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-text");
	TCase *g = kvt_group(s, "copies");

	tcase_add_test(g, memdup_copies_every_byte);
	tcase_add_test(g, memdup_refuses_null_and_nothing);
	tcase_add_test(g, memdup_of_an_impossible_size_reads_nothing);
	tcase_add_test(g, strdup_copies_strings);
	tcase_add_test(g, strndup_copies_at_most_n_and_terminates);
	tcase_add_test(g, strings_are_packed_tightly);
	tcase_add_test(g, packed_strings_reach_99_8_percent);
	tcase_add_test(g, strings_are_never_read_past_their_end);

	g = kvt_group(s, "formatted");
	tcase_add_test(g, printf_formats_as_the_c_library_does);
	tcase_add_test(g, text_of_every_length_fits);
	tcase_add_test(g, text_of_a_megabyte_fits);
	tcase_add_test(g, text_is_only_as_large_as_it_is);
	tcase_add_test(g, bad_format_is_refused);
	tcase_add_test(g, text_over_int_max_overflows);
	tcase_add_test(g, failed_text_changes_nothing);
	return kvt_run(s, 4000);
}
