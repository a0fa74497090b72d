/* codemap.h -- which code lies where in the recorded program
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_CODEMAP_H
#define KVT_CODEMAP_H

#include <stdbool.h>
#include <stdint.h>

struct kvt_stream;

bool kvt_codemap_start(void);
void kvt_codemap_forget(void);

/* Tell stream of every mapping of code that is not told yet, if one of these
 * addresses lies in none that is. The lock of the sites is held. */
void kvt_codemap_cover(struct kvt_stream *stream, const uintptr_t *addresses,
	unsigned n);

/* Tell whether the address is code of the library that unwinds stacks. */
bool kvt_codemap_is_unwinder(uintptr_t address);

#endif
