/* input.h -- a trace file, as it lies on the disk
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Nothing in the file is believed: what does not fit ends the program with a
 * message that says where.
 */
#ifndef KVT_INPUT_H
#define KVT_INPUT_H

#include "format.h"

struct kvt_input {
	const char *name;
	const uint8_t *data;
	size_t size;
	struct kvt_header header;	/* a copy, its strings terminated */
	uint32_t nstreams;
	struct kvt_input_stream *streams;
};

struct kvt_input_stream {
	uint32_t number;		/* as the recorder had it */
	uint32_t nchunks;
	const struct kvt_chunk **chunks;	/* in the order of their serials */
};

struct kvt_event {
	enum kvt_kind kind;
	uint32_t tid;
	uint64_t seq;			/* calls only, as are */
	uint64_t seq_before;		/* KVT_REALLOC */
	uint64_t size;			/* and of a KVT_MAP */
	uint64_t address;		/* and start of a KVT_MAP */
	uint64_t old_address;
	uint64_t offset;		/* KVT_MAP */
	uint32_t site;			/* and number of a KVT_SITE */
	uint32_t log2_alignment;
	uint32_t n;			/* frames, or bytes of the path */
	uint64_t frames[KVT_MAX_DEPTH];
	const char *path;		/* not terminated */
};

/* Where one reads in one stream. */
struct kvt_cursor {
	const struct kvt_input *input;
	const struct kvt_input_stream *stream;
	uint32_t chunk;
	const uint8_t *p;
	const uint8_t *end;
	uint64_t seq;
	uint64_t address;
	uint32_t tid;
};

void kvt_input_open(struct kvt_input *input, const char *name);

void kvt_cursor_open(struct kvt_cursor *cursor, const struct kvt_input *input,
	const struct kvt_input_stream *stream);

/* Read the next event; false: there is no more. */
bool kvt_cursor_next(struct kvt_cursor *cursor, struct kvt_event *event);

#endif
