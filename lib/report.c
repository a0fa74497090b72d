/* report.c [6] -- statistics for people and machines
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One walk over the arenas, and three ways of writing each (report_text.c,
 * report_json.c, report_prometheus.c). L1 is held meanwhile, so that none of them
 * goes away.
 */
#include "report.h"
#include "oom.h"
#include "publish.h"
#include "registry.h"
#include "report_entry.h"
#include "stats.h"

#define FIGURE(field, label, help, grows) \
	{ #field, label, help, offsetof(kv_arena_stats_t, field), grows }
#define CACHE_FIGURE(field, help, grows) \
	{ #field, NULL, help, offsetof(kv_arena_cache_stats_t, field), grows }
#define FIGURES(array) { array, sizeof(array) / sizeof((array)[0]) }

static const struct kva_figure parts[] = {
	FIGURE(used_bytes, "used", "Live bytes as asked for", false),
	FIGURE(padding_bytes, "padding", "Lost to rounding and alignment", false),
	FIGURE(tail_bytes, "block tails", "Lost at the ends of blocks", false),
	FIGURE(abandoned_bytes, "abandoned", "Old copies left by realloc", false),
	FIGURE(free_bytes, "free", "Still to be handed out", false),
	FIGURE(header_bytes, "headers", "Descriptors", false),
};

static const struct kva_figure others[] = {
	FIGURE(current_memory_usage, "held", "Bytes held now", false),
	FIGURE(peak_memory_usage, "peak", "Most bytes held", false),
	FIGURE(children_memory_usage, "children", "Bytes held by descendants", false),
	FIGURE(total_allocations, "allocations", "Allocations served", true),
	FIGURE(total_bytes_allocated, "bytes asked", "Bytes asked for", true),
	FIGURE(total_bytes_wasted, "wasted", "Padding and block tails", false),
	FIGURE(block_allocations, "blocks fresh", "Blocks that came fresh", true),
	FIGURE(block_reuses, "blocks warm", "Blocks that came warm", true),
	FIGURE(blocks_returned, "blocks back", "Blocks given back", true),
	FIGURE(blocks, "blocks held", "Blocks held now", false),
	FIGURE(large_allocations, "large", "Served by a block of their own", true),
	FIGURE(failed_allocations, "failed", "Allocations that failed", true),
	FIGURE(resets, "resets", "Resets", true),
	FIGURE(shards, "shards", "Threads with a share", false),
	FIGURE(shard_handovers, "handovers", "Shares of ended threads", true),
	FIGURE(lock_waits, "lock waits", "Slow paths that waited", true),
	FIGURE(numa_fallbacks, "misplaced", "Blocks not placed as asked", true),
};

static const struct kva_figure cache[] = {
	CACHE_FIGURE(takes, "Blocks asked for", true),
	CACHE_FIGURE(hits, "Blocks found warm", true),
	CACHE_FIGURE(cached_bytes, "Warm bytes kept", false),
	CACHE_FIGURE(held_bytes, "Bytes that the system gave", false),
	CACHE_FIGURE(max_bytes, "Most warm bytes that are kept", false),
	CACHE_FIGURE(returned_bytes, "Bytes given back to the system", true),
};

const struct kva_figures kva_report_parts = FIGURES(parts);
const struct kva_figures kva_report_others = FIGURES(others);
const struct kva_figures kva_report_cache = FIGURES(cache);

const char *
kva_report_reason(int error)
{
	switch (error) {
	case 0:
		return "";
	case EPERM:
		return "not permitted";
	case ENOMEM:
		return "the node is full";
	case EINVAL:
		return "no such node, or it has no memory";
	case ENOSYS:
	case ENOTSUP:
		return "no NUMA here";
	default:
		return "refused";
	}
}

/* ---- The walk -------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at s; 0: it is none. Surrogates and what is written
 * longer than need be are left to be told by whoever reads them. */
static size_t
length_of(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 :
		c < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Names are the caller's: keep terminals and parsers safe from control characters,
 * and from what is no UTF-8, as a name that was cut. */
static void
tame(char *s)
{
	while (*s) {
		size_t n = length_of(s);

		if (n == 0 || (unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
		s += n ? n : 1;
	}
}

static void
fill_stats(struct kva_entry *e, struct kva_arena *a, enum kva_look look)
{
	if (look != KVA_LOOK_FROM_OUTSIDE || a->team)
		kva_stats_read(a, &e->stats);
	else if (a->extras->shown)	/* all that are published have extras */
		e->stats = a->extras->shown->stats;
	else
		memset(&e->stats, 0, sizeof e->stats);
}

static void
fill(struct kva_entry *e, struct kva_arena *a, enum kva_look look)
{
	kva_oom_path(a, e->path, sizeof e->path);
	tame(e->path);
	fill_stats(e, a, look);
	if (look == KVA_LOOK_FOR_PAGES)
		e->is_told = kva_stats_numa(a, &e->numa) == 0;
	else
		e->numa = (kv_arena_numa_report_t){
			.nodes = kva_os.nodes(), .wanted_node = KVA_NO_NODE,
			.permitted = kva_source_may_place(),
			.fallbacks = e->stats.numa_fallbacks,
		};
	e->is_shared = a->team != NULL;
	e->id = (uintptr_t)a;
	e->parent = (uintptr_t)a->parent;
	snprintf(e->name, sizeof e->name, "%s", *kva_arena_name(a) ? kva_arena_name(a)
		: "?");
	tame(e->name);
}

static void
visit(struct kva_arena *a, struct kva_entry *e, enum kva_look look,
	kva_entry_writer *write, FILE *out)
{
	fill(e, a, look);
	write(e, out);
	e->is_first = false;
	e->depth++;
	for (struct kva_arena *c = a->children; c; c = c->sibling)
		visit(c, e, look, write, out);
	e->depth--;
}

void
kva_report_visit(struct kva_arena *a, enum kva_look look, kva_entry_writer *write,
	FILE *out)
{
	struct kva_entry e = { .is_first = true };

	if (a) {
		visit(a, &e, look, write, out);
		return;
	}
	for (a = kva_registry_first(); a; a = a->next)
		if (!a->parent)
			visit(a, &e, look, write, out);
}

/* ---- The whole ----------------------------------------------------------------------- */

static int
finish(FILE *out)
{
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	errno = EIO;
	return -1;
}

int
kva_report_publish(FILE *out)
{
	kv_arena_cache_stats_t stats;

	kva_registry_lock();
	kv_arena_cache_get_stats(NULL, &stats);
	kva_report_json(NULL, KVA_LOOK_FROM_OUTSIDE, &stats, out);
	kva_registry_unlock();
	return finish(out);
}

int
kva_report_write(struct kva_arena *a, FILE *out, kv_arena_report_format_t format)
{
	kv_arena_cache_stats_t stats;

	kva_registry_lock();
	kv_arena_cache_get_stats(a ? a->cache : NULL, &stats);
	switch (format) {
	case KV_ARENA_REPORT_JSON:
		kva_report_json(a, KVA_LOOK_FOR_PAGES, &stats, out);
		break;
	case KV_ARENA_REPORT_PROMETHEUS:
		kva_report_prometheus(a, &stats, out);
		break;
	default:
		kva_report_text(a, &stats, out);
		break;
	}
	kva_registry_unlock();
	return finish(out);
}
