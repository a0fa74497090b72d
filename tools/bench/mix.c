/* mix.c -- the sizes
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 *   N         every allocation N bytes
 *   seed      the ancestor's: (i % 1000) + 1
 *   kv        keys with values: 32..200 bytes, skewed to small ones (32 + 168u^3
 *             for a uniform u; mean 74)
 *   strings   lengths of words with their NUL: 2..40 bytes (2 + 38u^2; mean 14)
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

uint64_t
kb_random(uint64_t *state)	/* splitmix64 */
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static double
uniform(uint64_t *state)
{
	return (double)(kb_random(state) >> 11) / 9007199254740992.0;	/* 2^53 */
}

static uint32_t
size_of(const char *column, size_t i, uint64_t *state)
{
	double u;

	if (!strcmp(column, "seed"))
		return (uint32_t)(i % 1000 + 1);
	u = uniform(state);
	if (!strcmp(column, "kv"))
		return 32 + (uint32_t)(169 * u * u * u);
	if (!strcmp(column, "strings"))
		return 2 + (uint32_t)(39 * u * u);
	return (uint32_t)strtoul(column, NULL, 10);
}

size_t
kb_mix(const char *column, uint64_t seed, uint32_t *sizes, size_t n)
{
	uint64_t state = seed;
	size_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sizes[i] = size_of(column, i, &state);
		if (!sizes[i])
			return 0;
		sum += (sizes[i] + 15u) & ~(size_t)15;
	}
	return sum;
}
