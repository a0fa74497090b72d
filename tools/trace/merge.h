/* merge.h -- all streams of a trace, in the order in which things happened
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_MERGE_H
#define KVT_MERGE_H

#include "input.h"

struct kvt_merge;

/* A realloc comes twice: when its old address is given back, and when the new
 * one is there; other threads may have come between. */
enum kvt_phase {
	KVT_WHOLE,
	KVT_GIVES_BACK,
	KVT_IS_BACK
};

struct kvt_merge *kvt_merge_open(const struct kvt_input *input);
void kvt_merge_close(struct kvt_merge *merge);

/* Return the next call, or NULL at the end; *phase tells which part of it and
 * *stream, from 0, who told it. */
const struct kvt_event *kvt_merge_next(struct kvt_merge *merge,
	enum kvt_phase *phase, uint32_t *stream);

#endif
