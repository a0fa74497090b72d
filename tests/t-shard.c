/* t-shard.c -- lib/shard.c: shares of one arena, for threads that come and go
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "kvpuppet.h"
#include "kvrefuse.h"
#include "registry.h"
#include "shard.h"
#include "size.h"
#include "thread.h"
#include "watch.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

static kv_arena_t *
create(void)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);

	return kvi_create(&config);
}

static struct kva_team *
team_of(const kv_arena_t *a)
{
	return kva_arena_of(a)->team;
}

/* An allocation for a puppet to make. */
struct request {
	kv_arena_t *a;
	size_t size, alignment;
	int node;
	void *p;
	int error;
};

static void
allocate(void *arg)
{
	struct request *r = arg;

	kvo_run_on(r->node);
	errno = 0;
	r->p = r->alignment ? kv_arena_alloc_aligned(r->a, r->size, r->alignment)
		: kvt_alloc(r->a, r->size);
	r->error = errno;
}

/* Have a puppet allocate; where, NULL if it could not. */
static void *
have(struct kvp *p, kv_arena_t *a, size_t size)
{
	struct request r = { .a = a, .size = size };

	kvp_do(p, allocate, &r);
	return r.p;
}

static void
begin(struct kvp *p, int n)
{
	for (int i = 0; i < n; i++)
		kvp_begin(&p[i]);
}

static void
end(struct kvp *p, int n)
{
	for (int i = 0; i < n; i++)
		kvp_end(&p[i]);
}

static size_t
count_owned(const kv_arena_t *a)
{
	size_t n = 0;

	for (const struct kva_shard *s = team_of(a)->shards; s; s = s->next)
		n += s->owner != 0;
	return n;
}

/* ---- Shares ---------------------------------------------------------------------- */

START_TEST(each_thread_has_a_shard_of_its_own)
{
	kv_arena_t *a = create();
	struct kvp p[4];

	begin(p, 4);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 4; i++)
			kvt_true(have(&p[i], a, 100) != NULL);
	kvt_eq(team_of(a)->nshards, 4);
	kvt_eq(count_owned(a), 4);
	kvi_check(a);
	end(p, 4);
	kvt_eq(count_owned(a), 0);
	kvi_destroy(a);
}
END_TEST

START_TEST(no_two_threads_write_one_cache_line)
{
	kv_arena_t *a = create();
	struct kvp p[4];
	char *last[4] = { NULL };

	begin(p, 4);
	for (int round = 0; round < 300; round++)
		for (int i = 0; i < 4; i++) {
			char *at = have(&p[i], a, 40);

			kvt_true(at != NULL);
			for (int k = 0; k < 4; k++)
				if (k != i && last[k])
					kvt_true((uintptr_t)at / 64 != (uintptr_t)last[k] / 64);
			last[i] = at;
		}
	kvi_check(a);
	end(p, 4);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_lone_thread_loses_nothing_between_shares)
{
	kv_arena_t *a = create();

	for (int i = 0; i < 3000; i++)
		kvt_true(kvt_alloc(a, 64) != NULL);
	if (!kva_watch_on())
		kvt_eq(kvi_stats(a).tail_bytes, 0);
	kvi_destroy(a);
}
END_TEST

START_TEST(what_lies_unused_is_bounded_by_the_arena_not_by_its_threads)
{
	kv_arena_t *a = create();
	struct kvp p[16];
	size_t used = 0;

	begin(p, 16);
	for (int round = 0; round < 200; round++)
		for (int i = 0; i < 16; i++) {
			kvt_true(have(&p[i], a, 200) != NULL);
			used += 200;
		}
	kvi_check(a);
	kvt_cmp(kv_arena_memory_usage(a), <, 2 * used + 300 * KIB);
	end(p, 16);
	kvi_destroy(a);
}
END_TEST

START_TEST(shares_have_a_least_and_a_largest_size)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	struct kvp p[8];
	int grown = 0;
	kv_arena_t *a;

	config.block_size = KV_ARENA_MIN_BLOCK_SIZE;
	a = kvi_create(&config);
	begin(p, 8);
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < 8; i++)
			kvt_true(have(&p[i], a, 16) != NULL);
	kvi_check(a);
	for (int i = 0; i < 8; i++)	/* what threads get when there is much */
		for (int k = 0; k < 8; k++)
			kvt_true(have(&p[i], a, 500000) != NULL);
	for (const struct kva_shard *s = team_of(a)->shards; s; s = s->next)
		kvt_cmp(s->share, >=, 1024);
	for (int round = 0; round < 3000; round++)
		kvt_true(have(&p[round % 2], a, 5000) != NULL);
	for (const struct kva_shard *s = team_of(a)->shards; s; s = s->next) {
		kvt_cmp(s->share, <=, 256 * KIB);
		grown += s->share == 256 * KIB;
	}
	kvt_cmp(grown, >=, 2);
	kvi_check(a);
	end(p, 8);
	kvi_destroy(a);
}
END_TEST

static struct kva_shard *
newest_shard(const kv_arena_t *a)
{
	return team_of(a)->shards;
}

/* Of three threads each may have a third of a step. */
START_TEST(a_share_doubles_until_it_is_as_large_as_may_be)
{
	size_t most = KV_ARENA_DEFAULT_BLOCK_SIZE / 3, last = 1024;
	kv_arena_t *a = create();
	struct kva_shard *s;
	struct kvp p[3];

	begin(p, 3);
	for (int i = 0; i < 3; i++)
		kvt_true(have(&p[i], a, 16) != NULL);
	s = newest_shard(a);
	kvt_eq(s->share, 2 * last);
	while (last < most) {
		last = s->share;
		for (int i = 0; s->share == last && i < 2000; i++)
			kvt_true(have(&p[2], a, 64) != NULL);
		if (s->share == last)
			break;
		kvt_eq(s->share, 2 * last < most ? 2 * last : most);
	}
	kvt_eq(last, most);
	end(p, 3);
	kvi_destroy(a);
}
END_TEST

/* Of 8 threads an 8th of a quarter. */
START_TEST(a_share_may_be_a_part_of_what_the_arena_has_handed_out)
{
	kv_arena_t *a = create();
	size_t last = 1024, bound;
	struct kva_shard *s;
	struct kvp p[8];

	begin(p, 8);
	for (int i = 0; i < 8; i++)
		kvt_true(have(&p[i], a, 16) != NULL);
	s = newest_shard(a);
	for (int i = 0; i < 1000; i++)
		kvt_true(have(&p[0], a, 4096) != NULL);
	while (s->share == last || s->share == 2 * last) {
		last = s->share;
		kvt_true(have(&p[7], a, 1024) != NULL);
	}
	kvi_stats(a);			/* which settles */
	bound = (kva_arena_of(a)->bytes.reserved - kva_arena_of(a)->bytes.headers) / 32;
	kvt_cmp(s->share, <=, bound);
	kvt_cmp(s->share, >, bound - bound / 8);
	end(p, 8);
	kvi_destroy(a);
}
END_TEST

START_TEST(what_is_left_of_a_block_is_shared_out_to_the_last_byte)
{
	kv_arena_t *a = create();
	const struct kva_window *front = &kva_arena_of(a)->front.window;
	struct request r = { .a = a };
	struct kvp p[2];
	size_t pad;

	if (kvt_skip_if_apart()) {
		kvi_destroy(a);
		return;
	}
	begin(p, 2);
	for (int i = 0; i < 2; i++)	/* the first has the whole block to itself */
		kvt_true(have(&p[i], a, i ? 100 : 60000) != NULL);
	pad = kva_padding((uintptr_t)front->bump.cur, KVA_CACHE_LINE);
	kvt_cmp(kva_window_room(front), >, pad + 10000);
	r.size = kva_window_room(front) - pad;
	kvp_do(&p[0], allocate, &r);
	kvt_true(r.p != NULL);
	kvt_eq(kva_window_room(front), 0);
	kvt_eq(kvi_stats(a).blocks, 2);
	end(p, 2);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_block_for_one_allocation_counts_no_whole_step)
{
	kv_arena_t *a = create();
	size_t before, more;

	kvt_true(kvt_alloc(a, 8) != NULL);
	before = kv_arena_memory_usage(a);
	kvt_true(kvt_alloc(a, 3 * MIB + 8) != NULL);
	more = kv_arena_memory_usage(a) - before;
	kvt_cmp(more, >=, 3 * MIB + 8);
	kvt_cmp(more, <, 3 * MIB + 8 + sizeof(struct kva_block) + KVA_WATCH_GAP + 8);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_window_that_is_followed_by_more_is_made_longer)
{
	kv_arena_t *a = create();
	struct kva_shard *s;
	char *start;

	kvt_alloc(a, 8);
	s = kva_shard_find(kva_arena_of(a));
	start = s->window.start;
	for (int i = 0; i < 600; i++)
		kvt_alloc(a, 64);
	if (!kva_watch_on())
		kvt_true(s->window.start == start);
	kvi_destroy(a);
}
END_TEST

START_TEST(every_size_and_alignment_is_served)
{
	kv_arena_t *a = create();
	struct kvt_book book = { 0 };

	for (size_t alignment = 1; alignment <= 65536; alignment *= 4)
		for (size_t size = 1; size < 400000; size *= 5) {
			kvt_enter(&book, kv_arena_alloc_aligned(a, size, alignment),
				size, alignment);
			kvi_check(a);
		}
	kvt_intact(&book);
	kvt_drop(&book);
	kvt_refused(kv_arena_alloc_aligned(a, 1, SIZE_MAX / 2 + 1), ENOMEM);
	if (sizeof(size_t) > 4)		/* else there may be as much */
		kvt_refused(kv_arena_alloc_aligned(a, 1, SIZE_MAX / 8 + 1), ENOMEM);
	kvt_refused(kvt_alloc(a, SIZE_MAX - 100), ENOMEM);
	kvt_refused(kvt_alloc(a, SIZE_MAX / 16 * 15), ENOMEM);
	kvi_destroy(a);
}
END_TEST

/* So that no tally overflows. */
START_TEST(what_is_due_is_folded)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);
	struct kva_window *w;

	kvt_true(kvt_alloc(a, 8) != NULL);
	w = team_of(a) ? &team_of(a)->shards->window : &kva_arena_of(a)->front.window;
	w->shown = UINT64_MAX / 2;
	kvt_true(kva_window_is_due(w));
	kvt_true(kv_arena_alloc_aligned(a, 8, 16) != NULL);
	kvt_true(!kva_window_is_due(w));
	kvt_eq(kvi_stats(a).total_allocations, 2);
	kvi_destroy(a);
}
END_TEST

#if defined(__ELF__)
START_TEST(a_thread_sees_the_shard_that_it_used_last)
{
	kv_arena_t *a = create(), *b = create();

	kvt_true(kvt_alloc(a, 8) != NULL && kvt_alloc(b, 8) != NULL);
	kvt_true(kv_arena_mine.bump == &team_of(b)->shards->window.bump);
	kvt_eq(kv_arena_mine.key, kva_arena_of(b)->front.window.bump.key);
	kvt_true(kvt_alloc(a, 8) != NULL);
	kvt_true(kv_arena_mine.bump == &team_of(a)->shards->window.bump);
	kvi_destroy(a);
	kvi_destroy(b);
}
END_TEST
#else
START_TEST(a_thread_sees_the_shard_that_it_used_last)
{
	kvt_skip("a thread-local does not cross a DLL's border");
}
END_TEST
#endif

/* Not through the inline function, which asks nobody anyway. */
START_TEST(what_a_share_has_room_for_needs_no_lock)
{
	kv_arena_t *a = create();
	struct request r = { .a = a, .size = 48, .alignment = 16 };
	struct kvp p;

	kvp_begin(&p);
	kvt_true(have(&p, a, 8) != NULL);
	kva_team_lock(kva_arena_of(a));
	kvp_do(&p, allocate, &r);
	kva_team_unlock(kva_arena_of(a));
	kvt_true(r.p != NULL);
	kvp_end(&p);
	kvi_destroy(a);
}
END_TEST

START_TEST(threads_that_wait_for_each_other_are_counted)
{
	kv_arena_t *a = create();
	struct request r = { .a = a, .size = 100 };
	struct kvp p;

	kvp_begin(&p);
	kva_team_lock(kva_arena_of(a));
	kvp_tell(&p, allocate, &r);
	while (kva_load_relaxed(&team_of(a)->waits) == 0)
		sched_yield();
	kva_team_unlock(kva_arena_of(a));
	kvp_end(&p);
	kvt_true(r.p != NULL);
	kvt_eq(kvi_stats(a).lock_waits, 1);
	kvi_destroy(a);
}
END_TEST

static void
ask_for_usage(void *a)
{
	kv_arena_memory_usage(a);
}

static void
reserve_much(void *a)
{
	kv_arena_reserve(a, MIB, false);
}

static void
compact(void *a)
{
	kv_arena_compact(a);
}

static void
defer_nothing(void *a)
{
	kv_arena_defer(a, free, NULL);
}

static void
make_handle(void *a)
{
	kv_arena_handle(a, a);
	kv_arena_handle(a, kva_arena_of(a)->blocks->base);
}

/* The puppet has what it needs of the arena without the lock. */
START_TEST(what_is_of_all_threads_waits_for_the_lock)
{
	static void (*const asks[])(void *a) = {
		ask_for_usage, reserve_much, compact, defer_nothing, make_handle,
	};
	kv_arena_t *a = create();
	struct kvp p;

	kvp_begin(&p);
	kvt_true(have(&p, a, 8) != NULL);
	kva_team_lock(kva_arena_of(a));
	kvp_tell(&p, asks[_i], a);
	for (int i = 0; i < 1000000 && kva_load_relaxed(&team_of(a)->waits) == 0; i++)
		sched_yield();
	kvt_eq(kva_load_relaxed(&team_of(a)->waits), 1);
	kva_team_unlock(kva_arena_of(a));
	kvp_end(&p);
	kvi_destroy(a);
}
END_TEST

START_TEST(threads_on_two_nodes_have_memory_of_both)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	struct kvp p[2];
	kv_arena_t *a;

	config.enable_numa = true;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	a = kvi_create(&config);
	begin(p, 2);
	for (int i = 0; i < 400; i++) {
		struct request r = { .a = a, .size = 500, .node = i % 2 };

		kvp_do(&p[i % 2], allocate, &r);
		kvt_eq(kvo_place_of(r.p), KVA_PLACE_PREFERRED(i % 2));
	}
	kvi_check(a);
	end(p, 2);
	kvi_destroy(a);
}
END_TEST

/* Who is alone needs no lock for what comes next; of several none is known to. */
START_TEST(a_lone_shard_has_a_share_again_after_a_reset)
{
	kv_arena_t *a = create();
	struct kvp p;

	kvt_true(kvt_alloc(a, 100) != NULL);
	for (int round = 0; round < 3; round++) {
		kv_arena_reset(a);
		kvt_cmp(kva_window_room(&newest_shard(a)->window), >=, 1024);
		kvi_check(a);
	}
	kvp_begin(&p);
	kvt_true(have(&p, a, 100) != NULL);
	kv_arena_reset(a);
	for (const struct kva_shard *s = newest_shard(a); s; s = s->next)
		kvt_eq(kva_window_room(&s->window), 0);
	kvi_check(a);
	kvp_end(&p);
	kvi_destroy(a);
}
END_TEST

/* After a reset it has no memory anywhere. */
START_TEST(a_shard_that_is_empty_is_adopted_on_any_node)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	struct request r = { .size = 100 };

	config.enable_numa = true;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	r.a = kvi_create(&config);
	for (int i = 0; i < 4; i++) {
		r.node = i % 2;
		kvp_once(allocate, &r);
		kvt_eq(kvo_place_of(r.p), KVA_PLACE_PREFERRED(i % 2));
		if (i < 2)		/* with memory of the other node none is */
			kvt_eq(team_of(r.a)->nshards, i + 1);
		if (i == 1)
			kv_arena_reset(r.a);
	}
	kvt_eq(team_of(r.a)->nshards, 2);
	kv_arena_reset(r.a);
	for (int node = 0; node < 2; node++)
		for (int i = 0; i < 2; i++) {
			struct kvp p[2];

			begin(p, 2);
			r.node = node;
			kvp_do(&p[0], allocate, &r);
			kvp_do(&p[1], allocate, &r);
			end(p, 2);
			kv_arena_reset(r.a);
			kvt_eq(team_of(r.a)->nshards, 2);
		}
	kvi_destroy(r.a);
}
END_TEST

/* ---- While the lock is open --------------------------------------------------------- */

static struct {
	struct kva_os under;
	struct kvp *other;
	struct request request;
} meanwhile;

/* While one thread asks the system for memory, another comes, and is faster. */
static void *
map_slowly(size_t size, size_t alignment, kva_place_t place)
{
	kva_os.map = meanwhile.under.map;
	kvp_do(meanwhile.other, allocate, &meanwhile.request);
	return meanwhile.under.map(size, alignment, place);
}

START_TEST(a_block_that_another_thread_made_needless_goes_back)
{
	kv_arena_t *a = create();
	struct kvp p;
	char *at;

	kvp_begin(&p);
	meanwhile.under = kva_os;
	meanwhile.other = &p;
	meanwhile.request = (struct request){ .a = a, .size = 100 };
	kva_os.map = map_slowly;
	at = kvt_alloc(a, 100);
	kvt_true(at != NULL && meanwhile.request.p != NULL);
	kvi_check(a);
	kvt_eq(kvi_stats(a).blocks, 1);
	kvp_end(&p);
	kvi_destroy(a);
}
END_TEST

/* ---- Threads that come and go --------------------------------------------------------- */

START_TEST(the_shard_of_a_thread_that_ended_is_adopted_with_its_room)
{
	kv_arena_t *a = create();

	for (int i = 0; i < 500; i++) {
		struct request r = { .a = a, .size = 16 };

		kvp_once(allocate, &r);
		kvt_true(r.p != NULL);
	}
	kvt_eq(team_of(a)->nshards, 1);
	kvt_eq(kvi_stats(a).shards, 1);
	kvt_eq(kvi_stats(a).shard_handovers, 499);
	kvt_cmp(kv_arena_memory_usage(a), <, 200 * KIB);
	kvi_destroy(a);
}
END_TEST

START_TEST(all_shards_of_a_thread_that_ended_are_adopted)
{
	kv_arena_t *a[3];
	struct kvp p;

	begin(&p, 1);
	for (int i = 0; i < 3; i++) {
		a[i] = create();
		kvt_true(have(&p, a[i], 100) != NULL);
	}
	kvp_end(&p);
	for (int i = 0; i < 3; i++) {
		kvt_true(kvt_alloc(a[i], 100) != NULL);
		kvt_eq(kvi_stats(a[i]).shard_handovers, 1);
		kvi_destroy(a[i]);
	}
}
END_TEST

START_TEST(a_thread_may_end_before_and_after_its_arenas)
{
	kv_arena_t *a[6];
	struct kvp p[2];

	begin(p, 2);
	for (int i = 0; i < 6; i++) {
		a[i] = create();
		kvt_true(have(&p[0], a[i], 100) != NULL);
		kvt_true(have(&p[1], a[i], 100) != NULL);
	}
	kvi_destroy(a[3]);
	kvi_destroy(a[0]);
	kvp_end(&p[0]);
	kvi_destroy(a[5]);
	kvt_true(have(&p[1], a[1], 100) != NULL);
	kvp_end(&p[1]);
	for (int i = 1; i < 5; i++)
		if (i != 3)
			kvi_destroy(a[i]);
}
END_TEST

/* ---- Guests: threads whose end nobody would see ------------------------------------------ */

struct visit {
	kv_arena_t *a;
	size_t faults;
};

#define EXPECT(v, x) ((v)->faults += !(x))

static void
visit(void *arg)
{
	struct visit *v = arg;
	char *p;

	EXPECT(v, !kva_thread_may_stay());
	p = kvt_alloc(v->a, 100);
	EXPECT(v, p != NULL);
	EXPECT(v, kva_shard_find(kva_arena_of(v->a)) == NULL);
	EXPECT(v, kv_arena_realloc(v->a, p, 100, 50) == p);
	p = kv_arena_realloc(v->a, p, 50, 5000);
	EXPECT(v, p != NULL);
	EXPECT(v, kv_arena_strdup(v->a, "text") != NULL);
	EXPECT(v, kv_arena_defer(v->a, free, NULL) == 0);
	EXPECT(v, kvt_alloc(v->a, 3 * MIB) != NULL);
}

static void
ask_for_a_handle(void *arg)
{
	struct visit *v = arg;

	errno = 0;
	EXPECT(v, kv_arena_local(v->a) == NULL && errno == ENOTSUP);
}

static void
reserve(void *arg)
{
	struct visit *v = arg;

	errno = 0;
	EXPECT(v, kv_arena_reserve(v->a, 1000, false) == -1 && errno == ENOTSUP);
}

static void
have_guests(void (*fn)(void *arg), int n)
{
	struct visit v = { create(), 0 };

	kvo_fail_from(KVO_CALL(EXIT_VALUE), 1, ENOTSUP);
	for (int i = 0; i < n; i++)
		kvp_once(fn, &v);
	kvo_heal();
	kvt_eq(v.faults, 0);
	kvt_cmp(team_of(v.a)->nshards, <=, 1);
	kvt_eq(count_owned(v.a), 0);
	kvi_destroy(v.a);
}

START_TEST(a_guest_keeps_no_shard_beyond_a_call)
{
	have_guests(visit, 50);
}
END_TEST

static void
ask_for_too_much(void *arg)
{
	struct visit *v = arg;

	errno = 0;
	EXPECT(v, kvt_alloc(v->a, 5 * MIB) == NULL && errno == ENOMEM);
}

START_TEST(a_guest_without_memory_is_told_so)
{
	struct visit v = { create(), 0 };

	kvo_fail_from(KVO_CALL(EXIT_VALUE) | KVO_CALL(MAP), 1, EPERM);
	for (int i = 0; i < 3; i++)
		kvp_once(ask_for_too_much, &v);
	kvo_heal();
	kvt_eq(v.faults, 0);
	kvi_destroy(v.a);
}
END_TEST

START_TEST(a_guest_has_no_handle_of_its_own)
{
	have_guests(ask_for_a_handle, 3);
}
END_TEST

START_TEST(nothing_is_reserved_for_a_guest)
{
	have_guests(reserve, 50);
}
END_TEST

/* ---- Reserve ---------------------------------------------------------------------------------- */

START_TEST(what_was_reserved_is_had_without_asking_anybody)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)(_i % 2));
	kv_arena_t *a;

	config.zero = _i / 2 == 1;
	config.memory_limit = _i / 2 == 2 ? 64 * MIB : 0;
	a = kvi_create(&config);
	for (size_t n = 1; n < 3 * MIB; n = n * 3 + 100) {
		kvt_eq(kv_arena_reserve(a, n, n % 2), 0);
		kvi_check(a);
		kvo_fail_from(KVA_ALL_CALLS, 1, 0);
		for (size_t done = 0; done + 1000 <= n && !kva_watch_on(); done += 1000)
			kvt_true(kvt_alloc(a, 1000) != NULL);
		kvo_heal();
	}
	kvi_destroy(a);
}
END_TEST

START_TEST(what_cannot_be_reserved_is_refused)
{
	kv_arena_config_t config = kvi_config((kv_arena_thread_mode_t)_i);
	kv_arena_t *a = kvi_create(&config);

	kvo_fail_from(KVO_CALL(ALLOC) | KVO_CALL(MAP), 1, 0);
	kvt_fails(kv_arena_reserve(a, 1000, false), -1, ENOMEM);
	kvo_heal();
	kvt_fails(kv_arena_reserve(a, SIZE_MAX, false), -1, ENOMEM);
	kvt_fails(kv_arena_reserve(a, SIZE_MAX / 16 * 15, false), -1, ENOMEM);
	kvt_eq(kvi_stats(a).failed_allocations, 3);
	kvo_fail_once(KVO_CALL(POPULATE), 1, EPERM);
	kvt_fails(kv_arena_reserve(a, 1000, true), -1, EPERM);
	kvi_load(a, 10000);
	kvi_destroy(a);
}
END_TEST

/* ---- Failures ------------------------------------------------------------------------------------ */

START_TEST(a_thread_without_memory_for_a_shard_has_no_allocation)
{
	kv_arena_t *a = create();
	struct request r = { .a = a, .size = 100 };
	struct kvp p;

	kvi_load(a, 1000);
	kvp_begin(&p);
	kvo_fail_once(KVO_CALL(ALLOC), 1, 0);
	kvp_do(&p, allocate, &r);
	kvt_true(r.p == NULL && r.error == ENOMEM);
	kvt_eq(team_of(a)->nshards, 1);
	kvt_true(have(&p, a, 100) != NULL);
	kvt_eq(team_of(a)->nshards, 2);
	kvp_end(&p);
	kvi_destroy(a);
}
END_TEST

START_TEST(a_limit_may_refuse_a_thread_its_shard)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	struct request r = { .size = 100 };
	struct kvp p;

	config.block_size = 4 * KIB;
	config.memory_limit = 64 * KIB;
	r.a = kvi_create(&config);
	while (kvt_alloc(r.a, 8))
		;
	kvp_begin(&p);
	kvp_do(&p, allocate, &r);
	kvt_true(r.p == NULL && r.error == ENOMEM);
	kvp_end(&p);
	kvi_destroy(r.a);
}
END_TEST

START_TEST(absorbing_that_fails_closes_no_thread_s_share)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	kv_arena_t *from = create(), *into;
	kv_arena_stats_t before, after;
	struct kvp p[2];

	config.memory_limit = 50 * KIB;
	into = kvi_create(&config);
	begin(p, 2);
	for (int i = 0; i < 1000; i++)
		kvt_true(have(&p[i % 2], from, 100) != NULL);
	before = kvi_stats(from);
	kvt_fails(kv_arena_absorb(into, from), -1, ENOMEM);
	after = kvi_stats(from);
	kvt_true(memcmp(&before, &after, sizeof before) == 0);
	kvt_true(have(&p[0], from, 100) != NULL);
	kvi_check(from);
	end(p, 2);
	kvi_destroy(into);
	kvi_destroy(from);
}
END_TEST

START_TEST(a_sealed_arena_gives_no_thread_anything)
{
	kv_arena_t *a = create();
	struct request r = { .a = a, .size = 100 };
	struct kvp p;

	kvi_load(a, 1000);
	kvt_eq(kv_arena_seal(a), 0);
	kvp_begin(&p);
	kvp_do(&p, allocate, &r);	/* one that has no shard yet */
	kvt_true(r.p == NULL && r.error == EPERM);
	kvt_refused(kvt_alloc(a, 100), EPERM);
	kvt_eq(kv_arena_unseal(a), 0);
	kvt_true(have(&p, a, 100) != NULL);
	kvi_load(a, 1000);
	kvp_end(&p);
	kvi_destroy(a);
}
END_TEST

/* ---- Fork -------------------------------------------------------------------------------------------- */

#ifndef _WIN32
START_TEST(a_forked_child_adopts_the_shards_of_other_threads)
{
	kv_arena_t *a = create();
	struct kvp p[3];
	int status = 0;
	pid_t child;

	begin(p, 3);
	for (int i = 0; i < 3; i++)
		kvt_true(have(&p[i], a, 100) != NULL);
	kvi_load(a, 1000);
	fflush(NULL);
	child = fork();
	if (child == 0)
		exit(count_owned(a) == 1 && kvt_alloc(a, 100) ? 7 : 8);
	kvt_true(waitpid(child, &status, 0) == child);
	kvt_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	kvt_eq(count_owned(a), 4);
	end(p, 3);
	kvi_destroy(a);
}
END_TEST
#endif

int
main(void)
{
	Suite *s = suite_create("shard");
	TCase *g = kvi_group(s, "shares");

	tcase_add_test(g, each_thread_has_a_shard_of_its_own);
	tcase_add_test(g, no_two_threads_write_one_cache_line);
	tcase_add_test(g, a_lone_thread_loses_nothing_between_shares);
	tcase_add_test(g, what_lies_unused_is_bounded_by_the_arena_not_by_its_threads);
	tcase_add_test(g, shares_have_a_least_and_a_largest_size);
	tcase_add_test(g, a_share_doubles_until_it_is_as_large_as_may_be);
	tcase_add_test(g, a_share_may_be_a_part_of_what_the_arena_has_handed_out);
	tcase_add_test(g, what_is_left_of_a_block_is_shared_out_to_the_last_byte);
	tcase_add_test(g, a_block_for_one_allocation_counts_no_whole_step);
	tcase_add_test(g, a_window_that_is_followed_by_more_is_made_longer);
	tcase_add_test(g, every_size_and_alignment_is_served);
	tcase_add_test(g, what_a_share_has_room_for_needs_no_lock);
	tcase_add_loop_test(g, what_is_due_is_folded, 0, 2);
	tcase_add_test(g, a_thread_sees_the_shard_that_it_used_last);
	tcase_add_test(g, threads_that_wait_for_each_other_are_counted);
	tcase_add_loop_test(g, what_is_of_all_threads_waits_for_the_lock, 0, 5);
	tcase_add_test(g, threads_on_two_nodes_have_memory_of_both);
	tcase_add_test(g, a_lone_shard_has_a_share_again_after_a_reset);
	tcase_add_test(g, a_shard_that_is_empty_is_adopted_on_any_node);
	tcase_add_test(g, a_block_that_another_thread_made_needless_goes_back);

	g = kvi_group(s, "threads that come and go");
	tcase_add_test(g, the_shard_of_a_thread_that_ended_is_adopted_with_its_room);
	tcase_add_test(g, all_shards_of_a_thread_that_ended_are_adopted);
	tcase_add_test(g, a_thread_may_end_before_and_after_its_arenas);
	tcase_add_test(g, a_guest_keeps_no_shard_beyond_a_call);
	tcase_add_test(g, a_guest_without_memory_is_told_so);
	tcase_add_test(g, a_guest_has_no_handle_of_its_own);
	tcase_add_test(g, nothing_is_reserved_for_a_guest);
#ifndef _WIN32
	tcase_add_test(g, a_forked_child_adopts_the_shards_of_other_threads);
#endif

	g = kvi_group(s, "reserve");
	tcase_add_loop_test(g, what_was_reserved_is_had_without_asking_anybody, 0, 6);
	tcase_add_loop_test(g, what_cannot_be_reserved_is_refused, 0, 2);

	g = kvi_group(s, "failures");
	tcase_add_test(g, a_thread_without_memory_for_a_shard_has_no_allocation);
	tcase_add_test(g, a_limit_may_refuse_a_thread_its_shard);
	tcase_add_test(g, absorbing_that_fails_closes_no_thread_s_share);
	tcase_add_test(g, a_sealed_arena_gives_no_thread_anything);
	return kvt_run(s, 5000);
}
