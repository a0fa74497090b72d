/* peer-malloc.c -- malloc and one free each: glibc's, or that of a preload
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * jemalloc, mimalloc and tcmalloc replace malloc in their own processes by
 * LD_PRELOAD, which is how their manuals say to use them without relinking.
 * Every malloc here is a call through the PLT, as in any program.
 */
#include "bench.h"

#include <dlfcn.h>
#include <stdlib.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#define KB_ARENA void
#define KB_ALLOC(a, l, size) ((l)->kept[(l)->nkept++] = malloc(size))
#include "loops.h"

static bool
open_malloc(struct life *l)
{
	l->nkept = 0;
	return true;
}

static void
reset_malloc(struct life *l)
{
	for (size_t i = 0; i < l->nkept; i++)
		free(l->kept[i]);
	l->nkept = 0;
}

static bool
enter_malloc(struct life *mine, const struct life *shared, unsigned index)
{
	(void)shared;
	(void)index;
	mine->nkept = 0;
	return true;
}

static const char *
version_libc(void)
{
#ifdef __GLIBC__
	return gnu_get_libc_version();
#else
	return "libc";
#endif
}

static bool
open_jemalloc(struct life *l)
{
	return dlsym(RTLD_DEFAULT, "mallctl") && open_malloc(l);
}

static const char *
version_jemalloc(void)
{
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	const char *version = NULL;
	size_t size = sizeof version;

	*(void **)&mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	if (!mallctl || mallctl("version", &version, &size, NULL, 0))
		return "?";
	return version;
}

static bool
open_mimalloc(struct life *l)
{
	return dlsym(RTLD_DEFAULT, "mi_version") && open_malloc(l);
}

static const char *
version_mimalloc(void)
{
	static char text[16];
	int (*version)(void);
	int v;

	*(void **)&version = dlsym(RTLD_DEFAULT, "mi_version");
	if (!version)
		return "?";
	v = version();
	snprintf(text, sizeof text, "%d.%d.%d", v / 100, v / 10 % 10, v % 10);
	return text;
}

static bool
open_tcmalloc(struct life *l)
{
	return dlsym(RTLD_DEFAULT, "tc_version") && open_malloc(l);
}

static const char *
version_tcmalloc(void)
{
	const char *(*version)(int *, int *, const char **);

	*(void **)&version = dlsym(RTLD_DEFAULT, "tc_version");
	return version ? version(NULL, NULL, NULL) : "?";
}

#define MALLOC_PEER							\
	.flags = PEER_SHARED | PEER_FREES,				\
	.loops = &kb_loops,						\
	.reset = reset_malloc,						\
	.close = reset_malloc,						\
	.enter = enter_malloc

const struct peer kb_malloc = {
	.name = "malloc",
	.about = "the C library's malloc, one free each",
	.open = open_malloc,
	.version = version_libc,
	MALLOC_PEER
};

const struct peer kb_jemalloc = {
	.name = "jemalloc",
	.about = "preloaded as malloc, one free each",
	.preload = "libjemalloc.so.2",
	.open = open_jemalloc,
	.version = version_jemalloc,
	MALLOC_PEER
};

const struct peer kb_mimalloc = {
	.name = "mimalloc",
	.about = "preloaded as malloc, one free each",
	.preload = "libmimalloc.so.2",
	.open = open_mimalloc,
	.version = version_mimalloc,
	MALLOC_PEER
};

const struct peer kb_tcmalloc = {
	.name = "tcmalloc",
	.about = "gperftools' minimal, preloaded as malloc, one free each",
	.preload = "libtcmalloc_minimal.so.4",
	.open = open_tcmalloc,
	.version = version_tcmalloc,
	MALLOC_PEER
};
