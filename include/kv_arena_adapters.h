/* kv_arena_adapters.h [7] -- an arena behind a library's allocation hooks
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Many libraries let the caller supply malloc, realloc and free. The functions
 * here have those shapes and serve from an arena, so that everything a parser or
 * an interpreter built goes away with one reset. Header only; nothing of it is
 * in the library, and a program that does not include it pays nothing.
 *
 *	ProtobufCAllocator from_arena = {
 *		kv_arena_adapter_bare_malloc, kv_arena_adapter_bare_free, arena
 *	};
 *	Zones *zones = zones__unpack(&from_arena, size, data);
 *	...
 *	kv_arena_reset(arena);			zones__free_unpacked is not needed
 *
 * Which set to take:
 *
 *	the hook has              functions                    as in
 *	a context, first          kv_arena_adapter_NAME        protobuf-c, yajl,
 *	                                                       zstd, brotli, duktape
 *	a context, last           kv_arena_adapter_NAME_in     nghttp2, pcre2
 *	the same, no realloc      kv_arena_adapter_bare_NAME   protobuf-c, zstd
 *	unsigned items and size   kv_arena_adapter_zalloc      zlib
 *	a context and old sizes   kv_arena_adapter_sized       Lua
 *	no context                kv_arena_current_NAME        cmark, expat, libxml2,
 *	                                                       tree-sitter
 *	the same, no realloc      kv_arena_current_bare_NAME   cJSON, jansson
 *	no context, old sizes     kv_arena_current_sized_NAME  GMP
 *
 * The plain sets put 8 bytes with the size in front of each piece; the sized and
 * the bare ones put nothing. free and realloc act in place on the newest piece; an
 * older one that is freed stays until reset, and one that grows is copied; the
 * bare free does nothing at all. So a library that frees
 * and allocates all the time makes an arena grow: compare
 * kv_arena_total_allocated with what is alive before relying on it.
 *
 * Every piece is aligned to KV_ARENA_ALIGNMENT, 8, not to 16 as by malloc: enough
 * for a library that keeps neither long double nor SIMD types in it.
 *
 * The arena must outlive what the library holds. Leaving out the library's own
 * destroy function is sound only if it would have done nothing but free memory:
 * no file, lock or global state may hang on the object.
 */
#ifndef KV_ARENA_ADAPTERS_H
#define KV_ARENA_ADAPTERS_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kv_arena.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Inside --------------------------------------------------------------
 *
 *	| head | the caller's bytes ...
 *
 * head is the size shifted left by one; its lowest bit is 1 if the piece came
 * from malloc, which only the current set does. Always 8 bytes, so that what
 * follows keeps the alignment on 32-bit machines too. */
typedef uint64_t kv_arena_adapter_head_t;

#define KV_ARENA_ADAPTER_HEAD sizeof(kv_arena_adapter_head_t)

static inline kv_arena_adapter_head_t *
kv_arena_adapter_head(void *ptr)
{
	return (kv_arena_adapter_head_t *)ptr - 1;
}

static inline size_t
kv_arena_adapter_size(void *ptr)
{
	return (size_t)(*kv_arena_adapter_head(ptr) >> 1);
}

/* Bytes to ask for; a size that overflows becomes one that never fits. */
static inline size_t
kv_arena_adapter_gross(size_t size)
{
	return size <= SIZE_MAX / 2 ? size + KV_ARENA_ADAPTER_HEAD : SIZE_MAX;
}

/* End a piece. Only the newest has anything to give back; in a plain arena the
 * call is saved for the others, as it can be seen from here which that is. Not where
 * debug levels and memory checkers keep the window shut: they want to hear of each. */
static inline void
kv_arena_adapter_end(kv_arena_t *arena, void *piece, size_t size)
{
	const struct kv_arena_bump *b;
	char *after = (char *)piece + ((size + (KV_ARENA_ALIGNMENT - 1)) &
		~(size_t)(KV_ARENA_ALIGNMENT - 1));

	if (!arena || !size)
		return;
	if ((uintptr_t)arena & KV_ARENA_PLAIN) {
		b = kv_arena_bump_of(arena, KV_ARENA_PLAIN);
		if (b->cur != b->end && after != b->cur)
			return;
	}
	(void)kv_arena_realloc(arena, piece, size, 0);
}

/* ---- A context, first ----------------------------------------------------
 * The context is the kv_arena_t. Sizes of 0 give a distinct pointer, as libraries
 * take NULL for lack of memory. NULL: no memory (errno ENOMEM, EOVERFLOW). The
 * threads of the arena's mode may call them. */

/* Return size bytes. Cost: the inline kv_arena_alloc and one store. */
static inline void *
kv_arena_adapter_malloc(void *arena, size_t size)
{
	kv_arena_adapter_head_t *head = (kv_arena_adapter_head_t *)
		kv_arena_alloc((kv_arena_t *)arena, kv_arena_adapter_gross(size));

	if (!head)
		return NULL;
	*head = (kv_arena_adapter_head_t)size << 1;
	return head + 1;
}

/* Return n * size zeroed bytes. */
static inline void *
kv_arena_adapter_calloc(void *arena, size_t n, size_t size)
{
	void *p;

	if (size && n > SIZE_MAX / size) {
		errno = EOVERFLOW;
		return NULL;
	}
	p = kv_arena_adapter_malloc(arena, n * size);
	return p ? memset(p, 0, n * size) : NULL;
}

/* Forget a piece; NULL is fine. The newest one makes room again. */
static inline void
kv_arena_adapter_free(void *arena, void *ptr)
{
	if (ptr)
		kv_arena_adapter_end((kv_arena_t *)arena,
			kv_arena_adapter_head(ptr),
			kv_arena_adapter_gross(kv_arena_adapter_size(ptr)));
}

/* Resize a piece and return where it now is; NULL ptr: malloc. Size 0: free, and
 * NULL. On failure ptr stays valid. */
static inline void *
kv_arena_adapter_realloc(void *arena, void *ptr, size_t size)
{
	kv_arena_adapter_head_t *head;

	if (!ptr)
		return kv_arena_adapter_malloc(arena, size);
	if (!size) {
		kv_arena_adapter_free(arena, ptr);
		return NULL;
	}
	head = (kv_arena_adapter_head_t *)kv_arena_realloc((kv_arena_t *)arena,
		kv_arena_adapter_head(ptr),
		kv_arena_adapter_gross(kv_arena_adapter_size(ptr)),
		kv_arena_adapter_gross(size));
	if (!head)
		return NULL;
	*head = (kv_arena_adapter_head_t)size << 1;
	return head + 1;
}

/* zlib's alloc_func; its zfree is kv_arena_adapter_free. Not zeroed. */
static inline void *
kv_arena_adapter_zalloc(void *arena, unsigned n, unsigned size)
{
	if (size && n > SIZE_MAX / size) {
		errno = EOVERFLOW;
		return NULL;
	}
	return kv_arena_adapter_malloc(arena, (size_t)n * size);
}

/* ---- A context, first, and no realloc -------------------------------------
 * For what is built and discarded: nothing in front of a piece, no free. */
static inline void *
kv_arena_adapter_bare_malloc(void *arena, size_t size)
{
	return kv_arena_alloc((kv_arena_t *)arena, size ? size : 1);
}

static inline void
kv_arena_adapter_bare_free(void *arena, void *ptr)
{
	(void)arena;
	(void)ptr;
}

/* ---- A context, last ----------------------------------------------------- */

static inline void *
kv_arena_adapter_malloc_in(size_t size, void *arena)
{
	return kv_arena_adapter_malloc(arena, size);
}

static inline void *
kv_arena_adapter_calloc_in(size_t n, size_t size, void *arena)
{
	return kv_arena_adapter_calloc(arena, n, size);
}

static inline void *
kv_arena_adapter_realloc_in(void *ptr, size_t size, void *arena)
{
	return kv_arena_adapter_realloc(arena, ptr, size);
}

static inline void
kv_arena_adapter_free_in(void *ptr, void *arena)
{
	kv_arena_adapter_free(arena, ptr);
}

/* ---- A context and old sizes ---------------------------------------------
 * lua_Alloc. No header. NULL ptr: new_size bytes (old_size then says something
 * else, and is not looked at). new_size 0: free, and NULL. A library with
 * separate functions calls it with a NULL ptr or a 0; FreeType's FT_Memory finds
 * its arena in memory->user. */
static inline void *
kv_arena_adapter_sized(void *arena, void *ptr, size_t old_size, size_t new_size)
{
	if (!new_size) {
		if (ptr)
			kv_arena_adapter_end((kv_arena_t *)arena, ptr, old_size);
		return NULL;
	}
	if (!ptr || !old_size)
		return kv_arena_alloc((kv_arena_t *)arena, new_size);
	return kv_arena_realloc((kv_arena_t *)arena, ptr, old_size, new_size);
}

/* ---- No context ------------------------------------------------------------
 * Hooks without a context find their arena in a thread-local variable.
 *
 *	xmlMemSetup(kv_arena_current_free, kv_arena_current_malloc,
 *		kv_arena_current_realloc, kv_arena_current_strdup);	once
 *
 *	kv_arena_t *before = kv_arena_current_push(arena);
 *	xmlDoc *doc = xmlReadMemory(text, size, NULL, NULL, 0);
 *	...
 *	kv_arena_current_pop(before);		doc is not used from here on
 *	kv_arena_reset(arena);
 *
 * The rule: nothing that was made, or grown, between push and pop outlives the
 * arena that was pushed. Pushes nest; each thread has its own. Hooks are mostly
 * global, so other code may call the library with nothing pushed: then the
 * functions are malloc and free, and each piece knows which it came from, so a
 * late free is right in any order. A free of an arena's piece while another
 * arena, or none, is current does nothing.
 *
 * One variable serves the whole program where symbols can be weak (ELF).
 * Elsewhere each source file has its own: hook, push and pop in one file. */
#if defined(__ELF__)
__attribute__((__weak__)) __thread kv_arena_t *kv_arena_current_top;
#else
static __thread kv_arena_t *kv_arena_current_top;
#endif

/* Make an arena the current one of this thread, NULL for malloc, and return the
 * one before it, which kv_arena_current_pop wants. */
static inline kv_arena_t *
kv_arena_current_push(kv_arena_t *arena)
{
	kv_arena_t *before = kv_arena_current_top;

	kv_arena_current_top = arena;
	return before;
}

static inline void
kv_arena_current_pop(kv_arena_t *before)
{
	kv_arena_current_top = before;
}

/* A piece from malloc: 16 bytes in front, the head in the last 8, so that it is
 * aligned as malloc's are. */
static inline void *
kv_arena_current_from_malloc(void *old, size_t size)
{
	kv_arena_adapter_head_t *base = NULL;

	if (size <= SIZE_MAX / 2)
		base = (kv_arena_adapter_head_t *)realloc(
			old ? kv_arena_adapter_head(old) - 1 : NULL,
			size + 2 * KV_ARENA_ADAPTER_HEAD);
	else
		errno = ENOMEM;
	if (!base)
		return NULL;
	base[1] = (kv_arena_adapter_head_t)size << 1 | 1;
	return base + 2;
}

static inline void *
kv_arena_current_malloc(size_t size)
{
	kv_arena_t *arena = kv_arena_current_top;

	if (KV_ARENA_LIKELY(arena != NULL))
		return kv_arena_adapter_malloc(arena, size);
	return kv_arena_current_from_malloc(NULL, size);
}

static inline void *
kv_arena_current_calloc(size_t n, size_t size)
{
	void *p;

	if (size && n > SIZE_MAX / size) {
		errno = EOVERFLOW;
		return NULL;
	}
	p = kv_arena_current_malloc(n * size);
	return p ? memset(p, 0, n * size) : NULL;
}

static inline void
kv_arena_current_free(void *ptr)
{
	if (!ptr)
		return;
	if (*kv_arena_adapter_head(ptr) & 1)
		free(kv_arena_adapter_head(ptr) - 1);
	else
		kv_arena_adapter_free(kv_arena_current_top, ptr);
}

/* A piece of malloc stays one. A piece of an arena that grows while another is
 * current moves there; with none current that fails (EINVAL). */
static inline void *
kv_arena_current_realloc(void *ptr, size_t size)
{
	if (!ptr)
		return kv_arena_current_malloc(size);
	if (!size) {
		kv_arena_current_free(ptr);
		return NULL;
	}
	if (*kv_arena_adapter_head(ptr) & 1)
		return kv_arena_current_from_malloc(ptr, size);
	return kv_arena_adapter_realloc(kv_arena_current_top, ptr, size);
}

/* libxml2 asks for this one too. */
static inline char *
kv_arena_current_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	void *p = kv_arena_current_malloc(size);

	return p ? (char *)memcpy(p, s, size) : NULL;
}

/* ---- No context, old sizes --------------------------------------------------
 * mp_set_memory_functions(kv_arena_current_sized_malloc,
 *	kv_arena_current_sized_realloc, kv_arena_current_sized_free).
 * No header, so a piece can not tell where it came from: with nothing pushed
 * these are malloc, realloc and free, and a piece must be freed and grown under
 * the push it was made under. GMP ends the program when one returns NULL. */
static inline void *
kv_arena_current_sized_malloc(size_t size)
{
	kv_arena_t *arena = kv_arena_current_top;

	return arena ? kv_arena_adapter_sized(arena, NULL, 0, size) :
		malloc(size);
}

static inline void *
kv_arena_current_sized_realloc(void *ptr, size_t old_size, size_t new_size)
{
	kv_arena_t *arena = kv_arena_current_top;

	return arena ? kv_arena_adapter_sized(arena, ptr, old_size, new_size) :
		realloc(ptr, new_size);
}

static inline void
kv_arena_current_sized_free(void *ptr, size_t size)
{
	kv_arena_t *arena = kv_arena_current_top;

	if (arena)
		(void)kv_arena_adapter_sized(arena, ptr, size, 0);
	else
		free(ptr);
}

/* ---- No context, no realloc -------------------------------------------------
 * As the sized set: a piece must be freed under the push it was made under, for
 * with nothing pushed these are malloc and free. */
static inline void *
kv_arena_current_bare_malloc(size_t size)
{
	kv_arena_t *arena = kv_arena_current_top;

	return KV_ARENA_LIKELY(arena != NULL) ?
		kv_arena_adapter_bare_malloc(arena, size) : malloc(size ? size : 1);
}

static inline void
kv_arena_current_bare_free(void *ptr)
{
	if (!kv_arena_current_top)
		free(ptr);
}

#ifdef __cplusplus
}
#endif

#endif
