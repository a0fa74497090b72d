/* otel.c [4] -- what is sampled, told to the profiler of OpenTelemetry
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * These trace points have semaphores, and all of a file have them or none.
 */
#define _SDT_HAS_SEMAPHORES 1
#include "otel.h"

#ifdef HAVE_SYS_SDT_H

/* How many look; whoever attaches counts itself here. */
#define SEMAPHORE __attribute__((__section__(".probes"), __visibility__("hidden")))
volatile unsigned short otel_memory_alloc_semaphore SEMAPHORE;
volatile unsigned short otel_memory_free_semaphore SEMAPHORE;

struct kva_told {
	struct kva_told *older;
	void *p;
};

void
kva_otel_alloc(struct kva_arena *a, void *p, size_t size, uint64_t weight)
{
	struct kva_told *t;

	if (kva_likely(otel_memory_alloc_semaphore == 0))
		return;
	t = kva_os.alloc(sizeof *t, sizeof(void *));
	if (!t)		/* its end could not be told */
		return;
	t->p = p;
	t->older = kva_load_relaxed(&a->extras->told);
	while (!kva_cas_weak_relaxed(&a->extras->told, &t->older, t))
		;
	STAP_PROBE3(otel_memory, alloc, p, size, weight);
}

void
kva_otel_end(struct kva_arena *a, struct kva_told *last)
{
	struct kva_told *t;

	while (a->extras && (t = a->extras->told) != last) {
		a->extras->told = t->older;
		STAP_PROBE1(otel_memory, free, t->p);
		kva_os.free(t);
	}
}

#endif
