/* clock.c -- time and processors
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "ticks.h"

uint64_t
kb_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* 20 ms: the two clocks are read within 100 ns, so 5 parts in a million. */
double
kb_tick_ns(void)
{
	static double tick;
	uint64_t ns, ticks;

	if (tick > 0)
		return tick;
	ns = kb_now();
	ticks = kb_ticks_begin();
	while (kb_now() - ns < 20000000u)
		;
	ticks = kb_ticks_end() - ticks;
	ns = kb_now() - ns;
	tick = (double)ns / (double)ticks;
	return tick;
}

/* The greatest common divisor of many differences is the step. */
double
kb_tick_step(void)
{
	uint64_t step = 0;
	uint64_t before = kb_ticks_begin();

	for (int i = 0; i < 20000; i++) {
		uint64_t now = kb_ticks_end();
		uint64_t a = step;
		uint64_t b = now - before;

		while (b) {
			uint64_t rest = a % b;

			a = b;
			b = rest;
		}
		step = a;
		before = now;
	}
	return (double)step * kb_tick_ns();
}

unsigned
kb_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

#ifdef __linux__
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof set, &set))
		n = CPU_COUNT(&set);
#endif
	return n > 0 ? (unsigned)n : 1;
}

void
kb_pin(unsigned cpu)
{
#ifdef __linux__
	cpu_set_t all, one;
	unsigned seen = 0;

	if (sched_getaffinity(0, sizeof all, &all))
		return;
	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all) || seen++ != cpu)
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		sched_setaffinity(0, sizeof one, &one);
		return;
	}
#else
	(void)cpu;
#endif
}
