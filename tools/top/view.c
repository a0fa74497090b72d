/* view.c -- what kvarena-top shows
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD_LINES 7			/* above the first row of the list */
#define BAR 40

static const struct {
	const char *name;
	int width;
} columns[KVP_COLUMNS] = {
	[KVP_HELD] = { "HELD", 6 },
	[KVP_PEAK] = { "PEAK", 6 },
	[KVP_USED] = { "USED%", 6 },
	[KVP_LOST] = { "LOST", 6 },
	[KVP_FREE] = { "FREE", 6 },
	[KVP_BLOCKS] = { "BLOCKS", 7 },
	[KVP_ALLOCATIONS] = { "ALLOC/s", 8 },
	[KVP_BYTES] = { "BYTES/s", 8 },
	[KVP_RESETS] = { "RESET/s", 8 },
	[KVP_WAITS] = { "WAIT/s", 7 },
	[KVP_PATH] = { "ARENA", 0 },
};

enum kvp_column
kvp_view_column(const char *name)
{
	int i;

	for (i = 0; i < KVP_COLUMNS; i++)
		if (strcmp(name, columns[i].name) == 0)
			break;
	return (enum kvp_column)i;
}

const char *
kvp_view_column_name(enum kvp_column column)
{
	return columns[column].name;
}

/* ---- Lines --------------------------------------------------------------------------- */

/* Where a line has got to; columns are counted so that it never wraps. */
struct pen {
	FILE *out;
	int left;			/* columns; below 0 where there is no end */
};

/* A name comes from another process: no control character of it may reach the
 * terminal. Bytes of one UTF-8 character count as one column. */
static void
put_text(struct pen *pen, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	for (; *c; c++) {
		bool is_more = (*c & 0xc0) == 0x80;
		bool is_control = *c < 0x20 || *c == 0x7f ||
			(*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0);
		if (!is_more && pen->left == 0)
			return;
		if (!is_more && pen->left > 0)
			pen->left--;
		if (!is_control) {
			putc(*c, pen->out);
			continue;
		}
		putc('?', pen->out);
		if (*c == 0xc2)
			c++;
	}
}

__attribute__((__format__(__printf__, 2, 3))) static void
put_line(struct pen *pen, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_text(pen, text);
}

static void
begin_line(struct pen *pen, const struct kvp_view *v)
{
	pen->left = v->rows ? v->columns : -1;
}

static void
end_line(struct pen *pen)
{
	putc('\n', pen->out);
}

/* Write a rate, as "12.3k"; "-" where it is not known. */
static const char *
rate_text(double rate, char text[16])
{
	static const char units[] = " kMGT";
	unsigned u = 0;

	if (rate < 0)
		return strcpy(text, "-");
	for (; rate >= 1000 && units[u + 1]; u++)
		rate /= 1000;
	if (u == 0)
		snprintf(text, 16, rate < 10 && rate != (double)(int)rate ? "%.1f"
			: "%.0f", rate);
	else
		snprintf(text, 16, rate < 9.95 ? "%.1f%c" : "%.0f%c", rate, units[u]);
	return text;
}

/* ---- The head -------------------------------------------------------------------------- */

static void
clock_text(uint64_t when, char text[16])
{
	time_t t = (time_t)(when / 1000000000u);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(text, 16, "%H:%M:%S", &tm))
		strcpy(text, "?");
}

static void
draw_head(const struct kvp_view *v, const struct kvp_sample *s,
	const struct kvp_source *source, struct pen *pen)
{
	const kv_arena_stats_t *t = &s->report.total;
	uint64_t now = kvp_now(), shared = 0;
	double age = now > s->when ? (double)(now - s->when) / 1e9 : 0;
	char clock[16], a[16], b[16], c[16], d[16], sizes[KVR_PARTS + 1][8];
	uint64_t parts[KVR_PARTS];
	size_t i;

	for (i = 0; i < s->report.n; i++)
		shared += s->report.arenas[i].shared;
	kvr_report_parts(t, parts);
	for (i = 0; i < KVR_PARTS; i++)
		kvr_size(parts[i], sizes[i]);
	kvr_size(t->current_memory_usage, sizes[KVR_PARTS]);

	begin_line(pen, v);
	clock_text(now, clock);
	put_line(pen, "kvarena-top - %s %s, kvarena %s, report %.1f s old%s", clock,
		source->name, s->report.version ? s->report.version : "?", age,
		age > 10 * (v->delay > 1 ? v->delay : 1) ? " (STALE)" : "");
	end_line(pen);
	begin_line(pen, v);
	put_line(pen, "Arenas: %zu total, %" PRIu64 " shared; %" PRIu64
		" blocks, %" PRIu64 " shards, %" PRIu64 " failed allocations",
		s->report.n, shared, t->blocks, t->shards, t->failed_allocations);
	end_line(pen);
	begin_line(pen, v);
	put_line(pen, "Bytes:  %s held: %s used (%.1f%%), %s padding, %s tails, "
		"%s abandoned, %s free, %s headers", sizes[KVR_PARTS], sizes[0],
		kvp_used_share(t), sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]);
	end_line(pen);
	begin_line(pen, v);
	put_line(pen, "Rates:  %s allocations/s, %sB/s, %s resets/s, %s fresh "
		"blocks/s, ", rate_text(s->total.allocations, a),
		rate_text(s->total.bytes, b), rate_text(s->total.resets, c),
		rate_text(s->total.blocks, d));
	put_line(pen, "%s lock waits/s", rate_text(s->total.waits, a));
	end_line(pen);
	begin_line(pen, v);
	put_text(pen, v->message);
	end_line(pen);
}

/* ---- The list --------------------------------------------------------------------------- */

static void
draw_titles(const struct kvp_view *v, struct pen *pen)
{
	char title[24];
	int i;

	begin_line(pen, v);
	if (v->rows)
		fputs("\033[7m", pen->out);
	for (i = 0; i < KVP_COLUMNS; i++) {
		snprintf(title, sizeof(title), "%s%s", columns[i].name,
			v->rows && i == (int)v->column ? v->backwards ? "^" : "v" : "");
		if (i == KVP_PATH)
			put_line(pen, "  %s", title);
		else
			put_line(pen, "%*s", columns[i].width + 1, title);
	}
	if (v->rows) {
		put_line(pen, "%*s", pen->left > 400 ? 400 : pen->left, "");
		fputs("\033[m", pen->out);
	}
	end_line(pen);
}

static void
draw_row(const struct kvp_view *v, const struct kvp_row *row, struct pen *pen)
{
	const kv_arena_stats_t *s = &row->arena->stats;
	char size[8], rate[16];

	begin_line(pen, v);
	if (v->rows && row->arena->id == v->selected)
		fputs("\033[1m", pen->out);
	put_line(pen, " %6s", kvr_size(s->current_memory_usage, size));
	put_line(pen, " %6s", kvr_size(s->peak_memory_usage, size));
	put_line(pen, " %6.1f", kvp_used_share(s));
	put_line(pen, " %6s", kvr_size(kvp_lost_bytes(s), size));
	put_line(pen, " %6s", kvr_size(s->free_bytes, size));
	put_line(pen, " %7" PRIu64, s->blocks);
	put_line(pen, " %8s", rate_text(row->rates.allocations, rate));
	put_line(pen, " %8s", rate_text(row->rates.bytes, rate));
	put_line(pen, " %8s", rate_text(row->rates.resets, rate));
	put_line(pen, " %7s", rate_text(row->rates.waits, rate));
	put_line(pen, " %c", row->arena->shared ? '*' : ' ');
	put_text(pen, row->arena->path);
	end_line(pen);
}

static size_t
selected_row(const struct kvp_view *v, const struct kvp_sample *s)
{
	size_t i;

	for (i = 0; s->rows && i < s->report.n; i++)
		if (s->rows[i].arena->id == v->selected)
			return i;
	return 0;
}

static void
draw_list(struct kvp_view *v, const struct kvp_sample *s, struct pen *pen)
{
	size_t room = v->rows > HEAD_LINES ? (size_t)(v->rows - HEAD_LINES + 1)
		: 1;
	size_t i, at = selected_row(v, s);

	draw_titles(v, pen);
	if (!v->rows)
		room = s->report.n;
	if (at < v->first)
		v->first = at;
	if (at >= v->first + room)
		v->first = at - room + 1;
	for (i = v->first; s->rows && i < s->report.n && i < v->first + room; i++)
		draw_row(v, &s->rows[i], pen);
}

void
kvp_view_move(struct kvp_view *v, const struct kvp_sample *s, long by)
{
	long at = (long)selected_row(v, s) + by;

	if (!s->rows || s->report.n == 0)
		return;
	if (at < 0)
		at = 0;
	if (at >= (long)s->report.n)
		at = (long)s->report.n - 1;
	v->selected = s->rows[at].arena->id;
}

/* ---- One arena ----------------------------------------------------------------------------- */

static void
draw_bar(const struct kvp_view *v, struct pen *pen, const char *label,
	const char *amount, uint64_t value, uint64_t whole)
{
	static const char bar[BAR + 1] = "########################################";
	double part = whole ? (double)value / (double)whole : 0;

	begin_line(pen, v);
	put_line(pen, "  %-14s %8s %5.1f%%  %.*s", label, amount, 100 * part,
		(int)(part * BAR + 0.5) > BAR ? BAR : (int)(part * BAR + 0.5), bar);
	end_line(pen);
}

static void
draw_sizes(const struct kvp_view *v, const kv_arena_stats_t *s, struct pen *pen)
{
	uint64_t all = 0, n;
	char range[32], amount[16];
	unsigned i;

	for (i = 0; i < 16; i++)
		all += s->size_distribution[i];
	begin_line(pen, v);
	put_line(pen, all ? "Sizes in bytes" : "Sizes: this arena does not count them");
	end_line(pen);
	for (i = 0; i < 16; i++) {
		n = s->size_distribution[i];
		if (n == 0)
			continue;
		if (i == 15)
			snprintf(range, sizeof(range), "over %u", 1u << 14);
		else if (i < 2)
			snprintf(range, sizeof(range), "%u", 1u << i);
		else
			snprintf(range, sizeof(range), "%u..%u", (1u << (i - 1)) + 1,
				1u << i);
		draw_bar(v, pen, range, rate_text((double)n, amount), n, all);
	}
}

static void
draw_detail(const struct kvp_view *v, const struct kvp_sample *s, struct pen *pen)
{
	const struct kvp_row *row = &s->rows[selected_row(v, s)];
	const kv_arena_stats_t *st = &row->arena->stats;
	uint64_t parts[KVR_PARTS];
	char size[8];
	int i;

	begin_line(pen, v);
	put_line(pen, "Arena %s%s", row->arena->path,
		row->arena->shared ? " (shared)" : "");
	end_line(pen);
	kvr_report_parts(st, parts);
	for (i = 0; i < KVR_PARTS; i++)
		draw_bar(v, pen, kvr_part_names[i], kvr_size(parts[i], size),
			parts[i], st->current_memory_usage);
	draw_sizes(v, st, pen);
	begin_line(pen, v);
	put_line(pen, "Blocks: %" PRIu64 " held, %" PRIu64 " came fresh, %" PRIu64
		" warm, %" PRIu64 " given back, %" PRIu64 " for one large allocation",
		st->blocks, st->block_allocations, st->block_reuses,
		st->blocks_returned, st->large_allocations);
	end_line(pen);
	begin_line(pen, v);
	put_line(pen, "Calls:  %" PRIu64 " allocations, %" PRIu64 " failed, %" PRIu64
		" resets; %" PRIu64 " shards, %" PRIu64 " handed over, %" PRIu64
		" lock waits", st->total_allocations, st->failed_allocations,
		st->resets, st->shards, st->shard_handovers, st->lock_waits);
	end_line(pen);
}

static const char help[] =
	"  q         quit                       Enter     one arena, or all again\n"
	"  space     look again now             up, down  choose an arena\n"
	"  < >       sort by another column     d         delay between looks\n"
	"  R         turn the order round       h, ?      this page\n"
	"  M         sort by memory held        P         sort by allocations\n"
	"  N         sort by name               W         sort by lost bytes\n"
	"\n"
	"HELD      bytes the arena has from its source    USED%     share in use\n"
	"PEAK      the most it has held                   FREE      still to give out\n"
	"LOST      padding, block tails, and what realloc left behind\n"
	"ALLOC/s   between the last two reports; - where there was but one, and 0\n"
	"          where the arena keeps no detailed statistics\n"
	"WAIT/s    slow paths that met another thread     *         shared by threads\n"
	"\nAny key goes back.";

void
kvp_view_draw(struct kvp_view *v, const struct kvp_sample *s,
	const struct kvp_source *source, FILE *out)
{
	struct pen pen = { out, -1 };

	if (v->page == KVP_HELP) {
		fputs(help, out);
		return;
	}
	draw_head(v, s, source, &pen);
	if (v->page == KVP_DETAIL && s->rows && s->report.n)
		draw_detail(v, s, &pen);
	else
		draw_list(v, s, &pen);
}
