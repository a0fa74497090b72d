/* atomic.h [0] -- atomic operations named by their order
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The only file of the library that spells memory orders, so that one word finds
 * every use of each. (The inline header, which must stand alone, has the two
 * relaxed stores of the fast path.) They work on plain objects, as the public
 * header's structs are compiled by C99 and C++ programs too.
 */
#ifndef KVA_ATOMIC_H
#define KVA_ATOMIC_H

#define kva_load_relaxed(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define kva_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define kva_store_relaxed(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define kva_store_release(p, v)		__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define kva_add_relaxed(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define kva_sub_relaxed(p, v)		__atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define kva_cas_weak_relaxed(p, expected, v)				\
	__atomic_compare_exchange_n((p), (expected), (v), true,		\
		__ATOMIC_RELAXED, __ATOMIC_RELAXED)

/* One writer, many readers: add without a locked instruction. */
#define kva_bump_relaxed(p, v)						\
	kva_store_relaxed((p), kva_load_relaxed(p) + (v))

#endif
