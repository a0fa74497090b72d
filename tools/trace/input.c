/* input.c -- a trace file, as it lies on the disk
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "input.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file may be mapped while its recorder still writes, so what is read twice
 * is copied first. */

static void
map_file(struct kvt_input *in)
{
	struct stat st;
	void *p;
	int fd = open(in->name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		kvt_fail("%s: %s", in->name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		kvt_fail("%s: not a regular file", in->name);
	if ((uint64_t)st.st_size < KVT_HEADER_SIZE)
		kvt_fail("%s: not a trace: only %lld bytes", in->name,
			(long long)st.st_size);
	in->size = (size_t)st.st_size;
	p = mmap(NULL, in->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		kvt_fail("%s: %s", in->name, strerror(errno));
	close(fd);
	in->data = p;
}

static void
check_header(struct kvt_input *in)
{
	struct kvt_header *h = &in->header;

	memcpy(h, in->data, sizeof(*h));
	h->program[sizeof(h->program) - 1] = '\0';
	h->command[sizeof(h->command) - 1] = '\0';
	if (memcmp(h->magic, KVT_MAGIC, sizeof(h->magic)) != 0)
		kvt_fail("%s: not a trace of kvarena-trace", in->name);
	if (h->byte_order != KVT_BYTE_ORDER)
		kvt_fail("%s: from a machine of the other byte order", in->name);
	if (h->version != KVT_VERSION)
		kvt_fail("%s: version %u; this program reads version %u", in->name,
			h->version, KVT_VERSION);
	if (h->header_size != KVT_HEADER_SIZE || h->chunk_size != KVT_CHUNK_SIZE)
		kvt_fail("%s: corrupt header", in->name);
	if (in->size < h->size && !(h->flags & KVT_FLAG_NO_SPACE))
		kvt_fail("%s: truncated: %zu of %llu bytes", in->name, in->size,
			(unsigned long long)h->size);
	if (in->size > h->size && h->flags & KVT_FLAG_SEALED)
		kvt_fail("%s: corrupt: %llu bytes too many", in->name,
			(unsigned long long)(in->size - h->size));
}

/* Return a chunk whose events lie in the file, or NULL: it was never begun. */
static const struct kvt_chunk *
check_chunk(const struct kvt_input *in, size_t offset)
{
	const struct kvt_chunk *c = (const void *)(in->data + offset);
	size_t room = in->size - offset;
	struct kvt_chunk head;

	if (room > KVT_CHUNK_SIZE)
		room = KVT_CHUNK_SIZE;
	if (room < sizeof(head))
		kvt_fail("%s: truncated in the chunk at %zu", in->name, offset);
	memcpy(&head, c, sizeof(head));
	if (head.magic == 0)
		return NULL;
	if (head.magic != KVT_CHUNK_MAGIC)
		kvt_fail("%s: corrupt: no chunk at %zu", in->name, offset);
	if (head.used > room - sizeof(head))
		kvt_fail("%s: truncated or corrupt: the chunk at %zu has %u bytes",
			in->name, offset, head.used);
	if (head.sum && head.sum != kvt_sum((const uint8_t *)(c + 1), head.used))
		kvt_fail("%s: corrupt: the sum of the chunk at %zu is wrong",
			in->name, offset);
	return c;
}

static int
compare_chunks(const void *a, const void *b)
{
	const struct kvt_chunk *x = *(const struct kvt_chunk *const *)a;
	const struct kvt_chunk *y = *(const struct kvt_chunk *const *)b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* Cut the sorted chunks into streams. */
static void
make_streams(struct kvt_input *in, const struct kvt_chunk **chunks, size_t n)
{
	struct kvt_input_stream *s = NULL;
	size_t i;

	in->streams = kvt_array(n, sizeof(*in->streams));
	for (i = 0; i < n; i++) {
		if (!s || s->number != chunks[i]->stream) {
			s = &in->streams[in->nstreams++];
			s->number = chunks[i]->stream;
			s->chunks = &chunks[i];
		}
		if (chunks[i]->serial != s->nchunks)
			kvt_fail("%s: corrupt: chunk %u of stream %u is %s",
				in->name, s->nchunks, s->number,
				chunks[i]->serial < s->nchunks ? "there twice"
					: "missing");
		s->nchunks++;
	}
}

void
kvt_input_open(struct kvt_input *in, const char *name)
{
	const struct kvt_chunk **chunks;
	size_t offset, n = 0;

	memset(in, 0, sizeof(*in));
	in->name = name;
	map_file(in);
	check_header(in);
	chunks = kvt_array(in->size / KVT_CHUNK_SIZE + 1, sizeof(*chunks));
	for (offset = KVT_HEADER_SIZE; offset < in->size; offset += KVT_CHUNK_SIZE) {
		chunks[n] = check_chunk(in, offset);
		n += chunks[n] != NULL;
	}
	if (n == 0)
		kvt_fail("%s: nothing was recorded", name);
	qsort(chunks, n, sizeof(*chunks), compare_chunks);
	make_streams(in, chunks, n);
}

/* ---- Events ----------------------------------------------------------------- */

void
kvt_cursor_open(struct kvt_cursor *cursor, const struct kvt_input *input,
	const struct kvt_input_stream *stream)
{
	memset(cursor, 0, sizeof(*cursor));
	cursor->input = input;
	cursor->stream = stream;
}

KVT_NORETURN static void
corrupt(const struct kvt_cursor *c, const char *what)
{
	kvt_fail("%s: corrupt at %zu: %s", c->input->name,
		(size_t)(c->p - c->input->data), what);
}

static uint64_t
number(struct kvt_cursor *c)
{
	uint64_t value;

	if (!kvt_get(&c->p, c->end, &value))
		corrupt(c, "a number is cut off");
	return value;
}

static uint64_t
number_up_to(struct kvt_cursor *c, uint64_t most, const char *what)
{
	uint64_t value = number(c);

	if (value > most)
		corrupt(c, what);
	return value;
}

static uint64_t
address(struct kvt_cursor *c)
{
	c->address += kvt_unzigzag(number(c));
	return c->address << 3;
}

static void
read_call(struct kvt_cursor *c, struct kvt_event *e, bool next)
{
	uint64_t step = next ? 1 : number(c);

	if (step == 0 || step > UINT64_MAX - c->seq)
		corrupt(c, "the order of events is broken");
	e->seq = c->seq += step;
	e->seq_before = e->seq;
	if (e->kind != KVT_FREE)
		e->size = number_up_to(c, INT64_MAX, "an impossible size");
	e->address = address(c);
	e->site = (uint32_t)number_up_to(c, UINT32_MAX, "an impossible site");
	if (e->kind == KVT_ALIGNED)
		e->log2_alignment = (uint32_t)number_up_to(c, 47,
			"an impossible alignment");
	if (e->kind == KVT_REALLOC) {
		e->old_address = address(c);
		e->seq_before -= number_up_to(c, step, "the order of events is broken");
	}
}

static void
read_site(struct kvt_cursor *c, struct kvt_event *e)
{
	uint64_t frame = 0;
	uint32_t i;

	e->site = (uint32_t)number_up_to(c, UINT32_MAX, "an impossible site");
	e->n = (uint32_t)number_up_to(c, KVT_MAX_DEPTH, "too many frames");
	for (i = 0; i < e->n; i++)
		e->frames[i] = frame += kvt_unzigzag(number(c));
}

static void
read_map(struct kvt_cursor *c, struct kvt_event *e)
{
	e->address = number(c);
	e->size = number(c);
	e->offset = number(c);
	e->n = (uint32_t)number_up_to(c, KVT_MAX_PATH, "too long a path");
	if ((size_t)(c->end - c->p) < e->n)
		corrupt(c, "a path is cut off");
	e->path = (const char *)c->p;
	c->p += e->n;
}

static bool
enter_chunk(struct kvt_cursor *c)
{
	const struct kvt_chunk *chunk;

	if (c->chunk == c->stream->nchunks)
		return false;
	chunk = c->stream->chunks[c->chunk++];
	c->p = (const uint8_t *)(chunk + 1);
	c->end = c->p + chunk->used;
	/* A recording that runs may have gone on since this was checked. */
	if (c->end > c->input->data + c->input->size)
		corrupt(c, "it has grown");
	if (chunk->first_seq < c->seq)
		corrupt(c, "the order of chunks is broken");
	c->seq = chunk->first_seq;
	c->address = 0;
	return true;
}

bool
kvt_cursor_next(struct kvt_cursor *c, struct kvt_event *e)
{
	uint8_t byte;

	while (c->p == c->end)
		if (!enter_chunk(c))
			return false;
	byte = *c->p++;
	e->kind = byte & KVT_KIND_MASK;
	if (byte & ~(KVT_KIND_MASK | KVT_NEXT) || (byte & KVT_NEXT &&
		e->kind > KVT_FREE))
		corrupt(c, "no such event");
	switch (e->kind) {
	case KVT_MALLOC:
	case KVT_CALLOC:
	case KVT_ALIGNED:
	case KVT_REALLOC:
	case KVT_FREE:
		read_call(c, e, byte & KVT_NEXT);
		break;
	case KVT_SITE:
		read_site(c, e);
		break;
	case KVT_MAP:
		read_map(c, e);
		break;
	case KVT_THREAD:
		c->tid = (uint32_t)number_up_to(c, UINT32_MAX, "no such thread");
		break;
	default:
		corrupt(c, "no such event");
	}
	e->tid = c->tid;
	return true;
}
