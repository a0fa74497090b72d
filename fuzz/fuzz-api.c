/* fuzz-api.c -- one arena, one thread, every call that allocates
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The model is a list of live intervals with what was written there. After each
 * call the statistics must say where every byte is and count what the model
 * counts; pieces must be aligned, apart from each other, inside the arena, and at
 * the end as they were written.
 */
#include "fuzz.h"

#define MOST_PIECES 2000

struct world {
	kv_arena_t *arena;
	kv_arena_config_t config;
	struct kvt_book book;
	struct kvt_source source;
	uint64_t served;		/* calls that gave memory, since reset_stats */
	bool sealed;
};

static char buffer[20000];

static void
create(struct world *w, struct input *in)
{
	static const size_t sizes[] = { 0, 1, 1024, 4096, 4097, 65536, 1 << 20,
		3 << 20 };
	unsigned flags = next(in), more = next(in);
	kv_arena_config_t *c = &w->config;

	*c = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
	w->source = (struct kvt_source)KVT_SOURCE;
	c->block_size = sizes[flags % 8];
	c->max_block_size = flags & 8 ? sizes[flags / 16 % 8] : 0;
	c->enable_detailed_stats = !(flags & 128);
	c->thread_mode = more & 1 ? KV_ARENA_THREAD_SAFE : KV_ARENA_THREAD_UNSAFE;
	c->enable_block_cache = !(more & 2);
	c->zero = more & 4;
	c->huge_pages = more & 8 ? KV_ARENA_HUGE_OFF : KV_ARENA_HUGE_AUTO;
	c->debug = (kv_arena_debug_t)(more / 16 % 4);
	if (more & 64)
		c->block_source = kvt_hooks(&w->source);
	c->memory_limit = more & 128 ? 4096 + 256 * (size_t)next16(in) : 0;
	c->max_cached_blocks = flags % 5;
	if (flags == 64)
		w->arena = kv_arena_create_in(buffer + more % 16,
			sizeof buffer - more % 16, c);
	else
		w->arena = kv_arena_create_ex(c);
	if (!w->arena)
		must(c->memory_limit && errno == ENOMEM);
}

/* Every refusal says why, and has changed nothing that the model knows. */
static void
refused(struct world *w, size_t size)
{
	if (size == 0)
		must(errno == EINVAL);
	else if (w->sealed)
		must(errno == EPERM);
	else
		must(errno == ENOMEM && (size >= HOPELESS || w->config.memory_limit));
}

static void *
enter(struct world *w, void *p, size_t size, size_t alignment)
{
	if (!p) {
		refused(w, size);
		return NULL;
	}
	must(size > 0 && size < HOPELESS && !w->sealed);
	must(kv_arena_owns(w->arena, p));
	must(kv_arena_owns(w->arena, (char *)p + size - 1));
	w->served++;
	return kvt_enter(&w->book, p, size, alignment);
}

static bool
is_zero(const char *p, size_t size)
{
	char any = 0;

	for (size_t i = 0; p && i < size; i++)
		any |= p[i];
	return any == 0;
}

static void
alloc(struct world *w, struct input *in)
{
	size_t size = next_size(in);
	void *p;

	if (!is_serious(size))
		return;
	p = kv_arena_alloc(w->arena, size);
	must(!w->config.zero || is_zero(p, size));
	enter(w, p, size, KV_ARENA_ALIGNMENT);
}

static void
alloc_aligned(struct world *w, struct input *in)
{
	unsigned b = next(in);
	size_t size = next_size(in), alignment = (size_t)1 << b % 23;
	void *p;

	if (!is_serious(size))
		return;
	if (b >= 240) {		/* not a power of two, or one beyond all memory */
		alignment = b % 2 ? (size_t)1 << (sizeof(size_t) * 8 - 1) : b;
		errno = 0;
		p = kv_arena_alloc_aligned(w->arena, size, alignment);
		must(!p && (errno == EINVAL || errno == ENOMEM || errno == EPERM));
		return;
	}
	p = kv_arena_alloc_aligned(w->arena, size, alignment);
	must(!w->config.zero || is_zero(p, size));
	enter(w, p, size, alignment);
}

static void
alloc_array(struct world *w, struct input *in)
{
	size_t n = next_size(in), size = next_size(in), alignment = 1u << next(in) % 8;
	bool zeroed = next(in) % 2;
	size_t bytes = n * size;
	void *p;

	if (n && size && n > SIZE_MAX / size) {
		errno = 0;
		p = zeroed ? kv_arena_calloc(w->arena, n, size) :
			kv_arena_array(w->arena, n, size, alignment);
		must(!p && errno == EOVERFLOW);
		return;
	}
	if (!is_serious(bytes))
		return;
	if (!zeroed) {
		p = kv_arena_array(w->arena, n, size, alignment);
		enter(w, p, bytes, alignment > 8 ? alignment : 8);
		return;
	}
	p = kv_arena_calloc(w->arena, n, size);
	must(is_zero(p, bytes));
	enter(w, p, bytes, 8);
}

static void
alloc_text(struct world *w, struct input *in)
{
	char text[300];
	size_t n = next(in) + 1;
	unsigned how = next(in) % 4;
	char *p;

	memset(text, 'a' + (int)(n % 26), n);
	text[n] = '\0';
	switch (how) {
	case 0:
		p = kv_arena_memdup(w->arena, text, n);
		must(!p || memcmp(p, text, n) == 0);
		enter(w, p, n, 1);
		return;
	case 1:
		p = kv_arena_strdup(w->arena, text);
		break;
	case 2:
		p = kv_arena_strndup(w->arena, text, 2 * n);
		break;
	default:
		p = kv_arena_printf(w->arena, "%s", text);
		break;
	}
	must(!p || strcmp(p, text) == 0);
	enter(w, p, n + 1, 1);
}

/* The latest piece, or another. */
static void
resize(struct world *w, struct input *in)
{
	unsigned which = next(in);
	size_t i, size = next_size(in);
	struct kvt_piece old;
	void *p;

	if (w->book.n == 0 || !is_serious(size))
		return;
	i = w->book.n - 1 - which % w->book.n;
	old = w->book.pieces[i];
	errno = 0;
	p = kv_arena_realloc(w->arena, old.p, old.size, size);
	if (w->sealed) {
		must(!p && errno == EPERM);
	} else if (size == 0) {
		must(!p && errno == 0);
		for (; i + 1 < w->book.n; i++)
			w->book.pieces[i] = w->book.pieces[i + 1];
		w->book.n--;
	} else if (p) {
		must(size < HOPELESS);
		if (p != old.p)
			w->served++;
		must(!w->config.zero || size < old.size ||
			is_zero((char *)p + old.size, size - old.size));
		kvt_resize(&w->book, i, p, size);
	} else {
		must(errno == ENOMEM && (size >= HOPELESS || w->config.memory_limit));
	}
}

static void
reserve(struct world *w, struct input *in)
{
	size_t size = next_size(in);
	bool prefault = next(in) % 2;
	void *p;

	if (!is_serious(size))
		return;
	if (kv_arena_reserve(w->arena, size, prefault) != 0) {
		refused(w, size);
		return;
	}
	must(size > 0 && size < HOPELESS && !w->sealed);
	p = kv_arena_alloc(w->arena, size);	/* cannot fail */
	must(p);
	enter(w, p, size, 8);
}

static void
start_over(struct world *w)
{
	must_be_intact(&w->book);
	kv_arena_reset(w->arena);
	w->sealed = false;
	kvt_strike(&w->book, 0);
	must(kv_arena_total_allocated(w->arena) == 0);
}

static void
seal(struct world *w, struct input *in)
{
	if (next(in) % 4 != 0)
		return;
	if (w->sealed) {
		must(kv_arena_unseal(w->arena) == 0);
		w->sealed = false;
	} else if (kv_arena_seal(w->arena) == 0) {
		w->sealed = true;
		for (size_t i = 0; i < w->book.n; i++)	/* may be read */
			must(w->book.pieces[i].p[0] == (uint8_t)w->book.pieces[i].seed);
	} else {
		must(errno == ENOTSUP);
	}
}

static void
do_other(struct world *w, struct input *in)
{
	size_t before = kv_arena_memory_usage(w->arena), given;

	switch (next(in) % 6) {
	case 0:
		given = kv_arena_compact(w->arena);
		must(kv_arena_memory_usage(w->arena) == before - given);
		break;
	case 1:
		kv_arena_reset_stats(w->arena);
		w->served = 0;
		break;
	case 2:
		must(!kv_arena_owns(w->arena, w) && !kv_arena_owns(w->arena, NULL));
		must(!kv_arena_owns(w->arena, w->arena) || w->config.block_source.take);
		break;
	case 3:
		errno = 0;
		must(!kv_arena_calloc(w->arena, SIZE_MAX / 2, 3) && errno == EOVERFLOW);
		break;
	case 4:
		must(kv_arena_path(w->arena, NULL, 0) == 1);
		break;
	default:
		start_over(w);
		break;
	}
}

static void
check(struct world *w)
{
	kv_arena_stats_t s = stats_of(w->arena);
	uint64_t sizes = 0;

	must_balance(w->arena);
	must(s.peak_memory_usage >= s.current_memory_usage);
	must(!w->config.memory_limit || s.current_memory_usage <= w->config.memory_limit);
	for (int i = 0; i < 16; i++)
		sizes += s.size_distribution[i];
	if (w->config.enable_detailed_stats) {
		must(s.used_bytes == live_bytes(&w->book));
		must(s.total_allocations == w->served && sizes == w->served);
	} else {
		must(s.used_bytes >= live_bytes(&w->book));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct world w = { .served = 0 };

	create(&w, &in);
	for (unsigned i = 1; w.arena && in.p < in.end && w.book.n < MOST_PIECES; i++) {
		switch (next(&in) % 16) {
		case 0: case 1: case 2: case 3: case 4:
			alloc(&w, &in);
			break;
		case 5: case 6:
			alloc_aligned(&w, &in);
			break;
		case 7:
			alloc_array(&w, &in);
			break;
		case 8: case 9:
			alloc_text(&w, &in);
			break;
		case 10: case 11: case 12:
			resize(&w, &in);
			break;
		case 13:
			reserve(&w, &in);
			break;
		case 14:
			seal(&w, &in);
			break;
		default:
			do_other(&w, &in);
			break;
		}
		check(&w);
		if (i % 32 == 0)
			must_be_intact(&w.book);
	}
	must_be_intact(&w.book);
	kv_arena_destroy(w.arena);
	must(w.source.held == 0 && w.source.faults == 0);
	kvt_drop(&w.book);
	return 0;
}
