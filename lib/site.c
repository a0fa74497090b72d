/* site.c [2] -- the call stacks that allocate, with what was sampled at each
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One lock serves all tables: a sample is rare, and takes a look-up under it. Memory
 * is asked for without it, so a stack that is new is looked for twice.
 */
#include "site.h"
#include "os.h"
#include "size.h"

#include <pthread.h>
#include <string.h>

#define SLOTS 1024
#define INSIDE 32		/* frames of the library's own, and of checkers */

/* A stack in a table. */
struct entry {
	struct entry *next;		/* of its slot */
	struct kva_amounts sum;
	size_t depth;
	void *frames[];
};

struct kva_sites {
	size_t interval;
	size_t n;			/* what follows is under the lock */
	struct kva_amounts others;
	struct entry *slots[SLOTS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct kva_sites *
kva_sites_create(size_t interval)
{
	struct kva_sites *t = kva_os.alloc(sizeof *t, sizeof(void *));
	void *frame;

	if (!t)
		return NULL;
	memset(t, 0, sizeof *t);
	t->interval = interval;
	kva_os.backtrace(&frame, 1);	/* the first call may ask for memory */
	return t;
}

size_t
kva_sites_interval(const struct kva_sites *t)
{
	return t->interval;
}

/* Take all entries out, as a list. */
static struct entry *
empty_locked(struct kva_sites *t)
{
	struct entry *all = NULL, *e;

	for (size_t i = 0; i < SLOTS; i++)
		while ((e = t->slots[i]) != NULL) {
			t->slots[i] = e->next;
			e->next = all;
			all = e;
		}
	t->n = 0;
	memset(&t->others, 0, sizeof t->others);
	return all;
}

void
kva_sites_clear(struct kva_sites *t)
{
	struct entry *e, *next;

	pthread_mutex_lock(&lock);
	e = empty_locked(t);
	pthread_mutex_unlock(&lock);
	for (; e; e = next) {
		next = e->next;
		kva_os.free(e);
	}
}

void
kva_sites_destroy(struct kva_sites *t)
{
	if (!t)
		return;
	kva_sites_clear(t);
	kva_os.free(t);
}

/* ---- Adding ------------------------------------------------------------------- */

/* Thumb code's have the lowest bit set, or not. */
static bool
is_same_address(const void *a, const void *b)
{
	return ((uintptr_t)a | 1) == ((uintptr_t)b | 1);
}

/* The stack from the frame that returns to caller outwards. Where the system knows
 * no stacks, or this one not so far, that frame alone. */
static void **
find_stack(void **frames, const void *caller, size_t *depth)
{
	size_t n = (size_t)kva_os.backtrace(frames, INSIDE + KVA_FRAMES), i = 0;

	while (i < n && !is_same_address(frames[i], caller))
		i++;
	if (i == n) {
		frames[0] = (void *)(uintptr_t)caller;
		i = 0;
		n = 1;
	}
	*depth = n - i < KVA_FRAMES ? n - i : KVA_FRAMES;
	return frames + i;
}

static struct entry **
slot_of(struct kva_sites *t, void *const *frames, size_t depth)
{
	uint64_t hash = depth;

	for (size_t i = 0; i < depth; i++)
		hash = (hash ^ (uintptr_t)frames[i]) * 0x9e3779b97f4a7c15u;
	return &t->slots[hash >> 32 & (SLOTS - 1)];
}

static void
sum_up(struct kva_amounts *sum, const struct kva_amounts *amounts)
{
	for (unsigned i = 0; i < KVA_AMOUNTS; i++)
		sum->of[i] += amounts->of[i];
}

static bool
add_if_there(struct kva_sites *t, void *const *frames, size_t depth,
	const struct kva_amounts *amounts)
{
	struct entry *e = *slot_of(t, frames, depth);

	while (e && (e->depth != depth ||
		     memcmp(e->frames, frames, depth * sizeof *frames) != 0))
		e = e->next;
	if (e)
		sum_up(&e->sum, amounts);
	return e != NULL;
}

/* A table that is full takes no entry, and neither does one of NULL. */
static bool
insert(struct kva_sites *t, struct entry *e)
{
	struct entry **slot;

	if (!e || t->n == KVA_SITES)
		return false;
	slot = slot_of(t, e->frames, e->depth);
	e->next = *slot;
	*slot = e;
	t->n++;
	return true;
}

static struct entry *
make_entry(void *const *frames, size_t depth, const struct kva_amounts *amounts)
{
	size_t size = depth * sizeof *frames;
	struct entry *e = kva_os.alloc(sizeof *e + size, sizeof(void *));

	if (!e)
		return NULL;
	e->sum = *amounts;
	e->depth = depth;
	memcpy(e->frames, frames, size);
	return e;
}

static void
add_stack(struct kva_sites *t, void *const *frames, size_t depth,
	const struct kva_amounts *amounts)
{
	struct entry *e = NULL;
	bool is_there, is_full, is_used = false;

	pthread_mutex_lock(&lock);
	is_there = add_if_there(t, frames, depth, amounts);
	is_full = t->n == KVA_SITES;
	pthread_mutex_unlock(&lock);
	if (is_there)
		return;
	if (!is_full)
		e = make_entry(frames, depth, amounts);
	pthread_mutex_lock(&lock);
	if (!add_if_there(t, frames, depth, amounts)) {
		is_used = insert(t, e);
		if (!is_used)
			sum_up(&t->others, amounts);
	}
	pthread_mutex_unlock(&lock);
	if (!is_used)
		kva_os.free(e);
}

void
kva_sites_add(struct kva_sites *t, const struct kva_amounts *amounts,
	const void *caller)
{
	void *frames[INSIDE + KVA_FRAMES], **stack;
	int error = errno;
	size_t depth;

	stack = find_stack(frames, caller, &depth);
	add_stack(t, stack, depth, amounts);
	errno = error;
}

/* ---- Reading ------------------------------------------------------------------ */

size_t
kva_sites_count(struct kva_sites *t)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = t->n + 1;
	pthread_mutex_unlock(&lock);
	return n;
}

size_t
kva_sites_copy(struct kva_sites *t, struct kva_site *sites, size_t n)
{
	size_t i = 0;

	pthread_mutex_lock(&lock);
	if (n > 0) {
		sites[i].sum = t->others;
		sites[i++].depth = 0;
	}
	for (size_t slot = 0; slot < SLOTS; slot++)
		for (struct entry *e = t->slots[slot]; e && i < n; e = e->next, i++) {
			sites[i].sum = e->sum;
			sites[i].depth = e->depth;
			memcpy(sites[i].frames, e->frames, e->depth * sizeof e->frames[0]);
		}
	pthread_mutex_unlock(&lock);
	return i;
}

void
kva_sites_fork_before(void)
{
	pthread_mutex_lock(&lock);
}

void
kva_sites_fork_after(void)
{
	pthread_mutex_unlock(&lock);
}
