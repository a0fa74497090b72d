/* hooks.c -- malloc and its family, watched
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * This library goes before the C library (LD_PRELOAD), so the program's calls
 * come here. Each is passed on, and then told to the stream of the thread. What
 * the recorder itself causes to be allocated is passed on and not told.
 */
#include "config.h"

#include "real.h"
#include "stream.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* The instruction after the call in the program: where its call site begins. */
#define CALLER ((uintptr_t)__builtin_return_address(0))

void *pvalloc(size_t size);		/* musl has none */

static unsigned
log2_of(size_t alignment)
{
	return alignment ? 63u - (unsigned)__builtin_clzll(alignment) : 0;
}

/* Tell of an allocation that the program made; then leave the stream. */
static void *
told(struct kvt_stream *s, enum kvt_kind kind, void *p, size_t size,
	size_t alignment, uintptr_t caller)
{
	struct kvt_call call = { 0 };

	if (!s)
		return p;
	call.kind = kind;
	call.address = (uintptr_t)p;
	call.size = size;
	call.log2_alignment = log2_of(alignment);
	call.caller = caller;
	if (p)
		kvt_stream_tell(s, &call);
	else
		kvt_stream_failed();
	kvt_stream_leave(s);
	return p;
}

/* What follows is what the program is to see; all else is hidden. */
#pragma GCC visibility push(default)

void *
malloc(size_t size)
{
	struct kvt_stream *s;

	if (!kvt_real_ready())
		return kvt_small_alloc(size, 16);
	s = kvt_stream_enter();
	return told(s, KVT_MALLOC, kvt_real.malloc(size), size, 0, CALLER);
}

void *
calloc(size_t n, size_t size)
{
	struct kvt_stream *s;
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!kvt_real_ready())
		return kvt_small_alloc(bytes, 16);
	s = kvt_stream_enter();
	return told(s, KVT_CALLOC, kvt_real.calloc(n, size), bytes, 0, CALLER);
}

/* Free and realloc give an address back before the allocator can hand it to
 * another thread, so that their number must be drawn before the call. */
void
free(void *p)
{
	struct kvt_stream *s;
	struct kvt_call call = { 0 };

	if (!p || kvt_small_owns(p) || !kvt_real_ready())
		return;
	s = kvt_stream_enter();
	if (s) {
		call.kind = KVT_FREE;
		call.address = (uintptr_t)p;
		call.caller = CALLER;
		kvt_stream_tell(s, &call);
	}
	kvt_real.free(p);
	if (s)
		kvt_stream_leave(s);
}

static void *
move_out(void *p, size_t size)
{
	void *q = malloc(size);
	size_t room = kvt_small_room(p);

	return q ? memcpy(q, p, size < room ? size : room) : NULL;
}

void *
realloc(void *p, size_t size)
{
	struct kvt_stream *s;
	struct kvt_call call = { 0 };
	void *q;

	if (!p)
		call.kind = KVT_MALLOC;
	else if (kvt_small_owns(p) || !kvt_real_ready())
		return move_out(p, size);
	else
		call.kind = KVT_REALLOC;
	if (!kvt_real_ready())
		return kvt_small_alloc(size, 16);
	s = kvt_stream_enter();
	if (!s)
		return kvt_real.realloc(p, size);

	call.seq_before = p ? kvt_stream_draw() : 0;
	call.old_address = (uintptr_t)p;
	call.size = size;
	call.caller = CALLER;
	q = kvt_real.realloc(p, size);
	call.address = (uintptr_t)q;
	if (q || (p && size == 0))	/* the latter has freed it */
		kvt_stream_tell(s, &call);
	else
		kvt_stream_failed();
	kvt_stream_leave(s);
	return q;
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, bytes);
}

int
posix_memalign(void **p, size_t alignment, size_t size)
{
	struct kvt_stream *s;
	void *q = NULL;
	int error;

	if (!kvt_real_ready()) {
		*p = kvt_small_alloc(size, alignment);
		return *p ? 0 : ENOMEM;
	}
	s = kvt_stream_enter();
	error = kvt_real.posix_memalign(&q, alignment, size);
	if (!error)
		*p = q;
	told(s, KVT_ALIGNED, error ? NULL : q, size, alignment, CALLER);
	return error;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	struct kvt_stream *s;

	if (!kvt_real_ready())
		return kvt_small_alloc(size, alignment);
	s = kvt_stream_enter();
	return told(s, KVT_ALIGNED, kvt_real.aligned_alloc(alignment, size), size,
		alignment, CALLER);
}

void *
memalign(size_t alignment, size_t size)
{
	struct kvt_stream *s;

	if (!kvt_real_ready())
		return kvt_small_alloc(size, alignment);
	s = kvt_stream_enter();
	return told(s, KVT_ALIGNED, kvt_real.memalign(alignment, size), size,
		alignment, CALLER);
}

void *
valloc(size_t size)
{
	struct kvt_stream *s;

	if (!kvt_real_ready())
		return kvt_small_alloc(size, 4096);
	s = kvt_stream_enter();
	return told(s, KVT_ALIGNED, kvt_real.valloc(size), size, 4096, CALLER);
}

void *
pvalloc(size_t size)
{
	struct kvt_stream *s;
	size_t rounded = (size + 4095) & ~(size_t)4095;

	if (!kvt_real_ready())
		return kvt_small_alloc(rounded, 4096);
	s = kvt_stream_enter();
	return told(s, KVT_ALIGNED, kvt_real.pvalloc(size), rounded, 4096, CALLER);
}

/* Arenas of kvarena, which call these where they are there; see lib/fence.h. */

void kvarena_record_alloc(void *p, size_t size, size_t alignment, const void *caller);
void kvarena_record_free(void *p, const void *caller);

void
kvarena_record_alloc(void *p, size_t size, size_t alignment, const void *caller)
{
	struct kvt_stream *s = kvt_stream_enter();
	enum kvt_kind kind = alignment > 8 ? KVT_ALIGNED : KVT_MALLOC;

	told(s, kind, p, size, alignment, (uintptr_t)caller);
}

void
kvarena_record_free(void *p, const void *caller)
{
	struct kvt_stream *s = kvt_stream_enter();
	struct kvt_call call = { 0 };

	if (!s)
		return;
	call.kind = KVT_FREE;
	call.address = (uintptr_t)p;
	call.caller = (uintptr_t)caller;
	kvt_stream_tell(s, &call);
	kvt_stream_leave(s);
}

#pragma GCC visibility pop
