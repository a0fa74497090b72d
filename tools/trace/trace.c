/* trace.c -- a recorded run: objects, and what happened to them in order
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "addresses.h"
#include "merge.h"
#include "tool.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Numbers of sites are given out one by one. */
#define MAX_SITE (1u << 20)
#define MAX_OPS (UINT32_MAX - 2)

/* ---- Sites and maps ----------------------------------------------------------- */

struct rooms {				/* of the arrays that grow */
	size_t sites;
	size_t maps;
	size_t ops;
	size_t objects;
};

static void
note_site(struct kvt_trace *t, struct rooms *rooms, const struct kvt_event *e)
{
	uint64_t *frames;

	if (e->site == 0 || e->site > MAX_SITE || e->n == 0)
		kvt_fail("%s: corrupt: call site %u", t->input.name, e->site);
	while (t->nsites <= e->site) {
		t->sites = kvt_grow(t->sites, t->nsites, &rooms->sites,
			sizeof(*t->sites));
		memset(&t->sites[t->nsites++], 0, sizeof(*t->sites));
	}
	if (t->sites[e->site].n)
		kvt_fail("%s: corrupt: call site %u is there twice",
			t->input.name, e->site);
	frames = kvt_array(e->n, sizeof(*frames));
	memcpy(frames, e->frames, e->n * sizeof(*frames));
	t->sites[e->site].frames = frames;
	t->sites[e->site].n = e->n;
}

static void
note_map(struct kvt_trace *t, struct rooms *rooms, const struct kvt_event *e)
{
	struct kvt_map *m;

	t->maps = kvt_grow(t->maps, t->nmaps, &rooms->maps, sizeof(*t->maps));
	m = &t->maps[t->nmaps++];
	m->start = e->address;
	m->size = e->size;
	m->offset = e->offset;
	m->path = kvt_array(e->n + 1, 1);
	memcpy(m->path, e->path, e->n);
}

static void
read_sites(struct kvt_trace *t, struct rooms *rooms)
{
	struct kvt_cursor c;
	struct kvt_event e;
	uint32_t i, tid, named;

	t->sites = kvt_grow(NULL, 0, &rooms->sites, sizeof(*t->sites));
	memset(&t->sites[t->nsites++], 0, sizeof(*t->sites));
	for (i = 0; i < t->input.nstreams; i++) {
		tid = 0;
		named = 0;
		kvt_cursor_open(&c, &t->input, &t->input.streams[i]);
		while (kvt_cursor_next(&c, &e)) {
			if (e.kind == KVT_SITE)
				note_site(t, rooms, &e);
			else if (e.kind == KVT_MAP)
				note_map(t, rooms, &e);
			else if (e.kind == KVT_THREAD && (!named || e.tid != tid)) {
				tid = e.tid;
				named = 1;
				t->nthreads++;
			}
		}
	}
}

/* ---- Operations ----------------------------------------------------------------- */

struct reader {
	struct kvt_trace *trace;
	struct rooms *rooms;
	struct kvt_addresses *live;	/* address to object */
	uint32_t *moving;		/* by stream: object inside realloc */
	uint64_t bytes;			/* live now, and */
	uint64_t n;
};

static void
count_bytes(struct reader *r, uint64_t before, uint64_t after)
{
	struct kvt_counts *c = &r->trace->counts;

	r->bytes += after - before;
	if (r->bytes > c->peak_bytes)
		c->peak_bytes = r->bytes;
	if (after > before)
		c->bytes += after - before;
}

static struct kvt_op *
add_op(struct reader *r, const struct kvt_event *e, enum kvt_kind kind,
	uint32_t stream, uint32_t object)
{
	struct kvt_trace *t = r->trace;
	struct kvt_op *op;

	if (t->nops == MAX_OPS)
		kvt_fail("%s: more than %u operations", t->input.name, MAX_OPS);
	t->ops = kvt_grow(t->ops, t->nops, &r->rooms->ops, sizeof(*t->ops));
	op = &t->ops[t->nops++];
	op->size = e->size;
	op->object = object;
	op->site = e->site;
	op->stream = (uint16_t)stream;
	op->kind = (uint8_t)kind;
	op->log2_alignment = 0;
	t->counts.calls[kind]++;
	return op;
}

static void
end_object(struct reader *r, const struct kvt_event *e, uint32_t stream,
	uint32_t object)
{
	struct kvt_trace *t = r->trace;
	struct kvt_op *op = add_op(r, e, KVT_FREE, stream, object);

	op->size = t->objects[object].size;
	t->objects[object].death = (uint32_t)(t->nops - 1);
	count_bytes(r, op->size, 0);
	r->n--;
}

/* An address that is still live, but handed out again: its free went unseen. */
static void
put_address(struct reader *r, const struct kvt_event *e, uint32_t stream,
	uint32_t object)
{
	uint32_t old = kvt_addresses_take(r->live, e->address);

	if (old != KVT_NO_OBJECT) {
		r->trace->counts.lost++;
		r->trace->counts.calls[KVT_FREE]--;
		end_object(r, e, stream, old);
	}
	kvt_addresses_put(r->live, e->address, object);
}

static void
begin_object(struct reader *r, const struct kvt_event *e, enum kvt_kind kind,
	uint32_t stream)
{
	struct kvt_trace *t = r->trace;
	uint32_t object = (uint32_t)t->nobjects;
	struct kvt_object *o;

	put_address(r, e, stream, object);
	t->objects = kvt_grow(t->objects, t->nobjects, &r->rooms->objects,
		sizeof(*t->objects));
	o = &t->objects[t->nobjects++];
	memset(o, 0, sizeof(*o));
	o->birth = (uint32_t)t->nops;
	o->death = KVT_NEVER;
	o->site = e->site;
	o->size = e->size;
	add_op(r, e, kind, stream, object)->log2_alignment =
		(uint8_t)e->log2_alignment;
	t->sites[e->site].objects++;
	t->sites[e->site].bytes += e->size;
	count_bytes(r, 0, e->size);
	if (++r->n > t->counts.peak_objects)
		t->counts.peak_objects = r->n;
}

static void
end_realloc(struct reader *r, const struct kvt_event *e, uint32_t stream)
{
	struct kvt_trace *t = r->trace;
	uint32_t object = r->moving[stream];
	struct kvt_object *o;

	if (e->address == 0) {
		if (object != KVT_NO_OBJECT)
			end_object(r, e, stream, object);
		return;
	}
	if (object == KVT_NO_OBJECT) {
		begin_object(r, e, KVT_MALLOC, stream);
		return;
	}
	put_address(r, e, stream, object);
	o = &t->objects[object];
	add_op(r, e, KVT_REALLOC, stream, object);
	if (e->size > o->size)
		t->sites[e->site].bytes += e->size - o->size;
	count_bytes(r, o->size, e->size);
	o->size = e->size;
	o->reallocs++;
}

static void
handle(struct reader *r, const struct kvt_event *e, enum kvt_phase phase,
	uint32_t stream)
{
	struct kvt_trace *t = r->trace;
	uint32_t object;

	if (e->site && (e->site >= t->nsites || !t->sites[e->site].n))
		kvt_fail("%s: corrupt: no call site %u", t->input.name, e->site);
	if (phase == KVT_IS_BACK) {
		end_realloc(r, e, stream);
	} else if (phase == KVT_GIVES_BACK || e->kind == KVT_FREE) {
		object = kvt_addresses_take(r->live,
			e->kind == KVT_FREE ? e->address : e->old_address);
		if (object == KVT_NO_OBJECT)
			t->counts.unknown_frees++;
		if (phase == KVT_GIVES_BACK)
			r->moving[stream] = object;
		else if (object != KVT_NO_OBJECT)
			end_object(r, e, stream, object);
	} else {
		begin_object(r, e, e->kind, stream);
	}
}

static void
read_calls(struct kvt_trace *t, struct rooms *rooms)
{
	struct reader r = { 0 };
	struct kvt_merge *m = kvt_merge_open(&t->input);
	const struct kvt_event *e;
	enum kvt_phase phase;
	uint32_t stream;

	r.trace = t;
	r.rooms = rooms;
	r.live = kvt_addresses_new();
	r.moving = kvt_array(t->input.nstreams, sizeof(*r.moving));
	while ((e = kvt_merge_next(m, &phase, &stream)))
		handle(&r, e, phase, stream);
	t->counts.end_bytes = r.bytes;
	t->counts.end_objects = r.n;
	kvt_merge_close(m);
	kvt_addresses_free(r.live);
	free(r.moving);
}

void
kvt_trace_load_sites(struct kvt_trace *t, const char *name)
{
	struct rooms rooms = { 0 };

	memset(t, 0, sizeof(*t));
	kvt_input_open(&t->input, name);
	read_sites(t, &rooms);
}

void
kvt_trace_load(struct kvt_trace *t, const char *name)
{
	struct rooms rooms = { 0 };

	memset(t, 0, sizeof(*t));
	kvt_input_open(&t->input, name);
	read_sites(t, &rooms);
	read_calls(t, &rooms);
}

void
kvt_trace_print_title(const struct kvt_trace *t)
{
	const struct kvt_header *h = &t->input.header;
	time_t start = (time_t)(h->start_ns / 1000000000u);
	struct tm tm;
	char date[32] = "?";
	size_t i = 0;

	if (localtime_r(&start, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	printf("# %s: process %llu, %s\n# ", t->input.name,
		(unsigned long long)h->pid, date);
	while (i < sizeof(h->command) && h->command[i]) {
		const char *word = &h->command[i];
		for (; h->command[i]; i++)
			;
		i++;
		printf("%.200s ", word);
	}
	printf("(%s)\n", h->program);
	if (h->flags & KVT_FLAG_LIMIT)
		printf("# The bound of %s was reached: what came after is missing.\n",
			kvt_size_text(h->limit));
	if (h->flags & KVT_FLAG_NO_SPACE)
		printf("# The file could not grow: what came after is missing.\n");
	if (h->flags & KVT_FLAG_SITES_FULL)
		printf("# There were too many call sites: later ones are unknown.\n");
	if (!(h->flags & (KVT_FLAG_ENDED | KVT_FLAG_LIMIT | KVT_FLAG_NO_SPACE)))
		printf("# The program did not come to exit(): it runs, was killed, "
			"or became another.\n");
}
