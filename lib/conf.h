/* conf.h [6] -- a configuration checked and completed
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_CONF_H
#define KVA_CONF_H

#include "arena.h"

/* Check a config (NULL: the default) and write what it means: setup and extras;
 * needs_extras tells whether extras says anything. -1 with EINVAL. */
int kva_conf_read(const kv_arena_config_t *config, struct kva_setup *setup,
	struct kva_extras *extras, bool *needs_extras);

/* The block size that a hint of a person means. */
size_t kva_conf_suggest(const char *hint);

/* Take the defaults of the environment (KVARENA_CONF), once. */
void kva_conf_start(void);

/* What the environment adds to a config. */
kv_arena_config_t kva_conf_with_environment(const kv_arena_config_t *config);

#endif
