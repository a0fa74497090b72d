/* watch.c [1] -- telling memory checkers what is handed out
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The sanitizers' run-time functions are weak references: they resolve when the
 * program brings them along, so an unsanitized library serves sanitized programs.
 */
#include "watch.h"
#include "atomic.h"

#ifdef HAVE_VALGRIND_H
#include <valgrind/drd.h>
#include <valgrind/helgrind.h>
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MAKE_MEM_NOACCESS(p, size) ((void)(p), (void)(size))
#define VALGRIND_MAKE_MEM_UNDEFINED(p, size) ((void)(p), (void)(size))
#define VALGRIND_MAKE_MEM_DEFINED(p, size) ((void)(p), (void)(size))
#define VALGRIND_DO_CLIENT_REQUEST_STMT(request, p, size, a, b, c)	\
	((void)(p), (void)(size))
#define VALGRIND_HG_DISABLE_CHECKING(p, size) ((void)(p), (void)(size))
#endif

#if defined(__ELF__)
#define WEAK __attribute__((__weak__))
extern WEAK void __asan_poison_memory_region(void const volatile *p, size_t size);
extern WEAK void __asan_unpoison_memory_region(void const volatile *p, size_t size);
extern WEAK void __msan_allocated_memory(const volatile void *p, size_t size);
#else
#define __asan_poison_memory_region ((void (*)(void const volatile *, size_t))NULL)
#define __asan_unpoison_memory_region __asan_poison_memory_region
#define __msan_allocated_memory __asan_poison_memory_region
#endif

enum checker { NOT_KNOWN, NONE, ASAN, MSAN, VALGRIND };

static enum checker
checker(void)
{
	static int found;	/* racing threads store the same value */
	int c = kva_load_relaxed(&found);

	if (kva_likely(c != NOT_KNOWN))
		return (enum checker)c;
	c = NONE;
	if (__asan_poison_memory_region)
		c = ASAN;
	else if (__msan_allocated_memory)
		c = MSAN;
	else if (RUNNING_ON_VALGRIND)
		c = VALGRIND;
	kva_store_relaxed(&found, c);
	return (enum checker)c;
}

bool
kva_watch_on(void)
{
	return checker() != NONE;
}

void
kva_watch_forbid(const void *p, size_t size)
{
	switch (checker()) {
	case ASAN:
		__asan_poison_memory_region(p, size);
		break;
	case MSAN:	/* reading it before writing is an error */
		__msan_allocated_memory(p, size);
		break;
	case VALGRIND:
		VALGRIND_MAKE_MEM_NOACCESS(p, size);
		break;
	default:
		break;
	}
}

void
kva_watch_allow(const void *p, size_t size)
{
	switch (checker()) {
	case ASAN:
		__asan_unpoison_memory_region(p, size);
		break;
	case MSAN:
		__msan_allocated_memory(p, size);
		break;
	case VALGRIND:
		VALGRIND_MAKE_MEM_UNDEFINED(p, size);
		break;
	default:
		break;
	}
}

void
kva_watch_restore(const void *p, size_t size)
{
	switch (checker()) {
	case ASAN:
		__asan_unpoison_memory_region(p, size);
		break;
	case VALGRIND:
		VALGRIND_MAKE_MEM_DEFINED(p, size);
		break;
	default:
		break;
	}
}

void
kva_watch_atomic(const void *p, size_t size)
{
	switch (checker()) {
	case VALGRIND:
		VALGRIND_HG_DISABLE_CHECKING(p, size);
		VALGRIND_DO_CLIENT_REQUEST_STMT(VG_USERREQ__DRD_START_SUPPRESSION, p,
			size, 0, 0, 0);
		break;
	default:
		break;
	}
}

const char *
kva_watch_name(void)
{
	static const char *const names[] = {
		[NOT_KNOWN] = "none", [NONE] = "none", [ASAN] = "asan",
		[MSAN] = "msan", [VALGRIND] = "valgrind",
	};

	return names[checker()];
}
