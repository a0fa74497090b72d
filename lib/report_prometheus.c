/* report_prometheus.c [6] -- a report for Prometheus, by its text exposition format
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * All samples of one figure stand together, so the arenas are walked once for each.
 */
#include "report_entry.h"

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
write_numa_pages(const struct kva_entry *e, FILE *out)
{
	const struct {
		const char *state;
		uint64_t n;
	} rows[] = {
		{ "wanted", e->numa.pages_wanted },
		{ "elsewhere", e->numa.pages_elsewhere },
		{ "untouched", e->numa.pages_untouched },
	};

	for (size_t i = 0; i < KVA_COUNT(rows) && e->is_told; i++) {
		fprintf(out, "kvarena_numa_pages{arena=\"");
		write_label(out, e->path);
		fprintf(out, "\",id=\"%" PRIuPTR "\",state=\"%s\"} %" PRIu64 "\n",
			e->id, rows[i].state, rows[i].n);
	}
}

static void
write_numa_nodes(const struct kva_entry *e, FILE *out)
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
write_numa_refusal(const struct kva_entry *e, FILE *out)
{
	fprintf(out, "kvarena_numa_refusal{arena=\"");
	write_label(out, e->path);
	fprintf(out, "\",id=\"%" PRIuPTR "\",reason=\"%s\"} %d\n", e->id,
		kva_report_reason(e->numa.last_errno), e->numa.last_errno);
}

static void
write_numa_permitted(const struct kva_entry *e, FILE *out)
{
	if (e->is_first)	/* all have one system */
		fprintf(out, "kvarena_numa_permitted %d\n", e->numa.permitted);
}

/* The figure whose family is being written; under L1. */
static const struct kva_figure *current;

static void
write_sample(const struct kva_entry *e, FILE *out)
{
	fprintf(out, "kvarena_%s%s{arena=\"", current->name,
		current->grows ? "_total" : "");
	write_label(out, e->path);
	fprintf(out, "\",id=\"%" PRIuPTR "\"} %" PRIu64 "\n", e->id,
		kva_figure_of(current, &e->stats));
}

/* HELP and TYPE of a family; subject is "" or "cache_". */
static void
begin_family(const char *subject, const struct kva_figure *f, FILE *out)
{
	const char *suffix = f->grows ? "_total" : "";

	fprintf(out, "# HELP kvarena_%s%s%s %s.\n# TYPE kvarena_%s%s%s %s\n", subject,
		f->name, suffix, f->help, subject, f->name, suffix,
		f->grows ? "counter" : "gauge");
}

static void
write_families(struct kva_arena *a, const struct kva_figures *figures, FILE *out)
{
	for (size_t i = 0; i < figures->n; i++) {
		current = &figures->of[i];
		begin_family("", current, out);
		kva_report_visit(a, KVA_LOOK_BRIEFLY, write_sample, out);
	}
}

static void
write_numa_families(struct kva_arena *a, FILE *out)
{
	static const struct {
		const char *name, *help;
		kva_entry_writer *write;
	} families[] = {
		{ "numa_pages", "Pages where they belong, elsewhere, untouched",
		  write_numa_pages },
		{ "numa_node_pages", "Pages by node", write_numa_nodes },
		{ "numa_refusal", "Why memory was not placed, an errno; 0: it was",
		  write_numa_refusal },
		{ "numa_permitted", "Whether the system lets us place memory",
		  write_numa_permitted },
	};

	for (size_t i = 0; i < KVA_COUNT(families); i++) {
		fprintf(out, "# HELP kvarena_%s %s.\n# TYPE kvarena_%s gauge\n",
			families[i].name, families[i].help, families[i].name);
		kva_report_visit(a, KVA_LOOK_FOR_PAGES, families[i].write, out);
	}
}

static void
write_cache_families(const kv_arena_cache_stats_t *cache, FILE *out)
{
	for (size_t i = 0; i < kva_report_cache.n; i++) {
		const struct kva_figure *f = &kva_report_cache.of[i];

		begin_family("cache_", f, out);
		fprintf(out, "kvarena_cache_%s%s %" PRIu64 "\n", f->name,
			f->grows ? "_total" : "", kva_figure_of(f, cache));
	}
}

void
kva_report_prometheus(struct kva_arena *a, const kv_arena_cache_stats_t *cache,
	FILE *out)
{
	write_families(a, &kva_report_parts, out);
	write_families(a, &kva_report_others, out);
	write_numa_families(a, out);
	write_cache_families(cache, out);
}
