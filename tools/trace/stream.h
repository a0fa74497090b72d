/* stream.h -- what one thread tells
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 *	s = kvt_stream_enter();		NULL: not recorded
 *	... call the allocator, kvt_stream_tell(s, &call) ...
 *	kvt_stream_leave(s);
 *
 * Between enter and leave calls of this thread are not recorded. A stream has
 * one thread at a time; when that ends, the next new thread goes on with it.
 */
#ifndef KVT_STREAM_H
#define KVT_STREAM_H

#include "format.h"

struct kvt_stream;

struct kvt_call {
	enum kvt_kind kind;
	unsigned log2_alignment;	/* KVT_ALIGNED */
	uintptr_t address;
	uintptr_t old_address;		/* KVT_REALLOC, as is */
	uint64_t seq_before;		/* drawn before the call */
	uint64_t size;
	uintptr_t caller;
};

/* Once per recording: set up; and in a forked child forget the parent's. */
bool kvt_stream_start(void);
void kvt_stream_forget(void);

struct kvt_stream *kvt_stream_enter(void);
void kvt_stream_leave(struct kvt_stream *stream);

/* Draw the next sequence number. */
uint64_t kvt_stream_draw(void);

void kvt_stream_tell(struct kvt_stream *stream, const struct kvt_call *call);

/* Count a call that the allocator refused. */
void kvt_stream_failed(void);

/* False: recording has stopped. */
bool kvt_stream_tell_site(struct kvt_stream *stream, uint32_t id,
	const uintptr_t *frames, unsigned n);
bool kvt_stream_tell_map(struct kvt_stream *stream, uint64_t start,
	uint64_t size, uint64_t offset, const char *path);

#endif
