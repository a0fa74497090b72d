/* fuzz-family.c -- several arenas: children, absorbing, marks, defers, handles
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The model of each arena is a book of its pieces, in the order of their making; a
 * mark is a length of the book and of the stack of defers. Reset, rewind and
 * destroy cut both, and every defer must run just then and from the top; absorb
 * puts one arena's book on another's. Handles die with the pieces made since the
 * mark they were made under. An ancestor's limit holds for the sum of its family.
 */
#include "fuzz.h"

#define ARENAS 6
#define MARKS 8
#define DEFERS 32
#define HANDLES 16

struct member {
	kv_arena_t *arena;
	int parent;			/* -1: none */
	bool is_shared;
	bool is_exact;			/* detailed statistics of all its pieces */
	size_t limit;
	struct kvt_book book;
	struct {
		kv_arena_mark_t mark;
		size_t pieces, defers;
	} marks[MARKS];
	size_t nmarks;
	unsigned defers[DEFERS];	/* tickets, the top last */
	size_t ndefers;
	struct {
		kv_arena_handle_t handle;
		size_t depth;		/* marks there were; SIZE_MAX: dead */
	} handles[HANDLES];
	size_t nhandles;
};

static struct member family[ARENAS];
static unsigned tickets;		/* given out */

/* ---- Defers ----------------------------------------------------------------- */

static void run_deferred(void *arg);

static void
defer(struct member *m)
{
	unsigned ticket = tickets + 1;

	if (m->ndefers == DEFERS)
		return;
	if (kv_arena_defer(m->arena, run_deferred, (void *)(uintptr_t)ticket) == 0) {
		tickets = ticket;
		m->defers[m->ndefers++] = ticket;
	} else {
		must(errno == ENOMEM);
	}
}

/* The ticket must be on top of some arena's stack. Some defer once more. */
static void
run_deferred(void *arg)
{
	unsigned ticket = (unsigned)(uintptr_t)arg;
	struct member *m = family;

	while (m < family + ARENAS &&
	       (m->ndefers == 0 || m->defers[m->ndefers - 1] != ticket))
		m++;
	must(m < family + ARENAS && m->arena);
	m->ndefers--;
	if (ticket % 7 == 3)
		defer(m);
	if (ticket % 5 == 1)
		kv_arena_alloc(m->arena, ticket % 1000 + 1);
}

/* ---- Cutting back ------------------------------------------------------------- */

static void
handles_die(struct member *m, size_t depth)
{
	for (size_t i = 0; i < m->nhandles; i++)
		if (m->handles[i].depth > depth)
			m->handles[i].depth = SIZE_MAX;
}

static void
see_handles(const struct member *m)
{
	for (size_t i = 0; i < m->nhandles; i++)
		must(kv_arena_deref(m->handles[i].handle) ==
			(m->handles[i].depth == SIZE_MAX ? NULL
				: m->handles[i].handle.ptr));
}

static void
forget(struct member *m)
{
	must(m->ndefers == 0);
	handles_die(m, 0);
	for (size_t i = 0; i < m->nhandles; i++)
		m->handles[i].depth = SIZE_MAX;
	kvt_strike(&m->book, 0);
	m->nmarks = 0;
}

static bool
descends(int i, int from)
{
	while (i >= 0 && i != from)
		i = family[i].parent;
	return i >= 0;
}

/* The arena and all below it are gone, or only those below. */
static void
forget_family(int root, bool itself)
{
	bool gone[ARENAS];

	for (int i = 0; i < ARENAS; i++)
		gone[i] = family[i].arena && descends(i, root) && (itself || i != root);
	for (int i = 0; i < ARENAS; i++) {
		if (!gone[i])
			continue;
		forget(&family[i]);
		see_handles(&family[i]);
		kvt_drop(&family[i].book);
		family[i].arena = NULL;
	}
	if (!itself)
		forget(&family[root]);
}

/* ---- Operations ------------------------------------------------------------------ */

static void
create(int i, struct input *in)
{
	static const size_t sizes[] = { 1024, 2048, 4096, 65536 };
	unsigned flags = next(in), parent = next(in);
	struct member *m = &family[i];
	kv_arena_config_t c = KV_ARENA_DEFAULT_CONFIG;
	uint64_t salt = m->book.salt + 1000003;

	if (m->arena)
		return;
	c.block_size = sizes[flags % 4];
	c.thread_mode = flags & 4 ? KV_ARENA_THREAD_SAFE : KV_ARENA_THREAD_UNSAFE;
	c.enable_detailed_stats = flags & 8;
	c.enable_block_cache = !(flags & 16);
	c.zero = flags & 32;
	c.max_cached_blocks = 2;
	c.memory_limit = flags & 64 ? 3000 + 64 * (size_t)next16(in) : 0;
	c.debug = (kv_arena_debug_t)(flags & 128 ? 1 + flags % 3 : 0);
	memset(m, 0, sizeof *m);
	m->book.salt = salt;
	m->parent = (int)(parent % (ARENAS + 2));
	if (m->parent >= ARENAS || !family[m->parent].arena)
		m->parent = -1;
	m->is_shared = flags & 4;
	m->is_exact = flags & 8;
	m->limit = c.memory_limit;
	errno = 0;
	m->arena = m->parent < 0 ? kv_arena_create_ex(&c)
		: kv_arena_create_child(family[m->parent].arena, &c);
	must(m->arena || errno == ENOMEM);
}

/* Whether a limit of an arena or of one above it may refuse. */
static bool
is_limited(const struct member *m)
{
	for (int i = (int)(m - family); i >= 0; i = family[i].parent)
		if (family[i].limit)
			return true;
	return false;
}

static void
alloc(struct member *m, struct input *in)
{
	size_t size = next_size(in), alignment = (size_t)1 << next(in) % 8;
	void *p;

	if (size == 0 || size > 1 << 20)
		return;
	p = alignment == 8 ? kv_arena_alloc(m->arena, size)
		: kv_arena_alloc_aligned(m->arena, size, alignment);
	must(p || (errno == ENOMEM && is_limited(m)));
	if (p)
		kvt_enter(&m->book, p, size, alignment);
}

/* Pieces made before the last mark are left: a rewind would end their growth. */
static void
resize(struct member *m, struct input *in)
{
	size_t kept = m->nmarks ? m->marks[m->nmarks - 1].pieces : 0;
	size_t which = next(in), size = next_size(in), i;
	struct kvt_piece old;
	void *p;

	if (m->book.n == kept || size > 1 << 20)
		return;
	i = m->book.n - 1 - which % (m->book.n - kept);
	old = m->book.pieces[i];
	errno = 0;
	p = kv_arena_realloc(m->arena, old.p, old.size, size);
	if (p) {
		kvt_resize(&m->book, i, p, size);
	} else if (size) {
		must(errno == ENOMEM && is_limited(m));
	} else {
		must(errno == 0);
		for (; i + 1 < m->book.n; i++)
			m->book.pieces[i] = m->book.pieces[i + 1];
		m->book.n--;
	}
}

static void
mark(struct member *m)
{
	kv_arena_mark_t mark;

	if (m->nmarks == MARKS)
		return;
	errno = 0;
	mark = kv_arena_mark(m->arena);
	if (mark.serial == 0) {
		must(errno == (m->is_shared ? EINVAL : ENOMEM));
		must(m->is_shared || is_limited(m));
		return;
	}
	must(!m->is_shared);
	if (m->nmarks && m->marks[m->nmarks - 1].mark.serial == mark.serial)
		return;
	m->marks[m->nmarks].mark = mark;
	m->marks[m->nmarks].pieces = m->book.n;
	m->marks[m->nmarks++].defers = m->ndefers;
}

static void
rewind_to(struct member *m, struct input *in)
{
	unsigned b = next(in);
	kv_arena_mark_t stale = { 12345, m };
	size_t i;

	if (b % 8 == 7 || m->nmarks == 0) {	/* one that never was */
		if (m->nmarks)
			stale.record = m->marks[0].mark.record;
		errno = 0;
		must(kv_arena_rewind(m->arena, stale) == -1 && errno == EINVAL);
		return;
	}
	i = b % m->nmarks;
	must_be_intact(&m->book);
	if (i + 1 < m->nmarks)
		stale = m->marks[m->nmarks - 1].mark;
	must(kv_arena_rewind(m->arena, m->marks[i].mark) == 0);
	must(m->ndefers == m->marks[i].defers);
	kvt_strike(&m->book, m->marks[i].pieces);
	m->nmarks = i + 1;
	handles_die(m, i);
	errno = 0;
	must(kv_arena_rewind(m->arena, stale) == -1 && errno == EINVAL);
}

static void
take_handle(struct member *m, struct input *in)
{
	size_t which = next(in);
	kv_arena_handle_t h;

	if (m->book.n == 0) {
		h = kv_arena_handle(m->arena, &h);
		must(!h.ptr);
		return;
	}
	h = kv_arena_handle(m->arena, m->book.pieces[which % m->book.n].p);
	must(h.ptr == m->book.pieces[which % m->book.n].p);
	must(kv_arena_deref(h) == h.ptr);
	if (m->nhandles == HANDLES)
		return;
	m->handles[m->nhandles].handle = h;
	m->handles[m->nhandles++].depth = m->nmarks;
}

static bool
has_children(int i)
{
	for (int k = 0; k < ARENAS; k++)
		if (family[k].arena && family[k].parent == i)
			return true;
	return false;
}

static void
absorb(int into, int from)
{
	struct member *a = &family[into], *b = &family[from];
	bool allowed = a != b && b->arena && !has_children(from);

	if (allowed && a->ndefers + b->ndefers > DEFERS)
		return;
	errno = 0;
	if (kv_arena_absorb(a->arena, b->arena) != 0) {
		must(errno == (allowed ? ENOMEM : EINVAL));
		must(!allowed || is_limited(a));
		return;
	}
	must(allowed);
	kvt_join(&a->book, &b->book);
	memcpy(a->defers + a->ndefers, b->defers, b->ndefers * sizeof *b->defers);
	a->ndefers += b->ndefers;
	b->ndefers = 0;
	forget(b);
	a->is_exact = a->is_exact && b->is_exact;
}

static void
end(int i, bool destroy)
{
	for (int k = 0; k < ARENAS; k++)
		if (family[k].arena && descends(k, i))
			must_be_intact(&family[k].book);
	if (destroy)
		kv_arena_destroy(family[i].arena);
	else
		kv_arena_reset(family[i].arena);
	forget_family(i, destroy);
}

/* ---- After each operation ------------------------------------------------------------ */

static void
check(int i)
{
	struct member *m = &family[i];
	kv_arena_stats_t s = stats_of(m->arena);
	uint64_t below = 0;

	must_balance(m->arena);
	if (m->is_exact)
		must(s.used_bytes == live_bytes(&m->book));
	else
		must(s.used_bytes >= live_bytes(&m->book));
	for (int k = 0; k < ARENAS; k++)
		if (k != i && family[k].arena && descends(k, i))
			below += kv_arena_memory_usage(family[k].arena);
	must(s.children_memory_usage == below);
	must(!m->limit || s.current_memory_usage + below <= m->limit);
	for (int k = 0; k < ARENAS; k++)
		if (family[k].arena && m->book.n)
			must(kv_arena_owns(family[k].arena,
				m->book.pieces[m->book.n - 1].p) == (k == i));
	see_handles(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	int i;

	memset(family, 0, sizeof family);
	tickets = 0;
	for (unsigned n = 1; in.p < in.end; n++) {
		unsigned b = next(&in);

		i = (int)(b / 16 % ARENAS);
		if (!family[i].arena) {
			create(i, &in);
			continue;
		}
		switch (b % 16) {
		case 0: case 1: case 2: case 3: case 4:
			alloc(&family[i], &in);
			break;
		case 5: case 6: case 7:
			resize(&family[i], &in);
			break;
		case 8:
			mark(&family[i]);
			break;
		case 9:
			rewind_to(&family[i], &in);
			break;
		case 10:
			defer(&family[i]);
			break;
		case 11:
			take_handle(&family[i], &in);
			break;
		case 12:
			absorb(i, (int)(next(&in) % ARENAS));
			break;
		case 13:
			end(i, next(&in) % 4 == 0);
			break;
		case 14:
			kv_arena_compact(family[i].arena);
			break;
		default:
			create((i + 1) % ARENAS, &in);
			break;
		}
		for (int k = 0; k < ARENAS; k++)
			if (family[k].arena)
				check(k);
		if (n % 32 == 0)
			must_be_intact(&family[i].book);
	}
	for (i = 0; i < ARENAS; i++)
		if (family[i].arena && family[i].parent < 0)
			end(i, true);
	for (i = 0; i < ARENAS; i++)
		must(!family[i].arena);
	return 0;
}
