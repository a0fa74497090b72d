/* kvinside.c -- arenas to be looked into
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvinside.h"

kv_arena_cache_t *kvi_cache;

/* The cells of handles are kept for ever, so let there be some beforehand. */
static void
make_cells(void)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_true(kv_arena_handle(a, kvt_alloc(a, 1)).ptr != NULL);
	kv_arena_destroy(a);
}

static void
start(void)
{
	make_cells();
	kvo_begin(KVO_FOUR_NODES);
	kvi_cache = kv_arena_cache_create(256 * MIB);
	kvt_true(kvi_cache != NULL);
}

static void
finish(void)
{
	kvo_heal();
	kva_cache_check(kvi_cache);
	kvt_eq(kv_arena_cache_destroy(kvi_cache), 0);
	kvt_eq(kvo_counts().pieces, 0);
	kvt_eq(kvo_counts().mapped, 0);
	kvo_end();
}

TCase *
kvi_group(Suite *s, const char *name)
{
	TCase *g = kvt_group(s, name);

	tcase_add_checked_fixture(g, start, finish);
	return g;
}

kv_arena_config_t
kvi_config(kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = kvi_cache;
	config.thread_mode = mode;
	return config;
}

kv_arena_config_t
kvi_placed(kv_arena_thread_mode_t mode, kv_arena_numa_policy_t policy, int node)
{
	kv_arena_config_t config = kvi_config(mode);

	config.enable_numa = true;
	config.numa_policy = policy;
	config.preferred_numa_node = node;
	return config;
}

kv_arena_t *
kvi_create(const kv_arena_config_t *config)
{
	kv_arena_t *a = kv_arena_create_ex(config);

	kvt_true(a != NULL);
	return a;
}

kv_arena_stats_t
kvi_stats(const kv_arena_t *a)
{
	kv_arena_stats_t s;

	kvt_eq(kv_arena_get_stats(a, &s), 0);
	return s;
}

void
kvi_check(kv_arena_t *a)
{
	kvt_balanced(a);
	kva_arena_check(kva_arena_of(a));
}

void
kvi_load(kv_arena_t *a, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += 1000)
		kvt_true(kvt_alloc(a, 1000) != NULL);
	kvi_check(a);
}

void
kvi_destroy(kv_arena_t *a)
{
	kvi_check(a);
	kv_arena_destroy(a);
}
