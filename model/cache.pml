/* cache.pml -- blocks go round between arenas, the cache and the system
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One class of blocks of lib/cache.c: take (warm, cut, fresh), put, discard and
 * trim, and lib/segment.c's cut and make_cold. A segment has two slots. Users take
 * a block, write to it, read it again and put it back warm or to the system; a
 * trimmer gives warm ones to the system.
 *
 * Holds: a block has one user, who finds what he wrote; nobody touches memory that
 * was unmapped; C1, C2, C3 and C4 of cache.c, whenever the lock is free; at the end
 * what was mapped is warm, cold or unmapped.
 *
 * Broken on purpose:
 *   -DLOSTPUSH     put does without the lock
 *   -DLATEDISCARD  a slot is emptied after the lock was given up
 *   -DEARLYUNMAP   a segment is unmapped though it has warm blocks
 *   -DSTILLLISTED  a segment that is unmapped stays in part[]
 *   -DOPENFRESH    a fresh segment is listed without the lock
 */
#ifndef USERS
#define USERS 2
#endif
#ifndef TAKES
#define TAKES 2
#endif
#ifndef TRIMS
#define TRIMS 2
#endif
#define SEGMENTS 4
#define SLOTS 2
#define NONE 255

mtype = { cold, warm, live };

typedef Segment {
	mtype slot[SLOTS];
	byte text[SLOTS];	/* what is written there; 0: emptied */
	byte nlive, nwarm;
	bool mapped, listed;	/* listed: in part[] */
};

Segment seg[SEGMENTS];
byte nsegments, cached;
byte L3;			/* _pid + 1 of who holds it */

#define lock(l)		atomic { l == 0 -> l = _pid + 1 }
#define unlock(l)	atomic { check(); assert(l == _pid + 1); l = 0 }

inline check()
{
	d_step {
		ci = 0;
		cw = 0;
		do
		:: ci < nsegments && !seg[ci].listed && !seg[ci].nlive && !seg[ci].nwarm ->
			ci++		/* C4: not there any more, or not yet */
		:: ci < nsegments && (seg[ci].listed || seg[ci].nlive || seg[ci].nwarm) ->
			assert(seg[ci].mapped);
			assert(seg[ci].nlive == (seg[ci].slot[0] == live) + (seg[ci].slot[1] == live));
			assert(seg[ci].nwarm == (seg[ci].slot[0] == warm) + (seg[ci].slot[1] == warm));
			assert(seg[ci].listed ==
				(seg[ci].slot[0] == cold || seg[ci].slot[1] == cold));
			cw = cw + seg[ci].nwarm;
			ci++
		:: else -> break
		od;
		assert(cw == cached);
		ci = 0;
		cw = 0
	}
}

inline cut()
{
	k = (seg[s].slot[0] == cold -> 0 : 1);
	assert(seg[s].slot[k] == cold);
	seg[s].slot[k] = live;
	seg[s].nlive++;
	if
	:: seg[s].nlive + seg[s].nwarm == SLOTS -> seg[s].listed = false
	:: else
	fi
}

/* The slot k of s is in nobody's hands: make it cold. gone is the segment, if all
 * of it is cold. */
inline release()
{
	gone = NONE;
	seg[s].slot[k] = cold;
	seg[s].listed = true;
	if
#ifdef EARLYUNMAP
	:: seg[s].nlive == 0 ->
#else
	:: seg[s].nlive + seg[s].nwarm == 0 ->
#endif
#ifndef STILLLISTED
		seg[s].listed = false;
#endif
		gone = s
	:: else ->
#ifndef LATEDISCARD
		seg[s].text[k] = 0
#endif
	fi
}

/* After the lock. */
inline give_back()
{
#ifdef LATEDISCARD
	if
	:: gone == NONE -> seg[s].text[k] = 0
	:: else
	fi;
#endif
	if
	:: gone != NONE -> seg[gone].mapped = false
	:: else
	fi;
	gone = NONE
}

/* Any warm block; s = NONE: there is none. */
inline find_warm()
{
	s = NONE;
	if
	:: nsegments > 0 && seg[0].slot[0] == warm -> s = 0; k = 0
	:: nsegments > 0 && seg[0].slot[1] == warm -> s = 0; k = 1
	:: nsegments > 1 && seg[1].slot[0] == warm -> s = 1; k = 0
	:: nsegments > 1 && seg[1].slot[1] == warm -> s = 1; k = 1
	:: nsegments > 2 && seg[2].slot[0] == warm -> s = 2; k = 0
	:: nsegments > 2 && seg[2].slot[1] == warm -> s = 2; k = 1
	:: cached == 0
	:: cached > 0 && nsegments > 3	/* enough for this model */
	fi
}

inline find_part()
{
	d_step {
		s = 0;
		do
		:: s < nsegments && !seg[s].listed -> s++
		:: else -> break
		od;
		s = (s == nsegments -> NONE : s)
	}
}

inline take()
{
	lock(L3);
	find_warm();
	if
	:: s != NONE ->
		seg[s].slot[k] = live;
		seg[s].nwarm--;
		seg[s].nlive++;
		cached--
	:: else ->
		find_part();
		if
		:: s != NONE -> cut()
		:: else
		fi
	fi;
	unlock(L3);
	if
	:: s == NONE ->			/* take_fresh */
		atomic {
			assert(nsegments < SEGMENTS);
			s = nsegments;
			nsegments++;
			seg[s].mapped = true;
			seg[s].slot[0] = cold;
			seg[s].slot[1] = cold
		};
#ifdef OPENFRESH
		seg[s].listed = true;
		cut();
#else
		lock(L3);
		seg[s].listed = true;
		cut();
		unlock(L3)
#endif
	:: else
	fi
}

inline put()
{
#ifndef LOSTPUSH
	lock(L3);
#endif
	n = seg[s].nlive;
	seg[s].nlive = n - 1;
	n = seg[s].nwarm;
	seg[s].nwarm = n + 1;
	seg[s].slot[k] = warm;
	n = cached;
	cached = n + 1;
	n = 0;
#ifndef LOSTPUSH
	unlock(L3)
#endif
}

inline discard()
{
	lock(L3);
	seg[s].nlive--;
	release();
	unlock(L3);
	give_back()
}

proctype user()
{
	byte s, k, n, gone = NONE, takes, ci, cw;

	do
	:: takes < TAKES ->
		takes++;
		take();
		assert(seg[s].mapped && seg[s].slot[k] == live);
		seg[s].text[k] = _pid + 1;
		assert(seg[s].mapped && seg[s].text[k] == _pid + 1);
		if
		:: put()
		:: discard()
		fi;
		atomic { s = 0; k = 0 }
	:: else -> break
	od
}

proctype trimmer()
{
	byte s, k, gone = NONE, trims, ci, cw;

	do
	:: trims < TRIMS ->
		trims++;
		lock(L3);
		find_warm();
		if
		:: s != NONE ->
			cached--;
			seg[s].nwarm--;
			release()
		:: else
		fi;
		unlock(L3);
		if
		:: s != NONE -> give_back()
		:: else
		fi;
		atomic { s = 0; k = 0 }
	:: else -> break
	od
}

init
{
	byte i;

	atomic {
		do
		:: i < USERS -> run user(); i++
		:: else -> break
		od;
		run trimmer()
	}
	_nr_pr == 1;
	i = 0;
	d_step {
		do
		:: i < nsegments ->
			assert(seg[i].nlive == 0);
			assert(seg[i].mapped == (seg[i].nwarm > 0));
			i++
		:: else -> break
		od
	}
}
