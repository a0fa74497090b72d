/* rows.c -- the contract: what must be reached, and what was
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Every row stands here, measured or not. Ratios are taken round by round, so
 * that each compares figures of one moment; the median decides, and the least
 * and the largest are shown beside it.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "results.h"

#define MAX_ROWS 96

struct span {
	double mid, low, high;
};

static struct row rows[MAX_ROWS];
static size_t nrows;
static bool unsound;

bool
kb_unsound(void)
{
	return unsound;
}

static struct span
span_of(double *v, size_t n)
{
	struct span s = { NAN, NAN, NAN };

	if (n) {
		s.mid = kb_median(v, n);		/* sorts */
		s.low = v[0];
		s.high = v[n - 1];
	}
	return s;
}

/* b NULL: a itself; else a / b, round by round. */
static struct span
span_ratio(const struct series *a, const struct series *b, bool of_b)
{
	double v[MAX_ROUNDS];
	size_t n = a ? a->n : 0;

	if (of_b)
		n = b && b->n < n ? b->n : b ? n : 0;
	for (size_t i = 0; i < n; i++)
		v[i] = of_b ? a->value[i] / b->value[i] : a->value[i];
	return span_of(v, n);
}

enum bound { AT_LEAST, AT_MOST, BELOW };

static __attribute__((__format__(__printf__, 5, 6))) void
add_row(enum bound bound, double limit, const char *unit, struct span s,
	const char *what, ...)
{
	static const char *const signs[] = { ">=", "<=", "<" };
	struct row *r = &rows[nrows++];
	va_list args;
	bool met;

	if (nrows > MAX_ROWS)
		abort();
	va_start(args, what);
	vsnprintf(r->what, sizeof r->what, what, args);
	va_end(args);
	snprintf(r->must, sizeof r->must, "%s %g%s", signs[bound], limit, unit);
	r->met = NOT_MEASURED;
	snprintf(r->measured, sizeof r->measured, "-");
	if (isnan(s.mid))
		return;
	snprintf(r->measured, sizeof r->measured, "%.4g%s (%.3g..%.3g)", s.mid, unit,
		s.low, s.high);
	met = bound == AT_LEAST ? s.mid >= limit : bound == AT_MOST
		? s.mid <= limit : s.mid < limit;
	r->met = met ? MET : NOT_MET;
}

/* The fastest that is neither ours nor the limit. */
static const char *
best_by(const char *metric, const char *workload, const char *column,
	enum touch touch)
{
	const char *best = "no peer";
	double least = INFINITY;

	for (size_t i = 0; kb_peers[i]; i++) {
		double ns;

		if (kb_peers[i]->flags & (PEER_OURS | PEER_LIMIT))
			continue;
		ns = kb_mid(kb_series(workload, column, touch, kb_peers[i]->name,
			metric));
		if (ns < least) {
			least = ns;
			best = kb_peers[i]->name;
		}
	}
	return best;
}

static const char *
best_peer(const char *workload, const char *column, enum touch touch)
{
	return best_by("ns", workload, column, touch);
}

/* How many times as long does b take as a? */
static struct span
times(const char *workload, const char *column, enum touch touch, const char *a,
	const char *b)
{
	return span_ratio(kb_series(workload, column, touch, b, "ns"),
		kb_series(workload, column, touch, a, "ns"), true);
}

/* The time in units of the limit, measured in the same process. */
static struct span
of_limit(const char *workload, const char *column, enum touch touch,
	const char *peer)
{
	return span_ratio(kb_series(workload, column, touch, peer, "ns"),
		kb_series(workload, column, touch, peer, "limit"), true);
}

static struct span
figure(const char *workload, const char *column, enum touch touch,
	const char *peer, const char *metric)
{
	return span_ratio(kb_series(workload, column, touch, peer, metric), NULL,
		false);
}

static const char *const touched[TOUCHES] = { "untouched", "first word",
	"wholly written" };

static void
rows_w1(const char *peer)
{
	static const double glibc[TOUCHES] = { 100, 20, 8 };
	static const double best[TOUCHES] = { 2, 2, 1.7 };

	add_row(AT_LEAST, 20, "x", times("W1-cold", "seed", TOUCH_NONE, peer,
		"malloc"), "W1 cold, untouched: %s to malloc", peer);
	add_row(AT_LEAST, 6, "x", times("W1-cold", "seed", TOUCH_WORD, peer,
		"malloc"), "W1 cold, first word: %s to malloc", peer);
	for (enum touch t = 0; t < TOUCHES; t++)
		add_row(AT_LEAST, glibc[t], "x", times("W1", "seed", t, peer,
			"malloc"), "W1 warm, %s: %s to malloc", touched[t], peer);
	for (enum touch t = 0; t < TOUCHES; t++) {
		const char *other = best_peer("W1", "seed", t);

		add_row(AT_LEAST, best[t], "x", times("W1", "seed", t, peer, other),
			"W1 warm, %s: %s to best peer, %s", touched[t], peer, other);
	}
}

static void
rows_w1_notrim(void)
{
	for (enum touch t = 0; t < TOUCHES; t++)
		add_row(AT_MOST, 1.2, "x limit", of_limit("W1-notrim", "seed", t,
			"kvarena"), "W1 heap never trims, %s", touched[t]);
	for (enum touch t = 0; t < TOUCHES; t++) {
		const char *other = best_peer("W1-notrim", "seed", t);

		add_row(BELOW, 1, "x", times("W1-notrim", "seed", t, "upb",
			"kvarena"), "W1 heap never trims, %s: of upb's time",
			touched[t]);
		if (strcmp(other, "upb"))
			add_row(BELOW, 1, "x", times("W1-notrim", "seed", t, other,
				"kvarena"), "W1 heap never trims, %s: of best peer, "
				"%s", touched[t], other);
	}
}

static void
rows_w2(void)
{
	for (enum touch t = TOUCH_NONE; t <= TOUCH_WORD; t++) {
		add_row(AT_MOST, 1.2, "x limit", of_limit("W2", "64", t, "kvarena"),
			"W2 64 bytes, statistics off, %s", touched[t]);
		add_row(AT_MOST, 2.2, "x limit", of_limit("W2", "64", t,
			"kvarena-stats"), "W2 64 bytes, statistics on, %s",
			touched[t]);
	}
}

static void
rows_w3(void)
{
	static const char *const columns[] = { "8", "16", "64", "100", "seed", "kv",
		"4096" };

	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		const char *c = columns[i];
		const char *other = best_peer("W3", c, TOUCH_WORD);

		add_row(AT_MOST, 1.2, "x limit", of_limit("W3", c, TOUCH_WORD,
			"kvarena"), "W3 %s", c);
		add_row(BELOW, 1, "x", times("W3", c, TOUCH_WORD, other, "kvarena"),
			"W3 %s: of best peer, %s", c, other);
		add_row(AT_MOST, 1.6, "x limit", of_limit("W3", c, TOUCH_WORD,
			"kvarena-safe"), "W3 %s, SAFE", c);
		add_row(AT_MOST, 0, "", figure("W3", c, TOUCH_WORD, "kvarena",
			"faults"), "W3 %s: page faults per 1,000", c);
		add_row(AT_MOST, 0, "", figure("W3", c, TOUCH_WORD, "kvarena",
			"syscalls"), "W3 %s: system calls per 1,000", c);
	}
}

/* A speed-up past the number of processors cannot be. 5 % over it is what two
 * medians of one run differ by. */
static void
check_speedups(void)
{
	static const char *const columns[] = { "2", "4", "8" };

	for (size_t i = 0; kb_peers[i]; i++) {
		for (size_t k = 0; k < 3; k++) {
			double s = kb_mid(kb_series("W4", columns[k], TOUCH_NONE,
				kb_peers[i]->name, "speedup"));

			if (!(s > 1.05 * kb_cpus()))
				continue;
			printf("UNSOUND: W4: %s with %s threads is %.2f times as "
				"fast as with one, on %u processors\n",
				kb_peers[i]->name, columns[k], s, kb_cpus());
			unsound = true;
		}
	}
}

static void
rows_w4(void)
{
	const char *other = best_peer("W4", "2", TOUCH_NONE);

	check_speedups();
	add_row(AT_MOST, 1.6, "x limit", times("W4", "1", TOUCH_NONE, "limit",
		"kvarena-safe"), "W4 1 thread");
	add_row(AT_LEAST, 1.9, "x", figure("W4", "2", TOUCH_NONE, "kvarena-safe",
		"speedup"), "W4 2 threads to 1 (limit alone: %.2f)",
		kb_mid(kb_series("W4", "2", TOUCH_NONE, "limit", "speedup")));
	add_row(AT_MOST, 0.5, "x", times("W4", "2", TOUCH_NONE, other,
		"kvarena-safe"), "W4 2 threads: of best peer, %s", other);
	add_row(AT_LEAST, 10, "x", times("W4", "2", TOUCH_NONE, "kvarena-safe",
		"rwlock"), "W4 2 threads: to a read/write lock");
	add_row(BELOW, 1, "x", times("W4", "2", TOUCH_WORD, "mimalloc",
		"kvarena-safe"), "W4 2 threads, first word: of mimalloc's time");
	other = best_peer("W4", "2", TOUCH_WORD);
	if (strcmp(other, "mimalloc"))
		add_row(BELOW, 1, "x", times("W4", "2", TOUCH_WORD, other,
			"kvarena-safe"), "W4 2 threads, first word: of best peer, %s",
			other);
}

static void
rows_w5(void)
{
	add_row(AT_LEAST, 99.0, " %", figure("W5", "seed", TOUCH_WHOLE, "kvarena",
		"own"), "W5 ancestor's mix: asked for / held");
	add_row(AT_LEAST, 99.61, " %", figure("W5", "seed", TOUCH_WHOLE, "kvarena",
		"formula"), "W5 ancestor's mix: handed out / held, his formula");
	add_row(AT_LEAST, 96, " %", figure("W5", "kv", TOUCH_WHOLE, "kvarena",
		"own"), "W5 kv mix, packed: asked for / held");
	add_row(AT_LEAST, 99.8, " %", figure("W5", "strings", TOUCH_WHOLE,
		"kvarena", "own"), "W5 packed strings: asked for / held");
}

static double
apr_figure(const char *column, const char *metric)
{
	const struct series *s = kb_series("W6", column, TOUCH_NONE, "apr", metric);

	return s ? kb_mid(s) : 0;
}

static struct span
of_apr(const char *column, const char *metric)
{
	return span_ratio(kb_series("W6", column, TOUCH_NONE, "kvarena", metric),
		kb_series("W6", column, TOUCH_NONE, "apr", metric), true);
}

static void
rows_w6(void)
{
	static const char *const warm[] = { "seed-warm", "kv-warm" };
	static const char *const each[] = { "seed-warm", "kv-warm", "seed-cold",
		"kv-cold" };

	for (size_t i = 0; i < 2; i++) {
		add_row(AT_MOST, 20, " ns", figure("W6", warm[i], TOUCH_NONE,
			"kvarena", "p99.9"), "W6 %s: p99.9 of readings", warm[i]);
		add_row(AT_MOST, 20, " ns", figure("W6", warm[i], TOUCH_NONE,
			"kvarena", "mean99.9"), "W6 %s: p99.9 of means", warm[i]);
	}
	/* An interrupt hits any allocator. So the quietest life counts, and the
	 * usual one is shown as well. */
	for (size_t i = 0; i < 4; i++) {
		add_row(AT_MOST, 1, "x", of_apr(each[i], "least_max"),
			"W6 %s: max of the quietest life, to APR's (%.0f ns)", each[i],
			apr_figure(each[i], "least_max"));
		add_row(AT_MOST, 1, "x", of_apr(each[i], "max"),
			"W6 %s: max of the median life, to APR's (%.0f ns)", each[i],
			apr_figure(each[i], "max"));
	}
}

static void
rows_w7(void)
{
	static const char *const columns[] = { "1", "8" };
	static const char *const ours[] = { "kvarena", "kvarena-safe" };

	for (size_t i = 0; i < 2; i++) {
		const char *other = best_by("rel", "W7", columns[i], TOUCH_WHOLE);

		/* Each in units of the limit beside it. */
		add_row(BELOW, 1, "x", span_ratio(kb_series("W7", columns[i],
			TOUCH_WHOLE, ours[i], "rel"), kb_series("W7", columns[i],
			TOUCH_WHOLE, other, "rel"), true),
			"W7 memtable, %s thread%s: of best peer, %s",
			columns[i], i ? "s" : "", other);
	}
}

const struct row *
kb_rows(const struct options *o, size_t *n)
{
	(void)o;
	if (!nrows) {
		rows_w1("kvarena");
		rows_w1("kvarena-stats");
		rows_w1_notrim();
		rows_w2();
		rows_w3();
		rows_w4();
		rows_w5();
		rows_w6();
		rows_w7();
	}
	*n = nrows;
	return rows;
}

void
kb_print_rows(const struct options *o)
{
	static const char *const words[] = { "not measured", "met", "NOT MET" };
	size_t counts[3] = { 0 };
	size_t n;
	const struct row *r = kb_rows(o, &n);

	printf("\n%-62s %-14s %-30s %s\n", "row", "must reach",
		"measured (least..most of rounds)", "");
	for (size_t i = 0; i < n; i++) {
		printf("%-62s %-14s %-32s %s\n", r[i].what, r[i].must,
			r[i].measured, words[r[i].met]);
		counts[r[i].met]++;
	}
	printf("\n%zu met, %zu not met, %zu not measured", counts[MET],
		counts[NOT_MET], counts[NOT_MEASURED]);
	if (o->quick || o->rounds < 7)
		printf("; a quick look, not for the record (--repeat under 7)");
	printf("\n");
}
