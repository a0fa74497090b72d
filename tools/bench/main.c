/* main.c -- kvarena-bench: what an allocation costs, here and elsewhere
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 *	bench.h, loops.h	what is measured, inlined for each peer-*.c
 *	cell.c			one cell, in a child: life.c threads.c memory.c
 *				latency.c
 *	plan.c, spawn.c		which cells, in which order, in which process
 *	results.c, rows.c	the figures, and the contract they are held to
 *	table.c export.c plot.c	what a person, a program, an eye gets
 *	numa.c			something else: placing on nodes, ours alone
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "memtable.h"
#include "plan.h"
#include "report.h"
#include "results.h"
#include "spawn.h"

#include "kv_arena.h"

static const char usage[] =
"usage: kvarena-bench [OPTION]...\n"
"Measure kvarena beside other allocators, and say which rows of the contract\n"
"are met.\n"
"\n"
"  -o, --only LIST      only these workloads, as W1,W3 (--list names them)\n"
"  -p, --peers LIST     only these peers, as kvarena,malloc,limit\n"
"  -r, --repeat N       rounds, 1 to 64 [7]; each a process for each cell\n"
"  -q, --quick          3 rounds, a quarter of the time: a look, not a record\n"
"  -w, --wide           tables with median, min and max for every column\n"
"  -s, --seed N         of the kv mix and of strings [1]\n"
"  -f, --records FILE   text for the memtable of W7 [a large one of the system]\n"
"  -j, --json FILE      write every figure\n"
"  -c, --csv FILE       write every median, min and max\n"
"  -P, --plots DIR      write SVG plots (needs gnuplot)\n"
"  -S, --strict         exit 1 if a measured row is not met\n"
"  -n, --numa MIB       instead: what placement on NUMA nodes is worth here, with\n"
"                       so much memory for a thread on each node (doc/numa.md)\n"
"  -l, --list           list workloads and peers\n"
"  -h, --help           this text\n"
"  -V, --version        versions of kvarena and of the bench\n"
"\n"
"Exit status: 0; 1 if a measurement failed or cannot be true, or a file could\n"
"not be written; 2 if an argument is wrong.\n";

static __attribute__((__noreturn__)) void
bad_argument(const char *what, const char *value, const char *why)
{
	fprintf(stderr, "kvarena-bench: %s '%s': %s\n", what, value, why);
	exit(2);
}

static unsigned long long
number(const char *what, const char *text, unsigned long long least,
	unsigned long long most)
{
	char *end;
	unsigned long long v;
	char why[64];

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || v < least || v > most) {
		snprintf(why, sizeof why, "not a number from %llu to %llu", least,
			most);
		bad_argument(what, text, why);
	}
	return v;
}

/* Every name of a list must be known: a run of nothing would look like success. */
static void
check_list(const char *what, const char *list, bool (*known)(const char *name,
	size_t n))
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (!n || !known(list, n)) {
			char name[64];

			snprintf(name, sizeof name, "%.*s", (int)n, list);
			bad_argument(what, name, "not known; see --list");
		}
		list += n + (list[n] == ',');
	}
}

static bool
is_workload(const char *name, size_t n)
{
	for (const struct workload *w = kb_workloads; w->name; w++) {
		if (!strncmp(w->name, name, n))
			return true;
	}
	return false;
}

static bool
is_peer(const char *name, size_t n)
{
	for (size_t i = 0; kb_peers[i]; i++) {
		if (strlen(kb_peers[i]->name) == n &&
			!strncmp(kb_peers[i]->name, name, n))
			return true;
	}
	return false;
}

static void
list(const struct presence *presence)
{
	printf("workloads\n");
	for (const struct workload *w = kb_workloads; w->name; w++) {
		printf("  %-10s %s\n  %-10s columns:", w->name, w->title, "");
		for (const struct column *c = w->columns; c->name; c++)
			printf(" %s/%s", c->name, kb_touch_names[c->touch]);
		printf("\n");
	}
	printf("peers\n");
	for (size_t i = 0; kb_peers[i]; i++)
		printf("  %-18s %s%s%s%s\n", kb_peers[i]->name, kb_peers[i]->about,
			presence[i].here ? "" : " (not here)",
			presence[i].here && presence[i].version[0] != '-' ? "; " : "",
			presence[i].here && presence[i].version[0] != '-'
			? presence[i].version : "");
}

static const struct option long_options[] = {
	{ "only", required_argument, NULL, 'o' },
	{ "peers", required_argument, NULL, 'p' },
	{ "repeat", required_argument, NULL, 'r' },
	{ "quick", no_argument, NULL, 'q' },
	{ "wide", no_argument, NULL, 'w' },
	{ "seed", required_argument, NULL, 's' },
	{ "records", required_argument, NULL, 'f' },
	{ "json", required_argument, NULL, 'j' },
	{ "csv", required_argument, NULL, 'c' },
	{ "plots", required_argument, NULL, 'P' },
	{ "strict", no_argument, NULL, 'S' },
	{ "numa", required_argument, NULL, 'n' },
	{ "list", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 }
};

static void
finish_options(struct options *o, int argc, char **argv)
{
	struct record probe;

	if (optind < argc)
		bad_argument("argument", argv[optind], "not expected");
	if (o->only)
		check_list("--only", o->only, is_workload);
	if (o->peers)
		check_list("--peers", o->peers, is_peer);
	if (!o->rounds)
		o->rounds = o->quick ? 3 : 7;
	if (!o->records)
		o->records = kb_records_default();
	else if (!kb_records_read(o->records, &probe, 1))
		bad_argument("--records", o->records, "not a readable text file");
}

/* Returns false if everything asked for is already done. */
static bool
read_options(struct options *o, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "o:p:r:qws:f:j:c:P:Sn:lhV",
		long_options, NULL)) != -1) {
		switch (opt) {
		case 'o': o->only = optarg; break;
		case 'p': o->peers = optarg; break;
		case 'r':
			o->rounds = (unsigned)number("--repeat", optarg, 1, MAX_ROUNDS);
			break;
		case 'q': o->quick = true; break;
		case 'w': o->wide = true; break;
		case 's': o->seed = number("--seed", optarg, 0, UINT64_MAX); break;
		case 'f': o->records = optarg; break;
		case 'j': o->json = optarg; break;
		case 'c': o->csv = optarg; break;
		case 'P': o->plots = optarg; break;
		case 'S': o->strict = true; break;
		case 'n':
			o->numa_mib = (unsigned)number("--numa", optarg, 1, 65536);
			break;
		case 'l': list(kb_presence(o)); return false;
		case 'h': fputs(usage, stdout); return false;
		case 'V':
			printf("kvarena-bench (kvarena %d.%d.%d, library %s)\n",
				KV_ARENA_VERSION_MAJOR, KV_ARENA_VERSION_MINOR,
				KV_ARENA_VERSION_PATCH, kv_arena_version());
			return false;
		default:
			fputs("Try 'kvarena-bench --help'.\n", stderr);
			exit(2);
		}
	}
	finish_options(o, argc, argv);
	return true;
}

static bool
is_any_not_met(const struct options *o)
{
	size_t n;
	const struct row *rows = kb_rows(o, &n);

	for (size_t i = 0; i < n; i++) {
		if (rows[i].met == NOT_MET)
			return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	struct options o = { .seed = 1 };
	struct cell cell = { 0 };
	const struct presence *presence;
	bool good = true;

	if (argc > 1 && !strcmp(argv[1], "--cell"))
		return kb_child(argc, argv, &cell) ? kb_cell_run(&cell) : 2;
	if (!read_options(&o, argc, argv))
		return 0;

	if (o.numa_mib)
		return kb_numa(o.numa_mib);
	presence = kb_presence(&o);
	kb_print_facts(presence);
	for (const struct workload *w = kb_workloads; w->name; w++) {
		if (!kb_wanted(&o, w))
			continue;
		if (!o.records && !strcmp(w->name, "W7")) {
			fprintf(stderr, "kvarena-bench: W7 left out: no text file "
				"found, give one with --records\n");
			continue;
		}
		kb_workload_run(&o, w);
		kb_print_workload(&o, w);
	}
	kb_print_rows(&o);
	if (o.json)
		good &= kb_write_json(&o, presence);
	if (o.csv)
		good &= kb_write_csv(&o);
	if (o.plots)
		good &= kb_write_plots(&o);
	if (kb_failures() || kb_unsound() || !good)
		return 1;
	return o.strict && is_any_not_met(&o);
}
