/* peer-miheap.c -- mimalloc's first-class heaps, ended by mi_heap_destroy
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The library is opened with RTLD_LOCAL, so that its malloc does not become
 * that of the process; a call through a pointer costs what one through the PLT
 * does. A heap belongs to one thread.
 */
#include "bench.h"

#include <dlfcn.h>

static struct {
	void *(*heap_new)(void);
	void *(*heap_malloc)(void *heap, size_t size);
	void (*heap_destroy)(void *heap);
	int (*version)(void);
} mi;

#define KB_ARENA void
#define KB_ALLOC(a, l, size) mi.heap_malloc((a), (size))
#include "loops.h"

static bool
load(void)
{
	void *so;

	if (mi.heap_destroy)
		return true;
	so = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
	if (!so)
		return false;
	*(void **)&mi.heap_new = dlsym(so, "mi_heap_new");
	*(void **)&mi.heap_malloc = dlsym(so, "mi_heap_malloc");
	*(void **)&mi.version = dlsym(so, "mi_version");
	*(void **)&mi.heap_destroy = dlsym(so, "mi_heap_destroy");
	return mi.heap_new && mi.heap_malloc && mi.heap_destroy && mi.version;
}

static bool
open_heap(struct life *l)
{
	l->arena = load() ? mi.heap_new() : NULL;
	return l->arena != NULL;
}

static void
close_heap(struct life *l)
{
	mi.heap_destroy(l->arena);
}

static const char *
version(void)
{
	static char text[16];
	int v = load() ? mi.version() : 0;

	snprintf(text, sizeof text, "%d.%d.%d", v / 100, v / 10 % 10, v % 10);
	return text;
}

const struct peer kb_miheap = {
	.name = "mi_heap",
	.about = "mimalloc's heap API: mi_heap_malloc, mi_heap_destroy",
	.loops = &kb_loops,
	.open = open_heap,
	.close = close_heap,
	.version = version,
};
