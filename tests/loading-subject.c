/* loading-subject.c -- load the library, use it in threads, let go of it, again
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: loading-subject LIBRARY TIMES
 *
 * LIBRARY is the library, or one that uses it and allocates by plugin_alloc. The
 * threads end after dlclose: what the library does then must still be there.
 * Prints how much more is resident than after a tenth.
 */
#include <dlfcn.h>
#include <kv_arena.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 4 };

/* If this program was linked with the library after all, that is a second copy. */
#pragma weak kv_arena_create
#pragma weak kv_arena_alloc_slow
#pragma weak kv_arena_destroy

/* The calls by name, of the library that was loaded. */
static struct {
	kv_arena_t *(*create)(const kv_arena_config_t *config);
	void *(*alloc)(kv_arena_t *arena, size_t size);
	void (*destroy)(kv_arena_t *arena);
} library;

static kv_arena_t *arena;
static pthread_barrier_t used, closed;

static void *
use(void *arg)
{
	size_t failed = 0;

	for (size_t i = 1; i < 200; i++)
		failed += library.alloc(arena, i) == NULL;
	pthread_barrier_wait(&used);
	pthread_barrier_wait(&closed);
	return failed ? arg : NULL;
}

static void *
need(void *p, const char *what)
{
	if (p == NULL) {
		fprintf(stderr, "loading-subject: %s: %s\n", what, dlerror());
		exit(1);
	}
	return p;
}

/* One life of the library; returns the threads that had no memory. */
static size_t
load_once(const char *path)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	void *handle = need(dlopen(path, RTLD_NOW | RTLD_LOCAL), path);
	void *alloc = dlsym(handle, "plugin_alloc");
	kv_arena_t *own = kv_arena_create ? kv_arena_create(0) : NULL;
	pthread_t threads[THREADS];
	size_t failed = 0;
	void *result;

	if (own != NULL)
		failed += kv_arena_alloc_slow(own, 100) == NULL;
	*(void **)&library.create = need(dlsym(handle, "kv_arena_create_ex"), "create");
	*(void **)&library.alloc = need(alloc != NULL ? alloc :
		dlsym(handle, "kv_arena_alloc_slow"), "alloc");
	*(void **)&library.destroy = need(dlsym(handle, "kv_arena_destroy"), "destroy");
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	arena = need(library.create(&config), "arena");
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, use, &failed) != 0)
			abort();
	pthread_barrier_wait(&used);
	library.destroy(arena);
	if (dlclose(handle) != 0)
		abort();
	pthread_barrier_wait(&closed);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		failed += result != NULL;
	}
	if (own != NULL) {
		failed += kv_arena_alloc_slow(own, 100) == NULL;
		kv_arena_destroy(own);
	}
	return failed;
}

static long
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

int
main(int argc, char **argv)
{
	long times = argc == 3 ? atol(argv[2]) : 0, before = 0, after;
	size_t failed = 0;

	if (times < 1)
		return 2;
	pthread_barrier_init(&used, NULL, THREADS + 1);
	pthread_barrier_init(&closed, NULL, THREADS + 1);
	for (long i = 0; i < times; i++) {
		failed += load_once(argv[1]);
		if (i == times / 10)
			before = resident();
	}
	after = resident();
	printf("%ld times loaded and closed: %zu failures, %ld bytes resident more "
		"than after a tenth\n", times, failed, after > before ? after - before : 0);
	return failed != 0 || after > before + (1 << 20);
}
