/* tune.c -- the best block size, growth and cache for a trace
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One thing at a time: block sizes first, then growth with the best of them,
 * then the cache. Of the settings that are about as fast as the fastest the one
 * with the lowest peak is best: time that cannot be told from noise should not
 * cost memory. Where that decides nothing either, the default wins.
 */
#include "config.h"

#include "bench.h"
#include "options.h"
#include "tool.h"
#include "which.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ABOUT_AS_FAST 1.05
#define LESS_MEMORY 0.97

static const size_t block_sizes[] = { 65536, 4096, 16384, 262144, 1048576,
	2097152 };
#define NBLOCKS (sizeof(block_sizes) / sizeof(*block_sizes))

/* The default stands first. */
static size_t
best_of(const struct kvt_way *ways, size_t n)
{
	size_t i, fastest = 0, best = n;

	for (i = 1; i < n; i++)
		if (ways[i].median.ns < ways[fastest].median.ns)
			fastest = i;
	for (i = 0; i < n; i++)
		if ((double)ways[i].median.ns <=
			(double)ways[fastest].median.ns * ABOUT_AS_FAST &&
			(best == n || (double)ways[i].median.peak <
			(double)ways[best].median.peak * LESS_MEMORY))
			best = i;
	return best;
}

static void
name_way(struct kvt_way *w)
{
	const struct kvt_setting *s = &w->setting;

	if (!w->script->narenas)
		snprintf(w->label, sizeof(w->label), "malloc");
	else
		snprintf(w->label, sizeof(w->label), "%s%s%s%s",
			kvt_size_text(s->block_size),
			s->max_block_size ? " to " : "", s->max_block_size
			? kvt_size_text(s->max_block_size) : "",
			s->cache ? "" : ", no cache");
}

/* Run n ways after malloc, print them, and return the best setting. */
static struct kvt_setting
try_ways(const struct kvt_bench *bench, struct kvt_way *ways, size_t n,
	const char *what, uint64_t live)
{
	size_t i, best;

	for (i = 0; i <= n; i++)
		name_way(&ways[i]);
	kvt_bench_run(bench, ways, n + 1, what);
	printf("\n%s:\n", what);
	kvt_bench_print_head();
	for (i = 0; i <= n; i++)
		kvt_bench_print(&ways[i], &ways[0], live);
	best = 1 + best_of(ways + 1, n);
	printf("best: %s\n", ways[best].label);
	return ways[best].setting;
}

static void
clear(struct kvt_way *ways, size_t n, const struct kvt_script *heap,
	const struct kvt_script *arenas, struct kvt_setting setting)
{
	size_t i;

	memset(ways, 0, (n + 1) * sizeof(*ways));
	ways[0].script = heap;
	for (i = 1; i <= n; i++) {
		ways[i].script = arenas;
		ways[i].setting = setting;
	}
}

static void
print_best(const struct kvt_setting *s)
{
	printf("\nIn the program:\n\n"
		"\tkv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;\n\n"
		"\tconfig.block_size = %zu;\n"
		"\tconfig.max_block_size = %zu;%s\n"
		"\tconfig.enable_block_cache = %s;\n", s->block_size,
		s->max_block_size, s->max_block_size ? "" : "\t/* the default */",
		s->cache ? "true" : "false");
}

static void
tune(const struct kvt_bench *bench, const struct kvt_script *heap,
	const struct kvt_script *arenas, uint64_t live)
{
	struct kvt_way ways[NBLOCKS + 1];
	struct kvt_setting best = { 65536, 0, false, true };
	size_t i, n = 0;

	clear(ways, NBLOCKS, heap, arenas, best);
	for (i = 0; i < NBLOCKS; i++)
		ways[1 + i].setting.block_size = block_sizes[i];
	best = try_ways(bench, ways, NBLOCKS, "block_size", live);

	/* The default, which is 2 MiB; no growth; and up to 16 MiB. */
	clear(ways, 3, heap, arenas, best);
	ways[++n].setting.max_block_size = 0;
	ways[++n].setting.max_block_size = best.block_size;
	ways[++n].setting.max_block_size = 16u << 20;
	best = try_ways(bench, ways, n, "max_block_size", live);

	clear(ways, 2, heap, arenas, best);
	ways[2].setting.cache = false;
	best = try_ways(bench, ways, 2, "enable_block_cache", live);
	print_best(&best);
}

int
kvt_tune(int argc, char **argv)
{
	static const struct option options[] = {
		{ "arena", required_argument, NULL, 'a' },
		KVT_BENCH_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct kvt_bench bench = KVT_BENCH_DEFAULT;
	struct kvt_which which;
	struct kvt_script heap, arenas;
	struct kvt_plan plan;
	static struct kvt_trace trace;	/* until the end */
	const char *file;
	int c;

	kvt_which_read(&which, "advised");
	kvt_options_begin();
	while ((c = kvt_options_next(argc, argv, ":", options)) != -1)
		if (!kvt_bench_option(&bench, c, optarg))
			kvt_which_read(&which, optarg);
	file = kvt_options_file(argc, argv);
	kvt_trace_load(&trace, file);
	kvt_trace_print_title(&trace);
	if (!kvt_which_plan(&plan, &which, &trace)) {
		puts("No call sites die together here: tuning one arena for all.");
		kvt_which_read(&which, "whole");
		kvt_which_plan(&plan, &which, &trace);
	}
	printf("%s: %" PRIu64 " of %zu objects, in %u arenas at most; the others "
		"stay with malloc\n", which.label, plan.objects, trace.nobjects,
		plan.narenas);
	kvt_script_make(&heap, &trace, NULL, NULL);
	kvt_script_make(&arenas, &trace, &plan, NULL);
	kvt_plan_free(&plan);
	if (!kvt_bench_fits(&heap, "malloc") ||
		!kvt_bench_fits(&arenas, which.label))
		return 1;
	tune(&bench, &heap, &arenas, trace.counts.peak_bytes);
	return 0;
}
