/* truth.c -- what the library reports is what the kernel says, and why
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- The report beside the kernel's own files -------------------------------- */

/* Count the pages of the mappings in which the book's pages lie, from lines as
 * "7f5c00000000 prefer:1 anon=512 dirty=512 active=0 N1=512 kernelpagesize_kB=4". */
static void
read_numa_maps(const struct book *b, unsigned long on[NODES])
{
	FILE *f = fopen("/proc/self/numa_maps", "r");
	char line[512], last[512] = "";
	unsigned long at = 0, next = 0;
	bool more = f != NULL, ours;

	memset(on, 0, NODES * sizeof on[0]);
	while (more) {
		more = fgets(line, sizeof line, f) != NULL;
		next = more ? strtoul(line, NULL, 16) : ~0ul;
		ours = false;
		for (size_t i = 0; i < b->n && !ours; i++)
			ours = (uintptr_t)b->page[i] >= at && (uintptr_t)b->page[i] < next;
		for (int node = 0; ours && node < NODES; node++) {
			char word[8], *n;

			snprintf(word, sizeof word, " N%d=", node);
			n = strstr(last, word);
			on[node] += n ? strtoul(n + strlen(word), NULL, 10) : 0;
		}
		strcpy(last, line);
		at = next;
	}
	if (f)
		fclose(f);
}

static bool
is_same(const uint64_t *a, const unsigned long *b)
{
	for (int i = 0; i < NODES; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static void
test_agreement(kv_arena_numa_policy_t policy, int node, const char *name)
{
	kv_arena_t *a;
	kv_arena_numa_report_t r;
	struct book b = { 0 };
	struct spread s;
	unsigned long maps[NODES], hits[NODES], sum = 0;
	bool counted = true;
	const char *counter = policy == KV_ARENA_NUMA_INTERLEAVE
		? "interleave_hit " : "numa_hit ";

	kv_arena_cache_trim(NULL, 0);
	run_on(0);
	a = arena_on(policy, node, KV_ARENA_THREAD_UNSAFE);
	for (int i = 0; i < NODES; i++)
		hits[i] = node_figure(i, "numastat", counter);
	take_pages(a, &b, 3000);
	for (int i = 0; i < NODES; i++)
		hits[i] = node_figure(i, "numastat", counter) - hits[i];
	s = spread_of(&b, 0);
	read_numa_maps(&b, maps);
	if (kv_arena_numa_report(a, &r) != 0)
		memset(&r, 0, sizeof r);
	for (int i = 0; i < NODES; i++)
		sum += s.on[i];
	ok(sum == 3000 && is_same(r.pages_on, s.on), name,
		"report %lu %lu %lu %lu, move_pages %s", (unsigned long)r.pages_on[0],
		(unsigned long)r.pages_on[1], (unsigned long)r.pages_on[2],
		(unsigned long)r.pages_on[3], told(&s));
	ok(is_same(r.pages_on, maps), "and numa_maps says the same",
		"numa_maps %lu %lu %lu %lu", maps[0], maps[1], maps[2], maps[3]);
	for (int i = 0; i < NODES; i++)	/* others allocate, too, never less */
		if (hits[i] < s.on[i] || hits[i] > s.on[i] + 600)
			counted = false;
	ok(counted, "and so does numastat", "%s%lu %lu %lu %lu", counter, hits[0],
		hits[1], hits[2], hits[3]);
	ok(r.permitted && r.fallbacks == 0 && r.pages_elsewhere == 0 &&
		r.nodes == NODES && r.wanted_node == node,
		"and that all is in place", "%lu in place, %lu untouched",
		(unsigned long)r.pages_wanted, (unsigned long)r.pages_untouched);
	kv_arena_destroy(a);
	drop_book(&b);
}

static void
test_formats(void)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_PREFERRED, 1, KV_ARENA_THREAD_UNSAFE);
	struct book b = { 0 };

	take_pages(a, &b, 100);
	ok(strstr(report_of(a, KV_ARENA_REPORT_TEXT), "numa: 100 pages in place, 0 els"),
		"the text report tells of nodes", NULL);
	ok(strstr(report_of(a, KV_ARENA_REPORT_JSON), "\"pages_on\": [0, 100, 0, 0]"),
		"so does JSON", NULL);
	ok(strstr(report_of(a, KV_ARENA_REPORT_PROMETHEUS), "node=\"1\"} 100\n"),
		"so does Prometheus", NULL);
	kv_arena_destroy(a);
	drop_book(&b);
}

/* The resident KiB of the mappings of a name, from lines of smaps as
 * "7f5c00000000-7f5c00400000 rw-p 00000000 00:00 0   [anon:NAME]" and "Rss:  4 kB". */
static unsigned long
resident_as(const char *name)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end, kib, sum = 0;
	char line[512];
	bool ours = false;

	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			ours = strstr(line, name) != NULL;
		else if (ours && sscanf(line, "Rss: %lu kB", &kib) == 1)
			sum += kib;
	}
	if (f)
		fclose(f);
	return sum;
}

/* Does /proc/self/maps say of the mapping in which p lies that it has this name? */
static bool
is_named(const char *p, const char *name)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512];
	bool named = false;

	while (p && f && fgets(line, sizeof line, f))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && (uintptr_t)p >= start &&
		    (uintptr_t)p < end)
			named = strstr(line, name) != NULL;
	if (f)
		fclose(f);
	return named;
}

/* An arena of this name takes size bytes: is their mapping named so? */
static bool
is_shown(const char *name, size_t size, const char *mapping)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *a;
	bool shown;

	config.name = name;
	a = kv_arena_create_ex(&config);
	shown = is_named(kv_arena_alloc(a, size), mapping);
	kv_arena_destroy(a);
	return shown;
}

static bool
kernel_names(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool names = prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, PAGE, "x") == 0;

	munmap(p, PAGE);
	return names;
}

/* Debian's kernels do not name mappings; NUMA_KERNEL=named is one that does. */
static void
test_names(void)
{
	kv_arena_t *a;
	char *p;

	if (!kernel_names()) {
		ok(true, "smaps shows arenas by name # SKIP this kernel can not", NULL);
		return;
	}
	kv_arena_cache_trim(NULL, 0);	/* what is warm has the name it had */
	a = arena_on(KV_ARENA_NUMA_PREFERRED, 1, KV_ARENA_THREAD_UNSAFE);
	p = kv_arena_alloc(a, 3 * MIB);
	if (p)
		memset(p, 1, 3 * MIB);
	ok(resident_as("[anon:kvarena:guest]") == 3 << 10,
		"smaps shows by an arena's name what it has in memory",
		"%lu KiB", resident_as("[anon:kvarena:guest]"));
	ok(is_named(p, " [anon:kvarena:guest]\n"), "maps shows the name, too", NULL);
	ok(is_named(p + 3 * MIB - 1, " [anon:kvarena:guest]\n"), "to the last byte",
		NULL);
	kv_arena_destroy(a);
	ok(is_shown("other", 3 * MIB, " [anon:kvarena:other]\n"),
		"a block has the name of the arena that took it last", NULL);
	ok(is_shown("other", 100, " [anon:kvarena]\n"),
		"what arenas share has the library's", NULL);
	ok(is_shown("a name of 31 bytes, the longest", 3 * MIB,
		" [anon:kvarena:a name of 31 bytes, the longest]\n"),
		"the longest name is shown whole", NULL);
	ok(is_shown("no[such]name", 3 * MIB, " [anon:kvarena]\n"),
		"a name that Linux does not take is left out", NULL);
}

void
test_truth(void)
{
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	test_agreement(KV_ARENA_NUMA_PREFERRED, 1,
		"report and kernel agree on a preferred node");
	test_agreement(KV_ARENA_NUMA_INTERLEAVE, -1,
		"report and kernel agree on interleaved memory");
	test_formats();
	test_names();
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "always");
}

/* ---- Refusals ---------------------------------------------------------------- */

static void
forbid(long call)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		ok(false, "a system call can be forbidden", "errno %d", errno);
}

/* Preferred memory that the system will not place: had all the same, and said. */
static void
expect_fallback(int node, int error, const char *name)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_PREFERRED, node, KV_ARENA_THREAD_UNSAFE);
	struct book b = { 0 };
	kv_arena_numa_report_t r = { 0 };
	kv_arena_stats_t s;
	bool all = take_pages(a, &b, 1000);

	kv_arena_get_stats(a, &s);
	kv_arena_numa_report(a, &r);
	ok(all && s.numa_fallbacks > 0 && r.fallbacks == s.numa_fallbacks &&
		r.last_errno == error, name, "%lu fallbacks, errno %d",
		(unsigned long)s.numa_fallbacks, r.last_errno);
	kv_arena_destroy(a);
	drop_book(&b);
}

static void
expect_refusal(int node, int error, const char *name)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_BIND, node, KV_ARENA_THREAD_UNSAFE);
	kv_arena_numa_report_t r = { 0 };
	void *p = a ? kv_arena_alloc(a, 100) : NULL;
	int seen = errno;

	if (a)
		kv_arena_numa_report(a, &r);
	ok(a && !p && seen == ENOMEM && r.last_errno == error, name,
		"errno %d, reported %d", seen, r.last_errno);
	kv_arena_destroy(a);
}

/* As containers do: numa_available() says yes, mbind EPERM. */
static void
test_forbidden(void)
{
	kv_arena_numa_report_t r;
	kv_arena_t *a;

	forbid(SYS_mbind);
	kv_arena_cache_trim(NULL, 0);
	expect_fallback(1, EPERM, "where mbind is forbidden, preferred falls back");
	expect_refusal(1, EPERM, "where mbind is forbidden, bind fails");
	a = arena_on(KV_ARENA_NUMA_LOCAL, -1, KV_ARENA_THREAD_SAFE);
	ok(kv_arena_alloc(a, 100) != NULL, "where mbind is forbidden, local works",
		NULL);
	ok(kv_arena_numa_report(a, &r) == 0 && !r.permitted,
		"and the report says that it is", NULL);
	ok(strstr(report_of(a, KV_ARENA_REPORT_TEXT), "placing memory is not permitted"),
		"so does the text", NULL);
	ok(strstr(report_of(a, KV_ARENA_REPORT_JSON), "\"permitted\": false"),
		"so does JSON", NULL);
	ok(strstr(report_of(a, KV_ARENA_REPORT_PROMETHEUS), "numa_permitted 0"),
		"so does Prometheus", NULL);
	forbid(SYS_move_pages);
	errno = 0;
	ok(kv_arena_numa_report(a, &r) == -1 && errno == EPERM && !r.permitted,
		"where move_pages is forbidden, the report fails", NULL);
	ok(strstr(report_of(a, KV_ARENA_REPORT_TEXT), "does not tell"),
		"and the text says that nothing is told", NULL);
	kv_arena_destroy(a);
}

static void
test_forbidden_policy(void)
{
	forbid(SYS_set_mempolicy);
	errno = 0;
	ok(kv_arena_set_numa_policy(1) == -1 && errno == EPERM,
		"a thread's preference that is forbidden is EPERM", NULL);
}

static void
test_cpuset(void)
{
	char pid[16];
	bool in;

	snprintf(pid, sizeof pid, "%d", (int)getpid());
	mkdir("/sys/fs/cgroup", 0755);
	in = mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0 &&
		write_file("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset") &&
		mkdir("/sys/fs/cgroup/few", 0755) == 0 &&
		write_file("/sys/fs/cgroup/few/cpuset.mems", "0-1") &&
		write_file("/sys/fs/cgroup/few/cgroup.procs", pid);
	ok(in, "a cpuset can be made", "errno %d", in ? 0 : errno);
	kv_arena_cache_trim(NULL, 0);
	expect_fallback(3, EINVAL, "preferred falls back outside of the cpuset");
	expect_refusal(3, EINVAL, "bind fails outside of the cpuset");
	{
		kv_arena_t *a = arena_on(KV_ARENA_NUMA_INTERLEAVE, -1,
			KV_ARENA_THREAD_UNSAFE);
		struct book b = { 0 };
		struct spread s;

		take_pages(a, &b, 1000);
		s = spread_of(&b, 0);
		ok(s.on[0] >= 495 && s.on[1] >= 495, "interleave stays inside of it",
			"pages by node %s", told(&s));
		kv_arena_destroy(a);
		drop_book(&b);
	}
}

void
test_refusals(void)
{
	in_child("mbind forbidden", test_forbidden);
	in_child("set_mempolicy forbidden", test_forbidden_policy);
	in_child("cpuset", test_cpuset);
	errno = 0;
	ok(!arena_on(KV_ARENA_NUMA_BIND, 4, KV_ARENA_THREAD_UNSAFE) && errno == EINVAL,
		"no arena is bound to a node that is not there", NULL);
	kv_arena_cache_trim(NULL, 0);
	expect_fallback(4, EINVAL, "preferred falls back from such a node");
}

/* ---- A full node ----------------------------------------------------------------- */

#define FULL 3

static void
test_bound_to_full(void)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_BIND, FULL, KV_ARENA_THREAD_UNSAFE);
	unsigned long before = node_figure(FULL, "meminfo", "MemFree:") >> 10;
	struct book b = { 0 };
	kv_arena_numa_report_t r = { 0 };
	struct spread s;
	size_t n;
	int error;

	take_pages(a, &b, 1 << 20);
	error = errno;
	n = b.n;
	s = spread_of(&b, 0);
	kv_arena_numa_report(a, &r);
	ok(n < 1 << 20 && error == ENOMEM && r.last_errno == ENOMEM,
		"bind to a full node fails and nobody is killed",
		"%lu of %lu MiB that were free, then errno %d; %lu MiB are left",
		(unsigned long)(n * PAGE / MIB), before, error,
		node_figure(FULL, "meminfo", "MemFree:") >> 10);
	ok(share_of(&s, FULL) == 1000, "what was had lies there, all of it",
		"pages by node %s", told(&s));
	ok(n * PAGE / MIB > before / 2, "and is most of the node", NULL);
	expect_fallback(FULL, ENOMEM, "preferred falls back from a full node");
	{
		kv_arena_t *other = arena_on(KV_ARENA_NUMA_PREFERRED, FULL,
			KV_ARENA_THREAD_UNSAFE);
		struct book o = { 0 };
		bool all = take_pages(other, &o, 64 * MIB / PAGE);

		s = spread_of(&o, 0);
		kv_arena_numa_report(other, &r);
		ok(all && r.pages_elsewhere > 0 && r.pages_elsewhere ==
			s.on[0] + s.on[1] + s.on[2] && r.fallbacks > 0,
			"and the report says how much", "%lu fallbacks, pages by node %s",
			(unsigned long)r.fallbacks, told(&s));
		kv_arena_destroy(other);
		drop_book(&o);
	}
	kv_arena_destroy(a);
	kv_arena_cache_trim(NULL, 0);
	drop_book(&b);
	a = arena_on(KV_ARENA_NUMA_BIND, FULL, KV_ARENA_THREAD_UNSAFE);
	ok(take_pages(a, &b, 1000), "a node that has room again serves again", NULL);
	kv_arena_destroy(a);
	drop_book(&b);
}

/* Memory that was had and not yet touched counts, too. */
static void
test_bound_untouched(void)
{
	kv_arena_t *a = arena_on(KV_ARENA_NUMA_BIND, FULL, KV_ARENA_THREAD_SAFE);
	char *p[1024];
	size_t n = 0;
	int error;

	while (n < 1024 && (p[n] = kv_arena_alloc(a, MIB)) != NULL)
		n++;
	error = errno;
	for (size_t i = 0; i < n; i++)
		memset(p[i], 1, MIB);
	ok(n > 0 && n < 1024 && error == ENOMEM,
		"memory had of a bound node can be touched later", "%lu MiB",
		(unsigned long)n);
	kv_arena_destroy(a);
}

void
test_full_node(void)
{
	in_child("bound to a full node", test_bound_to_full);
	in_child("bound, untouched", test_bound_untouched);
}
