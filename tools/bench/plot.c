/* plot.c -- pictures, by gnuplot
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Bars for each workload, ours in orange; latency against percentile, spread as
 * HdrHistogram does; time against threads; time against the arena's size.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "report.h"
#include "results.h"

#define OURS 0xd95f02
#define LIMIT 0x9aa0a6
#define OTHERS 0x4c78a8

#define HEAD								\
	"set encoding utf8\n"						\
	"set termoption noenhanced\n"					\
	"set border 3 lc rgb '#666666'\n"				\
	"set tics nomirror out\n"					\
	"set grid lc rgb '#e4e4e4' lt 1 lw 0.6\n"

struct bar {
	const char *peer;
	unsigned flags;
	double mid, low, high;
};

static int
by_mid(const void *a, const void *b)
{
	double x = ((const struct bar *)a)->mid;
	double y = ((const struct bar *)b)->mid;

	return x < y ? -1 : x > y;
}

static size_t
bars_of(const struct options *o, const struct workload *w,
	const struct column *c, struct bar *bars)
{
	size_t n = 0;

	for (size_t i = 0; kb_peers[i]; i++) {
		const struct series *s = kb_series(w->name, c->name, c->touch,
			kb_peers[i]->name, w->metric);

		if (!s || !s->n || !kb_takes(o, w, i))
			continue;
		bars[n].peer = kb_peers[i]->name;
		bars[n].flags = kb_peers[i]->flags;
		bars[n].mid = kb_mid(s);
		bars[n].low = kb_low(s);
		bars[n].high = kb_high(s);
		n++;
	}
	qsort(bars, n, sizeof *bars, by_mid);
	return n;
}

static unsigned
color_of(unsigned flags)
{
	return flags & PEER_OURS ? OURS : flags & PEER_LIMIT ? LIMIT : OTHERS;
}

static bool
is_percent(const struct workload *w)
{
	return w->unit[0] == '%';
}

/* Horizontal bars, the best on top, on a logarithmic scale unless in percent. */
static void
draw_bars(FILE *g, const struct options *o, const struct workload *w,
	const struct column *c)
{
	struct bar bars[64];
	size_t n = bars_of(o, w, c, bars);
	double least = INFINITY, most = 0;
	double from;

	for (size_t i = 0; i < n; i++) {
		if (bars[i].mid > 0 && bars[i].mid < least)
			least = bars[i].mid;
		most = bars[i].mid > most ? bars[i].mid : most;
	}
	if (!n || !isfinite(least))
		return;
	from = is_percent(w) ? 0 : least / 1.6;
	fprintf(g, "set title '%s %s%s%s' font ',12' offset 0,-0.6\n", w->name,
		c->name, c->touch ? ", " : "", c->touch == TOUCH_WORD
		? "first word written" : c->touch ? "wholly written" : "");
	fprintf(g, "%s\nset xrange [%g:%g]\nset yrange [%g:0.3]\n",
		is_percent(w) ? "unset logscale" : "set logscale x", from,
		is_percent(w) ? 118 : most * pow(most / from, 0.22), -(double)n - 0.3);
	fprintf(g, "set xlabel '%s' font ',9' offset 0,0.6\nset ytics (", w->unit);
	for (size_t i = 0; i < n; i++)
		fprintf(g, "%s\"%s\" %g", i ? ", " : "", bars[i].peer,
			-(double)i - 0.5);
	fprintf(g, ") font ',9' scale 0\nset xtics font ',9'\nunset key\n$bars << EOD\n");
	for (size_t i = 0; i < n; i++)
		fprintf(g, "%g %g %g %g %g %u\n", bars[i].mid > from ? bars[i].mid
			: from, -(double)i - 0.5, bars[i].low > from ? bars[i].low
			: from, bars[i].high, bars[i].mid, color_of(bars[i].flags));
	fprintf(g, "EOD\n"
		"plot $bars using 1:2:(%g):1:($2-0.36):($2+0.36):6 with boxxyerror "
		"fs solid 0.9 noborder lc rgb variable, "
		"$bars using 1:2:3:4 with xerrorbars pt -1 lc rgb '#333333' lw 0.7, "
		"$bars using 4:2:($5 >= 99.95 ? sprintf('%%.0f', $5) : "
		"sprintf('%%.3g', $5)) with labels left offset 0.6,0 "
		"font ',8' tc rgb '#333333'\n", from);
}

static void
draw_workload(FILE *g, const struct options *o, const struct workload *w)
{
	unsigned n = 0, across;
	size_t npeers = 0;
	struct bar bars[64];

	for (const struct column *c = w->columns; c->name; c++) {
		size_t k = bars_of(o, w, c, bars);

		n += k > 0;
		npeers = k > npeers ? k : npeers;
	}
	if (!n)
		return;
	across = n < 3 ? n : n == 4 ? 2 : 3;
	fprintf(g, "set terminal svg size %u,%u dynamic font 'Helvetica,11' "
		"background rgb 'white'\nset output '%s/%s.svg'\n" HEAD
		"unset grid\nset grid x lc rgb '#e4e4e4' lt 1 lw 0.6\n"
		"set multiplot layout %u,%u title \"%s: %s\" font ',14'\n"
		"set lmargin 17\nset rmargin 3\n", 400 * across,
		60 + (unsigned)(90 + 17 * npeers) * ((n + across - 1) / across),
		o->plots, w->name, (n + across - 1) / across, across, w->name,
		w->title);
	for (const struct column *c = w->columns; c->name; c++)
		draw_bars(g, o, w, c);
	fprintf(g, "unset multiplot\nunset output\nreset\n");
}

static const char *
line_style(const struct peer *p, unsigned k)
{
	static const char *const others[] = { "#4c78a8", "#72b7b2", "#54a24b",
		"#b279a2", "#9d755d", "#eeca3b", "#ff9da6", "#2f4b7c", "#665191",
		"#a05195", "#003f5c", "#7a9e3b", "#17807e", "#8c6d31", "#636363" };
	static const char *const ours[] = { "#d95f02", "#a63603", "#fdae6b",
		"#fd8d3c", "#7f2704" };
	static char text[80];

	if (p->flags & PEER_LIMIT)
		return "lc rgb '#9aa0a6' lw 2 dt 2 pt 0";
	snprintf(text, sizeof text, "lc rgb '%s' lw %s pt %u ps 0.5",
		p->flags & PEER_OURS ? ours[k % 5] : others[k % 15],
		p->flags & PEER_OURS ? "3" : "1.4", 1 + k % 13);
	return text;
}

/* One line a peer over the columns of one touch; x is the column's number. */
static void
draw_lines(FILE *g, const struct options *o, const struct workload *w,
	enum touch touch)
{
	unsigned k = 0;

	fprintf(g, "plot ");
	for (size_t i = 0; kb_peers[i]; i++) {
		if (!kb_takes(o, w, i))
			continue;
		fprintf(g, "%s'-' using 1:2 with linespoints %s title '%s'",
			k ? ", " : "", line_style(kb_peers[i], k),
			kb_peers[i]->name);
		k++;
	}
	fprintf(g, "\n");
	for (size_t i = 0; kb_peers[i]; i++) {
		if (!kb_takes(o, w, i))
			continue;
		for (const struct column *c = w->columns; c->name; c++) {
			double v = kb_mid(kb_series(w->name, c->name, touch,
				kb_peers[i]->name, w->metric));

			if (c->touch == touch && !isnan(v))
				fprintf(g, "%s %g\n", c->name, v);
		}
		fprintf(g, "e\n");
	}
}

static void
draw_scaling(FILE *g, const struct options *o, const struct workload *w)
{
	fprintf(g, "set terminal svg size 900,560 dynamic font 'Helvetica,12' "
		"background rgb 'white'\nset output '%s/W4-threads.svg'\n" HEAD
		"set title 'One arena, shared by threads (%u processors)'\n"
		"set logscale xy\nset xtics (1, 2, 4, 8)\nset xrange [0.95:8.4]\n"
		"set xlabel 'threads'\nset ylabel 'ns per allocation, all threads "
		"together'\nset key outside right top\n", o->plots, kb_cpus());
	draw_lines(g, o, w, TOUCH_NONE);
	fprintf(g, "unset output\nreset\n");
}

static void
draw_sizes(FILE *g, const struct options *o, const struct workload *w)
{
	fprintf(g, "set terminal svg size 900,560 dynamic font 'Helvetica,12' "
		"background rgb 'white'\nset output '%s/arena-size.svg'\n" HEAD
		"set title 'What 64 bytes cost, by the size the arena grows to'\n"
		"set logscale xy\nset xtics ('1 KiB' 1, '16 KiB' 16, '256 KiB' 256, "
		"'4 MiB' 4096, '64 MiB' 65536, '1 GiB' 1048576)\n"
		"set xlabel 'bytes in the arena, created and destroyed each time'\n"
		"set ylabel 'ns per allocation, first word written'\n"
		"set key outside right top\n", o->plots);
	draw_lines(g, o, w, TOUCH_WORD);
	fprintf(g, "unset output\nreset\n");
}

/* x is 1 / (1 - p), so that each nine takes the same room. */
static void
draw_latency(FILE *g, const struct options *o, const struct workload *w,
	const char *column)
{
	static const struct {
		const char *metric;
		double x;
	} points[] = {
		{ "p50", 2 }, { "p75", 4 }, { "p90", 10 }, { "p95", 20 },
		{ "p99", 100 }, { "p99.5", 200 }, { "p99.9", 1000 },
		{ "p99.95", 2000 }, { "p99.99", 10000 }, { "max", 100000 },
	};
	unsigned k = 0;

	fprintf(g, "set terminal svg size 900,560 dynamic font 'Helvetica,12' "
		"background rgb 'white'\nset output '%s/W6-%s.svg'\n" HEAD
		"set title 'Latency of one allocation, %s (clock steps of %.1f ns)'\n"
		"set logscale xy\nset xtics ('50 %%%%' 2, '90 %%%%' 10, '99 %%%%' 100, "
		"'99.9 %%%%' 1000, '99.99 %%%%' 10000, 'max' 100000)\n"
		"set xrange [2:130000]\nset yrange [1:*]\nset ylabel 'ns (under 1: 1)'\n"
		"set key outside right top\nplot ", o->plots, column, column,
		kb_mid(kb_series("W6", column, TOUCH_NONE, "limit", "step")));
	for (size_t i = 0; kb_peers[i]; i++) {
		if (!kb_takes(o, w, i))
			continue;
		fprintf(g, "%s'-' using 1:2 with linespoints %s title '%s'",
			k ? ", " : "", line_style(kb_peers[i], k),
			kb_peers[i]->name);
		k++;
	}
	fprintf(g, "\n");
	for (size_t i = 0; kb_peers[i]; i++) {
		if (!kb_takes(o, w, i))
			continue;
		for (size_t j = 0; j < sizeof points / sizeof *points; j++) {
			double v = kb_mid(kb_series("W6", column, TOUCH_NONE,
				kb_peers[i]->name, points[j].metric));

			if (!isnan(v))
				fprintf(g, "%g %g\n", points[j].x, v > 1 ? v : 1);
		}
		fprintf(g, "e\n");
	}
	fprintf(g, "unset output\nreset\n");
}

bool
kb_write_plots(const struct options *o)
{
	FILE *g;
	int status;

	if (mkdir(o->plots, 0777) && errno != EEXIST) {
		fprintf(stderr, "kvarena-bench: %s: %s\n", o->plots, strerror(errno));
		return false;
	}
	signal(SIGPIPE, SIG_IGN);	/* a gnuplot that is not there */
	g = popen("gnuplot", "w");
	if (!g)
		return false;
	for (const struct workload *w = kb_workloads; w->name; w++) {
		if (!kb_wanted(o, w))
			continue;
		if (strcmp(w->name, "scale"))
			draw_workload(g, o, w);
		else
			draw_sizes(g, o, w);
		if (!strcmp(w->name, "W4"))
			draw_scaling(g, o, w);
		for (const struct column *c = w->columns; !strcmp(w->name, "W6") &&
			c->name; c++)
			draw_latency(g, o, w, c->name);
	}
	status = pclose(g);
	if (status)
		fprintf(stderr, "kvarena-bench: gnuplot failed or is missing; "
			"the plots in %s are not complete\n", o->plots);
	return !status;
}
