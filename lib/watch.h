/* watch.h [1] -- telling memory checkers what is handed out
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Under AddressSanitizer, MemorySanitizer and Valgrind, memory that is not handed
 * out is poisoned: bytes past an allocation, after reset and rewind, and in the
 * cache. Whether a checker is there is found out when the program runs, not when
 * the library is built. Watched arenas lower the visible end of their windows to
 * cur, so that every allocation comes by the slow path and is announced; without
 * a checker the calls below cost a test of a flag on paths that are slow anyway.
 */
#ifndef KVA_WATCH_H
#define KVA_WATCH_H

#include "base.h"

/* Bytes left poisoned behind each watched allocation. */
#define KVA_WATCH_GAP 16

/* Whether a checker is at work in this process. */
bool kva_watch_on(void);

/* p .. p + size may not be touched / may be, contents undefined / as they are. */
void kva_watch_forbid(const void *p, size_t size);
void kva_watch_allow(const void *p, size_t size);
void kva_watch_restore(const void *p, size_t size);

/* Until p is freed, p .. p + size is read by any thread while one writes it, both
 * atomically: helgrind and DRD, which see the locks alone, need not tell. */
void kva_watch_atomic(const void *p, size_t size);

/* "asan", "msan", "valgrind" or "none". */
const char *kva_watch_name(void);

#endif
