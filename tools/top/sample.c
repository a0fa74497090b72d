/* sample.c -- two reports, one after the other, and what happened between
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

static const struct kvp_rates unknown = { -1, -1, -1, -1, -1 };

static double
rate(uint64_t before, uint64_t after, double seconds)
{
	/* Statistics may have been reset in between. */
	return after >= before ? (double)(after - before) / seconds
		: (double)after / seconds;
}

static struct kvp_rates
rates_of(const kv_arena_stats_t *before, const kv_arena_stats_t *after,
	double seconds)
{
	struct kvp_rates r;

	r.allocations = rate(before->total_allocations, after->total_allocations,
		seconds);
	r.bytes = rate(before->total_bytes_allocated,
		after->total_bytes_allocated, seconds);
	r.resets = rate(before->resets, after->resets, seconds);
	r.waits = rate(before->lock_waits, after->lock_waits, seconds);
	r.blocks = rate(before->block_allocations, after->block_allocations,
		seconds);
	return r;
}

static int
compare_ids(const void *a, const void *b)
{
	const struct kvr_arena *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Add what each arena did since the sample before. Those of a report are sorted
 * by id, so that they are found. */
static void
add_rates(struct kvp_sample *s, const struct kvp_sample *before)
{
	static const kv_arena_stats_t nothing;
	double seconds = before->rows && s->when > before->when
		? (double)(s->when - before->when) / 1e9 : 0;
	struct kvp_rates *t = &s->total;
	size_t i;

	*t = unknown;
	if (seconds > 0)
		memset(t, 0, sizeof(*t));
	for (i = 0; i < s->report.n; i++) {
		struct kvp_row *row = &s->rows[i];
		const struct kvr_arena *old;
		row->arena = &s->report.arenas[i];
		row->rates = unknown;
		if (seconds <= 0)
			continue;
		old = bsearch(row->arena, before->report.arenas, before->report.n,
			sizeof(*old), compare_ids);
		row->rates = rates_of(old ? &old->stats : &nothing,
			&row->arena->stats, seconds);
		t->allocations += row->rates.allocations;
		t->bytes += row->rates.bytes;
		t->resets += row->rates.resets;
		t->waits += row->rates.waits;
		t->blocks += row->rates.blocks;
	}
}

bool
kvp_sample_read(struct kvp_sample *s, const struct kvp_sample *before,
	const char *text, size_t size, uint64_t when, unsigned *line,
	const char **message)
{
	if (!s->memory)
		s->memory = kv_arena_create(0);
	kv_arena_reset(s->memory);
	s->rows = NULL;
	s->when = when;
	if (!kvr_report_parse(&s->report, s->memory, text, size, line, message))
		return false;
	s->rows = kv_arena_calloc(s->memory, s->report.n + 1, sizeof(*s->rows));
	if (!s->rows) {
		*message = "no memory";
		return false;
	}
	if (s->report.n)
		qsort(s->report.arenas, s->report.n, sizeof(*s->report.arenas),
			compare_ids);
	add_rates(s, before);
	return true;
}

double
kvp_used_share(const kv_arena_stats_t *s)
{
	return s->current_memory_usage ? 100.0 * (double)s->used_bytes /
		(double)s->current_memory_usage : 0;
}

uint64_t
kvp_lost_bytes(const kv_arena_stats_t *s)
{
	return s->padding_bytes + s->tail_bytes + s->abandoned_bytes;
}

/* ---- Order -------------------------------------------------------------------------- */

static enum kvp_column sort_column;	/* for the comparison only */
static bool sort_backwards;

static double
key_of(const struct kvp_row *r)
{
	const kv_arena_stats_t *s = &r->arena->stats;

	switch (sort_column) {
	case KVP_HELD: return (double)s->current_memory_usage;
	case KVP_PEAK: return (double)s->peak_memory_usage;
	case KVP_USED: return kvp_used_share(s);
	case KVP_LOST: return (double)kvp_lost_bytes(s);
	case KVP_FREE: return (double)s->free_bytes;
	case KVP_BLOCKS: return (double)s->blocks;
	case KVP_ALLOCATIONS: return r->rates.allocations;
	case KVP_BYTES: return r->rates.bytes;
	case KVP_RESETS: return r->rates.resets;
	case KVP_WAITS: return r->rates.waits;
	default: return 0;
	}
}

static int
compare_rows(const void *a, const void *b)
{
	const struct kvp_row *x = a, *y = b;
	double kx = key_of(x), ky = key_of(y);
	int order = 0;

	if (kx != ky)
		order = kx > ky ? -1 : 1;
	if (!order)
		order = strcmp(x->arena->path, y->arena->path);
	if (!order)
		order = compare_ids(x->arena, y->arena);
	return sort_backwards ? -order : order;
}

void
kvp_sample_sort(struct kvp_sample *s, enum kvp_column column, bool backwards)
{
	sort_column = column;
	sort_backwards = backwards;
	if (s->rows && s->report.n)
		qsort(s->rows, s->report.n, sizeof(*s->rows), compare_rows);
}
