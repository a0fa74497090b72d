/* thread.c [5] -- what a thread knows of its shards
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "thread.h"

#include <string.h>

#define REMEMBERED 8	/* 128 bytes of the 1.6 KiB that dlopen leaves us */

#if defined(__ELF__)
#define THREAD_LOCAL __thread __attribute__((__tls_model__("initial-exec")))
#else
#define THREAD_LOCAL __thread
#endif

THREAD_LOCAL struct kv_arena_mine kv_arena_mine;

static THREAD_LOCAL struct {
	uint64_t token;
	struct kva_shard *shards;
	bool stays, ended;
	struct kv_arena_mine table[REMEMBERED];
} self;

static uint64_t last_token;	/* atomic; relaxed: only unique */

uint64_t
kva_thread_token(void)
{
	if (self.token == 0)
		self.token = kva_add_relaxed(&last_token, 1) + 1;
	return self.token;
}

static struct kv_arena_mine *
slot_of(uint64_t key)
{
	return &self.table[(key >> 4) % REMEMBERED];
}

struct kva_shard *
kva_thread_recall(uint64_t key)
{
	struct kv_arena_mine *slot = slot_of(key);

	if (slot->key != key)
		return NULL;
	kv_arena_mine = *slot;
	return kva_container(slot->bump, struct kva_shard, window.bump);
}

void
kva_thread_remember(uint64_t key, struct kva_shard *s)
{
	struct kv_arena_mine *slot = slot_of(key);

	slot->key = key;
	slot->bump = &s->window.bump;
	kv_arena_mine = *slot;
}

struct kva_shard **
kva_thread_shards(void)
{
	return &self.shards;
}

bool
kva_thread_may_stay(void)
{
	int error = errno;	/* of a call that is about to return it */

	if (!self.stays && !self.ended) {
		self.stays = kva_os.exit_value(&self) == 0;
		errno = error;
	}
	return self.stays;
}

void
kva_thread_forget(uint64_t key)
{
	slot_of(key)->key = 0;
	kv_arena_mine.key = 0;
}

void
kva_thread_end(void)
{
	self.stays = false;
	self.ended = true;
	memset(self.table, 0, sizeof self.table);
	kv_arena_mine.key = 0;
}
