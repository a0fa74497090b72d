/* thread.c [5] -- what a thread knows of its shards
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "thread.h"

#include <string.h>

#define REMEMBERED 8	/* 128 bytes of the 1.6 KiB that dlopen leaves us */

struct self {
	struct kva_shard *shards;
	bool stays, ended;
	struct kv_arena_mine table[REMEMBERED];
};

static uint64_t last_token;	/* atomic; relaxed: only unique */

/* Linux keeps a thread-local until the thread has run all its destructors. Others
 * may free it with the first, which is why they have records; a thread without one
 * is a guest. */
#ifdef KV_OS_LINUX
static __thread KV_ARENA_NEAR struct self own;

static struct self *
self(void)
{
	return &own;
}

static bool
has_hook(struct self *me)
{
	int error = errno;	/* of a call that is about to return it */
	bool has = kva_os.exit_value(me) == 0;

	errno = error;
	return has;
}
#else
static struct self *
self(void)
{
	int error = errno;	/* of a call that is about to return it */
	struct self *me = kva_os.record(sizeof(struct self));

	errno = error;
	return me;
}

static bool
has_hook(struct self *me)
{
	(void)me;
	return true;
}
#endif

/* What the fast path sees, where it can see a thread-local of ours at all. */
#if defined(__ELF__)
__thread KV_ARENA_NEAR struct kv_arena_mine kv_arena_mine;

static void
show(struct kv_arena_mine mine)
{
	kv_arena_mine = mine;
}
#else
static void
show(struct kv_arena_mine mine)
{
	(void)mine;
}
#endif

static void
show_none(void)
{
	show((struct kv_arena_mine){ 0, NULL });
}

/* Guests have one too. A thread whose thread-locals are gone gets another, and
 * finds its shards in its record. */
uint64_t
kva_thread_token(void)
{
	static __thread KV_ARENA_NEAR uint64_t token;

	if (token == 0)
		token = kva_add_relaxed(&last_token, 1) + 1;
	return token;
}

static struct kv_arena_mine *
slot_of(struct self *me, uint64_t key)
{
	return &me->table[(key >> 4) % REMEMBERED];
}

struct kva_shard *
kva_thread_recall(uint64_t key)
{
	struct self *me = self();
	struct kv_arena_mine *slot;

	if (!me)
		return NULL;
	slot = slot_of(me, key);
	if (slot->key != key)
		return NULL;
	show(*slot);
	return kva_container(slot->bump, struct kva_shard, window.bump);
}

void
kva_thread_remember(uint64_t key, struct kva_shard *s)
{
	struct kv_arena_mine mine = { key, &s->window.bump };
	struct self *me = self();

	if (!me)
		return;
	*slot_of(me, key) = mine;
	show(mine);
}

struct kva_shard **
kva_thread_shards(void)
{
	return &self()->shards;
}

struct kva_shard **
kva_thread_shards_of(void *value)
{
	struct self *me = value;

	return &me->shards;
}

bool
kva_thread_may_stay(void)
{
	struct self *me = self();

	if (!me)
		return false;
	if (!me->stays && !me->ended)
		me->stays = has_hook(me);
	return me->stays;
}

void
kva_thread_forget(uint64_t key)
{
	struct self *me = self();

	if (me)
		slot_of(me, key)->key = 0;
	show_none();
}

void
kva_thread_end(void *value)
{
	struct self *me = value ? value : self();

	me->stays = false;
	me->ended = true;
	memset(me->table, 0, sizeof me->table);
	show_none();
}
