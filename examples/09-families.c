/* 09-families.c -- arenas below arenas, and one that swallows another
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A session has queries; each query is planned in an arena of its own, and the
 * plan that was chosen is handed up without copying.
 */
#include <kv_arena.h>
#include <string.h>

#include "must.h"

static kv_arena_t *
named_child(kv_arena_t *parent, const char *name)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.name = name;
	return kv_arena_create_child(parent, &config);
}

int
main(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *session, *query, *plan_a, *plan_b;
	kv_arena_stats_t stats;
	const char *chosen;
	char path[100];

	config.name = "session";
	session = kv_arena_create_ex(&config);
	query = named_child(session, "query7");
	plan_a = named_child(query, "hash join");
	plan_b = named_child(query, "merge join");
	must(plan_a && plan_b);

	must(kv_arena_path(plan_b, path, sizeof path) == (int)strlen(path));
	must(strcmp(path, "session/query7/merge join") == 0);
	puts(path);

	must(kv_arena_printf(plan_a, "scan, hash, probe") != NULL);
	chosen = kv_arena_printf(plan_b, "scan, sort, merge");

	/* The report of the session counts what its descendants hold. */
	must(kv_arena_get_stats(session, &stats) == 0);
	must(stats.children_memory_usage >= kv_arena_memory_usage(plan_a) +
		kv_arena_memory_usage(plan_b));

	/* The chosen plan lives on in the session; the rest goes. */
	must(kv_arena_absorb(session, plan_b) == 0);
	must(kv_arena_owns(session, chosen));
	kv_arena_destroy(query);	/* plan_a and plan_b go with it */
	must(strcmp(chosen, "scan, sort, merge") == 0);

	kv_arena_destroy(session);
	return 0;
}
