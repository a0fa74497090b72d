/* bench.h -- what the parts of kvarena-bench share
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Words:
 *   peer      a way to get memory: ours, a rival, or the limit
 *   life      from the first allocation of an arena to the end of all of them
 *   pass      one run over an array of sizes
 *   touch     what is done with the memory: nothing, its first word, all of it
 *   cell      one number to find out: workload, column, touch and peer
 *   round     every peer's turn at a cell; a run has --repeat of them
 *
 * Every cell of every round runs in a process of its own, which measures the
 * limit beside the peer. So no peer inherits the heap of another, and a ratio to
 * the limit compares two figures of the same process and the same moment.
 */
#ifndef KB_BENCH_H
#define KB_BENCH_H

#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum touch { TOUCH_NONE, TOUCH_WORD, TOUCH_WHOLE, TOUCHES };
extern const char *const kb_touch_names[TOUCHES];

/* One thread's use of one arena. */
struct life {
	void *arena;
	pthread_mutex_t *lock;	/* NULL, or held around every allocation */
	void **kept;		/* peers that free one by one: what they must free */
	size_t nkept;
	size_t expect_n;	/* allocations to come in this life */
	size_t expect_bytes;	/* and their bytes, each rounded up to 16 */
	size_t step;		/* memory should be taken in these, 0: as usual */
};

struct table;			/* memtable.h */

/* What is inlined for each peer; loops.h makes them. */
struct loops {
	void (*pass[TOUCHES])(struct life *l, const uint32_t *sizes, size_t n);
	void (*locked[TOUCHES])(struct life *l, const uint32_t *sizes, size_t n);
	void (*timed)(struct life *l, const uint32_t *sizes, size_t n,
		uint32_t *ticks);
	void (*fill)(struct life *l, struct table *t, size_t first, size_t step);
	void (*fill_locked)(struct life *l, struct table *t, size_t first,
		size_t step);
	bool (*verify)(struct life *l, const uint32_t *sizes, size_t n,
		unsigned char **where);
};

#define PEER_SHARED 1u		/* many threads may allocate without a lock */
#define PEER_FREES 2u		/* reset frees one by one, each thread its own */
#define PEER_OURS 4u
#define PEER_LIMIT 8u
#define PEER_EXTRA 16u		/* a variant that only some workloads show */

struct peer {
	const char *name;
	const char *about;	/* what it is and how it is used, in a line */
	const char *preload;	/* the library that replaces malloc, or NULL */
	unsigned flags;
	const struct loops *loops;
	bool (*open)(struct life *l);
	void (*reset)(struct life *l);	/* NULL: close and open */
	void (*close)(struct life *l);
	/* Become the index-th thread of a shared life; NULL: share the arena. */
	bool (*enter)(struct life *mine, const struct life *shared, unsigned index);
	size_t (*held)(struct life *l);	/* bytes held, by its own account; or NULL */
	void *(*pack)(struct life *l, size_t size);	/* at alignment 1, or NULL */
	const char *(*version)(void);			/* or NULL */
	size_t (*handed)(struct life *l);	/* bytes handed out, or NULL */
};

extern const struct peer *const kb_peers[];	/* ends with NULL */
const struct peer *kb_peer_find(const char *name);
extern const struct peer kb_limit;

/* Keep the compiler from removing the allocation of p, or anything before. */
#define kb_sink(p) __asm__ volatile("" : : "r"(p) : "memory")

/* ---- clock.c ---- */
uint64_t kb_now(void);			/* ns */
double kb_tick_ns(void);		/* ns per tick of kb_ticks_begin and _end */
double kb_tick_step(void);		/* least difference two ticks can show, ns */
void kb_pin(unsigned cpu);
unsigned kb_cpus(void);			/* that this process may run on */

/* ---- mix.c ---- */
/* Fill sizes by the column: a number, "seed", "kv" or "strings"; returns the
 * sum, each rounded up to 16; 0: no such column. */
size_t kb_mix(const char *column, uint64_t seed, uint32_t *sizes, size_t n);
uint64_t kb_random(uint64_t *state);

/* ---- cell.c: what runs in the child ---- */

/* What a cell is and how it is run. */
struct cell {
	const char *workload;
	const char *column;
	enum touch touch;
	const struct peer *peer;
	uint64_t seed;
	unsigned budget_ms;	/* how long to repeat */
	const char *records;	/* the file of W7 */
	size_t nrecords;
	bool count;		/* mark two points for a tracer, measure nothing */
};

/* Run a cell and print "metric value" lines. Returns the exit status. */
int kb_cell_run(const struct cell *c);

void kb_emit(const char *metric, double value);
void *kb_room(size_t size);	/* resident, zeroed, not from malloc; never NULL */
double kb_median(double *v, size_t n);	/* sorts v */
bool kb_open(const struct cell *c, struct life *l);	/* or says why not */
void kb_end(const struct cell *c, struct life *l);	/* every allocation ends */

int kb_run_life(const struct cell *c);		/* life.c: W1 W2 W3 scale */
int kb_run_threads(const struct cell *c);	/* threads.c: W4 W7 */
int kb_run_memory(const struct cell *c);	/* memory.c: W5 */
int kb_run_latency(const struct cell *c);	/* latency.c: W6 */

#define KB_MARK 0xbe2c		/* no system call has this number */

#ifdef __cplusplus
}
#endif

#endif
