/* alloc.c [7] -- allocation: arguments checked, then down
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "alloc.h"
#include "debug.h"
#include "front.h"
#include "holding.h"
#include "oom.h"
#include "otel.h"
#include "publish.h"
#include "shard.h"
#include "size.h"
#include "thread.h"
#include "watch.h"

#include <string.h>

/* A call that is refused without trying; a may be NULL. */
static void *
refuse(struct kva_arena *a, int error)
{
	if (a)
		kva_add_relaxed(&a->failed, 1);
	errno = error;
	return NULL;
}

/* Uncount a record, which is the allocation that w made last. */
static void
set_apart(struct kva_arena *a, struct kva_window *w, size_t size)
{
	kva_window_untally(w, size);
	kva_add_relaxed(&a->bytes.records, kva_round_up(size, KV_ARENA_ALIGNMENT));
}

static KVA_COLD void
note_pick(struct kva_arena *a, struct kva_window *w, void *p, size_t size,
	const void *caller)
{
	struct kva_amounts amounts;

	if (!kva_window_pick(w, &amounts))
		return;
	kva_sites_add(kva_arena_sites(a), &amounts, caller);
	if (p)
		kva_otel_alloc(a, p, size, (uint64_t)amounts.of[KVA_BYTES]);
}

/* Note what was sampled, if it was; p: of an allocation. */
static inline void
note(struct kva_arena *a, struct kva_window *w, void *p, size_t size,
	const void *caller)
{
	if (kva_unlikely(w->sampler != NULL))
		note_pick(a, w, p, size, caller);
}

/* What is asked for a caller is an allocation, and else a record. */
static void
account(struct kva_arena *a, struct kva_window *w, void *p, size_t size,
	const void *caller)
{
	if (caller)
		note(a, w, p, size, caller);
	else
		set_apart(a, w, size);
}

static void *
try_shared(struct kva_arena *a, size_t size, size_t alignment, const void *caller)
{
	struct kva_shard *s = kva_shard_mine(a);
	void *p;

	if (!s)
		return NULL;
	p = kva_shard_alloc(s, size, alignment);
	if (p)
		account(a, &s->window, p, size, caller);
	kva_shard_leave(s);
	return p;
}

static void *
try_once(struct kva_arena *a, size_t size, size_t alignment, const void *caller)
{
	void *p;

	if (a->team)
		return try_shared(a, size, alignment, caller);
	kva_debug_enter(a);
	p = kva_arena_alloc(a, size, alignment);
	if (p)
		account(a, &a->front.window, p, size, caller);
	kva_debug_leave(a);
	return p;
}

static void *
insist(struct kva_arena *a, size_t size, size_t alignment, const void *caller)
{
	void *p;

	do
		p = try_once(a, size, alignment, caller);
	while (!p && kva_oom_retry(a, size));
	return p;
}

/* A checker takes what is handed out for undefined, but in a zeroed arena it is
 * not. */
static void
define(const struct kva_arena *a, void *p, size_t size)
{
	if (kva_unlikely(a->setup.zero) && kva_watch_on())
		memset(p, 0, size);
}

/* What the fast path takes, for those who did not come by it: callers from another
 * language or through a pointer, threads that go back and forth between shared
 * arenas, and all where a program cannot see our thread-locals. NULL: it does not. */
static void *
take_quickly(struct kva_arena *a, size_t size)
{
	struct kv_arena_bump *b = &a->front.window.bump;
	struct kva_shard *s;
	char *after;
	void *p;

	if (a->team) {
		s = kva_thread_recall(b->key);
		if (!s)
			return NULL;
		b = &s->window.bump;
	}
	if (!kv_arena_fits(b, size, &after))
		return NULL;
	p = kv_arena_take_shared(b, after);
	return kva_arena_is_counted(a) ? kv_arena_count(b, size, p) : p;
}

/* The same, after a look at the caller. */
static void *
take_checked(struct kva_arena *a, size_t size)
{
	void *p;

	kva_debug_enter(a);
	p = kva_window_take_plain(&a->front.window, size);
	kva_debug_leave(a);
	return p;
}

void *
kva_alloc_for(const void *caller, struct kva_arena *a, size_t size, size_t alignment)
{
	void *p = NULL;

	if (alignment == KV_ARENA_ALIGNMENT)
		p = kva_unlikely(kva_arena_is_checked(a)) ? take_checked(a, size)
			: take_quickly(a, size);
	if (p)
		return p;
	p = insist(a, size, alignment, caller);
	if (p) {
		kva_publish(a);
		define(a, p, size);
		kva_debug_fence(a, p, size);
		if (kva_unlikely(a->setup.traced))
			kvarena_record_alloc(p, size, alignment, caller);
	}
	return p;
}

void *
kva_alloc_record(struct kva_arena *a, size_t size)
{
	return insist(a, size, KV_ARENA_ALIGNMENT, NULL);
}

void *
kv_arena_alloc_slow(kv_arena_t *arena, size_t size)
{
	if (!arena || size == 0)
		return refuse(kva_arena_of(arena), EINVAL);
	return kva_alloc(kva_arena_of(arena), size, KV_ARENA_ALIGNMENT);
}

/* The linkable twins of the inline functions. */
void *
kv_arena_alloc(kv_arena_t *arena, size_t size)
{
	return kv_arena_alloc_slow(arena, size);
}

static struct kva_arena *
arena_of_local(struct kv_arena_bump *b)
{
	if (b->key & (KV_ARENA_SHARED | KV_ARENA_SHARED_COUNTED))
		return kva_container(b, struct kva_shard, window.bump)->arena;
	return kva_container(b, struct kva_arena, front.window.bump);
}

void *
kv_arena_local_slow(struct kv_arena_bump *local, size_t size)
{
	if (!local || size == 0)
		return refuse(local ? arena_of_local(local) : NULL, EINVAL);
	return kva_alloc(arena_of_local(local), size, KV_ARENA_ALIGNMENT);
}

void *
kv_arena_local_alloc(kv_arena_local_t *local, size_t size)
{
	return kv_arena_local_slow(local, size);
}

kv_arena_local_t *
kv_arena_local(kv_arena_t *arena)
{
	struct kva_arena *a = kva_arena_of(arena);
	struct kva_shard *s;

	if (!a)
		return refuse(NULL, EINVAL);
	if (!a->team)
		return &a->front.window.bump;
	if (!kva_thread_may_stay())	/* a guest has no shard to hold on to */
		return refuse(NULL, ENOTSUP);
	s = kva_shard_mine(a);
	return s ? &s->window.bump : NULL;
}

/* 1 2 4 8 16 32 64 larger */
static unsigned
alignment_index(size_t alignment)
{
	unsigned i = (unsigned)__builtin_ctzll(alignment);

	return i < 7 ? i : 7;
}

void *
kv_arena_alloc_aligned(kv_arena_t *arena, size_t size, size_t alignment)
{
	struct kva_arena *a = kva_arena_of(arena);
	void *p;

	if (!a || size == 0 || !kva_is_power_of_two(alignment))
		return refuse(a, EINVAL);
	p = kva_alloc(a, size, alignment);
	if (p && kva_arena_is_counted(a))
		kva_add_relaxed(&a->tolls->alignments[alignment_index(alignment)], 1);
	return p;
}

void *
kv_arena_array(kv_arena_t *arena, size_t n, size_t size, size_t alignment)
{
	struct kva_arena *a = kva_arena_of(arena);
	size_t bytes;

	if (!a || n == 0 || size == 0 || !kva_is_power_of_two(alignment))
		return refuse(a, EINVAL);
	if (!kva_multiply(n, size, &bytes))
		return refuse(a, EOVERFLOW);
	if (alignment < KV_ARENA_ALIGNMENT)
		alignment = KV_ARENA_ALIGNMENT;
	return kva_alloc(a, bytes, alignment);
}

void *
kv_arena_calloc(kv_arena_t *arena, size_t n, size_t size)
{
	struct kva_arena *a = kva_arena_of(arena);
	size_t bytes;
	void *p;

	if (!a || n == 0 || size == 0)
		return refuse(a, EINVAL);
	if (!kva_multiply(n, size, &bytes))
		return refuse(a, EOVERFLOW);
	p = kva_alloc(a, bytes, KV_ARENA_ALIGNMENT);
	if (p && !a->setup.zero)
		memset(p, 0, bytes);
	return p;
}

/* ---- Realloc -------------------------------------------------------------------- */

static struct kva_window *
window_of_caller(struct kva_arena *a)
{
	struct kva_shard *s;

	if (!a->team)
		return &a->front.window;
	s = kva_shard_find(a);
	return s ? &s->window : NULL;
}

static void
fold_if_due(struct kva_arena *a, struct kva_window *w)
{
	if (!kva_window_is_due(w))
		return;
	kva_arena_lock(a);
	kva_arena_fold(a, w);
	kva_arena_unlock(a);
}

static bool
resize_in_place(struct kva_arena *a, void *p, size_t old_size, size_t new_size,
	const void *caller)
{
	struct kva_window *w = window_of_caller(a);

	if (!w || new_size > KVA_SIZE_LIMIT || old_size > KVA_SIZE_LIMIT)
		return false;
	if (kva_debug_is_fenced(a))	/* the fence stays where it is */
		return false;
	fold_if_due(a, w);
	if (a->setup.zero && new_size < old_size && kva_window_is_last(w, p, old_size))
		memset((char *)p + new_size, 0, old_size - new_size);
	if (!kva_window_resize(w, p, old_size, new_size))
		return false;
	if (new_size > old_size)
		define(a, (char *)p + old_size, new_size - old_size);
	note(a, w, NULL, 0, caller);
	return true;
}

/* A thread without a window, which never allocated here, is always noted. */
static void
abandon(struct kva_arena *a, size_t bytes, const void *caller)
{
	struct kva_amounts all = {{ [KVA_ABANDONED] = (double)bytes }};
	struct kva_window *w;

	kva_add_relaxed(&a->bytes.abandoned, bytes);
	if (kva_likely(!kva_arena_sites(a)) || bytes == 0)
		return;
	w = window_of_caller(a);
	if (!w) {
		kva_sites_add(kva_arena_sites(a), &all, caller);
		return;
	}
	kva_window_draw_abandoned(w, bytes);
	kva_window_show(w);
	note(a, w, NULL, 0, caller);
}

void *
kv_arena_realloc(kv_arena_t *arena, void *ptr, size_t old_size, size_t new_size)
{
	struct kva_arena *a = kva_arena_of(arena);
	void *p;

	if (!a || (ptr && old_size == 0) || (!ptr && new_size == 0))
		return refuse(a, EINVAL);
	if (!ptr)
		return kva_alloc(a, new_size, KV_ARENA_ALIGNMENT);
	if (kva_arena_is_sealed(a))
		return refuse(a, EPERM);
	if (resize_in_place(a, ptr, old_size, new_size, KVA_CALLER())) {
		errno = 0;
		return new_size ? ptr : NULL;
	}
	if (new_size <= old_size) {
		if (new_size == 0)
			kva_debug_moved(a, ptr, old_size, KVA_CALLER());
		abandon(a, old_size - new_size, KVA_CALLER());
		errno = 0;
		return new_size ? ptr : NULL;
	}
	p = kva_alloc(a, new_size, KV_ARENA_ALIGNMENT);
	if (!p)
		return NULL;
	memcpy(p, ptr, old_size);
	kva_watch_forbid(ptr, old_size);
	kva_debug_moved(a, ptr, old_size, KVA_CALLER());
	abandon(a, old_size, KVA_CALLER());
	return p;
}

/* ---- Reserve ---------------------------------------------------------------------- */

static int
make_fit(struct kva_arena *a, size_t n)
{
	struct kva_front *f = &a->front;
	struct kva_shard *s;
	struct kva_block *b;

	if (a->team && !kva_thread_may_stay()) {	/* a guest cannot keep room */
		errno = ENOTSUP;
		return -1;
	}
	if (a->team) {
		s = kva_shard_mine(a);
		return s ? kva_shard_reserve(s, n) : -1;
	}
	if (kva_arena_prepare(a) != 0)
		return -1;
	if (kva_arena_make_room(a, f, n, KV_ARENA_ALIGNMENT))
		return 0;
	b = kva_arena_fetch(a, n, KV_ARENA_ALIGNMENT, false);
	if (!b)
		return -1;
	kva_arena_install(a, f, b);
	return 0;
}

/* Whole pages are populated; those at the ends belong to the same mapping. */
static int
prefault(const struct kva_window *w, size_t n)
{
	size_t page = kva_os.page();
	char *from = w->bump.cur - ((uintptr_t)w->bump.cur & (page - 1));
	char *to = w->bump.cur + n + kva_padding((uintptr_t)(w->bump.cur + n), page);

	return kva_os.populate(from, (size_t)(to - from));
}

int
kv_arena_reserve(kv_arena_t *arena, size_t n, bool with_prefault)
{
	struct kva_arena *a = kva_arena_of(arena);
	int result;

	if (!a || n == 0) {
		errno = EINVAL;
		return -1;
	}
	if (kva_arena_is_sealed(a)) {
		errno = EPERM;
		return -1;
	}
	do
		result = make_fit(a, n);
	while (result != 0 && kva_oom_retry(a, n));
	if (result != 0 || !with_prefault)
		return result;
	return prefault(window_of_caller(a), n);
}
