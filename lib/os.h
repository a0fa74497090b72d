/* os.h [1] -- what the library asks of an operating system
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The file a porter reads, and the only one. Every call of the library to the
 * system goes through the table below, so that a test can put a fake system, or
 * one that fails on the n-th call, in its place (fault.h).
 *
 * Rules: addresses and sizes are multiples of the page; no argument is NULL;
 * functions that return int give 0, or -1 with errno. A system that lacks a
 * feature gives -1 with ENOTSUP, and the library goes on without it. Nothing here
 * prints. All may be called from any thread.
 */
#ifndef KVA_OS_H
#define KVA_OS_H

#include "base.h"

enum kva_access { KVA_ACCESS_NONE, KVA_ACCESS_READ, KVA_ACCESS_WRITE };

/* A place is a policy with its node, in one byte: blocks of two places are never
 * mixed. Nodes go up to 62. */
typedef uint8_t kva_place_t;
#define KVA_PLACE_ANY 0u
#define KVA_PLACE_INTERLEAVE 1u
#define KVA_PLACE_PREFERRED(node) ((kva_place_t)(2u + 2u * (unsigned)(node)))
#define KVA_PLACE_BIND(node) ((kva_place_t)(3u + 2u * (unsigned)(node)))
#define KVA_PLACES 128
#define KVA_NODES 63
#define KVA_NO_NODE (-1)

static inline int
kva_place_node(kva_place_t place)
{
	return place < 2 ? KVA_NO_NODE : (place - 2) / 2;
}

static inline bool
kva_place_is_bind(kva_place_t place)
{
	return place >= 2 && (place & 1);
}

/* A piece of a file that the process runs, and what a code address lies in. */
struct kva_mapping {
	uintptr_t start, end;
	uint64_t offset;		/* of start in the file */
	const char *path;
};

struct kva_symbol {
	const char *path;		/* of the file */
	uintptr_t base;			/* where the file begins in memory */
	const char *name;		/* of the function; NULL: not known, */
	uintptr_t start;		/* and where it begins */
};

struct kva_os {
	/* Memory for descriptors; alignment is a power of two. NULL with ENOMEM. */
	void *(*alloc)(size_t size, size_t alignment);
	void (*free)(void *p);

	/* Fresh zeroed pages, readable and writable. alignment is a power of two of
	 * at least a page. place is where bind will want them, said before for systems
	 * that choose a node when they give out addresses. NULL with ENOMEM. What one
	 * call gave is unmapped by one. */
	void *(*map)(size_t size, size_t alignment, kva_place_t place);
	int (*unmap)(void *p, size_t size);

	/* Give the memory back but keep the addresses; contents become zero. */
	int (*discard)(void *p, size_t size);

	/* Ask for huge pages, or for none; whether asking can help at all. */
	int (*huge)(void *p, size_t size, bool on);
	bool (*has_huge)(void);

	/* Change what may be done with the pages. */
	int (*protect)(void *p, size_t size, enum kva_access access);

	/* Have memory behind all pages now. */
	int (*populate)(void *p, size_t size);

	/* Show a name for the pages in the system's map of the process. */
	int (*label)(void *p, size_t size, const char *name);

	/* Have the pages come from a place other than ANY, for which they were mapped.
	 * EINVAL: no such node, or one without memory. EPERM: not permitted. ENOMEM:
	 * the node is full; pages for which a node is merely preferred will come from
	 * another. */
	int (*bind)(void *p, size_t size, kva_place_t place);

	/* The node each page lies on: a negative errno in node[i] where it has no
	 * memory yet. */
	int (*where)(void *const *pages, int *node, size_t n);

	/* Nodes of the machine, at least 1 and always the same; the calling CPU's,
	 * below that, or -1. */
	int (*nodes)(void);
	int (*node_here)(void);

	/* Have the calling thread's memory come from a node, -1: from anywhere. */
	int (*prefer)(int node);

	/* Have a function called with value when a thread ends that has set one. */
	int (*exit_hook)(void (*fn)(void *value));
	int (*exit_value)(void *value);

	/* The calling thread's own size bytes, zeroed at first and the same ones at
	 * each call, as a value that it has set: for systems where thread-locals are
	 * gone before the hook runs. They are freed after that. NULL: there is no
	 * hook, or it has run, or ENOMEM. */
	void *(*record)(size_t size);

	/* Have three functions called around fork, where there is one. */
	int (*fork_hook)(void (*before)(void), void (*parent)(void),
		void (*child)(void));

	/* The size of a page, and of all memory of the machine, 0: unknown. */
	size_t (*page)(void);
	uint64_t (*memory)(void);

	/* The return addresses of the calls that lead here, the innermost first, at
	 * most n; returns how many, 0: not known. The first call may ask for memory. */
	int (*backtrace)(void **frames, int n);

	/* What a code address lies in; false: not known. */
	bool (*symbol)(const void *address, struct kva_symbol *symbol);

	/* Call visit for each piece of a file that can be executed, as far as known. */
	void (*mappings)(void (*visit)(void *context, const struct kva_mapping *m),
		void *context);
};

/* The system in use. Tests replace entries before any other call. */
extern struct kva_os kva_os;

/* The POSIX part, from which os_linux.c and os_generic.c make their tables. */
void *kva_posix_alloc(size_t size, size_t alignment);
void kva_posix_free(void *p);
void *kva_posix_map(size_t size, size_t alignment, kva_place_t place);
int kva_posix_unmap(void *p, size_t size);
int kva_posix_protect(void *p, size_t size, enum kva_access access);
int kva_posix_exit_hook(void (*fn)(void *value));
int kva_posix_exit_value(void *value);
void *kva_posix_record(size_t size);
int kva_posix_fork_hook(void (*before)(void), void (*parent)(void),
	void (*child)(void));
size_t kva_posix_page(void);
uint64_t kva_posix_memory(void);
int kva_posix_backtrace(void **frames, int n);
bool kva_posix_symbol(const void *address, struct kva_symbol *symbol);

#endif
