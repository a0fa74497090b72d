/* 14-seal.c -- a tree that nobody may write to any more
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A configuration is read once, then sealed: a stray write faults at once, where
 * it happens, and every thread may read without a lock.
 */
#include <errno.h>
#include <kv_arena.h>
#include <string.h>

#include "must.h"

int
main(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *arena;
	char *host;

	/* Blocks of whole pages of their own. */
	config.block_source = kv_arena_source_pages();
	arena = kv_arena_create_ex(&config);
	host = kv_arena_strdup(arena, "db.example.org");
	must(host != NULL);

	if (kv_arena_seal(arena) != 0) {
		must(errno == ENOTSUP);
		puts("sealing is not supported here");
		kv_arena_destroy(arena);
		return 0;
	}
	must(strcmp(host, "db.example.org") == 0);
	must(kv_arena_alloc(arena, 8) == NULL && errno == EPERM);

	must(kv_arena_unseal(arena) == 0);
	host[0] = 'D';
	must(kv_arena_alloc(arena, 8) != NULL);
	kv_arena_destroy(arena);
	return 0;
}
