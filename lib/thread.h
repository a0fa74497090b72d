/* thread.h [5] -- what a thread knows of its shards
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A thread keeps the shards it used lately in a small table, so that one which
 * works on several arenas finds each without a lock. The table has no owner: a
 * stale entry has a key that is never looked up again.
 */
#ifndef KVA_THREAD_H
#define KVA_THREAD_H

#include "shard.h"

/* A number that no other thread has or had. */
uint64_t kva_thread_token(void);

/* The shard remembered under a key, or NULL; made the one the fast path sees. */
struct kva_shard *kva_thread_recall(uint64_t key);
void kva_thread_remember(uint64_t key, struct kva_shard *s);

/* The list of the shards of the calling thread, which may stay, or of the one that
 * ends with this value. L1 is held. */
struct kva_shard **kva_thread_shards(void);
struct kva_shard **kva_thread_shards_of(void *value);

/* Have the shards handed back when the thread ends; the hook gets the value that
 * kva_thread_shards_of and kva_thread_end want. False: that cannot be had, or
 * the thread is ending already; then it is a guest, which keeps no shard beyond a
 * call, for nobody would hand it back. */
bool kva_thread_may_stay(void);

/* Forget one key, or everything because the thread ends; NULL: the calling one. */
void kva_thread_forget(uint64_t key);
void kva_thread_end(void *value);

#endif
