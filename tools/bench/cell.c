/* cell.c -- one cell, in a process of its own
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const kb_touch_names[TOUCHES] = { "none", "word", "whole" };

void
kb_emit(const char *metric, double value)
{
	printf("%s %.6g\n", metric, value);
}

/* Not from malloc: the heap must be as a program that only runs the peer would
 * find it. */
void *
kb_room(size_t size)
{
	void *p = mmap(NULL, size + !size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "kvarena-bench: no memory for %zu bytes\n", size);
		exit(1);
	}
	memset(p, 0, size);
	return p;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double
kb_median(double *v, size_t n)
{
	if (!n)
		return 0;
	qsort(v, n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

bool
kb_open(const struct cell *c, struct life *l)
{
	if (c->peer->open(l))
		return true;
	fprintf(stderr, "kvarena-bench: %s cannot be opened\n", c->peer->name);
	return false;
}

void
kb_end(const struct cell *c, struct life *l)
{
	if (c->peer->reset) {
		c->peer->reset(l);
		return;
	}
	c->peer->close(l);
	if (!kb_open(c, l))
		exit(1);
}

/* Is the peer here, and does it hand out memory that can be used? */
static int
run_probe(const struct cell *c)
{
	enum { N = 2000 };
	uint32_t *sizes = kb_room(N * sizeof *sizes);
	unsigned char **where = kb_room(N * sizeof *where);
	struct life l = { .kept = kb_room(N * sizeof(void *)), .expect_n = N };

	l.expect_bytes = kb_mix("seed", c->seed, sizes, N);
	if (!c->peer->open(&l))
		return 3;		/* not here */
	for (int round = 0; round < 3; round++) {
		if (!c->peer->loops->verify(&l, sizes, N, where))
			return 4;
		kb_end(c, &l);
	}
	c->peer->close(&l);
	printf("version %s\n", c->peer->version ? c->peer->version() : "-");
	return 0;
}

int
kb_cell_run(const struct cell *c)
{
	static const struct {
		const char *prefix;
		int (*run)(const struct cell *c);
	} runs[] = {
		{ "W1", kb_run_life }, { "W2", kb_run_life },
		{ "W3", kb_run_life }, { "scale", kb_run_life },
		{ "W4", kb_run_threads }, { "W5", kb_run_memory },
		{ "W6", kb_run_latency }, { "W7", kb_run_threads },
		{ "probe", run_probe },
	};

	alarm(300);			/* a peer that hangs ends here */
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		if (!strncmp(c->workload, runs[i].prefix, strlen(runs[i].prefix)))
			return runs[i].run(c);
	}
	return 2;
}
