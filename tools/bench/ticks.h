/* ticks.h -- the finest clock, around one allocation
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * On x86 the time stamp counter, fenced so that nothing measured leaks out and
 * nothing else leaks in. Some processors advance it in steps of 10 ns; the
 * step is measured and printed (clock.c).
 */
#ifndef KB_TICKS_H
#define KB_TICKS_H

#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>

static inline uint64_t
kb_ticks_begin(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

static inline uint64_t
kb_ticks_end(void)
{
	return kb_ticks_begin();
}

#else
#include "bench.h"

static inline uint64_t
kb_ticks_begin(void)
{
	return kb_now();
}

static inline uint64_t
kb_ticks_end(void)
{
	return kb_now();
}
#endif

#endif
