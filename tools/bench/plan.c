/* plan.c -- which cells a run has, and in which order
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Round by round, column by column, peer after peer: what is compared runs within
 * the same second, and each round begins with another peer.
 */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results.h"
#include "spawn.h"

#define EACH_TOUCH(name) { name, TOUCH_NONE }, { name, TOUCH_WORD },	\
	{ name, TOUCH_WHOLE }

static bool
is_any(const struct peer *p, const char *const *names)
{
	for (; *names; names++) {
		if (!strcmp(p->name, *names))
			return true;
	}
	return false;
}

/* Also those that would only make the other tables longer. */
static bool
takes_all(const struct peer *p)
{
	(void)p;
	return true;
}

/* The limit's memory is "already there": neither cold, nor held for a life. */
static bool
takes_without_limit(const struct peer *p)
{
	return !(p->flags & (PEER_LIMIT | PEER_EXTRA));
}

static bool
takes_scale(const struct peer *p)
{
	static const char *const names[] = { "limit", "kvarena", "malloc",
		"mimalloc", "apr", "pmr", NULL };

	return is_any(p, names);
}

/* One peer that threads cannot share stands for all of them behind a lock. */
static bool
takes_shared(const struct peer *p)
{
	static const char *const names[] = { "apr", NULL };

	return p->flags & PEER_SHARED || is_any(p, names);
}

const struct workload kb_workloads[] = {
	{ "W1-cold", "the ancestor's mix, create to destroy, in a fresh process",
		"ns per allocation", "ns", 0, 0, false,
		{ { "seed", TOUCH_NONE }, { "seed", TOUCH_WORD } }, takes_without_limit },
	{ "W1", "the ancestor's mix, create to destroy, repeated",
		"ns per allocation", "ns", 60, 0, true,
		{ EACH_TOUCH("seed") }, NULL },
	{ "W1-notrim", "the same over a glibc heap that never trims",
		"ns per allocation", "ns", 60, 0, false,
		{ EACH_TOUCH("seed") }, NULL },
	{ "W2", "100,000 x 64 bytes, then reset",
		"ns per allocation", "ns", 40, 0, true,
		{ EACH_TOUCH("64") }, NULL },
	{ "W3", "requests: 1,000 allocations, then reset; first word written",
		"ns per allocation", "ns", 30, 0, true,
		{ { "8", TOUCH_WORD }, { "16", TOUCH_WORD },
			{ "64", TOUCH_WORD }, { "100", TOUCH_WORD },
			{ "seed", TOUCH_WORD }, { "kv", TOUCH_WORD },
			{ "4096", TOUCH_WORD } }, takes_all },
	{ "W4", "one shared arena, 64 bytes each; time over all threads",
		"ns per allocation", "ns", 60, 0, false,
		{ { "1", TOUCH_NONE }, { "2", TOUCH_NONE }, { "4", TOUCH_NONE },
			{ "8", TOUCH_NONE }, { "1", TOUCH_WORD },
			{ "2", TOUCH_WORD } }, takes_shared },
	{ "W5", "bytes asked for in bytes held",
		"% of resident bytes", "resident", 0, 3, false,
		{ { "seed", TOUCH_WHOLE }, { "kv", TOUCH_WHOLE },
			{ "strings", TOUCH_WHOLE } }, takes_without_limit },
	{ "W6", "latency of one allocation",
		"ns, 99.9th percentile", "p99.9", 100, 0, false,
		{ { "seed-cold", TOUCH_NONE }, { "seed-warm", TOUCH_NONE },
			{ "kv-cold", TOUCH_NONE }, { "kv-warm", TOUCH_NONE } }, NULL },
	{ "W7", "memtable: skip list of records of a file, create to destroy",
		"ns per record", "ns", 100, 0, false,
		{ { "1", TOUCH_WHOLE }, { "8", TOUCH_WHOLE } }, takes_all },
	{ "scale", "64-byte pieces, first word written, by KiB in the arena",
		"ns per allocation", "ns", 40, 3, false,
		{ { "1", TOUCH_WORD }, { "4", TOUCH_WORD }, { "16", TOUCH_WORD },
			{ "64", TOUCH_WORD }, { "256", TOUCH_WORD },
			{ "1024", TOUCH_WORD }, { "4096", TOUCH_WORD },
			{ "16384", TOUCH_WORD }, { "65536", TOUCH_WORD },
			{ "262144", TOUCH_WORD }, { "1048576", TOUCH_WORD } },
		takes_scale },
	{ 0 }
};

#define NPEERS 32
static struct presence presence[NPEERS];
static unsigned failures;

unsigned
kb_failures(void)
{
	return failures;
}

static bool
listed(const char *list, const char *name, bool prefix)
{
	size_t n = strlen(name);

	while (list && *list) {
		size_t k = strcspn(list, ",");

		if (!strncmp(list, name, k) && (prefix ? k <= n : k == n))
			return true;
		list += k + (list[k] == ',');
	}
	return false;
}

/* "W1" names W1, W1-cold and W1-notrim. */
bool
kb_wanted(const struct options *o, const struct workload *w)
{
	return !o->only || listed(o->only, w->name, true);
}

bool
kb_takes(const struct options *o, const struct workload *w, size_t i)
{
	const struct peer *p = kb_peers[i];

	if (!presence[i].here)
		return false;
	if (o->peers && !listed(o->peers, p->name, false))
		return false;
	return w->takes ? w->takes(p) : !(p->flags & PEER_EXTRA);
}

static void
take_version(const struct cell *c, const char *name, const char *value)
{
	for (size_t i = 0; kb_peers[i]; i++) {
		if (kb_peers[i] == c->peer && !strcmp(name, "version")) {
			snprintf(presence[i].version, sizeof presence[i].version,
				"%s", value);
		}
	}
}

const struct presence *
kb_presence(const struct options *o)
{
	struct cell c = { .workload = "probe", .column = "seed", .seed = o->seed };

	for (size_t i = 0; kb_peers[i]; i++) {
		int status;

		c.peer = kb_peers[i];
		status = kb_spawn(&c, take_version);
		presence[i].here = status == 0;
		if (status && status != 3) {
			fprintf(stderr, "kvarena-bench: %s does not work (%d), "
				"left out\n", c.peer->name, status);
			failures++;
		}
	}
	return presence;
}

static void
take_metric(const struct cell *c, const char *name, const char *value)
{
	struct series *s = kb_series_add(c, name);
	double v = strtod(value, NULL);

	if (s->n < MAX_ROUNDS && isfinite(v))
		s->value[s->n++] = v;
}

static void
progress(const char *what, const struct cell *c, unsigned done, unsigned all)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (!c)
		fprintf(stderr, "\r\033[K");
	else
		fprintf(stderr, "\r\033[K%3u %%  %s %s %s: %s", done * 100 / all,
			what, c->column, kb_touch_names[c->touch], c->peer->name);
}

static void
run_cell(struct cell *c)
{
	int status = kb_spawn(c, take_metric);

	if (status) {
		fprintf(stderr, "\nkvarena-bench: %s %s %s: %s failed (%d)\n",
			c->workload, c->column, kb_touch_names[c->touch],
			c->peer->name, status);
		failures++;
	}
}

/* A child that counts has 2 units of 100,000 allocations (life.c). */
static void
count_cell(struct cell *c)
{
	char text[32];
	long calls;

	c->count = true;
	calls = kb_spawn_counted(c);
	c->count = false;
	if (calls < 0)
		return;
	snprintf(text, sizeof text, "%.9g", (double)calls / 200);
	take_metric(c, "syscalls", text);
}

static unsigned
rounds_of(const struct options *o, const struct workload *w)
{
	return w->most_rounds && w->most_rounds < o->rounds
		? w->most_rounds : o->rounds;
}

void
kb_workload_run(const struct options *o, const struct workload *w)
{
	unsigned rounds = rounds_of(o, w);
	unsigned npeers = 0, ncolumns = 0;

	while (kb_peers[npeers])
		npeers++;
	while (w->columns[ncolumns].name)
		ncolumns++;
	for (unsigned i = 0; i < rounds * ncolumns * npeers; i++) {
		unsigned round = i / (ncolumns * npeers);
		const struct column *column = &w->columns[i / npeers % ncolumns];
		unsigned peer = (i + round * 5) % npeers;
		struct cell c = {
			.workload = w->name,
			.column = column->name,
			.touch = column->touch,
			.peer = kb_peers[peer],
			.seed = o->seed,
			.budget_ms = o->quick ? w->budget_ms / 4 : w->budget_ms,
			.records = o->records,
			.nrecords = o->quick ? 30000 : 100000,
		};

		if (!kb_takes(o, w, peer))
			continue;
		progress(w->name, &c, i, rounds * ncolumns * npeers);
		run_cell(&c);
		if (!round && w->counts)
			count_cell(&c);
	}
	progress(w->name, NULL, 0, 1);
}
