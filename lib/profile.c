/* profile.c [6] -- what was sampled in some arenas, gathered and written
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Sites are copied under L1, so that no arena goes away, and written without a lock:
 * where they are written to may use any arena.
 */
#include "profile.h"
#include "oom.h"
#include "pprof.h"
#include "registry.h"

#include <inttypes.h>
#include <string.h>

/* ---- Gathering ---------------------------------------------------------------- */

/* What may come between measuring and copying. */
#define MORE_PARTS 16
#define MORE_SITES 256

typedef void visitor(struct kva_profile *p, const struct kva_arena *a,
	struct kva_sites *sites);

static void
visit_family(struct kva_profile *p, struct kva_arena *a, visitor *visit)
{
	if (kva_arena_sites(a))
		visit(p, a, kva_arena_sites(a));
	for (struct kva_arena *c = a->children; c; c = c->sibling)
		visit_family(p, c, visit);
}

static void
visit_all(struct kva_profile *p, struct kva_arena *a, visitor *visit)
{
	kva_registry_lock();
	if (a)
		visit_family(p, a, visit);
	else
		for (a = kva_registry_first(); a; a = a->next)
			if (!a->parent)
				visit_family(p, a, visit);
	kva_registry_unlock();
}

static void
measure(struct kva_profile *p, const struct kva_arena *a, struct kva_sites *sites)
{
	(void)a;
	p->most_parts++;
	p->most_sites += kva_sites_count(sites);
}

/* What came too late to be measured is left out when there is no more room. */
static void
copy(struct kva_profile *p, const struct kva_arena *a, struct kva_sites *sites)
{
	size_t interval = kva_sites_interval(sites);
	struct kva_part *part = &p->parts[p->nparts];

	if (p->nparts == p->most_parts)
		return;
	kva_oom_path(a, part->path, sizeof part->path);
	part->sites = p->sites + p->nsites;
	part->n = kva_sites_copy(sites, p->sites + p->nsites,
		p->most_sites - p->nsites);
	p->interval = p->nparts == 0 || p->interval == interval ? interval : 0;
	p->nparts++;
	p->nsites += part->n;
}

/* False: ENOMEM. Memory is asked for without L1. */
static bool
gather(struct kva_profile *p, struct kva_arena *a)
{
	memset(p, 0, sizeof *p);
	visit_all(p, a, measure);
	p->most_parts += MORE_PARTS;
	p->most_sites += MORE_SITES;
	p->parts = kva_os.alloc(p->most_parts * sizeof *p->parts, sizeof(void *));
	p->sites = kva_os.alloc(p->most_sites * sizeof *p->sites, sizeof(void *));
	if (!p->parts || !p->sites)
		return false;
	visit_all(p, a, copy);
	return true;
}

/* ---- Folded stacks ------------------------------------------------------------ */

/* Keep what has a meaning in the format out of a name, and control characters. */
static void
write_frame(FILE *out, const char *name)
{
	for (; *name; name++)
		fputc(*name == ';' || (unsigned char)*name < 0x20 ? '?' : *name, out);
}

static void
write_address(FILE *out, uintptr_t address)
{
	struct kva_symbol s;

	if (!kva_os.symbol((void *)address, &s)) {
		fprintf(out, "0x%" PRIxPTR, address);
		return;
	}
	write_frame(out, s.name ? s.name : s.path);
	if (!s.name)
		fprintf(out, "+0x%" PRIxPTR, address - s.base);
}

static void
write_folded(const struct kva_profile *p, FILE *out, enum kva_amount amount)
{
	for (const struct kva_part *part = p->parts; part < p->parts + p->nparts; part++)
		for (size_t i = 0; i < part->n; i++) {
			const struct kva_site *s = &part->sites[i];

			if (kva_profile_amount(s, amount) == 0)
				continue;
			write_frame(out, part->path);
			if (s->depth == 0)
				fprintf(out, ";" KVA_OTHER_STACKS);
			for (size_t f = s->depth; f-- > 0; ) {
				fputc(';', out);
				write_address(out, kva_profile_call(s->frames[f]));
			}
			fprintf(out, " %" PRIu64 "\n", kva_profile_amount(s, amount));
		}
}

/* ---- Either ------------------------------------------------------------------- */

static const enum kva_amount folded_amounts[] = {
	[KV_ARENA_PROFILE_FOLDED] = KVA_BYTES,
	[KV_ARENA_PROFILE_FOLDED_OBJECTS] = KVA_OBJECTS,
	[KV_ARENA_PROFILE_FOLDED_PADDING] = KVA_PADDING,
	[KV_ARENA_PROFILE_FOLDED_ABANDONED] = KVA_ABANDONED,
};

static bool
write_profile(const struct kva_profile *p, FILE *out, kv_arena_profile_format_t format)
{
	if (format == KV_ARENA_PROFILE_PPROF)
		return kva_pprof_write(p, out);
	write_folded(p, out, folded_amounts[format]);
	return true;
}

int
kva_profile_write(struct kva_arena *a, FILE *out, kv_arena_profile_format_t format)
{
	struct kva_profile p;
	bool is_done = gather(&p, a) && write_profile(&p, out, format);

	kva_os.free(p.parts);
	kva_os.free(p.sites);
	if (!is_done) {
		errno = ENOMEM;
		return -1;
	}
	if (fflush(out) != 0 || ferror(out)) {
		errno = EIO;
		return -1;
	}
	return 0;
}
