/* stream.c -- what one thread tells
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Events go straight into a mapped chunk. Its count of used bytes is raised
 * after the event is there, so that whoever reads the file of a killed program,
 * or of one that runs, finds whole events only.
 *
 * The thread-local words are initial-exec: the other models allocate.
 */
#include "config.h"

#include "recording.h"
#include "site.h"
#include "stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_STREAMS 65536u

struct kvt_stream {
	struct kvt_chunk *chunk;	/* NULL before the first event */
	uint8_t *next;			/* where the next event goes */
	uint64_t seq;			/* of the last event */
	uint64_t address;		/* of the last event */
	uint32_t tid;
	uint32_t serial;		/* of the next chunk */
	struct kvt_stream *idle;	/* next in the list of idle streams */
};

struct mine {
	struct kvt_stream *stream;
	unsigned life;			/* the recording that it belongs to */
	bool busy;			/* between enter and leave */
};

static __thread struct mine mine __attribute__((tls_model("initial-exec")));

static struct kvt_stream *streams;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned nstreams;		/* under lock, as is */
static struct kvt_stream *idle;
static pthread_key_t key;		/* its destructor sees threads end */
static bool has_key;

/* ---- Coming and going ----------------------------------------------------- */

static void
retire(void *stream)
{
	struct kvt_stream *s = stream;

	if (mine.stream != s || mine.life != kvt_recording_life())
		return;
	mine.stream = NULL;
	pthread_mutex_lock(&lock);
	s->idle = idle;
	idle = s;
	pthread_mutex_unlock(&lock);
}

bool
kvt_stream_start(void)
{
	if (!streams)
		streams = kvt_pages(MAX_STREAMS * sizeof(*streams));
	if (!has_key)
		has_key = pthread_key_create(&key, retire) == 0;
	return streams && has_key;
}

void
kvt_stream_forget(void)
{
	static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
	unsigned i;

	for (i = 0; i < nstreams; i++)
		if (streams[i].chunk)
			kvt_recording_drop_chunk(streams[i].chunk);
	madvise(streams, MAX_STREAMS * sizeof(*streams), MADV_DONTNEED);
	nstreams = 0;
	idle = NULL;
	lock = fresh;
}

/* Give the calling thread an idle stream or a new one. */
static struct kvt_stream *
adopt(void)
{
	struct kvt_stream *s;

	pthread_mutex_lock(&lock);
	s = idle;
	if (s)
		idle = s->idle;
	else if (nstreams < MAX_STREAMS)
		s = &streams[nstreams++];
	pthread_mutex_unlock(&lock);
	if (!s)
		return NULL;
	s->tid = (uint32_t)syscall(SYS_gettid);
	mine.stream = s;
	mine.life = kvt_recording_life();
	pthread_setspecific(key, s);
	return s;
}

static bool begin_chunk(struct kvt_stream *s);
static bool tell_thread(struct kvt_stream *s);

static bool
is_mine(void)
{
	return mine.stream && mine.life == kvt_recording_life();
}

struct kvt_stream *
kvt_stream_enter(void)
{
	int saved_errno;

	if (mine.busy) {
		if (is_mine())
			__atomic_fetch_add(&kvt_recording_header()->nested, 1,
				__ATOMIC_RELAXED);
		return NULL;
	}
	mine.busy = true;
	if (kvt_recording()) {
		if (is_mine())
			return mine.stream;
		saved_errno = errno;
		if (adopt() && tell_thread(mine.stream)) {
			errno = saved_errno;
			return mine.stream;
		}
		errno = saved_errno;
	}
	mine.busy = false;
	return NULL;
}

void
kvt_stream_leave(struct kvt_stream *stream)
{
	(void)stream;
	mine.busy = false;
}

/* ---- Events ---------------------------------------------------------------- */

uint64_t
kvt_stream_draw(void)
{
	return __atomic_add_fetch(&kvt_recording_header()->seq, 1,
		__ATOMIC_RELAXED);
}

void
kvt_stream_failed(void)
{
	__atomic_fetch_add(&kvt_recording_header()->failed, 1, __ATOMIC_RELAXED);
}

/* Return where an event of at most size bytes may be written, or NULL. */
static uint8_t *
room_for(struct kvt_stream *s, size_t size)
{
	uint8_t *end = (uint8_t *)s->chunk + KVT_CHUNK_SIZE;

	if ((!s->chunk || (size_t)(end - s->next) < size) && !begin_chunk(s))
		return NULL;
	return s->next;
}

/* The event that room_for made room for ends at end. */
static void
publish(struct kvt_stream *s, uint8_t *end)
{
	s->next = end;
	__atomic_store_n(&s->chunk->used,
		(uint32_t)(end - (uint8_t *)(s->chunk + 1)), __ATOMIC_RELEASE);
}

static bool
tell_thread(struct kvt_stream *s)
{
	uint8_t *p = room_for(s, 16);

	if (!p)
		return false;
	*p++ = KVT_THREAD;
	publish(s, kvt_put(p, s->tid));
	return true;
}

/* Each chunk says again whose events follow. */
static bool
begin_chunk(struct kvt_stream *s)
{
	struct kvt_chunk *c = kvt_recording_take_chunk();

	if (!c)
		return false;
	if (s->chunk)
		kvt_recording_drop_chunk(s->chunk);
	s->chunk = c;
	s->next = (uint8_t *)(c + 1);
	s->address = 0;
	c->stream = (uint32_t)(s - streams);
	c->serial = s->serial++;
	c->first_seq = s->seq;
	c->time_ns = kvt_recording_time();
	__atomic_store_n(&c->magic, KVT_CHUNK_MAGIC, __ATOMIC_RELEASE);
	return tell_thread(s);
}

bool
kvt_stream_tell_site(struct kvt_stream *s, uint32_t id,
	const uintptr_t *frames, unsigned n)
{
	uint8_t *p = room_for(s, KVT_EVENT_MAX);
	uintptr_t last = 0;
	unsigned i;

	if (!p)
		return false;
	*p++ = KVT_SITE;
	p = kvt_put(p, id);
	p = kvt_put(p, n);
	for (i = 0; i < n; i++) {
		p = kvt_put(p, kvt_zigzag((uint64_t)frames[i] - last));
		last = frames[i];
	}
	publish(s, p);
	return true;
}

bool
kvt_stream_tell_map(struct kvt_stream *s, uint64_t start, uint64_t size,
	uint64_t offset, const char *path)
{
	size_t length = strnlen(path, KVT_MAX_PATH);
	uint8_t *p = room_for(s, KVT_EVENT_MAX);

	if (!p)
		return false;
	*p++ = KVT_MAP;
	p = kvt_put(p, start);
	p = kvt_put(p, size);
	p = kvt_put(p, offset);
	p = kvt_put(p, length);
	memcpy(p, path, length);
	publish(s, p + length);
	return true;
}

static uint8_t *
put_address(struct kvt_stream *s, uint8_t *p, uintptr_t address)
{
	uint64_t unit = (uint64_t)address >> 3;

	p = kvt_put(p, kvt_zigzag(unit - s->address));
	s->address = unit;
	return p;
}

/* seq is drawn as late as can be: for an allocation after the allocator has
 * returned, and always after a new site has been told. */
void
kvt_stream_tell(struct kvt_stream *s, const struct kvt_call *call)
{
	int saved_errno = errno;
	uint32_t site = kvt_site_of(s, call->caller);
	uint8_t *p = room_for(s, 1 + 7 * 10), *kind = p;
	uint64_t seq;

	if (p) {
		seq = kvt_stream_draw();
		*p++ = (uint8_t)call->kind;
		if (seq == s->seq + 1)
			*kind |= KVT_NEXT;
		else
			p = kvt_put(p, seq - s->seq);
		s->seq = seq;
		if (call->kind != KVT_FREE)
			p = kvt_put(p, call->size);
		p = put_address(s, p, call->address);
		p = kvt_put(p, site);
		if (call->kind == KVT_ALIGNED)
			p = kvt_put(p, call->log2_alignment);
		if (call->kind == KVT_REALLOC) {
			p = put_address(s, p, call->old_address);
			p = kvt_put(p, seq - call->seq_before);
		}
		publish(s, p);
	}
	errno = saved_errno;
}
