/* life.c -- W1, W2, W3 and scale: one thread, lives one after another
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A unit is what the clock is read around: some lives of n allocations each, after
 * one that is not timed, so that what the first finds in the processor's caches is
 * what the same loop left there. Units of the peer and of the limit alternate until
 * the budget is used up; the medians are printed.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define MAX_UNITS 2000
#define LEAST_UNITS 3

struct plan {
	size_t n;		/* allocations in a life */
	size_t lives;		/* in a unit */
	bool anew;		/* create and destroy, or reset */
	bool cold;		/* the first life of the process is the measurement */
	uint32_t *sizes;
	struct life life;
};

static long
faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt + u.ru_majflt;
}

static bool
make_plan(const struct cell *c, struct plan *p)
{
	const char *sizes = c->column;

	p->n = 100000;
	p->anew = !strncmp(c->workload, "W1", 2);
	p->cold = !strcmp(c->workload, "W1-cold");
	p->lives = p->cold ? 1 : 8;
	if (!strcmp(c->workload, "W3")) {
		p->n = 1000;
		p->lives = 100;
	}
	if (!strcmp(c->workload, "scale")) {
		size_t bytes = strtoul(c->column, NULL, 10) * 1024;

		sizes = "64";
		p->anew = true;
		p->n = bytes / 64;
		p->lives = p->n < 16384 ? 16384 / p->n : 1;
	}
	p->sizes = kb_room(p->n * sizeof *p->sizes);
	p->life.kept = kb_room(p->n * sizeof(void *));
	p->life.expect_n = p->n;
	p->life.expect_bytes = kb_mix(sizes, c->seed, p->sizes, p->n);
	return p->life.expect_bytes > 0;
}

static void
live(const struct cell *c, struct plan *p)
{
	if (p->anew && !kb_open(c, &p->life))
		exit(1);
	c->peer->loops->pass[c->touch](&p->life, p->sizes, p->n);
	if (p->anew)
		c->peer->close(&p->life);
	else
		kb_end(c, &p->life);
}

/* Nanoseconds per allocation. */
static double
unit(const struct cell *c, struct plan *p)
{
	uint64_t begin;

	if (!p->cold)
		live(c, p);
	begin = kb_now();
	for (size_t i = 0; i < p->lives; i++)
		live(c, p);
	return (double)(kb_now() - begin) / (double)(p->lives * p->n);
}

/* Every peer at its warmest: blocks that went back to the C library's heap stay
 * there. */
static void
never_trim(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
	mallopt(M_TOP_PAD, 64 << 20);
#endif
}

static int
count(const struct cell *c, struct plan *p)
{
	enum { UNITS = 2 };

	for (int i = 0; i < UNITS; i++)
		unit(c, p);
	syscall(KB_MARK);
	for (int i = 0; i < UNITS; i++)
		unit(c, p);
	syscall(KB_MARK);
	kb_emit("counted", (double)(UNITS * (1 + p->lives) * p->n));
	return 0;
}

static void
measure(const struct cell *c, struct plan *p)
{
	static double ours[MAX_UNITS], limits[MAX_UNITS];
	struct cell limit = *c;
	struct plan limit_plan = *p;
	uint64_t begin;
	long faulted = 0;
	size_t n = 0;

	memset(ours, 1, sizeof ours);		/* or its pages fault later */
	memset(limits, 1, sizeof limits);
	limit.peer = &kb_limit;
	if (!kb_open(&limit, &limit_plan.life))
		exit(1);
	begin = kb_now();
	for (int i = 0; i < 2; i++) {
		unit(&limit, &limit_plan);
		unit(c, p);
		if (kb_now() - begin > (uint64_t)c->budget_ms * 1000000u)
			break;
	}
	begin = kb_now();
	while (n < MAX_UNITS && (n < LEAST_UNITS ||
		kb_now() - begin < (uint64_t)c->budget_ms * 1000000u)) {
		long before;

		limits[n] = unit(&limit, &limit_plan);
		before = faults();
		ours[n] = unit(c, p);
		faulted += faults() - before;
		n++;
	}
	kb_emit("faults", 1000.0 * (double)faulted / (double)(n * (1 + p->lives) * p->n));
	kb_emit("ns", kb_median(ours, n));
	kb_emit("best", ours[0]);
	kb_emit("limit", kb_median(limits, n));
}

int
kb_run_life(const struct cell *c)
{
	struct plan p = { 0 };

	if (!make_plan(c, &p))
		return 2;
	kb_pin(kb_cpus() - 1);
	if (!strcmp(c->workload, "W1-notrim"))
		never_trim();
	if (p.cold) {
		long before = faults();
		double ns = unit(c, &p);

		kb_emit("faults", 1000.0 * (double)(faults() - before) / (double)p.n);
		kb_emit("ns", ns);
		return 0;
	}
	if (!p.anew && !kb_open(c, &p.life))
		return 1;
	if (c->count)
		return count(c, &p);
	measure(c, &p);
	return 0;
}
