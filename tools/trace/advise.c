/* advise.c -- where an arena would pay
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each group of call sites whose objects die together is replayed alone, from
 * malloc and from arenas; the difference is measured and not estimated. The
 * groups are then printed by the time that they save, and the whole trace is
 * replayed with all that pay.
 */
#include "config.h"

#include "common.h"
#include "finding.h"
#include "fold.h"
#include "options.h"
#include "place.h"
#include "tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MEASURED 60		/* groups, the largest */
#define PLACES_SHOWN 5

struct advice {
	struct kvt_trace trace;
	struct kvt_groups groups;
	struct kvt_bench bench;
	struct kvt_symbols *symbols;
	struct kvt_finding *findings;	/* the best first */
	size_t n;
	size_t top;
	bool lines;
	bool all;			/* those that do not pay, too */
};

/* Print the function below which this weight lies, if there is one. */
static void
print_common(struct advice *a, const char *what, const uint64_t *weights)
{
	const char *name = kvt_common_function(a->symbols, &a->trace, weights);

	printf("   %-9s %s%s\n", what, name ? "below "
		: "in places that have no function in common", name ? name : "");
}

/* Print below which functions the objects were born and freed. */
static void
print_functions(struct advice *a, const struct kvt_finding *f)
{
	const struct kvt_trace *t = &a->trace;
	uint64_t *births = kvt_array(t->nsites, sizeof(*births));
	uint64_t *deaths = kvt_array(t->nsites, sizeof(*deaths));
	uint64_t ended = 0;
	size_t o;

	for (o = 0; o < t->nobjects; o++) {
		if (f->plan.life_of[o] == KVT_HEAP)
			continue;
		births[t->ops[t->objects[o].birth].site]++;
		if (t->objects[o].death == KVT_NEVER)
			continue;
		deaths[t->ops[t->objects[o].death].site]++;
		ended++;
	}
	if (a->groups.groups[f->group].nsites > 1)
		print_common(a, "born", births);
	if (ended * 20 > f->plan.objects)
		print_common(a, "freed", deaths);
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
print_arenas(const struct advice *a, const struct kvt_finding *f)
{
	const struct kvt_plan *p = &f->plan;
	bool scratch = a->groups.groups[f->group].kind == KVT_SCRATCH;
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
		printf("one%s, reset %" PRIu64 " time%s",
			scratch ? " for scratch" : "", ending,
			ending == 1 ? "" : "s");
	else if (scratch)
		printf("one for scratch in each of %u threads, reset %" PRIu64
			" times in all", p->narenas, ending);
	else
		printf("one for each of %" PRIu64 " owners, up to %u at once%s",
			lives, p->narenas, interleaving(&a->trace, p) > 0.5
			? " (born interleaved, so hand it down)" : "");
	printf("; %.4g objects in each, blocks of %s\n",
		(double)p->objects / (double)(lives ? lives : 1),
		kvt_size_text(p->narenas ? p->blocks[0] : 0));
	printf("   %-9s at most %s live at once, %s held by arenas%s\n", "memory",
		kvt_size_text(p->live_bytes), kvt_size_text(p->held_bytes),
		p->held_bytes > 2 * p->live_bytes + (1u << 20)
		? ": some die long before the rest" : "");
}

static void
print_time(const struct kvt_finding *f, uint64_t all_ns)
{
	double n = (double)f->plan.objects;

	if (!f->heap.ns)
		return;
	printf("   %-9s %.1f ns each from malloc, %.1f from arenas: ", "time",
		(double)f->heap.ns / n, (double)f->arenas.ns / n);
	printf("%.2f ms less, %.1f %% of all\n",
		(double)kvt_finding_saves(f) / 1e6,
		100.0 * (double)kvt_finding_saves(f) / (double)(all_ns ? all_ns : 1));
}

static void
print_places(struct advice *a, const struct kvt_finding *f)
{
	size_t i, n;
	struct kvt_place *places = kvt_places_list(a->symbols, &a->trace,
		&a->groups, f->group, &n);

	for (i = 0; i < n && i < PLACES_SHOWN; i++) {
		const struct kvt_place *p = &places[i];
		const struct kvt_site *site = &a->trace.sites[p->site];
		const char *line = a->lines && site->n ? kvt_symbol_line(a->symbols,
			site->frames[kvt_symbol_first(a->symbols, site)]) : NULL;
		printf("   %-9s %9" PRIu64 " x %5.4g bytes  %s%s%s%s\n",
			i ? "" : "where", p->objects,
			(double)p->bytes / (double)p->objects, p->chain,
			line ? " (" : "", line ? line : "", line ? ")" : "");
	}
	if (n > i)
		printf("   %-9s ... and %zu more places\n", "", n - i);
	kvt_places_free(places, n);
}

static void
print_finding(struct advice *a, const struct kvt_finding *f, size_t rank,
	uint64_t all_ns)
{
	const struct kvt_group *g = &a->groups.groups[f->group];

	printf("\n%zu. group %u: %" PRIu64 " allocations at %u call site%s, %s\n",
		rank, f->group + 1, g->objects, g->nsites,
		g->nsites == 1 ? "" : "s", kvt_size_text(g->bytes));
	print_functions(a, f);
	print_arenas(a, f);
	print_time(f, all_ns);
	print_places(a, f);
}

/* Replay the whole trace, and again with all groups that pay in arenas. False:
 * this machine has not the memory. */
static bool
measure_all(struct advice *a, struct kvt_way *ways, struct kvt_script *scripts)
{
	bool *pays = kvt_array(a->groups.n, sizeof(*pays));
	struct kvt_plan plan;
	size_t i;

	for (i = 0; i < a->n; i++)
		pays[a->findings[i].group] = kvt_finding_pays(&a->findings[i]);
	kvt_plan_groups(&plan, &a->trace, &a->groups, pays);
	free(pays);
	kvt_script_make(&scripts[0], &a->trace, NULL, NULL);
	kvt_script_make(&scripts[1], &a->trace, &plan, NULL);
	kvt_plan_free(&plan);
	memset(ways, 0, 2 * sizeof(*ways));
	snprintf(ways[0].label, sizeof(ways[0].label), "malloc");
	snprintf(ways[1].label, sizeof(ways[1].label), "with these arenas");
	ways[0].script = &scripts[0];
	ways[1].script = &scripts[1];
	ways[1].setting.cache = true;
	if (!kvt_bench_fits(&scripts[0], ways[0].label) ||
		!kvt_bench_fits(&scripts[1], ways[1].label))
		return false;
	kvt_bench_run(&a->bench, ways, 2, "advise");
	return true;
}

static void
print_all(struct advice *a)
{
	struct kvt_script scripts[2];
	struct kvt_way ways[2];
	bool measured = measure_all(a, ways, scripts);
	uint64_t rest = a->groups.unfit_objects;
	size_t i, paying = 0;

	for (i = 0; i < a->n; i++)
		paying += kvt_finding_pays(&a->findings[i]);
	for (i = 0; i < (a->all ? a->n : paying) && i < a->top; i++)
		print_finding(a, &a->findings[i], i + 1,
			measured ? ways[0].median.ns : 0);
	for (i = 0; i < a->n; i++)
		if (!kvt_finding_pays(&a->findings[i]))
			rest += a->findings[i].plan.objects;
	for (i = a->n; i < a->groups.n; i++)
		rest += a->groups.groups[i].objects;
	putchar('\n');
	if (paying > a->top)
		printf("%zu more groups pay; --top shows more.\n", paying - a->top);
	printf("The other %" PRIu64 " allocations die one by one, are few, or would "
		"gain nothing.\n", rest);
	if (!measured)
		return;
	printf("\nThe whole trace, with the %zu group%s that pay%s in arenas "
		"(processor time, median of %u):\n", paying, paying == 1 ? "" : "s",
		paying == 1 ? "s" : "", a->bench.runs);
	kvt_bench_print_head();
	kvt_bench_print(&ways[0], &ways[0], a->trace.counts.peak_bytes);
	kvt_bench_print(&ways[1], &ways[0], a->trace.counts.peak_bytes);
}

static void
find(struct advice *a, const char *file)
{
	size_t i, nsites;

	kvt_trace_load(&a->trace, file);
	kvt_trace_print_title(&a->trace);
	a->symbols = kvt_symbols_new(&a->trace);
	nsites = a->trace.nsites - 1;
	kvt_fold_sites(&a->trace, a->symbols);
	kvt_groups_find(&a->groups, &a->trace, a->symbols);
	printf("%zu allocations at %zu call sites; %zu groups of sites whose "
		"objects die together.\n", a->trace.nobjects,
		nsites, a->groups.n);
	a->n = a->groups.n < MOST_MEASURED ? a->groups.n : MOST_MEASURED;
	a->findings = kvt_array(a->n, sizeof(*a->findings));
	for (i = 0; i < a->n; i++)
		kvt_finding_make(&a->findings[i], &a->trace, &a->groups,
			(uint32_t)i, &a->bench);
	kvt_findings_sort(a->findings, a->n);
}

int
kvt_advise(int argc, char **argv)
{
	static const struct option options[] = {
		{ "top", required_argument, NULL, 'n' },
		{ "lines", no_argument, NULL, 'l' },
		{ "all", no_argument, NULL, 'a' },
		KVT_BENCH_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	static const struct kvt_bench usual = KVT_BENCH_DEFAULT;
	static struct advice a;		/* until the end */
	int c;

	a.bench = usual;
	a.top = 10;
	kvt_options_begin();
	while ((c = kvt_options_next(argc, argv, ":", options)) != -1) {
		if (kvt_bench_option(&a.bench, c, optarg))
			continue;
		if (c == 'n')
			a.top = kvt_option_number("--top", optarg, 1, 1000);
		else if (c == 'l')
			a.lines = true;
		else
			a.all = true;
	}
	find(&a, kvt_options_file(argc, argv));
	print_all(&a);
	return 0;
}
