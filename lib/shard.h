/* shard.h [5] -- one arena, many threads
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each thread that allocates from a shared arena has a shard of it: a window of
 * its own, cut from the arena's front. Shards belong to the arena, so memory
 * outlives the thread that asked for it; a thread that ends leaves its shards to
 * be adopted by the next that needs one.
 *
 * Locks, in the order they are taken (L1 before L2 ...):
 *   L1  the registry's (registry.h): which arenas live, which shards a thread has
 *   L2  a team's: the arena core, its shards' owners and windows' bounds
 *   L3  the caches', a cache's, the cells', the sites'
 * None is held while memory is asked for or a function of the caller's runs.
 *
 * Who may run with whom ("-" freely, "X" the caller excludes):
 *                 alloc  stats  thread ends  reset  destroy
 *   alloc           -      -         -         X       X
 *   stats           -      -         -         X       X
 *   thread ends     -      -         -         -       -
 *   reset           X      X         -         X       X
 *   destroy         X      X         -         X       X
 *
 * Edges:
 *   E1  what a shard's owner wrote before its thread ended is seen by the thread
 *       that adopts it: both hold L2.
 *   E2  a block's descriptor is written before it is installed under L2, and read
 *       under L2.
 *   E3  a shard's window bounds change under L2, by its owner; its cur and tally
 *       change without, and are read relaxed: a reader gets a value that was
 *       true, and exact ones once it is synchronised with the owner's work.
 * Progress: the fast path is wait-free; the slow path blocks on L2.
 * ABA: a thread-local entry names an arena by its key, and no key is used twice.
 */
#ifndef KVA_SHARD_H
#define KVA_SHARD_H

#include "arena.h"

#include <pthread.h>

struct kva_shard {
	struct kva_window window;	/* first: the fast path sees its bump */
	struct kva_arena *arena;
	struct kva_front *front;	/* where its last share was cut */
	size_t share;			/* bytes the next share should have */
	uint64_t owner;			/* under L2: a thread's token; 0: nobody's */
	struct kva_shard *next;		/* of the arena, newest first */

	struct kva_shard *next_of_thread;	/* under L1 */
	struct kva_shard **link_of_thread;
};

struct kva_team {
	pthread_mutex_t lock;		/* L2; guards the arena and what follows */
	struct kva_shard *shards;
	unsigned nshards;
	uint64_t handovers;
	uint64_t waits;			/* atomic */
};

/* A team for an arena, or NULL: ENOMEM. */
struct kva_team *kva_team_create(void);

/* Destroy it with all its shards; no thread is inside. */
void kva_team_destroy(struct kva_arena *a);

void kva_team_lock(struct kva_arena *a);
void kva_team_unlock(struct kva_arena *a);

/* L2 of an arena that has one; an UNSAFE arena's caller is alone. */
static inline void
kva_arena_lock(struct kva_arena *a)
{
	if (a->team)
		kva_team_lock(a);
}

static inline void
kva_arena_unlock(struct kva_arena *a)
{
	if (a->team)
		kva_team_unlock(a);
}

/* The calling thread's shard, bound now if it had none; NULL: ENOMEM. */
struct kva_shard *kva_shard_mine(struct kva_arena *a);

/* The calling thread's shard if it has one; else NULL. */
struct kva_shard *kva_shard_find(struct kva_arena *a);

/* The call is over: a guest hands the shard back. */
void kva_shard_leave(struct kva_shard *s);

/* Allocate for the calling thread; arguments are checked. */
void *kva_shard_alloc(struct kva_shard *s, size_t size, size_t alignment);

/* Have size bytes fit the thread's window, unallocated. -1: ENOMEM. */
int kva_shard_reserve(struct kva_shard *s, size_t size);

/* Shut all windows before a reset; give a lone shard its share again after it.
 * Nobody else is inside. */
void kva_team_reset(struct kva_arena *a);
void kva_team_restart(struct kva_arena *a);

/* Around fork: L2 of one arena, and in the child the shards of other threads. */
void kva_team_fork_child(struct kva_arena *a);

#endif
