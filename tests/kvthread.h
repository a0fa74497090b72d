/* kvthread.h -- threads that allocate, each with a book of its own
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVTHREAD_H
#define KVTHREAD_H

#include "kvtest.h"

#include <pthread.h>
#include <stdatomic.h>

#define KVT_THREADS 8

struct kvt_worker {
	kv_arena_t *arena;
	size_t n;			/* how much to do */
	void *extra;			/* what else a test needs to tell it */
	atomic_bool *stop;		/* or until when to do it */
	struct kvt_book book;
	size_t rounds;			/* done */
	size_t faults;			/* other than those of the book */
};

/* Make workers ready to do n of something with an arena. */
void kvt_prepare(struct kvt_worker *w, size_t workers, kv_arena_t *a, size_t n);

/* Run fn(worker) in a thread for each, and wait for all. */
void kvt_run_all(struct kvt_worker *w, size_t workers, void *(*fn)(void *worker));

/* What most do: allocate as kvt_load does. */
void *kvt_allocate(void *worker);

/* Check that there was no fault, put all books into one, check it, drop it. */
void kvt_collect(struct kvt_worker *w, size_t workers);

#endif
