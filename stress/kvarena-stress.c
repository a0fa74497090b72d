/* kvarena-stress.c -- many threads, many allocations, every byte read again
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each round takes the next seed, which decides the arenas' configuration and
 * every size and call, though not how the threads interleave.
 *
 *	safe	all threads allocate from one shared arena, while one reads its
 *		statistics; at rest every byte is read and every figure is exact;
 *		then the same again after a reset
 *	unsafe	each thread has an arena of its own, and uses marks, rewinds,
 *		resets, children and absorbing as well
 *
 * On the first mismatch the program says what and how to repeat it, and ends
 * with status 1. Status 2: wrong usage.
 */
#include "../tests/kvbook.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_THREADS 1024
#define DEPTH 16			/* of marks */
#define FAULT 256			/* bytes of a message */

enum mode { SAFE = 1, UNSAFE = 2, BOTH = SAFE | UNSAFE };

static struct {
	size_t threads;
	uint64_t rounds;		/* 0: as many as fit into seconds */
	uint64_t seconds;		/* 0: no end but rounds */
	uint64_t seed;
	size_t allocations;		/* for each thread and round */
	enum mode mode;
} options = { .threads = 8, .allocations = 1000000, .mode = BOTH };

struct worker {
	pthread_t thread;
	kv_arena_t *arena;
	struct kvt_book book;
	uint64_t x;			/* state of the generator */
	uint64_t calls;			/* that the arena should have counted */
	uint64_t verified;		/* pieces read again */
	uint64_t failures;		/* calls that were to fail and did */
	atomic_bool *stop;
	char fault[FAULT];
};

struct result {
	uint64_t verified;
	size_t held;			/* most bytes held by arenas */
	char fault[FAULT];		/* "" if none */
};

/* ---- Chance ---------------------------------------------------------------- */

static uint64_t
mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t
next(struct worker *w)
{
	w->x ^= w->x << 13;
	w->x ^= w->x >> 7;
	w->x ^= w->x << 17;
	return w->x;
}

/* Mostly small, as in a storage engine; seldom over a block. */
static size_t
some_size(struct worker *w)
{
	size_t n = (size_t)next(w);

	if (n % 1024 < 1000)
		return n / 1024 % 96 + 1;
	if (n % 1024 < 1023)
		return n / 1024 % 2000 + 1;
	return n / 1024 % 100000 + 1;
}

static kv_arena_config_t
some_config(uint64_t seed, kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	uint64_t n = mixed(seed);

	config.thread_mode = mode;
	config.block_size = (size_t)1024 << n % 12;
	config.enable_block_cache = n / 16 % 4 != 0;
	config.huge_pages = n / 64 % 4 == 0 ? KV_ARENA_HUGE_OFF :
		KV_ARENA_HUGE_AUTO;
	config.zero = n / 256 % 8 == 0;
	config.name = "stress";
	return config;
}

/* ---- What workers do --------------------------------------------------------- */

static void
note(struct worker *w, const char *what)
{
	size_t n = strlen(what) < FAULT ? strlen(what) : FAULT - 1;

	if (w->fault[0] == '\0')
		memmove(w->fault, what, n);
}

static void
enter(struct worker *w, void *p, size_t size, size_t alignment)
{
	kvt_enter(&w->book, p, size, alignment);
	w->calls++;
}

static void
add_zeroed(struct worker *w)
{
	size_t size = some_size(w);
	unsigned char *p = kv_arena_calloc(w->arena, 1, size);
	unsigned char any = 0;

	for (size_t i = 0; p != NULL && i < size; i++)
		any |= p[i];
	if (any != 0)
		note(w, "calloc gave bytes that are not zero");
	enter(w, p, size, KV_ARENA_ALIGNMENT);
}

static void
add_text(struct worker *w)
{
	uint64_t n = next(w);
	char *p = kv_arena_printf(w->arena, "key-%" PRIu64, n), want[32];

	snprintf(want, sizeof want, "key-%" PRIu64, n);
	if (p == NULL || strcmp(p, want) != 0) {
		note(w, "printf gave another text");
		return;
	}
	enter(w, p, strlen(p) + 1, 1);
}

/* The latest piece, or any from first on. */
static void
resize(struct worker *w, size_t first)
{
	size_t live = w->book.n - first, i, old, size = some_size(w);
	void *before, *p;

	if (live == 0)
		return;
	i = w->book.n - 1 - (next(w) % 2 ? (size_t)next(w) % live : 0);
	before = w->book.pieces[i].p;
	old = w->book.pieces[i].size;
	p = kv_arena_realloc(w->arena, before, old, size);
	w->calls += p != before;
	kvt_resize(&w->book, i, p, size);
	w->verified++;
}

static void
fail(struct worker *w)
{
	size_t k = (size_t)next(w) % 8192;
	volatile size_t huge = SIZE_MAX - k;

	if (kv_arena_alloc(w->arena, huge) != NULL ||
		kv_arena_alloc_aligned(w->arena, huge, 64) != NULL)
		note(w, "an impossible allocation succeeded");
	w->failures += 2;
}

/* One call; pieces before first are left alone. */
static void
allocate_once(struct worker *w, size_t first)
{
	uint64_t n = next(w) % 256;
	size_t size = some_size(w), alignment;

	if (n < 200) {
		enter(w, kv_arena_alloc(w->arena, size), size,
			KV_ARENA_ALIGNMENT);
	} else if (n < 232) {
		alignment = (size_t)1 << next(w) % 8;
		enter(w, kv_arena_alloc_aligned(w->arena, size, alignment), size,
			alignment);
	} else if (n < 240) {
		add_zeroed(w);
	} else if (n < 248) {
		add_text(w);
	} else if (n < 255) {
		resize(w, first);
	} else {
		fail(w);
	}
}

/* Read pieces from first on, and forget them. */
static void
read_and_strike(struct worker *w, size_t first)
{
	if (!kvt_read(&w->book, first))
		note(w, w->book.fault);
	w->verified += w->book.n - first;
	kvt_strike(&w->book, first);
}

static void
check_balance(struct worker *w)
{
	char why[FAULT];

	if (!kvt_balances(w->arena, why))
		note(w, why);
}

/* ---- Safe: one arena ------------------------------------------------------------ */

static void *
share(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < options.allocations && !w->fault[0]; i++)
		allocate_once(w, 0);
	return NULL;
}

static void *
read_back(void *arg)
{
	struct worker *w = arg;

	read_and_strike(w, 0);
	return NULL;
}

/* No total falls while nobody resets. */
static void *
read_stats(void *arg)
{
	struct worker *w = arg;
	kv_arena_stats_t now, last = { 0 };

	while (!atomic_load(w->stop)) {
		kv_arena_get_stats(w->arena, &now);
		if (now.total_allocations < last.total_allocations ||
			now.current_memory_usage < last.current_memory_usage ||
			kv_arena_owns(w->arena, w))
			note(w, "a reader saw a total fall");
		last = now;
	}
	return NULL;
}

static void
run_all(struct worker *w, void *(*fn)(void *))
{
	for (size_t i = 0; i < options.threads; i++) {
		int error = pthread_create(&w[i].thread, NULL, fn, &w[i]);

		if (error != 0) {
			fprintf(stderr, "kvarena-stress: thread %zu: %s\n", i,
				strerror(error));
			exit(2);
		}
	}
	for (size_t i = 0; i < options.threads; i++)
		pthread_join(w[i].thread, NULL);
}

/* All figures of an arena at rest that can be known from outside. */
static void
compare_stats(kv_arena_t *a, const struct worker *w, uint64_t times,
	struct result *r)
{
	uint64_t calls = 0, failures = 0, live = 0;
	kv_arena_stats_t s;

	for (size_t i = 0; i < options.threads; i++) {
		calls += w[i].calls;
		failures += w[i].failures;
		for (size_t k = 0; k < w[i].book.n; k++)
			live += w[i].book.pieces[k].size;
	}
	kv_arena_get_stats(a, &s);
	if (s.peak_memory_usage > r->held)
		r->held = (size_t)s.peak_memory_usage;
	if (!kvt_balances(a, r->fault))
		return;
	r->fault[0] = '\0';
	if (s.used_bytes != live)
		snprintf(r->fault, sizeof r->fault, "%" PRIu64 " bytes are used, "
			"the arena says %" PRIu64, live, s.used_bytes);
	else if (s.resets != times)
		snprintf(r->fault, sizeof r->fault, "%" PRIu64 " resets counted, "
			"not %" PRIu64, s.resets, times);
	else if (s.total_allocations != calls)
		snprintf(r->fault, sizeof r->fault, "%" PRIu64 " allocations made, "
			"%" PRIu64 " counted", calls, s.total_allocations);
	else if (s.failed_allocations != failures)
		snprintf(r->fault, sizeof r->fault, "%" PRIu64 " calls failed, "
			"%" PRIu64 " counted", failures, s.failed_allocations);
}

static void
gather(struct worker *w, size_t n, struct result *r)
{
	for (size_t i = 0; i < n; i++) {
		if (w[i].fault[0] == '\0' && w[i].book.fault[0] != '\0')
			note(&w[i], w[i].book.fault);
		if (r->fault[0] == '\0')
			memcpy(r->fault, w[i].fault, sizeof r->fault);
		r->verified += w[i].verified;
		w[i].verified = 0;
	}
}

static void
run_safe(struct worker *w, uint64_t seed, struct result *r)
{
	kv_arena_config_t config = some_config(seed, KV_ARENA_THREAD_SAFE);
	kv_arena_t *a = kv_arena_create_ex(&config);
	atomic_bool stop = false;
	struct worker reader = { .arena = a, .stop = &stop };

	for (uint64_t times = 0; times < 2 && !r->fault[0]; times++) {
		for (size_t i = 0; i < options.threads; i++)
			w[i].arena = a;
		atomic_store(&stop, false);
		pthread_create(&reader.thread, NULL, read_stats, &reader);
		run_all(w, share);
		atomic_store(&stop, true);
		pthread_join(reader.thread, NULL);
		compare_stats(a, w, times, r);
		run_all(w, read_back);
		gather(w, options.threads, r);
		gather(&reader, 1, r);
		kv_arena_reset(a);
	}
	kv_arena_destroy(a);
}

/* ---- Unsafe: an arena each --------------------------------------------------------- */

struct scope {
	kv_arena_mark_t marks[DEPTH];
	size_t kept[DEPTH];		/* pieces in the book at the mark */
	size_t depth;
};

static size_t
oldest_free(const struct scope *s)
{
	return s->depth > 0 ? s->kept[s->depth - 1] : 0;
}

static void
mark(struct worker *w, struct scope *s)
{
	if (s->depth == DEPTH)
		return;
	s->kept[s->depth] = w->book.n;
	s->marks[s->depth] = kv_arena_mark(w->arena);
	if (s->marks[s->depth++].serial == 0)
		note(w, "no mark was given");
}

static void
rewind_some(struct worker *w, struct scope *s)
{
	if (s->depth == 0)
		return;
	s->depth -= (size_t)next(w) % s->depth + 1;
	read_and_strike(w, s->kept[s->depth]);
	if (kv_arena_rewind(w->arena, s->marks[s->depth]) != 0)
		note(w, "a mark was refused");
	s->depth += (size_t)next(w) % 2;		/* it stays valid */
	check_balance(w);
}

static void
reset(struct worker *w, struct scope *s)
{
	read_and_strike(w, 0);
	kv_arena_reset(w->arena);
	s->depth = 0;
	if (kv_arena_total_allocated(w->arena) != 0)
		note(w, "something lived on after a reset");
	check_balance(w);
}

/* Fill another arena, and take it over with what it holds. */
static void
absorb(struct worker *w, struct scope *s)
{
	kv_arena_t *own = w->arena;
	kv_arena_t *from = next(w) % 2 ? kv_arena_create_child(own, NULL) :
		kv_arena_create(0);
	size_t first = w->book.n;

	w->arena = from;
	for (int i = 0; i < 100; i++)
		allocate_once(w, first);
	w->arena = own;
	if (kv_arena_absorb(own, from) != 0)
		note(w, "an arena was not absorbed");
	kv_arena_destroy(from);
	/* How a mark from before it rewinds over it is not promised. */
	s->depth = 0;
	check_balance(w);
}

static void *
work_alone(void *arg)
{
	struct worker *w = arg;
	struct scope scope = { .depth = 0 };
	kv_arena_config_t config = some_config(w->x, KV_ARENA_THREAD_UNSAFE);

	w->arena = kv_arena_create_ex(&config);
	for (size_t i = 0; i < options.allocations && !w->fault[0]; i++) {
		uint64_t n = next(w) % 4096;

		allocate_once(w, oldest_free(&scope));
		if (n < 24)
			mark(w, &scope);
		else if (n < 40)
			rewind_some(w, &scope);
		else if (n < 42)
			absorb(w, &scope);
		else if (n == 42)
			kv_arena_compact(w->arena);
		else if (n == 43 && next(w) % 16 == 0)
			reset(w, &scope);
		if (w->book.fault[0])
			note(w, w->book.fault);
	}
	read_and_strike(w, 0);
	check_balance(w);
	kv_arena_destroy(w->arena);
	return NULL;
}

static void
run_unsafe(struct worker *w, struct result *r)
{
	run_all(w, work_alone);
	gather(w, options.threads, r);
}

/* ---- Rounds ------------------------------------------------------------------------ */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Returns whether the round went well. */
static bool
run_round(enum mode mode, uint64_t number, uint64_t seed)
{
	struct worker *w = calloc(options.threads, sizeof *w);
	const char *name = mode == SAFE ? "safe" : "unsafe";
	struct result r = { .fault = "" };
	double began = now(), took;

	if (w == NULL)
		abort();
	for (size_t i = 0; i < options.threads; i++) {
		w[i].x = mixed(mixed(seed) + i) | 1;
		w[i].book.salt = (uint64_t)i << 40;
	}
	if (mode == SAFE)
		run_safe(w, seed, &r);
	else
		run_unsafe(w, &r);
	for (size_t i = 0; i < options.threads; i++)
		kvt_drop(&w[i].book);
	free(w);
	took = now() - began;
	printf("round %" PRIu64 " %-6s seed %" PRIu64 ": %" PRIu64
		" pieces verified in %.1f s, %.1f M/s: %s\n", number, name, seed,
		r.verified, took, (double)r.verified / took / 1e6,
		r.fault[0] ? "FAILED" : "ok");
	if (r.fault[0])
		printf("kvarena-stress: %s\nrepeat with: kvarena-stress --seed=%"
			PRIu64 " --rounds=1 --mode=%s --threads=%zu "
			"--allocations=%zu\n", r.fault, seed, name,
			options.threads, options.allocations);
	fflush(stdout);
	return !r.fault[0];
}

static bool
is_over(uint64_t rounds, double began)
{
	if (options.rounds > 0 && rounds >= options.rounds)
		return true;
	return options.seconds > 0 && now() - began >= (double)options.seconds;
}

static int
run_rounds(void)
{
	double began = now();
	uint64_t round = 0;

	do {
		uint64_t seed = options.seed + round++;

		if ((options.mode & SAFE) && !run_round(SAFE, round, seed))
			return EXIT_FAILURE;
		if ((options.mode & UNSAFE) && !run_round(UNSAFE, round, seed))
			return EXIT_FAILURE;
	} while (!is_over(round, began));
	printf("%" PRIu64 " rounds in %.0f s: ok\n", round, now() - began);
	return EXIT_SUCCESS;
}

/* ---- Arguments ------------------------------------------------------------------------ */

static const char usage[] =
	"usage: kvarena-stress [OPTION...]\n"
	"Allocate from arenas in many threads and read every byte again.\n"
	"\n"
	"  --threads=N       threads, 1 to 1024 (8)\n"
	"  --rounds=N        rounds (3, or as many as fit into --seconds)\n"
	"  --seconds=S       begin no round after S seconds\n"
	"  --seed=N          seed of the first round; each takes the next (the time)\n"
	"  --mode=MODE       safe, unsafe or both (both)\n"
	"  --allocations=N   for each thread and round (1000000)\n"
	"  --help, --version\n";

static _Noreturn void
refuse(const char *what, const char *value)
{
	fprintf(stderr, "kvarena-stress: %s: %s\n%s", what, value, usage);
	exit(2);
}

static uint64_t
number(const char *name, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' ||
		n < least || n > most)
		refuse(name, text);
	return n;
}

static enum mode
mode_named(const char *name)
{
	if (strcmp(name, "safe") == 0)
		return SAFE;
	if (strcmp(name, "unsafe") == 0)
		return UNSAFE;
	if (strcmp(name, "both") != 0)
		refuse("mode", name);
	return BOTH;
}

static void
read_arguments(int argc, char **argv)
{
	static const struct option names[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'n' },
		{ "mode", required_argument, NULL, 'm' },
		{ "allocations", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 't')
			options.threads = (size_t)number("threads", optarg, 1,
				MOST_THREADS);
		else if (c == 'r')
			options.rounds = number("rounds", optarg, 1, UINT64_MAX);
		else if (c == 's')
			options.seconds = number("seconds", optarg, 1, 1u << 30);
		else if (c == 'n')
			options.seed = number("seed", optarg, 0, UINT64_MAX);
		else if (c == 'm')
			options.mode = mode_named(optarg);
		else if (c == 'a')
			options.allocations = (size_t)number("allocations",
				optarg, 1, SIZE_MAX / 4096);
		else if (c == 'h' || c == 'v') {
			printf(c == 'h' ? usage : "kvarena-stress %s\n",
				kv_arena_version());
			exit(0);
		} else {
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc)
		refuse("not an option", argv[optind]);
}

int
main(int argc, char **argv)
{
	options.seed = (uint64_t)time(NULL);
	read_arguments(argc, argv);
	if (options.rounds == 0 && options.seconds == 0)
		options.rounds = 3;
	printf("kvarena-stress %s: seed %" PRIu64 ", %zu threads, %zu allocations"
		" each\n", kv_arena_version(), options.seed, options.threads,
		options.allocations);
	fflush(stdout);
	return run_rounds();
}
