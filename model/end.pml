/* end.pml -- an arena ends while threads that used it end, or go on elsewhere
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/create.c's end, with lib/registry.c's kva_registry_remove and thread_ends,
 * lib/shard.c's bind_shard and lib/thread.c's table. Threads use an arena; a thread
 * may end or go on to a new arena, which is given the memory of the old one, as
 * malloc would. The owner destroys the first arena when no thread is inside: but
 * threads that have its shards may be ending, and all remember it.
 *
 * Holds: nothing that was freed is read or written; a thread never takes a shard of
 * a dead arena for one of a living one; at the end no thread's list has a shard of
 * a dead arena, and every shard of a living one is nobody's.
 *
 * Broken on purpose:
 *   -DNOUNLINK    destroy leaves the shards in their threads' lists
 *   -DNOL1        a thread that ends walks its list without L1
 *   -DLATEOWNER   a thread that ends marks its shard after it gave L1 up
 *   -DSAMEKEY     the new arena has the old one's key
 *   -DFREEFIRST   destroy frees the shards before it leaves the registry
 */
#ifndef THREADS
#define THREADS 2
#endif
#define ARENAS 2		/* the second has the first one's memory */

byte L1;			/* _pid + 1 of who holds it */

typedef Arena {
	bool lives;		/* its memory may be touched */
	byte key;
	byte L2;
	/* One shard for each thread, for these are about links, not adoption. */
	bool bound[THREADS];	/* the shard is there */
	byte owner[THREADS];
};

Arena arena[ARENAS];
bool linked[ARENAS * THREADS];	/* arena's shard is in the thread's list */
bool inside[THREADS];		/* in a call on the first arena */
bool first_over;		/* the owner wants it ended: no new calls */

#define lock(l)		atomic { l == 0 -> l = _pid + 1 }
#define unlock(l)	atomic { assert(l == _pid + 1); l = 0 }
#define touch(a)	assert(arena[a].lives)

inline bind(a)
{
	lock(L1);
	touch(a);
	lock(arena[a].L2);
	arena[a].bound[me] = true;
	arena[a].owner[me] = me + 1;
	unlock(arena[a].L2);
	linked[a * THREADS + me] = true;
	unlock(L1);
	key = arena[a].key;
	shard = a
}

/* A call: the fast path, if what the thread remembers has the arena's key. */
inline use(a)
{
	touch(a);
	if
	:: key == arena[a].key ->
		assert(shard == a);	/* not the shard of another */
		touch(shard)
	:: else -> bind(a)
	fi;
	touch(a);
	assert(arena[a].owner[me] == me + 1)
}

proctype thread(byte me)
{
	byte key, shard, i;

	/* Into the first arena, unless it is over already. */
	if
	:: atomic { !first_over -> inside[me] = true };
		use(0);
		inside[me] = false
	:: skip
	fi;
	/* On to the second, when it is there. */
	if
	:: arena[1].lives -> use(1)
	:: skip
	fi;

	/* thread_ends */
#ifndef NOL1
	lock(L1);
#endif
	i = 0;
	do
	:: i < ARENAS ->
		if
		:: linked[i * THREADS + me] ->
#ifdef NOL1
			lock(L1);
			linked[i * THREADS + me] = false;
			unlock(L1);
#else
			linked[i * THREADS + me] = false;
#endif
#ifndef LATEOWNER
			touch(i);
			lock(arena[i].L2);
			touch(i);
			arena[i].owner[me] = 0;
			unlock(arena[i].L2)
#endif
		:: else
		fi;
		i++
	:: else -> break
	od;
#ifndef NOL1
	unlock(L1);
#endif
#ifdef LATEOWNER
	i = 0;
	do
	:: i < ARENAS ->
		if
		:: arena[i].owner[me] == me + 1 ->
			touch(i);
			arena[i].owner[me] = 0
		:: else
		fi;
		i++
	:: else -> break
	od;
#endif
	/* Nothing remembered: thread.c's table is cleared. */
	atomic { key = 0; shard = 0; i = 0 }
}

inline unlink_shards()
{
	lock(L1);
	i = 0;
	do
	:: i < THREADS ->
#ifndef NOUNLINK
		if
		:: arena[0].bound[i] ->
			touch(0);
			linked[0 * THREADS + i] = false
		:: else
		fi;
#endif
		i++
	:: else -> break
	od;
	unlock(L1)
}

proctype destroyer()
{
	byte i;

	first_over = true;
	i = 0;
	do			/* no thread is inside: that is the caller's duty */
	:: i < THREADS -> !inside[i]; i++
	:: else -> break
	od;
#ifdef FREEFIRST
	arena[0].lives = false;
	unlink_shards();
#else
	unlink_shards();
	arena[0].lives = false;
#endif

	/* The next arena lies where the first one did, and so do its shards. */
	atomic {
#ifdef SAMEKEY
		arena[1].key = arena[0].key;
#else
		arena[1].key = arena[0].key + 1;
#endif
		arena[1].lives = true
	}
}

init
{
	byte i;

	atomic {
		arena[0].key = 1;
		arena[0].lives = true;
		do
		:: i < THREADS -> run thread(i); i++
		:: else -> break
		od;
		run destroyer()
	}
	_nr_pr == 1;
	i = 0;
	d_step {
		do
		:: i < THREADS ->
			assert(!linked[i] && !linked[THREADS + i]);
			assert(arena[1].owner[i] == 0);
			i++
		:: else -> break
		od
	}
}
