/* cache.c [3] -- blocks kept for reuse
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Blocks of 4 KiB to 1 MiB are cut from segments, each segment serving one class;
 * blocks of 2 MiB are segments, larger ones several in a row. A block that comes
 * back goes to the front of its class's warm list, and the next of that class and
 * place is taken from the front: the warmest first. A slot of a segment that was
 * emptied, or never used, is cold (segment.h).
 *
 *	pool:	warm[class]  block - block - block	front: put and taken here
 *						  ^	back: trimmed from here
 *		part[class]  segment - segment		those with a cold slot
 *
 * One pool per place and kind of page, as blocks of two must not mix.
 *
 * What is kept follows demand. low_water is the least that lay in the cache
 * during an epoch: nobody wanted those bytes, so half of them are given back when
 * it ends. A loop that empties its cache each time round keeps all of it; a burst
 * is forgotten within a few epochs. max_bytes bounds the rest.
 *
 *   C1  cached is the sum of the capacities in all warm lists.
 *   C2  a segment without live or warm slots does not exist: it is unmapped, or
 *       kept warm as a block of its own.
 * kva_cache_check() asserts C1, and S1 of segment.h.
 *
 * One mutex guards everything but the list of caches. A lock-free list was not
 * taken: a put and a take happen once per block of 64 KiB and more, and cost less
 * than the block's first cache miss.
 */
#include "cache.h"
#include "atomic.h"
#include "segment.h"
#include "size.h"
#include "watch.h"

#include <pthread.h>
#include <string.h>

#define EPOCH_PUTS 512			/* how long an epoch is */
#define QUARANTINE ((size_t)16 << 20)	/* under a checker, see take_warm */
#define MIN_CACHE ((size_t)64 << 20)	/* default bound: an eighth of the */
#define MAX_CACHE ((size_t)1 << 30)	/* machine's memory, within these */
#define POOLS (2 * KVA_PLACES)

struct list {
	struct kva_block *front, *back;
};

struct pool {
	struct list warm[KVA_CLASSES];
	struct kva_segment *part[KVA_CLASS_SEGMENT];
};

struct kv_arena_cache {
	pthread_mutex_t lock;
	struct pool *pools[POOLS];	/* made on first use, kept */
	size_t max_bytes;		/* of the process's cache: 0 until asked for */
	size_t cached;			/* bytes in warm lists */
	size_t low_water;		/* least of these in this epoch */
	size_t held;			/* bytes mapped and not yet unmapped */
	uint64_t returned;		/* bytes unmapped or emptied */
	uint64_t takes, hits, puts;
	unsigned users;			/* arenas; atomic, relaxed: only a count */

	kv_arena_cache_t *next;		/* list of caches, under caches_lock */
};

static kv_arena_cache_t process_cache = { .lock = PTHREAD_MUTEX_INITIALIZER };
static pthread_mutex_t caches_lock = PTHREAD_MUTEX_INITIALIZER;
static kv_arena_cache_t *caches = &process_cache;

/* ---- Lists ------------------------------------------------------------------ */

static void
push_front(struct list *l, struct kva_block *b)
{
	b->prev = NULL;
	b->next = l->front;
	if (l->front)
		l->front->prev = b;
	else
		l->back = b;
	l->front = b;
}

static void
unlink_block(struct list *l, struct kva_block *b)
{
	if (b->prev)
		b->prev->next = b->next;
	else
		l->front = b->next;
	if (b->next)
		b->next->prev = b->prev;
	else
		l->back = b->prev;
	b->next = b->prev = NULL;
}

/* ---- Classes and pools ------------------------------------------------------- */

static unsigned
class_of(size_t capacity)
{
	if (capacity > KVA_SEGMENT_SIZE)
		return KVA_CLASS_LARGE;
	if (capacity <= KVA_SMALLEST_BLOCK)
		return 0;
	return kva_bucket(capacity, 63) - kva_bucket(KVA_SMALLEST_BLOCK, 63);
}

size_t
kva_cache_capacity(size_t size)
{
	if (size > KVA_SEGMENT_SIZE)
		return kva_round_up(size, KVA_SEGMENT_SIZE);
	return KVA_SMALLEST_BLOCK << class_of(size);
}

static unsigned
pool_index(kva_place_t place, bool small_pages)
{
	return 2u * place + small_pages;
}

/* The pool of a place, or NULL: no memory for it. */
static struct pool *
pool_of(kv_arena_cache_t *c, kva_place_t place, bool small_pages)
{
	struct pool **p = &c->pools[pool_index(place, small_pages)];

	if (!*p) {
		*p = kva_os.alloc(sizeof **p, sizeof(void *));
		if (*p)
			memset(*p, 0, sizeof **p);
	}
	return *p;
}

/* Blocks of a segment remember the kind of page of their pool, not of the memory:
 * segments that are cut never have huge pages asked for them. */
static struct pool *
pool_of_block(kv_arena_cache_t *c, const struct kva_block *b)
{
	return c->pools[pool_index(b->place, !b->huge)];
}

/* ---- Giving back ---------------------------------------------------------------- */

/* Blocks to be given back are gathered under the lock and go after it. A cut block
 * is emptied under it, though: its slot must not be taken before that. */
static size_t
release(kv_arena_cache_t *c, struct kva_block *b, struct list *gone)
{
	struct kva_segment *s = b->segment;
	size_t size = b->capacity;

	if (!s) {
		c->held -= size;
		push_front(gone, b);
	} else if (kva_segment_let_go(&pool_of_block(c, b)->part[s->class], b)) {
		c->held -= s->memory->capacity;
		push_front(gone, s->memory);
		kva_segment_destroy(s);
		kva_source_forget(b);
	} else {
		if (kva_os.discard(b->base, size) != 0)
			s->memory->dirty = true;
		kva_source_forget(b);
	}
	c->returned += size;
	return size;
}

static void
give_back(struct list *gone)
{
	struct kva_block *b;

	while ((b = gone->front) != NULL) {
		unlink_block(gone, b);
		kva_source_unmap(b);
	}
}

/* Release the coldest blocks, largest class first, until at most keep bytes are
 * cached. Large ones first: one call each gives back most. */
static size_t
trim_locked(kv_arena_cache_t *c, size_t keep, struct list *gone)
{
	size_t before = c->cached;

	for (unsigned class = KVA_CLASSES; class-- > 0 && c->cached > keep; )
		for (unsigned i = 0; i < POOLS && c->cached > keep; i++) {
			struct list *l = c->pools[i] ? &c->pools[i]->warm[class] : NULL;

			while (l && l->back && c->cached > keep) {
				struct kva_block *b = l->back;

				unlink_block(l, b);
				c->cached -= b->capacity;
				if (b->segment)
					b->segment->warm--;
				release(c, b, gone);
			}
		}
	if (c->low_water > c->cached)
		c->low_water = c->cached;
	return before - c->cached;
}

static size_t
default_bound(void)
{
	uint64_t eighth = kva_os.memory() / 8;

	if (eighth < MIN_CACHE)
		return MIN_CACHE;
	return eighth > MAX_CACHE ? MAX_CACHE : (size_t)eighth;
}

static size_t
bound_of(kv_arena_cache_t *c)
{
	if (c == &process_cache && c->max_bytes == 0)
		c->max_bytes = default_bound();
	return c->max_bytes;
}

/* What the demand of the epoch that may be ending lets us keep. */
static size_t
allowed_now(kv_arena_cache_t *c)
{
	size_t keep = bound_of(c), wanted = c->cached - c->low_water / 2;

	if (++c->puts % EPOCH_PUTS != 0)
		return keep;
	c->low_water = c->cached;
	return wanted < keep ? wanted : keep;
}

/* ---- Take and put ----------------------------------------------------------------- */

/* The first warm block that fits. In the class of large blocks one up to twice the
 * wanted capacity fits; in the others all are alike. A checker would not see a use
 * after the end if the block were handed out again at once, so under one blocks
 * rest, and the one that rested longest is taken. */
static struct kva_block *
take_warm(kv_arena_cache_t *c, struct pool *p, unsigned class, size_t capacity)
{
	struct list *l = &p->warm[class];
	struct kva_block *b = l->front;

	if (kva_unlikely(kva_watch_on()))
		b = c->cached > QUARANTINE ? l->back : NULL;
	if (class == KVA_CLASS_LARGE)
		while (b && (b->capacity < capacity || b->capacity / 2 > capacity))
			b = b->next;
	if (!b)
		return NULL;
	unlink_block(l, b);
	c->cached -= b->capacity;
	if (c->low_water > c->cached)
		c->low_water = c->cached;
	if (b->segment) {
		b->segment->warm--;
		b->segment->live++;
	}
	return b;
}

static struct kva_block *
take_locked(kv_arena_cache_t *c, struct pool *p, unsigned class, size_t capacity)
{
	struct kva_block *b, *memory;
	struct kva_segment *s;

	b = take_warm(c, p, class, capacity);
	if (b) {
		c->hits++;
		return b;
	}
	if (class >= KVA_CLASS_SEGMENT)
		return NULL;
	if (p->part[class])
		return kva_segment_cut(&p->part[class]);

	memory = take_warm(c, p, KVA_CLASS_SEGMENT, KVA_SEGMENT_SIZE);
	if (!memory)
		return NULL;
	kva_source_name(memory, "");	/* many arenas will share it */
	s = kva_segment_create(memory, class);
	if (s) {
		kva_segment_link(&p->part[s->class], s);
		b = kva_segment_cut(&p->part[class]);
		if (b)
			return b;
		kva_segment_unlink(&p->part[s->class], s);
		kva_segment_destroy(s);
	}
	push_front(&p->warm[KVA_CLASS_SEGMENT], memory);
	c->cached += memory->capacity;
	return NULL;
}

/* Fresh memory, asked for without the lock. Segments that will be cut get small
 * pages, so that an arena of a few KiB does not cost a huge one. */
static struct kva_block *
take_fresh(kv_arena_cache_t *c, const struct kva_want *want, unsigned class,
	size_t capacity)
{
	bool is_cut = class < KVA_CLASS_SEGMENT;
	size_t size = is_cut ? KVA_SEGMENT_SIZE : capacity;
	struct kva_block *b, *memory;
	struct kva_segment *s = NULL;
	struct pool *p;

	memory = kva_source_map(size, want->place, !want->small_pages && !is_cut);
	if (!memory)
		return NULL;
	memory->huge = !want->small_pages;	/* from here on it names the pool */
	if (is_cut) {
		s = kva_segment_create(memory, class);
		if (!s) {
			kva_source_unmap(memory);
			errno = ENOMEM;
			return NULL;
		}
	}
	pthread_mutex_lock(&c->lock);
	c->held += size;
	b = memory;
	if (is_cut) {
		p = pool_of_block(c, memory);
		kva_segment_link(&p->part[s->class], s);
		b = kva_segment_cut(&p->part[class]);
		if (!b) {
			kva_segment_unlink(&p->part[s->class], s);
			c->held -= size;
		}
	}
	pthread_mutex_unlock(&c->lock);
	if (!b) {
		kva_segment_destroy(s);
		kva_source_unmap(memory);
		errno = ENOMEM;
	}
	return b;
}

static struct kva_block *
take(kv_arena_cache_t *c, const struct kva_want *want)
{
	unsigned class = class_of(want->capacity);
	size_t capacity = kva_cache_capacity(want->capacity);
	struct kva_block *b = NULL;
	struct pool *p;

	pthread_mutex_lock(&c->lock);
	c->takes++;
	p = pool_of(c, want->place, want->small_pages);
	if (p)
		b = take_locked(c, p, class, capacity);
	pthread_mutex_unlock(&c->lock);
	if (b || !p)
		return b;
	return take_fresh(c, want, class, capacity);
}

/* What is bound must be where it should before it is handed out. A warm block that
 * is no longer, as its node went away, is given up for the next. */
struct kva_block *
kva_cache_take(kv_arena_cache_t *c, const struct kva_want *want)
{
	struct kva_block *b;
	bool was_warm;
	int error;

	do {
		b = take(c, want);
		if (!b || kva_source_commit(b) == 0)
			return b;
		error = errno;
		was_warm = b->warm;
		kva_cache_discard(c, b);
	} while (was_warm);
	errno = error;
	return NULL;
}

void
kva_cache_put(kv_arena_cache_t *c, struct kva_block *b)
{
	struct list gone = { NULL, NULL };
	size_t keep;

	kva_watch_forbid(b->base, b->capacity);
	b->dirty = b->warm = true;
	b->filled = false;
	pthread_mutex_lock(&c->lock);
	if (b->segment) {
		b->segment->live--;
		b->segment->warm++;
	}
	push_front(&pool_of_block(c, b)->warm[class_of(b->capacity)], b);
	c->cached += b->capacity;
	keep = allowed_now(c);
	if (c->cached > keep)
		trim_locked(c, keep, &gone);
	pthread_mutex_unlock(&c->lock);
	give_back(&gone);
}

void
kva_cache_discard(kv_arena_cache_t *c, struct kva_block *b)
{
	struct list gone = { NULL, NULL };

	kva_watch_forbid(b->base, b->capacity);
	pthread_mutex_lock(&c->lock);
	if (b->segment)
		b->segment->live--;
	release(c, b, &gone);
	pthread_mutex_unlock(&c->lock);
	give_back(&gone);
}

/* ---- Users --------------------------------------------------------------------------- */

kv_arena_cache_t *
kva_cache_join(kv_arena_cache_t *c)
{
	c = c ? c : &process_cache;
	kva_add_relaxed(&c->users, 1);
	return c;
}

void
kva_cache_leave(kv_arena_cache_t *c)
{
	kva_sub_relaxed(&c->users, 1);
}

kv_arena_cache_t *
kv_arena_cache_create(size_t max_bytes)
{
	kv_arena_cache_t *c = kva_os.alloc(sizeof *c, sizeof(void *));

	if (!c)
		return NULL;
	memset(c, 0, sizeof *c);
	pthread_mutex_init(&c->lock, NULL);
	c->max_bytes = max_bytes;
	pthread_mutex_lock(&caches_lock);
	c->next = caches;
	caches = c;
	pthread_mutex_unlock(&caches_lock);
	return c;
}

static void
unlink_cache(kv_arena_cache_t *c)
{
	kv_arena_cache_t **link = &caches;

	pthread_mutex_lock(&caches_lock);
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	pthread_mutex_unlock(&caches_lock);
}

int
kv_arena_cache_destroy(kv_arena_cache_t *c)
{
	if (!c)
		return 0;
	if (kva_load_relaxed(&c->users) > 0) {
		errno = EBUSY;
		return -1;
	}
	kv_arena_cache_trim(c, 0);
	unlink_cache(c);
	for (unsigned i = 0; i < POOLS; i++)
		kva_os.free(c->pools[i]);
	pthread_mutex_destroy(&c->lock);
	kva_os.free(c);
	return 0;
}

size_t
kv_arena_cache_trim(kv_arena_cache_t *c, size_t keep_bytes)
{
	struct list gone = { NULL, NULL };
	size_t trimmed;

	c = c ? c : &process_cache;
	pthread_mutex_lock(&c->lock);
	trimmed = trim_locked(c, keep_bytes, &gone);
	pthread_mutex_unlock(&c->lock);
	give_back(&gone);
	return trimmed;
}

int
kv_arena_cache_get_stats(kv_arena_cache_t *c, kv_arena_cache_stats_t *stats)
{
	if (!stats) {
		errno = EINVAL;
		return -1;
	}
	c = c ? c : &process_cache;
	pthread_mutex_lock(&c->lock);
	*stats = (kv_arena_cache_stats_t){
		.takes = c->takes,
		.hits = c->hits,
		.cached_bytes = c->cached,
		.held_bytes = c->held,
		.max_bytes = bound_of(c),
		.returned_bytes = c->returned,
	};
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void
kva_cache_fork_before(void)
{
	pthread_mutex_lock(&caches_lock);
	for (kv_arena_cache_t *c = caches; c; c = c->next)
		pthread_mutex_lock(&c->lock);
}

void
kva_cache_fork_after(void)
{
	for (kv_arena_cache_t *c = caches; c; c = c->next)
		pthread_mutex_unlock(&c->lock);
	pthread_mutex_unlock(&caches_lock);
}

void
kva_cache_check(kv_arena_cache_t *c)
{
	size_t cached = 0;

	c = c ? c : &process_cache;
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < POOLS; i++)
		for (unsigned class = 0; c->pools[i] && class < KVA_CLASSES; class++) {
			struct pool *p = c->pools[i];

			for (struct kva_block *b = p->warm[class].front; b; b = b->next)
				cached += b->capacity;
			if (class >= KVA_CLASS_SEGMENT)
				continue;
			for (struct kva_segment *s = p->part[class]; s; s = s->next) {
				assert(kva_segment_cold(s) > 0);
				assert(s->live + s->warm + kva_segment_cold(s) == s->slots);
			}
		}
	assert(cached == c->cached);
	pthread_mutex_unlock(&c->lock);
}
