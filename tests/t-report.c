/* t-report.c -- lib/report.c: the lines that only some arenas and machines have
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * That the formats are what they should be is seen in t-api-report.c.
 */
#include "kvinside.h"
#include "kvrefuse.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t length;

/* Write a report; the text stays until the next. */
static const char *
report(kv_arena_t *a, kv_arena_report_format_t format)
{
	FILE *out;
	int result;

	free(text);
	text = NULL;
	out = open_memstream(&text, &length);
	result = kva_report_write(a ? kva_arena_of(a) : NULL, out, format);
	fclose(out);
	kvt_eq(result, 0);
	return text;
}

static bool
says(kv_arena_t *a, kv_arena_report_format_t format, const char *words)
{
	return strstr(report(a, format), words) != NULL;
}

static kv_arena_t *
create(const char *name)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);

	config.name = name;
	return kvi_create(&config);
}

/* ---- Text ------------------------------------------------------------------------ */

START_TEST(bytes_are_told_in_fitting_units)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	static const struct {
		size_t bytes;
		const char *words;
	} told[] = {
		{ 0, "0 B" }, { 999, "999 B" }, { 1000, "1.0 KiB" },
		{ 1536, "1.5 KiB" }, { 1024000, "1.0 MiB" }, { 5 << 20, "5.0 MiB" },
	};

	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		kv_arena_t *a = kvi_create(&config);
		char words[40];

		if (told[i].bytes)
			kvt_true(kvt_alloc(a, told[i].bytes) != NULL);
		snprintf(words, sizeof words, "allocations of %s\n", told[i].words);
		kvt_true(says(a, KV_ARENA_REPORT_TEXT, words));
		kvi_destroy(a);
	}
}
END_TEST

START_TEST(numbers_beyond_all_units_are_told_in_the_largest)
{
	kv_arena_t *a = create("vast");

	kvi_load(a, 1000);
	kva_arena_of(a)->bytes.peak = (size_t)5000 << (sizeof(size_t) > 4 ? 50 : 10);
	kvt_true(says(a, KV_ARENA_REPORT_TEXT,
		sizeof(size_t) > 4 ? "peak 5000.0 PiB" : "peak 4.9 MiB"));
	kv_arena_reset_stats(a);
	kvi_destroy(a);
}
END_TEST

START_TEST(sizes_are_shown_from_the_least_to_the_largest)
{
	kv_arena_t *a = create("sizes");

	kvt_true(!says(a, KV_ARENA_REPORT_TEXT, "sizes, bytes"));
	for (size_t size = 1; size <= 40000; size = size * 2 + 1)
		kvt_true(kvt_alloc(a, size) != NULL);
	report(a, KV_ARENA_REPORT_TEXT);
	kvt_true(strstr(text, "  allocations\n  1     ") != NULL);
	kvt_true(strstr(text, "3..4") != NULL);
	kvt_true(strstr(text, "8193..16384") != NULL);
	kvt_true(strstr(text, "over 16384") != NULL);
	kvt_true(strstr(text, "##########") != NULL);	/* the most has a bar */
	kvi_destroy(a);
}
END_TEST

/* The sum of the percentages of n lines that follow a heading; each has a bar to
 * match it. */
static double
sum_after(const char *heading, int n)
{
	const char *line = strstr(text, heading);
	double percent, sum = 0;

	for (int i = 0; i < n; i++) {
		size_t bar;

		kvt_true(line != NULL);
		line = strchr(line, '\n') + 1;
		kvt_true(strchr(line, '%') != NULL);
		kvt_eq(sscanf(strchr(line, '%') - 6, "%lf", &percent), 1);
		bar = strspn(strchr(line, '%') + 3, "#");
		kvt_true(percent >= 0 && percent <= 100);
		kvt_true((double)bar >= percent * .34 - 1 &&
			(double)bar <= percent * .34 + 1);
		sum += percent;
	}
	return sum;
}

START_TEST(percentages_are_of_the_whole)
{
	kv_arena_t *a = create("percent");
	double sum;

	for (int i = 0; i < 3000; i++)
		kvt_true(kvt_alloc(a, i % 3 ? 10 : 100) != NULL);
	report(a, KV_ARENA_REPORT_TEXT);
	sum = sum_after("where the bytes are\n", 6);
	kvt_true(sum > 99 && sum < 101);
	sum = sum_after("sizes, bytes  ", 2);
	kvt_true(sum > 99 && sum < 101);
	kvi_destroy(a);
}
END_TEST

START_TEST(shared_arenas_have_a_line_for_their_shards)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	kv_arena_t *a = kvi_create(&config);

	kvi_load(a, 1000);
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "arena ? (shared)"));
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "shards: 1, 0 handed over"));
	kvt_true(says(a, KV_ARENA_REPORT_JSON, "\"shared\": true"));
	kvi_destroy(a);
}
END_TEST

START_TEST(machines_with_nodes_have_a_line_for_pages)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a;

	config.enable_numa = true;
	config.preferred_numa_node = 1;
	a = kvi_create(&config);
	kvi_load(a, 100000);
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, " pages in place, 0 elsewhere, "));
	kvt_true(says(a, KV_ARENA_REPORT_JSON, "\"nodes\": 4, \"wanted_node\": 1, "));
	kvo_refuse_nodes(EPERM);
	kvt_true(!says(a, KV_ARENA_REPORT_TEXT, "pages in place"));
	kvt_true(!says(a, KV_ARENA_REPORT_JSON, "pages_wanted"));
	kvt_alloc(a, 3 * MIB);		/* which is refused its place */
	kvo_refuse_nodes(0);
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "numa: placing memory is not permitted\n"));
	kvt_true(says(a, KV_ARENA_REPORT_JSON, "\"permitted\": false, \"fallbacks\": 1"));
	kvi_destroy(a);
}
END_TEST

static int
one_node(void)
{
	return 1;
}

static int
two_nodes(void)
{
	return 2;
}

static int
know_no_places(void *const *pages, int *node, size_t n)
{
	(void)pages, (void)node, (void)n;
	errno = ENOSYS;
	return -1;
}

START_TEST(two_nodes_are_enough_for_such_a_line)
{
	kv_arena_t *a = create("two");

	kvi_load(a, 100000);
	kva_os.nodes = one_node;
	kvt_true(!says(a, KV_ARENA_REPORT_TEXT, "numa:"));
	kva_os.nodes = two_nodes;
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, " pages in place, "));
	kvt_true(strstr(text, "\n      node 0: ") && strstr(text, ", node 1: "));
	report(a, KV_ARENA_REPORT_PROMETHEUS);
	kvt_true(strstr(text, "state=\"wanted\"") && strstr(text, "state=\"elsewhere\"") &&
		strstr(text, "state=\"untouched\""));
	kva_os.where = know_no_places;
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "numa: the system does not tell"));
	kvi_destroy(a);
}
END_TEST

START_TEST(each_figure_has_its_type)
{
	static const char *const gauges[] = {
		"used_bytes", "padding_bytes", "tail_bytes", "abandoned_bytes",
		"free_bytes", "header_bytes", "current_memory_usage",
		"peak_memory_usage", "children_memory_usage", "total_bytes_wasted",
		"blocks", "shards", "numa_pages", "numa_node_pages", "numa_refusal",
		"numa_permitted", "cache_cached_bytes", "cache_held_bytes",
		"cache_max_bytes",
	}, *const counters[] = {
		"total_allocations", "total_bytes_allocated", "block_allocations",
		"block_reuses", "blocks_returned", "large_allocations",
		"failed_allocations", "resets", "shard_handovers", "lock_waits",
		"numa_fallbacks", "cache_takes", "cache_hits", "cache_returned_bytes",
	};
	kv_arena_t *a = create("types");
	size_t ngauges = sizeof gauges / sizeof *gauges, types = 0;
	size_t n = ngauges + sizeof counters / sizeof *counters;
	char words[100];

	report(a, KV_ARENA_REPORT_PROMETHEUS);
	for (size_t i = 0; i < n; i++) {
		if (i < ngauges)
			snprintf(words, sizeof words, "\n# TYPE kvarena_%s gauge\nkvarena_%s",
				gauges[i], gauges[i]);
		else
			snprintf(words, sizeof words, "\n# TYPE kvarena_%s_total counter\n"
				"kvarena_%s_total", counters[i - ngauges],
				counters[i - ngauges]);
		kvt_true(strstr(text, words) != NULL);
	}
	for (const char *at = text; (at = strstr(at, "# TYPE ")) != NULL; at++)
		types++;
	kvt_eq(types, n);
	kvi_destroy(a);
}
END_TEST

START_TEST(no_arena_and_a_single_one_are_not_listed)
{
	kv_arena_t *a;

	if (!kvr_has_own_process())
		return;
	kvt_true(says(NULL, KV_ARENA_REPORT_JSON, "\n \"arenas\": [\n]}\n"));
	kvt_true(strncmp(report(NULL, KV_ARENA_REPORT_TEXT), "\ncache: ", 8) == 0);
	a = create("single");
	kvt_true(strncmp(report(NULL, KV_ARENA_REPORT_TEXT), "arena single\n", 13) == 0);
	kvi_destroy(a);
}
END_TEST

/* ---- Names ------------------------------------------------------------------------- */

START_TEST(names_are_escaped_as_each_format_wants)
{
	kv_arena_t *a = create("a\"b\\c\x1b\x7f\xc3\xa9");

	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "arena a\"b\\c??\xc3\xa9"));
	kvt_true(says(a, KV_ARENA_REPORT_JSON, "\"a\\\"b\\\\c??\xc3\xa9\""));
	kvt_true(says(a, KV_ARENA_REPORT_PROMETHEUS,
		"{arena=\"a\\\"b\\\\c??\xc3\xa9\","));
	kvi_destroy(a);
}
END_TEST

/* As far as the first two bytes tell; terminals bear what is left. */
START_TEST(what_is_no_utf_8_is_replaced_byte_by_byte)
{
	static const char *const names[][2] = {
		{ "\xc2\x80", "\xc2\x80" }, { "\xdf\xbf", "\xdf\xbf" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x8c\xb1", "\xf0\x9f\x8c\xb1" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" }, { "a\x80z", "a?z" },
		{ "a\xbfz", "a?z" }, { "\xc1\x81z", "??z" },
		{ "\xf5\x80\x80\x80z", "????z" }, { "\xffz", "?z" },
		{ "\xe0\xa4\x85", "\xe0\xa4\x85" }, { "\xe0\xa4z", "??z" },
		{ "\xc3z", "?z" }, { "\xe2\x82z", "??z" }, { "\xe2z\xac", "?z?" },
		{ "\xf0\x9f\x8cz", "???z" }, { "z\xe2\x82", "z??" },
		{ "\x1fz", "?z" }, { " z~", " z~" },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		kv_arena_t *a = create(names[i][0]);
		char words[40];

		snprintf(words, sizeof words, "arena %s\n", names[i][1]);
		kvt_true(says(a, KV_ARENA_REPORT_TEXT, words));
		kvi_destroy(a);
	}
}
END_TEST

START_TEST(descendants_follow_their_ancestors)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = create("root");

	config.name = "leaf";
	for (int i = 0; i < 3; i++)
		kvt_true(kv_arena_create_child(a, &config) != NULL);
	report(a, KV_ARENA_REPORT_TEXT);
	for (int i = 0; i < 3; i++) {
		char *at = strstr(text, "\n\narena root/leaf\n");

		kvt_true(at != NULL);
		*at = '#';
	}
	kvt_true(says(NULL, KV_ARENA_REPORT_JSON, "\"path\": \"root/leaf\""));
	kvi_destroy(a);
}
END_TEST

START_TEST(the_longest_name_is_listed_whole)
{
	kv_arena_t *a = create("one"), *b = create("a_name_of_31_bytes_is_none_longer");

	kvt_eq(strlen(kva_arena_name(kva_arena_of(b))), 31);
	kvt_true(says(NULL, KV_ARENA_REPORT_TEXT, "  a_name_of_31_bytes_is_none_long  "));
	kvi_destroy(b);
	kvi_destroy(a);
}
END_TEST

START_TEST(several_arenas_are_listed_before_they_are_told_of)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *root = create("root"), *a = root;

	kvt_true(strncmp(report(root, KV_ARENA_REPORT_TEXT), "arena root\n", 11) == 0);
	config.name = "leaf";
	for (int i = 0; i < 20; i++)
		a = kv_arena_create_child(a, &config);
	report(NULL, KV_ARENA_REPORT_TEXT);
	kvt_true(strncmp(text, "  arena  ", 9) == 0);
	kvt_true(strstr(text, "\n  root  ") && strstr(text, "\n    leaf  "));
	kvt_true(strstr(text, "\n                  leaf  "));		/* the 8th */
	kvt_true(strstr(text, "\n                    leaf  "));
	for (char *line = text; *line; line += strcspn(line, "\n") + 1)
		kvt_cmp(strcspn(line, "\n"), <=, 80);
	kvi_destroy(root);
}
END_TEST

START_TEST(blocks_and_alignments_are_told_of_each_arena)
{
	kv_arena_t *a = create("full");

	kvt_true(kvt_alloc(a, 8) != NULL);
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "\nblocks: 1 held, "));
	kvt_true(says(a, KV_ARENA_REPORT_JSON,
		"\"alignment_requests\": [0, 0, 0, 0, 0, 0, 0, 0]"));
	kvi_destroy(a);
}
END_TEST

/* As the process publishes it. */
START_TEST(the_cache_of_the_process_is_published)
{
	kv_arena_cache_stats_t s;
	char words[80];
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &length);
	kvt_eq(kv_arena_cache_get_stats(NULL, &s), 0);
	kvt_eq(kva_report_publish(out), 0);
	fclose(out);
	snprintf(words, sizeof words, "\"cache\": {\"takes\": %" PRIu64 ",", s.takes);
	kvt_true(strstr(text, words) != NULL);
}
END_TEST

START_TEST(the_parts_together_are_what_is_held)
{
	kv_arena_t *a = create("sum");

	kvi_load(a, 100000);
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, "100.0 %  of what is held\n"));
	kva_arena_of(a)->bytes.headers *= 100;
	kvt_true(!says(a, KV_ARENA_REPORT_TEXT, "100.0 %  of what is held\n"));
	kva_arena_of(a)->bytes.headers /= 100;
	kvi_destroy(a);
}
END_TEST

START_TEST(the_cache_is_the_one_that_the_arena_uses)
{
	kv_arena_t *a = create("cached");
	kv_arena_cache_stats_t s;
	char words[80];

	kvi_load(a, 100000);
	kvt_eq(kv_arena_cache_get_stats(kva_arena_of(a)->cache, &s), 0);
	snprintf(words, sizeof words, "\n       %" PRIu64 " blocks taken, %" PRIu64,
		s.takes, s.hits);
	kvt_cmp(s.takes, >, 0);
	kvt_true(says(a, KV_ARENA_REPORT_TEXT, words));
	snprintf(words, sizeof words, "\"cache\": {\"takes\": %" PRIu64 ",", s.takes);
	kvt_true(says(a, KV_ARENA_REPORT_JSON, words));
	snprintf(words, sizeof words, "\nkvarena_cache_takes_total %" PRIu64 "\n", s.takes);
	kvt_true(says(a, KV_ARENA_REPORT_PROMETHEUS, words));
	kvi_destroy(a);
}
END_TEST

START_TEST(a_full_disk_is_said)
{
	kv_arena_t *a = create("full");
	FILE *full = fopen("/dev/full", "w");

	if (!full) {
		kvt_skip("there is no /dev/full");
	} else {
		if (_i)		/* then each write fails, and not the last flush */
			setvbuf(full, NULL, _IONBF, 0);
		for (int format = 0; format < 3; format++)
			kvt_fails(kva_report_write(kva_arena_of(a), full,
				(kv_arena_report_format_t)format), -1, EIO);
		fclose(full);
	}
	kvi_destroy(a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("report");
	TCase *g = kvi_group(s, "text");

	tcase_add_test(g, bytes_are_told_in_fitting_units);
	tcase_add_test(g, numbers_beyond_all_units_are_told_in_the_largest);
	tcase_add_test(g, sizes_are_shown_from_the_least_to_the_largest);
	tcase_add_test(g, the_longest_name_is_listed_whole);
	tcase_add_test(g, several_arenas_are_listed_before_they_are_told_of);
	tcase_add_test(g, blocks_and_alignments_are_told_of_each_arena);
	tcase_add_test(g, the_cache_of_the_process_is_published);
	tcase_add_test(g, the_parts_together_are_what_is_held);
	tcase_add_test(g, the_cache_is_the_one_that_the_arena_uses);
	tcase_add_test(g, percentages_are_of_the_whole);
	tcase_add_test(g, shared_arenas_have_a_line_for_their_shards);
	tcase_add_test(g, machines_with_nodes_have_a_line_for_pages);
	tcase_add_test(g, two_nodes_are_enough_for_such_a_line);
	tcase_add_test(g, each_figure_has_its_type);
	tcase_add_test(g, no_arena_and_a_single_one_are_not_listed);

	g = kvi_group(s, "names");
	tcase_add_test(g, names_are_escaped_as_each_format_wants);
	tcase_add_test(g, what_is_no_utf_8_is_replaced_byte_by_byte);
	tcase_add_test(g, descendants_follow_their_ancestors);
	tcase_add_loop_test(g, a_full_disk_is_said, 0, 2);
	return kvt_run(s, 80);
}
