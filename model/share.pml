/* share.pml -- a shard has one writer, though threads come and go
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Of one shared arena: lib/shard.c's bind_shard, kva_shard_find, kva_shard_leave
 * and the fast path; lib/registry.c's thread_ends; lib/thread.c's table. Each
 * process is a place in which several threads live one after the other. A thread
 * binds, allocates, ends, and allocates once more from a late destructor, as a
 * guest. A reader sums what was handed out, meanwhile.
 *
 * Holds: no shard is written by two threads, no byte is handed out twice, no more
 * shards are made than threads are alive, the sum never falls (E1, E3, L1, L2).
 *
 * Broken on purpose:
 *   -DSTALE       a thread that has ended still remembers its shard
 *   -DUNLOCKED    an orphan is looked for without L2
 *   -DNOHANDOVER  a thread that ends keeps its shards
 *   -DEARLY       a guest hands its shard back before it has allocated
 */
#ifndef PLACES
#define PLACES 2
#endif
#ifndef LIVES
#define LIVES 2
#endif
#define PIECES 1		/* of a thread, before it ends */
#ifndef READS
#define READS 2
#endif
#define SHARDS (PLACES + 1)	/* one more than may be needed */
#define MOST (PLACES * LIVES * (PIECES + 1))	/* bytes handed out in all */

typedef Shard {
	byte owner;		/* a token; 0: nobody's */
	byte cur;
	byte writer;		/* who is in the fast path */
	bool out[MOST];		/* bytes handed out */
};

Shard shard[SHARDS];
byte nshards, alive, tokens;
byte L1, L2;			/* _pid + 1 of who holds it */

#define lock(l)		atomic { l == 0 -> l = _pid + 1 }
#define unlock(l)	atomic { assert(l == _pid + 1); l = 0 }

/* kv_arena_alloc, when mine is the shard. */
inline allocate()
{
	atomic {
		assert(shard[mine].writer == 0);
		shard[mine].writer = me;
	}
	at = shard[mine].cur;
	atomic {
		assert(at < MOST && !shard[mine].out[at]);
		shard[mine].out[at] = true;
	}
	atomic {
		shard[mine].cur = at + 1;
		shard[mine].writer = 0;
		at = 0;
	}
}

/* adopt_or_add: an orphan, or a new shard. */
inline adopt_or_add()
{
	mine = 0;
	do
	:: mine < nshards && shard[mine].owner != 0 -> mine++
	:: else -> break
	od;
	if
	:: mine == nshards ->
		assert(nshards < SHARDS);
		nshards++
	:: else
	fi;
	shard[mine].owner = me
}

inline bind()
{
	lock(L1);
#ifdef UNLOCKED
	unlock(L1);
	adopt_or_add();
	lock(L1);
#else
	lock(L2);
	adopt_or_add();
	unlock(L2);
#endif
	unlock(L1)
}

inline hand_back()
{
	lock(L2);
#ifndef NOHANDOVER
	shard[mine].owner = 0;
#endif
	unlock(L2)
}

proctype place()
{
	byte me, mine, at, life, n;

	do
	:: life < LIVES ->
		atomic { life++; tokens++; me = tokens; alive++ }
		bind();
		n = 0;
		do
		:: n < PIECES -> allocate(); n++
		:: else -> break
		od;

		/* thread_ends */
		lock(L1);
		hand_back();
		unlock(L1);

		/* A destructor that runs later allocates: the table was cleared, and the
		 * shard is kept for one call only. */
#ifndef STALE
		bind();
#endif
#ifdef EARLY
		hand_back();
#endif
		allocate();
#ifndef EARLY
		hand_back();
#endif
		atomic { alive--; me = 0; mine = 0; n = 0 }
	:: else -> break
	od
}

proctype reader()
{
	byte sum, last, i, n;

	do
	:: n < READS ->
		lock(L2);
		sum = 0;
		i = 0;
		do
		:: i < nshards -> sum = sum + shard[i].cur; i++
		:: else -> break
		od;
		unlock(L2);
		assert(sum >= last);
		atomic { last = sum; n++ }
	:: else -> break
	od
}

init
{
	byte i;

	atomic {
		do
		:: i < PLACES -> run place(); i++
		:: else -> break
		od;
		run reader()
	}
	_nr_pr == 1;
	/* Everything that was asked for was handed out, by no more shards than there
	 * were threads. */
	assert(nshards <= PLACES);
	i = 0;
	d_step {
		byte total, k;
		do
		:: k < nshards -> total = total + shard[k].cur; k++
		:: else -> break
		od;
		assert(total == MOST)
	}
}
