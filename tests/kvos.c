/* kvos.c -- systems that are not quite this one
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvos.h"
#include "watch.h"
#include "kvpages.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Four nodes ---------------------------------------------------------- */

#define RANGES 8192

struct range {
	uintptr_t from, to;
	kva_place_t place;
};

static struct {
	pthread_mutex_t lock;
	struct range ranges[RANGES];
	size_t n;
	int refusal;
	struct kva_os under;
} nodes = { .lock = PTHREAD_MUTEX_INITIALIZER };

static __thread int here, preferred = KVA_NO_NODE;

void
kvo_run_on(int node)
{
	here = node;
}

void
kvo_refuse_nodes(int error)
{
	nodes.refusal = error;
}

int
kvo_preferred(void)
{
	return preferred;
}

static int
refuse(int error)
{
	errno = error;
	return -1;
}

static const struct range *
range_of(uintptr_t at)
{
	for (size_t i = 0; i < nodes.n; i++)
		if (at >= nodes.ranges[i].from && at < nodes.ranges[i].to)
			return &nodes.ranges[i];
	return NULL;
}

kva_place_t
kvo_place_of(const void *p)
{
	const struct range *r;
	kva_place_t place;

	pthread_mutex_lock(&nodes.lock);
	r = range_of((uintptr_t)p);
	place = r ? r->place : KVA_PLACE_ANY;
	pthread_mutex_unlock(&nodes.lock);
	return place;
}

/* What the system says to a node: EINVAL for those without memory, and ENOMEM for
 * a full one, though who merely prefers it gets memory from elsewhere. */
static int
answer(kva_place_t place)
{
	int node = kva_place_node(place);

	if (nodes.refusal)
		return nodes.refusal;
	if (node >= KVO_NODES || node == KVO_BARE_NODE)
		return EINVAL;
	return node == KVO_FULL_NODE ? ENOMEM : 0;
}

static int
nodes_bind(void *p, size_t size, kva_place_t place)
{
	int error = answer(place);
	const struct range *r;

	if (error && !(error == ENOMEM && !nodes.refusal && !kva_place_is_bind(place)))
		return refuse(error);
	pthread_mutex_lock(&nodes.lock);
	r = range_of((uintptr_t)p);
	if (!r || r->place != place) {
		if (nodes.n == RANGES)
			abort();
		nodes.ranges[nodes.n++] = (struct range){
			(uintptr_t)p, (uintptr_t)p + size, place,
		};
	}
	pthread_mutex_unlock(&nodes.lock);
	return error ? refuse(error) : 0;
}

static int
nodes_unmap(void *p, size_t size)
{
	int result = nodes.under.unmap(p, size);

	pthread_mutex_lock(&nodes.lock);
	for (size_t i = 0; i < nodes.n && result == 0; i++)
		if (nodes.ranges[i].from == (uintptr_t)p) {
			nodes.ranges[i] = nodes.ranges[--nodes.n];
			break;
		}
	pthread_mutex_unlock(&nodes.lock);
	return result;
}

/* The three nodes with memory take turns in interleaved memory. */
static int
node_of_page(uintptr_t at)
{
	const struct range *r = range_of(at);
	int node;

	if (!kvpg_is_mapped((void *)at))
		return -EFAULT;
	if (!kvpg_is_resident((void *)at))
		return -ENOENT;
	if (!r)
		return 0;
	if (r->place == KVA_PLACE_INTERLEAVE)
		return (int)(at / kva_os.page() % 3);
	node = kva_place_node(r->place);
	return node == KVO_FULL_NODE ? 0 : node;
}

static int
nodes_where(void *const *pages, int *node, size_t n)
{
	if (nodes.refusal)
		return refuse(nodes.refusal);
	pthread_mutex_lock(&nodes.lock);
	for (size_t i = 0; i < n; i++)
		node[i] = node_of_page((uintptr_t)pages[i]);
	pthread_mutex_unlock(&nodes.lock);
	return 0;
}

static int
nodes_count(void)
{
	return KVO_NODES;
}

static int
nodes_here(void)
{
	return here;
}

static int
nodes_prefer(int node)
{
	if (nodes.refusal)
		return refuse(nodes.refusal);
	if (node == KVO_BARE_NODE)
		return refuse(EINVAL);
	preferred = node;
	return 0;
}

static void
add_nodes(void)
{
	nodes.under = kva_os;
	nodes.n = 0;
	nodes.refusal = 0;
	kva_os.unmap = nodes_unmap;
	kva_os.bind = nodes_bind;
	kva_os.where = nodes_where;
	kva_os.nodes = nodes_count;
	kva_os.node_here = nodes_here;
	kva_os.prefer = nodes_prefer;
}

/* ---- Counting -------------------------------------------------------------- */

static struct kva_os system_before, under;
static struct kvo_counts counts;	/* atomic; relaxed */

static void
add(int64_t *count, int64_t n)
{
	__atomic_fetch_add(count, n, __ATOMIC_RELAXED);
}

static void
count_call(enum kva_call call)
{
	__atomic_fetch_add(&counts.calls[call], 1, __ATOMIC_RELAXED);
}

static void *
counted_alloc(size_t size, size_t alignment)
{
	void *p = under.alloc(size, alignment);

	count_call(KVA_CALL_ALLOC);
	add(&counts.pieces, p != NULL);
	return p;
}

static void
counted_free(void *p)
{
	add(&counts.pieces, -(p != NULL));
	__atomic_fetch_add(&counts.frees, p != NULL, __ATOMIC_RELAXED);
	under.free(p);
}

static void *
counted_map(size_t size, size_t alignment, kva_place_t place)
{
	void *p = under.map(size, alignment, place);

	count_call(KVA_CALL_MAP);
	add(&counts.mapped, p ? (int64_t)size : 0);
	return p;
}

static int
counted_unmap(void *p, size_t size)
{
	int result = under.unmap(p, size);

	count_call(KVA_CALL_UNMAP);
	add(&counts.mapped, -(int64_t)size);
	add(&counts.lost, result ? (int64_t)size : 0);
	return result;
}

static int
counted_discard(void *p, size_t size)
{
	count_call(KVA_CALL_DISCARD);
	return under.discard(p, size);
}

static int
counted_huge(void *p, size_t size, bool on)
{
	count_call(KVA_CALL_HUGE);
	return under.huge(p, size, on);
}

static int
counted_protect(void *p, size_t size, enum kva_access access)
{
	count_call(KVA_CALL_PROTECT);
	return under.protect(p, size, access);
}

static int
counted_populate(void *p, size_t size)
{
	count_call(KVA_CALL_POPULATE);
	return under.populate(p, size);
}

static int
counted_label(void *p, size_t size, const char *name)
{
	count_call(KVA_CALL_LABEL);
	return under.label(p, size, name);
}

static int
counted_bind(void *p, size_t size, kva_place_t place)
{
	count_call(KVA_CALL_BIND);
	return under.bind(p, size, place);
}

static int
counted_where(void *const *pages, int *node, size_t n)
{
	count_call(KVA_CALL_WHERE);
	return under.where(pages, node, n);
}

static int
counted_prefer(int node)
{
	count_call(KVA_CALL_PREFER);
	return under.prefer(node);
}

static void
add_counters(void)
{
	memset(&counts, 0, sizeof counts);
	under = kva_os;
	kva_os.alloc = counted_alloc;
	kva_os.free = counted_free;
	kva_os.map = counted_map;
	kva_os.unmap = counted_unmap;
	kva_os.discard = counted_discard;
	kva_os.huge = counted_huge;
	kva_os.protect = counted_protect;
	kva_os.populate = counted_populate;
	kva_os.label = counted_label;
	kva_os.bind = counted_bind;
	kva_os.where = counted_where;
	kva_os.prefer = counted_prefer;
}

struct kvo_counts
kvo_counts(void)
{
	return counts;
}

static bool is_begun;

/* A test that failed may not have come to its end. */
void
kvo_begin(enum kvo_machine machine)
{
	if (is_begun)
		kvo_end();
	is_begun = true;
	system_before = kva_os;
	if (machine == KVO_FOUR_NODES)
		add_nodes();
	kvo_heal();	/* which puts the twins in place */
	add_counters();
}

void
kvo_end(void)
{
	kva_fault_end();
	kva_os = system_before;
	is_begun = false;
	here = 0;
}

/* ---- Failing ----------------------------------------------------------------- */

void
kvo_fail_once(unsigned calls, uint64_t nth, int error)
{
	kva_fault_plan(&(struct kva_fault){
		.nth = nth, .calls = calls, .error = error,
	});
}

void
kvo_fail_from(unsigned calls, uint64_t nth, int error)
{
	kva_fault_plan(&(struct kva_fault){
		.nth = nth, .for_ever = true, .calls = calls, .error = error,
	});
}

void
kvo_heal(void)
{
	kva_fault_plan(&(struct kva_fault){ .nth = 0 });
}

/* ---- Looking -------------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define HAS_MSAN 1
#endif
#endif
#ifdef HAS_MSAN
#include <sanitizer/msan_interface.h>
#else
#define __msan_unpoison(p, size) ((void)(p), (void)(size))
#endif

void
kvo_look_at(const void *p, size_t size)
{
	kva_watch_restore(p, size);
	__msan_unpoison(p, size);
}

/* ---- Silence ------------------------------------------------------------------ */

static struct {
	FILE *file;
	int out, err;
} hushed;

void
kvo_hush(void)
{
	fflush(stdout);
	fflush(stderr);
	hushed.file = tmpfile();
	hushed.out = dup(1);
	hushed.err = dup(2);
	if (!hushed.file || hushed.out < 0 || hushed.err < 0 ||
	    dup2(fileno(hushed.file), 1) < 0 || dup2(fileno(hushed.file), 2) < 0)
		abort();
}

size_t
kvo_said(void)
{
	off_t end;

	fflush(stdout);
	fflush(stderr);
	end = lseek(fileno(hushed.file), 0, SEEK_END);
	if (end < 0 || dup2(hushed.out, 1) < 0 || dup2(hushed.err, 2) < 0)
		abort();
	close(hushed.out);
	close(hushed.err);
	fclose(hushed.file);
	return (size_t)end;
}
