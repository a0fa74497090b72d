/* trace.h -- a recorded run: objects, and what happened to them in order
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An object is one allocation from birth to death, through all its reallocs.
 * Time is counted in operations.
 */
#ifndef KVT_TRACE_H
#define KVT_TRACE_H

#include "input.h"

#define KVT_NEVER UINT32_MAX

struct kvt_op {
	uint64_t size;			/* of the object after it; free: before */
	uint32_t object;
	uint32_t site;			/* who called; 0: unknown */
	uint16_t stream;		/* which thread, roughly: see stream.h */
	uint8_t kind;			/* enum kvt_kind, calls only */
	uint8_t log2_alignment;
};

struct kvt_object {
	uint32_t birth;			/* index of the operation */
	uint32_t death;			/* KVT_NEVER: alive at the end */
	uint32_t site;			/* that bore it */
	uint32_t reallocs;
	uint64_t size;			/* the last it had */
};

struct kvt_site {
	uint32_t n;			/* 0: no such site */
	uint32_t objects;
	uint64_t bytes;			/* asked for, reallocs at their growth */
	const uint64_t *frames;
};

struct kvt_map {
	uint64_t start;
	uint64_t size;
	uint64_t offset;
	char *path;
};

struct kvt_counts {
	uint64_t calls[KVT_FREE + 1];	/* by enum kvt_kind */
	uint64_t bytes;			/* asked for, reallocs at their growth */
	uint64_t unknown_frees;		/* of what was allocated before */
	uint64_t lost;			/* objects whose free was not seen */
	uint64_t peak_bytes;		/* most bytes live at once */
	uint64_t peak_objects;
	uint64_t end_bytes;		/* live at the end */
	uint64_t end_objects;
};

struct kvt_trace {
	struct kvt_input input;
	struct kvt_op *ops;
	struct kvt_object *objects;
	struct kvt_site *sites;		/* by number; [0] is the unknown one */
	struct kvt_map *maps;
	size_t nops;
	size_t nobjects;
	size_t nsites;
	size_t nmaps;
	uint32_t nthreads;		/* threads that made a call */
	struct kvt_counts counts;
};

/* Read a file; what is wrong with it ends the program. */
void kvt_trace_load(struct kvt_trace *trace, const char *name);

/* Read its sites and maps only. */
void kvt_trace_load_sites(struct kvt_trace *trace, const char *name);

/* Print whose trace it is and what it lacks. */
void kvt_trace_print_title(const struct kvt_trace *trace);

#endif
