/* create.c [7] -- arenas begin, start over and end
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Memory is asked for first; nothing can fail after the arena is registered.
 */
#include "conf.h"
#include "charge.h"
#include "front.h"
#include "holding.h"
#include "debug.h"
#include "learn.h"
#include "publish.h"
#include "registry.h"
#include "scope.h"
#include "seal.h"
#include "size.h"
#include "stats.h"
#include "watch.h"

#include <string.h>

/* What create has gathered, from the heap or from a buffer. */
struct parts {
	struct kva_arena *arena;
	struct kva_extras *extras;
	struct kva_front *fronts;
	struct kva_team *team;
	size_t header;			/* bytes of all of these */
	struct kva_sites *sites;	/* of a sampled arena; these do not count */
	struct kva_sampler *sampler;
};

#define BLOCK_ALIGNMENT 16

/* What stands at the beginning of a caller's buffer; its rest is the first block. */
struct head {
	struct kva_arena arena;
	struct kva_extras extras;
	struct kva_tolls tolls;
	struct kva_block block;
} __attribute__((__aligned__(BLOCK_ALIGNMENT)));

static_assert(BLOCK_ALIGNMENT + sizeof(struct head) + KVA_CACHE_LINE <=
	KV_ARENA_MIN_BLOCK_SIZE, "the least buffer has room for the head and more");

static uint64_t
choose_key(const kv_arena_config_t *c)
{
	if (c->thread_mode == KV_ARENA_THREAD_SAFE)
		return kva_registry_key(c->enable_detailed_stats
			? KV_ARENA_SHARED_COUNTED : KV_ARENA_SHARED);
	return kva_registry_key(c->enable_detailed_stats
		? KV_ARENA_COUNTED : KV_ARENA_PLAIN);
}

static void
init_fronts(struct kva_arena *a, uint64_t key)
{
	for (unsigned i = 1; i < kva_arena_nfronts(a); i++)
		kva_window_init(&kva_arena_front(a, (int)i)->window, key,
			a->front.window.gap);
}

/* Let the first block be as large as the arena will probably be: one is enough. */
static void
use_lesson(struct kva_arena *a)
{
	size_t size;

	kva_registry_lock();
	size = kva_learn_size(a->extras->name);
	kva_registry_unlock();
	size = kva_cache_capacity(size + size / 8);
	if (size > a->next_capacity)
		a->next_capacity = size;
	if (size > a->setup.max_block)
		a->setup.max_block = size;
}

/* For what is published; without it the arena is shown as empty. */
static struct kva_shown *
room_to_show(void)
{
	struct kva_shown *s = NULL;

	if (kva_is_published() && (s = kva_os.alloc(sizeof *s, sizeof(uint64_t))))
		memset(s, 0, sizeof *s);
	return s;
}

/* The last step of every create. -1: a limit of an ancestor refuses. */
static int
begin(const struct parts *p, const struct kva_setup *setup,
	const struct kva_extras *extras, uint64_t key, kv_arena_cache_t *cache)
{
	struct kva_arena *a = p->arena;

	a->setup = *setup;
	if (p->extras) {
		*p->extras = *extras;
		p->extras->sites = p->sites;
	}
	a->extras = p->extras;
	a->fronts = p->fronts;
	a->team = p->team;
	if (kva_arena_init(a, key, p->header) != 0)
		return -1;
	if (a->extras)
		a->extras->shown = room_to_show();
	init_fronts(a, key);
	if (p->sampler)
		kva_window_sample(&a->front.window, p->sampler,
			kva_sites_interval(p->sites), key);
	a->cache = kva_cache_join(cache);
	kva_registry_add(a);
	if (setup->learns)
		use_lesson(a);
	kva_arena_probe(create, a, (size_t)0);
	kva_publish(a);
	return 0;
}

/* What the arena came to hold is noted before it all ends. */
static void
give_lesson(const struct kva_arena *a)
{
	size_t bytes;

	if (!a->setup.learns)
		return;
	bytes = kva_stats_handed(a) + a->bytes.tails;
	if (bytes == 0)
		return;
	kva_registry_lock();
	kva_learn_note(a->extras->name, bytes);
	kva_registry_unlock();
}

/* What a buffer has no room for. */
static void
free_outer_parts(struct parts *p)
{
	if (p->team) {
		p->arena->team = p->team;
		kva_team_destroy(p->arena);
	}
	kva_os.free(p->sampler);
	kva_sites_destroy(p->sites);
}

static void
free_parts(struct parts *p)
{
	free_outer_parts(p);
	kva_os.free(p->fronts);
	kva_os.free(p->extras);
	kva_os.free(p->arena);
}

static void *
gather(struct parts *p, size_t size, size_t alignment)
{
	void *part = kva_os.alloc(size, alignment);

	if (part) {
		memset(part, 0, size);
		p->header += size;
	}
	return part;
}

static bool
gather_outer(struct parts *p, const kv_arena_config_t *c)
{
	bool is_shared = c->thread_mode == KV_ARENA_THREAD_SAFE;

	if (is_shared && !(p->team = kva_team_create()))
		return false;
	p->header += is_shared ? sizeof *p->team : 0;
	if (c->sample_interval == 0)
		return true;
	p->sites = kva_sites_create(c->sample_interval);
	if (p->sites && !is_shared)	/* else its shards have samplers */
		p->sampler = kva_os.alloc(sizeof *p->sampler, sizeof(uint64_t));
	return p->sites && (is_shared || p->sampler);
}

static bool
gather_all(struct parts *p, const kv_arena_config_t *c, bool needs_extras,
	bool is_local)
{
	unsigned others = (unsigned)kva_os.nodes() - 1;
	bool has_fronts = is_local && c->thread_mode == KV_ARENA_THREAD_SAFE && others > 0;

	p->arena = gather(p, sizeof *p->arena, KV_ARENA_KINDS + 1);
	if (!p->arena)
		return false;
	if (needs_extras && !(p->extras = gather(p, sizeof *p->extras, sizeof(void *))))
		return false;
	if (!gather_outer(p, c))
		return false;
	if (has_fronts)
		p->fronts = gather(p, others * sizeof *p->fronts, KVA_CACHE_LINE);
	return !has_fronts || p->fronts;
}

static kv_arena_t *
create(const kv_arena_config_t *config, struct kva_arena *parent)
{
	struct parts p = { 0 };
	struct kva_setup setup;
	struct kva_extras extras;
	kv_arena_config_t c;
	bool needs_extras;

	kva_conf_start();
	kva_registry_start();
	c = kva_conf_with_environment(config);
	if (kva_conf_read(&c, &setup, &extras, &needs_extras) != 0)
		return NULL;
	if (!gather_all(&p, &c, needs_extras, setup.local))
		goto fail;
	p.arena->parent = parent;
	setup.late = setup.late && !parent;	/* an ancestor may have a limit */
	if (begin(&p, &setup, &extras, choose_key(&c), c.cache) != 0)
		goto fail;
	return kva_arena_public(p.arena);
fail:
	free_parts(&p);
	errno = ENOMEM;
	return NULL;
}

kv_arena_t *
kv_arena_create_ex(const kv_arena_config_t *config)
{
	return create(config, NULL);
}

kv_arena_t *
kv_arena_create(size_t block_size)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.block_size = block_size;
	return create(&config, NULL);
}

kv_arena_t *
kv_arena_create_child(kv_arena_t *parent, const kv_arena_config_t *config)
{
	struct kva_arena *p = kva_arena_of(parent), *child;

	if (!p) {
		errno = EINVAL;
		return NULL;
	}
	child = kva_arena_of(create(config, p));
	if (!child)
		return NULL;
	kva_registry_lock();
	child->sibling = p->children;
	p->children = child;
	kva_registry_unlock();
	return kva_arena_public(child);
}

/* False: a limit refuses. */
static bool
use_rest(struct head *h, size_t size)
{
	char *base = (char *)(h + 1);

	size = kva_round_down(size - sizeof *h, KV_ARENA_ALIGNMENT);
	h->block = (struct kva_block){
		.base = base, .capacity = size, .size = size,
		.dirty = true, .borrowed = true,
	};
	if (!kva_arena_charge(&h->arena, sizeof h->tolls + size + sizeof h->block))
		return false;
	h->arena.tolls = &h->tolls;
	kva_arena_add_header(&h->arena, sizeof h->tolls);
	kva_watch_forbid(base, size);
	kva_arena_install(&h->arena, &h->arena.front, &h->block);
	return true;
}

static void end(struct kva_arena *a);

kv_arena_t *
kv_arena_create_in(void *buffer, size_t size, const kv_arena_config_t *config)
{
	struct parts p = { 0 };
	struct kva_setup setup;
	struct kva_extras extras;
	kv_arena_config_t c;
	struct head *h;
	bool needs_extras;
	size_t pad;

	kva_conf_start();
	kva_registry_start();
	c = kva_conf_with_environment(config);
	if (!buffer) {
		errno = EINVAL;
		return NULL;
	}
	if (kva_conf_read(&c, &setup, &extras, &needs_extras) != 0)
		return NULL;
	setup.local = setup.local && c.thread_mode == KV_ARENA_THREAD_UNSAFE;
	setup.in_buffer = true;
	if (size < KV_ARENA_MIN_BLOCK_SIZE) {
		errno = ENOMEM;
		return NULL;
	}
	pad = kva_padding((uintptr_t)buffer, BLOCK_ALIGNMENT);
	h = memset((char *)buffer + pad, 0, sizeof *h);
	p.arena = &h->arena;
	p.extras = &h->extras;
	p.header = sizeof h->arena + sizeof h->extras;
	if (!gather_outer(&p, &c))
		goto fail;
	if (begin(&p, &setup, &extras, choose_key(&c), c.cache) != 0)
		goto fail;
	if (use_rest(h, size - pad))
		return kva_arena_public(p.arena);
	end(p.arena);
	errno = ENOMEM;
	return NULL;
fail:
	free_outer_parts(&p);
	errno = ENOMEM;
	return NULL;
}

/* ---- End ------------------------------------------------------------------------ */

static void
leave_parent(struct kva_arena *a)
{
	struct kva_arena **link;

	if (!a->parent)
		return;
	kva_registry_lock();
	link = &a->parent->children;
	while (*link != a)
		link = &(*link)->sibling;
	*link = a->sibling;
	kva_registry_unlock();
}

static void
end_children(struct kva_arena *a)
{
	while (a->children)
		end(a->children);
}

/* Children first: their memory may be what the parent's defers clean up after. */
static void
end(struct kva_arena *a)
{
	bool in_buffer = a->setup.in_buffer;

	kva_arena_probe(destroy, a, a->bytes.reserved);
	kva_unseal(a);
	end_children(a);
	give_lesson(a);
	kva_scope_end(a);
	kva_debug_verify(a);
	leave_parent(a);
	kva_registry_remove(a);
	kva_arena_fini(a);
	kva_cache_leave(a->cache);
	if (a->team)
		kva_team_destroy(a);
	if (!in_buffer)
		kva_os.free(a);
}

void
kv_arena_destroy(kv_arena_t *arena)
{
	int error = errno;

	if (arena) {
		end(kva_arena_of(arena));
		kva_publish(NULL);
	}
	errno = error;
}

void
kv_arena_reset(kv_arena_t *arena)
{
	struct kva_arena *a = kva_arena_of(arena);

	if (!a)
		return;
	kva_arena_probe(reset, a, a->bytes.reserved);
	kva_unseal(a);
	end_children(a);
	give_lesson(a);
	kva_scope_end(a);
	kva_debug_verify(a);
	if (a->team)
		kva_team_reset(a);
	kva_arena_reset(a);
	kva_seal_end(a);
	kva_debug_ended(a);
	if (a->team)
		kva_team_restart(a);
	kva_publish(a);
}

static bool
same_source(const struct kva_arena *a, const struct kva_arena *b)
{
	static const kv_arena_block_source_t none = { NULL, NULL, NULL };
	const kv_arena_block_source_t *x = a->extras ? &a->extras->source : &none;
	const kv_arena_block_source_t *y = b->extras ? &b->extras->source : &none;

	return x->take == y->take && x->give == y->give && x->context == y->context &&
		a->cache == b->cache;
}

int
kv_arena_absorb(kv_arena_t *into, kv_arena_t *from)
{
	struct kva_arena *a = kva_arena_of(into), *b = kva_arena_of(from);

	if (!a || !b || a == b || b->setup.in_buffer || b->children || kva_arena_is_sealed(a) ||
	    kva_arena_is_sealed(b) || !same_source(a, b)) {
		errno = EINVAL;
		return -1;
	}
	if (!kva_arena_admit(a, b))
		return -1;
	if (b->team)
		kva_team_reset(b);
	kva_debug_part(b);
	kva_arena_absorb(a, b);
	kva_scope_absorb(a, b);
	return 0;
}

size_t
kv_arena_compact(kv_arena_t *arena)
{
	struct kva_arena *a = kva_arena_of(arena);
	struct kva_block *gone;
	size_t bytes;

	if (!a || kva_arena_is_sealed(a))
		return 0;
	kva_arena_lock(a);
	bytes = kva_arena_compact(a, &gone);
	kva_arena_unlock(a);
	kva_arena_give_back(a, gone);
	return bytes;
}
