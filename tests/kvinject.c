/* kvinject.c -- an operation, tried again and again with another call failing
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinject.h"
#include "kvpuppet.h"
#include "shard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_CALLS 1000		/* of one operation; more is a loop */
#define SECONDS 20		/* of one try; more is a hang */
#define ENOUGH (64 * MIB)	/* a limit that refuses nothing */

/* ---- Counting ------------------------------------------------------------------ */

static struct tally {
	uint64_t sites, tries;		/* atomic */
} own_tally, *tally = &own_tally;

void
kvj_share(void)
{
	void *p = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	tally = p;
}

uint64_t
kvj_sites(void)
{
	return kva_load_relaxed(&tally->sites);
}

uint64_t
kvj_tries(void)
{
	return kva_load_relaxed(&tally->tries);
}

/* ---- Scenes ----------------------------------------------------------------------- */

static char buffer[2][16384] __attribute__((__aligned__(16)));
static kv_arena_t *root;	/* of children */

static bool
is_shared(enum kvj_kind kind)
{
	return kind == KVJ_SHARED || kind == KVJ_SHARED_NEW_THREAD ||
		kind == KVJ_SHARED_LIMITED || kind == KVJ_LOCAL ||
		kind == KVJ_SHARED_SAMPLED;
}

static bool
is_limited(enum kvj_kind kind)
{
	return kind == KVJ_LIMITED || kind == KVJ_SHARED_LIMITED;
}

static kv_arena_config_t
config_of(const struct kvj_scene *s)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = s->cache;
	config.block_size = 4 * KIB;
	config.max_block_size = 32 * KIB;
	config.thread_mode = (kv_arena_thread_mode_t)is_shared(s->kind);
	config.zero = s->kind == KVJ_ZEROED;
	config.memory_limit = is_limited(s->kind) ? ENOUGH : 0;
	config.name = is_limited(s->kind) ? "limited" : NULL;
	config.enable_numa = s->kind == KVJ_LOCAL || s->kind == KVJ_BOUND;
	config.numa_policy = s->kind == KVJ_LOCAL ? KV_ARENA_NUMA_LOCAL
		: KV_ARENA_NUMA_BIND;
	config.preferred_numa_node = 1;
	if (s->kind == KVJ_PAGES)
		config.block_source = kv_arena_source_pages();
	if (s->kind == KVJ_FENCED)
		config.debug = KV_ARENA_DEBUG_FILL;
	if (s->kind == KVJ_GUARDED)
		config.debug = KV_ARENA_DEBUG_GUARD;
	if (s->kind == KVJ_SAMPLED || s->kind == KVJ_SHARED_SAMPLED)
		config.sample_interval = 64;
	return config;
}

static kv_arena_t *
create(const struct kvj_scene *s, int which)
{
	kv_arena_config_t config = config_of(s);
	kv_arena_t *a;

	if (s->kind == KVJ_IN_BUFFER)
		a = kv_arena_create_in(buffer[which], sizeof buffer[which], &config);
	else if (s->kind == KVJ_CHILD)
		a = kv_arena_create_child(root, &config);
	else
		a = kv_arena_create_ex(&config);
	kvt_true(a != NULL);
	return a;
}

bool
kvj_keep(struct kvj_scene *s, void *p, size_t size, size_t alignment)
{
	if (p)
		kvt_enter(&s->book, p, size, alignment);
	return p != NULL;
}

void
kvj_ran(void *scene)
{
	((struct kvj_scene *)scene)->defers--;
}

static void
fill_a_little(struct kvj_scene *s)
{
	for (size_t i = 0; i < 60; i++)
		kvt_true(kvj_keep(s, kvt_alloc(s->a, i * 11 % 300 + 1),
			i * 11 % 300 + 1, 8));
}

/* Allocate until the system would have to be asked. */
static void
exhaust(struct kvj_scene *s)
{
	static const size_t sizes[] = { 1000, 64, 8 };
	void *p;

	kvo_fail_from(KVA_ALL_CALLS, 1, 0);
	for (int i = 0; i < 3; i++)
		while ((p = kvt_alloc(s->a, sizes[i])) != NULL)
			kvj_keep(s, p, sizes[i], 8);
	kvo_heal();
}

static void
put_mark(struct kvj_scene *s)
{
	if (is_shared(s->kind))
		return;
	s->mark = kv_arena_mark(s->a);
	kvt_cmp(s->mark.serial, >, 0);
	s->pieces_at_mark = s->book.n;
}

static void
prepare(struct kvj_scene *s, enum kvj_state state)
{
	struct kva_want want = { 64 * KIB, KVA_PLACE_ANY, false };

	s->cache = kv_arena_cache_create(64 * MIB);
	s->spare_cache = kv_arena_cache_create(64 * MIB);
	kva_cache_put(s->spare_cache, kva_cache_take(s->spare_cache, &want));
	if (state == KVJ_WARM) {
		want.capacity = KVA_SEGMENT_SIZE;
		kva_cache_put(s->cache, kva_cache_take(s->cache, &want));
	}
	root = s->kind == KVJ_CHILD ? kv_arena_create(0) : NULL;
	s->a = create(s, 0);
	if (state >= KVJ_FULL) {
		fill_a_little(s);
		if (state == KVJ_FULL)
			put_mark(s);
		exhaust(s);
		if (state == KVJ_RESET) {
			kvt_true(kvt_alloc(s->a, 40000) != NULL);
			kv_arena_reset(s->a);
			kvt_strike(&s->book, 0);
		}
	}
	if (state != KVJ_FULL)
		put_mark(s);
	s->other = create(s, 1);
	for (size_t i = 0; i < 10; i++)
		kvt_enter(&s->of_other, kvt_alloc(s->other, 100), 100, 8);
}

/* ---- Judging --------------------------------------------------------------------------- */

/* A failed call changed nothing, but that it is counted, and that descriptors which
 * the next call will need may be there already. */
static void
check_unchanged(const struct kvj_operation *o, kv_arena_stats_t before,
	kv_arena_stats_t after)
{
	uint64_t grown = after.header_bytes - before.header_bytes;

	kvt_cmp(after.failed_allocations - before.failed_allocations, <=,
		o->flags & KVJ_TWO_CALLS ? 2 : 1);
	if (o->flags & KVJ_KEEPS_ROOM) {
		kvt_eq(after.used_bytes, before.used_bytes);
		kvt_eq(after.total_allocations, before.total_allocations);
		return;
	}
	kvt_cmp(after.header_bytes, >=, before.header_bytes);
	kvt_cmp(grown, <=, sizeof(struct kva_tolls) + sizeof(struct kva_shard));
	kvt_cmp(after.shards - before.shards, <=, 1);
	kvt_eq(after.current_memory_usage, before.current_memory_usage + grown);
	after.header_bytes = before.header_bytes;
	after.current_memory_usage = before.current_memory_usage;
	after.peak_memory_usage = before.peak_memory_usage;
	after.shards = before.shards;
	after.shard_handovers = before.shard_handovers;
	after.failed_allocations = before.failed_allocations;
	after.lock_waits = before.lock_waits;
	kvt_true(memcmp(&before, &after, sizeof before) == 0);
}

/* What lives can be written, and is as it was. */
static void
check_alive(struct kvt_book *book)
{
	for (size_t i = 0; i < book->n; i++) {
		volatile unsigned char *p = book->pieces[i].p;

		*p = *p;
	}
	kvt_intact(book);
}

static void
check_works(kv_arena_t *a, struct kvt_book *book)
{
	kvi_check(a);
	check_alive(book);
	for (size_t i = 0; i < 30; i++)
		kvt_enter(book, kvt_alloc(a, i * 97 % 2000 + 1), i * 97 % 2000 + 1, 8);
	kvt_enter(book, kvt_alloc(a, 50000), 50000, 8);
	kvi_check(a);
	kvt_intact(book);
	kv_arena_reset(a);
	kvt_strike(book, 0);
	kvi_check(a);
	kvt_enter(book, kvt_alloc(a, 1000), 1000, 8);
	kvt_intact(book);
}

/* Its own count of what it holds, when it holds nothing any more. */
static void
check_cache(kv_arena_cache_t *c)
{
	kv_arena_cache_stats_t stats;

	kva_cache_check(c);
	kv_arena_cache_trim(c, 0);
	kvt_eq(kv_arena_cache_get_stats(c, &stats), 0);
	kvt_eq(stats.cached_bytes, 0);
	kvt_eq(stats.held_bytes, 0);
}

static void
finish(struct kvj_scene *s)
{
	kva_cache_check(s->cache);
	if (s->made) {
		kvi_load(s->made, 5000);
		kvi_destroy(s->made);
	}
	if (s->a) {
		check_works(s->a, &s->book);
		kvi_destroy(s->a);
	}
	check_works(s->other, &s->of_other);
	kvi_destroy(s->other);
	kv_arena_destroy(root);
	kvt_eq(s->defers, 0);
	check_cache(s->cache);
	kvt_eq(kv_arena_cache_destroy(s->cache), 0);
	kvt_eq(kv_arena_cache_destroy(s->spare_cache), 0);
	kvt_eq(kv_arena_cache_destroy(s->made_cache), 0);
	kv_arena_cache_trim(NULL, 0);
	kvt_drop(&s->book);
	kvt_drop(&s->of_other);
}

static void
check_nothing_left(const struct kvj_operation *o, const struct kvo_counts *before)
{
	struct kvo_counts now = kvo_counts();
	int64_t pieces = now.pieces - before->pieces;

	kvt_true(pieces == 0 || (pieces == 1 && o->flags & KVJ_MAKES_CELLS));
	kvt_true(now.mapped == before->mapped);
}

/* ---- Trying ------------------------------------------------------------------------------- */

struct attempt {
	const struct kvj_operation *o;
	struct kvj_scene *s;
	bool worked;
	int error;
};

static void
act(void *arg)
{
	struct attempt *t = arg;

	errno = 0;
	t->worked = t->o->act(t->s);
	t->error = errno;
}

static void
act_somewhere(struct attempt *t)
{
	if (t->s->kind == KVJ_SHARED_NEW_THREAD)
		kvp_once(act, t);
	else
		act(t);
}

static void
judge(const struct attempt *t, const kv_arena_stats_t before[2])
{
	if (t->worked)
		return;
	/* A guest, which the failed call may have made of the thread, is refused
	 * what it could not keep. */
	kvt_true(t->error == ENOMEM || t->error == ENOTSUP);
	check_unchanged(t->o, before[0], kvi_stats(t->s->a));
	check_unchanged(t->o, before[1], kvi_stats(t->s->other));
}

enum how { ONCE, FOR_EVER, BY_LIMIT, WAYS };

/* What an arena may still take when its limit refuses: up to that, all that an
 * operation asks for is tried. */
static const size_t left[] = {
	0, 8, 100, 200, 300, 400, 1000, 4000, 4500, 9000, 30000, 60000, 110000,
	300000, 4 * MIB,
};

#define LEFT (sizeof left / sizeof *left)

static void
begin_failing(struct kvj_scene *s, enum how how, uint64_t nth)
{
	struct kva_arena *a = kva_arena_of(s->a);

	if (how == ONCE)
		kvo_fail_once(KVA_ALL_CALLS, nth, 0);
	else if (how == FOR_EVER)
		kvo_fail_from(KVA_ALL_CALLS, nth, 0);
	else
		a->extras->memory_limit = kva_load_relaxed(&a->charged) + left[nth - 1];
}

/* Whether anything failed on purpose. */
static bool
end_failing(struct kvj_scene *s, enum how how)
{
	uint64_t struck = kva_fault_struck();

	kvo_heal();
	if (how != BY_LIMIT)
		return struck > 0;
	if (s->a)
		kva_arena_of(s->a)->extras->memory_limit = ENOUGH;
	return true;
}

/* Whether anything failed on purpose. */
static bool
try_once(const struct kvj_operation *o, enum kvj_kind kind, enum kvj_state state,
	enum how how, uint64_t nth)
{
	struct kvo_counts at_start = kvo_counts();
	struct kvj_scene s = { .kind = kind };
	struct attempt t = { .o = o, .s = &s };
	kv_arena_stats_t before[2];
	bool failed;

	alarm(SECONDS);
	prepare(&s, state);
	before[0] = kvi_stats(s.a);
	before[1] = kvi_stats(s.other);
	if (o->flags & KVJ_SEALED && kv_arena_seal(s.a) != 0)
		kvt_eq(kind, KVJ_IN_BUFFER);
	begin_failing(&s, how, nth);
	act_somewhere(&t);
	failed = end_failing(&s, how);
	kvt_true(t.worked || failed);
	judge(&t, before);
	if (s.a)
		kvt_eq(kv_arena_unseal(s.a), 0);
	finish(&s);
	check_nothing_left(o, &at_start);
	alarm(0);
	kva_add_relaxed(&tally->tries, 1);
	kva_add_relaxed(&tally->sites, failed && how == ONCE);
	return failed;
}

/* The cache of the process keeps its own descriptors. */
static void
make_pools(void)
{
	kv_arena_t *a = kv_arena_create(0);

	kvi_load(a, 5000);
	kv_arena_destroy(a);
	kv_arena_cache_trim(NULL, 0);
}

static void
try_all(const struct kvj_operation *o, enum kvj_kind kind, enum kvj_state state,
	enum how how)
{
	uint64_t nth = 1, most = how == BY_LIMIT ? LEFT : MOST_CALLS;

	while (nth <= most && try_once(o, kind, state, how, nth))
		nth++;
	kvt_true(how == BY_LIMIT || nth <= most);
}

void
kvj_try(const struct kvj_operation *o, enum kvj_kind kind)
{
	if (o->flags & KVJ_UNSAFE_ONLY && is_shared(kind))
		return;
	make_pools();
	for (int state = 0; state < KVJ_STATES; state++)
		for (int how = 0; how < WAYS; how++)
			if (how != BY_LIMIT || is_limited(kind))
				try_all(o, kind, (enum kvj_state)state, (enum how)how);
}
