/* bench.c -- several ways to run a trace, measured side by side
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "bench.h"
#include "tool.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
kvt_bench_option(struct kvt_bench *b, int c, const char *argument)
{
	if (c == 'r') {
		b->runs = kvt_option_number("--runs", argument, 1, 1000);
	} else if (c == 't') {
		if (strcmp(argument, "none") == 0)
			b->touch = KVT_TOUCH_NONE;
		else if (strcmp(argument, "first") == 0)
			b->touch = KVT_TOUCH_FIRST;
		else if (strcmp(argument, "all") == 0)
			b->touch = KVT_TOUCH_ALL;
		else
			kvt_misuse("--touch: '%s' is not none, first or all",
				argument);
	} else {
		return false;
	}
	return true;
}

bool
kvt_bench_fits(const struct kvt_script *script, const char *label)
{
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
	uint64_t memory = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t tables = script->nsteps * sizeof(struct kvt_step) +
		script->nobjects * sizeof(void *);

	if (script->need <= memory && script->need + tables <= memory / 10 * 8)
		return true;
	kvt_warn("%s: left out: it would hold %s, and this machine has %s", label,
		kvt_size_text(script->need), kvt_size_text(memory));
	return false;
}

static int
compare_times(const void *a, const void *b)
{
	const struct kvt_result *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Return the median of the figure at offset. */
static uint64_t
median(const struct kvt_result *results, unsigned n, size_t offset)
{
	uint64_t values[1000];
	unsigned i;

	for (i = 0; i < n; i++)
		memcpy(&values[i], (const char *)&results[i] + offset,
			sizeof(values[i]));
	qsort(values, n, sizeof(*values), compare_numbers);
	return n % 2 ? values[n / 2]
		: values[n / 2 - 1] + (values[n / 2] - values[n / 2 - 1]) / 2;
}

static void
sum_up(struct kvt_way *w, unsigned n)
{
	qsort(w->results, n, sizeof(*w->results), compare_times);
	w->least_ns = w->results[0].ns;
	w->most_ns = w->results[n - 1].ns;
	w->median.ns = median(w->results, n, offsetof(struct kvt_result, ns));
	w->median.peak = median(w->results, n, offsetof(struct kvt_result, peak));
	w->median.faults = median(w->results, n,
		offsetof(struct kvt_result, faults));
	w->median.blocks = median(w->results, n,
		offsetof(struct kvt_result, blocks));
	w->median.reused = median(w->results, n,
		offsetof(struct kvt_result, reused));
	w->median.failed = median(w->results, n,
		offsetof(struct kvt_result, failed));
	free(w->results);
	w->results = NULL;
	if (w->median.failed)
		kvt_warn("%s: %" PRIu64 " allocations failed", w->label,
			w->median.failed);
}

void
kvt_bench_run(const struct kvt_bench *b, struct kvt_way *ways, size_t n,
	const char *what)
{
	unsigned run;
	size_t i;

	for (i = 0; i < n; i++)
		ways[i].results = kvt_array(b->runs, sizeof(*ways[i].results));
	for (run = 0; run < b->runs; run++)
		for (i = 0; i < n; i++) {
			kvt_progress("%s: run %u of %u: %s", what, run + 1,
				b->runs, ways[i].label);
			kvt_worker_run(ways[i].script, &ways[i].setting, b->touch,
				&ways[i].results[run]);
		}
	kvt_progress_end();
	for (i = 0; i < n; i++)
		sum_up(&ways[i], b->runs);
}

void
kvt_bench_print_head(void)
{
	printf("%-26s %9s %17s %6s %10s %7s %7s %8s\n", "", "ms", "least..most",
		"x", "peak", "waste", "blocks", "faults");
}

void
kvt_bench_print(const struct kvt_way *w, const struct kvt_way *first,
	uint64_t live)
{
	const struct kvt_result *m = &w->median;
	double waste = m->peak > live
		? 100.0 * (double)(m->peak - live) / (double)m->peak : 0;
	char range[32], blocks[16] = "-";

	snprintf(range, sizeof(range), "%.2f..%.2f", (double)w->least_ns / 1e6,
		(double)w->most_ns / 1e6);
	if (w->script->narenas)
		snprintf(blocks, sizeof(blocks), "%" PRIu64, m->blocks);
	printf("%-26s %9.2f %17s %6.2f %10s %6.1f%% %7s %8" PRIu64 "\n", w->label,
		(double)m->ns / 1e6, range, (double)first->median.ns /
		(double)(m->ns ? m->ns : 1), kvt_size_text(m->peak), waste, blocks,
		m->faults);
}
