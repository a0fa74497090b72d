/* kvtest.c -- what the test programs share
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"
#include "kvtest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* The tests ask for sizes that a sanitizer would call a bug. */
#if SANITIZED
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__msan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *
__msan_default_options(void)
{
	return "allocator_may_return_null=1";
}
#endif

/* Shared with the children that Check forks. */
struct tally {
	_Atomic uint64_t checks;
	_Atomic uint64_t skips;
};
static struct tally own_tally;
static struct tally *tally = &own_tally;

#ifdef _WIN32
static void
share_tally(void)
{
}

long
kvt_faults(void)
{
	return 0;
}

bool
kvt_is_emulated(void)
{
	return false;
}
#else
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

long
kvt_faults(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_minflt : 0;
}

bool
kvt_is_emulated(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool takes_anything = p != MAP_FAILED && madvise(p, page, 9999) == 0;

	if (p != MAP_FAILED)
		munmap(p, page);
	return takes_anything;
}

static void
share_tally(void)
{
	void *p = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	tally = p;
}
#endif

static bool
is_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

bool
kvt_is_watched(void)
{
	return SANITIZED || is_valgrind();
}

/* Threads of Windows are slow to begin, under wine above all. */
#ifdef _WIN32
static bool
is_slow(void)
{
	return true;
}
#else
static bool
is_slow(void)
{
	return is_valgrind() || kvt_is_emulated();
}
#endif

size_t
kvt_scaled(size_t n)
{
	size_t part = is_slow() ? 20 : SANITIZED ? 4 : 1;

	return n / part > 0 ? n / part : 1;
}

static bool
is_full(void)
{
	return getenv("KVT_FULL") != NULL;
}

size_t
kvt_full(size_t n, size_t full)
{
	return kvt_scaled(is_full() ? full : n);
}

TCase *
kvt_group(Suite *s, const char *name)
{
	TCase *group = tcase_create(name);

	tcase_set_timeout(group, is_full() ? 7200 :
		kvt_is_watched() || kvt_is_emulated() ? 600 : 60);
	suite_add_tcase(s, group);
	return group;
}

void
kvt_threads(size_t n, void *(*fn)(void *), void *array, size_t size)
{
	pthread_t *threads = calloc(n, sizeof *threads);
	int failed = threads == NULL;

	for (size_t i = 0; i < n && !failed; i++)
		failed = pthread_create(&threads[i], NULL, fn,
			(char *)array + i * size);
	if (failed)
		abort();
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

kv_arena_t *
kvt_create_safe(size_t block_size)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.block_size = block_size;
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	return kv_arena_create_ex(&config);
}

kv_arena_stats_t
kvt_stats(const kv_arena_t *a)
{
	kv_arena_stats_t s;

	kvt_eq(kv_arena_get_stats(a, &s), 0);
	return s;
}

void *
kvt_alloc(kv_arena_t *a, size_t size)
{
	return kv_arena_alloc(a, size);
}

void
kvt_count(uint64_t n)
{
	atomic_fetch_add_explicit(&tally->checks, n, memory_order_relaxed);
}

void
kvt_skip(const char *why)
{
	atomic_fetch_add_explicit(&tally->skips, 1, memory_order_relaxed);
	printf("skip: %s\n", why);
	fflush(stdout);
}

/* Linux tells, in KiB. */
size_t
kvt_resident(void)
{
#ifdef _WIN32
	FILE *f = NULL;		/* wine has one, of another process */
#else
	FILE *f = fopen("/proc/self/status", "r");
#endif
	char line[256];
	size_t n = 0;

	while (f != NULL && n == 0 && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "VmRSS: %zu", &n) != 1)
			n = 0;
	if (f != NULL)
		fclose(f);
	return n * 1024;
}

bool
kvt_skip_if_emulated(void)
{
	bool emulated = kvt_is_emulated();

	if (emulated)
		kvt_skip("an emulator answers for the kernel");
	return emulated;
}

bool
kvt_skip_if_apart(void)
{
	bool apart = kv_arena_has("asan") || kv_arena_has("msan") ||
		kv_arena_has("valgrind");

	if (apart)
		kvt_skip("a memory checker keeps allocations apart");
	return apart;
}

int
kvt_run(Suite *s, uint64_t floor)
{
	SRunner *runner = srunner_create(s);
	int failed;

	share_tally();
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	printf("%" PRIu64 " assertions, %" PRIu64 " tests skipped\n",
		tally->checks, tally->skips);
	if (failed == 0 && tally->checks < floor) {
		printf("FAIL: at least %" PRIu64 " assertions were expected\n",
			floor);
		return EXIT_FAILURE;
	}
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
