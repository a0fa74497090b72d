/* results.c -- every figure of a run
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct series **all;
static size_t nall;

static bool
is_of(const struct series *s, const char *workload, const char *column,
	enum touch touch, const char *peer, const char *metric)
{
	return s->touch == touch && !strcmp(s->metric, metric) &&
		!strcmp(s->peer, peer) && !strcmp(s->column, column) &&
		!strcmp(s->workload, workload);
}

const struct series *
kb_series(const char *workload, const char *column, enum touch touch,
	const char *peer, const char *metric)
{
	for (size_t i = 0; i < nall; i++) {
		if (is_of(all[i], workload, column, touch, peer, metric))
			return all[i];
	}
	return NULL;
}

struct series *
kb_series_add(const struct cell *c, const char *metric)
{
	struct series **more;
	struct series *s;

	for (size_t i = 0; i < nall; i++) {
		if (is_of(all[i], c->workload, c->column, c->touch,
			c->peer->name, metric))
			return all[i];
	}
	more = realloc(all, (nall + 1) * sizeof *all);
	s = calloc(1, sizeof *s);
	if (!more || !s) {
		fprintf(stderr, "kvarena-bench: no memory\n");
		exit(1);
	}
	all = more;
	all[nall++] = s;
	s->workload = c->workload;
	s->column = c->column;
	s->touch = c->touch;
	s->peer = c->peer->name;
	snprintf(s->metric, sizeof s->metric, "%s", metric);
	return s;
}

size_t
kb_series_count(void)
{
	return nall;
}

const struct series *
kb_series_at(size_t i)
{
	return all[i];
}

double
kb_mid(const struct series *s)
{
	double v[MAX_ROUNDS];

	if (!s || !s->n)
		return NAN;
	memcpy(v, s->value, s->n * sizeof *v);
	return kb_median(v, s->n);
}

double
kb_low(const struct series *s)
{
	double low = NAN;

	for (size_t i = 0; s && i < s->n; i++)
		low = i && low < s->value[i] ? low : s->value[i];
	return low;
}

double
kb_high(const struct series *s)
{
	double high = NAN;

	for (size_t i = 0; s && i < s->n; i++)
		high = i && high > s->value[i] ? high : s->value[i];
	return high;
}

double
kb_ratio(const struct series *a, const struct series *b)
{
	double v[MAX_ROUNDS];
	size_t n = a && b ? a->n < b->n ? a->n : b->n : 0;

	for (size_t i = 0; i < n; i++)
		v[i] = a->value[i] / b->value[i];
	return n ? kb_median(v, n) : NAN;
}
