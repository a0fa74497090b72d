/* os_posix.c [1] -- the part of the contract that POSIX serves
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "os.h"
#include "atomic.h"
#include "watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_BACKTRACE
#include <execinfo.h>
#endif
#ifdef HAVE_DLADDR
#include <dlfcn.h>
#endif

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

/* What malloc promises, without padding: 8 on some 32-bit machines. */
#define MALLOC_ALIGNMENT (2 * sizeof(size_t))

void *
kva_posix_alloc(size_t size, size_t alignment)
{
	void *p = NULL;

	if (alignment <= MALLOC_ALIGNMENT)
		p = malloc(size);
	else if (posix_memalign(&p, alignment, size) != 0)
		p = NULL;
	if (!p)
		errno = ENOMEM;
	return p;
}

void
kva_posix_free(void *p)
{
	free(p);
}

static void *
map_anywhere(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		return p;
	errno = ENOMEM;		/* EAGAIN and ENFILE mean no more to our caller */
	return NULL;
}

/* Recent kernels align large mappings by themselves, so try the plain call. */
void *
kva_posix_map(size_t size, size_t alignment, kva_place_t place)
{
	char *p = map_anywhere(size);
	size_t head, slack = alignment - kva_posix_page();

	(void)place;	/* bind is soon enough */
	if (!p || ((uintptr_t)p & (alignment - 1)) == 0)
		return p;
	munmap(p, size);

	p = map_anywhere(size + slack);
	if (!p)
		return NULL;
	head = (size_t)(-(uintptr_t)p & (alignment - 1));
	if (head)
		munmap(p, head);
	if (slack - head)
		munmap(p + head + size, slack - head);
	return p + head;
}

int
kva_posix_unmap(void *p, size_t size)
{
	return munmap(p, size);
}

int
kva_posix_protect(void *p, size_t size, enum kva_access access)
{
	static const int bits[] = {
		[KVA_ACCESS_NONE] = PROT_NONE,
		[KVA_ACCESS_READ] = PROT_READ,
		[KVA_ACCESS_WRITE] = PROT_READ | PROT_WRITE,
	};

	return mprotect(p, size, bits[access]);
}

/* Made once, before any use. Without a key there are no hooks: key 0 may well be
 * somebody else's. */
static pthread_key_t exit_key, record_key;
static bool has_exit_key, has_record_key;
static void (*exit_fn)(void *value);
static char ended;	/* stands for the record of a thread that had one */

/* Called once more for the mark it leaves, until the system has had enough. */
static void
end_record(void *record)
{
	pthread_setspecific(record_key, &ended);
	if (record == &ended)
		return;
	exit_fn(record);
	free(record);
}

int
kva_posix_exit_hook(void (*fn)(void *value))
{
	int error = pthread_key_create(&exit_key, fn);

	exit_fn = fn;
	has_exit_key = error == 0;
	has_record_key = has_exit_key &&
		pthread_key_create(&record_key, end_record) == 0;
	errno = error;
	return error ? -1 : 0;
}

int
kva_posix_exit_value(void *value)
{
	int error = has_exit_key ? pthread_setspecific(exit_key, value) : ENOTSUP;

	errno = error;
	return error ? -1 : 0;
}

void *
kva_posix_record(size_t size)
{
	void *record;

	if (!has_record_key)
		return NULL;
	record = pthread_getspecific(record_key);
	if (record)
		return record == &ended ? NULL : record;
	record = calloc(1, size);
	if (record && pthread_setspecific(record_key, record) != 0) {
		free(record);
		return NULL;
	}
	return record;
}

int
kva_posix_fork_hook(void (*before)(void), void (*parent)(void),
	void (*child)(void))
{
	if (pthread_atfork(before, parent, child) == 0)
		return 0;
	errno = ENOMEM;		/* the one reason there is; musl says -1 */
	return -1;
}

size_t
kva_posix_page(void)
{
	static size_t page;	/* racing threads store the same value */
	size_t size = kva_load_relaxed(&page);

	if (size == 0) {
		size = (size_t)sysconf(_SC_PAGESIZE);
		kva_watch_atomic(&page, sizeof page);
		kva_store_relaxed(&page, size);
	}
	return size;
}

uint64_t
kva_posix_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);

	return pages > 0 ? (uint64_t)pages * kva_posix_page() : 0;
}

#ifdef HAVE_BACKTRACE
int
kva_posix_backtrace(void **frames, int n)
{
	return backtrace(frames, n);
}
#else
int
kva_posix_backtrace(void **frames, int n)
{
	(void)frames, (void)n;
	return 0;
}
#endif

#ifdef HAVE_DLADDR
bool
kva_posix_symbol(const void *address, struct kva_symbol *symbol)
{
	Dl_info info;

	if (!dladdr((void *)(uintptr_t)address, &info))
		return false;
	*symbol = (struct kva_symbol){
		.path = info.dli_fname, .base = (uintptr_t)info.dli_fbase,
		.name = info.dli_sname, .start = (uintptr_t)info.dli_saddr,
	};
	return true;
}
#else
bool
kva_posix_symbol(const void *address, struct kva_symbol *symbol)
{
	(void)address, (void)symbol;
	return false;
}
#endif
