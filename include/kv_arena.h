/* kv_arena.h [7] -- kvarena: memory handed out by moving a pointer
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An arena gives many small pieces of memory one common end of life. Each piece
 * costs a compare and an addition; nothing is freed one by one; reset or destroy
 * takes everything back at once, whatever was allocated. Blocks are kept warm
 * and used again, so that a loop of create, allocate and destroy soon makes no
 * system call and takes no page fault. An arena may be shared by many threads,
 * can keep its memory on a NUMA node, and can say where every byte went.
 *
 *	kv_arena_t *a = kv_arena_create(0);
 *	struct point *p = kv_arena_new(a, struct point);
 *	char *name = kv_arena_printf(a, "point %d", 7);
 *	...
 *	kv_arena_reset(a);		every allocation ends, blocks stay warm
 *	...
 *	kv_arena_destroy(a);
 *
 * Sections: Create, Allocate, Mark and rewind, Reset and destroy, Families,
 * Caches, Handles, Threads, NUMA, Statistics, Profile, Version.
 *
 * Threads. Each function says who may call it:
 *	[any]	in a KV_ARENA_THREAD_SAFE arena any thread at any time; in a
 *		KV_ARENA_THREAD_UNSAFE arena one thread at a time
 *	[owner]	one thread, while no other thread is inside the arena
 * None may be called from a signal handler. After fork() the child may use every
 * arena, whatever the parent's other threads were doing.
 *
 * Misuse that is detected, as two threads in an UNSAFE arena, ends the program with
 * a line on stderr that names the arena and the threads.
 *
 * Errors. Functions that return a pointer return NULL and set errno; those that
 * return an int return 0, or -1 and set errno. EINVAL: an argument is wrong.
 * ENOMEM: no memory, or a limit is reached. EOVERFLOW: a size does not fit in
 * size_t. A call that failed has changed nothing, and the arena works on.
 *
 * Cost. What a function does beyond a call into the library and a constant time in
 * it; in a SAFE arena all but the fast path take the arena's lock.
 */
#ifndef KV_ARENA_H
#define KV_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__MINGW32__) && !defined(__clang__)	/* not the system's printf */
#define KV_ARENA_PRINTF(f, first) \
	__attribute__((__format__(__gnu_printf__, f, first)))
#elif defined(__GNUC__)
#define KV_ARENA_PRINTF(f, first) __attribute__((__format__(__printf__, f, first)))
#else
#define KV_ARENA_PRINTF(f, first)
#endif

/* ---- Version ---------------------------------------------------------- */

#define KV_ARENA_VERSION_MAJOR 1
#define KV_ARENA_VERSION_MINOR 0
#define KV_ARENA_VERSION_PATCH 0

/* Return the version of the library in use, as "1.0.0". Any thread. Cost: a call. */
const char *kv_arena_version(void);

/* Tell whether this build and machine have a feature: "numa", "huge-pages",
 * "valgrind", "asan", "msan", "inline-shared", "profile" (with whole call stacks).
 * Unknown names give false.
 * Any thread. Cost: a call; "huge-pages" reads a file of the system. */
bool kv_arena_has(const char *feature);

/* ---- Create ------------------------------------------------------------ */

typedef struct kv_arena kv_arena_t;
typedef struct kv_arena_cache kv_arena_cache_t;

typedef enum {
	KV_ARENA_THREAD_UNSAFE = 0,	/* no atomic, no lock, no thread-local */
	KV_ARENA_THREAD_SAFE = 1	/* a shard for each thread */
} kv_arena_thread_mode_t;

typedef enum {
	KV_ARENA_NUMA_PREFERRED = 0,	/* on preferred_numa_node, else elsewhere */
	KV_ARENA_NUMA_BIND = 1,		/* on that node, or the call fails */
	KV_ARENA_NUMA_INTERLEAVE = 2,	/* page by page over all nodes */
	KV_ARENA_NUMA_LOCAL = 3		/* on the node of the thread that allocates */
} kv_arena_numa_policy_t;

typedef enum {
	KV_ARENA_HUGE_AUTO = 0,		/* for arenas that have grown past 1 MiB */
	KV_ARENA_HUGE_OFF = 1,
	KV_ARENA_HUGE_REQUIRE = 2	/* create fails where there are none */
} kv_arena_huge_pages_t;

typedef enum {
	KV_ARENA_DEBUG_OFF = 0,
	KV_ARENA_DEBUG_CHECK = 1,	/* two threads in an UNSAFE arena are caught
					 * in every call, not in refills alone */
	KV_ARENA_DEBUG_FILL = 2,	/* and writes past an allocation, or to one
					 * that a reset ended, are found later */
	KV_ARENA_DEBUG_GUARD = 3	/* and an inaccessible page follows each block */
} kv_arena_debug_t;

/* Where blocks come from, in two functions; both NULL: the system.
 * take returns size bytes aligned to 16, or NULL. give gets back what take
 * returned. Both are called without a lock held, from any thread that uses the
 * arena, and must not use that arena. */
typedef struct {
	void *(*take)(void *context, size_t size);
	void (*give)(void *context, void *block, size_t size);
	void *context;
} kv_arena_block_source_t;

/* What on_oom is told. */
typedef struct {
	kv_arena_t *arena;		/* the arena that could not grow */
	size_t wanted;			/* bytes it asked for */
	size_t limit;			/* the limit that refused; 0: the system did */
	const char *message;		/* one line, with the path root/query7/join;
					 * valid during the call */
} kv_arena_oom_t;

/* All-zero is a valid configuration: the defaults, with cache, NUMA and detailed
 * statistics off. KV_ARENA_DEFAULT_CONFIG is the usual start. */
typedef struct {
	size_t block_size;		/* step in which memory is taken, bytes;
					 * 0: the default; rounded up to a power
					 * of two or, above 2 MiB, to 2 MiB */
	kv_arena_thread_mode_t thread_mode;
	bool enable_block_cache;	/* keep blocks warm for the next use */
	size_t max_cached_blocks;	/* most blocks kept by this arena at reset */
	bool enable_numa;		/* follow numa_policy */
	int preferred_numa_node;	/* -1: none */
	bool enable_detailed_stats;	/* count allocations and sizes */

	const char *name;		/* for reports; copied, at most 31 bytes */
	size_t max_block_size;		/* largest block; 0: 2 MiB. Blocks double
					 * from block_size up to it */
	size_t memory_limit;		/* bytes held at most, children included;
					 * 0: none */
	bool (*on_oom)(void *context, const kv_arena_oom_t *oom);
					/* called once per failure, without locks;
					 * true: something was freed, try again */
	void *on_oom_context;
	kv_arena_block_source_t block_source;
	kv_arena_cache_t *cache;	/* NULL: the one of the process */
	kv_arena_numa_policy_t numa_policy;
	kv_arena_huge_pages_t huge_pages;
	bool zero;			/* every allocation is zeroed */
	kv_arena_debug_t debug;
	bool learn_block_size;		/* size the first block by what earlier
					 * arenas of this name came to hold */
	size_t sample_interval;		/* note the call stack once in so many bytes;
					 * 0: never. See Profile */
	void *reserved[7];		/* zero */
} kv_arena_config_t;

#define KV_ARENA_DEFAULT_BLOCK_SIZE 65536
#define KV_ARENA_LARGE_BLOCK_SIZE (1024 * 1024)
#define KV_ARENA_SMALL_BLOCK_SIZE 4096
#define KV_ARENA_MIN_BLOCK_SIZE 1024
#define KV_ARENA_ALIGNMENT 8
#define KV_ARENA_MAX_CACHED_BLOCKS 16

#define KV_ARENA_DEFAULT_CONFIG						\
	{ KV_ARENA_DEFAULT_BLOCK_SIZE, KV_ARENA_THREAD_UNSAFE, true,	\
	  KV_ARENA_MAX_CACHED_BLOCKS, false, -1, true,			\
	  NULL, 0, 0, NULL, NULL, { NULL, NULL, NULL }, NULL,		\
	  KV_ARENA_NUMA_PREFERRED, KV_ARENA_HUGE_AUTO, false,		\
	  KV_ARENA_DEBUG_OFF, false, 0,					\
	  { NULL, NULL, NULL, NULL, NULL, NULL, NULL } }

/* Create an arena. A NULL config means KV_ARENA_DEFAULT_CONFIG. The first block
 * is taken by the first allocation: an unused arena costs under 512 bytes.
 * EINVAL: an unknown mode, policy or level, a block size or sample interval of more
 * than half the address space, a node that does not exist with KV_ARENA_NUMA_BIND, a
 * reserved word that is not zero. ENOTSUP: huge pages are required and there are none.
 * ENOMEM: no memory. Any thread. Cost: a descriptor from malloc, and a lock of the
 * process held for a moment; no block. */
kv_arena_t *kv_arena_create_ex(const kv_arena_config_t *config);

/* Create an arena of the default configuration with this block size; 0: the
 * default; under KV_ARENA_MIN_BLOCK_SIZE: that. Errors, threads and cost are those
 * of kv_arena_create_ex. */
kv_arena_t *kv_arena_create(size_t block_size);

/* Create an arena inside the caller's buffer, which also is its first block: no
 * memory is taken until the buffer is full. The buffer must outlive the arena;
 * destroy does not free it. ENOMEM: the buffer is too small, under
 * KV_ARENA_MIN_BLOCK_SIZE. Any alignment of the buffer will do. EINVAL: NULL, or as
 * in kv_arena_create_ex. Any thread. Cost: as kv_arena_create_ex, without malloc. */
kv_arena_t *kv_arena_create_in(void *buffer, size_t size,
	const kv_arena_config_t *config);

/* Return a block size for a use: "small", "default", "large", a number with an
 * optional k, m or g, or the name of earlier arenas (see learn_block_size).
 * NULL or anything else: the default. Any thread. Cost: a look at what is learnt,
 * under a lock of the process. */
size_t kv_arena_suggest_block_size(const char *hint);

/* Return a source that takes each block from malloc, or each from mmap. Never fails.
 * Any thread. Cost: a call. */
kv_arena_block_source_t kv_arena_source_malloc(void);
kv_arena_block_source_t kv_arena_source_pages(void);

/* ---- Allocate ----------------------------------------------------------
 * Memory lives until reset, rewind past it, or destroy. Its contents are
 * unspecified but for calloc and arenas created with zero set. A size of 0 gives
 * NULL (EINVAL); so does a NULL arena. No size overflows: what does not fit in
 * the address space gives NULL (ENOMEM). */

/* Return size bytes aligned to KV_ARENA_ALIGNMENT, 8, or NULL. That is enough for
 * every type whose alignment is at most 8. long double and SIMD types go through
 * kv_arena_new or kv_arena_alloc_aligned. [any] Cost: two branches and six
 * other instructions; every block_size bytes a call. */
void *kv_arena_alloc(kv_arena_t *arena, size_t size);

/* Return size bytes aligned to any power of two. Alignments below 8 pack
 * tightly, as for strings. EINVAL: not a power of two. [any] Cost: a call. */
void *kv_arena_alloc_aligned(kv_arena_t *arena, size_t size, size_t alignment);

/* Return n * size zeroed bytes, or NULL (EOVERFLOW) if that overflows. [any] Cost: a
 * call, and the bytes are written. */
void *kv_arena_calloc(kv_arena_t *arena, size_t n, size_t size);

/* Resize an allocation from old_size to new_size bytes and return where it now
 * is. The latest allocation of the calling thread grows and shrinks in place;
 * others move when they grow, to alignment 8, and the old bytes count as
 * abandoned. NULL ptr: as alloc. new_size 0: gives the latest allocation back and
 * returns NULL with errno 0. On failure ptr stays valid. [any] Cost: a call; what
 * moves is copied. */
void *kv_arena_realloc(kv_arena_t *arena, void *ptr, size_t old_size,
	size_t new_size);

/* Return a copy of n bytes, of a string, of at most n bytes of a string (always
 * terminated), or of formatted text; packed tightly. EINVAL: NULL argument, n 0
 * in memdup, a bad format. EOVERFLOW: longer than INT_MAX. [any] Cost: a call and
 * the copy; text is formatted twice, once to learn its length. */
void *kv_arena_memdup(kv_arena_t *arena, const void *p, size_t n);
char *kv_arena_strdup(kv_arena_t *arena, const char *s);
char *kv_arena_strndup(kv_arena_t *arena, const char *s, size_t n);
char *kv_arena_printf(kv_arena_t *arena, const char *format, ...)
	KV_ARENA_PRINTF(2, 3);
char *kv_arena_vprintf(kv_arena_t *arena, const char *format, va_list args)
	KV_ARENA_PRINTF(2, 0);

/* Make sure that the calling thread's next n bytes, allocated at alignment 8,
 * cannot fail; with prefault, that they cause no page fault either. -1: ENOMEM, and
 * nothing is promised; EINVAL: NULL or n 0. [any] Cost: at most one block, and with
 * prefault its page faults now. */
int kv_arena_reserve(kv_arena_t *arena, size_t n, bool prefault);

/* Tell whether ptr lies in a block of this arena, without reading it; NULL never
 * does. [any] Cost: the blocks of the arena. */
bool kv_arena_owns(const kv_arena_t *arena, const void *ptr);

/* The ancestor's names. */
#define kv_arena_malloc(arena, size) kv_arena_alloc((arena), (size))
#define kv_arena_aligned_malloc(arena, size, alignment)			\
	kv_arena_alloc_aligned((arena), (size), (alignment))

/* ---- Mark and rewind ----------------------------------------------------
 * UNSAFE arenas only. A mark remembers a point; rewind ends every allocation
 * made since, runs the defers made since, and gives the blocks back to the
 * arena. A mark takes under 200 bytes of the arena (they count as headers), none
 * if nothing happened since the one before, and dies with a rewind past it. */

typedef struct {
	uint64_t serial;		/* 0: no mark */
	void *record;
} kv_arena_mark_t;

/* Return a mark, or one with serial 0 (EINVAL: NULL or SAFE arena; ENOMEM).
 * [owner] Cost: a small allocation. */
kv_arena_mark_t kv_arena_mark(kv_arena_t *arena);

/* Return to a mark, which stays valid. EINVAL: a stale mark, or one of another
 * arena. [owner] Cost: the blocks, defers and marks given back. */
int kv_arena_rewind(kv_arena_t *arena, kv_arena_mark_t mark);

/* Run fn(arg) at the rewind, reset or destroy that ends this moment, last in
 * first out. fn may allocate, and defer again: that one runs next. EINVAL: NULL
 * fn. [any] Cost: a small allocation, counted as header. */
int kv_arena_defer(kv_arena_t *arena, void (*fn)(void *arg), void *arg);

/* ---- Reset and destroy -------------------------------------------------- */

/* End every allocation, run all defers, destroy all children, and keep up to
 * max_cached_blocks blocks warm for the next use. NULL is fine. [owner] Cost:
 * the blocks and defers, never the allocations. */
void kv_arena_reset(kv_arena_t *arena);

/* Give back to the system every block that holds no live allocation, and the
 * unused steps of the current one. Returns the bytes by which memory_usage
 * fell; 0 for NULL. Live allocations are never touched. [any] Cost: a system call
 * for each block given back. */
size_t kv_arena_compact(kv_arena_t *arena);

/* Run all defers, destroy all children, give back everything. NULL is fine. Any
 * thread may call it, when no other is inside. Cost: the blocks and defers, never
 * the allocations. */
void kv_arena_destroy(kv_arena_t *arena);

/* ---- Families ------------------------------------------------------------ */

/* Create an arena that ends with its parent: the parent's reset and destroy
 * destroy it. What it holds counts against the limits of all its ancestors. EINVAL:
 * NULL, else as kv_arena_create_ex. [owner] of the parent. Cost: as there. */
kv_arena_t *kv_arena_create_child(kv_arena_t *parent,
	const kv_arena_config_t *config);

/* Move all blocks, allocations and defers of from into into; from stays usable,
 * empty. EINVAL: NULL, the same arena, from is created in a buffer or has
 * children, or their block sources or caches differ. ENOMEM: into's limit.
 * [owner] of both. Cost: the blocks of from, not its allocations. */
int kv_arena_absorb(kv_arena_t *into, kv_arena_t *from);

/* Write the path of an arena, as "root/query7/join", and return its length as
 * snprintf does. -1: EINVAL, NULL. [any] Cost: the ancestors. */
int kv_arena_path(const kv_arena_t *arena, char *buffer, size_t size);

/* ---- Caches --------------------------------------------------------------
 * A cache keeps blocks that arenas gave back, warm, for the next arena. One
 * serves the whole process; these make others. All may be called from any
 * thread; NULL means the cache of the process, except for destroy. */

typedef struct {
	uint64_t takes;			/* blocks asked for */
	uint64_t hits;			/* of these, found warm */
	uint64_t cached_bytes;		/* warm bytes kept now */
	uint64_t held_bytes;		/* bytes taken from the system and not yet
					 * given back, in use or not */
	uint64_t max_bytes;		/* most that cached_bytes may be */
	uint64_t returned_bytes;	/* given back to the system so far */
	uint64_t reserved[6];
} kv_arena_cache_stats_t;

/* Create a cache that keeps at most max_bytes. NULL: ENOMEM. Any thread. Cost: a
 * descriptor from malloc. */
kv_arena_cache_t *kv_arena_cache_create(size_t max_bytes);

/* Destroy it. -1 with EBUSY, and nothing done: an arena still uses it. NULL is fine.
 * Any thread. Cost: a system call for each segment given back. */
int kv_arena_cache_destroy(kv_arena_cache_t *cache);

/* Give back to the system all but keep_bytes; returns the bytes given back. Any
 * thread. Cost: a system call for each block or segment. */
size_t kv_arena_cache_trim(kv_arena_cache_t *cache, size_t keep_bytes);

/* Fill stats. -1: EINVAL, stats is NULL. Any thread. Cost: a call. */
int kv_arena_cache_get_stats(kv_arena_cache_t *cache,
	kv_arena_cache_stats_t *stats);

/* ---- Handles -------------------------------------------------------------
 * A handle is a pointer that knows when it is dead: after reset, rewind past
 * it or destroy, deref gives NULL. Cost of deref: one load, one compare. */

typedef struct {
	void *ptr;
	const uint64_t *cell;		/* the arena's generation, kept for ever */
	uint64_t generation;
} kv_arena_handle_t;

/* Make a handle of a pointer into the arena. A handle with a NULL ptr: EINVAL
 * (the arena does not own ptr) or ENOMEM. [any] Cost: as kv_arena_owns. */
kv_arena_handle_t kv_arena_handle(kv_arena_t *arena, void *ptr);

/* Return the pointer, or NULL if its life has ended. Any thread. Cost: a call, one
 * load and one compare. */
void *kv_arena_deref(kv_arena_handle_t handle);

/* Make every block read-only, or writable again. Allocating from a sealed arena
 * fails (EPERM). Blocks that do not have their pages to themselves, as a buffer
 * of the caller's, cannot be sealed (ENOTSUP). reset and destroy unseal. EINVAL:
 * NULL. [owner] Cost: a system call for each block. */
int kv_arena_seal(kv_arena_t *arena);
int kv_arena_unseal(kv_arena_t *arena);

/* ---- NUMA ------------------------------------------------------------------ */

/* Return the node of the calling CPU, -1 where that is not known. Any thread. Cost: a
 * call into the C library, which asks the CPU. */
int kv_arena_get_numa_node(void);

/* Ask that the calling thread's memory come from this node; -1: no preference.
 * -1 with errno: ENOTSUP no NUMA, EINVAL no such node, EPERM not permitted. Any
 * thread, for itself. Cost: a system call. */
int kv_arena_set_numa_policy(int node);

#define KV_ARENA_MAX_NODES 64

typedef struct {
	int nodes;			/* nodes of the machine; 1 without NUMA */
	int wanted_node;		/* -1: none */
	bool permitted;			/* the system lets us place memory */
	int last_errno;			/* why it last refused; 0: never */
	uint64_t pages_on[KV_ARENA_MAX_NODES];	/* as the kernel tells */
	uint64_t pages_wanted;		/* pages where they belong */
	uint64_t pages_elsewhere;
	uint64_t pages_untouched;	/* have no memory yet */
	uint64_t fallbacks;		/* blocks that could not be placed */
} kv_arena_numa_report_t;

/* Ask the kernel where every page of the arena lies. -1: EINVAL, NULL; ENOTSUP or
 * what the kernel said: it cannot tell. [any] Cost: one system call per 1,024 pages. */
int kv_arena_numa_report(const kv_arena_t *arena, kv_arena_numa_report_t *report);

/* ---- Statistics ------------------------------------------------------------ */

typedef struct {
	uint64_t total_allocations;	/* calls served since create (detailed) */
	uint64_t total_bytes_allocated;	/* bytes asked for; without detailed
					 * statistics the bytes handed out */
	uint64_t total_bytes_wasted;	/* rounding, padding and block tails, now */
	uint64_t peak_memory_usage;	/* most bytes held */
	uint64_t current_memory_usage;	/* bytes held now, headers included */
	uint64_t block_allocations;	/* blocks that came fresh */
	uint64_t block_reuses;		/* blocks that came warm */
	uint64_t size_distribution[16];	/* i: 2^(i-1) < size <= 2^i; last: the rest */
	uint64_t alignment_requests[8];	/* alloc_aligned: 1 2 4 8 16 32 64 larger */

	/* Where the bytes are now. At rest
	 * current_memory_usage = used + padding + tails + abandoned + free + headers. */
	uint64_t used_bytes;		/* live bytes as asked for; without detailed
					 * statistics rounding is in here too */
	uint64_t padding_bytes;		/* lost to rounding and alignment */
	uint64_t tail_bytes;		/* lost at the ends of blocks and shards */
	uint64_t abandoned_bytes;	/* old copies left behind by realloc */
	uint64_t free_bytes;		/* still to be handed out */
	uint64_t header_bytes;		/* descriptors of arena, blocks, shards */

	uint64_t blocks;		/* blocks held now */
	uint64_t blocks_returned;	/* given back since create */
	uint64_t large_allocations;	/* served by a block of their own */
	uint64_t failed_allocations;	/* returned NULL */
	uint64_t resets;
	uint64_t shards;		/* threads that have a share, or had */
	uint64_t shard_handovers;	/* shares taken over from ended threads */
	uint64_t lock_waits;		/* slow paths that met another thread */
	uint64_t numa_fallbacks;	/* blocks that could not be placed */
	uint64_t children_memory_usage;	/* bytes held by all descendants */
	uint64_t reserved[8];
} kv_arena_stats_t;

/* Fill stats. -1: EINVAL, NULL. [any] Exact when no thread is allocating; else each
 * figure was true at some moment of the call. Cost: the shards and
 * what blocks are spare. */
int kv_arena_get_stats(const kv_arena_t *arena, kv_arena_stats_t *stats);

/* Start counting anew: totals, histograms and block counts fall to 0, the peak
 * to the present. What is live stays. NULL is fine. [any] Cost: the shards. */
void kv_arena_reset_stats(kv_arena_t *arena);

/* Return the bytes that the arena holds from its source, headers included; 0 for
 * NULL. [any] Cost: a call. */
size_t kv_arena_memory_usage(const kv_arena_t *arena);

/* Return the bytes handed out and live, rounding included; 0 for NULL. [any] Cost:
 * as kv_arena_get_stats. */
size_t kv_arena_total_allocated(const kv_arena_t *arena);

/* Print where the memory went, for people, to stdout. NULL is fine. [any] Cost: as
 * kv_arena_write_report. */
void kv_arena_print_hotspots(const kv_arena_t *arena);

typedef enum {
	KV_ARENA_REPORT_TEXT = 0,
	KV_ARENA_REPORT_JSON = 1,
	KV_ARENA_REPORT_PROMETHEUS = 2
} kv_arena_report_format_t;

/* Write a report of an arena and its children; NULL: of every live arena (then
 * UNSAFE arenas must not be in use meanwhile). -1: EINVAL, no out or an unknown
 * format; EIO: out could not be written. [any] Cost: the arenas, and
 * where pages are told what kv_arena_numa_report costs. */
int kv_arena_write_report(const kv_arena_t *arena, FILE *out,
	kv_arena_report_format_t format);

/* ---- Profile ----------------------------------------------------------------
 * Which call stacks allocate, and how much. An arena with a sample_interval of n
 * notes the stack of one allocation in about n bytes, chosen by lot: each 8 bytes
 * have the same chance. What is noted counts for those that are not, so that sums
 * are right on the average; the more samples, the nearer. Sampling costs the fast
 * path nothing: the slow path is called once more in n bytes. 512 KiB is usual.
 *
 * Each stack has four sums since create or reset_stats:
 *	bytes		asked for, growth in place by realloc included
 *	objects		allocations
 *	padding		bytes lost to rounding and alignment
 *	abandoned	bytes of old copies that realloc left behind
 * An arena keeps up to 4,096 stacks of up to 64 frames, in memory that does not count
 * as its own; what more stacks allocate is summed as "[other stacks]". Absorb leaves
 * what was sampled with the arena that allocated. */

typedef enum {
	KV_ARENA_PROFILE_PPROF = 0,	/* protocol buffer, all four, for pprof */
	KV_ARENA_PROFILE_FOLDED = 1,	/* "arena;outermost;...;innermost bytes" */
	KV_ARENA_PROFILE_FOLDED_OBJECTS = 2,
	KV_ARENA_PROFILE_FOLDED_PADDING = 3,
	KV_ARENA_PROFILE_FOLDED_ABANDONED = 4
} kv_arena_profile_format_t;

/* Write what was sampled in an arena and its children; NULL: in every live arena,
 * which may be in use meanwhile. Functions are named as far as the dynamic symbols
 * tell; others are "file+0xoffset", from where the file begins. -1: EINVAL, no out or
 * an unknown format; ENOMEM; EIO: out could not be written. [any] Cost: the stacks, of
 * which a copy is made first. */
int kv_arena_write_profile(const kv_arena_t *arena, FILE *out,
	kv_arena_profile_format_t format);

#ifdef __cplusplus
}
#endif

#include "kv_arena_inline.h"

#endif
