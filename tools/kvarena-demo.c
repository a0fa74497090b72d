/* kvarena-demo.c -- a memtable in an arena, beside the same one in malloc
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Loads every word of the given files into the table of a storage engine, with
 * one thread and with several, looks every word up again, and prints how fast
 * that was, what memory it took, and what the arena says about itself.
 */
#include "memtable.h"

#include <kv_arena.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(memory_sanitizer)	/* it has another malloc */
#define MALLOC_BYTES() 0
#define MALLOC_TRIM() 0
#endif
#endif
#if !defined(MALLOC_BYTES) && defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
#include <malloc.h>
#define MALLOC_BYTES() mallinfo2().uordblks
#define MALLOC_TRIM() malloc_trim(0)
#endif
#endif
#ifndef MALLOC_BYTES
#define MALLOC_BYTES() 0	/* not known */
#define MALLOC_TRIM() 0
#endif

#define MOST_THREADS 256
#define LONGEST_WORD 1024	/* bytes; longer ones are cut into pieces */
#define STEPS 16		/* of the table of sizes */

struct word {
	const char *text;
	uint32_t size;
	uint32_t line;
};

static struct {
	char **texts;			/* of files; words point into them */
	size_t nfiles;
	uint64_t bytes;
	struct word *words;
	size_t n, room;
} input;

static struct {
	size_t threads;
	bool quiet;
} options = { 8, false };

static _Noreturn void
die(int status, const char *what, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "kvarena-demo: %s: %s\n", what, why);
	exit(status);
}

/* Status 0, if what was said has arrived. */
static int
finish(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		die(1, "standard output", strerror(errno));
	return 0;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- Progress ------------------------------------------------------------- */

static double last_shown;

/* Tell people, ten times a second at most, how far we are. */
static void
show(const char *what, uint64_t done, uint64_t all)
{
	if (options.quiet || now() < last_shown + 0.1)
		return;
	last_shown = now();
	fprintf(stderr, "\r\033[K%s: %" PRIu64 " of %" PRIu64, what, done, all);
	fflush(stderr);
}

static void
show_no_more(void)
{
	if (!options.quiet)
		fputs("\r\033[K", stderr);
}

/* ---- Words of files --------------------------------------------------------- */

static char *
read_whole(FILE *f, const char *name, size_t *size)
{
	size_t room = 1 << 16, n = 0, got;
	char *text = malloc(room);

	while (text != NULL && (got = fread(text + n, 1, room - n, f)) > 0) {
		n += got;
		if (n == room)
			text = realloc(text, room *= 2);
	}
	if (text == NULL)
		die(1, name, "no memory");
	if (ferror(f))
		die(2, name, strerror(errno));
	*size = n;
	return text;
}

static bool
is_word_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static void
add_word(const char *text, size_t size, uint32_t line)
{
	if (input.n == input.room) {
		input.room = input.room ? 2 * input.room : 1 << 16;
		input.words = realloc(input.words,
			input.room * sizeof *input.words);
		if (input.words == NULL)
			die(1, "words", "no memory");
	}
	input.words[input.n++] = (struct word){ text, (uint32_t)size, line };
}

static void
split_words(const char *text, size_t size)
{
	uint32_t line = 1;

	for (size_t i = 0, begin; i < size; ) {
		begin = i;
		while (i < size && is_word_byte((unsigned char)text[i]) &&
			i - begin < LONGEST_WORD)
			i++;
		if (i > begin)
			add_word(text + begin, i - begin, line);
		else
			line += text[i++] == '\n';
	}
}

static void
read_file(const char *name)
{
	bool is_stdin = strcmp(name, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(name, "rb");
	size_t size;

	if (f == NULL)
		die(2, name, strerror(errno));
	input.texts[input.nfiles] = read_whole(f, name, &size);
	split_words(input.texts[input.nfiles++], size);
	input.bytes += size;
	if (!is_stdin)
		fclose(f);
}

static void
read_files(char **names, size_t n)
{
	input.texts = calloc(n, sizeof *input.texts);
	if (input.texts == NULL)
		die(1, "files", "no memory");
	for (size_t i = 0; i < n; i++) {
		read_file(names[i]);
		show("reading files", i + 1, n);
	}
	show_no_more();
	if (input.n == 0)
		die(1, names[0], n > 1 ? "no words in these files" : "no words in it");
}

static void
forget_files(void)
{
	for (size_t i = 0; i < input.nfiles; i++)
		free(input.texts[i]);
	free(input.texts);
	free(input.words);
}

/* ---- Memory for entries ------------------------------------------------------- */

static void *
take_from_arena(void *arena, size_t size)
{
	return kv_arena_alloc(arena, size);
}

static void *
take_from_malloc(void *context, size_t size)
{
	(void)context;
	return malloc(size);
}

static kv_arena_t *
create_arena(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.thread_mode = KV_ARENA_THREAD_SAFE;
	config.name = "memtable";
	a = kv_arena_create_ex(&config);
	if (a == NULL)
		die(1, "arena", strerror(errno));
	return a;
}

/* ---- Load and look up ---------------------------------------------------------- */

struct team {
	struct memtable table;
	const char *memory;		/* its name */
	size_t threads;
	atomic_size_t done;		/* words, for the progress */
	atomic_size_t finished;		/* threads */
	atomic_size_t lost;		/* words not put, or not found */
};

struct worker {
	pthread_t thread;
	struct team *team;
	size_t first, end;		/* its share of the words */
};

static void *
load(void *arg)
{
	struct worker *w = arg;
	struct team *team = w->team;
	size_t lost = 0;

	for (size_t i = w->first; i < w->end; i++) {
		const struct word *word = &input.words[i];

		lost += memtable_put(&team->table, word->text, word->size, i,
			word->line) != 0;
		if (i % 4096 == 0)
			atomic_fetch_add(&team->done, 4096);
	}
	atomic_fetch_add(&team->lost, lost);
	atomic_fetch_add(&team->finished, 1);
	return NULL;
}

/* The newest entry of each word must be there: this one, or a later one of the
 * same word. */
static void *
look_up(void *arg)
{
	struct worker *w = arg;
	struct team *team = w->team;
	size_t lost = 0;

	for (size_t i = w->first; i < w->end; i++) {
		const struct word *word = &input.words[i];
		const struct memtable_entry *e = memtable_get(&team->table,
			word->text, word->size);

		lost += e == NULL || e->sequence < i ||
			e->value != input.words[e->sequence].line;
		if (i % 4096 == 0)
			atomic_fetch_add(&team->done, 4096);
	}
	atomic_fetch_add(&team->lost, lost);
	atomic_fetch_add(&team->finished, 1);
	return NULL;
}

/* Have all words done by the team; returns the seconds it took. */
static double
run(struct team *team, void *(*fn)(void *), const char *what)
{
	char label[64];
	struct worker w[MOST_THREADS];
	const struct timespec tenth = { 0, 100000000 };
	double began;

	snprintf(label, sizeof label, "%s, %zu thread%s: %s", team->memory,
		team->threads, team->threads > 1 ? "s" : "", what);
	atomic_store(&team->done, 0);
	atomic_store(&team->finished, 0);
	began = now();
	for (size_t i = 0; i < team->threads; i++) {
		int error;

		w[i].team = team;
		w[i].first = (size_t)((double)input.n * (double)i /
			(double)team->threads);
		w[i].end = i + 1 == team->threads ? input.n :
			(size_t)((double)input.n * (double)(i + 1) /
			(double)team->threads);
		error = pthread_create(&w[i].thread, NULL, fn, &w[i]);
		if (error != 0)
			die(1, "thread", strerror(error));
	}
	while (!options.quiet && atomic_load(&team->finished) < team->threads) {
		show(label, atomic_load(&team->done), input.n);
		nanosleep(&tenth, NULL);
	}
	for (size_t i = 0; i < team->threads; i++)
		pthread_join(w[i].thread, NULL);
	began = now() - began;
	show_no_more();
	return began;
}

struct figures {
	double load, look_up;		/* seconds */
	uint64_t asked, held;		/* bytes; 0: not known */
};

/* What walking through a table tells. */
static struct {
	size_t words;			/* different ones */
	uint64_t bytes;			/* of all entries */
	uint64_t sizes[STEPS];		/* entries of up to 8, 16, 24 ... bytes */
} walked;

static size_t
entry_size(const struct memtable_entry *e)
{
	return sizeof *e + e->height * sizeof e->next[0] + e->key_size;
}

static bool
have_same_key(const struct memtable_entry *a, const struct memtable_entry *b)
{
	return a->key_size == b->key_size &&
		memcmp(memtable_key(a), memtable_key(b), a->key_size) == 0;
}

static void
walk(const struct memtable *t)
{
	const struct memtable_entry *e = NULL, *last = NULL;

	memset(&walked, 0, sizeof walked);
	while ((e = memtable_next(t, e)) != NULL) {
		size_t step = (entry_size(e) - 1) / 8;

		walked.bytes += entry_size(e);
		walked.sizes[step < STEPS ? step : STEPS - 1]++;
		walked.words += last == NULL || !have_same_key(last, e);
		last = e;
	}
}

/* Load and look up with this many threads, from the arena, or malloc if NULL. */
static struct figures
measure(size_t threads, kv_arena_t *arena)
{
	struct memtable_memory memory = { arena != NULL ? take_from_arena :
		take_from_malloc, arena };
	struct team team = { .memory = arena ? "kvarena" : "malloc",
		.threads = threads };
	struct figures f;
	size_t before;

	kv_arena_cache_trim(NULL, 0);	/* both begin cold */
	(void)MALLOC_TRIM();
	before = MALLOC_BYTES();
	memtable_start(&team.table, memory);
	f.load = run(&team, load, "loading");
	f.held = arena ? kv_arena_memory_usage(arena) : MALLOC_BYTES() - before;
	f.look_up = run(&team, look_up, "looking up");
	walk(&team.table);
	f.asked = walked.bytes;
	if (atomic_load(&team.lost) != 0)
		die(1, "the table", "words were lost");
	if (arena == NULL)
		memtable_clear(&team.table, free);
	return f;
}

/* ---- What people see -------------------------------------------------------------- */

/* "12.3 MiB", the number right-aligned. */
static void
print_bytes(uint64_t n, int width)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double size = (double)n / 1024;
	int unit = 0;

	for (; size >= 1024 && unit < 3; unit++)
		size /= 1024;
	printf("%*.1f %s", width, size, units[unit]);
}

static void
print_row(size_t threads, const char *name, struct figures f)
{
	printf("%7zu  %-10s %8.2f M/s %8.2f M/s", threads, name,
		(double)input.n / f.load / 1e6,
		(double)input.n / f.look_up / 1e6);
	if (f.held > 0) {
		print_bytes(f.held, 8);
		printf(" %8.2f %%\n", 100 * (double)f.asked / (double)f.held);
	} else {
		printf("%12s %10s\n", "-", "-");
	}
}

static void
print_input(void)
{
	printf("%zu words, %zu different, in %zu file%s of ", input.n,
		walked.words, input.nfiles, input.nfiles > 1 ? "s" : "");
	print_bytes(input.bytes, 0);
	printf("\n\nthreads  memory         load       look up"
		"        held  efficiency\n");
}

static void
print_bar(uint64_t n, uint64_t most)
{
	static const char bar[] = "######################################";
	int length = (int)(n * (sizeof bar - 1) / most);

	printf("%s%.*s\n", length > 0 ? "  " : "", length, bar);
}

static void
print_sizes(void)
{
	uint64_t most = 1;

	for (int i = 0; i < STEPS; i++)
		most = walked.sizes[i] > most ? walked.sizes[i] : most;
	printf("\nHow large the entries were\n\n"
		"      bytes       number    share\n");
	for (int i = 0; i < STEPS; i++) {
		uint64_t n = walked.sizes[i];

		if (n == 0)
			continue;
		if (i < STEPS - 1)
			printf("%5d to %-4d", 8 * i + 1, 8 * i + 8);
		else
			printf("%5d and up ", 8 * i + 1);
		printf("%10" PRIu64 "  %5.1f %%", n,
			100.0 * (double)n / (double)input.n);
		print_bar(n, most);
	}
}

static void
compare(void)
{
	size_t counts[2] = { 1, options.threads };
	kv_arena_t *arena = NULL;

	for (int i = 0; i < (options.threads > 1 ? 2 : 1); i++) {
		struct figures ours, theirs;

		kv_arena_destroy(arena);
		theirs = measure(counts[i], NULL);
		arena = create_arena();
		ours = measure(counts[i], arena);
		if (i == 0)
			print_input();
		print_row(counts[i], "kvarena", ours);
		print_row(counts[i], "malloc", theirs);
		fflush(stdout);
	}
	printf("\nEvery word was found again. The arena of the last run:\n\n");
	kv_arena_print_hotspots(arena);
	print_sizes();
	kv_arena_destroy(arena);
}

/* ---- Arguments ---------------------------------------------------------------------- */

static const char usage[] =
	"usage: kvarena-demo [OPTION...] FILE...\n"
	"Load the words of the files into a memtable, in an arena and in malloc, look\n"
	"every word up again, and tell how that went. A FILE of - is standard input.\n"
	"\n"
	"  -t, --threads=N   threads of the second run, 1 to 256 (8)\n"
	"  -q, --quiet       no progress, which goes to standard error if it is a\n"
	"                    terminal\n"
	"  -h, --help, -V, --version\n"
	"\n"
	"Status 1: no words, or no memory. 2: wrong usage, or an unreadable file.\n";

static void
read_threads(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || *text == '-' || n < 1 ||
		n > MOST_THREADS)
		die(2, text, "not a number of threads from 1 to 256");
	options.threads = n;
}

static void
read_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	options.quiet = !isatty(STDERR_FILENO);
	while ((c = getopt_long(argc, argv, "t:qhV", names, NULL)) != -1) {
		switch (c) {
		case 't':
			read_threads(optarg);
			break;
		case 'q':
			options.quiet = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(finish());
		case 'V':
			printf("kvarena-demo %s\n", kv_arena_version());
			exit(finish());
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	if (optind == argc) {
		fprintf(stderr, "kvarena-demo: no FILE\n%s", usage);
		return 2;
	}
	read_files(argv + optind, (size_t)(argc - optind));
	compare();
	forget_files();
	return finish();
}
