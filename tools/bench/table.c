/* table.c -- the figures of a workload, for people
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "results.h"

static const char *
short_number(double v, char *text, size_t size)
{
	if (isnan(v))
		snprintf(text, size, "-");
	else if (fabs(v) >= 99.95)
		snprintf(text, size, "%.0f", v);
	else if (fabs(v) >= 9.995)
		snprintf(text, size, "%.1f", v);
	else
		snprintf(text, size, "%.2f", v);
	return text;
}

static void
print_number(double v, int width)
{
	char text[32];

	printf(" %*s", width, short_number(v, text, sizeof text));
}

/* One line a peer, one column a column. */
static void
print_matrix(const struct options *o, const struct workload *w,
	const char *title, double (*of)(const struct workload *w,
	const struct column *c, const char *peer))
{
	const struct column *c;
	bool any = false;

	for (size_t i = 0; kb_peers[i]; i++) {
		for (c = w->columns; c->name; c++)
			any = any || !isnan(of(w, c, kb_peers[i]->name));
	}
	if (!any)
		return;
	printf("\n  %-18s", title);
	for (c = w->columns; c->name; c++)
		printf(" %10s", c->name);
	printf("\n  %-18s", "");
	for (c = w->columns; c->name; c++)
		printf(" %10s", kb_touch_names[c->touch]);
	printf("\n");
	for (size_t i = 0; kb_peers[i]; i++) {
		if (!kb_takes(o, w, i))
			continue;
		printf("  %-18s", kb_peers[i]->name);
		for (c = w->columns; c->name; c++)
			print_number(of(w, c, kb_peers[i]->name), 10);
		printf("\n");
	}
}

static double
main_metric(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, w->metric));
}

static double
to_limit(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_ratio(kb_series(w->name, c->name, c->touch, peer, "ns"),
		kb_series(w->name, c->name, c->touch, peer, "limit"));
}

static double
of_malloc(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_ratio(kb_series(w->name, c->name, c->touch, "malloc", "ns"),
		kb_series(w->name, c->name, c->touch, peer, "ns"));
}

static double
faults(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, "faults"));
}

static double
syscalls(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, "syscalls"));
}

static double
speedup(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, "speedup"));
}

static double
own(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, "own"));
}

static double
median_latency(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, "p50"));
}

static double
p99(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, "p99"));
}

static double
mean_p999(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, "mean99.9"));
}

static double
slowest(const struct workload *w, const struct column *c, const char *peer)
{
	return kb_mid(kb_series(w->name, c->name, c->touch, peer, "max"));
}

static void
print_wide(const struct options *o, const struct workload *w,
	const struct column *c)
{
	printf("\n  %s %s %-24s %9s %9s %9s %9s %9s %9s %9s\n", w->name, c->name,
		kb_touch_names[c->touch], "median", "min", "max", "x limit",
		"x malloc", "faults/k", "calls/k");
	for (size_t i = 0; kb_peers[i]; i++) {
		const char *peer = kb_peers[i]->name;
		const struct series *s = kb_series(w->name, c->name, c->touch, peer,
			w->metric);

		if (!kb_takes(o, w, i) || !s)
			continue;
		printf("  %-32s", peer);
		print_number(kb_mid(s), 9);
		print_number(kb_low(s), 9);
		print_number(kb_high(s), 9);
		print_number(to_limit(w, c, peer), 9);
		print_number(1 / of_malloc(w, c, peer), 9);
		print_number(faults(w, c, peer), 9);
		print_number(syscalls(w, c, peer), 9);
		printf("\n");
	}
}

void
kb_print_workload(const struct options *o, const struct workload *w)
{
	printf("\n%s: %s\n", w->name, w->title);
	print_matrix(o, w, w->unit, main_metric);
	print_matrix(o, w, "times the limit", to_limit);
	print_matrix(o, w, "times faster", of_malloc);
	print_matrix(o, w, "faults per 1,000", faults);
	print_matrix(o, w, "calls per 1,000", syscalls);
	print_matrix(o, w, "speed-up over 1", speedup);
	print_matrix(o, w, "% by own account", own);
	print_matrix(o, w, "ns, median", median_latency);
	print_matrix(o, w, "ns, p99", p99);
	print_matrix(o, w, "ns, p99.9 of means", mean_p999);
	print_matrix(o, w, "ns, slowest", slowest);
	for (const struct column *c = w->columns; o->wide && c->name; c++)
		print_wide(o, w, c);
	if (!strcmp(w->name, "W6"))
		printf("\n  clock: steps of %.2f ns, %.0f ns a reading taken off; "
			"slowest reading of nothing %.0f ns\n",
			kb_mid(kb_series("W6", "seed-warm", TOUCH_NONE, "limit",
				"step")),
			kb_mid(kb_series("W6", "seed-warm", TOUCH_NONE, "limit",
				"clock")),
			kb_mid(kb_series("W6", "seed-warm", TOUCH_NONE, "limit",
				"nothing_max")));
	fflush(stdout);
}
