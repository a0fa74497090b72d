/* t-api-report.c -- what kv_arena_print_hotspots and kv_arena_write_report write
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvtest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <unistd.h>
#endif

static char text[1 << 20];		/* the latest report */

static void
read_back(FILE *f)
{
	size_t n;

	rewind(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	kvt_cmp(n, <, sizeof text - 1);
	fclose(f);
}

static const char *
report(const kv_arena_t *a, kv_arena_report_format_t format)
{
	FILE *f = tmpfile();

	kvt_true(f != NULL);
	kvt_eq(kv_arena_write_report(a, f, format), 0);
	read_back(f);
	return text;
}

static kv_arena_t *
create_loaded(const char *name)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a, *child;

	config.name = name;
	a = kv_arena_create_ex(&config);
	for (size_t i = 0; i < 10000; i++)
		kvt_true(kvt_alloc(a, i % 1000 + 1) != NULL);
	kvt_true(kvt_alloc(a, 5 << 20) != NULL);
	kvt_true(kv_arena_alloc_aligned(a, 100, 4096) != NULL);
	config.name = "child";
	child = kv_arena_create_child(a, &config);
	kvt_true(kv_arena_alloc(child, 100) != NULL);
	return a;
}

static void
check_lines(const char *s)
{
	size_t column = 0;

	kvt_cmp(strlen(s), >, 100);
	for (; *s != '\0'; s++) {
		column = *s == '\n' ? 0 : column + 1;
		if (column > 80)
			ck_abort_msg("a line over 80 columns: %.80s", s - 80);
		if (!isprint((unsigned char)*s) && *s != '\n' &&
			(unsigned char)*s < 0x80)
			ck_abort_msg("a control character %d", *s);
	}
	kvt_eq(column, 0);
	kvt_count(1);
}

/* ---- JSON ------------------------------------------------------------------- */

/* Each parser returns what follows the value, or NULL: this is not JSON. */
static const char *parse_value(const char *s);

static const char *
skip_space(const char *s)
{
	while (s != NULL && (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r'))
		s++;
	return s;
}

/* One UTF-8 character, or escape. */
static const char *
parse_char(const char *s)
{
	unsigned char c = (unsigned char)*s;
	int follow = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 :
		c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : -1;

	if (c < 0x20 || follow < 0)
		return NULL;
	if (c == '\\' && s[1] == 'u') {
		for (int i = 2; i < 6; i++)
			if (!isxdigit((unsigned char)s[i]))
				return NULL;
		return s + 6;
	}
	if (c == '\\')
		return strchr("\"\\/bfnrt", s[1]) && s[1] ? s + 2 : NULL;
	for (s++; follow > 0; follow--, s++)
		if (((unsigned char)*s & 0xc0) != 0x80)
			return NULL;
	return s;
}

static const char *
parse_string(const char *s)
{
	if (*s++ != '"')
		return NULL;
	while (s != NULL && *s != '"')
		s = parse_char(s);
	return s == NULL ? NULL : s + 1;
}

static const char *
parse_number(const char *s)
{
	char *end;

	if (*s != '-' && !isdigit((unsigned char)*s))
		return NULL;
	strtod(s, &end);
	return end;
}

static const char *
parse_members(const char *s, char closing)
{
	s = skip_space(s + 1);
	if (*s == closing)
		return s + 1;
	for (;;) {
		if (closing == '}') {
			s = skip_space(parse_string(s));
			if (s == NULL || *s++ != ':')
				return NULL;
		}
		s = skip_space(parse_value(s));
		if (s == NULL || (*s != ',' && *s != closing))
			return NULL;
		if (*s++ == closing)
			return s;
		s = skip_space(s);
	}
}

static const char *
parse_value(const char *s)
{
	s = skip_space(s);
	if (*s == '{')
		return parse_members(s, '}');
	if (*s == '[')
		return parse_members(s, ']');
	if (*s == '"')
		return parse_string(s);
	if (strncmp(s, "true", 4) == 0 || strncmp(s, "null", 4) == 0)
		return s + 4;
	if (strncmp(s, "false", 5) == 0)
		return s + 5;
	return parse_number(s);
}

static bool
is_json(const char *s)
{
	s = skip_space(parse_value(s));
	return s != NULL && *s == '\0';
}

/* ---- Prometheus ---------------------------------------------------------------- */

static const char *
parse_name(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_' && *s != ':')
		return NULL;
	while (isalnum((unsigned char)*s) || *s == '_' || *s == ':')
		s++;
	return s;
}

/* {name="value",...}, values with \\ \" and \n escaped. */
static const char *
parse_labels(const char *s)
{
	do {
		s = parse_name(s + 1);
		if (s == NULL || strncmp(s, "=\"", 2) != 0)
			return NULL;
		for (s += 2; *s != '"'; s++) {
			if (*s == '\0' || *s == '\n')
				return NULL;
			if (*s == '\\' && !strchr("\\\"n", *++s))
				return NULL;
		}
		s++;
	} while (*s == ',');
	return *s == '}' ? s + 1 : NULL;
}

static bool
is_prometheus_line(const char *s, const char *end)
{
	if (*s == '#')
		return strncmp(s, "# HELP ", 7) == 0 ||
			strncmp(s, "# TYPE ", 7) == 0;
	s = parse_name(s);
	if (s != NULL && *s == '{')
		s = parse_labels(s);
	if (s == NULL || *s != ' ')
		return false;
	return parse_number(s + 1) == end;
}

static void
check_prometheus(const char *s)
{
	size_t lines = 0;

	while (*s != '\0') {
		const char *end = strchr(s, '\n');

		if (end == NULL || !is_prometheus_line(s, end))
			ck_abort_msg("not a metric: %.100s", s);
		s = end + 1;
		lines++;
	}
	kvt_cmp(lines, >, 20);
}

/* Every metric has one TYPE line, before its values. */
static void
check_types(const char *s)
{
	char names[200][80];
	size_t n = 0;

	for (const char *p = s; (p = strstr(p, "# TYPE ")) != NULL; n++) {
		kvt_cmp(n, <, 200);
		kvt_eq(sscanf(p, "# TYPE %79s", names[n]), 1);
		for (size_t i = 0; i < n; i++)
			if (strcmp(names[i], names[n]) == 0)
				ck_abort_msg("%s has two types", names[n]);
		p++;
	}
	kvt_cmp(n, >, 5);
}

/* ---- The tests -------------------------------------------------------------------- */

static const char odd_name[] = "q\"b\\s\nn\tt\x01{}=\xff,";

START_TEST(text_report_fits_80_columns_and_names_the_arena)
{
	static const char *const parts[] = {
		"  used ", "  padding ", "  block tails ", "  abandoned ", "  free ",
		"  headers ",
	};
	kv_arena_t *a = create_loaded("reported");

	check_lines(report(a, KV_ARENA_REPORT_TEXT));
	kvt_true(strstr(text, "reported") != NULL);
	kvt_true(strstr(text, "child") != NULL);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		kvt_true(strstr(text, parts[i]) != NULL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(json_report_is_json)
{
	kv_arena_t *a = create_loaded("reported");
	kv_arena_stats_t s;
	char figure[40];

	kvt_true(is_json(report(a, KV_ARENA_REPORT_JSON)));
	kvt_true(strstr(text, "\"reported\"") != NULL);
	kvt_true(strstr(text, "child") != NULL);
	kvt_eq(kv_arena_get_stats(a, &s), 0);
	snprintf(figure, sizeof figure, "%" PRIu64, s.total_bytes_allocated);
	kvt_true(strstr(text, figure) != NULL);
	snprintf(figure, sizeof figure, "%" PRIu64, s.current_memory_usage);
	kvt_true(strstr(text, figure) != NULL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(json_checker_knows_json)
{
	kvt_true(is_json("{\"a\": [1, -2.5e3, \"x\\n\\u00e9\", null, {}]}"));
	kvt_true(!is_json("{\"a\": [1, 2,]}"));
	kvt_true(!is_json("{\"a\" 1}"));
	kvt_true(!is_json("{\"a\": \"\xff\"}"));
	kvt_true(!is_json("{\"a\": \"\n\"}"));
	kvt_true(!is_json("{} {}"));
	kvt_true(!is_json(""));
}
END_TEST

START_TEST(prometheus_report_is_prometheus)
{
	kv_arena_t *a = create_loaded("reported");

	check_prometheus(report(a, KV_ARENA_REPORT_PROMETHEUS));
	check_types(text);
	kvt_true(strstr(text, "reported") != NULL);
	kv_arena_destroy(a);
}
END_TEST

static const struct {
	const char *name;
	size_t at;			/* in kv_arena_stats_t */
	const char *type;
} figures[] = {
#define GAUGE(f) { #f, offsetof(kv_arena_stats_t, f), "gauge" }
#define COUNTER(f) { #f, offsetof(kv_arena_stats_t, f), "counter" }
	GAUGE(used_bytes), GAUGE(padding_bytes), GAUGE(tail_bytes),
	GAUGE(abandoned_bytes), GAUGE(free_bytes), GAUGE(header_bytes),
	GAUGE(current_memory_usage), GAUGE(peak_memory_usage),
	GAUGE(children_memory_usage), COUNTER(total_allocations),
	COUNTER(total_bytes_allocated), GAUGE(total_bytes_wasted),
	COUNTER(block_allocations), COUNTER(block_reuses),
	COUNTER(blocks_returned), GAUGE(blocks), COUNTER(large_allocations),
	COUNTER(failed_allocations), COUNTER(resets), GAUGE(shards),
	COUNTER(shard_handovers), COUNTER(lock_waits), COUNTER(numa_fallbacks),
};

/* The JSON has this array, with these n numbers and no other. */
static void
expect_array(const char *name, const uint64_t *values, size_t n)
{
	char start[64];
	const char *p;

	snprintf(start, sizeof start, "\"%s\": [", name);
	p = strstr(text, start);
	kvt_true(p != NULL);
	p += strlen(start);
	for (size_t i = 0; i < n; i++) {
		char *end;

		kvt_eq(strtoull(p, &end, 10), values[i]);
		p = end + strspn(end, ", \n");
	}
	kvt_eq(*p, ']');
}

START_TEST(every_figure_is_told_as_it_is)
{
	kv_arena_t *a = create_loaded("reported");
	kv_arena_stats_t s;

	kv_arena_reset(a);
	kvt_true(kvt_alloc(a, 300000) != NULL);
	kvt_true(kvt_alloc(a, SIZE_MAX) == NULL);
	s = kvt_stats(a);
	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
		uint64_t value;
		char line[200], *found;

		memcpy(&value, (char *)&s + figures[i].at, sizeof value);
		snprintf(line, sizeof line, "\"%s\": %" PRIu64 ",",
			figures[i].name, value);
		report(a, KV_ARENA_REPORT_JSON);
		if (strstr(text, line) == NULL)
			ck_abort_msg("the JSON lacks %s", line);
		report(a, KV_ARENA_REPORT_PROMETHEUS);
		snprintf(line, sizeof line, "# TYPE kvarena_%s%s %s\n",
			figures[i].name, figures[i].type[0] == 'c' ? "_total" : "",
			figures[i].type);
		found = strstr(text, line);
		if (found == NULL)
			ck_abort_msg("there is no %s", line);
		found = strstr(found, "} ");
		kvt_eq(strtoull(found + 2, NULL, 10), value);
	}
	report(a, KV_ARENA_REPORT_JSON);
	expect_array("size_distribution", s.size_distribution, 16);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(odd_names_do_no_harm)
{
	/* Also a name that is cut in the middle of a character. */
	static const char *const names[] = {
		odd_name, "", "0123456789012345678901234567890",
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		kv_arena_t *a = create_loaded(names[i]);

		check_lines(report(a, KV_ARENA_REPORT_TEXT));
		kvt_true(is_json(report(a, KV_ARENA_REPORT_JSON)));
		check_prometheus(report(a, KV_ARENA_REPORT_PROMETHEUS));
		kv_arena_destroy(a);
	}
}
END_TEST

START_TEST(null_reports_every_live_arena)
{
	kv_arena_t *a = create_loaded("first"), *b = create_loaded("second");
	kv_arena_t *gone = create_loaded("gone");

	kv_arena_destroy(gone);
	report(NULL, KV_ARENA_REPORT_TEXT);
	kvt_true(strstr(text, "first") && strstr(text, "second"));
	kvt_true(!strstr(text, "gone"));
	kvt_true(is_json(report(NULL, KV_ARENA_REPORT_JSON)));
	kvt_true(strstr(text, "first") && strstr(text, "second"));
	check_prometheus(report(NULL, KV_ARENA_REPORT_PROMETHEUS));
	check_types(text);
	kvt_true(strstr(text, "first") && strstr(text, "second"));
	kv_arena_destroy(b);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(empty_and_shared_arenas_have_reports_too)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	a = kv_arena_create_ex(&config);
	for (int i = 0; i < 2; i++) {
		check_lines(report(a, KV_ARENA_REPORT_TEXT));
		kvt_true(is_json(report(a, KV_ARENA_REPORT_JSON)));
		check_prometheus(report(a, KV_ARENA_REPORT_PROMETHEUS));
		kvt_true(kv_arena_alloc(a, 10) != NULL);
	}
	kv_arena_destroy(a);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_fails(kv_arena_write_report(a, NULL, KV_ARENA_REPORT_TEXT), -1,
		EINVAL);
	kvt_fails(kv_arena_write_report(a, stdout,
		(kv_arena_report_format_t)3), -1, EINVAL);
	kvt_fails(kv_arena_write_report(a, stdout,
		(kv_arena_report_format_t)-1), -1, EINVAL);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(full_disk_is_an_error)
{
	static const kv_arena_report_format_t formats[] = {
		KV_ARENA_REPORT_TEXT, KV_ARENA_REPORT_JSON,
		KV_ARENA_REPORT_PROMETHEUS
	};
	kv_arena_t *a = create_loaded("reported");

	for (int i = 0; i < 3; i++) {
		FILE *full = fopen("/dev/full", "w");

		if (full == NULL) {
			kvt_skip("there is no /dev/full");
			break;
		}
		kvt_fails(kv_arena_write_report(a, full, formats[i]), -1, EIO);
		fclose(full);
	}
	kv_arena_destroy(a);
}
END_TEST

#ifndef _WIN32
START_TEST(hotspots_fit_80_columns_and_show_the_sizes)
{
	kv_arena_t *a = create_loaded("reported");
	FILE *f = tmpfile();
	int saved;

	kvt_true(f != NULL);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(fileno(f), STDOUT_FILENO);
	kv_arena_print_hotspots(a);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	read_back(f);
	check_lines(text);
	kvt_true(strstr(text, "reported") != NULL);
	kvt_true(strstr(text, "1024") || strstr(text, "1 KiB") ||
		strstr(text, "1.0 KiB") || strstr(text, "1K"));
	kv_arena_destroy(a);
}
END_TEST
#else
START_TEST(hotspots_fit_80_columns_and_show_the_sizes)
{
	kvt_skip("standard output cannot be caught");
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("api-report");
	TCase *g = kvt_group(s, "report");

	tcase_add_test(g, text_report_fits_80_columns_and_names_the_arena);
	tcase_add_test(g, json_report_is_json);
	tcase_add_test(g, json_checker_knows_json);
	tcase_add_test(g, prometheus_report_is_prometheus);
	tcase_add_test(g, every_figure_is_told_as_it_is);
	tcase_add_test(g, odd_names_do_no_harm);
	tcase_add_test(g, null_reports_every_live_arena);
	tcase_add_test(g, empty_and_shared_arenas_have_reports_too);
	tcase_add_test(g, bad_arguments_are_refused);
	tcase_add_test(g, full_disk_is_an_error);
	tcase_add_test(g, hotspots_fit_80_columns_and_show_the_sizes);
	return kvt_run(s, 10000);
}
