/* report.c [6] -- statistics for people and machines
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One walk over the arenas, three ways of writing each. L1 is held meanwhile, so
 * that none of them goes away.
 */
#include "report.h"
#include "oom.h"
#include "publish.h"
#include "registry.h"
#include "stats.h"

#include <inttypes.h>
#include <string.h>

/* A figure, by the names it has in the three formats. */
struct figure {
	const char *name;		/* JSON, and with a prefix Prometheus */
	const char *label;		/* text */
	const char *help;
	size_t offset;			/* in kv_arena_stats_t, a uint64_t */
	bool grows;			/* a counter, not a gauge */
};

#define FIGURE(field, label, help, grows) \
	{ #field, label, help, offsetof(kv_arena_stats_t, field), grows }

/* The parts of what is held: their sum is current_memory_usage. */
static const struct figure parts[] = {
	FIGURE(used_bytes, "used", "Live bytes as asked for", false),
	FIGURE(padding_bytes, "padding", "Lost to rounding and alignment", false),
	FIGURE(tail_bytes, "block tails", "Lost at the ends of blocks", false),
	FIGURE(abandoned_bytes, "abandoned", "Old copies left by realloc", false),
	FIGURE(free_bytes, "free", "Still to be handed out", false),
	FIGURE(header_bytes, "headers", "Descriptors", false),
};

static const struct figure others[] = {
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t
value_of(const struct figure *f, const kv_arena_stats_t *s)
{
	uint64_t value;

	memcpy(&value, (const char *)s + f->offset, sizeof value);
	return value;
}

/* One arena as it is being written. */
struct entry {
	char path[256];
	kv_arena_stats_t stats;
	kv_arena_numa_report_t numa;
	bool asks_numa;			/* the writer needs the pages: this is dear */
	bool is_published;		/* arenas of other threads are not looked at */
	bool is_told;			/* the kernel says where they are */
	bool is_shared;
	uintptr_t id;			/* tells arenas of one name apart */
	uintptr_t parent;		/* its id; 0: none */
	unsigned depth;			/* below the arena that is reported */
	char name[32];			/* the last part of the path */
	bool is_first;
};

typedef void writer(const struct entry *e, FILE *out);

/* ---- Text ------------------------------------------------------------------------ */

#define BAR 34

/* 1536 as "1.5 KiB", in at most 9 characters. */
static const char *
human(uint64_t bytes, char text[16])
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double n = (double)bytes;
	unsigned u = 0;

	for (; n >= 1000 && u < COUNT(units) - 1; u++)
		n /= 1024;
	snprintf(text, 16, u ? "%.1f %s" : "%.0f %s", n, units[u]);
	return text;
}

static void
write_bar(FILE *out, const char *label, uint64_t value, uint64_t whole,
	const char *amount)
{
	double part = whole ? (double)value / (double)whole : 0;
	int n = (int)(part * BAR + 0.5);

	fprintf(out, "  %-14s %12s %5.1f %%  %.*s\n", label, amount, 100 * part,
		n > BAR ? BAR : n, "##################################");
}

static void
write_parts(const struct entry *e, FILE *out)
{
	uint64_t whole = e->stats.current_memory_usage, sum = 0;
	char text[16];

	for (size_t i = 0; i < COUNT(parts); i++) {
		uint64_t value = value_of(&parts[i], &e->stats);

		sum += value;
		write_bar(out, parts[i].label, value, whole, human(value, text));
	}
	fprintf(out, "  %-14s %12s %5.1f %%  of what is held\n", "together",
		human(sum, text), whole ? 100 * (double)sum / (double)whole : 100);
}

static void
write_sizes(const struct entry *e, FILE *out)
{
	uint64_t most = 0, n;
	char range[32], amount[24];

	for (unsigned i = 0; i < 16; i++)
		most += e->stats.size_distribution[i];
	if (most == 0)
		return;
	fprintf(out, "sizes, bytes         allocations\n");
	for (unsigned i = 0; i < 16; i++) {
		n = e->stats.size_distribution[i];
		if (n == 0)
			continue;
		if (i == 15)
			snprintf(range, sizeof range, "over 16384");
		else if (i < 2)
			snprintf(range, sizeof range, "%u", 1u << i);
		else
			snprintf(range, sizeof range, "%u..%u", (1u << (i - 1)) + 1, 1u << i);
		snprintf(amount, sizeof amount, "%" PRIu64, n);
		write_bar(out, range, n, most, amount);
	}
}

/* Why the system would not place memory. */
static const char *
reason(int error)
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

static void
write_pages(const kv_arena_numa_report_t *r, FILE *out)
{
	fprintf(out, "numa: %" PRIu64 " pages in place, %" PRIu64 " elsewhere, %"
		PRIu64 " untouched", r->pages_wanted, r->pages_elsewhere,
		r->pages_untouched);
	for (int i = 0; i < r->nodes; i++)	/* three fit a line, whatever they have */
		fprintf(out, "%s node %d: %" PRIu64, i % 3 ? "," : "\n     ", i,
			r->pages_on[i]);
	fputc('\n', out);
}

static void
write_numa(const struct entry *e, FILE *out)
{
	const kv_arena_numa_report_t *r = &e->numa;

	if (r->nodes > 1 && e->is_told)
		write_pages(r, out);
	else if (r->nodes > 1)
		fprintf(out, "numa: the system does not tell where pages are\n");
	if (r->fallbacks > 0)
		fprintf(out, "numa: %" PRIu64 " blocks not placed as asked: %s\n",
			r->fallbacks, reason(r->last_errno));
	if (r->nodes > 1 && !r->permitted)
		fprintf(out, "numa: placing memory is not permitted\n");
}

/* A line of the list that stands before the arenas if there are several. */
static void
write_branch(const struct entry *e, FILE *out)
{
	unsigned indent = e->depth < 9 ? 2 * e->depth : 18;
	char held[16], peak[16];

	fprintf(out, "  %*s%-*s %10s %10s\n", (int)indent, "", 54 - (int)indent, e->name,
		human(e->stats.current_memory_usage, held),
		human(e->stats.peak_memory_usage, peak));
}

static void
write_text(const struct entry *e, FILE *out)
{
	char held[16], peak[16], asked[16];

	if (!e->is_first)
		fputc('\n', out);
	fprintf(out, "arena %.60s%s\n", e->path, e->is_shared ? " (shared)" : "");
	fprintf(out, "held %s, peak %s; %" PRIu64 " allocations of %s\n",
		human(e->stats.current_memory_usage, held),
		human(e->stats.peak_memory_usage, peak), e->stats.total_allocations,
		human(e->stats.total_bytes_allocated, asked));
	fprintf(out, "where the bytes are\n");
	write_parts(e, out);
	write_sizes(e, out);
	fprintf(out, "blocks: %" PRIu64 " held, %" PRIu64 " came fresh, %" PRIu64
		" warm, %" PRIu64 " for one large allocation\n", e->stats.blocks,
		e->stats.block_allocations, e->stats.block_reuses,
		e->stats.large_allocations);
	if (e->is_shared)
		fprintf(out, "shards: %" PRIu64 ", %" PRIu64 " handed over, %" PRIu64
			" lock waits\n", e->stats.shards, e->stats.shard_handovers,
			e->stats.lock_waits);
	write_numa(e, out);
}

/* ---- JSON -------------------------------------------------------------------------- */

static void
write_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fputc('\\', out);
		fputc(c, out);
	}
	fputc('"', out);
}

static void
write_json_figures(const struct figure *f, size_t n, const kv_arena_stats_t *s,
	FILE *out)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, ",\n   \"%s\": %" PRIu64, f[i].name, value_of(&f[i], s));
}

static void
write_json_array(const char *name, const uint64_t *values, size_t n, FILE *out)
{
	fprintf(out, ",\n   \"%s\": [", name);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%" PRIu64, i ? ", " : "", values[i]);
	fputc(']', out);
}

static void
write_json_numa(const kv_arena_numa_report_t *r, bool is_told, FILE *out)
{
	fprintf(out, ",\n   \"numa\": {\"nodes\": %d, \"wanted_node\": %d, "
		"\"permitted\": %s, \"fallbacks\": %" PRIu64 ", \"last_errno\": %d, "
		"\"reason\": \"%s\"", r->nodes, r->wanted_node,
		r->permitted ? "true" : "false", r->fallbacks, r->last_errno,
		reason(r->last_errno));
	if (is_told) {
		fprintf(out, ", \"pages_wanted\": %" PRIu64 ", \"pages_elsewhere\": %"
			PRIu64 ", \"pages_untouched\": %" PRIu64, r->pages_wanted,
			r->pages_elsewhere, r->pages_untouched);
		write_json_array("pages_on", r->pages_on, (size_t)r->nodes, out);
	}
	fputc('}', out);
}

static void
write_json(const struct entry *e, FILE *out)
{
	fprintf(out, "%s\n  {\"path\": ", e->is_first ? "" : ",");
	write_string(out, e->path);
	fprintf(out, ",\n   \"id\": %" PRIuPTR ",\n   \"parent\": %" PRIuPTR
		",\n   \"shared\": %s", e->id, e->parent,
		e->is_shared ? "true" : "false");
	write_json_figures(parts, COUNT(parts), &e->stats, out);
	write_json_figures(others, COUNT(others), &e->stats, out);
	write_json_array("size_distribution", e->stats.size_distribution, 16, out);
	write_json_array("alignment_requests", e->stats.alignment_requests, 8, out);
	write_json_numa(&e->numa, e->is_told, out);
	fputc('}', out);
}

/* ---- Prometheus --------------------------------------------------------------------- */

/* A label's value, with the characters that the format escapes. */
static void
write_label(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
}

/* Where pages are: as told and, as far as they are touched, by node. */
static void
write_numa_pages(const struct entry *e, FILE *out)
{
	const struct {
		const char *state;
		uint64_t n;
	} rows[] = {
		{ "wanted", e->numa.pages_wanted },
		{ "elsewhere", e->numa.pages_elsewhere },
		{ "untouched", e->numa.pages_untouched },
	};

	for (size_t i = 0; i < COUNT(rows) && e->is_told; i++) {
		fprintf(out, "kvarena_numa_pages{arena=\"");
		write_label(out, e->path);
		fprintf(out, "\",id=\"%" PRIuPTR "\",state=\"%s\"} %" PRIu64 "\n",
			e->id, rows[i].state, rows[i].n);
	}
}

static void
write_numa_nodes(const struct entry *e, FILE *out)
{
	for (int i = 0; i < e->numa.nodes && e->is_told; i++) {
		fprintf(out, "kvarena_numa_node_pages{arena=\"");
		write_label(out, e->path);
		fprintf(out, "\",id=\"%" PRIuPTR "\",node=\"%d\"} %" PRIu64 "\n",
			e->id, i, e->numa.pages_on[i]);
	}
}

/* Why memory was not placed as asked: an errno, 0 if it was. */
static void
write_numa_refusal(const struct entry *e, FILE *out)
{
	fprintf(out, "kvarena_numa_refusal{arena=\"");
	write_label(out, e->path);
	fprintf(out, "\",id=\"%" PRIuPTR "\",reason=\"%s\"} %d\n", e->id,
		reason(e->numa.last_errno), e->numa.last_errno);
}

static void
write_numa_permitted(const struct entry *e, FILE *out)
{
	if (e->is_first)	/* all have one system */
		fprintf(out, "kvarena_numa_permitted %d\n", e->numa.permitted);
}

static void
write_sample(const struct entry *e, const struct figure *f, FILE *out)
{
	fprintf(out, "kvarena_%s%s{arena=\"", f->name, f->grows ? "_total" : "");
	write_label(out, e->path);
	fprintf(out, "\",id=\"%" PRIuPTR "\"} %" PRIu64 "\n", e->id,
		value_of(f, &e->stats));
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
fill_stats(struct entry *e, struct kva_arena *a)
{
	if (!e->is_published || a->team)
		kva_stats_read(a, &e->stats);
	else if (a->extras->shown)	/* all that are published have extras */
		e->stats = a->extras->shown->stats;
	else
		memset(&e->stats, 0, sizeof e->stats);
}

static void
fill(struct entry *e, struct kva_arena *a)
{
	kva_oom_path(a, e->path, sizeof e->path);
	tame(e->path);
	fill_stats(e, a);
	if (e->asks_numa)
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
visit(struct kva_arena *a, struct entry *e, writer *write, FILE *out)
{
	fill(e, a);
	write(e, out);
	e->is_first = false;
	e->depth++;
	for (struct kva_arena *c = a->children; c; c = c->sibling)
		visit(c, e, write, out);
	e->depth--;
}

static void
visit_roots(struct entry *e, writer *write, FILE *out)
{
	for (struct kva_arena *a = kva_registry_first(); a; a = a->next)
		if (!a->parent)
			visit(a, e, write, out);
}

static void
visit_all(struct kva_arena *a, bool asks_numa, writer *write, FILE *out)
{
	struct entry e = { .is_first = true, .asks_numa = asks_numa };

	if (a)
		visit(a, &e, write, out);
	else
		visit_roots(&e, write, out);
}

/* All samples of one figure stand together in that format, so it walks once per
 * figure. */
static const struct figure *current;

static void
write_current(const struct entry *e, FILE *out)
{
	write_sample(e, current, out);
}

static void
write_family(struct kva_arena *a, const struct figure *f, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		const char *suffix = f[i].grows ? "_total" : "";

		fprintf(out, "# HELP kvarena_%s%s %s.\n# TYPE kvarena_%s%s %s\n",
			f[i].name, suffix, f[i].help, f[i].name, suffix,
			f[i].grows ? "counter" : "gauge");
		current = &f[i];	/* under L1 */
		visit_all(a, false, write_current, out);
	}
}

static void
write_numa_families(struct kva_arena *a, FILE *out)
{
	static const struct {
		const char *name, *help;
		writer *write;
	} families[] = {
		{ "numa_pages", "Pages where they belong, elsewhere, untouched",
		  write_numa_pages },
		{ "numa_node_pages", "Pages by node", write_numa_nodes },
		{ "numa_refusal", "Why memory was not placed, an errno; 0: it was",
		  write_numa_refusal },
		{ "numa_permitted", "Whether the system lets us place memory",
		  write_numa_permitted },
	};

	for (size_t i = 0; i < COUNT(families); i++) {
		fprintf(out, "# HELP kvarena_%s %s.\n# TYPE kvarena_%s gauge\n",
			families[i].name, families[i].help, families[i].name);
		visit_all(a, true, families[i].write, out);
	}
}

static void
write_tree(struct kva_arena *a, FILE *out)
{
	const struct kva_arena *first = kva_registry_first();

	if (a ? !a->children : !first || !first->next)
		return;
	fprintf(out, "  %-54s %10s %10s\n", "arena", "held", "peak");
	visit_all(a, false, write_branch, out);
	fputc('\n', out);
}

/* ---- The cache ----------------------------------------------------------------------- */

/* The cache of the arena that is reported, or that of the process. */
static const struct {
	const char *name, *help;
	size_t offset;			/* in kv_arena_cache_stats_t, a uint64_t */
	bool grows;
} cache_figures[] = {
#define CACHE_FIGURE(field, help, grows) \
	{ #field, help, offsetof(kv_arena_cache_stats_t, field), grows }
	CACHE_FIGURE(takes, "Blocks asked for", true),
	CACHE_FIGURE(hits, "Blocks found warm", true),
	CACHE_FIGURE(cached_bytes, "Warm bytes kept", false),
	CACHE_FIGURE(held_bytes, "Bytes that the system gave", false),
	CACHE_FIGURE(max_bytes, "Most warm bytes that are kept", false),
	CACHE_FIGURE(returned_bytes, "Bytes given back to the system", true),
};

static uint64_t
cache_value(size_t i, const kv_arena_cache_stats_t *s)
{
	uint64_t value;

	memcpy(&value, (const char *)s + cache_figures[i].offset, sizeof value);
	return value;
}

static void
write_cache_text(const kv_arena_cache_stats_t *s, FILE *out)
{
	char warm[16], most[16], held[16];

	fprintf(out, "\ncache: %s warm, at most %s; %s from the system\n"
		"       %" PRIu64 " blocks taken, %" PRIu64 " of them warm\n",
		human(s->cached_bytes, warm), human(s->max_bytes, most),
		human(s->held_bytes, held), s->takes, s->hits);
}

static void
write_cache_json(const kv_arena_cache_stats_t *s, FILE *out)
{
	fprintf(out, "\n \"cache\": {");
	for (size_t i = 0; i < COUNT(cache_figures); i++)
		fprintf(out, "%s\"%s\": %" PRIu64, i ? ", " : "", cache_figures[i].name,
			cache_value(i, s));
	fprintf(out, "},");
}

static void
write_cache_families(const kv_arena_cache_stats_t *s, FILE *out)
{
	for (size_t i = 0; i < COUNT(cache_figures); i++) {
		const char *suffix = cache_figures[i].grows ? "_total" : "";
		const char *name = cache_figures[i].name;

		fprintf(out, "# HELP kvarena_cache_%s%s %s.\n"
			"# TYPE kvarena_cache_%s%s %s\nkvarena_cache_%s%s %" PRIu64 "\n",
			name, suffix, cache_figures[i].help, name, suffix,
			cache_figures[i].grows ? "counter" : "gauge", name, suffix,
			cache_value(i, s));
	}
}

/* ---- The whole ----------------------------------------------------------------------- */

static void
begin_json(const kv_arena_cache_stats_t *cache, FILE *out)
{
	fprintf(out, "{\"kvarena\": \"%d.%d.%d\",", KV_ARENA_VERSION_MAJOR,
		KV_ARENA_VERSION_MINOR, KV_ARENA_VERSION_PATCH);
	write_cache_json(cache, out);
	fprintf(out, "\n \"arenas\": [");
}

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
	struct entry e = { .is_first = true, .is_published = true };
	kv_arena_cache_stats_t cache;

	kva_registry_lock();
	kv_arena_cache_get_stats(NULL, &cache);
	begin_json(&cache, out);
	visit_roots(&e, write_json, out);
	fprintf(out, "\n]}\n");
	kva_registry_unlock();
	return finish(out);
}

int
kva_report_write(struct kva_arena *a, FILE *out, kv_arena_report_format_t format)
{
	kv_arena_cache_stats_t cache;

	kva_registry_lock();
	kv_arena_cache_get_stats(a ? a->cache : NULL, &cache);
	switch (format) {
	case KV_ARENA_REPORT_JSON:
		begin_json(&cache, out);
		visit_all(a, true, write_json, out);
		fprintf(out, "\n]}\n");
		break;
	case KV_ARENA_REPORT_PROMETHEUS:
		write_family(a, parts, COUNT(parts), out);
		write_family(a, others, COUNT(others), out);
		write_numa_families(a, out);
		write_cache_families(&cache, out);
		break;
	default:
		write_tree(a, out);
		visit_all(a, true, write_text, out);
		write_cache_text(&cache, out);
		break;
	}
	kva_registry_unlock();
	return finish(out);
}
