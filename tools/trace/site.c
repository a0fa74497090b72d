/* site.c -- call sites, as numbers
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Chains are told apart by a 64-bit hash of their addresses. The table is read
 * without a lock; a new chain is entered under one.
 *
 *	Edge S1: a slot's number is written before its hash is released, so who
 *	         acquires a hash sees the number. Slots are never changed after.
 *
 * The unwinder must not be entered from itself: a program that throws may have
 * it allocate while it holds its lock. Such calls have a chain of one frame.
 */
#include "config.h"

#include "codemap.h"
#include "recording.h"
#include "site.h"
#include "stream.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unwind.h>

#define SLOTS (1u << 20)
#define MAX_SITES (SLOTS / 2)

struct slot {
	uint64_t hash;			/* atomic, S1; 0: empty */
	uint32_t id;
};

static struct slot *slots;
static uint32_t nsites;			/* under lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct chain {
	uintptr_t caller;
	unsigned n;
	unsigned wanted;
	uintptr_t frames[KVT_MAX_DEPTH];
};

bool
kvt_site_start(void)
{
	if (!slots)
		slots = kvt_pages(SLOTS * sizeof(*slots));
	return slots && kvt_codemap_start();
}

void
kvt_site_forget(void)
{
	static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

	madvise(slots, SLOTS * sizeof(*slots), MADV_DONTNEED);
	nsites = 0;
	lock = fresh;
	kvt_codemap_forget();
}

/* Our own frames come first; the chain begins with the caller. */
static _Unwind_Reason_Code
note_frame(struct _Unwind_Context *context, void *arg)
{
	struct chain *c = arg;
	uintptr_t ip = (uintptr_t)_Unwind_GetIP(context);

	if (c->n == 0 && ip != c->caller)
		return _URC_NO_REASON;
	if (ip == 0)
		return _URC_END_OF_STACK;
	c->frames[c->n++] = ip;
	return c->n == c->wanted ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void
walk(struct chain *c)
{
	if (c->wanted > 1 && !kvt_codemap_is_unwinder(c->caller))
		_Unwind_Backtrace(note_frame, c);
	if (c->n == 0)
		c->frames[c->n++] = c->caller;
}

static uint64_t
hash_of(const struct chain *c)
{
	uint64_t h = c->n;
	unsigned i;

	for (i = 0; i < c->n; i++) {
		h = (h ^ c->frames[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h ? h : 1;
}

/* Return the slot of a hash, or the empty one where it belongs. */
static struct slot *
find(uint64_t hash)
{
	uint64_t i = hash & (SLOTS - 1);

	for (;;) {
		uint64_t h = __atomic_load_n(&slots[i].hash, __ATOMIC_ACQUIRE);
		if (h == hash || h == 0)	/* S1 */
			return &slots[i];
		i = (i + 1) & (SLOTS - 1);
	}
}

/* Enter a new chain. The lock is held. */
static uint32_t
enter_locked(struct kvt_stream *stream, struct slot *slot,
	const struct chain *c, uint64_t hash)
{
	if (nsites == MAX_SITES) {
		__atomic_fetch_or(&kvt_recording_header()->flags,
			KVT_FLAG_SITES_FULL, __ATOMIC_RELAXED);
		return 0;
	}
	kvt_codemap_cover(stream, c->frames, c->n);
	if (!kvt_stream_tell_site(stream, nsites + 1, c->frames, c->n))
		return 0;
	slot->id = ++nsites;
	__atomic_store_n(&slot->hash, hash, __ATOMIC_RELEASE);	/* S1 */
	return slot->id;
}

uint32_t
kvt_site_of(struct kvt_stream *stream, uintptr_t caller)
{
	struct chain c;
	struct slot *slot;
	uint64_t hash;
	uint32_t id;

	c.caller = caller;
	c.n = 0;
	c.wanted = kvt_recording_header()->depth;
	walk(&c);
	hash = hash_of(&c);
	slot = find(hash);
	if (__atomic_load_n(&slot->hash, __ATOMIC_ACQUIRE) == hash)
		return slot->id;

	pthread_mutex_lock(&lock);
	slot = find(hash);
	if (slot->hash == hash)
		id = slot->id;
	else
		id = enter_locked(stream, slot, &c, hash);
	pthread_mutex_unlock(&lock);
	return id;
}
