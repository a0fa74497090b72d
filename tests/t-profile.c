/* t-profile.c -- profiles: what is sampled stands for all there was
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Lots draw by the number of the arena and of the thread's share in it, so a test
 * finds the same samples in every run, and three sigma do. Sigma is known: an
 * allocation of n bytes, noted with the chance p, adds n * n * (1 - p) / p to the
 * variance. Where there is less of everything, threads take what share they get, or
 * tests are one process, samples are others, and more sigma are allowed.
 */
#include "kvos.h"
#include "kvtest.h"
#include "os.h"
#include "site.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTERVAL 8192

/* What an estimate should come to, and may be off by. */
struct truth {
	double sum, variance;
};

static double
chance_of(size_t size)
{
	return -expm1(-(double)((size + 7) / 8 * 8) / INTERVAL);
}

/* size bytes were asked for, each of which counts value / size. */
static void
know(struct truth *t, size_t size, double value)
{
	double p = chance_of(size);

	t->sum += value;
	t->variance += value * value * (1 - p) / p;
}

static double
sigmas(void)
{
	const char *fork_mode = getenv("CK_FORK");
	bool is_alike = kvt_scaled(1000) == 1000 &&
		!(fork_mode && strcmp(fork_mode, "no") == 0);

	if (sizeof(size_t) < 8)		/* other sizes, and one in 370 is past 3 */
		return 4;
	return is_alike ? 3 : 6;
}

#define kvt_near(got, truth) kvt_within(got, truth, sigmas())
#define kvt_within(got, truth, sigmas) do {				\
	double kvt_off_ = fabs((double)(got) - (truth).sum);		\
	kvt_count(1);							\
	if (kvt_off_ > (sigmas) * sqrt((truth).variance) + 8)		\
		ck_abort_msg("%s: %.0f instead of %.0f, sigma %.0f", #got,	\
			(double)(got), (truth).sum, sqrt((truth).variance)); \
} while (0)

/* ---- Reading ------------------------------------------------------------------ */

static char *text;

static char *
profile(const kv_arena_t *a, kv_arena_profile_format_t format)
{
	size_t size;
	FILE *out;

	free(text);
	out = open_memstream(&text, &size);
	kvt_true(out != NULL);
	kvt_eq(kv_arena_write_profile(a, out, format), 0);
	fclose(out);
	return text;
}

/* The sum of the lines that have a word. */
static uint64_t
sum_of(const kv_arena_t *a, kv_arena_profile_format_t format, const char *word)
{
	char *line, *rest = NULL, *number;
	uint64_t sum = 0;

	for (line = strtok_r(profile(a, format), "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		number = strrchr(line, ' ');
		kvt_true(number && number[1] >= '1' && number[1] <= '9');
		if (strstr(line, word))
			sum += strtoull(number, NULL, 10);
	}
	return sum;
}

#define BYTES KV_ARENA_PROFILE_FOLDED
#define OBJECTS KV_ARENA_PROFILE_FOLDED_OBJECTS
#define PADDING KV_ARENA_PROFILE_FOLDED_PADDING
#define ABANDONED KV_ARENA_PROFILE_FOLDED_ABANDONED

/* ---- All kinds of arenas ------------------------------------------------------ */

enum kind { PLAIN, COUNTED, SHARED, SHARED_COUNTED, LIMITED, ZEROED, CHECKED, FENCED,
	SMALL, CHILD, KINDS };

static kv_arena_t *root;

static kv_arena_t *
create(enum kind kind)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.name = "sampled";
	config.sample_interval = INTERVAL;
	config.enable_detailed_stats = kind != PLAIN && kind != SHARED;
	config.thread_mode = kind == SHARED || kind == SHARED_COUNTED
		? KV_ARENA_THREAD_SAFE : KV_ARENA_THREAD_UNSAFE;
	config.memory_limit = kind == LIMITED ? (size_t)1 << 30 : 0;
	config.zero = kind == ZEROED;
	config.debug = kind == CHECKED ? KV_ARENA_DEBUG_CHECK
		: kind == FENCED ? KV_ARENA_DEBUG_FILL : KV_ARENA_DEBUG_OFF;
	if (kind == SMALL)
		config.block_size = config.max_block_size = 1024;
	if (kind != CHILD)
		return kv_arena_create_ex(&config);
	root = kv_arena_create(0);
	return kv_arena_create_child(root, &config);
}

static void
destroy(kv_arena_t *a)
{
	kv_arena_destroy(root ? root : a);
	root = NULL;
}

/* The i-th of a mix of sizes: many small, some large. */
static size_t
size_of(size_t i)
{
	size_t x = i * 2654435761u % 1000;

	if (x < 900)
		return x % 120 + 1;
	return x < 999 ? x * 3 : 200000;
}

START_TEST(sampled_bytes_are_right_within_three_sigma)
{
	kv_arena_t *a = create((enum kind)_i);
	struct truth bytes = { 0, 0 }, objects = { 0, 0 };
	size_t n = kvt_scaled(60000);

	for (size_t i = 0; i < n; i++) {
		kvt_true(kvt_alloc(a, size_of(i)) != NULL);
		know(&bytes, size_of(i), (double)size_of(i));
		know(&objects, size_of(i), 1);
	}
	kvt_near(sum_of(a, BYTES, "sampled"), bytes);
	kvt_near(sum_of(a, OBJECTS, "sampled"), objects);
	kvt_eq(sum_of(a, ABANDONED, ""), 0);
	kvt_balanced(a);
	destroy(a);
}
END_TEST

START_TEST(sampled_padding_is_right_within_three_sigma)
{
	kv_arena_t *a = create((enum kind)_i);
	struct truth padding = { 0, 0 };
	size_t n = kvt_scaled(60000);
	void *p;

	if (_i == PLAIN || _i == SHARED) {	/* which do not know the truth */
		destroy(a);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t alignment = (size_t)1 << i % 7;

		p = kv_arena_alloc_aligned(a, i % 90 + 1, alignment);
		kvt_true(p != NULL);
		know(&padding, i % 90 + 1, (double)alignment);	/* a bound */
	}
	padding.sum = (double)kvt_stats(a).padding_bytes;
	kvt_near(sum_of(a, PADDING, "sampled"), padding);
	destroy(a);
}
END_TEST

START_TEST(bytes_that_were_taken_back_stay_in_the_sum)
{
	kv_arena_t *a = create((enum kind)_i);
	struct truth bytes = { 0, 0 };
	bool marks = _i != SHARED && _i != SHARED_COUNTED;

	for (size_t round = 0; round < kvt_scaled(2000); round++) {
		kv_arena_mark_t mark = { 0, NULL };

		if (marks)
			mark = kv_arena_mark(a);
		for (size_t i = 0; i < 20; i++) {
			size_t size = size_of(round * 20 + i) % 3000 + 1;

			kvt_true(kvt_alloc(a, size) != NULL);
			know(&bytes, size, (double)size);
		}
		if (marks)
			kvt_eq(kv_arena_rewind(a, mark), 0);
		if (round % 50 == 0)
			kv_arena_reset(a);
		if (round % 70 == 0)
			kv_arena_compact(a);
	}
	kvt_near(sum_of(a, BYTES, "sampled"), bytes);
	destroy(a);
}
END_TEST

/* Text grows in place; each second one is cut off from that, and moves. */
START_TEST(growing_counts_and_what_is_left_behind_too)
{
	kv_arena_t *a = create((enum kind)_i);
	struct truth bytes = { 0, 0 }, abandoned = { 0, 0 };
	size_t n = kvt_scaled(20000);

	for (size_t i = 0; i < n; i++) {
		size_t size = i % 200 + 1;
		char *p = kvt_alloc(a, size), *q;
		uintptr_t before = (uintptr_t)p;

		know(&bytes, size, (double)size);
		if (i % 2) {
			kvt_true(kvt_alloc(a, 16) != NULL);
			know(&bytes, 16, 16);
		}
		q = kv_arena_realloc(a, p, size, 2 * size);
		kvt_true(q != NULL);
		if ((uintptr_t)q == before) {
			know(&bytes, size, (double)size);
		} else {
			know(&bytes, 2 * size, 2 * (double)size);
			know(&abandoned, size, (double)size);
		}
		if (i % 3)
			continue;
		kvt_true(kvt_alloc(a, 16) != NULL);
		know(&bytes, 16, 16);
		q = kv_arena_realloc(a, q, 2 * size, size);
		kvt_true(q != NULL);
		know(&abandoned, size, (double)size);
	}
	kvt_true(abandoned.sum > 0);
	kvt_eq(kvt_stats(a).abandoned_bytes, (uint64_t)abandoned.sum);
	kvt_near(sum_of(a, BYTES, "sampled"), bytes);
	kvt_near(sum_of(a, ABANDONED, "sampled"), abandoned);
	destroy(a);
}
END_TEST

START_TEST(packed_text_is_sampled_as_all_is)
{
	kv_arena_t *a = create((enum kind)_i);
	struct truth bytes = { 0, 0 };

	for (size_t i = 0; i < kvt_scaled(60000); i++) {
		char *p = kv_arena_printf(a, "%zu", i);

		kvt_true(p != NULL);
		know(&bytes, strlen(p) + 1, (double)strlen(p) + 1);
	}
	kvt_near(sum_of(a, BYTES, "sampled"), bytes);
	destroy(a);
}
END_TEST

/* ---- By site ------------------------------------------------------------------ */

void profile_small(kv_arena_t *a);
void profile_large(kv_arena_t *a);

static uint64_t number_in(const kv_arena_t *a, unsigned field);

/* What follows the call keeps it from being a jump. */
__attribute__((__noinline__)) void
profile_small(kv_arena_t *a)
{
	char *p = kv_arena_alloc(a, 24);

	kvt_true(p != NULL);
	*p = 1;
}

__attribute__((__noinline__)) void
profile_large(kv_arena_t *a)
{
	char *p = kv_arena_calloc(a, 1, 3000), *q = kv_arena_calloc(a, 1, 2000);

	kvt_true(p && q);
	*p = *q = 1;
}

START_TEST(functions_are_told_apart)
{
	kv_arena_t *a = create((enum kind)_i);
	struct truth small = { 0, 0 }, large = { 0, 0 };

	for (size_t i = 0; i < kvt_scaled(50000); i++) {
		profile_small(a);
		know(&small, 24, 24);
		if (i % 50)
			continue;
		profile_large(a);
		know(&large, 3000, 3000);
		know(&large, 2000, 2000);
	}
	if (!strstr(profile(a, BYTES), ";profile_large")) {
		kvt_skip("functions have no names here");
	} else {
		kvt_near(sum_of(a, BYTES, ";profile_small"), small);
		kvt_near(sum_of(a, BYTES, ";profile_large"), large);
		kvt_true(number_in(a, 5) > 0);
	}
	destroy(a);
}
END_TEST

START_TEST(no_frame_is_of_the_library)
{
	kv_arena_t *a = create(COUNTED);

	for (int i = 0; i < 2000; i++) {
		kvt_true(kv_arena_alloc(a, 1000) != NULL);
		kvt_true(kv_arena_memdup(a, "text", 4) != NULL);
		kvt_true(kv_arena_strdup(a, "text") != NULL);
		kvt_true(kv_arena_strndup(a, "text", 2) != NULL);
		kvt_true(kv_arena_printf(a, "%d", i) != NULL);
		kvt_true(kv_arena_alloc_aligned(a, 10, 64) != NULL);
		kvt_true(kv_arena_array(a, 10, 8, 8) != NULL);
		kvt_true(kv_arena_calloc(a, 10, 8) != NULL);
	}
	kvt_true(strlen(profile(a, OBJECTS)) > 20);
	kvt_true(!strstr(text, "kv_arena_") && !strstr(text, "kva_"));
	kvt_true(!strstr(text, "libkvarena"));
	destroy(a);
}
END_TEST

/* ---- Threads ------------------------------------------------------------------ */

static void *
allocate(void *arena)
{
	kv_arena_t *a = *(kv_arena_t **)arena;

	for (size_t i = 0; i < kvt_scaled(20000); i++)
		if (!kv_arena_alloc(a, size_of(i)))
			return NULL;
	return NULL;
}

START_TEST(threads_are_sampled_each_by_its_own_lot)
{
	kv_arena_t *a = create(SHARED_COUNTED), *all[4] = { a, a, a, a };
	struct truth bytes = { 0, 0 };

	kvt_threads(4, allocate, all, sizeof *all);
	for (size_t i = 0; i < kvt_scaled(20000); i++)
		for (int thread = 0; thread < 4; thread++)
			know(&bytes, size_of(i), (double)size_of(i));
	kvt_eq(kvt_stats(a).total_bytes_allocated, (uint64_t)bytes.sum);
	kvt_within(sum_of(a, BYTES, "sampled"), bytes, 6);
	destroy(a);
}
END_TEST

static void *
shrink(void *arena)
{
	kv_arena_t *a = *(kv_arena_t **)arena;
	static char made[1000];

	kv_arena_realloc(a, made, sizeof made, 1);
	return NULL;
}

/* Nobody knows where the memory came from; it is only counted. */
START_TEST(a_thread_that_never_allocated_is_always_noted)
{
	kv_arena_t *a = create(SHARED_COUNTED);

	kvt_threads(1, shrink, &a, sizeof a);
	kvt_eq(sum_of(a, ABANDONED, "sampled"), 999);
	kvt_eq(kvt_stats(a).abandoned_bytes, 999);
	destroy(a);
}
END_TEST

START_TEST(a_child_of_fork_samples_on)
{
	kv_arena_t *a = create((enum kind)_i);
	uint64_t before;
	int status = 0;
	pid_t child;

	for (size_t i = 0; i < 1000; i++)
		kvt_true(kvt_alloc(a, 1000) != NULL);
	before = sum_of(a, BYTES, "sampled");
	kvt_cmp(before, >, 0);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		for (size_t i = 0; i < 1000; i++)
			kvt_alloc(a, 1000);
		_exit(sum_of(a, BYTES, "sampled") > before ? 7 : 8);
	}
	kvt_true(waitpid(child, &status, 0) == child);
	kvt_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	kvt_eq(sum_of(a, BYTES, "sampled"), before);
	destroy(a);
}
END_TEST

/* Whatever it was. */
START_TEST(nothing_left_behind_is_nothing_to_note)
{
	kv_arena_t *a = create(COUNTED);
	void *p = kvt_alloc(a, 100);

	for (int i = 0; i < 10000; i++) {
		kvt_true(kvt_alloc(a, 8) != NULL);
		kvt_true(kv_arena_realloc(a, p, 100, 100) == p);
	}
	kvt_eq(sum_of(a, ABANDONED, ""), 0);
	destroy(a);
}
END_TEST

/* ---- Which arenas ------------------------------------------------------------- */

START_TEST(what_is_not_sampled_writes_nothing)
{
	kv_arena_t *a = kv_arena_create(0);

	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	ck_assert_str_eq(profile(a, BYTES), "");
	ck_assert_str_eq(profile(NULL, OBJECTS), "");
	kvt_true(kv_arena_realloc(a, kvt_alloc(a, 100), 100, 50) != NULL);
	ck_assert_str_eq(profile(a, ABANDONED), "");
	kv_arena_destroy(a);
}
END_TEST

START_TEST(sampling_costs_an_arena_no_byte)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *with, *without;
	kv_arena_stats_t s, t;

	config.name = "alike";
	config.thread_mode = (kv_arena_thread_mode_t)_i;
	without = kv_arena_create_ex(&config);
	config.sample_interval = 100;
	with = kv_arena_create_ex(&config);
	for (size_t i = 0; i < kvt_scaled(20000); i++) {
		kvt_true(kvt_alloc(with, size_of(i)) != NULL);
		kvt_true(kvt_alloc(without, size_of(i)) != NULL);
		kvt_true(kv_arena_defer(with, free, NULL) == 0);
		kvt_true(kv_arena_defer(without, free, NULL) == 0);
	}
	s = kvt_stats(with);
	t = kvt_stats(without);
	s.block_reuses = t.block_reuses;	/* the cache is one for both */
	s.block_allocations = t.block_allocations;
	kvt_true(memcmp(&s, &t, sizeof s) == 0);
	kv_arena_destroy(with);
	kv_arena_destroy(without);
}
END_TEST

START_TEST(descendants_are_in_the_profile_of_an_arena)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a, *b, *other;

	config.name = "a;b\x1f ";
	config.sample_interval = 8;
	a = kv_arena_create_ex(&config);
	config.name = "under";
	b = kv_arena_create_child(kv_arena_create_child(a, NULL), &config);
	config.name = "other";
	other = kv_arena_create_ex(&config);
	kvt_true(kvt_alloc(a, 1000) && kvt_alloc(b, 2000) && kvt_alloc(other, 4000));
	kvt_eq(sum_of(a, BYTES, ""), 3000);
	kvt_eq(sum_of(a, BYTES, "a?b? ;"), 1000);
	kvt_eq(sum_of(a, BYTES, "a?b? /?/under;"), 2000);
	kvt_eq(sum_of(b, BYTES, ""), 2000);
	kvt_eq(sum_of(NULL, BYTES, ""), 7000);
	kv_arena_reset(a);
	kvt_eq(sum_of(NULL, BYTES, ""), 5000);
	kv_arena_destroy(a);
	kvt_eq(kv_arena_absorb(other, other), -1);
	kv_arena_destroy(other);
	kvt_eq(sum_of(NULL, BYTES, ""), 0);
}
END_TEST

START_TEST(absorb_leaves_what_was_sampled)
{
	kv_arena_t *a = create(COUNTED), *b = create(COUNTED);
	struct truth bytes = { 0, 0 };

	for (size_t i = 0; i < 1000; i++) {
		kvt_true(kvt_alloc(b, 1000) != NULL);
		know(&bytes, 1000, 1000);
	}
	kvt_eq(kv_arena_absorb(a, b), 0);
	kvt_eq(sum_of(a, BYTES, ""), 0);
	kvt_near(sum_of(b, BYTES, ""), bytes);
	destroy(a);
	for (size_t i = 0; i < 1000; i++) {
		kvt_true(kvt_alloc(b, 100) != NULL);
		know(&bytes, 100, 100);
	}
	kvt_near(sum_of(b, BYTES, ""), bytes);
	destroy(b);
}
END_TEST

START_TEST(reset_stats_begins_anew)
{
	kv_arena_t *a = create(COUNTED);

	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	kvt_eq(sum_of(a, BYTES, ""), 1 << 20);
	kv_arena_reset_stats(a);
	ck_assert_str_eq(profile(a, BYTES), "");
	kvt_true(kvt_alloc(a, 1 << 21) != NULL);
	kvt_eq(sum_of(a, BYTES, ""), 1 << 21);
	kv_arena_reset_stats(NULL);
	destroy(a);
}
END_TEST

START_TEST(an_arena_in_a_buffer_is_sampled_too)
{
	static char buffer[4096];
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct truth bytes = { 0, 0 };
	kv_arena_t *a;

	config.sample_interval = INTERVAL;
	config.thread_mode = (kv_arena_thread_mode_t)_i;
	a = kv_arena_create_in(buffer, sizeof buffer, &config);
	for (size_t i = 0; i < 20000; i++) {
		kvt_true(kvt_alloc(a, i % 100 + 1) != NULL);
		know(&bytes, i % 100 + 1, (double)(i % 100 + 1));
	}
	kvt_near(sum_of(a, BYTES, "?;"), bytes);
	kv_arena_destroy(a);
}
END_TEST

/* ---- What the system does not tell -------------------------------------------- */

static bool
know_no_symbol(const void *address, struct kva_symbol *symbol)
{
	(void)address, (void)symbol;
	return false;
}

/* Write a profile of that arena to text; its size. */
static size_t
write_pprof(const kv_arena_t *a)
{
	size_t size;
	FILE *out;

	free(text);
	out = open_memstream(&text, &size);
	kvt_eq(kv_arena_write_profile(a, out, KV_ARENA_PROFILE_PPROF), 0);
	fclose(out);
	return size;
}

/* A field of the outermost message that is a number; the last of several. */
static uint64_t
number_in(const kv_arena_t *a, unsigned field)
{
	uint64_t tag, n, found = 0;
	unsigned char *at;
	size_t size = write_pprof(a);

	at = (unsigned char *)text;
	while (at < (unsigned char *)text + size) {
		tag = *at++;
		kvt_cmp(tag, <, 0x80);
		n = *at & 0x7f;
		for (unsigned shift = 7; *at++ & 0x80; shift += 7)
			n |= (uint64_t)(*at & 0x7f) << shift;
		if (tag >> 3 == field)
			found = n;
		at += (tag & 7) == 2 ? n : 0;
	}
	kvt_true(at == (unsigned char *)text + size);
	return found;
}

START_TEST(without_symbols_addresses_are_written)
{
	kv_arena_t *a = create(COUNTED);
	struct kva_symbol symbol;

	kvt_true(!kva_os.symbol((void *)8, &symbol));
	kva_os.symbol = know_no_symbol;
	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	kvt_eq(sum_of(a, BYTES, "sampled;0x"), 1 << 20);
	kvt_eq(number_in(a, 12), INTERVAL);
	destroy(a);
}
END_TEST

static bool
know_the_file(const void *address, struct kva_symbol *symbol)
{
	*symbol = (struct kva_symbol){
		.path = "lib.so", .base = (uintptr_t)address - 0x10
	};
	return true;
}

START_TEST(without_a_name_places_in_files_are_written)
{
	kv_arena_t *a = create(COUNTED);

	kva_os.symbol = know_the_file;
	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	kvt_eq(sum_of(a, BYTES, "sampled;lib.so+0x10"), 1 << 20);
	destroy(a);
}
END_TEST

static void *
alloc_nothing(size_t size, size_t alignment)
{
	(void)size, (void)alignment;
	return NULL;
}

START_TEST(without_memory_there_is_no_profile)
{
	kv_arena_t *a = create(COUNTED);

	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	kva_os.alloc = alloc_nothing;
	kvt_fails(kv_arena_write_profile(a, stdout, BYTES), -1, ENOMEM);
	destroy(a);
}
END_TEST

START_TEST(without_a_map_of_the_process_there_are_no_mappings)
{
	kv_arena_t *a = create(COUNTED);
	struct rlimit old, none;

	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	kvt_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	kvt_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	kvt_eq(number_in(a, 12), INTERVAL);
	kvt_eq(number_in(a, 3), 0);
	kvt_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	destroy(a);
}
END_TEST

START_TEST(arenas_of_different_intervals_have_no_period)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a = create(COUNTED), *b = create(COUNTED), *c;

	kvt_eq(number_in(NULL, 12), INTERVAL);
	config.sample_interval = INTERVAL + 1;
	c = kv_arena_create_ex(&config);
	kvt_eq(number_in(NULL, 12), 0);
	kvt_eq(number_in(c, 12), INTERVAL + 1);
	kv_arena_destroy(c);
	destroy(a);
	destroy(b);
}
END_TEST

/* The older arena's others stand behind what the younger has. */
START_TEST(what_is_of_other_stacks_is_written_once)
{
	kv_arena_t *older = create(COUNTED), *younger;

	kvt_eq(kv_arena_reserve(older, 2 << 20, false), 0);
	kvo_fail_from(KVO_CALL(ALLOC), 1, ENOMEM);
	kvt_true(kvt_alloc(older, 1 << 20) != NULL);
	kvo_heal();
	younger = create(COUNTED);
	kvt_true(kvt_alloc(younger, 1 << 20) != NULL);
	kvt_eq(sum_of(older, BYTES, ""), 1 << 20);
	kvt_eq(sum_of(NULL, BYTES, ""), 2 << 20);
	destroy(younger);
	destroy(older);
}
END_TEST

#define CROWD 40

static struct {
	void *(*alloc)(size_t size, size_t alignment);
	kv_arena_t *arenas[CROWD];
} crowd;

/* Many arenas begin while memory for the copy is asked for. */
static void *
alloc_in_a_crowd(size_t size, size_t alignment)
{
	kva_os.alloc = crowd.alloc;
	for (int i = 0; i < CROWD; i++) {
		crowd.arenas[i] = create(COUNTED);
		kvt_true(kvt_alloc(crowd.arenas[i], 1 << 20) != NULL);
	}
	return kva_os.alloc(size, alignment);
}

START_TEST(arenas_that_come_late_may_be_left_out)
{
	kv_arena_t *a = create(COUNTED);
	uint64_t sum;

	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	crowd.alloc = kva_os.alloc;
	kva_os.alloc = alloc_in_a_crowd;
	sum = sum_of(NULL, BYTES, "");
	kvt_cmp(sum, >=, 1 << 20);
	kvt_cmp(sum, <, (CROWD + 1) << 20);
	kvt_eq(sum_of(NULL, BYTES, ""), (CROWD + 1) << 20);
	for (int i = 0; i < CROWD; i++)
		kv_arena_destroy(crowd.arenas[i]);
	destroy(a);
}
END_TEST

/* ---- As a protocol buffer ------------------------------------------------------- */

#define MOST 5000

/* A field of a message: a number, or bytes. Numbers of fields: profile.proto. */
struct field {
	unsigned number;
	uint64_t value;
	const unsigned char *bytes, *end;
};

static uint64_t
varint(const unsigned char **at)
{
	uint64_t n = 0;

	for (unsigned shift = 0;; shift += 7) {
		n |= (uint64_t)(**at & 0x7f) << shift;
		if (!(*(*at)++ & 0x80))
			return n;
	}
}

static bool
next_field(struct field *f, const unsigned char **at, const unsigned char *end)
{
	uint64_t tag;

	if (*at == end)
		return false;
	tag = varint(at);
	f->number = (unsigned)(tag >> 3);
	f->value = varint(at);
	kvt_true((tag & 7) == 0 || (tag & 7) == 2);
	if ((tag & 7) == 0)
		return true;
	f->bytes = *at;
	*at = f->end = f->bytes + f->value;
	kvt_true(f->end <= end);
	return true;
}

/* The numbers of a message of such, by field; and the last bytes. */
static struct field
numbers_of(const struct field *message, uint64_t numbers[8])
{
	const unsigned char *at = message->bytes;
	struct field f = { 0 }, inner = { 0 };

	memset(numbers, 0, 8 * sizeof *numbers);
	while (next_field(&f, &at, message->end)) {
		kvt_cmp(f.number, <, 8);
		numbers[f.number] = f.value;
		if (f.bytes)
			inner = f;
		f.bytes = NULL;
	}
	return inner;
}

static struct {
	char *strings[MOST];
	size_t nstrings, ntypes, nlocations, nfunctions, nmappings, nsamples;
	size_t nframes;			/* of samples of bytes */
	uint64_t sums[4], types[4][2], period_type[2], period, default_type;
	uint64_t last_address;
	bool stood_at[65536];		/* the locations of samples */
	uint64_t mappings[MOST][3];	/* start, limit, offset */
} read_back;

static const char *
string(uint64_t n)
{
	kvt_cmp(n, <, read_back.nstrings);
	return read_back.strings[n];
}

static size_t
mapping_of(uint64_t address)
{
	size_t i = read_back.nmappings;

	while (i > 0 && (address < read_back.mappings[i - 1][0] ||
			address >= read_back.mappings[i - 1][1]))
		i--;
	return i;
}

static void
read_mapping(const struct field *message)
{
	uint64_t n[8];

	numbers_of(message, n);
	kvt_cmp(n[2], <, n[3]);
	kvt_true(string(n[5])[0] == '/');
	kvt_cmp(read_back.nmappings, <, MOST);
	memcpy(read_back.mappings[read_back.nmappings++], n + 2, 3 * sizeof *n);
	kvt_eq(n[1], read_back.nmappings);
}

static void
compare_mapping(void *context, const struct kva_mapping *m)
{
	size_t i = mapping_of(m->start);

	(void)context;
	kvt_true(i > 0);
	kvt_eq(read_back.mappings[i - 1][0], m->start);
	kvt_eq(read_back.mappings[i - 1][1], m->end);
	kvt_eq(read_back.mappings[i - 1][2], m->offset);
}

static void
read_location(const struct field *message)
{
	uint64_t n[8], line[8];
	struct field inner = numbers_of(message, n);

	kvt_eq(n[1], ++read_back.nlocations);
	kvt_eq(n[2], mapping_of(n[3]));
	if (n[3]) {
		kvt_cmp(n[3], >, read_back.last_address);
		read_back.last_address = n[3];
	}
	if (inner.number == 4) {
		numbers_of(&inner, line);
		kvt_true(line[1] >= 1 && line[1] <= read_back.nfunctions);
	}
}

static void
read_sample(const struct field *message)
{
	const unsigned char *at = message->bytes, *inner;
	uint64_t label[8], values[4];
	size_t nvalues = 0, nlocations = 0;
	int seen = 0;
	struct field f;

	while (next_field(&f, &at, message->end)) {
		seen |= 1 << f.number;
		if (f.number == 3) {
			numbers_of(&f, label);
			ck_assert_str_eq(string(label[1]), "arena");
			ck_assert_str_eq(string(label[2]), "sampled");
			continue;
		}
		for (inner = f.bytes; inner < f.end; ) {
			uint64_t n = varint(&inner);

			if (f.number == 1) {
				kvt_true(n >= 1 && n <= read_back.nlocations);
				read_back.stood_at[n % 65536] = true;
				nlocations++;
			} else {
				kvt_cmp(nvalues, <, 4);
				values[nvalues++] = n;
			}
		}
	}
	kvt_eq(nvalues, 4);
	kvt_cmp(nlocations, >, 0);
	for (int i = 0; i < 4; i++)
		read_back.sums[i] += values[i];
	read_back.nframes += values[0] ? nlocations : 0;
	kvt_eq(seen, 1 << 1 | 1 << 2 | 1 << 3);
	read_back.nsamples++;
}

static void
read_field(const struct field *f)
{
	uint64_t n[8];

	switch (f->number) {
	case 1:
		numbers_of(f, n);
		memcpy(read_back.types[read_back.ntypes++], n + 1, 2 * sizeof *n);
		break;
	case 2:
		read_sample(f);
		break;
	case 3:
		read_mapping(f);
		break;
	case 4:
		read_location(f);
		break;
	case 5:
		numbers_of(f, n);
		kvt_eq(n[1], ++read_back.nfunctions);
		kvt_cmp(strlen(string(n[2])), >, 0);
		break;
	case 6:
		kvt_cmp(read_back.nstrings, <, MOST);
		read_back.strings[read_back.nstrings++] = strndup((const char *)f->bytes,
			(size_t)f->value);
		break;
	case 11:
		numbers_of(f, n);
		memcpy(read_back.period_type, n + 1, 2 * sizeof *n);
		break;
	case 12:
		read_back.period = f->value;
		break;
	default:
		kvt_eq(f->number, 14);
		read_back.default_type = f->value;
		break;
	}
}

static void
read_all(const kv_arena_t *a)
{
	const unsigned char *at, *end;
	struct field f = { 0 };
	size_t size = write_pprof(a);

	memset(&read_back, 0, sizeof read_back);
	at = (const unsigned char *)text;
	end = at + size;
	while (next_field(&f, &at, end))
		read_field(&f);
}

static void
forget_all(void)
{
	for (size_t i = 0; i < read_back.nstrings; i++)
		free(read_back.strings[i]);
}

START_TEST(a_protocol_buffer_says_what_folded_stacks_do)
{
	static const char *const types[4][2] = {
		{ "bytes", "bytes" }, { "objects", "count" }, { "padding", "bytes" },
		{ "abandoned", "bytes" },
	};
	kv_arena_t *a = create(COUNTED);
	size_t nframes = 0, nunused = 0;

	for (size_t i = 0; i < 2000; i++) {
		profile_small(a);
		profile_large(a);
		kvt_true(kv_arena_alloc_aligned(a, 20, 64) != NULL);
		kvt_true(kv_arena_realloc(a, kvt_alloc(a, 900), 900, 100) != NULL);
		kvt_true(kvt_alloc(a, 8) != NULL);
		kvt_true(kv_arena_realloc(a, kvt_alloc(a, 900), 900, 9000) != NULL);
	}
	read_all(a);
	ck_assert_str_eq(string(0), "");
	kvt_eq(read_back.ntypes, 4);
	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(string(read_back.types[i][0]), types[i][0]);
		ck_assert_str_eq(string(read_back.types[i][1]), types[i][1]);
	}
	kvt_true(memcmp(read_back.period_type, read_back.types[0], 16) == 0);
	kvt_eq(read_back.default_type, read_back.types[0][0]);
	kvt_eq(read_back.period, INTERVAL);
	kva_os.mappings(compare_mapping, NULL);
	kvt_cmp(read_back.nlocations, <, 65536);
	for (size_t i = 1; i <= read_back.nlocations; i++)
		nunused += !read_back.stood_at[i];
	kvt_cmp(nunused, <=, 1);	/* that of stacks beyond the table */
	kvt_cmp(read_back.nsamples, >=, 2);
	kvt_cmp(read_back.nfunctions, >=, 1);	/* the stacks that are not known */
	ck_assert_str_eq(read_back.strings[read_back.nstrings - 2], "arena");
	for (const char *at = profile(a, BYTES); *at; at++)
		nframes += *at == ';';
	kvt_eq(nframes, read_back.nframes);
	kvt_eq(sum_of(a, BYTES, ""), read_back.sums[0]);
	kvt_eq(sum_of(a, OBJECTS, ""), read_back.sums[1]);
	kvt_eq(sum_of(a, PADDING, ""), read_back.sums[2]);
	kvt_eq(sum_of(a, ABANDONED, ""), read_back.sums[3]);
	forget_all();
	destroy(a);
}
END_TEST

/* A stack of bytes without an object. */
START_TEST(what_only_grows_is_in_a_protocol_buffer_too)
{
	kv_arena_t *a = create(COUNTED);
	char *p;

	kvt_eq(kv_arena_reserve(a, 2 << 20, false), 0);
	p = kvt_alloc(a, 8);
	for (size_t size = 8; size < 1 << 20; size += 1000)
		kvt_true(kv_arena_realloc(a, p, size, size + 1000) == p);
	read_all(a);
	kvt_cmp(read_back.sums[0], >, 1 << 19);
	kvt_eq(sum_of(a, BYTES, ""), read_back.sums[0]);
	forget_all();
	destroy(a);
}
END_TEST

static struct {
	int (*backtrace)(void **frames, int n);
	uintptr_t outermost;
} stacks;

/* No two stacks are alike. */
static int
come_from_elsewhere(void **frames, int n)
{
	n = stacks.backtrace(frames, n);
	if (n > 0)
		frames[n - 1] = (void *)(stacks.outermost += 8);
	return n;
}

START_TEST(stacks_beyond_the_table_are_one_location)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;

	config.name = "sampled";
	config.sample_interval = 8;
	a = kv_arena_create_ex(&config);
	stacks.backtrace = kva_os.backtrace;
	kva_os.backtrace = come_from_elsewhere;
	for (int i = 0; i < KVA_SITES + 10; i++)	/* all are drawn */
		kvt_true(kvt_alloc(a, 1024) != NULL);
	read_all(a);
	kvt_eq(read_back.sums[0], 1024 * (KVA_SITES + 10));
	forget_all();
	kv_arena_destroy(a);
}
END_TEST

/* ---- Refusals ----------------------------------------------------------------- */

START_TEST(wrong_arguments_are_refused)
{
	kv_arena_t *a = create(COUNTED);
	FILE *full = fopen("/dev/full", "w");

	kvt_fails(kv_arena_write_profile(a, NULL, BYTES), -1, EINVAL);
	kvt_fails(kv_arena_write_profile(a, stdout, (kv_arena_profile_format_t)5), -1,
		EINVAL);
	kvt_fails(kv_arena_write_profile(a, stdout, (kv_arena_profile_format_t)-1), -1,
		EINVAL);
	kvt_true(kvt_alloc(a, 1 << 20) != NULL);
	for (int format = 0; full && format < 2; format++)
		kvt_fails(kv_arena_write_profile(a, full,
			(kv_arena_profile_format_t)format), -1, EIO);
	if (full)
		fclose(full);
	full = fopen("/dev/null", "r");		/* flushing that is no error */
	kvt_true(full != NULL);
	kvt_fails(kv_arena_write_profile(a, full, BYTES), -1, EIO);
	fclose(full);
	destroy(a);
}
END_TEST

static void
begin(void)
{
	kvo_begin(KVO_THIS_MACHINE);
}

int
main(void)
{
	Suite *s = suite_create("profile");
	TCase *g = kvt_group(s, "sums");

	tcase_add_loop_test(g, sampled_bytes_are_right_within_three_sigma, 0, KINDS);
	tcase_add_loop_test(g, sampled_padding_is_right_within_three_sigma, 0, KINDS);
	tcase_add_loop_test(g, bytes_that_were_taken_back_stay_in_the_sum, 0, KINDS);
	tcase_add_loop_test(g, growing_counts_and_what_is_left_behind_too, 0, KINDS);
	tcase_add_loop_test(g, packed_text_is_sampled_as_all_is, 0, KINDS);
	tcase_add_test(g, threads_are_sampled_each_by_its_own_lot);
	tcase_add_test(g, nothing_left_behind_is_nothing_to_note);
	tcase_add_test(g, a_thread_that_never_allocated_is_always_noted);
	g = kvt_group(s, "sites");
	tcase_add_loop_test(g, functions_are_told_apart, 0, KINDS);
	tcase_add_test(g, no_frame_is_of_the_library);
	g = kvt_group(s, "arenas");
	tcase_add_loop_test(g, a_child_of_fork_samples_on, 0, SHARED_COUNTED + 1);
	tcase_add_test(g, what_is_not_sampled_writes_nothing);
	tcase_add_loop_test(g, sampling_costs_an_arena_no_byte, 0, 2);
	tcase_add_test(g, descendants_are_in_the_profile_of_an_arena);
	tcase_add_test(g, absorb_leaves_what_was_sampled);
	tcase_add_test(g, reset_stats_begins_anew);
	tcase_add_loop_test(g, an_arena_in_a_buffer_is_sampled_too, 0, 2);
	tcase_add_test(g, a_protocol_buffer_says_what_folded_stacks_do);
	tcase_add_test(g, what_only_grows_is_in_a_protocol_buffer_too);
	tcase_add_test(g, wrong_arguments_are_refused);
	g = kvt_group(s, "systems");
	tcase_add_checked_fixture(g, begin, kvo_end);
	tcase_add_test(g, stacks_beyond_the_table_are_one_location);
	tcase_add_test(g, without_symbols_addresses_are_written);
	tcase_add_test(g, without_a_name_places_in_files_are_written);
	tcase_add_test(g, without_memory_there_is_no_profile);
	tcase_add_test(g, without_a_map_of_the_process_there_are_no_mappings);
	tcase_add_test(g, arenas_of_different_intervals_have_no_period);
	tcase_add_test(g, what_is_of_other_stacks_is_written_once);
	tcase_add_test(g, arenas_that_come_late_may_be_left_out);
	return kvt_run(s, kvt_scaled(1000000));
}
