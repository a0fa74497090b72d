/* results.h -- every figure of a run
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KB_RESULTS_H
#define KB_RESULTS_H

#include "bench.h"

#define MAX_ROUNDS 64

/* One metric of one cell, round by round. */
struct series {
	const char *workload;
	const char *column;
	enum touch touch;
	const char *peer;
	char metric[12];
	size_t n;
	double value[MAX_ROUNDS];
};

struct series *kb_series_add(const struct cell *c, const char *metric);
/* The series, or NULL if nothing was measured. */
const struct series *kb_series(const char *workload, const char *column,
	enum touch touch, const char *peer, const char *metric);
size_t kb_series_count(void);
const struct series *kb_series_at(size_t i);

/* Of a series; NAN for NULL. */
double kb_mid(const struct series *s);
double kb_low(const struct series *s);
double kb_high(const struct series *s);
/* The median of a's values, each divided by b's of the same round. */
double kb_ratio(const struct series *a, const struct series *b);

#endif
