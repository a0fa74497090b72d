/* registry.c [5] -- the arenas that live, and the threads that share them
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * L1 is taken when an arena begins or ends, when a thread first uses a shared
 * arena, when a thread ends, and around fork: never by an allocation that finds
 * its shard. It makes the end of a thread and the end of an arena exclude each
 * other, so that neither reads what the other freed.
 */
#include "registry.h"
#include "scope.h"
#include "thread.h"

static struct {
	pthread_mutex_t lock;		/* L1 */
	struct kva_arena *arenas;	/* newest first */
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

static pthread_once_t started = PTHREAD_ONCE_INIT;
static uint64_t last_id;	/* atomic; relaxed: only unique */

void
kva_registry_lock(void)
{
	pthread_mutex_lock(&registry.lock);
}

void
kva_registry_unlock(void)
{
	pthread_mutex_unlock(&registry.lock);
}

struct kva_arena *
kva_registry_first(void)
{
	return registry.arenas;
}

uint64_t
kva_registry_key(unsigned kind)
{
	return (kva_add_relaxed(&last_id, 1) + 1) << 4 | kind;
}

void
kva_registry_add(struct kva_arena *a)
{
	kva_registry_lock();
	a->next = registry.arenas;
	a->link = &registry.arenas;
	if (a->next)
		a->next->link = &a->next;
	registry.arenas = a;
	kva_registry_unlock();
}

static void
unlink_from_thread(struct kva_shard *s)
{
	if (!s->link_of_thread)
		return;
	*s->link_of_thread = s->next_of_thread;
	if (s->next_of_thread)
		s->next_of_thread->link_of_thread = s->link_of_thread;
	s->link_of_thread = NULL;
}

/* From here on no ending thread reaches the arena's shards. */
void
kva_registry_remove(struct kva_arena *a)
{
	kva_registry_lock();
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	if (a->team)
		for (struct kva_shard *s = a->team->shards; s; s = s->next)
			unlink_from_thread(s);
	kva_registry_unlock();
}

/* Hand back every shard of the calling thread. */
static void
thread_ends(void *value)
{
	struct kva_shard **mine = kva_thread_shards_of(value), *s;

	kva_registry_lock();
	while ((s = *mine) != NULL) {
		unlink_from_thread(s);
		kva_team_lock(s->arena);	/* E1, release side */
		s->owner = 0;
		kva_team_unlock(s->arena);
	}
	kva_registry_unlock();
	kva_thread_end(value);
}

static void
fork_before(void)
{
	kva_registry_lock();
	for (struct kva_arena *a = registry.arenas; a; a = a->next)
		if (a->team)
			pthread_mutex_lock(&a->team->lock);
	kva_cache_fork_before();
	kva_scope_fork_before();
	kva_sites_fork_before();
}

static void
unlock_all(void)
{
	kva_sites_fork_after();
	kva_scope_fork_after();
	kva_cache_fork_after();
	for (struct kva_arena *a = registry.arenas; a; a = a->next)
		if (a->team)
			pthread_mutex_unlock(&a->team->lock);
	kva_registry_unlock();
}

/* The child has one thread: the shards of the others are up for adoption. Their
 * threads stopped anywhere in the fast path, which leaves a window whole between
 * any two of its stores. */
static void
fork_child(void)
{
	for (struct kva_arena *a = registry.arenas; a; a = a->next)
		if (a->team)
			kva_team_fork_child(a);
	unlock_all();
}

static void
start(void)
{
	kva_os.exit_hook(thread_ends);
	kva_os.fork_hook(fork_before, unlock_all, fork_child);
}

void
kva_registry_start(void)
{
	pthread_once(&started, start);
}
