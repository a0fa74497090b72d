/* seal.h [6] -- arenas that can only be read
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_SEAL_H
#define KVA_SEAL_H

#include "arena.h"

/* Make every block read-only, or writable again. -1: ENOTSUP, a block does not
 * have pages to itself; or what the system says. Nobody else is inside. */
int kva_seal(struct kva_arena *a);
int kva_unseal(struct kva_arena *a);

/* After a reset, which dropped every block that could not be unsealed: allow
 * allocation again. */
void kva_seal_end(struct kva_arena *a);

#endif
