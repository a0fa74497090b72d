/* odd.c -- nodes without memory, without processors, and nodes that go away
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#define ODD 3

static void
expect_pages(kv_arena_numa_policy_t policy, int node, const char *name)
{
	kv_arena_t *a = arena_on(policy, node, KV_ARENA_THREAD_UNSAFE);
	struct book b = { 0 };
	struct spread s;

	take_pages(a, &b, 1000);
	s = spread_of(&b, 0);
	ok(b.n == 1000 && share_of(&s, node) >= 990, name, "pages by node %s", told(&s));
	kv_arena_destroy(a);
	drop_book(&b);
}

/* Memory is had all the same and lies elsewhere; the report says so, and why. */
static void
expect_elsewhere(kv_arena_numa_policy_t policy, int node, const char *name)
{
	kv_arena_t *a = arena_on(policy, node, KV_ARENA_THREAD_UNSAFE);
	kv_arena_numa_report_t r = { 0 };
	struct book b = { 0 };
	struct spread s;

	take_pages(a, &b, 1000);
	s = spread_of(&b, 0);
	kv_arena_numa_report(a, &r);
	ok(b.n == 1000 && r.fallbacks > 0 && r.last_errno == EINVAL && r.permitted &&
		r.pages_elsewhere >= 1000 && r.pages_wanted == 0, name,
		"%lu fallbacks, errno %d, pages by node %s", (unsigned long)r.fallbacks,
		r.last_errno, told(&s));
	ok(strstr(report_of(a, KV_ARENA_REPORT_TEXT), "it has no memory"),
		"and the text says why", NULL);
	kv_arena_destroy(a);
	drop_book(&b);
}

static void
expect_nothing(int node, const char *name)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_BIND, node, KV_ARENA_THREAD_UNSAFE);
	kv_arena_numa_report_t r = { 0 };
	void *p = a ? kv_arena_alloc(a, 100) : NULL;

	if (a)
		kv_arena_numa_report(a, &r);
	ok(a && !p && r.last_errno == EINVAL, name, "errno %d", r.last_errno);
	kv_arena_destroy(a);
}

static void
expect_interleave(int nodes, const char *name)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_INTERLEAVE, -1, KV_ARENA_THREAD_UNSAFE);
	struct book b = { 0 };
	struct spread s;
	bool even = true;

	take_pages(a, &b, 3000);
	s = spread_of(&b, 0);
	for (int i = 0; i < nodes; i++)
		if (100 * s.on[i] * (unsigned)nodes < 99 * s.all)
			even = false;
	ok(even && b.n == 3000, name, "pages by node %s", told(&s));
	kv_arena_destroy(a);
	drop_book(&b);
}

void
test_node_without_memory(void)
{
	run_on(ODD);
	ok(kv_arena_get_numa_node() == ODD, "a thread runs on a node without memory",
		"node %d", kv_arena_get_numa_node());
	expect_nothing(ODD, "bind to a node without memory fails");
	expect_elsewhere(KV_ARENA_NUMA_PREFERRED, ODD,
		"preferred falls back from a node without memory");
	expect_elsewhere(KV_ARENA_NUMA_LOCAL, -1,
		"local falls back on a node without memory");
	expect_interleave(3, "interleave leaves out the node without memory");
	expect_pages(KV_ARENA_NUMA_BIND, 1, "bind to another node works from there");
}

void
test_node_without_cpu(void)
{
	run_on(0);
	expect_pages(KV_ARENA_NUMA_BIND, ODD, "bind to a node without a processor");
	expect_pages(KV_ARENA_NUMA_PREFERRED, ODD, "prefer a node without a processor");
	expect_interleave(NODES, "interleave counts the node without a processor in");
	run_on(2);
	expect_pages(KV_ARENA_NUMA_LOCAL, 2, "local goes to where there are some");
}

/* ---- A node that goes away --------------------------------------------------------- */

#define GOING 1

/* Take all memory of the node offline; the kernel moves what is in use. */
static unsigned
take_offline(void)
{
	unsigned blocks = 0;

	for (int i = 0; i < 4096; i++) {
		char path[96];

		snprintf(path, sizeof path,
			"/sys/devices/system/node/node%d/memory%d/state", GOING, i);
		blocks += write_file(path, "offline");
	}
	return blocks;
}

static bool
is_intact(const struct book *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->page[i][17] != 1)
			return false;
	return true;
}

void
test_node_going_offline(void)
{
	kv_arena_t *live, *idle;
	kv_arena_numa_report_t r = { 0 };
	struct book b = { 0 }, warm = { 0 };
	struct spread s;
	unsigned blocks;

	run_on(0);
	expect_pages(KV_ARENA_NUMA_BIND, GOING, "bind to a node that will go");
	live = arena_on(KV_ARENA_NUMA_PREFERRED, GOING, KV_ARENA_THREAD_UNSAFE);
	take_pages(live, &b, 2000);
	idle = arena_on(KV_ARENA_NUMA_BIND, GOING, KV_ARENA_THREAD_UNSAFE);
	take_pages(idle, &warm, 2000);
	kv_arena_destroy(idle);	/* its blocks stay warm, in the cache */

	blocks = take_offline();
	ok(blocks > 0 && node_figure(GOING, "meminfo", "MemTotal:") == 0,
		"the node's memory goes offline", "%u blocks of memory", blocks);
	ok(is_intact(&b), "what lay there is intact", NULL);
	s = spread_of(&b, 0);
	kv_arena_numa_report(live, &r);
	ok(s.on[GOING] == 0 && r.pages_elsewhere >= 2000 && r.pages_wanted == 0,
		"and reported elsewhere", "%lu elsewhere, pages by node %s",
		(unsigned long)r.pages_elsewhere, told(&s));
	ok(take_pages(live, &b, 2000), "an arena that prefers it works on", NULL);
	expect_nothing(GOING, "bind to the node fails, warm blocks or not");
	expect_elsewhere(KV_ARENA_NUMA_PREFERRED, GOING,
		"preferred falls back from a node that is gone");
	expect_interleave(1, "interleave does without it");
	kv_arena_destroy(live);
	drop_book(&b);
	drop_book(&warm);
}
