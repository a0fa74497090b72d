/* learn.h [1] -- how large arenas of a name become
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Threads: the caller holds the registry's lock.
 */
#ifndef KVA_LEARN_H
#define KVA_LEARN_H

#include "base.h"

/* An arena of this name held so many bytes when it was reset or destroyed. */
void kva_learn_note(const char *name, size_t bytes);

/* What nine in ten of the latest arenas of this name stayed within; 0: unknown. */
size_t kva_learn_size(const char *name);

#endif
