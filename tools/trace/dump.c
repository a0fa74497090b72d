/* dump.c -- a trace as text
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "merge.h"
#include "options.h"
#include "symbol.h"
#include "tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const kinds[] = {
	[KVT_MALLOC] = "malloc", [KVT_CALLOC] = "calloc",
	[KVT_ALIGNED] = "aligned", [KVT_REALLOC] = "realloc",
	[KVT_FREE] = "free",
};

static void
print_summary(const struct kvt_trace *t)
{
	const struct kvt_counts *c = &t->counts;
	unsigned kind;

	for (kind = KVT_MALLOC; kind <= KVT_FREE; kind++)
		printf("%-16s %12" PRIu64 "\n", kinds[kind],
			c->calls[kind] + (kind == KVT_FREE ? c->unknown_frees : 0));
	printf("%-16s %12" PRIu64 "   of what was allocated before\n",
		"unknown frees", c->unknown_frees);
	printf("%-16s %12" PRIu64 "   the allocator returned NULL\n", "failed",
		t->input.header.failed);
	printf("%-16s %12" PRIu64 "   whose free was not seen\n", "lost objects",
		c->lost);
	printf("%-16s %12" PRIu64 "   in calls of the allocator, not recorded\n",
		"nested calls", t->input.header.nested);
	printf("%-16s %12" PRIu64 "\n", "bytes", c->bytes);
	printf("%-16s %12" PRIu64 "   live at once\n", "peak bytes", c->peak_bytes);
	printf("%-16s %12" PRIu64 "\n", "peak objects", c->peak_objects);
	printf("%-16s %12" PRIu64 "\n", "bytes at end", c->end_bytes);
	printf("%-16s %12" PRIu64 "\n", "objects at end", c->end_objects);
	printf("%-16s %12u\n", "threads", t->nthreads);
	printf("%-16s %12zu\n", "call sites", t->nsites - 1);
	printf("%-16s %12zu\n", "file bytes", t->input.size);
}

/* ---- Call sites -------------------------------------------------------------------- */

static const struct kvt_trace *sorted;	/* for the comparison only */

static int
compare_sites(const void *a, const void *b)
{
	const struct kvt_site *x = &sorted->sites[*(const uint32_t *)a];
	const struct kvt_site *y = &sorted->sites[*(const uint32_t *)b];

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void
print_chain(struct kvt_symbols *symbols, const struct kvt_site *site, bool lines)
{
	unsigned i;

	for (i = 0; i < site->n; i++) {
		const char *line = lines
			? kvt_symbol_line(symbols, site->frames[i]) : NULL;
		printf("%s%s", i ? " < " : "",
			kvt_symbol_name(symbols, site->frames[i]));
		if (line)
			printf(" (%s)", line);
	}
	putchar('\n');
}

static void
print_sites(const struct kvt_trace *t, bool lines)
{
	struct kvt_symbols *symbols = kvt_symbols_new(t);
	uint32_t *order = kvt_array(t->nsites, sizeof(*order));
	uint32_t i;

	for (i = 0; i < t->nsites; i++)
		order[i] = i;
	sorted = t;
	qsort(order, t->nsites, sizeof(*order), compare_sites);
	printf("%12s %12s  %-6s  call site\n", "bytes", "objects", "number");
	for (i = 0; i < t->nsites; i++) {
		const struct kvt_site *site = &t->sites[order[i]];
		if (site->objects == 0 && site->bytes == 0)
			continue;
		printf("%12" PRIu64 " %12u  %-6u  ", site->bytes, site->objects,
			order[i]);
		if (order[i] == 0)
			puts("unknown");
		else
			print_chain(symbols, site, lines);
	}
	free(order);
}

/* ---- Calls --------------------------------------------------------------------------- */

static void
print_legend(const struct kvt_trace *t, bool lines)
{
	struct kvt_symbols *symbols = kvt_symbols_new(t);
	uint32_t i;

	for (i = 1; i < t->nsites; i++) {
		printf("# site %u: ", i);
		print_chain(symbols, &t->sites[i], lines);
	}
	puts("# number thread call size address site");
}

static void
print_calls(const struct kvt_input *input)
{
	struct kvt_merge *m = kvt_merge_open(input);
	const struct kvt_event *e;
	enum kvt_phase phase;
	uint32_t stream;

	while ((e = kvt_merge_next(m, &phase, &stream))) {
		if (phase == KVT_GIVES_BACK)
			continue;
		printf("%" PRIu64 " %u %s ", e->seq, e->tid, kinds[e->kind]);
		if (e->kind == KVT_FREE)
			printf("-");
		else
			printf("%" PRIu64, e->size);
		printf(" 0x%" PRIx64 " %u", e->address, e->site);
		if (e->kind == KVT_ALIGNED)
			printf(" alignment %" PRIu64,
				(uint64_t)1 << e->log2_alignment);
		if (e->kind == KVT_REALLOC)
			printf(" from 0x%" PRIx64, e->old_address);
		putchar('\n');
	}
	kvt_merge_close(m);
}

int
kvt_dump(int argc, char **argv)
{
	static const struct option options[] = {
		{ "summary", no_argument, NULL, 's' },
		{ "sites", no_argument, NULL, 'S' },
		{ "lines", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	bool summary = false, sites = false, lines = false;
	static struct kvt_trace trace;	/* until the end */
	const char *file;
	int c;

	kvt_options_begin();
	while ((c = kvt_options_next(argc, argv, ":", options)) != -1) {
		summary |= c == 's';
		sites |= c == 'S';
		lines |= c == 'l';
	}
	file = kvt_options_file(argc, argv);
	if (!summary && !sites) {
		kvt_trace_load_sites(&trace, file);
		kvt_trace_print_title(&trace);
		print_legend(&trace, lines);
		print_calls(&trace.input);
		return 0;
	}
	kvt_trace_load(&trace, file);
	kvt_trace_print_title(&trace);
	if (summary)
		print_summary(&trace);
	if (sites)
		print_sites(&trace, lines);
	return 0;
}
