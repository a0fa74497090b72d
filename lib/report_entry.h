/* report_entry.h [6] -- what every format of a report is made of
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_REPORT_ENTRY_H
#define KVA_REPORT_ENTRY_H

#include "arena.h"

#include <inttypes.h>
#include <string.h>

#define KVA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A figure, by the names it has in the three formats. */
struct kva_figure {
	const char *name;		/* JSON, and with a prefix Prometheus */
	const char *label;		/* text; NULL: not told there */
	const char *help;
	size_t offset;			/* of a uint64_t in what it is a figure of */
	bool grows;			/* a counter, not a gauge */
};

struct kva_figures {
	const struct kva_figure *of;
	size_t n;
};

/* Of kv_arena_stats_t: the parts of what is held, whose sum is current_memory_usage,
 * and all others. Of kv_arena_cache_stats_t. */
extern const struct kva_figures kva_report_parts, kva_report_others,
	kva_report_cache;

static inline uint64_t
kva_figure_of(const struct kva_figure *f, const void *stats)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + f->offset, sizeof value);
	return value;
}

/* One arena as it is being written. */
struct kva_entry {
	char path[256];
	kv_arena_stats_t stats;
	kv_arena_numa_report_t numa;
	bool is_told;			/* the kernel says where its pages are */
	bool is_shared;
	uintptr_t id;			/* tells arenas of one name apart */
	uintptr_t parent;		/* its id; 0: none */
	unsigned depth;			/* below the arena that is reported */
	char name[32];			/* the last part of the path */
	bool is_first;
};

/* How much is looked at: pages are dear, and arenas of other threads are not to be. */
enum kva_look { KVA_LOOK_BRIEFLY, KVA_LOOK_FOR_PAGES, KVA_LOOK_FROM_OUTSIDE };

/* Have an arena and its descendants written, or every live arena (NULL). Under L1. */
typedef void kva_entry_writer(const struct kva_entry *e, FILE *out);
void kva_report_visit(struct kva_arena *a, enum kva_look look, kva_entry_writer *write,
	FILE *out);

/* Why the system would not place memory, "" for 0. */
const char *kva_report_reason(int error);

/* The formats, each a whole report, with figures of the cache. Under L1. */
void kva_report_text(struct kva_arena *a, const kv_arena_cache_stats_t *cache,
	FILE *out);
void kva_report_json(struct kva_arena *a, enum kva_look look,
	const kv_arena_cache_stats_t *cache, FILE *out);
void kva_report_prometheus(struct kva_arena *a, const kv_arena_cache_stats_t *cache,
	FILE *out);

#endif
