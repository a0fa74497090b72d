/* common.h -- the function that many call sites lie below
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_COMMON_H
#define KVT_COMMON_H

#include "symbol.h"

/* weights: of each site, by number. Return the innermost function that nearly
 * all of the weight lies below, or NULL: chains are too short to meet. */
const char *kvt_common_function(struct kvt_symbols *symbols,
	const struct kvt_trace *trace, const uint64_t *weights);

#endif
