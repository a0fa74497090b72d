/* t-inject.c -- whatever call to the system fails: nothing crashes, hangs or leaks,
 * a call that failed changed nothing, and the arena works on
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The operations stand here, one for each public function and more where a function
 * has several ways; what is done with them in kvinject.c.
 */
#include "kvinject.h"
#include "watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Fewer mean that a place where the system is asked is no longer reached. */
#define SITES_FLOOR 7400

/* ---- Create --------------------------------------------------------------------- */

static bool
do_create(struct kvj_scene *s)
{
	s->made = kv_arena_create(0);
	return s->made != NULL;
}

/* With everything that needs memory of its own. */
static bool
do_create_ex(struct kvj_scene *s)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = s->cache;
	config.name = "made";
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	config.enable_numa = true;
	config.numa_policy = KV_ARENA_NUMA_LOCAL;
	config.learn_block_size = true;
	config.sample_interval = 4096;
	s->made = kv_arena_create_ex(&config);
	return s->made != NULL;
}

static bool
do_create_sampled(struct kvj_scene *s)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = s->cache;
	config.sample_interval = 4096;
	s->made = kv_arena_create_ex(&config);
	return s->made != NULL;
}

static bool
do_create_in(struct kvj_scene *s)
{
	static char buffer[8192];
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = s->cache;
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	config.sample_interval = 4096;
	s->made = kv_arena_create_in(buffer, sizeof buffer, &config);
	return s->made != NULL;
}

/* It ends with its parent. */
static bool
do_create_child(struct kvj_scene *s)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.cache = s->cache;
	config.name = "child";
	return kv_arena_create_child(s->a, &config) != NULL;
}

/* ---- Allocate ------------------------------------------------------------------------ */

static bool
do_alloc(struct kvj_scene *s)
{
	return kvj_keep(s, kvt_alloc(s->a, 100), 100, 8);
}

static bool
do_alloc_large(struct kvj_scene *s)
{
	return kvj_keep(s, kvt_alloc(s->a, 100000), 100000, 8);
}

static bool
do_alloc_huge(struct kvj_scene *s)
{
	return kvj_keep(s, kvt_alloc(s->a, 3 * MIB), 3 * MIB, 8);
}

static bool
do_alloc_aligned(struct kvj_scene *s)
{
	return kvj_keep(s, kv_arena_alloc_aligned(s->a, 500, 4096), 500, 4096);
}

static bool
do_array(struct kvj_scene *s)
{
	return kvj_keep(s, kv_arena_array(s->a, 10, 30, 16), 300, 16);
}

static bool
do_calloc(struct kvj_scene *s)
{
	return kvj_keep(s, kv_arena_calloc(s->a, 10, 30), 300, 8);
}

static bool
do_memdup(struct kvj_scene *s)
{
	return kvj_keep(s, kv_arena_memdup(s->a, s, sizeof *s), sizeof *s, 1);
}

static bool
do_strdup(struct kvj_scene *s)
{
	return kvj_keep(s, kv_arena_strdup(s->a, "a text"), 7, 1);
}

static bool
do_strndup(struct kvj_scene *s)
{
	return kvj_keep(s, kv_arena_strndup(s->a, "a text", 3), 4, 1);
}

static bool
do_printf(struct kvj_scene *s)
{
	return kvj_keep(s, kv_arena_printf(s->a, "%100d", 7), 101, 1);
}

static char *
call_vprintf(kv_arena_t *a, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = kv_arena_vprintf(a, format, args);
	va_end(args);
	return text;
}

static bool
do_vprintf(struct kvj_scene *s)
{
	return kvj_keep(s, call_vprintf(s->a, "%200s", "x"), 201, 1);
}

static bool
resize_last(struct kvj_scene *s, size_t size)
{
	struct kvt_piece *last;
	void *p;

	if (s->book.n == 0)
		return kvj_keep(s, kv_arena_realloc(s->a, NULL, 0, size), size, 8);
	last = &s->book.pieces[s->book.n - 1];
	p = kv_arena_realloc(s->a, last->p, last->size, size);
	if (!p)
		return false;
	kvt_resize(&s->book, s->book.n - 1, p, size);
	return true;
}

static bool
do_realloc(struct kvj_scene *s)
{
	return resize_last(s, 1000);
}

static bool
do_realloc_much(struct kvj_scene *s)
{
	return resize_last(s, 200000);
}

static bool
do_local(struct kvj_scene *s)
{
	kv_arena_local_t *local = kv_arena_local(s->a);

	return local && kvj_keep(s, kv_arena_local_alloc(local, 100), 100, 8);
}

static bool
do_reserve(struct kvj_scene *s)
{
	return kv_arena_reserve(s->a, 30000, false) == 0;
}

static bool
do_reserve_prefaulted(struct kvj_scene *s)
{
	return kv_arena_reserve(s->a, 30000, true) == 0;
}

/* ---- Scopes ----------------------------------------------------------------------------- */

static bool
do_mark(struct kvj_scene *s)
{
	kv_arena_mark_t mark = kv_arena_mark(s->a);

	return mark.serial > 0 && kv_arena_rewind(s->a, mark) == 0;
}

static bool
do_rewind(struct kvj_scene *s)
{
	if (kv_arena_rewind(s->a, s->mark) != 0)
		return false;
	kvt_strike(&s->book, s->pieces_at_mark);
	return true;
}

static bool
do_scope(struct kvj_scene *s)
{
	KV_ARENA_SCOPE(s->a);

	return kvt_alloc(s->a, 100) != NULL;
}

static bool
do_defer(struct kvj_scene *s)
{
	if (kv_arena_defer(s->a, kvj_ran, s) != 0)
		return false;
	s->defers++;
	return true;
}

static bool
do_reset(struct kvj_scene *s)
{
	kv_arena_reset(s->a);
	kvt_strike(&s->book, 0);
	return true;
}

static bool
do_compact(struct kvj_scene *s)
{
	kv_arena_compact(s->a);
	return true;
}

static bool
do_destroy(struct kvj_scene *s)
{
	kv_arena_destroy(s->a);
	kvt_strike(&s->book, 0);
	s->a = NULL;
	return true;
}

/* A buffer's arena gives nothing away. */
static bool
do_absorb(struct kvj_scene *s)
{
	if (s->kind == KVJ_IN_BUFFER)
		return true;
	if (kv_arena_absorb(s->a, s->other) != 0)
		return false;
	kvt_join(&s->book, &s->of_other);
	return true;
}

static bool
do_handle(struct kvj_scene *s)
{
	kv_arena_handle_t h;

	if (s->book.n == 0)
		return true;
	h = kv_arena_handle(s->a, s->book.pieces[0].p);
	return h.ptr && kv_arena_deref(h) == h.ptr;
}

/* Not those in a buffer. */
static bool
do_seal(struct kvj_scene *s)
{
	return s->kind == KVJ_IN_BUFFER || kv_arena_seal(s->a) == 0;
}

static bool
do_unseal(struct kvj_scene *s)
{
	return kv_arena_unseal(s->a) == 0;
}

/* ---- Caches -------------------------------------------------------------------------------- */

static bool
do_cache_create(struct kvj_scene *s)
{
	s->made_cache = kv_arena_cache_create(1 << 20);
	return s->made_cache != NULL;
}

static bool
do_cache_destroy(struct kvj_scene *s)
{
	kv_arena_cache_t *gone = s->spare_cache;

	s->spare_cache = NULL;
	return kv_arena_cache_destroy(gone) == 0;
}

static bool
do_cache_trim(struct kvj_scene *s)
{
	return kv_arena_cache_trim(s->spare_cache, 0) == 64 * KIB;
}

static bool
do_cache_get_stats(struct kvj_scene *s)
{
	kv_arena_cache_stats_t stats;

	return kv_arena_cache_get_stats(s->cache, &stats) == 0;
}

/* ---- Questions -------------------------------------------------------------------------------- */

static bool
do_ask(struct kvj_scene *s)
{
	kv_arena_stats_t stats;
	char path[40];

	return kv_arena_get_stats(s->a, &stats) == 0 && kv_arena_version() &&
		kv_arena_path(s->a, path, sizeof path) > 0 &&
		!kv_arena_owns(s->a, &stats) &&
		kv_arena_memory_usage(s->a) >= kv_arena_total_allocated(s->a) &&
		kv_arena_suggest_block_size("limited") > 0 &&
		!kv_arena_has("nothing") && kv_arena_get_numa_node() >= 0;
}

static bool
do_reset_stats(struct kvj_scene *s)
{
	kv_arena_reset_stats(s->a);
	return true;
}

static bool
do_numa_report(struct kvj_scene *s)
{
	kv_arena_numa_report_t report;

	return kv_arena_numa_report(s->a, &report) == 0;
}

static bool
do_set_numa_policy(struct kvj_scene *s)
{
	(void)s;
	return kv_arena_set_numa_policy(1) == 0 && kv_arena_set_numa_policy(-1) == 0;
}

static bool
do_write_report(struct kvj_scene *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool good = true;

	for (int format = 0; format < 3; format++) {
		kv_arena_report_format_t f = (kv_arena_report_format_t)format;

		good &= kv_arena_write_report(s->a, out, f) == 0;
		good &= kv_arena_write_report(NULL, out, f) == 0;
	}
	fclose(out);
	free(text);
	return good;
}

static bool
do_write_profile(struct kvj_scene *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool good = true;
	int error;

	for (int format = 0; good && format < 5; format++)
		good = kv_arena_write_profile(format % 2 ? s->a : NULL, out,
			(kv_arena_profile_format_t)format) == 0;
	error = errno;
	fclose(out);
	free(text);
	errno = error;
	return good;
}

static bool
do_print_hotspots(struct kvj_scene *s)
{
	kvo_hush();
	kv_arena_print_hotspots(s->a);
	return kvo_said() > 100;
}

/* ---- All of them --------------------------------------------------------------------------------- */

#define OP(name, flags) { #name, do_##name, flags }

static const struct kvj_operation operations[] = {
	OP(create, 0), OP(create_ex, 0), OP(create_sampled, 0), OP(create_in, 0), OP(create_child, 0),
	OP(alloc, 0), OP(alloc_large, 0), OP(alloc_huge, 0), OP(alloc_aligned, 0),
	OP(array, 0), OP(calloc, 0), OP(memdup, 0), OP(strdup, 0), OP(strndup, 0),
	OP(printf, 0), OP(vprintf, 0), OP(realloc, 0), OP(realloc_much, 0),
	OP(local, 0), OP(reserve, 0),
	OP(reserve_prefaulted, KVJ_KEEPS_ROOM), OP(mark, KVJ_UNSAFE_ONLY),
	OP(rewind, KVJ_UNSAFE_ONLY),
	OP(scope, KVJ_UNSAFE_ONLY | KVJ_TWO_CALLS | KVJ_KEEPS_ROOM), OP(defer, 0),
	OP(reset, 0), OP(compact, 0), OP(destroy, 0), OP(absorb, 0), OP(handle, KVJ_MAKES_CELLS),
	OP(seal, 0), OP(unseal, KVJ_SEALED), OP(cache_create, 0),
	OP(cache_destroy, 0), OP(cache_trim, 0), OP(cache_get_stats, 0),
	OP(ask, 0), OP(reset_stats, 0), OP(numa_report, 0),
	OP(set_numa_policy, 0), OP(write_report, 0), OP(write_profile, 0),
	OP(print_hotspots, 0),
	{ "reset a sealed arena", do_reset, KVJ_SEALED },
	{ "destroy a sealed arena", do_destroy, KVJ_SEALED },
};

#define OPERATIONS ((int)(sizeof operations / sizeof *operations))

/* Where each byte is watched, a part must do. */
static int
part(void)
{
	const char *checker = kva_watch_name();

	return strcmp(checker, "msan") == 0 || strcmp(checker, "valgrind") == 0 ? 7 : 1;
}

START_TEST(every_call_of_every_function_may_fail)
{
	if (_i % part() != 0)
		return;
	kvo_begin(KVO_FOUR_NODES);
	kvj_try(&operations[_i / KVJ_KINDS], (enum kvj_kind)(_i % KVJ_KINDS));
	kvo_end();
}
END_TEST

/* ---- The first arena of a process ------------------------------------------------- */

/* Hooks are made by the first create, so each try has a process of its own; what it
 * returns: */
enum { NOTHING_FAILED = 10, SOMETHING_FAILED, BROKEN, CANNOT_RUN };

static int
begin_with(uint64_t nth, bool for_ever)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	uint64_t struck;
	kv_arena_t *a;

	alarm(20);
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	kvo_begin(KVO_THIS_MACHINE);
	if (for_ever)
		kvo_fail_from(KVA_ALL_CALLS, nth, 0);
	else
		kvo_fail_once(KVA_ALL_CALLS, nth, 0);
	a = kv_arena_create_ex(&config);
	kvt_alloc(a, 100);
	struck = kva_fault_struck();
	kvo_heal();
	if (!a)
		a = kv_arena_create_ex(&config);
	for (int i = 0; i < 1000; i++)
		if (!kvt_alloc(a, 100))
			return BROKEN;
	kv_arena_destroy(a);
	kv_arena_cache_trim(NULL, 0);
	if (kvo_counts().mapped != 0)
		return BROKEN;
	return struck > 0 ? SOMETHING_FAILED : NOTHING_FAILED;
}

START_TEST(every_call_before_the_first_arena_may_fail)
{
	int status, tries = 0;
	uint64_t nth = 1;
	pid_t child;

	do {
		fflush(NULL);
		child = fork();
		if (child == 0)
			_exit(begin_with(nth, _i));
		kvt_true(waitpid(child, &status, 0) == child);
		kvt_true(WIFEXITED(status) && WEXITSTATUS(status) != BROKEN);
		tries++;
		nth++;
	} while (WEXITSTATUS(status) == SOMETHING_FAILED);
	kvt_cmp(tries, >, 8);
}
END_TEST

/* ---- For users: KVARENA_CONF ------------------------------------------------------- */

/* What a program does that prepares for the worst: it says whether something failed,
 * and is broken if what it got is not as it should be. */
static int
be_a_program(void)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct kvt_book book = { 0 };
	kv_arena_t *a;
	bool good = true;

	alarm(20);
	for (int round = 0; round < 4; round++) {
		config.thread_mode = (kv_arena_thread_mode_t)(round % 2);
		a = kv_arena_create_ex(&config);
		if (!a)
			continue;
		for (size_t i = 1; i < 400; i++) {
			size_t size = i * 37 % 1500 + 1;
			void *p = kvt_alloc(a, size);

			if (p)
				kvt_enter(&book, p, size, 8);
		}
		kv_arena_printf(a, "round %d", round);
		kv_arena_compact(a);
		good &= kvt_verify(&book);
		kvt_drop(&book);
		kv_arena_destroy(a);
	}
	kv_arena_cache_trim(NULL, 0);
	if (!good)
		return BROKEN;
	return kva_fault_struck() > 0 ? SOMETHING_FAILED : NOTHING_FAILED;
}

static char *own_name;

static int
run_with(const char *conf)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		setenv("KVARENA_CONF", conf, 1);
		execl(own_name, own_name, "program", (char *)NULL);
		_exit(CANNOT_RUN);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return BROKEN;
	return WEXITSTATUS(status);
}

START_TEST(a_program_survives_what_the_environment_has_fail)
{
	int result, nth = 1;
	char conf[40];

	if (run_with("") == CANNOT_RUN) {
		kvt_skip("programs cannot start programs here");
		return;
	}
	kvt_eq(run_with("nohuge,stats"), NOTHING_FAILED);
	do {
		snprintf(conf, sizeof conf, "stats,fail:%s=%d", _i ? "from" : "nth",
			nth++);
		result = run_with(conf);
		kvt_true(result == SOMETHING_FAILED || result == NOTHING_FAILED);
	} while (result == SOMETHING_FAILED);
	kvt_cmp(nth, >, 15);
}
END_TEST

int
main(int argc, char **argv)
{
	uint64_t floor;
	Suite *s;
	TCase *g;
	int result;

	if (argc > 1 && strcmp(argv[1], "program") == 0)
		return be_a_program();
	own_name = argv[0];
	kvj_share();
	s = suite_create("inject");
	g = kvt_group(s, "faults");
	tcase_add_loop_test(g, every_call_before_the_first_arena_may_fail, 0, 2);
	tcase_add_loop_test(g, every_call_of_every_function_may_fail, 0,
		OPERATIONS * KVJ_KINDS);
	tcase_add_loop_test(g, a_program_survives_what_the_environment_has_fail, 0, 2);
	result = kvt_run(s, 1000000);
	printf("%" PRIu64 " calls made to fail, %" PRIu64 " tries\n", kvj_sites(),
		kvj_tries());
	floor = (uint64_t)(SITES_FLOOR / part());
	if (part() > 1)			/* which need not have its share of them */
		floor = floor * 9 / 10;
	if (kvt_is_emulated())		/* no nodes, and populating never fails */
		floor = floor * 3 / 4;
	if (result == EXIT_SUCCESS && kvj_sites() < floor) {
		printf("FAIL: at least %" PRIu64 " were expected\n", floor);
		return EXIT_FAILURE;
	}
	return result;
}
