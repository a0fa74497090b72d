/* replay.c -- a trace run against malloc and against arenas
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "bench.h"
#include "options.h"
#include "tool.h"
#include "which.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_BLOCKS 16

struct order {				/* what was asked for */
	struct kvt_bench bench;
	struct kvt_which which[2];
	size_t nwhich;
	size_t blocks[MAX_BLOCKS];
	size_t nblocks;
	const char *file;
};

static void
read_order(struct order *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "block", required_argument, NULL, 'b' },
		{ "arena", required_argument, NULL, 'a' },
		KVT_BENCH_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	static const struct kvt_bench usual = KVT_BENCH_DEFAULT;
	int c;

	memset(o, 0, sizeof(*o));
	o->bench = usual;
	kvt_options_begin();
	while ((c = kvt_options_next(argc, argv, ":", options)) != -1) {
		if (kvt_bench_option(&o->bench, c, optarg))
			continue;
		if (c == 'a') {
			kvt_which_read(&o->which[0], optarg);
			o->nwhich = 1;
		} else if (o->nblocks == MAX_BLOCKS) {
			kvt_misuse("--block: at most %d of them", MAX_BLOCKS);
		} else {
			o->blocks[o->nblocks++] = kvt_option_size("--block",
				optarg);
		}
	}
	o->file = kvt_options_file(argc, argv);
	if (o->nwhich == 0) {
		kvt_which_read(&o->which[0], "whole");
		kvt_which_read(&o->which[1], "advised");
		o->nwhich = 2;
	}
	if (o->nblocks == 0) {
		o->blocks[0] = 4096;
		o->blocks[1] = 65536;
		o->blocks[2] = 1024 * 1024;
		o->blocks[3] = 0;
		o->nblocks = 4;
	}
}

static void
print_trace(const struct kvt_trace *t)
{
	kvt_trace_print_title(t);
	printf("%zu operations on %zu objects, %s in all, at most %s in %" PRIu64
		" objects at once\n", t->nops, t->nobjects,
		kvt_size_text(t->counts.bytes), kvt_size_text(t->counts.peak_bytes),
		t->counts.peak_objects);
}

/* Add the ways to run one plan: each block size, and the last one shared. */
static size_t
add_ways(struct kvt_way *ways, const struct order *o, const char *label,
	const struct kvt_script *script)
{
	size_t i, n = 0;

	for (i = 0; i <= o->nblocks; i++) {
		bool safe = i == o->nblocks;
		struct kvt_way *w = &ways[n];
		size_t block = o->blocks[safe ? i - 1 : i];

		snprintf(w->label, sizeof(w->label), "%s, %s%s", label,
			block ? kvt_size_text(block) : "fitted",
			safe ? ", SAFE" : "");
		w->script = script;
		w->setting.block_size = block;
		w->setting.cache = true;
		w->setting.safe = safe;
		if (!kvt_bench_fits(script, w->label))
			return 0;
		n++;
	}
	return n;
}

/* Whose malloc it is that replays run against: "glibc 2.36". */
static const char *
malloc_name(void)
{
	static char name[32];

#ifdef _CS_GNU_LIBC_VERSION
	if (confstr(_CS_GNU_LIBC_VERSION, name, sizeof(name)))
		return name;
#endif
	return strcpy(name, "C library");
}

int
kvt_replay(int argc, char **argv)
{
	static struct kvt_way ways[1 + 2 * (MAX_BLOCKS + 1)];
	struct kvt_script scripts[3];
	struct kvt_plan plan;
	static struct kvt_trace trace;	/* until the end, as is ways */
	struct order o;
	size_t i, n = 1;

	read_order(&o, argc, argv);
	kvt_trace_load(&trace, o.file);
	print_trace(&trace);
	memset(ways, 0, sizeof(ways));
	snprintf(ways[0].label, sizeof(ways[0].label), "malloc (%s)",
		malloc_name());
	kvt_script_make(&scripts[0], &trace, NULL, NULL);
	ways[0].script = &scripts[0];
	if (!kvt_bench_fits(&scripts[0], ways[0].label))
		return 1;
	for (i = 0; i < o.nwhich; i++) {
		if (!kvt_which_plan(&plan, &o.which[i], &trace)) {
			printf("%s: no call sites die together here\n",
				o.which[i].label);
			continue;
		}
		printf("%s: %" PRIu64 " objects in %u arenas at most, %s\n",
			o.which[i].label, plan.objects, plan.narenas,
			kvt_size_text(plan.held_bytes));
		kvt_script_make(&scripts[1 + i], &trace, &plan, NULL);
		kvt_plan_free(&plan);
		n += add_ways(&ways[n], &o, o.which[i].label, &scripts[1 + i]);
	}
	kvt_bench_run(&o.bench, ways, n, "replay");
	printf("\nOne thread, a fresh process for each run; processor time, median of "
		"%u.\n",
		o.bench.runs);
	kvt_bench_print_head();
	for (i = 0; i < n; i++)
		kvt_bench_print(&ways[i], &ways[0], trace.counts.peak_bytes);
	return 0;
}
