/* race.h -- a real job, done with the library's own malloc and with an arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An example gives a function that does one request in a lane:
 *
 *	RACE_MALLOC	the library as it is; everything is freed at the end
 *	RACE_ARENA	the arena behind its hooks, its destroy functions called
 *	RACE_DISCARD	the same without them: the reset of the arena does it
 *	RACE_COUNT	race_malloc and its kin behind the hooks: run once, to see
 *			how much is alive at a time
 *
 * The lanes run in turns, some milliseconds each, and each reports the median of
 * its turns: what slows the machine for a while slows them all. The time is that
 * of the processor, the kernel's part included: others on the machine do not
 * count. The reset of the arena is part of it. A request returns a sum over its result; all lanes
 * must agree on it, or the program fails.
 */
#ifndef RACE_H
#define RACE_H

#include <kv_arena.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum race_lane { RACE_MALLOC, RACE_ARENA, RACE_DISCARD, RACE_LANES,
	RACE_COUNT = RACE_LANES };

struct race {
	const char *name;		/* of the library */
	const char *job;		/* what one request does, on what */
	uint64_t (*request)(enum race_lane lane, kv_arena_t *arena);
	bool needs_destroy;		/* no discard: more than memory hangs on it */
	size_t items;			/* different requests, in turn; 0: one */
};

static size_t race_item;		/* which of them is wanted */

/* ---- What is alive --------------------------------------------------------- */

struct race_counted {
	size_t calls, live, peak;
};

static struct race_counted race_counted;

static inline void
race_count(size_t minus, size_t plus)
{
	race_counted.live += plus - minus;
	if (race_counted.live > race_counted.peak)
		race_counted.peak = race_counted.live;
}

/* A context first, as kv_arena_adapter_malloc; it is not looked at. 16 bytes in
 * front hold the size. */
static inline void *
race_realloc(void *context, void *ptr, size_t size)
{
	size_t *base = ptr ? (size_t *)ptr - 16 / sizeof(size_t) : NULL;
	size_t old = base ? *base : 0;

	(void)context;
	race_counted.calls++;
	base = (size_t *)realloc(base, size + 16);
	if (!base)
		return NULL;
	race_count(old, size);
	*base = size;
	return base + 16 / sizeof(size_t);
}

static inline void *
race_malloc(void *context, size_t size)
{
	return race_realloc(context, NULL, size);
}

static inline void *
race_calloc(void *context, size_t n, size_t size)
{
	void *p = race_malloc(context, n * size);

	return p ? memset(p, 0, n * size) : NULL;
}

static inline void
race_free(void *context, void *ptr)
{
	size_t *base;

	(void)context;
	if (!ptr)
		return;
	base = (size_t *)ptr - 16 / sizeof(size_t);
	race_count(*base, 0);
	free(base);
}

/* ---- The input --------------------------------------------------------------- */

/* Read a whole file, with a 0 after it; the program ends if that fails. */
static inline char *
race_read(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	size_t room = 1 << 16, n;
	char *text = malloc(room);

	*size = 0;
	while (f && text && (n = fread(text + *size, 1, room - *size - 1, f)) > 0) {
		*size += n;
		if (room - *size <= 1)
			text = realloc(text, room *= 2);
	}
	if (!f || !text || ferror(f)) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	fclose(f);
	text[*size] = '\0';
	return text;
}

/* The file to work on: the last argument, else this one. Arguments that begin
 * with a dash are the race's. */
static inline const char *
race_input(int argc, char **argv, const char *otherwise)
{
	return argc > 1 && argv[argc - 1][0] != '-' ? argv[argc - 1] : otherwise;
}

/* To sum up results, eight bytes at a time: it is not what is measured. */
static inline uint64_t
race_sum(uint64_t sum, const void *data, size_t size)
{
	const unsigned char *p = (const unsigned char *)data;
	uint64_t word;

	for (; size >= sizeof word; p += sizeof word, size -= sizeof word) {
		memcpy(&word, p, sizeof word);
		sum = (sum ^ word) * 1099511628211u;
	}
	while (size--)
		sum = (sum ^ *p++) * 1099511628211u;
	return sum;
}

/* ---- The race ------------------------------------------------------------------ */

static inline double
race_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Every item once, each ended by a reset. most, if not NULL, becomes the most
 * bytes that one of them took from the arena. */
static inline uint64_t
race_once(const struct race *r, enum race_lane lane, kv_arena_t *arena,
	size_t *most)
{
	uint64_t sum = 0;

	for (race_item = 0; race_item < (r->items ? r->items : 1); race_item++) {
		sum += r->request(lane, arena);
		if (most && kv_arena_total_allocated(arena) > *most)
			*most = kv_arena_total_allocated(arena);
		if (lane == RACE_ARENA || lane == RACE_DISCARD)
			kv_arena_reset(arena);
	}
	return sum;
}

/* Nanoseconds a request takes, over this many. */
static inline double
race_turn(const struct race *r, enum race_lane lane, kv_arena_t *arena,
	size_t requests)
{
	double start = race_now();
	size_t i;

	for (i = 0; i < requests; i++)
		race_once(r, lane, arena, NULL);
	return (race_now() - start) / (double)requests;
}

static inline int
race_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

enum { RACE_TURNS = 41, RACE_QUICK_TURNS = 7 };

/* Run it and print the result. --quick: fewer and shorter turns. --line: one
 * line of figures, for bench-examples. Returns the status for main. */
static inline int
race_run(const struct race *r, int argc, char **argv)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	double turn[RACE_LANES][RACE_TURNS], ns[RACE_LANES], turn_ns = 4e6;
	int turns = RACE_TURNS, i, lane;
	int lanes = r->needs_destroy ? RACE_DISCARD : RACE_LANES;
	bool as_line = false;
	size_t requests, bump = 0;
	kv_arena_t *arena;
	uint64_t sum;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--quick") == 0) {
			turns = RACE_QUICK_TURNS;
			turn_ns = 5e5;
		}
		as_line |= strcmp(argv[i], "--line") == 0;
	}

	/* As a server would: blocks are large enough for a request, and nobody
	 * reads how many allocations of which size there were. */
	config.block_size = 256 * 1024;
	config.enable_detailed_stats = false;
	arena = kv_arena_create_ex(&config);
	if (!arena)
		return EXIT_FAILURE;

	sum = race_once(r, RACE_COUNT, NULL, NULL);
	for (lane = 0; lane < lanes; lane++)
		if (race_once(r, (enum race_lane)lane, arena,
		    lane == lanes - 1 ? &bump : NULL) != sum) {
			fprintf(stderr, "%s: lanes differ in their results\n",
				r->name);
			return EXIT_FAILURE;
		}

	requests = 1 + (size_t)(turn_ns / race_turn(r, RACE_MALLOC, arena, 4));
	for (i = 0; i < turns; i++)
		for (lane = 0; lane < lanes; lane++)
			turn[lane][i] = race_turn(r, (enum race_lane)lane, arena,
				requests);
	for (lane = 0; lane < lanes; lane++) {
		qsort(turn[lane], (size_t)turns, sizeof(double), race_compare);
		ns[lane] = turn[lane][turns / 2];
	}
	if (r->needs_destroy)
		ns[RACE_DISCARD] = ns[RACE_ARENA];
	kv_arena_destroy(arena);

	if (as_line) {
		printf("%s\t%.0f\t%.0f\t%.0f\t%zu\t%zu\t%zu\n", r->name,
			ns[RACE_MALLOC], ns[RACE_ARENA], ns[RACE_DISCARD],
			race_counted.calls, race_counted.peak, bump);
		return EXIT_SUCCESS;
	}
	printf("%s: %s\n", r->name, r->job);
	printf("  malloc   %9.1f us\n", ns[RACE_MALLOC] / 1e3);
	printf("  arena    %9.1f us  %.2fx  with the library's own destroy\n",
		ns[RACE_ARENA] / 1e3, ns[RACE_MALLOC] / ns[RACE_ARENA]);
	if (!r->needs_destroy)
		printf("  discard  %9.1f us  %.2fx  without it\n",
			ns[RACE_DISCARD] / 1e3,
			ns[RACE_MALLOC] / ns[RACE_DISCARD]);
	printf("  %zu allocations, %zu bytes alive at most, %zu taken from the arena\n",
		race_counted.calls, race_counted.peak, bump);
	return EXIT_SUCCESS;
}

#endif
