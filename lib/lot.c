/* lot.c [0] -- which allocations are sampled, and what these stand for
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The distance from one draw to the next is exponentially distributed, which has no
 * memory: a window may forget how far it has come, or take bytes back, and draws
 * stay fair. Neither a logarithm nor an exponential of libm is needed, which the
 * library does not link.
 */
#include "lot.h"
#include "size.h"

#define NEVER ((uint64_t)1 << 62)

/* splitmix64: any seed will do, and so will its neighbour. */
static uint64_t
next_bits(struct kva_lot *l)
{
	uint64_t z = l->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* At least 0 and below 1. */
static double
uniform(struct kva_lot *l)
{
	return (double)(next_bits(l) >> 11) * 0x1p-53;
}

/* Whether a falling row of numbers that begins with first has an odd length: the
 * chance of it is exp(-first). */
static bool
falls_oddly(struct kva_lot *l, double first)
{
	double last = first, next;
	bool odd = true;

	while ((next = uniform(l)) < last) {
		last = next;
		odd = !odd;
	}
	return odd;
}

/* An exponentially distributed number of mean 1, by comparing (von Neumann, 1951). */
static double
exponential(struct kva_lot *l)
{
	double whole = 0, part;

	while (part = uniform(l), !falls_oddly(l, part))
		whole++;
	return whole + part;
}

static void
draw_next(struct kva_lot *l)
{
	double distance = exponential(l) * (double)l->interval;

	l->until = distance < (double)NEVER
		? (uint64_t)distance & ~(uint64_t)(KV_ARENA_ALIGNMENT - 1) : NEVER;
}

void
kva_lot_begin(struct kva_lot *l, uint64_t interval, uint64_t seed)
{
	l->interval = interval;
	l->state = seed;
	draw_next(l);
}

bool
kva_lot_draw(struct kva_lot *l, size_t n)
{
	uint64_t rounded = kva_round_up(n, KV_ARENA_ALIGNMENT);

	if (rounded <= l->until) {
		l->until -= rounded;
		return false;
	}
	draw_next(l);
	return true;
}

/* Halved until a short series is exact to 12 digits, and doubled again:
 * 1 - exp(-2x) = q (2 - q) where q = 1 - exp(-x). */
double
kva_lot_chance(uint64_t interval, size_t n)
{
	double x = (double)kva_round_up(n, KV_ARENA_ALIGNMENT) / (double)interval, q;
	unsigned halvings = 0;

	if (x > 64)
		return 1;
	while (x > 1. / 32) {
		x /= 2;
		halvings++;
	}
	q = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6)))));
	while (halvings-- > 0)
		q *= 2 - q;
	return q;
}
