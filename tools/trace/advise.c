/* advise.c -- where an arena would pay
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each group of call sites whose objects die together is replayed alone, from
 * malloc and from arenas; the difference is measured and not estimated. The
 * groups are then printed by the time that they save.
 */
#include "config.h"

#include "bench.h"
#include "common.h"
#include "options.h"
#include "plan.h"
#include "tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MEASURED 40		/* groups, the largest */
#define PLACES_SHOWN 5

struct finding {			/* one group */
	uint32_t group;
	struct kvt_plan plan;
	size_t block_size;		/* that fits most of its lives */
	struct kvt_result heap;
	struct kvt_result arenas;
};

struct advice {
	struct kvt_trace trace;
	struct kvt_groups groups;
	struct kvt_bench bench;
	struct kvt_symbols *symbols;
	struct finding *findings;
	size_t n;
	size_t top;
	bool lines;
};

/* ---- Measuring ------------------------------------------------------------------------ */

static int
compare_sizes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Return the power of two, 4 KiB to 1 MiB, that nine lives of ten fit into. */
static size_t
fitting_block(const struct kvt_plan *p)
{
	uint64_t *sizes = kvt_array(p->nlives, sizeof(*sizes));
	size_t i, n = 0, block = 4096;

	for (i = 0; i < p->nlives; i++)
		if (p->lives[i].objects)
			sizes[n++] = p->lives[i].bytes;
	qsort(sizes, n, sizeof(*sizes), compare_sizes);
	while (n && block < 1024 * 1024 && block < sizes[n * 9 / 10])
		block *= 2;
	free(sizes);
	return block;
}

static void
measure(struct advice *a, struct finding *f)
{
	struct kvt_script heap, arenas;
	struct kvt_way ways[2];

	memset(ways, 0, sizeof(ways));
	kvt_script_make(&heap, &a->trace, NULL, &f->plan);
	kvt_script_make(&arenas, &a->trace, &f->plan, &f->plan);
	snprintf(ways[0].label, sizeof(ways[0].label), "group %u, malloc",
		f->group + 1);
	snprintf(ways[1].label, sizeof(ways[1].label), "group %u, arenas",
		f->group + 1);
	ways[0].script = &heap;
	ways[1].script = &arenas;
	ways[1].setting.block_size = f->block_size;
	ways[1].setting.cache = true;
	if (kvt_bench_fits(&heap, ways[0].label) &&
		kvt_bench_fits(&arenas, ways[1].label)) {
		kvt_bench_run(&a->bench, ways, 2, "advise");
		f->heap = ways[0].median;
		f->arenas = ways[1].median;
	}
	kvt_script_free(&heap);
	kvt_script_free(&arenas);
}

static int64_t
saved(const struct finding *f)
{
	return (int64_t)(f->heap.ns - f->arenas.ns);
}

static int
compare_findings(const void *a, const void *b)
{
	int64_t x = saved(a), y = saved(b);

	return x > y ? -1 : x < y;
}

/* ---- Printing -------------------------------------------------------------------------- */

/* Print the function below which this weight lies, if there is one. */
static void
print_common(struct advice *a, const char *what, const uint64_t *weights,
	const char *otherwise)
{
	double share;
	const char *name = kvt_common_function(a->symbols, &a->trace, weights,
		&share);

	if (name)
		printf("   %-9s below %s\n", what, name);
	else
		printf("   %-9s %s\n", what, otherwise);
}

static void
print_where(struct advice *a, const struct finding *f)
{
	const struct kvt_trace *t = &a->trace;
	uint64_t *births = kvt_array(t->nsites, sizeof(*births));
	uint64_t *deaths = kvt_array(t->nsites, sizeof(*deaths));
	uint64_t ended = 0;
	size_t o;

	for (o = 0; o < t->nobjects; o++) {
		if (f->plan.life_of[o] == KVT_HEAP)
			continue;
		births[t->objects[o].site]++;
		if (t->objects[o].death == KVT_NEVER)
			continue;
		deaths[t->ops[t->objects[o].death].site]++;
		ended++;
	}
	print_common(a, "born", births, "in places that have no function in common");
	if (ended * 20 > f->plan.objects)
		print_common(a, "freed", deaths,
			"in places that have no function in common");
	else
		printf("   %-9s never, or nearly so: alive when the program ends\n",
			"freed");
	free(births);
	free(deaths);
}

/* Return the share of births that go to another life than the one before. */
static double
interleaving(const struct kvt_trace *t, const struct kvt_plan *p)
{
	uint32_t last = KVT_HEAP;
	uint64_t switches = 0;
	size_t o;

	for (o = 0; o < t->nobjects; o++) {
		if (p->life_of[o] == KVT_HEAP)
			continue;
		switches += p->life_of[o] != last;
		last = p->life_of[o];
	}
	return p->objects ? (double)switches / (double)p->objects : 0;
}

static void
print_arenas(const struct advice *a, const struct finding *f)
{
	const struct kvt_plan *p = &f->plan;
	uint64_t lives = 0, ending = 0;
	size_t i;

	for (i = 0; i < p->nlives; i++) {
		lives += p->lives[i].objects != 0;
		ending += p->lives[i].objects && p->lives[i].end != KVT_NEVER;
	}
	printf("   %-9s ", "arena");
	if (ending == 0)
		printf("one, until the end");
	else if (p->narenas == 1)
		printf("one, reset %" PRIu64 " times", ending);
	else
		printf("one for each of %" PRIu64 " owners, up to %u at once%s",
			lives, p->narenas, interleaving(&a->trace, p) > 0.5
			? "; born interleaved, so hand it down" : "");
	printf("; %.4g objects in each, blocks of %s\n",
		(double)p->objects / (double)(lives ? lives : 1),
		kvt_size_text(f->block_size));
	printf("   %-9s at most %s live at once, %s held by arenas%s\n", "memory",
		kvt_size_text(p->live_bytes), kvt_size_text(p->held_bytes),
		p->held_bytes > 2 * p->live_bytes + (1u << 20)
		? ": some die long before the rest" : "");
}

static void
print_time(const struct finding *f, uint64_t all_ns)
{
	double n = (double)f->plan.objects;

	if (!f->heap.ns)
		return;
	printf("   %-9s %.1f ns each from malloc, %.1f from arenas: ", "time",
		(double)f->heap.ns / n, (double)f->arenas.ns / n);
	if (saved(f) > 0)
		printf("%.2f ms less, %.1f %% of all\n", (double)saved(f) / 1e6,
			100.0 * (double)saved(f) / (double)(all_ns ? all_ns : 1));
	else
		puts("it does not pay");
}

struct place {				/* call sites that read the same */
	char *chain;
	uint32_t site;			/* one of them */
	uint64_t objects;
	uint64_t bytes;
};

static int
compare_chains(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return strcmp(x->chain, y->chain);
}

static int
compare_objects(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->objects > y->objects ? -1 : x->objects < y->objects;
}

/* List the places of a group, the one with the most objects first: recursion
 * has many call sites that are one to the reader. */
static struct place *
list_places(struct advice *a, uint32_t group, size_t *count)
{
	const struct kvt_trace *t = &a->trace;
	struct place *places = kvt_array(t->nsites, sizeof(*places));
	size_t i, n = 0, merged = 0;
	char chain[512];

	for (i = 0; i < t->nsites; i++) {
		if (a->groups.of_site[i] != group)
			continue;
		kvt_symbol_chain(a->symbols, &t->sites[i], 3, chain,
			sizeof(chain));
		places[n].chain = kvt_array(strlen(chain) + 1, 1);
		strcpy(places[n].chain, chain);
		places[n].site = (uint32_t)i;
		places[n].objects = t->sites[i].objects;
		places[n++].bytes = t->sites[i].bytes;
	}
	qsort(places, n, sizeof(*places), compare_chains);
	for (i = 0; i < n; i++) {
		if (merged && !compare_chains(&places[merged - 1], &places[i])) {
			places[merged - 1].objects += places[i].objects;
			places[merged - 1].bytes += places[i].bytes;
			free(places[i].chain);
		} else {
			places[merged++] = places[i];
		}
	}
	qsort(places, merged, sizeof(*places), compare_objects);
	*count = merged;
	return places;
}

static void
print_places(struct advice *a, const struct finding *f)
{
	size_t i, n;
	struct place *places = list_places(a, f->group, &n);

	for (i = 0; i < n; i++) {
		const struct place *p = &places[i];
		const struct kvt_site *site = &a->trace.sites[p->site];
		const char *line = a->lines && site->n ? kvt_symbol_line(a->symbols,
			site->frames[kvt_symbol_first(a->symbols, site)]) : NULL;
		if (i < PLACES_SHOWN)
			printf("   %-9s %9" PRIu64 " x %5.4g bytes  %s%s%s%s\n",
				i ? "" : "where", p->objects, (double)p->bytes /
				(double)p->objects, p->chain, line ? " (" : "",
				line ? line : "", line ? ")" : "");
		free(p->chain);
	}
	if (n > PLACES_SHOWN)
		printf("   %-9s ... and %zu more places\n", "", n - PLACES_SHOWN);
	free(places);
}

static void
print_finding(struct advice *a, const struct finding *f, size_t rank,
	uint64_t all_ns)
{
	const struct kvt_group *g = &a->groups.groups[f->group];

	printf("\n%zu. group %u: %" PRIu64 " allocations at %u call sites, %s\n",
		rank, f->group + 1, g->objects, g->nsites, kvt_size_text(g->bytes));
	print_where(a, f);
	print_arenas(a, f);
	print_time(f, all_ns);
	print_places(a, f);
}

/* Replay the whole trace with all groups that pay in arenas. */
static uint64_t
measure_all(struct advice *a, struct kvt_way *ways, struct kvt_script *scripts)
{
	struct kvt_plan plan;

	kvt_script_make(&scripts[0], &a->trace, NULL, NULL);
	kvt_plan_groups(&plan, &a->trace, &a->groups, KVT_NO_GROUP);
	kvt_script_make(&scripts[1], &a->trace, &plan, NULL);
	memset(ways, 0, 2 * sizeof(*ways));
	snprintf(ways[0].label, sizeof(ways[0].label), "malloc");
	snprintf(ways[1].label, sizeof(ways[1].label), "with these arenas");
	ways[0].script = &scripts[0];
	ways[1].script = &scripts[1];
	ways[1].setting.block_size = 65536;
	ways[1].setting.cache = true;
	if (!kvt_bench_fits(&scripts[0], ways[0].label) ||
		!kvt_bench_fits(&scripts[1], ways[1].label))
		return 0;
	kvt_bench_run(&a->bench, ways, 2, "advise");
	return ways[0].median.ns;
}

static void
print_all(struct advice *a)
{
	struct kvt_script scripts[2];
	struct kvt_way ways[2];
	uint64_t all_ns = measure_all(a, ways, scripts);
	size_t i;

	for (i = 0; i < a->n && i < a->top; i++)
		print_finding(a, &a->findings[i], i + 1, all_ns);
	printf("\nThe other %" PRIu64 " allocations die one by one, or are few: "
		"malloc serves them.\n", a->groups.unfit_objects);
	if (!all_ns)
		return;
	printf("\nThe whole trace, all %zu groups in arenas (median of %u):\n",
		a->groups.n, a->bench.runs);
	kvt_bench_print_head();
	kvt_bench_print(&ways[0], &ways[0], a->trace.counts.peak_bytes);
	kvt_bench_print(&ways[1], &ways[0], a->trace.counts.peak_bytes);
}

int
kvt_advise(int argc, char **argv)
{
	static const struct option options[] = {
		{ "top", required_argument, NULL, 'n' },
		{ "lines", no_argument, NULL, 'l' },
		KVT_BENCH_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	static const struct kvt_bench usual = KVT_BENCH_DEFAULT;
	struct advice a = { 0 };
	const char *file;
	size_t i;
	int c;

	a.bench = usual;
	a.top = 10;
	kvt_options_begin();
	while ((c = kvt_options_next(argc, argv, ":", options)) != -1) {
		if (kvt_bench_option(&a.bench, c, optarg))
			continue;
		if (c == 'n')
			a.top = kvt_option_number("--top", optarg, 1, 1000);
		else
			a.lines = true;
	}
	file = kvt_options_file(argc, argv);
	kvt_trace_load(&a.trace, file);
	a.symbols = kvt_symbols_new(&a.trace);
	kvt_groups_find(&a.groups, &a.trace);
	kvt_trace_print_title(&a.trace);
	printf("%zu allocations at %zu call sites; %zu groups of sites die "
		"together.\n", a.trace.nobjects, a.trace.nsites - 1, a.groups.n);
	a.n = a.groups.n < MOST_MEASURED ? a.groups.n : MOST_MEASURED;
	a.findings = kvt_array(a.n, sizeof(*a.findings));
	for (i = 0; i < a.n; i++) {
		a.findings[i].group = (uint32_t)i;
		kvt_plan_groups(&a.findings[i].plan, &a.trace, &a.groups,
			(uint32_t)i);
		a.findings[i].block_size = fitting_block(&a.findings[i].plan);
		measure(&a, &a.findings[i]);
	}
	qsort(a.findings, a.n, sizeof(*a.findings), compare_findings);
	print_all(&a);
	return 0;
}
