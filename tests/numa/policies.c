/* policies.c -- each policy on four nodes, by one thread and by four
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "guest.h"

#include <pthread.h>
#include <string.h>

#define SAFE KV_ARENA_THREAD_SAFE
#define UNSAFE KV_ARENA_THREAD_UNSAFE
#define MANY 2048			/* pages */

/* ---- One thread ------------------------------------------------------------ */

static void
test_cpus(void)
{
	int wrong = 0;

	for (int cpu = 0; cpu < NODES; cpu++) {
		run_on(cpu);
		wrong += kv_arena_get_numa_node() != cpu;
	}
	ok(wrong == 0, "a thread's node is that of its CPU", NULL);
}

static void
test_one_node(kv_arena_numa_policy_t policy, const char *name)
{
	unsigned least = 1000;

	for (int node = 0; node < NODES; node++) {
		kv_arena_t *a = arena_on(policy, node, UNSAFE);
		struct book b = { 0 };
		struct spread s;

		run_on((node + 1) % NODES);
		take_pages(a, &b, MANY);
		s = spread_of(&b, 0);
		printf("# %s node %d: pages by node %s\n", name, node, told(&s));
		if (share_of(&s, node) < least)
			least = share_of(&s, node);
		kv_arena_destroy(a);
		drop_book(&b);
	}
	ok(least >= 990, name, "at least %u of 1000 pages in place", least);
}

static bool
is_even(const struct spread *s, unsigned nodes)
{
	for (unsigned i = 0; i < nodes; i++)
		if (100 * nodes * s->on[i] < 99 * s->all ||
		    100 * nodes * s->on[i] > 101 * s->all)
			return false;
	return true;
}

static void
test_interleave(void)
{
	for (int mode = UNSAFE; mode <= SAFE; mode++) {
		kv_arena_t *a = arena_on(KV_ARENA_NUMA_INTERLEAVE, -1,
			(kv_arena_thread_mode_t)mode);
		struct book b = { 0 };
		struct spread s;

		take_pages(a, &b, MANY);
		s = spread_of(&b, 0);
		ok(is_even(&s, NODES), mode == SAFE
			? "interleave is even in a shared arena, within 1 %"
			: "interleave is even, within 1 %", "pages by node %s", told(&s));
		kv_arena_destroy(a);
		drop_book(&b);
	}
}

/* A block is 2 MiB at most, so 512 pages later the next one has begun. */
static void
test_migration(kv_arena_thread_mode_t mode)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_LOCAL, -1, mode);
	struct book b = { 0 };
	struct spread s;
	unsigned least = 1000;

	for (int cpu = 0; cpu < NODES; cpu++) {
		run_on(cpu);
		take_pages(a, &b, 512);	/* what is left of the last node's block */
		take_pages(a, &b, MANY);
		s = spread_of(&b, b.n - MANY);
		if (share_of(&s, cpu) < least)
			least = share_of(&s, cpu);
	}
	ok(least >= 990, mode == SAFE
		? "a thread that migrates gets local blocks of a shared arena"
		: "a thread that migrates gets local blocks",
		"at least %u of 1000 pages in place", least);
	kv_arena_destroy(a);
	drop_book(&b);
}

static void
test_migration_and_reset(kv_arena_thread_mode_t mode)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_LOCAL, -1, mode);
	unsigned least = 1000;

	for (int round = 0; round < 8; round++) {
		struct book b = { 0 };
		struct spread s;

		run_on(round % NODES);
		take_pages(a, &b, 300);
		s = spread_of(&b, 0);
		if (share_of(&s, round % NODES) < least)
			least = share_of(&s, round % NODES);
		drop_book(&b);
		kv_arena_reset(a);
	}
	ok(least >= 990, mode == SAFE
		? "after a reset, too, of a shared arena"
		: "after a reset, too, where the block was kept",
		"at least %u of 1000 pages in place", least);
	kv_arena_destroy(a);
}

static void
test_cache(void)
{
	unsigned least = 1000;
	uint64_t reuses = 0;

	for (int round = 0; round < 2 * NODES; round++) {
		int node = round % NODES;
		kv_arena_t *a = arena_on(KV_ARENA_NUMA_BIND, node, UNSAFE);
		struct book b = { 0 };
		kv_arena_stats_t st;
		struct spread s;

		take_pages(a, &b, 1000);
		s = spread_of(&b, 0);
		if (share_of(&s, node) < least)
			least = share_of(&s, node);
		kv_arena_get_stats(a, &st);
		if (round >= NODES)
			reuses += st.block_reuses;
		kv_arena_destroy(a);
		drop_book(&b);
	}
	ok(least == 1000, "a warm block never goes to an arena of another node",
		"%u of 1000 pages in place", least);
	ok(reuses >= NODES, "and yet blocks are used again", "%lu blocks",
		(unsigned long)reuses);
}

static unsigned long
huge_kib(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	unsigned long kib = 0, n;
	char line[256];

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "AnonHugePages: %lu", &n) == 1)
			kib = n;
	if (f)
		fclose(f);
	return kib;
}

static void
test_huge_pages(void)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_BIND, 2, UNSAFE);
	struct book b = { 0 };
	struct spread s;
	unsigned long kib = huge_kib();

	take_pages(a, &b, 16 * MIB / PAGE);
	kib = huge_kib() - kib;
	s = spread_of(&b, 0);
	ok(share_of(&s, 2) == 1000 && kib >= 8192, "huge pages lie on the node, too",
		"%lu KiB in huge pages, pages by node %s", kib, told(&s));
	kv_arena_destroy(a);
	drop_book(&b);
}

static void
test_thread_policy(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct book b = { 0 };
	struct spread s;
	kv_arena_t *a;

	run_on(0);
	kv_arena_cache_trim(NULL, 0);
	ok(kv_arena_set_numa_policy(2) == 0, "a thread may prefer a node", NULL);
	a = kv_arena_create_ex(&config);
	take_pages(a, &b, MANY);
	s = spread_of(&b, 0);
	ok(share_of(&s, 2) >= 990, "and an arena without a policy follows it",
		"pages by node %s", told(&s));
	ok(kv_arena_set_numa_policy(-1) == 0, "until it does no longer", NULL);
	kv_arena_destroy(a);
	drop_book(&b);
	kv_arena_cache_trim(NULL, 0);
}

void
test_policies(void)
{
	test_cpus();
	test_one_node(KV_ARENA_NUMA_PREFERRED, "preferred");
	test_one_node(KV_ARENA_NUMA_BIND, "bind");
	test_interleave();
	test_migration(UNSAFE);
	test_migration(SAFE);
	test_migration_and_reset(UNSAFE);
	test_migration_and_reset(SAFE);
	test_cache();
	test_huge_pages();
	test_thread_policy();
}

/* ---- Four threads ------------------------------------------------------------ */

struct worker {
	pthread_t thread;
	kv_arena_t *arena;
	int cpu;
	struct book book;
};

static void *
work(void *arg)
{
	struct worker *w = arg;

	run_on(w->cpu);
	take_pages(w->arena, &w->book, MANY);
	return NULL;
}

/* Let a thread on each node take pages of a shared arena, and count those on the
 * node wanted; -1: on the thread's own. */
static void
crowd(kv_arena_t *a, int wanted, unsigned long *in_place, unsigned long *all,
	unsigned long *local)
{
	struct worker w[NODES];

	*in_place = *all = *local = 0;
	for (int i = 0; i < NODES; i++) {
		w[i] = (struct worker){ .arena = a, .cpu = i };
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (int i = 0; i < NODES; i++) {
		struct spread s;

		pthread_join(w[i].thread, NULL);
		s = spread_of(&w[i].book, 0);
		*in_place += s.on[wanted < 0 ? i : wanted];
		*local += s.on[i];
		*all += s.all;
		drop_book(&w[i].book);
	}
}

static void
test_crowd(kv_arena_numa_policy_t policy, const char *name)
{
	unsigned long in_place, all, local;
	double least = 100;

	for (int node = 0; node < NODES; node++) {
		int wanted = policy == KV_ARENA_NUMA_LOCAL ? -1 : node;
		kv_arena_t *a = arena_on(policy, node, SAFE);

		crowd(a, wanted, &in_place, &all, &local);
		if (all == 0 || 100.0 * (double)in_place / (double)all < least)
			least = all ? 100.0 * (double)in_place / (double)all : 0;
		kv_arena_destroy(a);
	}
	ok(least >= 99, name, "at least %.2f %% of %lu pages in place", least, all);
}

/* The same work under each policy: how many pages are local to whoever took them.
 * First with blocks that come fresh, then with what others left in the cache. */
static void
compare(kv_arena_numa_policy_t policy, bool numa, const char *name)
{
	unsigned long in_place, all, first, again;
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = SAFE;
	config.enable_numa = numa;
	config.numa_policy = policy;
	config.preferred_numa_node = 0;
	kv_arena_cache_trim(NULL, 0);
	for (int round = 0; round < 2; round++) {
		kv_arena_t *a = kv_arena_create_ex(&config);

		crowd(a, -1, &in_place, &all, round ? &again : &first);
		kv_arena_destroy(a);
	}
	printf("# %-22s %6lu local %6lu remote; warm %6lu local %6lu remote\n", name,
		first, all - first, again, all - again);
}

void
test_threads(void)
{
	test_crowd(KV_ARENA_NUMA_PREFERRED, "four threads, preferred");
	test_crowd(KV_ARENA_NUMA_BIND, "four threads, bind");
	test_crowd(KV_ARENA_NUMA_LOCAL, "four threads, local");
	printf("# pages by whether they lie on the node of the thread that took them\n");
	compare(KV_ARENA_NUMA_PREFERRED, false, "no policy");
	compare(KV_ARENA_NUMA_PREFERRED, true, "preferred, node 0");
	compare(KV_ARENA_NUMA_INTERLEAVE, true, "interleave");
	compare(KV_ARENA_NUMA_LOCAL, true, "local");
}
