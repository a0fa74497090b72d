/* os_linux.c [1] -- huge pages, NUMA and names on Linux
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * NUMA needs libnuma at build time (HAVE_NUMA), of which we use only the thin
 * calls: numa_alloc_onnode and its relatives print on stderr when the kernel
 * refuses, and give memory of another node when a node has none.
 */
#include "os.h"
#include "size.h"
#include "atomic.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifdef HAVE_NUMA
#include <numa.h>
#include <numaif.h>
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23		/* Linux 5.14 */
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41		/* Linux 5.17 */
#define PR_SET_VMA_ANON_NAME 0
#endif

static int
linux_discard(void *p, size_t size)
{
	return madvise(p, size, MADV_DONTNEED);
}

static int
linux_huge(void *p, size_t size, bool on)
{
	return madvise(p, size, on ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* The file says "always [madvise] never"; without it there are no huge pages. */
static bool
linux_has_huge(void)
{
	char text[64] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");

	if (!f)
		return false;
	if (!fgets(text, sizeof text, f))
		text[0] = '\0';
	fclose(f);
	return text[0] != '\0' && !strstr(text, "[never]");
}

/* Kernels before 5.14 do not know POPULATE_WRITE: touch each page. Reading and
 * writing back one byte keeps the contents; nobody else uses the memory yet. */
static int
linux_populate(void *p, size_t size)
{
	volatile char *byte = p;

	if (madvise(p, size, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return -1;
	for (size_t i = 0; i < size; i += kva_posix_page())
		byte[i] = byte[i];
	return 0;
}

static int
linux_label(void *p, size_t size, const char *name)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, size, name);
}

#ifdef HAVE_NUMA

static int
linux_nodes(void)
{
	static int nodes;	/* racing threads store the same value */
	int n = kva_load_relaxed(&nodes);

	if (n == 0) {
		n = numa_available() < 0 ? 1 : numa_max_node() + 1;
		n = n > KVA_NODES ? KVA_NODES : n;
		kva_store_relaxed(&nodes, n);
	}
	return n;
}

/* A bound node that is full is answered by the kernel with the OOM killer and not
 * with ENOMEM, so ask first. A guard, no proof: others take memory too. */
static int
refuse_full_node(int node, size_t size)
{
	long long unused = 0;

	if (numa_node_size64(node, &unused) < 0)
		return 0;	/* not told: let the kernel decide */
	if (unused >= (long long)size)
		return 0;
	errno = ENOMEM;
	return -1;
}

static int
linux_bind(void *p, size_t size, kva_place_t place)
{
	unsigned long mask[2] = { 0, 0 };
	const unsigned long bits = 8 * sizeof mask[0];
	int node = kva_place_node(place), mode = MPOL_PREFERRED;

	if (numa_available() < 0) {
		errno = ENOTSUP;
		return -1;
	}
	if (place == KVA_PLACE_INTERLEAVE) {
		mode = MPOL_INTERLEAVE;
		for (int i = 0; i < linux_nodes(); i++)
			if (numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)i))
				mask[(unsigned)i / bits] |= 1ul << (unsigned)i % bits;
	} else {
		mask[(unsigned)node / bits] |= 1ul << (unsigned)node % bits;
	}
	if (kva_place_is_bind(place)) {
		mode = MPOL_BIND;
		if (refuse_full_node(node, size) != 0)
			return -1;
	}
	return (int)mbind(p, size, mode, mask, 2 * bits, 0);
}

static int
linux_where(void *const *pages, int *node, size_t n)
{
	if (numa_available() < 0) {
		errno = ENOTSUP;
		return -1;
	}
	return (int)move_pages(0, n, (void **)(uintptr_t)pages, NULL, node, 0);
}

static int
linux_node_here(void)
{
	unsigned cpu, node;

	if (numa_available() < 0 || getcpu(&cpu, &node) != 0)
		return KVA_NO_NODE;
	return (int)node;
}

static int
linux_prefer(int node)
{
	unsigned long mask[2] = { 0, 0 };
	const unsigned long bits = 8 * sizeof mask[0];

	if (numa_available() < 0) {
		errno = ENOTSUP;
		return -1;
	}
	if (node == KVA_NO_NODE)
		return (int)set_mempolicy(MPOL_DEFAULT, NULL, 0);
	mask[(unsigned)node / bits] |= 1ul << (unsigned)node % bits;
	return (int)set_mempolicy(MPOL_PREFERRED, mask, 2 * bits);
}

#else

static int
linux_nodes(void)
{
	return 1;
}

static int
linux_bind(void *p, size_t size, kva_place_t place)
{
	(void)p, (void)size, (void)place;
	errno = ENOTSUP;
	return -1;
}

static int
linux_where(void *const *pages, int *node, size_t n)
{
	(void)pages, (void)node, (void)n;
	errno = ENOTSUP;
	return -1;
}

static int
linux_node_here(void)
{
	return KVA_NO_NODE;
}

static int
linux_prefer(int node)
{
	(void)node;
	errno = ENOTSUP;
	return -1;
}

#endif

struct kva_os kva_os = {
	.alloc = kva_posix_alloc,
	.free = kva_posix_free,
	.map = kva_posix_map,
	.unmap = kva_posix_unmap,
	.discard = linux_discard,
	.huge = linux_huge,
	.has_huge = linux_has_huge,
	.protect = kva_posix_protect,
	.populate = linux_populate,
	.label = linux_label,
	.bind = linux_bind,
	.where = linux_where,
	.nodes = linux_nodes,
	.node_here = linux_node_here,
	.prefer = linux_prefer,
	.exit_hook = kva_posix_exit_hook,
	.exit_value = kva_posix_exit_value,
	.fork_hook = kva_posix_fork_hook,
	.page = kva_posix_page,
	.memory = kva_posix_memory,
};
