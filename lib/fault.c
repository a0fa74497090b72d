/* fault.c [1] -- a system that fails on purpose
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "fault.h"
#include "atomic.h"

static struct kva_os real;
static struct kva_fault plan;
static bool in_place;
static uint64_t seen, struck;	/* atomic; relaxed: only counts */

static bool
strikes(enum kva_call call)
{
	uint64_t nth;

	if (!(plan.calls & 1u << call))
		return false;
	nth = kva_add_relaxed(&seen, 1) + 1;
	if (plan.nth == 0 || (plan.for_ever ? nth < plan.nth : nth != plan.nth))
		return false;
	kva_add_relaxed(&struck, 1);
	errno = plan.error ? plan.error : ENOMEM;
	return true;
}

static void *
fault_alloc(size_t size, size_t alignment)
{
	return strikes(KVA_CALL_ALLOC) ? NULL : real.alloc(size, alignment);
}

static void *
fault_map(size_t size, size_t alignment, kva_place_t place)
{
	return strikes(KVA_CALL_MAP) ? NULL : real.map(size, alignment, place);
}

static int
fault_unmap(void *p, size_t size)
{
	return strikes(KVA_CALL_UNMAP) ? -1 : real.unmap(p, size);
}

static int
fault_discard(void *p, size_t size)
{
	return strikes(KVA_CALL_DISCARD) ? -1 : real.discard(p, size);
}

static int
fault_huge(void *p, size_t size, bool on)
{
	return strikes(KVA_CALL_HUGE) ? -1 : real.huge(p, size, on);
}

static int
fault_protect(void *p, size_t size, enum kva_access access)
{
	return strikes(KVA_CALL_PROTECT) ? -1 : real.protect(p, size, access);
}

static int
fault_populate(void *p, size_t size)
{
	return strikes(KVA_CALL_POPULATE) ? -1 : real.populate(p, size);
}

static int
fault_label(void *p, size_t size, const char *name)
{
	return strikes(KVA_CALL_LABEL) ? -1 : real.label(p, size, name);
}

static int
fault_bind(void *p, size_t size, kva_place_t place)
{
	return strikes(KVA_CALL_BIND) ? -1 : real.bind(p, size, place);
}

static int
fault_where(void *const *pages, int *node, size_t n)
{
	return strikes(KVA_CALL_WHERE) ? -1 : real.where(pages, node, n);
}

static int
fault_prefer(int node)
{
	return strikes(KVA_CALL_PREFER) ? -1 : real.prefer(node);
}

static int
fault_exit_hook(void (*fn)(void *value))
{
	return strikes(KVA_CALL_EXIT_HOOK) ? -1 : real.exit_hook(fn);
}

static int
fault_exit_value(void *value)
{
	return strikes(KVA_CALL_EXIT_VALUE) ? -1 : real.exit_value(value);
}

/* Only the first call of a thread may fail: then its record is there. */
static void *
fault_record(size_t size)
{
	static __thread bool has;

	if (!has && strikes(KVA_CALL_EXIT_VALUE))
		return NULL;
	has = true;
	return real.record(size);
}

static int
fault_fork_hook(void (*before)(void), void (*parent)(void), void (*child)(void))
{
	return strikes(KVA_CALL_FORK_HOOK) ? -1
		: real.fork_hook(before, parent, child);
}

static void
put_twins_in_place(void)
{
	real = kva_os;
	kva_os.alloc = fault_alloc;
	kva_os.map = fault_map;
	kva_os.unmap = fault_unmap;
	kva_os.discard = fault_discard;
	kva_os.huge = fault_huge;
	kva_os.protect = fault_protect;
	kva_os.populate = fault_populate;
	kva_os.label = fault_label;
	kva_os.bind = fault_bind;
	kva_os.where = fault_where;
	kva_os.prefer = fault_prefer;
	kva_os.exit_hook = fault_exit_hook;
	kva_os.exit_value = fault_exit_value;
	kva_os.record = fault_record;
	kva_os.fork_hook = fault_fork_hook;
	in_place = true;
}

void
kva_fault_plan(const struct kva_fault *wanted)
{
	if (!in_place)
		put_twins_in_place();
	plan = *wanted;
	kva_store_relaxed(&seen, 0);
	kva_store_relaxed(&struck, 0);
}

uint64_t
kva_fault_seen(void)
{
	return kva_load_relaxed(&seen);
}

uint64_t
kva_fault_struck(void)
{
	return kva_load_relaxed(&struck);
}

void
kva_fault_end(void)
{
	if (in_place)
		kva_os = real;
	in_place = false;
}
