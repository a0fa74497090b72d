/* peer-limit.c -- the limit: a bump over memory that is already there
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Nothing that hands out aligned memory by moving a pointer in memory can do
 * less than this. The region is resident and in huge pages where there are any;
 * ending a life is one store.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct bump {
	char *cur;
	char *end;
	char *start;
};

static inline __attribute__((__always_inline__)) void *
bump(struct bump *b, size_t size)
{
	char *p = b->cur;
	char *after = p + ((size + 7) & ~(size_t)7);

	if (__builtin_expect(after > b->end, 0))
		return NULL;
	b->cur = after;
	return p;
}

#define KB_ARENA struct bump
#define KB_ALLOC(a, l, size) bump((a), (size))
#include "loops.h"

#define HUGE ((size_t)2 << 20)

static struct bump *
bump_create(size_t size)
{
	size_t length = (size + 2 * HUGE - 1) / HUGE * HUGE + HUGE;
	struct bump *b = aligned_alloc(64, 64);
	char *map = mmap(NULL, length, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!b || map == MAP_FAILED)
		return NULL;
	b->start = map + (HUGE - (uintptr_t)map % HUGE) % HUGE;
	b->end = map + length;
#ifdef MADV_HUGEPAGE
	madvise(b->start, (size_t)(b->end - b->start), MADV_HUGEPAGE);
#endif
	memset(b->start, 0, (size_t)(b->end - b->start));
	/* A line on: at the page's start it would meet page-aligned others in
	 * the cache. */
	b->start += 64;
	b->cur = b->start;
	return b;
}

/* The region of a process outlives its lives: it "is already there". */
static bool
open_limit(struct life *l)
{
	static struct bump *only;

	if (!only)
		only = bump_create(l->expect_bytes);
	if (!only)
		return false;
	only->cur = only->start;
	l->arena = only;
	return true;
}

static void
reset_limit(struct life *l)
{
	struct bump *b = l->arena;

	b->cur = b->start;
}

static void
close_limit(struct life *l)
{
	(void)l;
}

/* Shared by nobody: every thread has its own, which shows what this machine's
 * processors can do together. */
static bool
enter_limit(struct life *mine, const struct life *shared, unsigned index)
{
	static struct bump *each[64];

	(void)shared;
	if (index >= 64)
		return false;
	if (!each[index])
		each[index] = bump_create(mine->expect_bytes);
	mine->arena = each[index];
	if (mine->arena)
		reset_limit(mine);
	return mine->arena != NULL;
}

const struct peer kb_limit = {
	.name = "limit",
	.about = "inlined bump over resident memory; with threads, one for each",
	.flags = PEER_LIMIT | PEER_SHARED,
	.loops = &kb_loops,
	.open = open_limit,
	.reset = reset_limit,
	.close = close_limit,
	.enter = enter_limit,
};
