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
#include "watch.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifdef HAVE_NUMA
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <unistd.h>
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

/* Read "start-end rwxp offset device inode    path"; false: it is no code of a file,
 * or what did not fit the line before. */
static bool
read_mapping(const char *line, struct kva_mapping *m)
{
	char *at;

	m->path = strchr(line, '/');
	m->start = (uintptr_t)strtoull(line, &at, 16);
	if (!m->path || *at != '-')
		return false;
	m->end = (uintptr_t)strtoull(at + 1, &at, 16);
	if (strlen(at) < 6 || at[3] != 'x')
		return false;
	m->offset = strtoull(at + 6, NULL, 16);
	return true;
}

static void
linux_mappings(void (*visit)(void *context, const struct kva_mapping *m),
	void *context)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4096 + 128];
	struct kva_mapping m;

	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (read_mapping(line, &m))
			visit(context, &m);
	}
	if (f)
		fclose(f);
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
		kva_watch_atomic(&nodes, sizeof nodes);
		kva_store_relaxed(&nodes, n);
	}
	return n;
}

/* ---- Room on a node ----
 * The kernel answers a bound node that is full with the OOM killer and not with
 * ENOMEM, and a preferred one with another node, without a word. So ask first. A
 * guard, no proof: others take memory too. */

/* Read a small file of /sys as a string; no larger than text. */
static bool
read_text(const char *path, char *text, size_t size)
{
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The number after a word, 0: there is none. */
static uint64_t
number_of(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

struct room {
	uint64_t total, free, cache;	/* bytes; cache: of files, may be dropped */
};

static bool
ask_room(int node, struct room *r)
{
	char path[64], text[4096];

	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", node);
	if (!read_text(path, text, sizeof text))
		return false;
	r->total = number_of(text, "MemTotal:") << 10;
	r->free = number_of(text, "MemFree:") << 10;
	r->cache = (number_of(text, " Active(file):") +
		number_of(text, " Inactive(file):")) << 10;
	return r->total > 0;
}

/* What the kernel will not give to programs: of each zone of the node its low
 * watermark and what it protects from requests that a higher zone could serve, the
 * last number of "protection: (0, 1868, 1868)". */
static uint64_t
read_reserve(int node)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	uint64_t managed = 0, low = 0, kept = 0, pages = 0, n;
	char line[512], *last;
	int at = -1;

	while (f && at <= node && fgets(line, sizeof line, f)) {
		if (sscanf(line, "Node %d", &at) == 1 || at != node)
			continue;
		if (sscanf(line, " low %" SCNu64, &n) == 1)
			low = n;
		else if (sscanf(line, " managed %" SCNu64, &n) == 1)
			managed = n;
		else if (strstr(line, "protection:")) {
			last = strrchr(line, ' ');
			kept = low + (last ? strtoull(last, NULL, 10) : 0);
			pages += kept < managed ? kept : managed;
		}
	}
	if (f)
		fclose(f);
	return pages * kva_posix_page();
}

/* The same, remembered for as long as the node has as much memory: the file is long
 * where there are many processors. relaxed: all threads find the same. */
static uint64_t
reserve_of(int node, uint64_t total)
{
	static struct {
		uint64_t total, reserve;
	} known[KVA_NODES];

	if (kva_load_relaxed(&known[node].total) != total) {
		kva_store_relaxed(&known[node].reserve, read_reserve(node));
		kva_store_relaxed(&known[node].total, total);
	}
	return kva_load_relaxed(&known[node].reserve);
}

/* For bound memory the kernel drops what it keeps of files, as much as it would
 * itself call available; preferred memory rather comes from elsewhere. A node of
 * which nothing is told, or that has no memory, is left to the kernel. */
static bool
lacks_room(int node, size_t size, bool is_bound)
{
	struct room r;
	uint64_t reserve, spared;

	if (!ask_room(node, &r))
		return false;
	if (r.free >= size && r.free - size >= r.total / 8)
		return false;	/* no zone keeps so much */
	reserve = reserve_of(node, r.total);
	if (is_bound) {
		spared = r.cache / 2 < reserve ? r.cache / 2 : reserve;
		r.free += r.cache - spared;
	}
	return r.free < reserve || r.free - reserve < size;
}

/* All nodes that there may be: the kernel leaves out those without memory. */
static int
linux_bind(void *p, size_t size, kva_place_t place)
{
	unsigned long mask[2] = { 0, 0 };
	const unsigned long bits = 8 * sizeof mask[0];
	int node = kva_place_node(place), mode = MPOL_PREFERRED;
	bool is_full = false;

	if (numa_available() < 0) {
		errno = ENOTSUP;
		return -1;
	}
	if (place == KVA_PLACE_INTERLEAVE) {
		mode = MPOL_INTERLEAVE;
		for (unsigned i = 0; i < (unsigned)linux_nodes(); i++)
			mask[i / bits] |= 1ul << i % bits;
	} else {
		mask[(unsigned)node / bits] |= 1ul << (unsigned)node % bits;
		mode = kva_place_is_bind(place) ? MPOL_BIND : MPOL_PREFERRED;
		is_full = lacks_room(node, size, kva_place_is_bind(place));
	}
	if (!(is_full && mode == MPOL_BIND) &&
	    mbind(p, size, mode, mask, 2 * bits, 0) != 0)
		return -1;
	if (is_full)
		errno = ENOMEM;
	return is_full ? -1 : 0;
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
	return node < (unsigned)linux_nodes() ? (int)node : KVA_NO_NODE;
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
	.record = kva_posix_record,
	.fork_hook = kva_posix_fork_hook,
	.page = kva_posix_page,
	.memory = kva_posix_memory,
	.backtrace = kva_posix_backtrace,
	.symbol = kva_posix_symbol,
	.mappings = linux_mappings,
};
