/* publish.h [6] -- a report that a process keeps in a file, for kvarena-top
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_PUBLISH_H
#define KVA_PUBLISH_H

#include "arena.h"

/* What an arena of one thread showed of itself when it last came by: only its own
 * thread may read it. Under L1. */
struct kva_shown {
	kv_arena_stats_t stats;
	uint64_t when;			/* ms; 0: never */
};

#ifndef _WIN32

/* Publish from now on under a name, n > 0 bytes: /dev/shm/kvarena.NAME, or a file if
 * there is a slash in it; %p stands for the process. Before the first arena. */
void kva_publish_begin(const char *name, size_t n);
bool kva_is_published(void);

/* The arena is on its slow path, and at rest; NULL: one was destroyed. Brings the
 * file up to date if that is due. errno stays. */
void kva_publish_if_due(struct kva_arena *a);

static inline void
kva_publish(struct kva_arena *a)
{
	if (kva_unlikely(kva_is_published()))
		kva_publish_if_due(a);
}

#else	/* nobody could watch: kvarena-top needs a terminal of POSIX */

static inline void
kva_publish_begin(const char *name, size_t n)
{
	(void)name, (void)n;
}

static inline bool
kva_is_published(void)
{
	return false;
}

static inline void
kva_publish(struct kva_arena *a)
{
	(void)a;
}

#endif

#endif
