/* kvthread.c -- threads that allocate, each with a book of its own
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvthread.h"

void
kvt_prepare(struct kvt_worker *w, size_t workers, kv_arena_t *a, size_t n)
{
	for (size_t i = 0; i < workers; i++)
		w[i] = (struct kvt_worker){ .arena = a, .n = n,
			.book = { .salt = (uint64_t)i << 40 } };
}

void
kvt_run_all(struct kvt_worker *w, size_t workers, void *(*fn)(void *worker))
{
	kvt_threads(workers, fn, w, sizeof *w);
}

void *
kvt_allocate(void *worker)
{
	struct kvt_worker *w = worker;

	kvt_load(w->arena, &w->book, w->n);
	return NULL;
}

void
kvt_collect(struct kvt_worker *w, size_t workers)
{
	struct kvt_book all = { 0 };

	for (size_t i = 0; i < workers; i++) {
		kvt_eq(w[i].faults, 0);
		kvt_join(&all, &w[i].book);
	}
	kvt_intact(&all);
	kvt_drop(&all);
}
