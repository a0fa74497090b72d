/* kv_arena_inline.h [7] -- the fast path; included by kv_arena.h only
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What stands here is compiled into programs, so it is part of the binary
 * interface: neither the layout nor the meaning of these fields may change
 * within a major version.
 */
#ifndef KV_ARENA_INLINE_H
#define KV_ARENA_INLINE_H

#ifndef KV_ARENA_H
#error "include <kv_arena.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* These bodies are only ever inlined; the linkable functions of the same names
 * stand in the library. */
#define KV_ARENA_INLINE extern __inline__ \
	__attribute__((__gnu_inline__, __always_inline__))
#define KV_ARENA_LIKELY(x) __builtin_expect(!!(x), 1)

/* One tally per power of two: index i counts 2^(i-1) < size <= 2^i, the number
 * of allocations from bit 40 up and their bytes below. A counted window shows at
 * most 32 KiB: no larger size reaches a tally here, and the slow path folds them
 * long before either half overflows. */
#define KV_ARENA_TALLIES 16
#define KV_ARENA_TALLY_ONE ((uint64_t)1 << 40)

/* What a thread bumps through: the free part of a window into a block.
 *
 *	window:  | used ............ |  free ........... |
 *	                             ^ cur               ^ end
 *
 *   F1  cur and end are multiples of KV_ARENA_ALIGNMENT.
 *   F2  end may be lower than the memory allows: limits, sampling and the debug
 *       levels lower it to have the slow path called when they need it.
 *   F3  end is no nearer to the end of the address space than KV_ARENA_QUICK.
 *   F4  cur and tally have one writer. In a shared arena others read them, so
 *       they are stored atomically; relaxed, for they order nothing. */
struct kv_arena_bump {
	char *cur;			/* next free byte */
	char *end;			/* end of what the fast path may take */
	uint64_t key;			/* id << 4 | kind; an id is never used again */
	uint64_t tally[KV_ARENA_TALLIES];
};

/* A kv_arena_t * is the address of an arena, whose bump comes first, with the
 * arena's kind in its low bits: so the fast path tells kinds and NULL apart by
 * testing a register, and reads no memory that it does not need. */
#define KV_ARENA_PLAIN 1u		/* one thread, no detailed statistics */
#define KV_ARENA_COUNTED 2u		/* one thread */
#define KV_ARENA_SHARED 4u		/* the bump used is that of a shard */
#define KV_ARENA_SHARED_COUNTED 8u
#define KV_ARENA_KINDS 15u

/* What the fast path of a plain arena takes is no larger: 4 GiB, or 64 KiB where
 * addresses have 32 bits. */
#define KV_ARENA_QUICK ((uintptr_t)1 << sizeof(uintptr_t) * 4)

KV_ARENA_INLINE struct kv_arena_bump *
kv_arena_bump_of(const kv_arena_t *arena, unsigned kind)
{
	return (struct kv_arena_bump *)((uintptr_t)arena - kind);
}

/* The calling thread's shard of the shared arena it used last. A key is never
 * given to a second arena, so a stale entry can not match. */
struct kv_arena_mine {
	uint64_t key;
	struct kv_arena_bump *bump;
};

/* A thread-local that is found without a call, from a shared library, too. glibc and
 * the BSDs keep some room for those of libraries that are loaded later. The other C
 * libraries of Linux have none, and would refuse to load ours and those that use it:
 * there the call is made, except from programs. */
#if defined(__ELF__) && (defined(__GLIBC__) || !defined(__linux__))
#define KV_ARENA_NEAR __attribute__((__tls_model__("initial-exec")))
#else
#define KV_ARENA_NEAR
#endif

#if defined(__ELF__)
extern __thread struct kv_arena_mine kv_arena_mine KV_ARENA_NEAR;
#define KV_ARENA_IS_MINE(k) KV_ARENA_LIKELY(kv_arena_mine.key == (k))
#define KV_ARENA_MINE() kv_arena_mine.bump
#else	/* a thread-local does not cross a DLL's border: always ask the library */
#define KV_ARENA_IS_MINE(k) ((void)(k), 0)
#define KV_ARENA_MINE() ((struct kv_arena_bump *)0)
#endif

void *kv_arena_alloc_slow(kv_arena_t *arena, size_t size);
void *kv_arena_local_slow(struct kv_arena_bump *local, size_t size);

/* Have x in a register of its own. Processors that foresee what was stored a moment
 * ago load it at once, in five cycles less, as long as loads stand by themselves:
 * neither an index nor a comparison may be folded into them. */
#ifdef __FRAMAC__
#define KV_ARENA_BY_ITSELF(x) ((void)0)
#else
#define KV_ARENA_BY_ITSELF(x) __asm__("" : "+r"(x))
#endif

/* Whether size bytes fit, and where cur will be after them. One comparison says all:
 * 0 bytes become the most that there can be, nothing is added that could overflow,
 * and as the room is a multiple of KV_ARENA_ALIGNMENT (F1), what fits in it does so
 * rounded up. One addition stands between one cur and the next. */
KV_ARENA_INLINE bool
kv_arena_fits(const struct kv_arena_bump *b, size_t size, char **after)
{
	size_t last = size - 1;

	if (!KV_ARENA_LIKELY(last < (uintptr_t)b->end - (uintptr_t)b->cur))
		return false;
	*after = b->cur + (last | (KV_ARENA_ALIGNMENT - 1)) + 1;
	return true;
}

/* Whether the arena is plain and the size quick, of which last is one less. One
 * comparison says both, and that the size is not 0: what it is compared with is 0 for
 * other arenas and NULL, and a loop computes it once. */
KV_ARENA_INLINE bool
kv_arena_is_quick(const kv_arena_t *arena, size_t last)
{
	uintptr_t plain = (uintptr_t)arena & KV_ARENA_PLAIN;

	if (__builtin_constant_p(last))
		return plain && last < KV_ARENA_QUICK;
	return last < plain * KV_ARENA_QUICK;
}

/* The same as kv_arena_fits for a quick size: nothing overflows (F3), so the sum is
 * what is compared. */
KV_ARENA_INLINE bool
kv_arena_fits_quick(const struct kv_arena_bump *b, size_t last, char **after)
{
	uintptr_t to = (uintptr_t)b->cur + (last | (KV_ARENA_ALIGNMENT - 1)) + 1;
	uintptr_t end = (uintptr_t)b->end;

	KV_ARENA_BY_ITSELF(end);
	if (!KV_ARENA_LIKELY(to <= end))
		return false;
	*after = (char *)to;
	return true;
}

/* Move cur, where others may be reading it; return where it was. */
KV_ARENA_INLINE void *
kv_arena_take_shared(struct kv_arena_bump *b, char *after)
{
	char *p = b->cur;

	__atomic_store_n(&b->cur, after, __ATOMIC_RELAXED);
	return p;
}

KV_ARENA_INLINE void *
kv_arena_take(struct kv_arena_bump *b, char *after)
{
	char *p = b->cur;

	b->cur = after;
	return p;
}

#if defined(__GNUC__) && !defined(__clang__)	/* 11 warns all the same */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Warray-bounds"
#endif
KV_ARENA_INLINE uint64_t *
kv_arena_tally_of(struct kv_arena_bump *b, size_t size)
{
	uint64_t *t;

	/* It fits a counted window. Said because a constant size that does not
	 * would be warned of as out of bounds, in code that is never reached. */
	if (size - 1 >= (size_t)1 << (KV_ARENA_TALLIES - 1))
		__builtin_unreachable();
	t = &b->tally[63 - (unsigned)__builtin_clzll(2 * (uint64_t)size - 1)];
	if (!__builtin_constant_p(size))
		KV_ARENA_BY_ITSELF(t);
	return t;
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/* Count p, of size bytes, where others may be reading; return it. A load, an addition
 * and a store, as an addition to memory would not be foreseen. */
KV_ARENA_INLINE void *
kv_arena_count(struct kv_arena_bump *b, size_t size, void *p)
{
	uint64_t *t = kv_arena_tally_of(b, size);

	__atomic_store_n(t, *t + KV_ARENA_TALLY_ONE + size, __ATOMIC_RELAXED);
	return p;
}

/* What an arena that is not plain does; inlined where the fast path is. */
KV_ARENA_INLINE void *
kv_arena_alloc_tracked(kv_arena_t *arena, size_t size)
{
	uintptr_t kind = (uintptr_t)arena & KV_ARENA_KINDS;
	struct kv_arena_bump *b;
	char *after;

	if (kind & KV_ARENA_COUNTED) {
		b = kv_arena_bump_of(arena, KV_ARENA_COUNTED);
		if (kv_arena_fits(b, size, &after))
			return kv_arena_count(b, size, kv_arena_take(b, after));
	} else if (kind & KV_ARENA_SHARED) {
		b = kv_arena_bump_of(arena, KV_ARENA_SHARED);
		if (KV_ARENA_IS_MINE(b->key)) {
			b = KV_ARENA_MINE();
			if (kv_arena_fits(b, size, &after))
				return kv_arena_take_shared(b, after);
		}
	} else if (kind & KV_ARENA_SHARED_COUNTED) {
		b = kv_arena_bump_of(arena, KV_ARENA_SHARED_COUNTED);
		if (KV_ARENA_IS_MINE(b->key)) {
			b = KV_ARENA_MINE();
			if (kv_arena_fits(b, size, &after))
				return kv_arena_count(b, size,
					kv_arena_take_shared(b, after));
		}
	}
	return kv_arena_alloc_slow(arena, size);
}

KV_ARENA_INLINE void *
kv_arena_alloc(kv_arena_t *arena, size_t size)
{
	struct kv_arena_bump *b = kv_arena_bump_of(arena, KV_ARENA_PLAIN);
	char *after;

	if (!KV_ARENA_LIKELY(kv_arena_is_quick(arena, size - 1)))
		return kv_arena_alloc_tracked(arena, size);
	if (KV_ARENA_LIKELY(kv_arena_fits_quick(b, size - 1, &after)))
		return kv_arena_take(b, after);
	return kv_arena_alloc_slow(arena, size);
}

/* ---- The explicit per-thread handle --------------------------------------- */

typedef struct kv_arena_bump kv_arena_local_t;

/* Return the calling thread's own handle of an arena, for loops that count every
 * cycle: kv_arena_local_alloc(local, size) does what kv_arena_alloc does without
 * looking the thread up. Valid for this thread until it ends or the arena is
 * destroyed. NULL: EINVAL or ENOMEM, or ENOTSUP in a thread that is ending. [any]
 * Cost: a call; of local_alloc, that of kv_arena_alloc in an UNSAFE arena. */
kv_arena_local_t *kv_arena_local(kv_arena_t *arena);
void *kv_arena_local_alloc(kv_arena_local_t *local, size_t size);

KV_ARENA_INLINE void *
kv_arena_local_alloc(kv_arena_local_t *local, size_t size)
{
	char *after;
	void *p;

	if (!kv_arena_fits(local, size, &after))
		return kv_arena_local_slow(local, size);
	p = kv_arena_take_shared(local, after);
	if (local->key & (KV_ARENA_COUNTED | KV_ARENA_SHARED_COUNTED))
		kv_arena_count(local, size, p);
	return p;
}

/* ---- By type ---------------------------------------------------------------- */

/* Return size bytes times n, aligned, or NULL: what the macros below need. EINVAL:
 * NULL, 0 or not a power of two; EOVERFLOW. [any] Cost: a call. */
void *kv_arena_array(kv_arena_t *arena, size_t n, size_t size, size_t alignment);

#ifdef __cplusplus
#define KV_ARENA_ALIGNOF(T) alignof(T)
#else
#define KV_ARENA_ALIGNOF(T) __alignof__(T)
#endif

/* kv_arena_new(arena, T): room for one T, aligned for it. kv_arena_new_array(
 * arena, T, n): for n of them; an n whose bytes overflow gives NULL. */
#define kv_arena_new(arena, T)						\
	((T *)(KV_ARENA_ALIGNOF(T) <= KV_ARENA_ALIGNMENT		\
		? kv_arena_alloc((arena), sizeof(T))			\
		: kv_arena_alloc_aligned((arena), sizeof(T), KV_ARENA_ALIGNOF(T))))
#define kv_arena_new_array(arena, T, n)					\
	((T *)kv_arena_array((arena), (n), sizeof(T), KV_ARENA_ALIGNOF(T)))

/* KV_ARENA_SCOPE(arena): everything allocated from here to the end of the
 * enclosing braces ends there. One scope per line. */
struct kv_arena_scope {
	kv_arena_t *arena;
	kv_arena_mark_t mark;
};
void kv_arena_scope_end(struct kv_arena_scope *scope);
#define KV_ARENA_JOIN_(a, b) a##b
#define KV_ARENA_JOIN(a, b) KV_ARENA_JOIN_(a, b)
#define KV_ARENA_SCOPE(arena)						\
	__attribute__((__cleanup__(kv_arena_scope_end), __unused__))	\
	struct kv_arena_scope KV_ARENA_JOIN(kv_arena_scope_, __LINE__) =	\
		{ (arena), kv_arena_mark(arena) }

#ifdef __cplusplus
}
#endif

#endif
