/* page.c -- a report of arenas as one HTML page
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Colours say what a part is: blue is of use, the warm ones are lost, the greys
 * wait or describe. They are told apart by people who do not see red, and each
 * part has its name and figure where the pointer rests on it and in the table.
 */
#include "config.h"

#include "page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 940
#define LABEL_WIDTH 230			/* of names, left of the bars */
#define VALUE_WIDTH 76			/* of figures, right of them */
#define HELD_WIDTH 364			/* of bars as long as the bytes held */
#define SHARE_START (LABEL_WIDTH + HELD_WIDTH + VALUE_WIDTH)
#define SHARE_WIDTH (WIDTH - SHARE_START)	/* of bars of one length */
#define HEAD_HEIGHT 20
#define ROW_HEIGHT 26
#define MOST_ROWS 40			/* arenas with a bar */
#define MOST_CHARTS 12			/* arenas with a chart of sizes */
#define LABEL_CHARACTERS 27

static const char style[] =
":root{--paper:#fcfcfb;--ink:#1a1a19;--soft:#65635e;--rule:#dddbd5;--p0:#2f6fb7;"
"--p1:#e08214;--p2:#f2b84b;--p3:#b2352b;--p4:#c9ced4;--p5:#6d7680}\n"
"@media(prefers-color-scheme:dark){:root{--paper:#191918;--ink:#eceae5;"
"--soft:#a3a099;--rule:#3a3936;--p0:#5b9be0;--p1:#e8923a;--p2:#e9c46a;"
"--p3:#d9584c;--p4:#4a4f55;--p5:#8d969f}}\n"
"body{background:var(--paper);color:var(--ink);margin:2rem auto;max-width:940px;"
"padding:0 1rem;font:15px/1.5 system-ui,sans-serif}\n"
"h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .4rem}\n"
"p{margin:.2rem 0;color:var(--soft)}\n"
"dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:1px;"
"background:var(--rule);border:1px solid var(--rule);margin:1.2rem 0}\n"
"dl div{background:var(--paper);padding:.5rem .8rem}"
"dt{color:var(--soft);font-size:.8rem}dd{margin:0;font-size:1.35rem}\n"
"svg{display:block;width:100%;height:auto;margin:.4rem 0}"
"text{fill:var(--ink);font:13px system-ui,sans-serif}"
".s{fill:var(--soft);font-size:11px}.e{text-anchor:end}.m{text-anchor:middle}"
".r{stroke:var(--rule);stroke-width:1}\n"
".c0{fill:var(--p0)}.c1{fill:var(--p1)}.c2{fill:var(--p2)}.c3{fill:var(--p3)}"
".c4{fill:var(--p4)}.c5{fill:var(--p5)}\n"
".k{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;color:var(--ink)}"
".k span::before{content:'';display:inline-block;width:.8em;height:.8em;"
"margin-right:.4em;background:var(--c)}\n"
".g{display:grid;grid-template-columns:repeat(auto-fill,minmax(280px,1fr));"
"gap:.6rem 1.6rem}.g p{color:var(--ink);overflow:hidden;text-overflow:ellipsis;"
"white-space:nowrap}\n"
".t{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;width:100%}"
"th,td{padding:.25rem .5rem;text-align:right;white-space:nowrap;"
"border-bottom:1px solid var(--rule);font-variant-numeric:tabular-nums}"
"th{color:var(--soft);font-weight:500}th:first-child,td:first-child"
"{text-align:left;max-width:18rem;overflow:hidden;text-overflow:ellipsis}\n";

/* ---- Text --------------------------------------------------------------------------------- */

/* Write at most n characters of a text, safe inside and outside of quotes. */
static void
put_text(FILE *out, const char *text, int n)
{
	const unsigned char *c = (const unsigned char *)text;

	for (; *c; c++) {
		bool is_more = (*c & 0xc0) == 0x80;
		if (!is_more && n-- == 0) {
			fputs("\u2026", out);
			return;
		}
		switch (*c) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\'': fputs("&#39;", out); break;
		default: putc(*c < 0x20 || *c == 0x7f ? '?' : *c, out);
		}
	}
}

static void
put_size(FILE *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double n = (double)bytes;
	unsigned u = 0;

	for (; n >= 1000 && u < 5; u++)
		n /= 1024;
	fprintf(out, u == 0 || n >= 99.95 ? "%.0f %s" : "%.1f %s", n, units[u]);
}

/* Write a count with its thousands apart. */
static void
put_count(FILE *out, uint64_t n)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, n), i;

	for (i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			fputs("\u202f", out);
		putc(digits[i], out);
	}
}

static double
percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static uint64_t
lost(const kv_arena_stats_t *s)
{
	return s->padding_bytes + s->tail_bytes + s->abandoned_bytes;
}

/* ---- The head ------------------------------------------------------------------------------ */

static void
begin_tile(FILE *out, const char *name)
{
	fprintf(out, "<div><dt>%s</dt><dd>", name);
}

static void
end_tile(FILE *out)
{
	fputs("</dd></div>\n", out);
}

static void
write_head(const struct kvr_report *r, const char *name, const char *date,
	FILE *out)
{
	const kv_arena_stats_t *t = &r->total;

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		"<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
		out);
	put_text(out, name, 200);
	fprintf(out, ": arenas</title>\n<style>\n%s</style></head><body>\n<h1>Arenas"
		" in ", style);
	put_text(out, name, 200);
	fprintf(out, "</h1>\n<p>Report of %s, kvarena ", date);
	put_text(out, r->version, 20);
	fputs("</p>\n<dl>\n", out);
	begin_tile(out, "Arenas");
	put_count(out, r->n);
	end_tile(out);
	begin_tile(out, "Held");
	put_size(out, t->current_memory_usage);
	end_tile(out);
	begin_tile(out, "In use");
	fprintf(out, "%.1f %%", percent(t->used_bytes, t->current_memory_usage));
	end_tile(out);
	begin_tile(out, "Lost");
	put_size(out, lost(t));
	end_tile(out);
	begin_tile(out, "Allocations");
	put_count(out, t->total_allocations);
	end_tile(out);
	begin_tile(out, "Failed");
	put_count(out, t->failed_allocations);
	end_tile(out);
	fputs("</dl>\n", out);
}

/* ---- Where the bytes are ---------------------------------------------------------------------- */

static void
write_legend(FILE *out)
{
	int i;

	fputs("<p class=\"k\">", out);
	for (i = 0; i < KVR_PARTS; i++)
		fprintf(out, "<span style=\"--c:var(--p%d)\">%s</span> ", i,
			kvr_part_names[i]);
	fputs("</p>\n", out);
}

/* Write a bar of parts; whole is what a width of 100 % means. Returns where it
 * ends. */
static double
write_bar(const struct kvr_arena *a, uint64_t whole, double x, int width, int y,
	FILE *out)
{
	uint64_t parts[KVR_PARTS];
	int i;

	kvr_report_parts(&a->stats, parts);
	for (i = 0; i < KVR_PARTS; i++) {
		double length = width * percent(parts[i], whole) / 100;
		if (parts[i] == 0)
			continue;
		fprintf(out, "<rect class=\"c%d\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" "
			"height=\"%d\"><title>%s ", i, x, y + 3, length,
			ROW_HEIGHT - 8, kvr_part_names[i]);
		put_size(out, parts[i]);
		fprintf(out, ", %.1f %%</title></rect>", percent(parts[i],
			a->stats.current_memory_usage));
		x += length;
	}
	return x;
}

/* Write an arena's name, its bytes, and their shares. */
static void
write_bar_row(const struct kvr_arena *a, uint64_t most, int y, FILE *out)
{
	uint64_t held = a->stats.current_memory_usage;
	double end;

	fputs("<g><title>", out);
	put_text(out, a->path, 200);
	fprintf(out, "</title><text class=\"e\" x=\"%d\" y=\"%d\">", LABEL_WIDTH - 10,
		y + 16);
	put_text(out, a->path, LABEL_CHARACTERS);
	fputs("</text></g>", out);
	end = write_bar(a, most, LABEL_WIDTH, HELD_WIDTH, y, out);
	fprintf(out, "<text class=\"s\" x=\"%.2f\" y=\"%d\">", end + 6, y + 16);
	put_size(out, held);
	fputs("</text>", out);
	write_bar(a, held, SHARE_START, SHARE_WIDTH, y, out);
	putc('\n', out);
}

static void
write_bars(const struct kvr_report *r, FILE *out)
{
	size_t n = r->n < MOST_ROWS ? r->n : MOST_ROWS, i;

	fputs("<h2>Where the bytes are</h2>\n", out);
	if (r->n == 0) {
		fputs("<p>There is no arena in this report.</p>\n", out);
		return;
	}
	write_legend(out);
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Bytes held "
		"by each arena, by what they are used for\">\n<text class=\"s\" "
		"x=\"%d\" y=\"13\">held</text><text class=\"s\" x=\"%d\" y=\"13\">"
		"shares</text>\n", WIDTH, HEAD_HEIGHT + (int)n * ROW_HEIGHT,
		LABEL_WIDTH, SHARE_START);
	for (i = 0; i < n; i++)
		write_bar_row(&r->arenas[i],
			r->arenas[0].stats.current_memory_usage,
			HEAD_HEIGHT + (int)i * ROW_HEIGHT, out);
	fputs("</svg>\n", out);
	if (r->n > n)
		fprintf(out, "<p>And %zu smaller ones, which are in the table.</p>\n",
			r->n - n);
}

/* ---- Sizes --------------------------------------------------------------------------------------- */

#define CHART_WIDTH 320
#define CHART_HEIGHT 96
#define CHART_BASE 78			/* where the columns stand */

static uint64_t
count_sizes(const kv_arena_stats_t *s)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < 16; i++)
		n += s->size_distribution[i];
	return n;
}

static void
write_column(const kv_arena_stats_t *s, int i, uint64_t most, uint64_t all,
	FILE *out)
{
	double step = (double)CHART_WIDTH / 16;
	double height = (CHART_BASE - 4) * percent(s->size_distribution[i], most) /
		100;
	uint64_t n = s->size_distribution[i];

	if (n) {
		if (height < 1)
			height = 1;
		fprintf(out, "<rect class=\"c0\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			"height=\"%.1f\"><title>", i * step + 1, CHART_BASE - height,
			step - 2, height);
		if (i == 15)
			fputs("over 16384 bytes: ", out);
		else
			fprintf(out, "%u to %u bytes: ", i ? (1u << (i - 1)) + 1 : 1,
				1u << i);
		put_count(out, n);
		fprintf(out, ", %.1f %%</title></rect>", percent(n, all));
	}
	if (i % 3 == 0)
		fprintf(out, "<text class=\"s %c\" x=\"%.1f\" y=\"%d\">%s%u%s</text>",
			i == 15 ? 'e' : 'm', i == 15 ? CHART_WIDTH : (i + .5) * step,
			CHART_HEIGHT - 4, i == 15 ? "&gt;" : "",
			i == 15 ? 16u : i >= 10 ? 1u << (i - 10) : 1u << i,
			i >= 10 ? "K" : "");
}

static void
write_chart(const char *title, const kv_arena_stats_t *s, FILE *out)
{
	uint64_t most = 0, all = count_sizes(s);
	int i;

	for (i = 0; i < 16; i++)
		if (s->size_distribution[i] > most)
			most = s->size_distribution[i];
	fputs("<div><p>", out);
	put_text(out, title, 200);
	fprintf(out, "</p><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\""
		"Allocations by size\">", CHART_WIDTH, CHART_HEIGHT);
	for (i = 0; i < 16; i++)
		write_column(s, i, most, all, out);
	fprintf(out, "<line class=\"r\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/></svg>"
		"</div>\n", CHART_WIDTH, CHART_BASE, CHART_BASE);
}

static void
write_charts(const struct kvr_report *r, FILE *out)
{
	size_t i, n = 0;

	if (count_sizes(&r->total) == 0)
		return;
	fputs("<h2>Allocations by size in bytes</h2>\n<p>Each column counts the sizes"
		" above half of its figure and up to it.</p>\n<div class=\"g\">\n",
		out);
	if (r->n > 1)
		write_chart("All arenas", &r->total, out);
	for (i = 0; i < r->n && n < MOST_CHARTS; i++)
		if (count_sizes(&r->arenas[i].stats)) {
			write_chart(r->arenas[i].path, &r->arenas[i].stats, out);
			n++;
		}
	fputs("</div>\n", out);
}

/* ---- The table ------------------------------------------------------------------------------------- */

static void
write_row(const struct kvr_arena *a, FILE *out)
{
	const kv_arena_stats_t *s = &a->stats;
	const uint64_t sizes[] = { s->current_memory_usage, s->peak_memory_usage,
		s->used_bytes, s->padding_bytes, s->tail_bytes, s->abandoned_bytes,
		s->free_bytes };
	const uint64_t counts[] = { s->blocks, s->total_allocations, s->resets,
		s->failed_allocations, s->lock_waits };
	size_t i;

	fputs("<tr><td title=\"", out);
	put_text(out, a->path, 200);
	fputs("\">", out);
	put_text(out, a->path, 200);
	fputs(a->shared ? " (shared)</td>" : "</td>", out);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fputs("<td>", out);
		put_size(out, sizes[i]);
		fputs("</td>", out);
	}
	for (i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		fputs("<td>", out);
		put_count(out, counts[i]);
		fputs("</td>", out);
	}
	fputs("</tr>\n", out);
}

static void
write_table(const struct kvr_report *r, FILE *out)
{
	size_t i;

	if (r->n == 0)
		return;
	fputs("<h2>All figures</h2>\n<div class=\"t\"><table><thead><tr><th>Arena</th>"
		"<th>held</th><th>peak</th><th>used</th><th>padding</th><th>tails</th>"
		"<th>abandoned</th><th>free</th><th>blocks</th><th>allocations</th>"
		"<th>resets</th><th>failed</th><th>lock waits</th></tr></thead><tbody>"
		"\n", out);
	for (i = 0; i < r->n; i++)
		write_row(&r->arenas[i], out);
	fputs("</tbody></table></div>\n", out);
}

static int
compare_arenas(const void *a, const void *b)
{
	const struct kvr_arena *x = a, *y = b;
	uint64_t m = x->stats.current_memory_usage;
	uint64_t n = y->stats.current_memory_usage;

	return m != n ? (m > n ? -1 : 1) : strcmp(x->path, y->path);
}

void
kvt_page_write(struct kvr_report *r, const char *name, const char *date, FILE *out)
{
	if (r->n)
		qsort(r->arenas, r->n, sizeof(*r->arenas), compare_arenas);
	write_head(r, name, date, out);
	write_bars(r, out);
	write_charts(r, out);
	write_table(r, out);
	fputs("</body></html>\n", out);
}
