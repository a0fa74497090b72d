/* os_windows.c [1] -- memory, nodes and the end of threads on Windows
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses are given out in steps of 64 KiB, memory in pages. A mapping is both
 * reserved and committed, so that touching it never fails; it is released whole.
 *
 * A node is wished for when addresses are reserved (VirtualAllocExNuma), and nothing
 * insists on one: so bind touches the pages and looks where they came to lie. Pages
 * are not interleaved.
 *
 * Locks are winpthreads'. Large pages need a privilege that programs do not have;
 * there is no fork.
 */
#include "os.h"
#include "atomic.h"

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601	/* Windows 7: processor groups */
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <psapi.h>

#include <malloc.h>
#include <stdlib.h>

#define MAP_TRIES 64

static int
absent(void)
{
	errno = ENOTSUP;
	return -1;
}

/* Say why the last call failed. */
static int
refused(void)
{
	switch (GetLastError()) {
	case ERROR_NOT_ENOUGH_MEMORY:
	case ERROR_COMMITMENT_LIMIT:
	case ERROR_INVALID_ADDRESS:	/* as mprotect of what is not mapped */
		errno = ENOMEM;
		break;
	case ERROR_ACCESS_DENIED:
		errno = EPERM;
		break;
	default:
		errno = EINVAL;
		break;
	}
	return -1;
}

/* ---- Memory ------------------------------------------------------------------ */

static void *
windows_alloc(size_t size, size_t alignment)
{
	void *p = _aligned_malloc(size, alignment < 16 ? 16 : alignment);

	if (!p)
		errno = ENOMEM;
	return p;
}

static void
windows_free(void *p)
{
	_aligned_free(p);
}

static size_t
windows_page(void)
{
	static size_t page;	/* racing threads store the same value */
	size_t size = kva_load_relaxed(&page);
	SYSTEM_INFO info;

	if (size == 0) {
		GetSystemInfo(&info);
		size = info.dwPageSize;
		kva_store_relaxed(&page, size);
	}
	return size;
}

static int windows_nodes(void);

/* What the system takes for a node; one that is not there is bind's to refuse. */
static DWORD
node_wished(kva_place_t place)
{
	int node = kva_place_node(place);

	return node == KVA_NO_NODE || node >= windows_nodes()
		? NUMA_NO_PREFERRED_NODE : (DWORD)node;
}

static char *
reserve(void *at, size_t size, kva_place_t place)
{
	return VirtualAllocExNuma(GetCurrentProcess(), at, size,
		MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, node_wished(place));
}

/* A part of a mapping can not be released. So look where there is room for more,
 * let go of it, and take the aligned part, which another thread may have taken
 * meanwhile: then look again. */
static void *
windows_map(size_t size, size_t alignment, kva_place_t place)
{
	char *p = reserve(NULL, size, place), *room;

	if (!p) {
		errno = ENOMEM;
		return NULL;
	}
	if (((uintptr_t)p & (alignment - 1)) == 0)
		return p;
	VirtualFree(p, 0, MEM_RELEASE);

	for (int i = 0; i < MAP_TRIES; i++) {
		room = VirtualAlloc(NULL, size + alignment, MEM_RESERVE,
			PAGE_NOACCESS);
		if (!room)
			break;
		VirtualFree(room, 0, MEM_RELEASE);
		p = reserve(room + (-(uintptr_t)room & (alignment - 1)), size, place);
		if (p)
			return p;
	}
	errno = ENOMEM;
	return NULL;
}

static int
windows_unmap(void *p, size_t size)
{
	(void)size;
	return VirtualFree(p, 0, MEM_RELEASE) ? 0 : refused();
}

/* MEM_RESET would leave the contents undefined. What was just given back is taken
 * again at once: if another process was faster, the system makes its page file
 * larger, or somebody ends; our caller could do nothing but wait either. */
static int
windows_discard(void *p, size_t size)
{
	if (!VirtualFree(p, size, MEM_DECOMMIT))
		return refused();
	while (!VirtualAlloc(p, size, MEM_COMMIT, PAGE_READWRITE))
		Sleep(1);
	return 0;
}

static int
windows_huge(void *p, size_t size, bool on)
{
	(void)p, (void)size, (void)on;
	return absent();
}

static bool
windows_has_huge(void)
{
	return false;
}

static int
windows_protect(void *p, size_t size, enum kva_access access)
{
	static const DWORD bits[] = {
		[KVA_ACCESS_NONE] = PAGE_NOACCESS,
		[KVA_ACCESS_READ] = PAGE_READONLY,
		[KVA_ACCESS_WRITE] = PAGE_READWRITE,
	};
	DWORD before;

	return VirtualProtect(p, size, bits[access], &before) ? 0 : refused();
}

/* PrefetchVirtualMemory reads what is on disk; fresh pages must be touched. */
static int
windows_populate(void *p, size_t size)
{
	volatile char *byte = p;

	for (size_t i = 0; i < size; i += windows_page())
		byte[i] = byte[i];
	return 0;
}

static int
windows_label(void *p, size_t size, const char *name)
{
	(void)p, (void)size, (void)name;
	return absent();
}

static uint64_t
windows_memory(void)
{
	MEMORYSTATUSEX m = { .dwLength = sizeof m };

	if (!GlobalMemoryStatusEx(&m))
		return 0;
	return m.ullTotalPhys & ~(uint64_t)(windows_page() - 1);
}

/* ---- Nodes -------------------------------------------------------------------- */

static int
windows_nodes(void)
{
	static int nodes;	/* racing threads store the same value */
	int n = kva_load_relaxed(&nodes);
	ULONG highest = 0;

	if (n == 0) {
		n = GetNumaHighestNodeNumber(&highest) ? (int)highest + 1 : 1;
		n = n > KVA_NODES ? KVA_NODES : n;
		kva_store_relaxed(&nodes, n);
	}
	return n;
}

static int
windows_node_here(void)
{
	PROCESSOR_NUMBER cpu;
	USHORT node;
	UCHAR old_node;

	if (windows_nodes() == 1)
		return 0;
	GetCurrentProcessorNumberEx(&cpu);
	if (GetNumaProcessorNodeEx(&cpu, &node))
		return node < windows_nodes() ? node : KVA_NO_NODE;
	if (cpu.Group == 0 && GetNumaProcessorNode(cpu.Number, &old_node) &&
	    old_node < windows_nodes())
		return old_node;
	return KVA_NO_NODE;
}

static int
windows_where(void *const *pages, int *node, size_t n)
{
	PSAPI_WORKING_SET_EX_INFORMATION page;

	for (size_t i = 0; i < n; i++) {
		page.VirtualAddress = pages[i];
		if (!K32QueryWorkingSetEx(GetCurrentProcess(), &page, sizeof page))
			return absent();
		node[i] = page.VirtualAttributes.Valid
			? (int)page.VirtualAttributes.Node : -ENOENT;
	}
	return 0;
}

/* Bytes that a node can still give. Where that is not told, those of the machine. */
static uint64_t
room_on(int node)
{
	MEMORYSTATUSEX m = { .dwLength = sizeof m };
	ULONGLONG bytes;

	if (GetNumaAvailableMemoryNodeEx((USHORT)node, &bytes))
		return bytes;
	return GlobalMemoryStatusEx(&m) ? m.ullAvailPhys : UINT64_MAX;
}

/* Whether all pages lie on the node, now that they have been touched. */
static bool
lies_on(char *p, size_t size, int node)
{
	int at;

	for (size_t i = 0; i < size; i += windows_page()) {
		void *page = p + i;

		if (windows_where(&page, &at, 1) != 0 || at != node)
			return false;
	}
	return true;
}

static int
windows_bind(void *p, size_t size, kva_place_t place)
{
	int node = kva_place_node(place);

	if (place == KVA_PLACE_INTERLEAVE)
		return windows_nodes() == 1 ? 0 : absent();
	if (node >= windows_nodes()) {
		errno = EINVAL;
		return -1;
	}
	if (room_on(node) < size) {
		errno = ENOMEM;
		return -1;
	}
	if (windows_nodes() == 1 || !kva_place_is_bind(place))
		return 0;
	windows_populate(p, size);
	if (lies_on(p, size, node))
		return 0;
	windows_discard(p, size);	/* or they would stay where they came to lie */
	errno = ENOMEM;
	return -1;
}

static int
windows_prefer(int node)
{
	if (node >= windows_nodes()) {
		errno = EINVAL;
		return -1;
	}
	return windows_nodes() == 1 ? 0 : absent();
}

/* ---- The end of threads -------------------------------------------------------
 * A fiber-local tells that a thread ends, to static and to dynamic libraries
 * alike. What it held is cleared by then, so the record, or that there will be
 * none any more, also stands in a thread-local, which lasts. */

static DWORD end_slot = FLS_OUT_OF_INDEXES, record_slot = TLS_OUT_OF_INDEXES;
static DWORD value_slot = FLS_OUT_OF_INDEXES;
static void (*exit_fn)(void *value);
static char ended;

static void CALLBACK
end_value(void *value)
{
	if (value)
		exit_fn(value);
}

static void CALLBACK
end_record(void *record)
{
	if (!record || record != TlsGetValue(record_slot))
		return;		/* a fiber's end is not its thread's */
	TlsSetValue(record_slot, &ended);
	exit_fn(record);
	free(record);
}

/* A library that is unloaded must not be called any more: stay. */
static void
stay_loaded(void)
{
	HMODULE self;

	GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN |
		GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
		(LPCSTR)(uintptr_t)stay_loaded, &self);
}

static int
windows_exit_hook(void (*fn)(void *value))
{
	exit_fn = fn;
	stay_loaded();
	value_slot = FlsAlloc(end_value);
	end_slot = FlsAlloc(end_record);
	record_slot = TlsAlloc();
	if (value_slot != FLS_OUT_OF_INDEXES && end_slot != FLS_OUT_OF_INDEXES &&
	    record_slot != TLS_OUT_OF_INDEXES)
		return 0;
	errno = EAGAIN;
	return -1;
}

static int
windows_exit_value(void *value)
{
	if (value_slot == FLS_OUT_OF_INDEXES)
		return absent();
	return FlsSetValue(value_slot, value) ? 0 : refused();
}

static void *
windows_record(size_t size)
{
	void *record;

	if (end_slot == FLS_OUT_OF_INDEXES || record_slot == TLS_OUT_OF_INDEXES)
		return NULL;
	record = TlsGetValue(record_slot);
	if (record)
		return record == &ended ? NULL : record;
	record = calloc(1, size);
	if (!record)
		return NULL;
	if (TlsSetValue(record_slot, record) && FlsSetValue(end_slot, record))
		return record;
	TlsSetValue(record_slot, NULL);
	free(record);
	return NULL;
}

static int
windows_fork_hook(void (*before)(void), void (*parent)(void), void (*child)(void))
{
	(void)before, (void)parent, (void)child;
	return absent();
}

static int
windows_backtrace(void **frames, int n)
{
	return CaptureStackBackTrace(0, (ULONG)n, frames, NULL);
}

static bool
windows_symbol(const void *address, struct kva_symbol *symbol)
{
	(void)address, (void)symbol;
	return false;
}

static void
windows_mappings(void (*visit)(void *context, const struct kva_mapping *m),
	void *context)
{
	(void)visit, (void)context;
}

struct kva_os kva_os = {
	.alloc = windows_alloc,
	.free = windows_free,
	.map = windows_map,
	.unmap = windows_unmap,
	.discard = windows_discard,
	.huge = windows_huge,
	.has_huge = windows_has_huge,
	.protect = windows_protect,
	.populate = windows_populate,
	.label = windows_label,
	.bind = windows_bind,
	.where = windows_where,
	.nodes = windows_nodes,
	.node_here = windows_node_here,
	.prefer = windows_prefer,
	.exit_hook = windows_exit_hook,
	.exit_value = windows_exit_value,
	.record = windows_record,
	.fork_hook = windows_fork_hook,
	.page = windows_page,
	.memory = windows_memory,
	.backtrace = windows_backtrace,
	.symbol = windows_symbol,
	.mappings = windows_mappings,
};
