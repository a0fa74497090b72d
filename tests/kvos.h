/* kvos.h -- systems that are not quite this one: counted, failing, with nodes
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Replaces the entries of kva_os, for programs that link the internals:
 *
 *	the library -> counters -> failing twins (fault.h) -> four nodes -> system
 *
 * The counters see what the library sees, so a call that the twins refuse counts
 * as refused. Any thread may be inside; read the counters at rest.
 */
#ifndef KVOS_H
#define KVOS_H

#include "fault.h"
#include "os.h"

enum kvo_machine { KVO_THIS_MACHINE, KVO_FOUR_NODES };

/* Put another system in place of the real one, and the real one back. */
void kvo_begin(enum kvo_machine machine);
void kvo_end(void);

/* ---- Counting ---------------------------------------------------------- */

struct kvo_counts {
	int64_t pieces;			/* from alloc, not freed */
	int64_t mapped;			/* bytes from map, unmapped or not: */
	int64_t lost;			/* of these, those unmap would not take */
	uint64_t calls[KVA_CALLS];
	uint64_t frees;
};

/* What happened since kvo_begin. */
struct kvo_counts kvo_counts(void);

/* ---- Failing ------------------------------------------------------------ */

#define KVO_CALL(name) (1u << KVA_CALL_##name)

/* Fail the nth call from now that is one of these, or all from that one on; or
 * none. Failures before that are forgotten. */
void kvo_fail_once(unsigned calls, uint64_t nth, int error);
void kvo_fail_from(unsigned calls, uint64_t nth, int error);
void kvo_heal(void);

/* ---- Four nodes ----------------------------------------------------------
 * Node 0 and 1 are like any other, one is full, one has no memory. */

#define KVO_NODES 4
#define KVO_FULL_NODE 2
#define KVO_BARE_NODE 3

/* The node that the calling thread runs on, as node_here tells; any number. */
void kvo_run_on(int node);

/* Have bind, where and prefer refuse everything; 0: nothing. */
void kvo_refuse_nodes(int error);

/* The place that the memory at p was bound to; ANY: to none. */
kva_place_t kvo_place_of(const void *p);

/* The node that the calling thread's memory was last asked to come from. */
int kvo_preferred(void);

/* ---- Looking ----------------------------------------------------------- */

/* Have checkers let the test read memory that nobody was given. */
void kvo_look_at(const void *p, size_t size);

/* ---- Silence --------------------------------------------------------------- */

/* From hush on, standard output and error go to a file; said ends that and
 * returns the bytes that were printed meanwhile. */
void kvo_hush(void);
size_t kvo_said(void);

#endif
