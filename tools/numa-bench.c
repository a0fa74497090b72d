/* numa-bench.c -- what placement is worth on this machine
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: numa-bench [MIB]	(for each thread; default 64)
 *
 * A thread on each node that has processors fills an arena of its own with nodes of
 * 64 bytes and then follows a chain through them in random order, so that each step
 * is a cache miss. A row for each way of placing; the medians of five runs, of all
 * threads. On a machine with one node the rows say only that nothing was lost.
 */
#define _GNU_SOURCE		/* sched_setaffinity */
#include <kv_arena.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 5
#define STEPS 2000000

struct link {
	struct link *next;
	char rest[56];
};

struct way {
	const char *name;
	bool numa;
	kv_arena_numa_policy_t policy;
	int apart;		/* nodes from the thread's to the one wanted; -1: node 0 */
};

static const struct way ways[] = {
	{ "no policy", false, KV_ARENA_NUMA_PREFERRED, 0 },
	{ "local", true, KV_ARENA_NUMA_LOCAL, 0 },
	{ "bind, own node", true, KV_ARENA_NUMA_BIND, 0 },
	{ "bind, next node", true, KV_ARENA_NUMA_BIND, 1 },
	{ "preferred, node 0", true, KV_ARENA_NUMA_PREFERRED, -1 },
	{ "interleave", true, KV_ARENA_NUMA_INTERLEAVE, 0 },
};

struct worker {
	pthread_t thread;
	const struct way *way;
	int node, wanted;
	cpu_set_t cpus;
	size_t links;
	pthread_barrier_t *start;
	double fill, step;		/* ns for each link */
	uint64_t local, pages;
	bool failed;
};

static int nodes_with_cpus[KV_ARENA_MAX_NODES];
static cpu_set_t cpus_of[KV_ARENA_MAX_NODES];
static int nnodes;

/* ---- The machine ------------------------------------------------------------ */

/* "0-3,8-11" */
static void
read_list(const char *text, cpu_set_t *set)
{
	char *end;

	CPU_ZERO(set);
	while (*text >= '0' && *text <= '9') {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < CPU_SETSIZE; first++)
			CPU_SET(first, set);
		text = *end == ',' ? end + 1 : end;
	}
}

static void
find_nodes(void)
{
	for (int node = 0; node < KV_ARENA_MAX_NODES; node++) {
		char path[64], text[1024] = "";
		cpu_set_t set;
		FILE *f;

		snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist",
			node);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(text, sizeof text, f)) {
			read_list(text, &set);
			if (CPU_COUNT(&set) > 0) {
				nodes_with_cpus[nnodes] = node;
				cpus_of[nnodes++] = set;
			}
		}
		fclose(f);
	}
}

/* ---- One thread --------------------------------------------------------------- */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Sattolo's shuffle: one cycle through all of them. */
static void
make_chain(struct link **at, size_t n)
{
	uint64_t seed = 88172645463325252u;

	for (size_t i = n - 1; i > 0; i--) {
		struct link *l;
		size_t j;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		j = seed % i;
		l = at[i];
		at[i] = at[j];
		at[j] = l;
	}
	for (size_t i = 0; i < n; i++)
		at[i]->next = at[(i + 1) % n];
}

static void
measure(struct worker *w, kv_arena_t *a, struct link **at)
{
	kv_arena_numa_report_t r;
	struct link *volatile sink;
	struct link *l;
	double t = now();

	for (size_t i = 0; i < w->links; i++) {
		at[i] = kv_arena_new(a, struct link);
		if (!at[i]) {
			w->failed = true;
			return;
		}
		at[i]->next = NULL;
	}
	w->fill = (now() - t) / (double)w->links;
	make_chain(at, w->links);
	l = at[0];
	t = now();
	for (size_t i = 0; i < STEPS; i++)
		l = l->next;
	w->step = (now() - t) / STEPS;
	sink = l;
	(void)sink;
	if (kv_arena_numa_report(a, &r) == 0) {
		w->local = r.pages_on[w->node];
		w->pages = r.pages_wanted + r.pages_elsewhere;
	}
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct link **at = calloc(w->links, sizeof *at);
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	sched_setaffinity(0, sizeof w->cpus, &w->cpus);
	config.enable_numa = w->way->numa;
	config.numa_policy = w->way->policy;
	config.preferred_numa_node = w->wanted;
	a = kv_arena_create_ex(&config);
	pthread_barrier_wait(w->start);
	if (a && at)
		measure(w, a, at);
	else
		w->failed = true;
	kv_arena_destroy(a);
	free(at);
	return NULL;
}

/* ---- All of them ---------------------------------------------------------------- */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof *values, by_value);
	return values[n / 2];
}

static int
run_way(const struct way *way, size_t links)
{
	double fill[RUNS * KV_ARENA_MAX_NODES], step[RUNS * KV_ARENA_MAX_NODES];
	uint64_t local = 0, pages = 0;
	int n = 0;
	bool failed = false;

	for (int run = 0; run < RUNS; run++) {
		struct worker w[KV_ARENA_MAX_NODES];
		pthread_barrier_t start;

		kv_arena_cache_trim(NULL, 0);
		pthread_barrier_init(&start, NULL, (unsigned)nnodes);
		for (int i = 0; i < nnodes; i++) {
			int wanted = way->apart < 0 ? 0
				: nodes_with_cpus[(i + way->apart) % nnodes];

			w[i] = (struct worker){
				.way = way, .node = nodes_with_cpus[i], .wanted = wanted,
				.cpus = cpus_of[i], .links = links, .start = &start,
			};
			if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
				return -1;
		}
		for (int i = 0; i < nnodes; i++) {
			pthread_join(w[i].thread, NULL);
			fill[n] = w[i].fill;
			step[n++] = w[i].step;
			local += w[i].local;
			pages += w[i].pages;
			failed = failed || w[i].failed;
		}
		pthread_barrier_destroy(&start);
	}
	if (failed)
		printf("| %-17s | refused | | |\n", way->name);
	else
		printf("| %-17s | %7.1f | %7.1f | %7.1f |\n", way->name, median(fill, n),
			median(step, n), pages ? 100.0 * (double)local / (double)pages : 0);
	fflush(stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned long mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 64;

	if (argc > 2 || mib == 0 || mib > 65536) {
		fprintf(stderr, "usage: numa-bench [MIB]\n");
		return 2;
	}
	find_nodes();
	if (nnodes == 0) {
		printf("numa-bench: no nodes here\n");
		return 77;
	}
	printf("kvarena %s, %d nodes with processors, %lu MiB for each thread\n\n",
		kv_arena_version(), nnodes, mib);
	printf("| placement         | ns/fill | ns/step | %% local |\n");
	printf("|-------------------|--------:|--------:|--------:|\n");
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		if (run_way(&ways[i], ((size_t)mib << 20) / sizeof(struct link)) != 0)
			return 1;
	return 0;
}
