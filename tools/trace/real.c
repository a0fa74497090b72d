/* real.c -- the allocator that the program would have without the recorder
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "real.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>

/* dlsym asks for some hundred bytes; a program's other preloaded libraries may
 * ask for more in their own look-ups. */
#define SMALL_HEAP 65536

enum { UNKNOWN, ASKING, KNOWN };

struct kvt_real kvt_real;

static _Atomic int state = UNKNOWN;
static _Alignas(64) char small[SMALL_HEAP];
static _Atomic size_t small_used;

/* A function pointer through dlsym, without the cast that ISO C forbids. */
static void
look_up(void *function, const char *name)
{
	*(void **)function = dlsym(RTLD_NEXT, name);
}

bool
kvt_real_ready(void)
{
	int expected = UNKNOWN;

	if (atomic_load_explicit(&state, memory_order_acquire) == KNOWN)
		return true;
	if (!atomic_compare_exchange_strong(&state, &expected, ASKING))
		return expected == KNOWN;

	look_up(&kvt_real.malloc, "malloc");
	look_up(&kvt_real.calloc, "calloc");
	look_up(&kvt_real.realloc, "realloc");
	look_up(&kvt_real.free, "free");
	look_up(&kvt_real.posix_memalign, "posix_memalign");
	look_up(&kvt_real.aligned_alloc, "aligned_alloc");
	look_up(&kvt_real.memalign, "memalign");
	look_up(&kvt_real.valloc, "valloc");
	look_up(&kvt_real.pvalloc, "pvalloc");
	atomic_store_explicit(&state, KNOWN, memory_order_release);
	return true;
}

void *
kvt_small_alloc(size_t size, size_t alignment)
{
	size_t used = atomic_load(&small_used);
	size_t start;

	if (size > SMALL_HEAP || alignment > SMALL_HEAP)
		return NULL;
	do {
		start = (used + alignment - 1) & ~(alignment - 1);
		if (start > SMALL_HEAP - size)
			return NULL;
	} while (!atomic_compare_exchange_weak(&small_used, &used, start + size));
	return small + start;
}

bool
kvt_small_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)small < SMALL_HEAP;
}

size_t
kvt_small_room(const void *p)
{
	return SMALL_HEAP - (size_t)((const char *)p - small);
}
