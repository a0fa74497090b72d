/* kvinject.h -- an operation, tried again and again with another call failing
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every operation is tried on an arena of every kind, in every state, with the
 * first call that the library makes to the system failing, with the second, and so
 * on until the operation completes without a failure: each call once, and each with
 * all that follow. Arenas with a limit are also tried with less and less left of it.
 * See t-inject.c for the operations.
 */
#ifndef KVINJECT_H
#define KVINJECT_H

#include "kvbook.h"
#include "kvinside.h"

enum kvj_kind {
	KVJ_PLAIN, KVJ_SHARED, KVJ_SHARED_NEW_THREAD, KVJ_SHARED_LIMITED, KVJ_ZEROED,
	KVJ_LIMITED, KVJ_CHILD, KVJ_PAGES, KVJ_LOCAL, KVJ_BOUND, KVJ_FENCED,
	KVJ_GUARDED, KVJ_IN_BUFFER, KVJ_SAMPLED, KVJ_SHARED_SAMPLED, KVJ_KINDS
};

enum kvj_state {
	KVJ_FRESH,		/* nothing was ever allocated */
	KVJ_WARM,		/* the same, but the cache has a warm segment */
	KVJ_FULL,		/* nothing more can be had without asking */
	KVJ_RESET,		/* what was had is kept for the next round */
	KVJ_STATES
};

/* What an operation works on, and what it leaves. */
struct kvj_scene {
	enum kvj_kind kind;
	kv_arena_t *a;
	kv_arena_t *other;		/* of the same kind, with a little in it */
	kv_arena_t *made;		/* by the operation */
	kv_arena_cache_t *cache;	/* of both arenas */
	kv_arena_cache_t *spare_cache;	/* used by no arena, with a block in it */
	kv_arena_cache_t *made_cache;
	kv_arena_mark_t mark;		/* of UNSAFE arenas; before it: */
	size_t pieces_at_mark;
	struct kvt_book book;		/* what lives in a */
	struct kvt_book of_other;
	size_t defers;			/* made, and not yet run */
};

/* The allocation p of so many bytes, entered in the book; false: it is NULL. */
bool kvj_keep(struct kvj_scene *s, void *p, size_t size, size_t alignment);

/* A defer for operations to make, which counts itself. */
void kvj_ran(void *scene);

enum {
	KVJ_UNSAFE_ONLY = 1,	/* the function serves UNSAFE arenas only */
	KVJ_SEALED = 2,		/* it begins with a sealed arena */
	KVJ_KEEPS_ROOM = 4,	/* when it fails it may have made room already */
	KVJ_MAKES_CELLS = 8,	/* handles' cells stay for ever */
	KVJ_TWO_CALLS = 16	/* of which each may fail */
};

struct kvj_operation {
	const char *name;
	bool (*act)(struct kvj_scene *s);	/* whether it worked */
	unsigned flags;
};

/* Try an operation on arenas of a kind, in all states. */
void kvj_try(const struct kvj_operation *o, enum kvj_kind kind);

/* Calls that were made to fail once, and tries in all, in this process and the
 * children that Check forks. */
void kvj_share(void);
uint64_t kvj_sites(void);
uint64_t kvj_tries(void);

#endif
