/* fault.h [1] -- a system that fails on purpose
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Puts failing twins of the calls in os.h in place of the real ones: the n-th
 * call that can fail does, once or from then on. For our own tests, and through
 * KVARENA_CONF=fail:nth=N for the out-of-memory paths of programs.
 */
#ifndef KVA_FAULT_H
#define KVA_FAULT_H

#include "os.h"

enum kva_call {
	KVA_CALL_ALLOC, KVA_CALL_MAP, KVA_CALL_UNMAP, KVA_CALL_DISCARD,
	KVA_CALL_HUGE, KVA_CALL_PROTECT, KVA_CALL_POPULATE, KVA_CALL_LABEL,
	KVA_CALL_BIND, KVA_CALL_WHERE, KVA_CALL_PREFER, KVA_CALL_EXIT_HOOK,
	KVA_CALL_EXIT_VALUE, KVA_CALL_FORK_HOOK, KVA_CALLS
};

#define KVA_ALL_CALLS ((1u << KVA_CALLS) - 1)

struct kva_fault {
	uint64_t nth;		/* the call that fails, counted from 1; 0: none */
	bool for_ever;		/* and all that follow */
	unsigned calls;		/* which calls count: bits 1 << enum kva_call */
	int error;		/* errno of the failure; 0: ENOMEM */
};

/* Fail by this plan, and count anew. The first use puts the twins in place. No
 * other thread may be inside the library. */
void kva_fault_plan(const struct kva_fault *plan);

/* Calls counted since the plan was made, and calls that failed by it. */
uint64_t kva_fault_seen(void);
uint64_t kva_fault_struck(void);

/* Put the real system back. */
void kva_fault_end(void);

#endif
