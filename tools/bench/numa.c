/* numa.c -- kvarena-bench --numa: what placement is worth on this machine
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A thread on each node that has processors fills an arena of its own with links of
 * 64 bytes and then follows a chain through them in random order, so that each step
 * is a cache miss. A row for each way of placing: times are medians over all threads
 * and runs; pages, of the last run, are what the kernel tells of all threads: local
 * ones lie on the node of the thread that uses them. On a machine with one node the
 * rows say only that nothing was lost.
 */
#include "report.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "kv_arena.h"

#define RUNS 5
#define STEPS 2000000		/* through a chain; at most 8 times round */

struct link {
	struct link *next;
	char rest[56];
};

enum where { OWN_NODE, NEXT_NODE, FIRST_NODE };

struct way {
	const char *name;
	bool numa;
	kv_arena_numa_policy_t policy;
	enum where where;
};

static const struct way ways[] = {
	{ "no policy", false, KV_ARENA_NUMA_PREFERRED, OWN_NODE },
	{ "local", true, KV_ARENA_NUMA_LOCAL, OWN_NODE },
	{ "bind, own node", true, KV_ARENA_NUMA_BIND, OWN_NODE },
	{ "bind, next node", true, KV_ARENA_NUMA_BIND, NEXT_NODE },
	{ "preferred, one node", true, KV_ARENA_NUMA_PREFERRED, FIRST_NODE },
	{ "interleave", true, KV_ARENA_NUMA_INTERLEAVE, OWN_NODE },
};

/* ---- The machine ------------------------------------------------------------ */

struct node {
	int number;
	cpu_set_t cpus;
};

static struct node nodes[KV_ARENA_MAX_NODES];	/* those with processors */
static int nnodes;

/* The first line of a node's file, without its end; "" if there is none. */
static const char *
line_of(int node, const char *file)
{
	static char line[1024];
	char path[96];
	FILE *f;

	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/%s", node, file);
	f = fopen(path, "r");
	line[0] = '\0';
	if (f && fgets(line, sizeof line, f))
		line[strcspn(line, "\n")] = '\0';
	if (f)
		fclose(f);
	return line;
}

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

/* Find the nodes and print a line of each: processors, memory, distances. */
static void
find_nodes(void)
{
	for (int i = 0; i < KV_ARENA_MAX_NODES; i++) {
		const char *memory = strchr(line_of(i, "meminfo"), ':');
		unsigned long mib = memory ? strtoul(memory + 1, NULL, 10) >> 10 : 0;
		struct node *n = &nodes[nnodes];

		if (!memory)
			continue;
		read_list(line_of(i, "cpulist"), &n->cpus);
		n->number = i;
		nnodes += CPU_COUNT(&n->cpus) > 0;
		printf("node %-6d processors %s", i, line_of(i, "cpulist"));
		printf("; %lu MiB; distances %s\n", mib, line_of(i, "distance"));
	}
}

/* ---- One thread --------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	const struct way *way;
	const struct node *node;
	int wanted;
	size_t links;
	pthread_barrier_t *start;
	double fill, step;		/* ns for each link */
	uint64_t local, remote;		/* pages */
	bool done;
};

/* Sattolo's shuffle: one cycle through all of them. */
static void
make_chain(struct link **at, size_t n)
{
	uint64_t seed = 88172645463325252u;

	for (size_t i = n - 1; i > 0; i--) {
		size_t j = kb_random(&seed) % i;
		struct link *l = at[i];

		at[i] = at[j];
		at[j] = l;
	}
	for (size_t i = 0; i < n; i++)
		at[i]->next = at[(i + 1) % n];
}

static bool
fill(struct worker *w, kv_arena_t *a, struct link **at)
{
	uint64_t before = kb_now();

	for (size_t i = 0; i < w->links; i++) {
		at[i] = kv_arena_new(a, struct link);
		if (!at[i])
			return false;
		at[i]->next = NULL;
	}
	w->fill = (double)(kb_now() - before) / (double)w->links;
	return true;
}

static void
follow(struct worker *w, const struct link *l)
{
	size_t steps = w->links < STEPS / 8 ? 8 * w->links : STEPS;
	uint64_t before = kb_now();

	for (size_t i = 0; i < steps; i++)
		l = l->next;
	kb_sink(l);
	w->step = (double)(kb_now() - before) / (double)steps;
}

static bool
count_pages(struct worker *w, const kv_arena_t *a)
{
	kv_arena_numa_report_t r;

	if (kv_arena_numa_report(a, &r) != 0)
		return false;
	for (int i = 0; i < KV_ARENA_MAX_NODES; i++)
		*(i == w->node->number ? &w->local : &w->remote) += r.pages_on[i];
	return true;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct link **at = calloc(w->links, sizeof *at);
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	sched_setaffinity(0, sizeof w->node->cpus, &w->node->cpus);
	config.enable_numa = w->way->numa;
	config.numa_policy = w->way->policy;
	config.preferred_numa_node = w->wanted;
	a = kv_arena_create_ex(&config);
	pthread_barrier_wait(w->start);
	if (a && at && fill(w, a, at)) {
		make_chain(at, w->links);
		follow(w, at[0]);
		w->done = count_pages(w, a);
	}
	kv_arena_destroy(a);
	free(at);
	return NULL;
}

/* ---- All of them ---------------------------------------------------------------- */

static int
wanted_by(int i, enum where where)
{
	switch (where) {
	case NEXT_NODE:
		return nodes[(i + 1) % nnodes].number;
	case FIRST_NODE:
		return nodes[0].number;
	default:
		return nodes[i].number;
	}
}

/* Let a thread on each node work at the same time. */
static bool
run_once(const struct way *way, size_t links, struct worker *w)
{
	pthread_barrier_t start;
	bool done = true;

	kv_arena_cache_trim(NULL, 0);
	pthread_barrier_init(&start, NULL, (unsigned)nnodes);
	for (int i = 0; i < nnodes; i++) {
		w[i] = (struct worker){
			.way = way, .node = &nodes[i], .links = links, .start = &start,
			.wanted = wanted_by(i, way->where),
		};
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0) {
			fprintf(stderr, "kvarena-bench: no thread could be made\n");
			exit(1);
		}
	}
	for (int i = 0; i < nnodes; i++) {
		pthread_join(w[i].thread, NULL);
		done = done && w[i].done;
	}
	pthread_barrier_destroy(&start);
	return done;
}

static bool
run_way(const struct way *way, size_t links)
{
	double fills[RUNS * KV_ARENA_MAX_NODES], steps[RUNS * KV_ARENA_MAX_NODES];
	struct worker w[KV_ARENA_MAX_NODES];
	unsigned long long local = 0, remote = 0;
	size_t n = 0;

	for (int run = 0; run < RUNS; run++) {
		if (!run_once(way, links, w)) {
			printf("| %-19s | refused | | | |\n", way->name);
			return false;
		}
		for (int i = 0; i < nnodes; i++, n++) {
			fills[n] = w[i].fill;
			steps[n] = w[i].step;
		}
	}
	for (int i = 0; i < nnodes; i++) {
		local += w[i].local;
		remote += w[i].remote;
	}
	printf("| %-19s | %7.1f | %7.1f | %11llu | %12llu |\n", way->name,
		kb_median(fills, n), kb_median(steps, n), local, remote);
	fflush(stdout);
	return true;
}

int
kb_numa(unsigned mib)
{
	size_t links = ((size_t)mib << 20) / sizeof(struct link);
	bool good = true;

	kb_print_machine();
	find_nodes();
	if (nnodes == 0) {
		fprintf(stderr, "kvarena-bench: the system tells of no nodes\n");
		return 1;
	}
	printf("threads     %d, one on each node with processors; %u MiB each\n\n"
		"| placement           | ns/fill | ns/step | local pages | remote pages |\n"
		"|---------------------|--------:|--------:|------------:|-------------:|\n",
		nnodes, mib);
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		good &= run_way(&ways[i], links);
	return !good;
}
