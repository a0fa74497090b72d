/* t-registry.c -- lib/registry.c and lib/thread.c: arenas that live, and threads
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"
#include "kvpuppet.h"
#include "kvrefuse.h"
#include "registry.h"
#include "thread.h"

#include <string.h>

#define ARENAS 12

/* ---- Arenas ------------------------------------------------------------------------ */

START_TEST(no_key_is_given_twice_and_each_has_its_kind)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t key = kva_registry_key(i % (KV_ARENA_KINDS + 1));

		kvt_eq(key & KV_ARENA_KINDS, i % (KV_ARENA_KINDS + 1));
		kvt_cmp(key / (KV_ARENA_KINDS + 1), >, last);
		last = key / (KV_ARENA_KINDS + 1);
	}
}
END_TEST

static size_t
count_arenas(void)
{
	size_t n = 0;

	kva_registry_lock();
	for (const struct kva_arena *a = kva_registry_first(); a; a = a->next) {
		if (a->next && a->next->link != &a->next)
			n += 1000;
		n++;
	}
	kva_registry_unlock();
	return n;
}

START_TEST(arenas_are_listed_newest_first_and_leave_from_anywhere)
{
	size_t before = count_arenas();
	kv_arena_t *a[ARENAS];

	for (int i = 0; i < ARENAS; i++) {
		a[i] = kv_arena_create(0);
		kvt_true(kva_registry_first() == kva_arena_of(a[i]));
	}
	kvt_eq(count_arenas(), before + ARENAS);
	for (int i = 0; i < ARENAS; i++) {
		kv_arena_destroy(a[i * 5 % ARENAS]);
		kvt_eq(count_arenas(), before + ARENAS - 1 - (size_t)i);
	}
}
END_TEST

/* ---- Threads ------------------------------------------------------------------------- */

static void
note_token(void *arg)
{
	*(uint64_t *)arg = kva_thread_token();
}

START_TEST(every_thread_has_a_token_of_its_own)
{
	uint64_t token[20];

	for (int i = 0; i < 20; i++) {
		kvp_once(note_token, &token[i]);
		for (int k = 0; k < i; k++)
			kvt_true(token[k] != token[i]);
	}
	kvt_true(kva_thread_token() != token[19]);
	kvt_eq(kva_thread_token(), kva_thread_token());
}
END_TEST

START_TEST(a_thread_finds_its_shards_in_more_arenas_than_it_remembers)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	struct kva_shard *s[ARENAS];
	kv_arena_t *a[ARENAS];

	for (int i = 0; i < ARENAS; i++) {
		a[i] = kvi_create(&config);
		kvt_true(kvt_alloc(a[i], 8) != NULL);
		s[i] = kva_shard_find(kva_arena_of(a[i]));
		kvt_true(s[i] != NULL);
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < ARENAS; i++) {
			kvt_true(kva_shard_mine(kva_arena_of(a[i])) == s[i]);
			kvt_true(kva_thread_recall(s[i]->window.bump.key) == s[i]);
			kvt_true(kvt_alloc(a[i], 8) != NULL);
		}
	for (int i = 0; i < ARENAS; i++) {
		kvt_eq(kvi_stats(a[i]).shards, 1);
		kvi_destroy(a[i]);
	}
}
END_TEST

START_TEST(what_was_forgotten_is_found_by_asking_the_arena)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	kv_arena_t *a = kvi_create(&config);
	struct kva_shard *s;
	uint64_t key;

	kvt_alloc(a, 8);
	s = kva_shard_find(kva_arena_of(a));
	key = s->window.bump.key;
	kva_thread_forget(key);
	kvt_true(kva_thread_recall(key) == NULL);
	kvt_true(kva_shard_find(kva_arena_of(a)) == s);
	kvt_true(kva_thread_recall(key) == s);
	kvi_destroy(a);
	kvt_true(kva_thread_recall(key + KV_ARENA_KINDS + 1) == NULL);
}
END_TEST

/* What a destructor of thread-local data may do after ours ran. */
struct epilogue {
	kv_arena_t *a[3];
	size_t faults;
};

#define EXPECT(e, x) ((e)->faults += !(x))

static void
end_and_go_on(void *arg)
{
	struct epilogue *e = arg;

	for (int i = 0; i < 3; i++)
		EXPECT(e, kvt_alloc(e->a[i], 100) != NULL);
	EXPECT(e, kva_thread_may_stay());
	kva_thread_end(NULL);
	EXPECT(e, !kva_thread_may_stay());
#ifdef __ELF__
	EXPECT(e, kv_arena_mine.key == 0);
#endif
	for (int i = 0; i < 3; i++) {
		struct kva_arena *a = kva_arena_of(e->a[i]);

		EXPECT(e, kva_thread_recall(a->front.window.bump.key) == NULL);
		EXPECT(e, kvt_alloc(e->a[i], 100) != NULL);
	}
}

START_TEST(a_thread_may_allocate_after_its_end)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_SAFE);
	struct epilogue e = { .faults = 0 };

	for (int i = 0; i < 3; i++)
		e.a[i] = kvi_create(&config);
	for (int round = 0; round < 20; round++)
		kvp_once(end_and_go_on, &e);
	kvt_eq(e.faults, 0);
	for (int i = 0; i < 3; i++) {
		kvt_cmp(kvi_stats(e.a[i]).shards, <=, 2);
		for (const struct kva_shard *s = kva_arena_of(e.a[i])->team->shards; s;
		     s = s->next)
			kvt_eq(s->owner, 0);
		kvi_destroy(e.a[i]);
	}
}
END_TEST

/* ---- Without hooks -------------------------------------------------------------------- */

static void
allocate(void *arg)
{
	kv_arena_t **a = arg;

	if (!kvt_alloc(*a, 100) || !kv_arena_strdup(*a, "text"))
		*a = NULL;
}

START_TEST(without_hooks_the_library_works_and_every_thread_is_a_guest)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_book book = { 0 };
	kv_arena_t *a, *used;

	if (!kvr_has_own_process())
		return;
	kvo_begin(KVO_THIS_MACHINE);
	kvo_fail_from(KVO_CALL(EXIT_HOOK) | KVO_CALL(FORK_HOOK), 1, EAGAIN);
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	a = used = kvi_create(&config);
	for (size_t i = 1; i < 3000; i++)
		kvt_enter(&book, kvt_alloc(a, i % 300 + 1), i % 300 + 1, 8);
	kvt_refused(kv_arena_local(a), ENOTSUP);
	for (int i = 0; i < 20; i++)
		kvp_once(allocate, &used);
	kvt_true(used == a);
	kvt_eq(kvi_stats(a).shards, 1);
	kvt_intact(&book);
	kvt_drop(&book);
	kvi_destroy(a);
	kvo_end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("registry");
	TCase *g = kvt_group(s, "without hooks");	/* first: made once */

	tcase_add_test(g,
		without_hooks_the_library_works_and_every_thread_is_a_guest);

	g = kvi_group(s, "arenas");
	tcase_add_test(g, no_key_is_given_twice_and_each_has_its_kind);
	tcase_add_test(g, arenas_are_listed_newest_first_and_leave_from_anywhere);

	g = kvi_group(s, "threads");
	tcase_add_test(g, every_thread_has_a_token_of_its_own);
	tcase_add_test(g, a_thread_finds_its_shards_in_more_arenas_than_it_remembers);
	tcase_add_test(g, what_was_forgotten_is_found_by_asking_the_arena);
	tcase_add_test(g, a_thread_may_allocate_after_its_end);
	return kvt_run(s, 2400);
}
