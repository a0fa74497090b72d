/* report_text.c [6] -- a report for people, in 80 columns
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "registry.h"
#include "report_entry.h"

#define BAR 34

/* 1536 as "1.5 KiB", in at most 9 characters. */
static const char *
human(uint64_t bytes, char text[16])
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double n = (double)bytes;
	unsigned u = 0;

	for (; n >= 1000 && u < KVA_COUNT(units) - 1; u++)
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
write_parts(const struct kva_entry *e, FILE *out)
{
	uint64_t whole = e->stats.current_memory_usage, sum = 0;
	char text[16];

	for (size_t i = 0; i < kva_report_parts.n; i++) {
		const struct kva_figure *f = &kva_report_parts.of[i];
		uint64_t value = kva_figure_of(f, &e->stats);

		sum += value;
		write_bar(out, f->label, value, whole, human(value, text));
	}
	fprintf(out, "  %-14s %12s %5.1f %%  of what is held\n", "together",
		human(sum, text), whole ? 100 * (double)sum / (double)whole : 100);
}

static void
write_sizes(const struct kva_entry *e, FILE *out)
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
write_numa(const struct kva_entry *e, FILE *out)
{
	const kv_arena_numa_report_t *r = &e->numa;

	if (r->nodes > 1 && e->is_told)
		write_pages(r, out);
	else if (r->nodes > 1)
		fprintf(out, "numa: the system does not tell where pages are\n");
	if (r->fallbacks > 0)
		fprintf(out, "numa: %" PRIu64 " blocks not placed as asked: %s\n",
			r->fallbacks, kva_report_reason(r->last_errno));
	if (r->nodes > 1 && !r->permitted)
		fprintf(out, "numa: placing memory is not permitted\n");
}

/* A line of the list that stands before the arenas if there are several. */
static void
write_branch(const struct kva_entry *e, FILE *out)
{
	unsigned indent = e->depth < 9 ? 2 * e->depth : 18;
	char held[16], peak[16];

	fprintf(out, "  %*s%-*s %10s %10s\n", (int)indent, "", 54 - (int)indent, e->name,
		human(e->stats.current_memory_usage, held),
		human(e->stats.peak_memory_usage, peak));
}

static void
write_arena(const struct kva_entry *e, FILE *out)
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

static void
write_tree(struct kva_arena *a, FILE *out)
{
	const struct kva_arena *first = kva_registry_first();

	if (a ? !a->children : !first || !first->next)
		return;
	fprintf(out, "  %-54s %10s %10s\n", "arena", "held", "peak");
	kva_report_visit(a, KVA_LOOK_BRIEFLY, write_branch, out);
	fputc('\n', out);
}

static void
write_cache(const kv_arena_cache_stats_t *s, FILE *out)
{
	char warm[16], most[16], held[16];

	fprintf(out, "\ncache: %s warm, at most %s; %s from the system\n"
		"       %" PRIu64 " blocks taken, %" PRIu64 " of them warm\n",
		human(s->cached_bytes, warm), human(s->max_bytes, most),
		human(s->held_bytes, held), s->takes, s->hits);
}

void
kva_report_text(struct kva_arena *a, const kv_arena_cache_stats_t *cache, FILE *out)
{
	write_tree(a, out);
	kva_report_visit(a, KVA_LOOK_FOR_PAGES, write_arena, out);
	write_cache(cache, out);
}
