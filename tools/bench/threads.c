/* threads.c -- W4, one arena and many threads; W7, a memtable
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Workers stamp their own start and end, behind a barrier that spins: a clock in
 * the main thread would start late when all processors are busy, and show
 * speed-ups there are not. The time of a pass runs from the first start to the
 * last end, and what the main thread needs to end all allocations is added.
 *
 * Peers that threads may not share are used under a mutex, as their users must.
 */
#include "bench.h"

#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "memtable.h"

#define MAX_THREADS 8u
#define MAX_PASSES 200
#define EACH 400000u		/* W4: allocations by each thread in a pass */

struct crew;

struct worker {
	struct crew *crew;
	unsigned index;
	pthread_t thread;
	sem_t go;
	struct life life;
	bool entered;
	uint64_t begin;
	uint64_t end;
};

struct crew {
	const struct cell *cell;
	unsigned cpus;			/* a pinned worker would count one */
	struct worker workers[MAX_THREADS];
	unsigned nworkers;		/* of this pass */
	unsigned waiting;		/* atomic: workers still to reach the start */
	sem_t done;
	bool quit;
	const uint32_t *sizes;		/* W4 */
	struct table *table;		/* W7 */
	struct life life;		/* the arena that all share */
	pthread_mutex_t lock;
};

static bool
is_memtable(const struct cell *c)
{
	return !strncmp(c->workload, "W7", 2);
}

/* Spin while there is a processor for everyone, else let others get there. */
static void
wait_for_all(struct crew *crew)
{
	bool crowded = crew->nworkers > crew->cpus;

	__atomic_sub_fetch(&crew->waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&crew->waiting, __ATOMIC_ACQUIRE)) {
		if (crowded)
			sched_yield();
	}
}

static void
work(struct worker *w)
{
	struct crew *crew = w->crew;
	const struct cell *c = crew->cell;
	const struct loops *loops = c->peer->loops;
	bool locked = w->life.lock != NULL;

	if (is_memtable(c))
		(locked ? loops->fill_locked : loops->fill)(&w->life, crew->table,
			w->index, crew->nworkers);
	else
		(locked ? loops->locked : loops->pass)[c->touch](&w->life,
			crew->sizes, EACH);
}

static bool
enter(struct worker *w)
{
	struct crew *crew = w->crew;
	const struct peer *peer = crew->cell->peer;

	w->life.expect_n = crew->life.expect_n;
	w->life.expect_bytes = crew->life.expect_bytes;
	w->life.lock = peer->flags & PEER_SHARED || crew->nworkers == 1
		? NULL : &crew->lock;
	if (peer->enter && w->entered)
		return true;
	w->entered = true;
	if (peer->enter)
		return peer->enter(&w->life, &crew->life, w->index);
	w->life.arena = crew->life.arena;
	return true;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct crew *crew = w->crew;
	const struct peer *peer = crew->cell->peer;

	kb_pin(w->index % crew->cpus);
	for (;;) {
		while (sem_wait(&w->go))
			;
		if (crew->quit)
			return NULL;
		if (!enter(w))
			exit(1);
		if (peer->flags & PEER_LIMIT)
			peer->reset(&w->life);
		wait_for_all(crew);
		w->begin = kb_now();
		work(w);
		if (peer->flags & PEER_FREES && !is_memtable(crew->cell))
			peer->reset(&w->life);
		w->end = kb_now();
		sem_post(&crew->done);
	}
}

static bool
crew_start(struct crew *crew)
{
	crew->cpus = kb_cpus();
	sem_init(&crew->done, 0, 0);
	pthread_mutex_init(&crew->lock, NULL);
	for (unsigned i = 0; i < MAX_THREADS; i++) {
		struct worker *w = &crew->workers[i];
		size_t n = is_memtable(crew->cell) ? 2 * crew->table->nrecords : EACH;

		w->crew = crew;
		w->index = i;
		sem_init(&w->go, 0, 0);
		if (crew->cell->peer->flags & PEER_FREES)
			w->life.kept = kb_room(n * sizeof(void *));
		if (pthread_create(&w->thread, NULL, worker_main, w))
			return false;
	}
	return true;
}

static void
crew_stop(struct crew *crew)
{
	crew->quit = true;
	for (unsigned i = 0; i < MAX_THREADS; i++)
		sem_post(&crew->workers[i].go);
	for (unsigned i = 0; i < MAX_THREADS; i++)
		pthread_join(crew->workers[i].thread, NULL);
}

/* One pass of n threads; returns ns from the first start to the last end. */
static uint64_t
crew_pass(struct crew *crew, unsigned n)
{
	uint64_t begin = UINT64_MAX;
	uint64_t end = 0;

	crew->nworkers = n;
	__atomic_store_n(&crew->waiting, n, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < n; i++)
		sem_post(&crew->workers[i].go);
	for (unsigned i = 0; i < n; i++) {
		while (sem_wait(&crew->done))
			;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct worker *w = &crew->workers[i];

		begin = w->begin < begin ? w->begin : begin;
		end = w->end > end ? w->end : end;
	}
	return end - begin;
}

/* W4. The column says how many threads; one thread is measured beside them, so
 * that the speed-up compares two figures of one moment. */
static double
shared_pass(struct crew *crew, unsigned n)
{
	const struct cell *c = crew->cell;
	uint64_t ns = crew_pass(crew, n);

	if (!(c->peer->flags & (PEER_FREES | PEER_LIMIT))) {
		uint64_t begin = kb_now();

		kb_end(c, &crew->life);
		ns += kb_now() - begin;
	}
	return (double)ns / ((double)n * EACH);
}

static int
run_shared(struct crew *crew, unsigned n)
{
	static double one[MAX_PASSES], many[MAX_PASSES], ratio[MAX_PASSES];
	const struct cell *c = crew->cell;
	uint32_t *sizes = kb_room(EACH * sizeof *sizes);
	uint64_t begin;
	size_t k = 0;

	crew->life.expect_n = EACH;
	crew->life.expect_bytes = kb_mix("64", c->seed, sizes, EACH);
	if (c->peer->flags & PEER_LIMIT)
		crew->life.expect_bytes += 4096;
	crew->sizes = sizes;
	if (!kb_open(c, &crew->life) || !crew_start(crew))
		return 1;
	for (int i = 0; i < 2; i++) {
		shared_pass(crew, n);
		shared_pass(crew, 1);
	}
	begin = kb_now();
	while (k < MAX_PASSES && (k < 5 ||
		kb_now() - begin < (uint64_t)c->budget_ms * 1000000u)) {
		many[k] = shared_pass(crew, n);
		one[k] = n > 1 ? shared_pass(crew, 1) : many[k];
		ratio[k] = one[k] / many[k];
		k++;
	}
	kb_emit("ns", kb_median(many, k));
	kb_emit("one", kb_median(one, k));
	kb_emit("speedup", kb_median(ratio, k));
	crew_stop(crew);
	return 0;
}

/* W7: from creating the arena to having destroyed it. */
static double
memtable_pass(struct crew *crew, unsigned n)
{
	const struct cell *c = crew->cell;
	uint64_t begin = kb_now();
	uint64_t ns;

	if (!kb_open(c, &crew->life))
		exit(1);
	kb_table_start(crew->table);
	ns = kb_now() - begin;
	for (unsigned i = 0; i < MAX_THREADS; i++) {
		struct worker *w = &crew->workers[i];

		w->entered = false;
		w->life.nkept = 0;
	}
	ns += crew_pass(crew, n);
	if (kb_table_check(crew->table) != crew->table->nrecords) {
		fprintf(stderr, "kvarena-bench: %s: the table is not in order\n",
			c->peer->name);
		exit(1);
	}
	begin = kb_now();
	for (unsigned i = 0; c->peer->flags & PEER_FREES && i < n; i++)
		c->peer->reset(&crew->workers[i].life);
	c->peer->close(&crew->life);
	return (double)(ns + kb_now() - begin) / (double)crew->table->nrecords;
}

/* The peer and the limit in turn, and "rel", the median of their ratios: what a
 * busy machine does to one it does to the other. */
static int
run_memtable(struct crew *crew, struct crew *limit, unsigned n)
{
	static double ns[MAX_PASSES], limits[MAX_PASSES], ratio[MAX_PASSES];
	const struct cell *c = crew->cell;
	struct record *records = kb_room(c->nrecords * sizeof *records);
	struct table table = { .records = records };
	uint64_t begin;
	size_t k = 0;

	table.nrecords = kb_records_read(c->records, records, c->nrecords);
	if (!table.nrecords)
		return 2;
	crew->table = &table;
	crew->life.expect_n = 2 * table.nrecords;
	for (size_t i = 0; i < table.nrecords; i++)
		crew->life.expect_bytes += kb_entry_size(&records[i]) +
			kb_node_size(kb_table_height(i)) + 32;
	limit->table = &table;
	limit->life = crew->life;
	if (!crew_start(crew) || !crew_start(limit))
		return 1;
	memtable_pass(limit, n);
	memtable_pass(crew, n);
	begin = kb_now();
	while (k < MAX_PASSES && (k < 3 ||
		kb_now() - begin < (uint64_t)c->budget_ms * 1000000u)) {
		limits[k] = memtable_pass(limit, n);
		ns[k] = memtable_pass(crew, n);
		ratio[k] = ns[k] / limits[k];
		k++;
	}
	kb_emit("ns", kb_median(ns, k));
	kb_emit("limit", kb_median(limits, k));
	kb_emit("rel", kb_median(ratio, k));
	crew_stop(crew);
	crew_stop(limit);
	return 0;
}

int
kb_run_threads(const struct cell *c)
{
	static struct crew crew, beside;
	static struct cell limit;
	unsigned n = (unsigned)strtoul(c->column, NULL, 10);

	if (n < 1 || n > MAX_THREADS)
		return 2;
	limit = *c;
	limit.peer = &kb_limit;
	crew.cell = c;
	beside.cell = &limit;
	return is_memtable(c) ? run_memtable(&crew, &beside, n)
		: run_shared(&crew, n);
}
