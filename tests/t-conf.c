/* t-conf.c -- lib/conf.c: what a configuration means
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "conf.h"
#include "fault.h"
#include "kvos.h"
#include "kvrefuse.h"
#include "kvtest.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#ifdef KV_OS_LINUX
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#endif
#include <unistd.h>

static kv_arena_config_t config;
static struct kva_setup setup;
static struct kva_extras extras;
static bool needs_extras;

static void
start(void)
{
	config = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
	kvo_begin(KVO_FOUR_NODES);
}

static int
read_config(void)
{
	return kva_conf_read(&config, &setup, &extras, &needs_extras);
}

/* ---- Sizes --------------------------------------------------------------------- */

START_TEST(block_sizes_are_made_whole)
{
	static const size_t sizes[][2] = {
		{ 0, 65536 }, { 1, 1024 }, { 1024, 1024 }, { 1025, 2048 },
		{ 65536, 65536 }, { 65537, 131072 }, { 2097152, 2097152 },
		{ 2097153, 4194304 }, { 5000000, 6291456 },
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		config.block_size = sizes[i][0];
		kvt_eq(read_config(), 0);
		kvt_eq(setup.step, sizes[i][1]);
		kvt_cmp(setup.max_block, >=, setup.step);
		kvt_cmp(setup.max_block, >=, 2097152);
	}
}
END_TEST

START_TEST(the_largest_block_is_no_smaller_than_a_step)
{
	config.block_size = 65536;
	config.max_block_size = 4096;
	kvt_eq(read_config(), 0);
	kvt_eq(setup.max_block, 65536);
	config.max_block_size = 100000;
	kvt_eq(read_config(), 0);
	kvt_eq(setup.max_block, 131072);
}
END_TEST

START_TEST(sizes_beyond_half_the_address_space_are_refused)
{
	config.block_size = SIZE_MAX / 4;
	kvt_eq(read_config(), 0);
	config.block_size = SIZE_MAX / 4 + 1;
	kvt_fails(read_config(), -1, EINVAL);
	config.block_size = 0;
	config.max_block_size = SIZE_MAX;
	kvt_fails(read_config(), -1, EINVAL);
}
END_TEST

START_TEST(spares_are_kept_only_with_a_cache)
{
	config.max_cached_blocks = SIZE_MAX;
	kvt_eq(read_config(), 0);
	kvt_eq(setup.max_spares, sizeof(size_t) > 4 ? UINT32_MAX : SIZE_MAX);
	config.max_cached_blocks = 7;
	kvt_eq(read_config(), 0);
	kvt_eq(setup.max_spares, 7);
	config.enable_block_cache = false;
	kvt_eq(read_config(), 0);
	kvt_eq(setup.max_spares, 0);
}
END_TEST

/* ---- What is refused --------------------------------------------------------------- */

static void *
take(void *context, size_t size)
{
	(void)context, (void)size;
	return NULL;
}

static void
give(void *context, void *block, size_t size)
{
	(void)context, (void)block, (void)size;
}

START_TEST(unknown_values_are_refused)
{
	for (int i = 0; i < 16; i++) {
		config = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
		switch (i) {
		case 0: config.thread_mode = (kv_arena_thread_mode_t)2; break;
		case 1: config.thread_mode = (kv_arena_thread_mode_t)-1; break;
		case 2: config.numa_policy = (kv_arena_numa_policy_t)4; break;
		case 3: config.numa_policy = (kv_arena_numa_policy_t)-1; break;
		case 4: config.huge_pages = (kv_arena_huge_pages_t)3; break;
		case 5: config.debug = (kv_arena_debug_t)4; break;
		case 6: config.block_source.take = take; break;
		case 7: config.block_source.give = give; break;
		case 8: config.sample_interval = SIZE_MAX / 4 + 1; break;
		default: config.reserved[i - 9] = &i; break;
		}
		kvt_fails(read_config(), -1, EINVAL);
	}
	config = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
	config.block_source = (kv_arena_block_source_t){ take, give, NULL };
	kvt_eq(read_config(), 0);
}
END_TEST

static bool huge;

static bool
has_huge(void)
{
	return huge;
}

START_TEST(huge_pages_are_required_where_there_are_some)
{
	kva_os.has_huge = has_huge;
	config.huge_pages = KV_ARENA_HUGE_REQUIRE;
	huge = false;
	kvt_fails(read_config(), -1, ENOTSUP);
	kvt_true(!kv_arena_has("huge-pages"));
	huge = true;
	kvt_eq(read_config(), 0);
	kvt_true(kv_arena_has("huge-pages"));
	kvt_true(!setup.small_pages);
	config.huge_pages = KV_ARENA_HUGE_OFF;
	kvt_eq(read_config(), 0);
	kvt_true(setup.small_pages);
}
END_TEST

/* ---- Places ---------------------------------------------------------------------------- */

static int
place_of(kv_arena_numa_policy_t policy, int node)
{
	config.enable_numa = true;
	config.numa_policy = policy;
	config.preferred_numa_node = node;
	return read_config() == 0 ? setup.place : -1;
}

START_TEST(policies_are_places)
{
	kvt_eq(place_of(KV_ARENA_NUMA_PREFERRED, 2), KVA_PLACE_PREFERRED(2));
	kvt_eq(place_of(KV_ARENA_NUMA_PREFERRED, -1), KVA_PLACE_ANY);
	kvt_eq(place_of(KV_ARENA_NUMA_PREFERRED, INT_MIN), KVA_PLACE_ANY);
	kvt_eq(place_of(KV_ARENA_NUMA_PREFERRED, 62), KVA_PLACE_PREFERRED(62));
	kvt_eq(place_of(KV_ARENA_NUMA_PREFERRED, 63), KVA_PLACE_PREFERRED(62));
	kvt_eq(place_of(KV_ARENA_NUMA_PREFERRED, INT_MAX), KVA_PLACE_PREFERRED(62));
	kvt_eq(place_of(KV_ARENA_NUMA_BIND, 0), KVA_PLACE_BIND(0));
	kvt_eq(place_of(KV_ARENA_NUMA_BIND, 3), KVA_PLACE_BIND(3));
	kvt_eq(place_of(KV_ARENA_NUMA_INTERLEAVE, 99), KVA_PLACE_INTERLEAVE);
	kvt_true(!setup.local);
	kvt_eq(place_of(KV_ARENA_NUMA_LOCAL, 1), KVA_PLACE_ANY);
	kvt_true(setup.local);
}
END_TEST

START_TEST(a_node_to_bind_to_must_be_there)
{
	static const int bad[] = { -1, INT_MIN, KVO_NODES, 62, 63, INT_MAX };

	for (int i = 0; i < 6; i++) {
		errno = 0;
		kvt_eq(place_of(KV_ARENA_NUMA_BIND, bad[i]), -1);
		kvt_eq(errno, EINVAL);
	}
	config.enable_numa = false;
	kvt_eq(read_config(), 0);
	kvt_eq(setup.place, KVA_PLACE_ANY);
}
END_TEST

/* ---- Extras ------------------------------------------------------------------------------ */

static bool
give_up(void *context, const kv_arena_oom_t *oom)
{
	(void)context, (void)oom;
	return false;
}

START_TEST(few_arenas_need_extras)
{
	kvt_eq(read_config(), 0);
	kvt_true(!needs_extras);
	for (int i = 0; i < 4; i++) {
		config = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
		switch (i) {
		case 0: config.name = "x"; break;
		case 1: config.memory_limit = 1; break;
		case 2: config.on_oom = give_up; break;
		default:
			config.block_source = (kv_arena_block_source_t){ take, give, NULL };
			break;
		}
		kvt_eq(read_config(), 0);
		kvt_true(needs_extras);
	}
}
END_TEST

START_TEST(names_are_copied_up_to_31_bytes)
{
	static char long_name[100];

	memset(long_name, 'n', sizeof long_name - 1);
	config.name = long_name;
	kvt_eq(read_config(), 0);
	kvt_eq(strlen(extras.name), 31);
	config.name = "";
	kvt_eq(read_config(), 0);
	kvt_eq(strlen(extras.name), 0);
	kvt_true(!needs_extras);
}
END_TEST

START_TEST(without_a_name_nothing_is_learnt)
{
	static const char *const names[] = { NULL, "" };

	for (int i = 0; i < 2; i++) {
		kv_arena_t *a;

		config.name = names[i];
		config.learn_block_size = true;
		kvt_eq(read_config(), 0);
		kvt_true(!setup.learns);
		a = kv_arena_create_ex(&config);
		kvt_true(kvt_alloc(a, 100) != NULL);
		kv_arena_reset(a);
		kv_arena_destroy(a);
	}
}
END_TEST

/* ---- Hints ----------------------------------------------------------------------------------- */

START_TEST(hints_are_words_numbers_or_names)
{
	static const struct {
		const char *hint;
		size_t size;
	} hints[] = {
		{ NULL, 65536 }, { "small", 4096 }, { "default", 65536 },
		{ "large", 1048576 }, { "5000", 8192 }, { "9000", 16384 }, { "8k", 8192 },
		{ "8K", 8192 }, { "1m", 1048576 }, { "1M", 1048576 },
		{ "1g", (size_t)1 << (sizeof(size_t) > 4 ? 30 : 16) }, { "2G", (size_t)1 << (sizeof(size_t) > 4 ? 31 : 16) },
		{ "0", 1024 }, { "", 65536 }, { "-1", 65536 }, { " 1", 65536 },
		{ "1x", 65536 }, { "1kk", 65536 }, { "k", 65536 },
		{ "99999999999999999999", 65536 }, { "9999999999999999999g", 65536 },
		{ "no such name", 65536 },
	};

	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
		errno = 77;
		kvt_eq(kva_conf_suggest(hints[i].hint), hints[i].size);
		kvt_eq(errno, 77);
	}
}
END_TEST

/* ---- The environment --------------------------------------------------------------------------- */

/* Have KVARENA_CONF say this, before anybody asked; false: somebody did. */
static bool
say(const char *text)
{
	if (!kvr_has_own_process())
		return false;
	kvo_end();
	setenv("KVARENA_CONF", text, 1);
	errno = 77;
	kva_conf_start();
	kvt_eq(errno, 77);
	kva_conf_start();
	return true;
}

static kv_arena_config_t
changed(void)
{
	return kva_conf_with_environment(&config);
}

/* As the first of the process. */
START_TEST(an_arena_in_a_buffer_has_read_it)
{
	static _Alignas(64) char buffer[8192];
	kv_arena_t *a;

	if (!kvr_has_own_process())
		return;
	setenv("KVARENA_CONF", "debug:1", 1);
	a = kv_arena_create_in(buffer, sizeof buffer, NULL);
	kvt_eq(kva_arena_of(a)->setup.debug, KV_ARENA_DEBUG_CHECK);
	kv_arena_destroy(a);
}
END_TEST

START_TEST(words_of_the_environment_change_every_config)
{
	if (!say("stats,,nocache,unknown,nohuge,"))
		return;
	config.enable_detailed_stats = false;
	kvt_true(changed().enable_detailed_stats);
	kvt_true(!changed().enable_block_cache);
	kvt_true(changed().huge_pages == KV_ARENA_HUGE_OFF);
	config.huge_pages = KV_ARENA_HUGE_REQUIRE;	/* who insists is heard */
	kvt_true(changed().huge_pages == KV_ARENA_HUGE_REQUIRE);
	kvt_true(!kva_conf_with_environment(NULL).enable_block_cache);
	kvt_eq(kva_fault_seen(), 0);
}
END_TEST

START_TEST(the_environment_has_arenas_sampled_that_are_not)
{
	static const struct {
		const char *words;
		size_t interval;
	} tries[] = {
		{ "sample", 512 << 10 }, { "sample:1", 1 }, { "stats,sample:4096", 4096 },
		{ "sample:0", 0 }, { "sample:", 0 }, { "sample:4k", 0 }, { "samples", 0 },
		{ "sample:18446744073709551615", 0 },
	};

	if (!say(tries[_i].words))
		return;
	kvt_eq(changed().sample_interval, tries[_i].interval);
	config.sample_interval = 1000;
	kvt_eq(changed().sample_interval, 1000);
}
END_TEST

START_TEST(a_debug_level_of_the_environment_only_raises)
{
	static const struct {
		const char *text;
		int level;
	} cases[] = {
		{ "debug", 2 }, { "debug:1", 1 }, { "debug:3", 3 }, { "debug:0", 0 },
		{ "debug:4", 0 }, { "debug:", 0 }, { "debugger", 0 },
	};

	if (!say(cases[_i].text))
		return;
	kvt_eq((int)changed().debug, cases[_i].level);
	config.debug = KV_ARENA_DEBUG_CHECK;
	kvt_eq((int)changed().debug, cases[_i].level > 1 ? cases[_i].level : 1);
}
END_TEST

START_TEST(what_is_not_understood_is_passed_over)
{
	static const char *const texts[] = {
		"", ",", ",,,", "nocach", "nocachee", "NOCACHE", " nocache", "stats=1",
		"fail", "fail:", "fail:nth", "fail:nth=", "fail:nth=x", "fail:nth=-1",
		"fail:nth=1x", "fail:nth= 1", "fail:from=", "fail:from=99999999999999999999",
		"fail:nth=+1", "\n", "publish:", "trace",	/* nobody records */
	};
	kv_arena_config_t c;

	if (!say(texts[_i]))
		return;
	c = changed();
	kvt_true(memcmp(&c, &config, sizeof c) == 0);
	kva_os.free(kva_os.alloc(1, 8));
	kvt_eq(kva_fault_seen(), 0);
}
END_TEST

START_TEST(a_megabyte_of_nonsense_is_passed_over)
{
	char *text = malloc(1 << 20);
	kv_arena_config_t c;

	memset(text, 'n', (1 << 20) - 1);
	text[(1 << 20) - 1] = '\0';
	for (size_t i = 100; i < 1 << 20; i += 997)
		text[i] = ',';
	if (say(text)) {
		c = changed();
		kvt_true(memcmp(&c, &config, sizeof c) == 0);
	}
	free(text);
}
END_TEST

static bool
can_map(void)
{
	void *p = kva_os.map(kva_os.page(), kva_os.page(), KVA_PLACE_ANY);

	return p && kva_os.unmap(p, kva_os.page()) == 0;
}

START_TEST(the_environment_has_the_nth_call_fail)
{
	if (!say("stats,fail:nth=2"))
		return;
	kvt_true(!can_map());	/* it is unmap that fails */
	kvt_true(can_map());
	kvt_true(can_map());
	kvt_eq(kva_fault_struck(), 1);
}
END_TEST

START_TEST(the_environment_has_all_calls_fail_from_the_nth_on)
{
	if (!say("fail:from=3"))
		return;
	kvt_true(can_map());
	kvt_true(!can_map());
	kvt_true(!can_map());
	kvt_eq(kva_fault_struck(), 2);
}
END_TEST

#ifdef KV_OS_LINUX

/* What the copy of this program that is setuid does: 0, the environment was not
 * heard; 1, it was; 2, nobody made it setuid. */
static int
be_setuid(void)
{
	kva_conf_start();
	if (getauxval(AT_SECURE) == 0)
		return 2;
	return kva_conf_with_environment(&config).enable_detailed_stats;
}

static bool
copy_self(const char *to)
{
	char buffer[65536];
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT |
		O_TRUNC, 0700);
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buffer, sizeof buffer)) > 0)
		if (write(out, buffer, (size_t)n) != n)
			break;
	if (n == 0)
		n = fchmod(out, 04755);
	close(in);
	close(out);
	return n == 0;
}

/* Run the copy as nobody; its status, 2 if it can not be run so. */
static int
run_as_nobody(const char *program, const char *text)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		setenv("KVARENA_CONF", text, 1);
		if (setgid(65534) == 0 && setuid(65534) == 0)
			execl(program, program, "--setuid", (char *)NULL);
		_exit(2);
	}
	kvt_true(child > 0 && waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)	/* a library is not found */
		return 2;
	return WEXITSTATUS(status);
}

START_TEST(a_setuid_program_does_not_hear_the_environment)
{
	static const char program[] = "./t-conf-setuid";
	int status = 2;

	if (geteuid() == 0 && !kvt_is_watched() && copy_self(program))
		status = run_as_nobody(program, "stats");
	unlink(program);
	if (status == 2)
		kvt_skip("no program can be made setuid here");
	else
		kvt_eq(status, 0);
}
END_TEST

#endif

int
main(int argc, char **argv)
{
#ifdef KV_OS_LINUX
	if (argc == 2 && strcmp(argv[1], "--setuid") == 0)
		return be_setuid();
#else
	(void)argc, (void)argv;
#endif
	Suite *s = suite_create("conf");
	TCase *g = kvt_group(s, "sizes");

	tcase_add_checked_fixture(g, start, kvo_end);
	tcase_add_test(g, block_sizes_are_made_whole);
	tcase_add_test(g, the_largest_block_is_no_smaller_than_a_step);
	tcase_add_test(g, sizes_beyond_half_the_address_space_are_refused);
	tcase_add_test(g, spares_are_kept_only_with_a_cache);

	g = kvt_group(s, "values");
	tcase_add_checked_fixture(g, start, kvo_end);
	tcase_add_test(g, unknown_values_are_refused);
	tcase_add_test(g, huge_pages_are_required_where_there_are_some);
	tcase_add_test(g, policies_are_places);
	tcase_add_test(g, a_node_to_bind_to_must_be_there);
	tcase_add_test(g, few_arenas_need_extras);
	tcase_add_test(g, names_are_copied_up_to_31_bytes);
	tcase_add_test(g, without_a_name_nothing_is_learnt);
	tcase_add_test(g, hints_are_words_numbers_or_names);

	g = kvt_group(s, "environment");
	tcase_add_checked_fixture(g, start, kvo_end);
	tcase_add_test(g, an_arena_in_a_buffer_has_read_it);
	tcase_add_test(g, words_of_the_environment_change_every_config);
	tcase_add_loop_test(g, the_environment_has_arenas_sampled_that_are_not, 0, 8);
	tcase_add_loop_test(g, a_debug_level_of_the_environment_only_raises, 0, 7);
	tcase_add_loop_test(g, what_is_not_understood_is_passed_over, 0, 22);
	tcase_add_test(g, a_megabyte_of_nonsense_is_passed_over);
#ifdef KV_OS_LINUX
	tcase_add_test(g, a_setuid_program_does_not_hear_the_environment);
#endif
	tcase_add_test(g, the_environment_has_the_nth_call_fail);
	tcase_add_test(g, the_environment_has_all_calls_fail_from_the_nth_on);
	return kvt_run(s, 150);
}
