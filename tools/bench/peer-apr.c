/* peer-apr.c -- pools of the Apache Portable Runtime
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_version.h>

#define KB_ARENA apr_pool_t
#define KB_ALLOC(a, l, size) apr_palloc((a), (size))
#include "loops.h"

/* The root pool keeps freed nodes for its children: a server's usual set-up. */
static bool
open_pool(struct life *l)
{
	static apr_pool_t *root;
	apr_pool_t *pool;

	if (!root && (apr_initialize() || apr_pool_create(&root, NULL)))
		return false;
	if (apr_pool_create(&pool, root))
		return false;
	l->arena = pool;
	return true;
}

static void
reset_pool(struct life *l)
{
	apr_pool_clear(l->arena);
}

static void
close_pool(struct life *l)
{
	apr_pool_destroy(l->arena);
}

const struct peer kb_apr = {
	.name = "apr",
	.about = "apr_palloc from a child of the root pool",
	.loops = &kb_loops,
	.open = open_pool,
	.reset = reset_pool,
	.close = close_pool,
	.version = apr_version_string,
};
