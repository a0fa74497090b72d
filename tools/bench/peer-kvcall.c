/* peer-kvcall.c -- ours, through a pointer: what another language pays
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include "kv_arena.h"

static void *(*volatile call)(kv_arena_t *, size_t) = kv_arena_alloc;

#define KB_ARENA kv_arena_t
#define KB_ALLOC(a, l, size) call((a), (size))
#include "loops.h"

static bool
open_plain(struct life *l)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.enable_detailed_stats = false;
	l->arena = kv_arena_create_ex(&config);
	return l->arena != NULL;
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

const struct peer kb_kvarena_call = {
	.name = "kvarena-call",
	.about = "UNSAFE, statistics off, through a pointer",
	.flags = PEER_OURS | PEER_EXTRA,
	.loops = &kb_loops,
	.open = open_plain,
	.reset = reset,
	.close = close_arena,
};
