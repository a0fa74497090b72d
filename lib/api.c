/* api.c [7] -- the other exported functions: check arguments, call down
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "alloc.h"
#include "conf.h"
#include "debug.h"
#include "oom.h"
#include "profile.h"
#include "report.h"
#include "scope.h"
#include "seal.h"
#include "shard.h"
#include "stats.h"
#include "watch.h"

#include <string.h>

static int
invalid(void)
{
	errno = EINVAL;
	return -1;
}

/* ---- Mark and rewind ------------------------------------------------------------ */

kv_arena_mark_t
kv_arena_mark(kv_arena_t *arena)
{
	struct kva_arena *a = kva_arena_of(arena);
	kv_arena_mark_t mark = { 0, NULL };

	if (!a || a->team) {
		errno = EINVAL;
		return mark;
	}
	do
		mark = kva_scope_mark(a);
	while (mark.serial == 0 && kva_oom_retry(a, sizeof(struct kva_mark)));
	return mark;
}

int
kv_arena_rewind(kv_arena_t *arena, kv_arena_mark_t mark)
{
	struct kva_arena *a = kva_arena_of(arena);

	if (!a || a->team)
		return invalid();
	if (kva_arena_is_sealed(a)) {
		errno = EPERM;
		return -1;
	}
	kva_debug_verify(a);
	if (kva_scope_rewind(a, mark) != 0)
		return -1;
	kva_debug_rewound(a);
	return 0;
}

void
kv_arena_scope_end(struct kv_arena_scope *scope)
{
	if (scope->mark.serial)
		kv_arena_rewind(scope->arena, scope->mark);
}

int
kv_arena_defer(kv_arena_t *arena, void (*fn)(void *arg), void *arg)
{
	struct kva_arena *a = kva_arena_of(arena);
	struct kva_defer *d;

	if (!a || !fn)
		return invalid();
	d = kva_alloc_record(a, sizeof *d);
	if (!d)
		return -1;
	d->fn = fn;
	d->arg = arg;
	kva_arena_lock(a);
	kva_scope_defer(a, d);
	kva_arena_unlock(a);
	return 0;
}

/* ---- Handles -------------------------------------------------------------------- */

kv_arena_handle_t
kv_arena_handle(kv_arena_t *arena, void *ptr)
{
	struct kva_arena *a = kva_arena_of(arena);
	kv_arena_handle_t h = { NULL, NULL, 0 };

	if (!a || !kv_arena_owns(arena, ptr)) {
		errno = EINVAL;
		return h;
	}
	kva_arena_lock(a);
	h.cell = kva_scope_cell(a);
	if (h.cell)
		h.generation = kva_load_relaxed(h.cell);
	kva_arena_unlock(a);
	if (h.cell)
		h.ptr = ptr;
	else
		errno = ENOMEM;
	return h;
}

/* acquire: G1 of scope.c. */
void *
kv_arena_deref(kv_arena_handle_t h)
{
	if (!h.cell || kva_load_acquire(h.cell) != h.generation)
		return NULL;
	return h.ptr;
}

int
kv_arena_seal(kv_arena_t *arena)
{
	return arena ? kva_seal(kva_arena_of(arena)) : invalid();
}

int
kv_arena_unseal(kv_arena_t *arena)
{
	return arena ? kva_unseal(kva_arena_of(arena)) : invalid();
}

/* ---- Questions ------------------------------------------------------------------- */

bool
kv_arena_owns(const kv_arena_t *arena, const void *ptr)
{
	struct kva_arena *a = kva_arena_of(arena);
	bool owns;

	if (!a || !ptr)
		return false;
	kva_arena_lock(a);
	owns = kva_arena_owns(a, ptr);
	kva_arena_unlock(a);
	return owns;
}

int
kv_arena_path(const kv_arena_t *arena, char *buffer, size_t size)
{
	if (!arena || (!buffer && size > 0))
		return invalid();
	return kva_oom_path(kva_arena_of(arena), buffer, size);
}

size_t
kv_arena_suggest_block_size(const char *hint)
{
	return kva_conf_suggest(hint);
}

/* ---- NUMA --------------------------------------------------------------------------- */

int
kv_arena_get_numa_node(void)
{
	return kva_os.node_here();
}

int
kv_arena_set_numa_policy(int node)
{
	bool exists = node >= KVA_NO_NODE && node < kva_os.nodes();

	if (!exists && kva_os.node_here() != KVA_NO_NODE)
		return invalid();
	return kva_os.prefer(exists ? node : KVA_NODES - 1);
}

int
kv_arena_numa_report(const kv_arena_t *arena, kv_arena_numa_report_t *report)
{
	if (!arena || !report)
		return invalid();
	return kva_stats_numa(kva_arena_of(arena), report);
}

/* ---- Statistics ------------------------------------------------------------------------ */

int
kv_arena_get_stats(const kv_arena_t *arena, kv_arena_stats_t *stats)
{
	if (!arena || !stats)
		return invalid();
	kva_stats_read(kva_arena_of(arena), stats);
	return 0;
}

void
kv_arena_reset_stats(kv_arena_t *arena)
{
	struct kva_arena *a = kva_arena_of(arena);

	if (!a)
		return;
	kva_stats_reset(a);
	if (kva_arena_sites(a))
		kva_sites_clear(kva_arena_sites(a));
}

size_t
kv_arena_memory_usage(const kv_arena_t *arena)
{
	return arena ? kva_stats_reserved(kva_arena_of(arena)) : 0;
}

size_t
kv_arena_total_allocated(const kv_arena_t *arena)
{
	return arena ? kva_stats_handed(kva_arena_of(arena)) : 0;
}

void
kv_arena_print_hotspots(const kv_arena_t *arena)
{
	if (!arena)
		return;
	kv_arena_write_report(arena, stdout, KV_ARENA_REPORT_TEXT);
	fflush(stdout);
}

int
kv_arena_write_report(const kv_arena_t *arena, FILE *out,
	kv_arena_report_format_t format)
{
	if (!out || (unsigned)format > KV_ARENA_REPORT_PROMETHEUS)
		return invalid();
	return kva_report_write(arena ? kva_arena_of(arena) : NULL, out, format);
}

int
kv_arena_write_profile(const kv_arena_t *arena, FILE *out,
	kv_arena_profile_format_t format)
{
	if (!out || (unsigned)format > KV_ARENA_PROFILE_FOLDED_ABANDONED)
		return invalid();
	return kva_profile_write(arena ? kva_arena_of(arena) : NULL, out, format);
}

/* ---- Version --------------------------------------------------------------------------- */

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *
kv_arena_version(void)
{
	return TEXT(KV_ARENA_VERSION_MAJOR) "." TEXT(KV_ARENA_VERSION_MINOR) "."
		TEXT(KV_ARENA_VERSION_PATCH);
}

bool
kv_arena_has(const char *feature)
{
	if (!feature)
		return false;
	if (strcmp(feature, "numa") == 0)
		return kva_os.node_here() != KVA_NO_NODE;
	if (strcmp(feature, "huge-pages") == 0)
		return kva_os.has_huge();
	if (strcmp(feature, "profile") == 0)
		return kva_os.backtrace((void *[]){ NULL }, 1) == 1;
	if (strcmp(feature, "usdt") == 0)
		return KVA_HAS_PROBES;
	if (strcmp(feature, "inline-shared") == 0)
#if defined(__ELF__)
		return true;
#else
		return false;
#endif
	return strcmp(feature, kva_watch_name()) == 0 && kva_watch_on();
}
