/* site.h -- call sites, as numbers
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A call site is the chain of return addresses that led to the allocator. Each
 * chain is written to the file once and then named by its number; so is each
 * mapping of code that a chain lies in.
 */
#ifndef KVT_SITE_H
#define KVT_SITE_H

#include <stdbool.h>
#include <stdint.h>

struct kvt_stream;

/* Once per recording: set the tables up; and in a forked child empty them. */
bool kvt_site_start(void);
void kvt_site_forget(void);

/* Return the number of the calling chain that begins at caller; 0: unknown.
 * Tells stream of it where it is new. */
uint32_t kvt_site_of(struct kvt_stream *stream, uintptr_t caller);

#endif
