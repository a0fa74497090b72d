/* refill.pml -- blocks are fetched without the lock, installed with it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Of one shared arena: lib/shard.c's refill, cut_share, fetch_unlocked, make_fit
 * and alloc_locked; lib/arena.c's install and use_own; lib/charge.c's charge. The
 * memory is blocks of UNITS units. A thread has a window, cut from the front, and
 * asks for one unit to a whole block; the source may have nothing.
 *
 * Holds: no unit is handed out twice; no block is installed while the front has
 * room for the request; none is lost: what was fetched is held or was given back;
 * what is held is handed out, tail, or left (A2), and is what was charged (A4),
 * which never exceeds the limit; the source is called without a lock.
 *
 * Broken on purpose:
 *   -DNORECHECK   make_fit does not try again once it has a block
 *   -DNOTAIL      install does not leave the old block, whose rest is lost
 *   -DHOLDLOCK    the source is called with L2
 *   -DUNLOCKED    a share is cut without L2
 *   -DNOUNFETCH   a block that is not needed is dropped
 *   -DBLINDCHARGE the limit is read, then the sum stored, without a CAS
 */
#ifndef THREADS
#define THREADS 2
#endif
#ifndef REQUESTS
#define REQUESTS 2
#endif
#define UNITS 3
#define LIMIT (THREADS * UNITS)
#define BLOCKS (THREADS * REQUESTS + 1)

bool out[BLOCKS * UNITS];	/* units handed out */
byte front_block, front_at;	/* block 0: none */
byte L2;
byte fetched, given_back, installed;
byte charged, handed, tails, left;

#define lock(l)		atomic { l == 0 -> l = _pid + 1 }
#define unlock(l)	atomic { assert(l == _pid + 1); l = 0 }
#define front_room	(front_block -> UNITS - front_at : 0)
#define room		(end - at)

inline hand_out(block, unit, n)
{
	d_step {
		i = 0;
		do
		:: i < n ->
			assert(unit + i < UNITS && !out[block * UNITS + unit + i]);
			out[block * UNITS + unit + i] = true;
			i++
		:: else -> break
		od;
		handed = handed + n;
		i = 0
	}
}

/* Cut at least n units: n, or all that there are. */
inline cut(n)
{
	if
	:: share = n
	:: share = front_room
	fi;
#ifdef UNLOCKED
	start = front_at;
	front_at = start + share
#else
	start = front_at;
	front_at = front_at + share
#endif
}

inline refill()
{
	ok = false;
	if
	:: window && window == front_block && end == front_at && want > room &&
	   room + front_room >= want ->
		cut(want - room);
		end = end + share;
		ok = true
	:: else ->
		if
		:: front_room >= want ->
			cut(want);
			tails = tails + room;
			window = front_block;
			at = start;
			end = start + share;
			ok = true
		:: else
		fi
	fi;
	share = 0;
	start = 0
}

/* Counted before it is asked for, as charge_one does. */
inline charge(n)
{
#ifdef BLINDCHARGE
	may = charged + n <= LIMIT;
	if
	:: may -> charged = charged + n
	:: else
	fi
#else
	atomic {
		may = charged + n <= LIMIT;
		if
		:: may -> charged = charged + n
		:: else
		fi
	}
#endif
	assert(charged <= LIMIT)
}

/* Called with L2, which it gives up meanwhile. */
inline fetch()
{
	block = 0;
#ifndef HOLDLOCK
	unlock(L2);
#endif
	charge(UNITS);
	assert(L2 != _pid + 1);
	if
	:: may ->
		if
		:: atomic { fetched++; block = fetched }
		:: atomic { charged = charged - UNITS }		/* there is none */
		fi
	:: else
	fi;
	may = false;
#ifndef HOLDLOCK
	lock(L2)
#endif
}

inline unfetch()
{
#ifndef NOUNFETCH
	unlock(L2);
	atomic { charged = charged - UNITS; given_back++ };
	lock(L2);
#endif
	block = 0
}

inline install()
{
	assert(front_room < want);
#ifndef NOTAIL
	tails = tails + front_room;
#endif
	front_block = block;
	front_at = 0;
	installed++;
	block = 0
}

proctype thread()
{
	byte want, asked, window, at, end, block, share, start, i;
	bool ok, may;

	do
	:: asked < REQUESTS ->
		asked++;
		if
		:: want = 1
		:: want = 2
		:: want = UNITS
		fi;
		if
		:: want <= room ->	/* the fast path */
			hand_out(window, at, want);
			at = at + want
		:: else ->
#ifndef UNLOCKED
			lock(L2);
#endif
			refill();
#ifdef UNLOCKED
			lock(L2);
#endif
			if
			:: ok
			:: !ok && want == UNITS && front_room > 0 ->	/* wants_own */
				fetch();
				if
				:: block ->
					hand_out(block, 0, want);
					installed++;
					block = 0
				:: else
				fi
			:: else ->
				fetch();
				if
				:: block ->
#ifndef NORECHECK
					refill();
#endif
					if
					:: ok -> unfetch()
					:: else ->
						install();
						refill();
						assert(ok)
					fi
				:: else
				fi
			fi;
			if
			:: ok ->
				hand_out(window, at, want);
				at = at + want
			:: else
			fi;
			unlock(L2)
		fi;
		ok = false
	:: else -> break
	od;
	atomic { left = left + room }
}

init
{
	byte i;

	atomic {
		do
		:: i < THREADS -> run thread(); i++
		:: else -> break
		od
	}
	_nr_pr == 1;
	assert(L2 == 0);
	assert(fetched == installed + given_back);
	assert(charged == installed * UNITS);
	assert(installed * UNITS == handed + tails + left + front_room)
}
