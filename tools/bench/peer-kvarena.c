/* peer-kvarena.c -- ours: both modes, statistics off and on
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include "kv_arena.h"

#define KB_ARENA kv_arena_t
#define KB_ALLOC(a, l, size) kv_arena_alloc((a), (size))
#include "loops.h"

static bool
open_with(struct life *l, kv_arena_thread_mode_t mode, bool stats,
	kv_arena_debug_t level)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.thread_mode = mode;
	config.enable_detailed_stats = stats;
	config.block_size = l->step;
	config.debug = level;
	l->arena = kv_arena_create_ex(&config);
	return l->arena != NULL;
}

static bool
open_unsafe(struct life *l)
{
	return open_with(l, KV_ARENA_THREAD_UNSAFE, false, KV_ARENA_DEBUG_OFF);
}

static bool
open_unsafe_stats(struct life *l)
{
	return open_with(l, KV_ARENA_THREAD_UNSAFE, true, KV_ARENA_DEBUG_OFF);
}

static bool
open_checked(struct life *l)
{
	return open_with(l, KV_ARENA_THREAD_UNSAFE, false, KV_ARENA_DEBUG_CHECK);
}

static bool
open_safe(struct life *l)
{
	return open_with(l, KV_ARENA_THREAD_SAFE, false, KV_ARENA_DEBUG_OFF);
}

static bool
open_safe_stats(struct life *l)
{
	return open_with(l, KV_ARENA_THREAD_SAFE, true, KV_ARENA_DEBUG_OFF);
}

static void
reset(struct life *l)
{
	kv_arena_reset(l->arena);
}

static void
close_arena(struct life *l)
{
	kv_arena_destroy(l->arena);
}

static size_t
held(struct life *l)
{
	return kv_arena_memory_usage(l->arena);
}

static size_t
handed(struct life *l)
{
	return kv_arena_total_allocated(l->arena);
}

static void *
pack(struct life *l, size_t size)
{
	return kv_arena_alloc_aligned(l->arena, size, 1);
}

#define OUR_PEER							\
	.loops = &kb_loops,						\
	.close = close_arena,						\
	.held = held,							\
	.pack = pack,							\
	.version = kv_arena_version,					\
	.handed = handed

const struct peer kb_kvarena = {
	.name = "kvarena",
	.about = "UNSAFE, statistics off",
	.flags = PEER_OURS,
	.open = open_unsafe,
	.reset = reset,
	OUR_PEER
};

const struct peer kb_kvarena_stats = {
	.name = "kvarena-stats",
	.about = "UNSAFE, statistics on: the default configuration",
	.flags = PEER_OURS,
	.open = open_unsafe_stats,
	.reset = reset,
	OUR_PEER
};

const struct peer kb_kvarena_anew = {
	.name = "kvarena-anew",
	.about = "UNSAFE, statistics off; destroyed and created, not reset",
	.flags = PEER_OURS | PEER_EXTRA,
	.open = open_unsafe,
	OUR_PEER
};

const struct peer kb_kvarena_checked = {
	.name = "kvarena-checked",
	.about = "UNSAFE, statistics off, debug level 1",
	.flags = PEER_OURS | PEER_EXTRA,
	.open = open_checked,
	.reset = reset,
	OUR_PEER
};

const struct peer kb_kvarena_safe = {
	.name = "kvarena-safe",
	.about = "SAFE, statistics off",
	.flags = PEER_OURS | PEER_SHARED,
	.open = open_safe,
	.reset = reset,
	OUR_PEER
};

const struct peer kb_kvarena_safe_stats = {
	.name = "kvarena-safe-stats",
	.about = "SAFE, statistics on",
	.flags = PEER_OURS | PEER_SHARED,
	.open = open_safe_stats,
	.reset = reset,
	OUR_PEER
};
