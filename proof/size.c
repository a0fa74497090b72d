/* size.c -- lib/size.h, for Frama-C
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "base.h"
#include "words.h"

/*@ requires x > 0;
  @ assigns \nothing;
  @ ensures 0 <= \result < 64;
  @ ensures 1 << (63 - \result) <= x < 1 << (64 - \result); */
int __builtin_clzll(unsigned long long x);

#include "size.h"
