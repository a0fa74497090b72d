/* peer-talloc.c -- a talloc pool, as large as the life to come
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A talloc pool that overflows falls back to malloc, so its manual says to size
 * it by what is expected: here that is known, with talloc's header for each.
 */
#include "bench.h"

#include <talloc.h>

#define HEADER 112u		/* 96 and rounding to 16 */

#define KB_ARENA void
#define KB_ALLOC(a, l, size) talloc_size((a), (size))
#include "loops.h"

static bool
open_pool(struct life *l)
{
	l->arena = talloc_pool(NULL, l->expect_bytes + HEADER * l->expect_n);
	return l->arena != NULL;
}

static void
reset_pool(struct life *l)
{
	talloc_free_children(l->arena);
}

static void
close_pool(struct life *l)
{
	talloc_free(l->arena);
}

static const char *
version(void)
{
	static char text[16];

	snprintf(text, sizeof text, "%d.%d", talloc_version_major(),
		talloc_version_minor());
	return text;
}

const struct peer kb_talloc = {
	.name = "talloc",
	.about = "a pool sized for the life to come",
	.loops = &kb_loops,
	.open = open_pool,
	.reset = reset_pool,
	.close = close_pool,
	.version = version,
};
