/* latency.c -- W6: how long one allocation takes, to the slowest
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every allocation is timed by itself (ticks.h), and goes into a histogram of
 * 32 steps to the octave, 3 %: HdrHistogram's shape. The clock's own median cost
 * is taken off.
 *
 * Where the clock steps by 10 ns, one reading says little below that. But the
 * i-th allocation of every warm life does the same work, while the clock's
 * phase is arbitrary: the mean over many lives has a step of 10 ns / sqrt(12 x
 * lives). The percentiles of these means are given beside those of the
 * readings ("mean 99.9 %").
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "ticks.h"

#define N 100000u
#define MAX_LIVES 1000u
#define STEPS 32u		/* to the octave */
#define SLOTS (28u * STEPS)	/* up to 2^32 ticks */

struct histogram {
	uint64_t slot[SLOTS];
	uint64_t count;
	uint32_t max;
};

static unsigned
slot_of(uint32_t ticks)
{
	unsigned octave;

	if (ticks < STEPS)
		return ticks;
	octave = 31u - (unsigned)__builtin_clz(ticks);	/* at least 5 */
	return (octave - 4) * STEPS + (ticks >> (octave - 5)) - STEPS;
}

static double
slot_value(unsigned slot)
{
	unsigned octave = slot / STEPS;

	if (!octave)
		return slot;
	return (double)((uint64_t)(STEPS + slot % STEPS) << (octave - 1));
}

static void
note(struct histogram *h, uint32_t ticks)
{
	h->slot[slot_of(ticks)]++;
	h->count++;
	if (ticks > h->max)
		h->max = ticks;
}

static double
percentile(const struct histogram *h, double percent)
{
	uint64_t want = (uint64_t)((double)h->count * percent / 100);
	uint64_t seen = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		seen += h->slot[i];
		if (seen > want)
			return slot_value(i);
	}
	return h->max;
}

/* What the clock itself takes, and what interrupts do to a loop of nothing. */
static __attribute__((__noinline__)) void
time_nothing(uint32_t *ticks)
{
	for (size_t i = 0; i < N; i++) {
		uint64_t begin = kb_ticks_begin();

		kb_sink(ticks);
		ticks[i] = (uint32_t)(kb_ticks_end() - begin);
	}
}

static double
ns_above(double ticks, double clock)
{
	return ticks > clock ? (ticks - clock) * kb_tick_ns() : 0;
}

static void
emit(const struct histogram *h, double clock)
{
	static const struct {
		const char *name;
		double percent;
	} wanted[] = {
		{ "p50", 50 }, { "p75", 75 }, { "p90", 90 }, { "p95", 95 },
		{ "p99", 99 }, { "p99.5", 99.5 }, { "p99.9", 99.9 },
		{ "p99.95", 99.95 }, { "p99.99", 99.99 },
	};

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		kb_emit(wanted[i].name, ns_above(percentile(h, wanted[i].percent),
			clock));
	kb_emit("worst", ns_above(h->max, clock));
}

static void
emit_means(double *sums, double lives, double clock)
{
	kb_median(sums, N);		/* sorts */
	kb_emit("mean50", ns_above(sums[N / 2] / lives, clock));
	kb_emit("mean99", ns_above(sums[N / 100 * 99] / lives, clock));
	kb_emit("mean99.9", ns_above(sums[N / 1000 * 999] / lives, clock));
	kb_emit("mean_max", ns_above(sums[N - 1] / lives, clock));
	kb_emit("lives", lives);
}

int
kb_run_latency(const struct cell *c)
{
	static struct histogram h, nothing;
	char column[16];
	uint32_t *sizes = kb_room(N * sizeof *sizes);
	uint32_t *ticks = kb_room(N * sizeof *ticks);
	double *sums = kb_room(N * sizeof *sums);
	struct life l = { .kept = kb_room(N * sizeof(void *)), .expect_n = N };
	bool cold = strstr(c->column, "cold") != NULL;
	static double most[MAX_LIVES];		/* of each life */
	double clock, clock_mean = 0;
	size_t lives = 0;
	uint64_t begin;

	snprintf(column, sizeof column, "%.*s", (int)strcspn(c->column, "-"),
		c->column);
	l.expect_bytes = kb_mix(column, c->seed, sizes, N);
	kb_pin(kb_cpus() - 1);
	kb_tick_ns();
	for (int i = 0; i < 3; i++)
		time_nothing(ticks);
	for (size_t i = 0; i < N; i++) {
		note(&nothing, ticks[i]);
		clock_mean += (double)(ticks[i] < 1000 ? ticks[i] : 0) / N;
	}
	clock = percentile(&nothing, 50);

	if (!kb_open(c, &l))
		return 1;
	for (int i = 0; !cold && i < 3; i++) {
		c->peer->loops->timed(&l, sizes, N, ticks);
		kb_end(c, &l);
	}
	begin = kb_now();
	do {
		uint32_t max = 0;

		c->peer->loops->timed(&l, sizes, N, ticks);
		kb_end(c, &l);
		for (size_t i = 0; i < N; i++) {
			note(&h, ticks[i]);
			sums[i] += ticks[i];
			max = ticks[i] > max ? ticks[i] : max;
		}
		most[lives++] = ns_above(max, clock);
	} while (!cold && lives < MAX_LIVES && (lives < 16 ||
		kb_now() - begin < (uint64_t)c->budget_ms * 1000000u));
	emit(&h, clock);
	kb_emit("max", kb_median(most, lives));
	kb_emit("least_max", most[0]);
	if (!cold)
		emit_means(sums, (double)lives, clock_mean);
	kb_emit("clock", clock * kb_tick_ns());
	kb_emit("nothing_max", ns_above(nothing.max, clock));
	kb_emit("step", kb_tick_step());
	c->peer->close(&l);
	return 0;
}
