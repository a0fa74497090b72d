/* panic.h [0] -- the end, for corruption that was detected
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The only place where the library prints unasked, and the only one where it ends
 * the program: to go on would hand out memory that is not ours to give.
 */
#ifndef KVA_PANIC_H
#define KVA_PANIC_H

#include "base.h"

/* Write "kvarena: " and one line to stderr, and abort. */
_Noreturn void kva_panic(const char *format, ...) KV_ARENA_PRINTF(1, 2);

#endif
