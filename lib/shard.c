/* shard.c [5] -- one arena, many threads
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How large a share a thread gets decides between calling the slow path too often
 * and hoarding. A share doubles with each refill, up to a part of what the arena
 * already handed out:
 *
 *	share <= max(step, used / 4) / shards,	at least 1 KiB
 *
 * so what lies unused in all shards together is bounded by the arena's own size,
 * not by the number of threads. A lone thread gets all that the block has: nobody
 * else could use it, and what it does not need does not count (arena.c). A share
 * that follows the last one directly makes the window longer, so that nothing is
 * lost between shares.
 */
#include "shard.h"
#include "charge.h"
#include "front.h"
#include "holding.h"
#include "registry.h"
#include "size.h"
#include "thread.h"
#include "watch.h"

#include <string.h>

#define LEAST_SHARE ((size_t)1024)
#define MOST_SHARE ((size_t)256 << 10)
#define MOST_ALONE KVA_SEGMENT_SIZE

static_assert(offsetof(struct kva_shard, window) == 0, "the fast path's view");

struct kva_team *
kva_team_create(void)
{
	struct kva_team *t = kva_os.alloc(sizeof *t, KVA_CACHE_LINE);

	if (!t)
		return NULL;
	memset(t, 0, sizeof *t);
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void
kva_team_destroy(struct kva_arena *a)
{
	struct kva_shard *s;

	while ((s = a->team->shards) != NULL) {
		a->team->shards = s->next;
		kva_os.free(s->window.sampler);
		kva_os.free(s);
	}
	pthread_mutex_destroy(&a->team->lock);
	kva_os.free(a->team);
	a->team = NULL;
}

void
kva_team_lock(struct kva_arena *a)
{
	if (pthread_mutex_trylock(&a->team->lock) == 0)
		return;
	kva_add_relaxed(&a->team->waits, 1);
	pthread_mutex_lock(&a->team->lock);
}

void
kva_team_unlock(struct kva_arena *a)
{
	pthread_mutex_unlock(&a->team->lock);
}

/* ---- Binding ------------------------------------------------------------------- */

static struct kva_shard *
owned_by(const struct kva_team *t, uint64_t token)
{
	struct kva_shard *s = t->shards;

	while (s && s->owner != token)
		s = s->next;
	return s;
}

/* A shard of a sampled arena has a lot of its own. False: ENOMEM. */
static bool
sample(struct kva_shard *s, const struct kva_arena *a)
{
	struct kva_sites *sites = kva_arena_sites(a);
	struct kva_sampler *sampler;

	if (!sites)
		return true;
	sampler = kva_os.alloc(sizeof *sampler, sizeof(uint64_t));
	if (!sampler)
		return false;
	kva_window_sample(&s->window, sampler, kva_sites_interval(sites),
		s->window.bump.key ^ (uint64_t)a->team->nshards << 48);
	return true;
}

static struct kva_shard *
make_shard(const struct kva_arena *a)
{
	struct kva_shard *s = kva_os.alloc(sizeof *s, KVA_CACHE_LINE);

	if (!s)
		return NULL;
	memset(s, 0, sizeof *s);
	kva_watch_atomic(&s->window, sizeof s->window);	/* E3 */
	kva_window_init(&s->window, a->front.window.bump.key, a->front.window.gap);
	s->window.watched = a->front.window.watched;
	if (sample(s, a))
		return s;
	kva_os.free(s);
	return NULL;
}

/* A fresh shard, linked; nobody's yet. Needs L2. */
static struct kva_shard *
add_shard(struct kva_arena *a)
{
	struct kva_shard *s;

	if (!kva_arena_charge(a, sizeof *s))
		return NULL;
	s = make_shard(a);
	if (!s) {
		kva_arena_uncharge(a, sizeof *s);
		return NULL;
	}
	s->arena = a;
	s->share = LEAST_SHARE;
	s->next = a->team->shards;
	a->team->shards = s;
	a->team->nshards++;
	kva_arena_add_header(a, sizeof *s);
	return s;
}

/* The front from which the calling thread should get its memory. */
static struct kva_front *
front_here(struct kva_arena *a)
{
	return kva_arena_front(a, a->fronts ? kva_os.node_here() : 0);
}

/* A shard that nobody owns; in a local arena one whose window lies here. */
static struct kva_shard *
orphan(struct kva_arena *a)
{
	struct kva_shard *s = a->team->shards;
	const struct kva_front *here = front_here(a);

	while (s && (s->owner || (a->fronts && s->front && s->front != here)))
		s = s->next;
	return s;
}

/* An orphan's window comes along, with the room that is left in it. E1, acquire
 * side. */
static struct kva_shard *
adopt_or_add(struct kva_arena *a)
{
	struct kva_shard *s = orphan(a);

	if (s)
		a->team->handovers++;
	else
		s = add_shard(a);
	if (s)
		s->owner = kva_thread_token();
	return s;
}

static void
link_to_thread(struct kva_shard *s)
{
	struct kva_shard **mine = kva_thread_shards();

	s->next_of_thread = *mine;
	s->link_of_thread = mine;
	if (*mine)
		(*mine)->link_of_thread = &s->next_of_thread;
	*mine = s;
}

static struct kva_shard *
bind_shard(struct kva_arena *a)
{
	bool stays = kva_thread_may_stay();
	struct kva_shard *s;

	kva_registry_lock();
	kva_team_lock(a);
	s = adopt_or_add(a);
	kva_team_unlock(a);
	if (s && stays)
		link_to_thread(s);
	kva_registry_unlock();
	if (!s)
		errno = ENOMEM;
	return s;
}

void
kva_shard_leave(struct kva_shard *s)
{
	if (kva_likely(kva_thread_may_stay()))
		return;
	kva_thread_forget(s->window.bump.key);
	kva_team_lock(s->arena);
	s->owner = 0;
	kva_team_unlock(s->arena);
}

struct kva_shard *
kva_shard_find(struct kva_arena *a)
{
	uint64_t key = a->front.window.bump.key;
	struct kva_shard *s = kva_thread_recall(key);

	if (s)
		return s;
	kva_team_lock(a);
	s = owned_by(a->team, kva_thread_token());
	kva_team_unlock(a);
	if (s)
		kva_thread_remember(key, s);
	return s;
}

struct kva_shard *
kva_shard_mine(struct kva_arena *a)
{
	struct kva_shard *s = kva_shard_find(a);

	if (s)
		return s;
	s = bind_shard(a);
	if (s)
		kva_thread_remember(a->front.window.bump.key, s);
	return s;
}

/* ---- Refill ---------------------------------------------------------------------- */

/* The share to cut for a request of room bytes; see the top. */
static size_t
choose_share(struct kva_shard *s, size_t room)
{
	const struct kva_arena *a = s->arena;
	size_t most;

	if (a->team->nshards == 1)	/* nobody else could use it */
		return kva_round_up(room > MOST_ALONE ? room : MOST_ALONE, KVA_CACHE_LINE);
	kva_arena_settle(s->arena);
	most = (a->bytes.reserved - a->bytes.headers) / 4;
	if (most < a->setup.step)
		most = a->setup.step;
	most /= a->team->nshards;
	if (most > MOST_SHARE)
		most = MOST_SHARE;
	if (most < LEAST_SHARE)
		most = LEAST_SHARE;
	s->share *= 2;
	if (s->share > most)
		s->share = most;
	return kva_round_up(s->share > room ? s->share : room, KVA_CACHE_LINE);
}

/* Whether the next bytes of the front would only make the shard's window longer. At
 * the base of a block they would not: a neighbour in memory is another block. */
static bool
is_next(const struct kva_shard *s, const struct kva_front *f)
{
	return s->front == f && f->block && f->window.bump.cur != f->block->base &&
		s->window.limit == f->window.bump.cur;
}

/* Cut a share of at least room bytes, which the front has. */
static void
cut_share(struct kva_shard *s, struct kva_front *f, size_t room)
{
	struct kva_arena *a = s->arena;
	bool longer = is_next(s, f);
	size_t pad = 0, left, size = choose_share(s, room);
	char *start;

	if (!longer) {	/* two threads never write one cache line */
		pad = kva_padding((uintptr_t)f->window.bump.cur, KVA_CACHE_LINE);
		kva_window_cut(&f->window, pad);
		a->bytes.tails += pad;
	}
	left = kva_round_down(kva_window_room(&f->window), KV_ARENA_ALIGNMENT);
	size = size < left ? size : left;
	start = kva_window_cut(&f->window, size);
	s->front = f;
	if (longer) {
		kva_window_extend(&s->window, size);
	} else {
		kva_arena_shut(a, &s->window);
		kva_window_open(&s->window, start, size);
	}
	f->newest = &s->window;
}

/* Make a request fit the shard from what the arena holds. If the front turns to
 * another block for it, the shard needs all of the room. */
static bool
refill(struct kva_shard *s, struct kva_front *f, size_t size, size_t alignment)
{
	size_t room, left = kva_window_room(&s->window);

	if (!kva_room_for(size, alignment, &room))
		return false;
	room += s->window.gap;
	if (alignment > KV_ARENA_ALIGNMENT)	/* wherever the share begins */
		room += alignment;
	if (is_next(s, f) && left < room &&
	    kva_arena_make_room_here(s->arena, f, room - left, KV_ARENA_ALIGNMENT)) {
		cut_share(s, f, room - left);
		return true;
	}
	if (!kva_arena_make_room(s->arena, f, room, KVA_CACHE_LINE))
		return false;
	cut_share(s, f, room);
	return true;
}

/* Fetch without L2, which is held before and after. */
static struct kva_block *
fetch_unlocked(struct kva_arena *a, size_t size, size_t alignment, bool own)
{
	struct kva_block *b;
	int error;

	kva_team_unlock(a);
	b = kva_arena_fetch(a, size, alignment, own);
	error = errno;
	kva_team_lock(a);
	errno = error;
	return b;
}

static void
unfetch_unlocked(struct kva_arena *a, struct kva_block *b)
{
	kva_team_unlock(a);
	kva_arena_unfetch(a, b);
	kva_team_lock(a);
}

/* Make a request fit, fetching a block if need be. What another thread made room
 * for meanwhile is used first. */
static bool
make_fit(struct kva_shard *s, struct kva_front *f, size_t size, size_t alignment)
{
	struct kva_arena *a = s->arena;
	struct kva_block *b;

	if (refill(s, f, size, alignment))
		return true;
	if (size > KVA_SIZE_LIMIT || alignment > KVA_SIZE_LIMIT / 4) {
		errno = ENOMEM;
		return false;
	}
	b = fetch_unlocked(a, size + alignment + 2 * (size_t)KVA_CACHE_LINE,
		alignment, false);
	if (!b)
		return false;
	if (a->fronts)	/* the thread may have moved meanwhile */
		f = kva_arena_front(a, kva_place_node(b->place));
	if (refill(s, f, size, alignment)) {
		unfetch_unlocked(a, b);
		return true;
	}
	kva_arena_install(a, f, b);
	return refill(s, f, size, alignment);
}

static void *
alloc_locked(struct kva_shard *s, size_t size, size_t alignment)
{
	struct kva_arena *a = s->arena;
	struct kva_front *f;
	struct kva_block *b;
	void *p;

	kva_arena_fold(a, &s->window);
	p = kva_window_take(&s->window, size, alignment);
	if (p)
		return p;
	kva_arena_probe(refill, a, size);
	if (kva_arena_prepare(a) != 0)
		return NULL;
	f = front_here(a);
	if (!refill(s, f, size, alignment)) {
		if (kva_arena_wants_own(a, f, size, alignment)) {
			b = fetch_unlocked(a, size, alignment, true);
			return b ? kva_arena_use_own(a, &s->window, b, size, alignment)
				: NULL;
		}
		if (!make_fit(s, f, size, alignment))
			return NULL;
	}
	return kva_window_take(&s->window, size, alignment);
}

void *
kva_shard_alloc(struct kva_shard *s, size_t size, size_t alignment)
{
	struct kva_arena *a = s->arena;
	void *p = NULL;

	if (kva_unlikely(kva_arena_is_sealed(a))) {
		errno = EPERM;
		return NULL;
	}
	if (!kva_window_is_due(&s->window))
		p = kva_window_take(&s->window, size, alignment);
	if (kva_likely(p))
		return p;
	kva_team_lock(a);
	p = alloc_locked(s, size, alignment);
	kva_team_unlock(a);
	return p;
}

int
kva_shard_reserve(struct kva_shard *s, size_t size)
{
	struct kva_arena *a = s->arena;
	bool fits;

	kva_team_lock(a);
	fits = kva_window_fits(&s->window, size, KV_ARENA_ALIGNMENT) ||
		(kva_arena_prepare(a) == 0 &&
		 make_fit(s, front_here(a), size, KV_ARENA_ALIGNMENT));
	kva_team_unlock(a);
	return fits ? 0 : -1;
}

/* ---- Reset and fork ----------------------------------------------------------------- */

void
kva_team_reset(struct kva_arena *a)
{
	for (unsigned i = 0; i < kva_arena_nfronts(a); i++)
		kva_front_pull_back(kva_arena_front(a, (int)i));
	for (struct kva_shard *s = a->team->shards; s; s = s->next) {
		kva_arena_shut(a, &s->window);
		s->front = NULL;
	}
}

/* With several it is not known who will need how much. */
void
kva_team_restart(struct kva_arena *a)
{
	if (a->team->nshards == 1 && a->front.block)
		refill(a->team->shards, &a->front, LEAST_SHARE, KV_ARENA_ALIGNMENT);
}

void
kva_team_fork_child(struct kva_arena *a)
{
	uint64_t me = kva_thread_token();

	for (struct kva_shard *s = a->team->shards; s; s = s->next)
		if (s->owner != me) {
			s->owner = 0;
			s->link_of_thread = NULL;
		}
}
