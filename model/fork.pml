/* fork.pml -- a process forks while its threads are in the library
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/registry.c's fork_before, unlock_all and fork_child, with lib/cache.c's and
 * lib/scope.c's, against threads that take the library's locks in every way that
 * it does: L1 then a team's L2 (a thread binds or ends, a report), L2 then the
 * cells' lock (a handle), the cells' alone (a reset), L2 given up for the cache's
 * (a refill), the list of caches (cache_create), and an arena that is created
 * meanwhile. The child then does all of these itself.
 *
 * Holds: nobody waits for ever, in parent or child; each lock is free in the child
 * once the handlers are done, and what it guards is whole.
 *
 * Broken on purpose:
 *   -DORDER     the teams' locks are taken before the registry's
 *   -DNOCELLS   the cells' lock is forgotten
 *   -DREINIT    the cache's lock is not taken, but made anew in the child
 *   -DNOL1      the list of arenas is walked without L1
 *   -DNOUNLOCK  the child does not unlock the second arena's team
 */
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define LOCKS 6
#define L1 0
#define L2A 1			/* of an arena that is there from the beginning */
#define L2B 2			/* of one that may be created meanwhile */
#define CACHES 3
#define CACHE 4
#define CELLS 5

byte held[LOCKS];		/* _pid + 1 of who holds it */
bool torn[LOCKS];		/* what it guards is half changed */
bool b_listed;

/* The child's copy. */
byte child_held[LOCKS];
bool child_torn[LOCKS];
bool child_b_listed;

#define lock(l)		atomic { held[l] == 0 -> held[l] = _pid + 1 }
#define unlock(l)	atomic { assert(held[l] == _pid + 1); held[l] = 0 }

/* Change what a lock guards, in two steps. */
inline change(l)
{
	assert(held[l] == _pid + 1 && !torn[l]);
	torn[l] = true;
	torn[l] = false
}

inline use(l)
{
	lock(l);
	change(l);
	unlock(l)
}

proctype binder()		/* and enders, and reports */
{
	byte n;

	do
	:: n < ROUNDS ->
		n++;
		lock(L1);
		change(L1);
		use(L2A);
		if
		:: b_listed -> use(L2B)
		:: else
		fi;
		unlock(L1)
	:: else -> break
	od
}

proctype allocator()
{
	byte n;

	do
	:: n < ROUNDS ->
		n++;
		lock(L2A);
		change(L2A);
		unlock(L2A);	/* fetch_unlocked */
		use(CACHE);
		lock(L2A);
		change(L2A);
		if
		:: use(CELLS)
		:: skip
		fi;
		unlock(L2A)
	:: else -> break
	od
}

proctype creator()		/* of an arena and of a cache */
{
	lock(L1);
	torn[L1] = true;
	b_listed = true;
	torn[L1] = false;
	unlock(L1);
	use(L2B);
	use(CELLS);		/* it is reset */
	use(CACHES)
}

#define child_lock(l)	child_held[l] == 0 -> child_held[l] = 1

inline child_use(l)
{
	child_lock(l);
	assert(!child_torn[l]);
	child_held[l] = 0
}

/* The forker's own copy: the one thread of the child. */
proctype child()
{
	/* unlock_all */
#ifndef NOCELLS
	child_held[CELLS] = 0;
#endif
	child_held[CACHE] = 0;
	child_held[CACHES] = 0;
	child_held[L2A] = 0;
#ifndef NOUNLOCK
	if
	:: child_b_listed -> child_held[L2B] = 0
	:: else
	fi;
#endif
	child_held[L1] = 0;

	child_lock(L1);
	assert(!child_torn[L1]);
	child_use(L2A);
	if
	:: child_b_listed -> child_use(L2B)
	:: else
	fi;
	child_held[L1] = 0;
	child_use(CACHE);
	child_use(CACHES);
	child_lock(L2A);
	child_use(CELLS);
	child_held[L2A] = 0
}

proctype forker()
{
	bool b;		/* what the walk of the list found */

#ifdef ORDER
	lock(L2A);
#endif
#ifndef NOL1
	lock(L1);
#endif
#ifndef ORDER
	lock(L2A);
#endif
	b = b_listed;
	if
	:: b -> lock(L2B)
	:: else
	fi;
	lock(CACHES);
#ifndef REINIT
	lock(CACHE);
#endif
#ifndef NOCELLS
	lock(CELLS);
#endif

	d_step {		/* fork */
		byte i = 0;
		do
		:: i < LOCKS ->
			child_torn[i] = torn[i];
			child_held[i] = (held[i] == _pid + 1 || held[i] == 0 ->
				held[i] : 255);	/* held by a thread that is not there */
			i++
		:: else -> break
		od;
		child_b_listed = b_listed
	}
	run child();

#ifndef NOCELLS
	unlock(CELLS);
#endif
#ifndef REINIT
	unlock(CACHE);
#endif
	unlock(CACHES);
	unlock(L2A);
	if
	:: b_listed -> unlock(L2B)
	:: else
	fi;
#ifndef NOL1
	unlock(L1)
#endif
}

init
{
	atomic {
		run binder();
		run allocator();
		run creator();
		run forker()
	}
}
