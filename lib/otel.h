/* otel.h [4] -- what is sampled, told to the profiler of OpenTelemetry
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Its contract is two trace points: otel_memory:alloc(pointer, size, weighted bytes)
 * of a sampled allocation, and otel_memory:free(pointer) at its end. As an arena ends
 * many at once, those told of are kept in a list; nothing is while nobody looks.
 */
#ifndef KVA_OTEL_H
#define KVA_OTEL_H

#include "arena.h"

#ifdef HAVE_SYS_SDT_H

/* An allocation of an arena that is sampled was drawn. Any thread of the arena. */
void kva_otel_alloc(struct kva_arena *a, void *p, size_t size, uint64_t weight);

/* Those told of after last have ended. Nobody else is inside. */
void kva_otel_end(struct kva_arena *a, struct kva_told *last);

#else

static inline void
kva_otel_alloc(struct kva_arena *a, void *p, size_t size, uint64_t weight)
{
	(void)a, (void)p, (void)size, (void)weight;
}

static inline void
kva_otel_end(struct kva_arena *a, struct kva_told *last)
{
	(void)a, (void)last;
}

#endif

#endif
