/* peer-kvlocal.c -- ours, through each thread's own handle
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <stdlib.h>

#include "kv_arena.h"

/* The handle first, so that the loops find it; the arena behind it. */
struct local {
	kv_arena_local_t *handle;
	kv_arena_t *arena;
};

#define KB_ARENA struct local
#define KB_ALLOC(a, l, size) kv_arena_local_alloc((a)->handle, (size))
#include "loops.h"

static bool
open_local(struct life *l)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct local *local = malloc(sizeof *local);

	if (!local)
		return false;
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	config.enable_detailed_stats = false;
	local->arena = kv_arena_create_ex(&config);
	local->handle = kv_arena_local(local->arena);
	l->arena = local;
	return local->handle != NULL;
}

static void
reset(struct life *l)
{
	struct local *local = l->arena;

	kv_arena_reset(local->arena);
}

static void
close_local(struct life *l)
{
	struct local *local = l->arena;

	kv_arena_destroy(local->arena);
	free(local);
}

static bool
enter(struct life *mine, const struct life *shared, unsigned index)
{
	struct local *local = malloc(sizeof *local);

	(void)index;
	if (!local)
		return false;
	local->arena = ((struct local *)shared->arena)->arena;
	local->handle = kv_arena_local(local->arena);
	mine->arena = local;
	return local->handle != NULL;
}

const struct peer kb_kvarena_local = {
	.name = "kvarena-local",
	.about = "SAFE, statistics off, by kv_arena_local_alloc",
	.flags = PEER_OURS | PEER_SHARED,
	.loops = &kb_loops,
	.open = open_local,
	.reset = reset,
	.close = close_local,
	.enter = enter,
};
