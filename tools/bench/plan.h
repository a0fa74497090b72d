/* plan.h -- which cells a run has, and in which order
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KB_PLAN_H
#define KB_PLAN_H

#include "bench.h"

#define MAX_COLUMNS 16

struct column {
	const char *name;		/* a size, a mix, a number of threads */
	enum touch touch;
};

struct workload {
	const char *name;
	const char *title;
	const char *unit;		/* of its first metric */
	const char *metric;		/* the one that tables show */
	unsigned budget_ms;		/* for a cell in a round */
	unsigned most_rounds;		/* 0: as many as asked for */
	bool counts;			/* system calls are counted too */
	struct column columns[MAX_COLUMNS];	/* ends with a NULL name */
	bool (*takes)(const struct peer *p);	/* NULL: all but the extra ones */
};

extern const struct workload kb_workloads[];	/* ends with a NULL name */

struct options {
	unsigned rounds;
	bool quick;
	bool wide;			/* a table with min and max for each column */
	bool strict;			/* exit 1 if a row is not met */
	uint64_t seed;
	const char *only;		/* workloads, by prefix, with commas; or NULL */
	const char *peers;		/* names with commas; or NULL */
	const char *records;
	const char *json, *csv, *plots;
	unsigned numa_mib;		/* 0: the workloads; else placement alone */
};

struct presence {
	bool here;
	char version[64];
};

/* Which peers are here; an array beside kb_peers. */
const struct presence *kb_presence(const struct options *o);
bool kb_wanted(const struct options *o, const struct workload *w);
bool kb_takes(const struct options *o, const struct workload *w, size_t peer);
/* Run one workload; progress on standard error. */
void kb_workload_run(const struct options *o, const struct workload *w);
unsigned kb_failures(void);		/* cells whose process failed */

#endif
