/* kvsource.h -- a block source that counts, checks and can refuse
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVSOURCE_H
#define KVSOURCE_H

#include <kv_arena.h>
#include <pthread.h>

/* Start from KVT_SOURCE. Any thread may use it; read it at rest. */
struct kvt_source {
	pthread_mutex_t lock;
	size_t takes, gives, refusals;
	size_t held;			/* bytes taken and not given back */
	size_t most;			/* highest that held has been */
	size_t budget;			/* refuse what would take held above it */
	size_t faults;			/* given back wrongly */
	char *last;			/* the latest block, and its size */
	size_t last_size;
};

#define KVT_SOURCE { .lock = PTHREAD_MUTEX_INITIALIZER, .budget = SIZE_MAX }

/* The hooks for a configuration. Blocks are filled with 0xd5 when they are
 * taken and with 0xdd when they are given back. */
kv_arena_block_source_t kvt_hooks(struct kvt_source *s);

/* The default configuration with this source and nothing cached. */
kv_arena_config_t kvt_sourced(struct kvt_source *s);

#endif
