/* fold.h -- rare call sites, taken together
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_FOLD_H
#define KVT_FOLD_H

#include "symbol.h"

/* Shorten the chains of sites with few objects at their outer ends, until those
 * that have become equal have enough objects together to be judged. The objects
 * then name the shortened sites, which are added to the trace's. */
void kvt_fold_sites(struct kvt_trace *trace, struct kvt_symbols *symbols);

#endif
