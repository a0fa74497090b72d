/* t-os.c -- each promise of lib/os.h, on this machine and on one that refuses
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "os.h"
#include "kvpages.h"
#include "kvrefuse.h"
#include "kvtest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#ifdef HAVE_DLADDR
#include <dlfcn.h>
#endif

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#endif

#define MIB ((size_t)1 << 20)
#define NO_NODE 60	/* of no machine that we know */

static size_t
page(void)
{
	return kva_os.page();
}

static char *
map_pages(size_t n)
{
	char *p = kva_os.map(n * page(), page(), KVA_PLACE_ANY);

	kvt_true(p != NULL);
	return p;
}

static void
unmap_pages(char *p, size_t n)
{
	kvt_eq(kva_os.unmap(p, n * page()), 0);
}

static bool
is_all(const char *p, size_t size, char byte)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] != byte)
			return false;
	return true;
}

/* Whether what a system may lack worked; if not it said so properly. */
static bool
worked(int result)
{
	if (result == 0)
		return true;
	kvt_eq(result, -1);
	kvt_true(errno == ENOTSUP || errno == EPERM || errno == EINVAL ||
		errno == ENOSYS);
	return false;
}

/* ---- Memory ------------------------------------------------------------------ */

START_TEST(alloc_is_aligned_as_asked)
{
	for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
		char *p = kva_os.alloc(100, alignment < 8 ? 8 : alignment);

		kvt_true(p != NULL);
		kvt_eq((uintptr_t)p % alignment, 0);
		memset(p, 1, 100);
		kva_os.free(p);
	}
	kva_os.free(NULL);
}
END_TEST

START_TEST(alloc_of_too_much_is_enomem)
{
	/* Past PTRDIFF_MAX valgrind calls it fishy, but half of 32 bits may be had. */
	size_t too_much = (sizeof(void *) == 8 ? SIZE_MAX / 2 : SIZE_MAX) - 65536;

	kvt_refused(kva_os.alloc(too_much, 8), ENOMEM);
	kvt_refused(kva_os.alloc(too_much, 64), ENOMEM);
}
END_TEST

START_TEST(map_gives_zeroed_pages_at_an_alignment)
{
	for (size_t alignment = page(); alignment <= 32 * MIB; alignment *= 2)
		for (size_t size = page(); size <= 4 * MIB; size *= 16) {
			char *p = kva_os.map(size, alignment, KVA_PLACE_ANY);

			kvt_true(p != NULL);
			kvt_eq((uintptr_t)p % alignment, 0);
			kvt_true(is_all(p, size, 0));
			memset(p, 1, size);
			kvt_eq(kva_os.unmap(p, size), 0);
		}
}
END_TEST

START_TEST(map_leaves_nothing_beside_what_it_gives)
{
	size_t alignment = 16 * MIB;
	char *p = kva_os.map(page(), alignment, KVA_PLACE_ANY);

	kvt_true(p != NULL);
	kvt_true(kvpg_is_mapped(p));
	kvt_true(!kvpg_is_mapped(p - 1));
	kvt_true(!kvpg_is_mapped(p + page()));
	unmap_pages(p, 1);
}
END_TEST

START_TEST(map_of_too_much_is_enomem)
{
	size_t size = SIZE_MAX / 16 * 15;

	kvt_refused(kva_os.map(size - size % page(), page(), KVA_PLACE_ANY), ENOMEM);
}
END_TEST

#ifndef _WIN32
START_TEST(map_is_enomem_if_only_the_alignment_is_too_much)
{
	size_t most = (sizeof(size_t) > 4 ? 8192u : 512u) * MIB;
	struct rlimit limit = { most, most };
	size_t alignment = (size_t)1 << (sizeof(size_t) > 4 ? 40 : 30);
	char *p;

	if (!kvr_has_own_process() || kvt_is_watched())
		return;
	kvt_eq(setrlimit(RLIMIT_AS, &limit), 0);
	if (kva_os.map(most, page(), KVA_PLACE_ANY)) {
		kvt_skip("emulators keep no limit of addresses");
		return;
	}
	kvt_refused(kva_os.map(page(), alignment, KVA_PLACE_ANY), ENOMEM);
	p = map_pages(1);
	unmap_pages(p, 1);
}
END_TEST
#endif

START_TEST(discarded_pages_are_zero)
{
	char *p = map_pages(4);

	memset(p, 1, 4 * page());
	if (worked(kva_os.discard(p + page(), 2 * page()))) {
		kvt_true(is_all(p + page(), 2 * page(), 0));
		kvt_true(is_all(p, page(), 1));
		kvt_true(is_all(p + 3 * page(), page(), 1));
		memset(p, 2, 4 * page());
	}
	unmap_pages(p, 4);
}
END_TEST

START_TEST(populated_pages_are_resident_and_keep_their_contents)
{
	char *p;

	if (kvt_skip_if_emulated())
		return;
	p = map_pages(8);
	p[page()] = 7;
	kvt_eq(kva_os.populate(p, 8 * page()), 0);
	for (size_t i = 0; i < 8; i++)
		kvt_true(kvpg_is_resident(p + i * page()));
	kvt_eq(p[page()], 7);
	kvt_eq(p[2 * page()], 0);
	unmap_pages(p, 8);
}
END_TEST

START_TEST(huge_pages_may_be_asked_for_and_declined)
{
	char *p = kva_os.map(4 * MIB, 2 * MIB, KVA_PLACE_ANY);

	kvt_true(p != NULL);
	if (worked(kva_os.huge(p, 4 * MIB, true)))
		kvt_eq(kva_os.huge(p, 4 * MIB, false), 0);
	else
		kvt_true(!kva_os.has_huge());
	memset(p, 1, 4 * MIB);
	kvt_eq(kva_os.unmap(p, 4 * MIB), 0);
}
END_TEST

START_TEST(labelled_pages_have_their_name_in_the_map)
{
	char *p = map_pages(2);

	if (worked(kva_os.label(p, 2 * page(), "kvarena-test")))
		kvt_true(kvpg_map_says("kvarena-test"));
	unmap_pages(p, 2);
}
END_TEST

START_TEST(page_is_a_power_of_two)
{
	kvt_cmp(page(), >=, 4096);
	kvt_eq(page() & (page() - 1), 0);
	kvt_eq(page(), kvpg_size());
}
END_TEST

START_TEST(memory_of_the_machine_is_plausible)
{
	kvt_cmp(kva_os.memory(), >=, 16 * MIB);
	kvt_eq(kva_os.memory() % page(), 0);
}
END_TEST

/* ---- Protection -------------------------------------------------------------- */

START_TEST(protected_pages_stop_what_they_should)
{
	char *p = map_pages(3);

	kvt_eq(kva_os.protect(p + page(), page(), KVA_ACCESS_READ), 0);
	kvt_true(!kvpg_stops_reading(p + page()));
	kvt_true(kvpg_stops_writing(p + page()));
	kvt_true(!kvpg_stops_writing(p));
	kvt_true(!kvpg_stops_writing(p + 2 * page()));
	kvt_eq(kva_os.protect(p + page(), page(), KVA_ACCESS_NONE), 0);
	kvt_true(kvpg_stops_reading(p + page()));
	kvt_eq(kva_os.protect(p + page(), page(), KVA_ACCESS_WRITE), 0);
	kvt_true(!kvpg_stops_writing(p + page()));
	unmap_pages(p, 3);
	if (kvt_is_emulated())	/* where a refusal may get lost */
		return;
	kvt_eq(kva_os.protect(p, 3 * page(), KVA_ACCESS_READ), -1);
	kvt_true(errno == ENOMEM || errno == EINVAL);
}
END_TEST

/* ---- Code ----------------------------------------------------------------------- */

#ifdef HAVE_DLADDR
START_TEST(a_symbol_is_what_the_loader_says)
{
	void *addresses[] = {
		(void *)(uintptr_t)malloc, (void *)(uintptr_t)page, (void *)8,
	};

	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		struct kva_symbol s;
		Dl_info info;

		kvt_eq(kva_os.symbol(addresses[i], &s), dladdr(addresses[i], &info) != 0);
		if (!dladdr(addresses[i], &info))
			continue;
		ck_assert_str_eq(s.path, info.dli_fname);
		kvt_eq(s.base, (uintptr_t)info.dli_fbase);
		kvt_true(s.name == info.dli_sname);
		kvt_eq(s.start, (uintptr_t)info.dli_saddr);
	}
}
END_TEST
#endif

/* ---- Nodes ---------------------------------------------------------------------- */

START_TEST(there_is_a_node_and_we_are_on_one)
{
	int nodes = kva_os.nodes(), here = kva_os.node_here();
	char beyond[64];

	kvt_true(nodes >= 1 && nodes <= KVA_NODES);
	kvt_eq(kva_os.nodes(), nodes);
	kvt_true(here >= KVA_NO_NODE && here < nodes);
	snprintf(beyond, sizeof beyond, "/sys/devices/system/node/node%d", nodes);
	kvt_true(fopen(beyond, "r") == NULL);
#ifdef KV_OS_LINUX
	snprintf(beyond, sizeof beyond, "/sys/devices/system/node/node%d", nodes - 1);
	if (access("/sys/devices/system/node/node0", F_OK) == 0)
		kvt_true(access(beyond, F_OK) == 0);
#endif
}
END_TEST

static bool
has_nodes(void)
{
	return kva_os.node_here() != KVA_NO_NODE;
}

START_TEST(memory_can_be_placed_where_there_are_nodes)
{
	static const kva_place_t places[] = {
		KVA_PLACE_INTERLEAVE, KVA_PLACE_PREFERRED(0), KVA_PLACE_BIND(0),
	};

	for (int i = 0; i < 3; i++) {
		char *p = kva_os.map(4 * page(), page(), places[i]);

		kvt_true(p != NULL);
		if (worked(kva_os.bind(p, 4 * page(), places[i])))
			kvt_true(has_nodes());
		else
			kvt_true(!has_nodes() || errno == EPERM);
		memset(p, 1, 4 * page());
		unmap_pages(p, 4);
	}
}
END_TEST

START_TEST(memory_cannot_be_placed_on_a_node_that_is_not_there)
{
	char *p = map_pages(1);

	if (has_nodes()) {
		kvt_fails(kva_os.bind(p, page(), KVA_PLACE_PREFERRED(NO_NODE)), -1,
			EINVAL);
		kvt_fails(kva_os.bind(p, page(), KVA_PLACE_BIND(NO_NODE)), -1,
			EINVAL);
	} else {
		kvt_fails(kva_os.bind(p, page(), KVA_PLACE_BIND(NO_NODE)), -1,
			ENOTSUP);
	}
	unmap_pages(p, 1);
}
END_TEST

/* Without /sys, as in a plain chroot, nobody tells how large a node is. */
static bool
sizes_are_told(void)
{
	return access("/sys/devices/system/node/node0/meminfo", R_OK) == 0;
}

START_TEST(more_than_a_node_has_is_not_bound_to_it)
{
	char *p = map_pages(1);

	if (has_nodes() && sizes_are_told())	/* asked before the kernel sees it */
		kvt_fails(kva_os.bind(p, SIZE_MAX / 4, KVA_PLACE_BIND(0)), -1,
			ENOMEM);
	unmap_pages(p, 1);
}
END_TEST

/* As much as the machine has is more than is free, here or on any node. */
START_TEST(a_node_without_so_much_room_is_preferred_and_that_is_told)
{
	size_t size = (size_t)kva_os.memory();
	char *p = NULL;

	if (has_nodes() && sizes_are_told() && size == kva_os.memory() && size > 0)
		p = kva_os.map(size, page(), KVA_PLACE_PREFERRED(0));
	if (!p) {
		kvt_skip("so much can not even be mapped");
		return;
	}
	kvt_eq(kva_os.bind(p, size, KVA_PLACE_PREFERRED(0)), -1);
	kvt_true(errno == ENOMEM || errno == EPERM);
	kvt_eq(kva_os.bind(p, size, KVA_PLACE_BIND(0)), -1);
	kvt_true(errno == ENOMEM || errno == EPERM);
	p[0] = 1;
	kvt_eq(kva_os.unmap(p, size), 0);
}
END_TEST

START_TEST(where_tells_pages_with_memory_from_those_without)
{
	char *p = map_pages(2);
	void *pages[2] = { p, p + page() };
	int node[2] = { -77, -77 };

	p[0] = 1;
	if (worked(kva_os.where(pages, node, 2))) {
		kvt_true(node[0] >= 0 && node[0] < kva_os.nodes());
		kvt_true(node[1] < 0 && node[1] != -77);
	}
	unmap_pages(p, 2);
}
END_TEST

START_TEST(a_thread_may_prefer_a_node_and_no_longer)
{
	if (!has_nodes()) {
		kvt_fails(kva_os.prefer(0), -1, ENOTSUP);
		return;
	}
	if (worked(kva_os.prefer(0))) {
		kvt_fails(kva_os.prefer(NO_NODE), -1, EINVAL);
		kvt_eq(kva_os.prefer(KVA_NO_NODE), 0);
	}
}
END_TEST

/* ---- Hooks ------------------------------------------------------------------------ */

static void *ended_with;

static void
note_end(void *value)
{
	ended_with = value;
}

static void *
live_with_value(void *value)
{
	return kva_os.exit_value(value) == 0 ? NULL : value;
}

static void *
live_without_value(void *value)
{
	(void)value;
	return NULL;
}

static void
live(void *(*fn)(void *), void *value)
{
	pthread_t thread;
	void *result = value;

	kvt_eq(pthread_create(&thread, NULL, fn, value), 0);
	pthread_join(thread, &result);
	kvt_true(result == NULL);
}

START_TEST(exit_hook_runs_with_the_value_of_the_thread)
{
	int x;

	kvt_eq(kva_os.exit_hook(note_end), 0);
	live(live_with_value, &x);
	kvt_true(ended_with == &x);
	ended_with = NULL;
	live(live_without_value, &x);
	kvt_true(ended_with == NULL);
}
END_TEST

static void *
keep_record(void *unused)
{
	char *record = kva_os.record(100);

	(void)unused;
	if (!record || !is_all(record, 100, 0))
		return &ended_with;
	memset(record, 5, 100);
	return kva_os.record(100) == record && is_all(record, 100, 5)
		? NULL : &ended_with;
}

static void *last_record;
static bool has_record_left;

static void
note_record(void *record)
{
	last_record = is_all(record, 100, 5) ? record : NULL;
	has_record_left = kva_os.record(100) != NULL;
}

START_TEST(record_is_the_threads_own_until_it_ends)
{
	int x;

	kvt_eq(kva_os.exit_hook(note_record), 0);
	live(keep_record, &x);
	kvt_true(last_record != NULL);
	kvt_true(!has_record_left);
	last_record = NULL;
	live(live_without_value, &x);
	kvt_true(last_record == NULL);
}
END_TEST

#ifndef _WIN32
START_TEST(exit_hook_that_cannot_be_had_is_said)
{
	pthread_key_t key;
	unsigned n = 0;
	int x;

	if (!kvr_has_own_process())
		return;
	kvt_fails(kva_os.exit_value(&x), -1, ENOTSUP);
	while (pthread_key_create(&key, NULL) == 0)
		n++;
	kvt_cmp(n, >, 50);
	kvt_fails(kva_os.exit_hook(note_end), -1, EAGAIN);
	kvt_fails(kva_os.exit_value(&x), -1, ENOTSUP);
	kvt_true(kva_os.record(100) == NULL);
	pthread_key_delete(key);
	kvt_eq(kva_os.exit_hook(note_end), 0);	/* there is one, and none for records */
	kvt_true(kva_os.record(100) == NULL);
}
END_TEST

static char order[8];

static void
note(const char *c)
{
	strcat(order, c);
}

static void
before(void)
{
	note("b");
}

static void
in_parent(void)
{
	note("p");
}

static void
in_child(void)
{
	note("c");
}

START_TEST(fork_hooks_run_around_fork)
{
	int status = 1;
	pid_t child;

	kvt_eq(kva_os.fork_hook(before, in_parent, in_child), 0);
	order[0] = '\0';
	child = fork();
	if (child == 0)
		_exit(strcmp(order, "bc") != 0);
	kvt_true(waitpid(child, &status, 0) == child && status == 0);
	kvt_true(strcmp(order, "bp") == 0);
}
END_TEST

#else
START_TEST(there_is_no_fork_to_hook)
{
	kvt_fails(kva_os.fork_hook(NULL, NULL, NULL), -1, ENOTSUP);
}
END_TEST
#endif

/* ---- A kernel that refuses ---------------------------------------------------------- */

#ifdef KV_OS_LINUX

/* A newline is written as four characters. */
static char newlines[251];
static int depth;

static void
enter_deep_directories(void)
{
	memset(newlines, '\n', sizeof newlines - 1);
	while (depth < 6 && mkdir(newlines, 0700) == 0 && chdir(newlines) == 0)
		depth++;
}

static void
leave_deep_directories(void)
{
	for (; depth > 0; depth--)
		kvt_true(chdir("..") == 0 && rmdir(newlines) == 0);
}

static void *
map_code(void)
{
	int fd = open("code", O_RDWR | O_CREAT, 0700);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)page()) == 0)
		p = mmap(NULL, page(), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	unlink("code");
	return p;
}

static struct {
	uintptr_t start;
	int found, all;
} looked_for;

static void
look_for(void *context, const struct kva_mapping *m)
{
	(void)context;
	kvt_true(m->start < m->end);
	kvt_eq(m->offset % page(), 0);
	kvt_eq(m->path[0], '/');
	kvt_true(!strchr(m->path, '\n'));
	looked_for.all++;
	if (m->start == looked_for.start)
		looked_for.found++;
}

START_TEST(a_path_longer_than_a_line_is_one_mapping)
{
	void *p;

	if (kvt_skip_if_emulated() || !kvr_has_own_process())
		return;
	if (access("/proc/self/maps", R_OK) != 0) {
		kvt_skip("/proc is not mounted");
		return;
	}
	enter_deep_directories();
	p = map_code();
	leave_deep_directories();
	if (p == MAP_FAILED) {
		kvt_skip("no such file can be mapped here");
		return;
	}
	looked_for.start = (uintptr_t)p;
	kva_os.mappings(look_for, NULL);
	kvt_eq(looked_for.found, 1);
	kvt_cmp(looked_for.all, >, 1);
	munmap(p, page());
}
END_TEST

#ifdef SYS_mmap2
#define MMAP SYS_mmap2
#else
#define MMAP SYS_mmap
#endif

START_TEST(every_reason_of_a_refused_map_is_enomem)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM, EAGAIN, ENFILE };

	if (!kvr_works_here())
		return;
	kvr_refuse(MMAP, reasons[_i]);
	kvt_refused(kva_os.map(page(), page(), KVA_PLACE_ANY), ENOMEM);
	kvt_refused(kva_os.map(MIB, 2 * MIB, KVA_PLACE_ANY), ENOMEM);
}
END_TEST

/* Without its files nobody knows how much room a node has. */
START_TEST(a_node_of_which_nothing_is_told_is_left_to_the_kernel)
{
	char *p = map_pages(1);

	if (!kvr_works_here() || !has_nodes())
		return;
	kvr_refuse_open(O_RDONLY, EACCES);
	kvr_refuse_open(O_RDONLY | O_CLOEXEC, EACCES);
	kvt_eq(kva_os.bind(p, SIZE_MAX / 4, KVA_PLACE_BIND(0)), -1);
	kvt_true(errno != ENOMEM);	/* but what the kernel says of the range */
	if (kva_os.bind(p, page(), KVA_PLACE_BIND(0)) != 0)
		kvt_true(errno == EPERM);
	if (kva_os.bind(p, page(), KVA_PLACE_PREFERRED(0)) != 0)
		kvt_true(errno == EPERM);
}
END_TEST

START_TEST(refusals_of_the_kernel_are_passed_on)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	int reason = reasons[_i];
	char *p = map_pages(1);

	if (!kvr_works_here())
		return;
	kvr_refuse(SYS_munmap, reason);
	kvt_fails(kva_os.unmap(p, page()), -1, reason);
	kvr_refuse(SYS_mprotect, reason);
	kvt_fails(kva_os.protect(p, page(), KVA_ACCESS_READ), -1, reason);
	kvr_refuse(SYS_prctl, reason);
	kvt_fails(kva_os.label(p, page(), "x"), -1, reason);
}
END_TEST

START_TEST(refusals_of_advice_are_passed_on)
{
	static const int reasons[] = { EPERM, ENOSYS, EAGAIN, ENOMEM };
	int reason = reasons[_i];
	char *p = map_pages(1);

	if (!kvr_works_here())
		return;
	kvr_refuse(SYS_madvise, reason);
	kvt_fails(kva_os.discard(p, page()), -1, reason);
	kvt_fails(kva_os.huge(p, page(), true), -1, reason);
	kvt_fails(kva_os.huge(p, page(), false), -1, reason);
	kvt_fails(kva_os.populate(p, page()), -1, reason);
}
END_TEST

START_TEST(old_kernels_populate_by_touching)
{
	char *p = map_pages(4);

	p[page()] = 7;
	if (!kvr_works_here())
		return;
	kvr_refuse(SYS_madvise, EINVAL);
	kvt_eq(kva_os.populate(p, 4 * page()), 0);
	for (size_t i = 0; i < 4; i++)
		kvt_true(kvpg_is_resident(p + i * page()));
	kvt_eq(p[page()], 7);
}
END_TEST

START_TEST(without_sysfs_there_are_no_huge_pages)
{
	if (!kvr_works_here())
		return;
	kvr_refuse_open(O_RDONLY | O_CLOEXEC, EACCES);
	kvt_true(!kva_os.has_huge());
}
END_TEST

START_TEST(an_unreadable_file_means_no_huge_pages)
{
	int fd;

	if (!kvr_works_here())
		return;
	fd = open("/dev/null", O_RDONLY);
	close(fd);
	kvr_refuse_if(SYS_read, 0, (uint32_t)fd, EIO);
	kvt_true(!kva_os.has_huge());
	kvt_eq(open("/dev/null", O_RDONLY), (uint64_t)fd);	/* not for others */
}
END_TEST

START_TEST(a_kernel_without_nodes_has_one)
{
	char *p = map_pages(1);
	void *pages[1] = { p };
	int node[1];

	if (!kvr_works_here())
		return;
	kvr_refuse(SYS_get_mempolicy, ENOSYS);
	kvt_eq(kva_os.nodes(), 1);
	kvt_true(kva_os.node_here() == KVA_NO_NODE);
	kvt_fails(kva_os.bind(p, page(), KVA_PLACE_INTERLEAVE), -1, ENOTSUP);
	kvt_fails(kva_os.where(pages, node, 1), -1, ENOTSUP);
	kvt_fails(kva_os.prefer(0), -1, ENOTSUP);
	kvt_fails(kva_os.prefer(KVA_NO_NODE), -1, ENOTSUP);
}
END_TEST

START_TEST(placing_that_is_not_permitted_is_said)
{
	static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
	int reason = reasons[_i];
	char *p = map_pages(1);
	void *pages[1] = { p };
	int node[1];

	if (!has_nodes() || !kvr_works_here())
		return;
	kvr_refuse(SYS_mbind, reason);
	kvr_refuse(SYS_move_pages, reason);
	kvr_refuse(SYS_set_mempolicy, reason);
	kvt_fails(kva_os.bind(p, page(), KVA_PLACE_INTERLEAVE), -1, reason);
	kvt_fails(kva_os.bind(p, page(), KVA_PLACE_BIND(0)), -1, reason);
	kvt_fails(kva_os.where(pages, node, 1), -1, reason);
	kvt_fails(kva_os.prefer(0), -1, reason);
}
END_TEST

/* glibc keeps the first hooks in place and takes memory for the rest. */
START_TEST(fork_hooks_that_cannot_be_had_are_said)
{
	static void *pieces[100000];
	struct rlimit nothing = { 0, 0 };
	int n = 0, result, error;

	if (!kvr_works_here())
		return;
	kvt_eq(setrlimit(RLIMIT_AS, &nothing), 0);
	for (size_t size = 65536; size >= 16; size /= 2)
		while (n < 100000 && (pieces[n] = malloc(size)) != NULL)
			n++;
	do
		result = kva_os.fork_hook(before, in_parent, in_child);
	while (result == 0);
	error = errno;
	while (n > 0)
		free(pieces[--n]);
	kvt_true(result == -1);
	kvt_eq(error, ENOMEM);
}
END_TEST

static void
add_refusals(Suite *s)
{
	TCase *g = kvt_group(s, "a kernel that refuses");

	tcase_add_loop_test(g, every_reason_of_a_refused_map_is_enomem, 0, 6);
	tcase_add_test(g, a_node_of_which_nothing_is_told_is_left_to_the_kernel);
	tcase_add_loop_test(g, refusals_of_the_kernel_are_passed_on, 0, 4);
	tcase_add_loop_test(g, refusals_of_advice_are_passed_on, 0, 4);
	tcase_add_test(g, old_kernels_populate_by_touching);
	tcase_add_test(g, a_path_longer_than_a_line_is_one_mapping);
	tcase_add_test(g, without_sysfs_there_are_no_huge_pages);
	tcase_add_test(g, an_unreadable_file_means_no_huge_pages);
	tcase_add_test(g, a_kernel_without_nodes_has_one);
	tcase_add_loop_test(g, placing_that_is_not_permitted_is_said, 0, 4);
	tcase_add_test(g, fork_hooks_that_cannot_be_had_are_said);
}

#else	/* without Linux's extensions there is nothing more to refuse */

static void
add_refusals(Suite *s)
{
	(void)s;
}

#endif

int
main(void)
{
	Suite *s = suite_create("os");
	TCase *g = kvt_group(s, "memory");

	tcase_add_test(g, alloc_is_aligned_as_asked);
	tcase_add_test(g, alloc_of_too_much_is_enomem);
	tcase_add_test(g, map_gives_zeroed_pages_at_an_alignment);
	tcase_add_test(g, map_leaves_nothing_beside_what_it_gives);
	tcase_add_test(g, map_of_too_much_is_enomem);
#ifndef _WIN32
	tcase_add_test(g, map_is_enomem_if_only_the_alignment_is_too_much);
#endif
	tcase_add_test(g, discarded_pages_are_zero);
	tcase_add_test(g, populated_pages_are_resident_and_keep_their_contents);
	tcase_add_test(g, huge_pages_may_be_asked_for_and_declined);
	tcase_add_test(g, labelled_pages_have_their_name_in_the_map);
	tcase_add_test(g, page_is_a_power_of_two);
	tcase_add_test(g, memory_of_the_machine_is_plausible);
	tcase_add_test(g, protected_pages_stop_what_they_should);

	g = kvt_group(s, "nodes");
	tcase_add_test(g, there_is_a_node_and_we_are_on_one);
	tcase_add_test(g, memory_can_be_placed_where_there_are_nodes);
	tcase_add_test(g, memory_cannot_be_placed_on_a_node_that_is_not_there);
	tcase_add_test(g, more_than_a_node_has_is_not_bound_to_it);
	tcase_add_test(g, a_node_without_so_much_room_is_preferred_and_that_is_told);
	tcase_add_test(g, where_tells_pages_with_memory_from_those_without);
	tcase_add_test(g, a_thread_may_prefer_a_node_and_no_longer);

#ifdef HAVE_DLADDR
	g = kvt_group(s, "code");
	tcase_add_test(g, a_symbol_is_what_the_loader_says);
#endif

	g = kvt_group(s, "hooks");
#ifdef _WIN32
	tcase_add_test(g, exit_hook_runs_with_the_value_of_the_thread);
	tcase_add_test(g, there_is_no_fork_to_hook);
#else
	tcase_add_test(g, exit_hook_that_cannot_be_had_is_said);
	tcase_add_test(g, exit_hook_runs_with_the_value_of_the_thread);
	tcase_add_test(g, fork_hooks_run_around_fork);
#endif
	tcase_add_test(g, record_is_the_threads_own_until_it_ends);

	add_refusals(s);
	return kvt_run(s, 250);
}
