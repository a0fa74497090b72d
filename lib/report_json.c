/* report_json.c [6] -- a report for programs: doc/report.schema.json
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report_entry.h"

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
write_figures(const struct kva_figures *f, const char *between, const void *stats,
	FILE *out)
{
	for (size_t i = 0; i < f->n; i++)
		fprintf(out, "%s\"%s\": %" PRIu64, i ? between : "", f->of[i].name,
			kva_figure_of(&f->of[i], stats));
}

static void
write_array(const char *name, const uint64_t *values, size_t n, FILE *out)
{
	fprintf(out, ",\n   \"%s\": [", name);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%" PRIu64, i ? ", " : "", values[i]);
	fputc(']', out);
}

static void
write_numa(const kv_arena_numa_report_t *r, bool is_told, FILE *out)
{
	fprintf(out, ",\n   \"numa\": {\"nodes\": %d, \"wanted_node\": %d, "
		"\"permitted\": %s, \"fallbacks\": %" PRIu64 ", \"last_errno\": %d, "
		"\"reason\": \"%s\"", r->nodes, r->wanted_node,
		r->permitted ? "true" : "false", r->fallbacks, r->last_errno,
		kva_report_reason(r->last_errno));
	if (is_told) {
		fprintf(out, ", \"pages_wanted\": %" PRIu64 ", \"pages_elsewhere\": %"
			PRIu64 ", \"pages_untouched\": %" PRIu64, r->pages_wanted,
			r->pages_elsewhere, r->pages_untouched);
		write_array("pages_on", r->pages_on, (size_t)r->nodes, out);
	}
	fputc('}', out);
}

static void
write_arena(const struct kva_entry *e, FILE *out)
{
	fprintf(out, "%s\n  {\"path\": ", e->is_first ? "" : ",");
	write_string(out, e->path);
	fprintf(out, ",\n   \"id\": %" PRIuPTR ",\n   \"parent\": %" PRIuPTR
		",\n   \"shared\": %s,\n   ", e->id, e->parent,
		e->is_shared ? "true" : "false");
	write_figures(&kva_report_parts, ",\n   ", &e->stats, out);
	fprintf(out, ",\n   ");
	write_figures(&kva_report_others, ",\n   ", &e->stats, out);
	write_array("size_distribution", e->stats.size_distribution, 16, out);
	write_array("alignment_requests", e->stats.alignment_requests, 8, out);
	write_numa(&e->numa, e->is_told, out);
	fputc('}', out);
}

void
kva_report_json(struct kva_arena *a, enum kva_look look,
	const kv_arena_cache_stats_t *cache, FILE *out)
{
	fprintf(out, "{\"kvarena\": \"%d.%d.%d\",\n \"cache\": {", KV_ARENA_VERSION_MAJOR,
		KV_ARENA_VERSION_MINOR, KV_ARENA_VERSION_PATCH);
	write_figures(&kva_report_cache, ", ", cache, out);
	fprintf(out, "},\n \"arenas\": [");
	kva_report_visit(a, look, write_arena, out);
	fprintf(out, "\n]}\n");
}
