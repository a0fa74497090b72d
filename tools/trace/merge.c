/* merge.c -- all streams of a trace, in the order in which things happened
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A binary heap of streams, the one with the earliest event first.
 */
#include "config.h"

#include "merge.h"
#include "tool.h"

#include <stdlib.h>

struct head {
	uint64_t key;			/* sequence number of what comes next */
	uint32_t stream;
	bool gave_back;			/* the first part of a realloc is done */
	struct kvt_cursor cursor;
	struct kvt_event event;
};

struct kvt_merge {
	struct head *heads;
	uint32_t *heap;			/* indices into heads */
	uint32_t n;
	bool first_is_used;		/* heap[0] has been returned: move it on */
};

static bool
is_earlier(const struct kvt_merge *m, uint32_t a, uint32_t b)
{
	const struct head *x = &m->heads[m->heap[a]];
	const struct head *y = &m->heads[m->heap[b]];

	return x->key != y->key ? x->key < y->key : x->stream < y->stream;
}

static void
sift_down(struct kvt_merge *m, uint32_t i)
{
	for (;;) {
		uint32_t least = i, swap;
		if (2 * i + 1 < m->n && is_earlier(m, 2 * i + 1, least))
			least = 2 * i + 1;
		if (2 * i + 2 < m->n && is_earlier(m, 2 * i + 2, least))
			least = 2 * i + 2;
		if (least == i)
			return;
		swap = m->heap[i];
		m->heap[i] = m->heap[least];
		m->heap[least] = swap;
		i = least;
	}
}

/* Move a stream on to its next call; false: it has none. */
static bool
advance(struct head *h)
{
	if (h->event.kind == KVT_REALLOC && !h->gave_back) {
		h->gave_back = true;
		h->key = h->event.seq;
		return true;
	}
	do {
		if (!kvt_cursor_next(&h->cursor, &h->event))
			return false;
	} while (h->event.kind > KVT_FREE);
	h->gave_back = false;
	h->key = h->event.seq_before;
	return true;
}

struct kvt_merge *
kvt_merge_open(const struct kvt_input *input)
{
	struct kvt_merge *m = kvt_array(1, sizeof(*m));
	uint32_t i;

	m->heads = kvt_array(input->nstreams, sizeof(*m->heads));
	m->heap = kvt_array(input->nstreams, sizeof(*m->heap));
	for (i = 0; i < input->nstreams; i++) {
		struct head *h = &m->heads[i];
		h->stream = i;
		kvt_cursor_open(&h->cursor, input, &input->streams[i]);
		if (advance(h))
			m->heap[m->n++] = i;
	}
	for (i = m->n / 2; i-- > 0;)
		sift_down(m, i);
	return m;
}

void
kvt_merge_close(struct kvt_merge *m)
{
	free(m->heads);
	free(m->heap);
	free(m);
}

const struct kvt_event *
kvt_merge_next(struct kvt_merge *m, enum kvt_phase *phase, uint32_t *stream)
{
	struct head *h;

	if (m->first_is_used) {
		if (!advance(&m->heads[m->heap[0]]))
			m->heap[0] = m->heap[--m->n];
		sift_down(m, 0);
		m->first_is_used = false;
	}
	if (m->n == 0)
		return NULL;
	h = &m->heads[m->heap[0]];
	m->first_is_used = true;
	*stream = h->stream;
	if (h->event.kind != KVT_REALLOC)
		*phase = KVT_WHOLE;
	else
		*phase = h->gave_back ? KVT_IS_BACK : KVT_GIVES_BACK;
	return &h->event;
}
