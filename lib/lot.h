/* lot.h [0] -- which allocations are sampled, and what these stand for
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every 8 bytes handed out have the same chance to be drawn, whatever they belong
 * to: an allocation of n bytes is sampled with the chance 1 - exp(-n / interval).
 * What is sampled then counts as often as that chance goes into 1, so that sums over
 * samples are right on the average, for any mix of sizes, and an allocation much
 * larger than the interval counts once.
 */
#ifndef KVA_LOT_H
#define KVA_LOT_H

#include "base.h"

/* What an allocation comes to, or many. Weighted: no whole numbers. */
enum kva_amount { KVA_BYTES, KVA_OBJECTS, KVA_PADDING, KVA_ABANDONED, KVA_AMOUNTS };

struct kva_amounts {
	double of[KVA_AMOUNTS];
};

struct kva_lot {
	uint64_t interval;		/* mean bytes from one draw to the next */
	uint64_t until;			/* bytes that are not drawn yet, a multiple of
					 * 8: an allocation of more is sampled */
	uint64_t state;			/* of the random numbers */
};

/* Lots of one seed draw alike. interval is not 0. */
void kva_lot_begin(struct kva_lot *l, uint64_t interval, uint64_t seed);

/* Count n bytes, rounded up to 8. True: they are sampled. */
bool kva_lot_draw(struct kva_lot *l, size_t n);

/* The chance that kva_lot_draw gives to n bytes; n is not 0. */
double kva_lot_chance(uint64_t interval, size_t n);

#endif
