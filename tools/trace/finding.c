/* finding.c -- a group of call sites, measured
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "finding.h"
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MORE_THAN_NOISE 0.03		/* of what malloc takes */

void
kvt_finding_make(struct kvt_finding *f, const struct kvt_trace *t,
	const struct kvt_groups *g, uint32_t group, const struct kvt_bench *bench)
{
	struct kvt_script heap, arenas;
	struct kvt_way ways[2];

	memset(f, 0, sizeof(*f));
	f->group = group;
	kvt_plan_group(&f->plan, t, g, group);
	kvt_script_make(&heap, t, NULL, &f->plan);
	kvt_script_make(&arenas, t, &f->plan, &f->plan);
	memset(ways, 0, sizeof(ways));
	snprintf(ways[0].label, sizeof(ways[0].label), "group %u of %zu, malloc",
		group + 1, g->n);
	snprintf(ways[1].label, sizeof(ways[1].label), "group %u of %zu, arenas",
		group + 1, g->n);
	ways[0].script = &heap;
	ways[1].script = &arenas;
	ways[1].setting.cache = true;
	if (kvt_bench_fits(&heap, ways[0].label) &&
		kvt_bench_fits(&arenas, ways[1].label)) {
		kvt_bench_run(bench, ways, 2, "advise");
		f->heap = ways[0].median;
		f->arenas = ways[1].median;
	}
	kvt_script_free(&heap);
	kvt_script_free(&arenas);
}

int64_t
kvt_finding_saves(const struct kvt_finding *f)
{
	return (int64_t)(f->heap.ns - f->arenas.ns);
}

bool
kvt_finding_pays(const struct kvt_finding *f)
{
	return (double)kvt_finding_saves(f) > MORE_THAN_NOISE * (double)f->heap.ns;
}

static int
compare_findings(const void *a, const void *b)
{
	int64_t x = kvt_finding_saves(a), y = kvt_finding_saves(b);

	if (kvt_finding_pays(a) != kvt_finding_pays(b))
		return kvt_finding_pays(a) ? -1 : 1;
	return x > y ? -1 : x < y;
}

void
kvt_findings_sort(struct kvt_finding *findings, size_t n)
{
	if (n)
		qsort(findings, n, sizeof(*findings), compare_findings);
}
