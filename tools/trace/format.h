/* format.h -- the trace file, as the recorder writes it and the tool reads it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 *	file:    | header, 4 KiB | chunk 0, 64 KiB | chunk 1 | ... | last, trimmed |
 *	chunk:   | struct kvt_chunk | events ............ | slack |
 *
 * The recorder maps header and chunks into the program and writes them there,
 * so nothing is lost when the program is killed. A chunk belongs to one stream,
 * and a stream to one thread at a time; chunks of a stream are numbered. Each
 * chunk can be decoded alone.
 *
 * Order. Every event has a sequence number from one counter of the process. An
 * allocation takes it after the allocator has returned, a free before it is
 * called: so for one address free comes before the next allocation, whatever
 * the threads do.
 *
 * An event is one byte, kind | flags, and then varints:
 *	KVT_MALLOC, KVT_CALLOC	seq  size  address  site
 *	KVT_ALIGNED		seq  size  address  site  log2(alignment)
 *	KVT_REALLOC		seq  size  address  site  old-address  seq-before
 *	KVT_FREE		seq  address  site
 *	KVT_SITE		id  n  n x frame
 *	KVT_MAP			start  size  offset  length  path
 *	KVT_THREAD		tid
 * seq is the step from the event before, and left out where KVT_NEXT says that
 * it is 1; seq-before is how much earlier the old address was given back; the
 * address of a realloc that only freed is 0.
 * Addresses and frames are zigzag steps from the one before, addresses in units
 * of 8. Site 0 means unknown. Integers are in the byte order of the machine.
 */
#ifndef KVT_FORMAT_H
#define KVT_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVT_MAGIC "KVTRACE\n"
#define KVT_VERSION 1
#define KVT_BYTE_ORDER 0x01020304u
#define KVT_HEADER_SIZE 4096u
#define KVT_CHUNK_SIZE 65536u
#define KVT_CHUNK_MAGIC 0x4b564348u
#define KVT_MAX_DEPTH 32
#define KVT_MAX_PATH 1024

enum kvt_kind {
	KVT_MALLOC = 1,
	KVT_CALLOC = 2,
	KVT_ALIGNED = 3,
	KVT_REALLOC = 4,
	KVT_FREE = 5,
	KVT_SITE = 6,
	KVT_MAP = 7,
	KVT_THREAD = 8
};

#define KVT_KIND_MASK 0x0fu
#define KVT_NEXT 0x10u

/* What kvt_header.flags tells. */
#define KVT_FLAG_LIMIT 1u		/* the bound was reached */
#define KVT_FLAG_NO_SPACE 2u		/* the disk was full, or the file was lost */
#define KVT_FLAG_ENDED 4u		/* the program came to exit() */
#define KVT_FLAG_SEALED 8u		/* every chunk has its sum */
#define KVT_FLAG_SITES_FULL 16u		/* later call sites are unknown */

struct kvt_header {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
	uint32_t header_size;
	uint32_t chunk_size;
	uint32_t flags;			/* atomic in the recorder, as are */
	uint32_t depth;			/* most frames of a call site */
	uint64_t size;			/* bytes of the file in use: and this */
	uint64_t seq;			/* events so far: and this */
	uint64_t nested;		/* calls from inside a call: and this */
	uint64_t failed;		/* calls that returned NULL: and this */
	uint64_t limit;			/* bytes it may grow to */
	uint64_t session;		/* equal in all files of one record run */
	uint64_t start_ns;		/* since 1970 */
	uint64_t pid;
	char program[256];		/* the executable's path, 0-terminated */
	char command[1024];		/* arguments, each 0-terminated */
};

struct kvt_chunk {
	uint32_t magic;			/* 0: taken but never begun */
	uint32_t used;			/* bytes of events; grows as they come */
	uint32_t stream;
	uint32_t serial;		/* number within the stream, from 0 */
	uint64_t first_seq;		/* the step of the first event counts from it */
	uint64_t time_ns;		/* since the header's start_ns */
	uint64_t sum;			/* kvt_sum of the events; 0: still open */
};

static_assert(sizeof(struct kvt_header) <= KVT_HEADER_SIZE, "the header fits");
static_assert(sizeof(struct kvt_chunk) % 8 == 0, "events start aligned");

/* Bytes of the longest event: a map with its path. */
#define KVT_EVENT_MAX (1 + 4 * 10 + KVT_MAX_PATH)
static_assert(KVT_EVENT_MAX >= 1 + 2 * 10 + KVT_MAX_DEPTH * 10, "or a site");

static inline uint8_t *
kvt_put(uint8_t *p, uint64_t value)
{
	while (value >= 0x80) {
		*p++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*p++ = (uint8_t)value;
	return p;
}

/* Read a varint from *p, before end. False: it is cut off or over 64 bits. */
static inline bool
kvt_get(const uint8_t **p, const uint8_t *end, uint64_t *value)
{
	uint64_t v = 0;
	unsigned shift;

	for (shift = 0; shift < 64 && *p < end; shift += 7) {
		uint8_t byte = *(*p)++;
		if (shift == 63 && byte > 1)
			return false;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*value = v;
			return true;
		}
	}
	return false;
}

static inline uint64_t
kvt_zigzag(uint64_t step)
{
	return step << 1 ^ (step >> 63 ? UINT64_MAX : 0);
}

static inline uint64_t
kvt_unzigzag(uint64_t value)
{
	return value >> 1 ^ (value & 1 ? UINT64_MAX : 0);
}

/* A sum that notices every change of one byte (FNV-1a); never 0. */
static inline uint64_t
kvt_sum(const uint8_t *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	while (n--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h ? h : 1;
}

#endif
