/* t-os-windows.c -- Windows on a machine with two nodes, which is made up
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Only the functions of the system that tell of nodes are ours; memory is real. The
 * file under test is compiled into this one, with their names replaced.
 */
#define _WIN32_WINNT 0x0601
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <psapi.h>

#include "kvtest.h"

#define NODES 2

/* The machine. */
static struct {
	ULONGLONG room[NODES];
	DWORD wished;			/* by the latest reservation */
	bool full;			/* memory comes from node 0 whatever is wished */
	bool silent;			/* nobody tells where pages are */
} machine = { { (ULONGLONG)1 << 40, (ULONGLONG)1 << 40 }, 0, false, false };

static BOOL
highest_node(ULONG *highest)
{
	*highest = NODES - 1;
	return TRUE;
}

static BOOL
room_of_node(USHORT node, ULONGLONG *bytes)
{
	if (node >= NODES)
		return FALSE;
	*bytes = machine.room[node];
	return TRUE;
}

static void *
alloc_on(HANDLE process, void *at, SIZE_T size, DWORD type, DWORD protect, DWORD node)
{
	(void)process;
	machine.wished = node;
	return VirtualAlloc(at, size, type, protect);
}

static BOOL
query(HANDLE process, void *info, DWORD size)
{
	PSAPI_WORKING_SET_EX_INFORMATION *page = info;

	(void)process, (void)size;
	page->VirtualAttributes.Flags = 0;
	page->VirtualAttributes.Valid = 1;
	page->VirtualAttributes.Node = machine.full ? 0 : machine.wished & 1;
	return !machine.silent;
}

#define GetNumaHighestNodeNumber highest_node
#define GetNumaAvailableMemoryNodeEx room_of_node
#define VirtualAllocExNuma alloc_on
#define K32QueryWorkingSetEx query
#include "../lib/os_windows.c"

#define SIZE ((size_t)1 << 20)

static char *
map_at(kva_place_t place)
{
	char *p = kva_os.map(SIZE, SIZE, place);

	kvt_true(p != NULL);
	kvt_eq((uintptr_t)p % SIZE, 0);
	return p;
}

START_TEST(a_node_is_wished_for_when_addresses_are_given_out)
{
	static const struct {
		kva_place_t place;
		DWORD wished;
	} rows[] = {
		{ KVA_PLACE_ANY, NUMA_NO_PREFERRED_NODE },
		{ KVA_PLACE_INTERLEAVE, NUMA_NO_PREFERRED_NODE },
		{ KVA_PLACE_PREFERRED(0), 0 },
		{ KVA_PLACE_PREFERRED(1), 1 },
		{ KVA_PLACE_BIND(1), 1 },
		{ KVA_PLACE_BIND(NODES), NUMA_NO_PREFERRED_NODE },
	};
	char *p = map_at(rows[_i].place);

	kvt_eq(machine.wished, rows[_i].wished);
	kvt_eq(kva_os.unmap(p, SIZE), 0);
}
END_TEST

START_TEST(memory_that_came_from_its_node_is_bound)
{
	char *p = map_at(KVA_PLACE_BIND(1));

	kvt_eq(kva_os.bind(p, SIZE, KVA_PLACE_BIND(1)), 0);
	p[0] = 1;
	kvt_eq(kva_os.unmap(p, SIZE), 0);
}
END_TEST

START_TEST(memory_that_came_from_another_node_is_not_bound)
{
	char *p = map_at(KVA_PLACE_BIND(1));

	machine.full = true;
	kvt_fails(kva_os.bind(p, SIZE, KVA_PLACE_BIND(1)), -1, ENOMEM);
	machine.full = false;		/* by now there is room: it may be tried again */
	kvt_eq(kva_os.bind(p, SIZE, KVA_PLACE_BIND(1)), 0);
	machine.silent = true;
	kvt_fails(kva_os.bind(p, SIZE, KVA_PLACE_BIND(1)), -1, ENOMEM);
	kvt_eq(kva_os.unmap(p, SIZE), 0);
}
END_TEST

START_TEST(memory_that_came_from_another_node_may_be_preferred)
{
	char *p = map_at(KVA_PLACE_PREFERRED(1));

	machine.full = true;
	kvt_eq(kva_os.bind(p, SIZE, KVA_PLACE_PREFERRED(1)), 0);
	kvt_eq(kva_os.unmap(p, SIZE), 0);
}
END_TEST

START_TEST(what_cannot_be_placed_is_said)
{
	char *p = map_at(KVA_PLACE_ANY);

	kvt_fails(kva_os.bind(p, SIZE, KVA_PLACE_INTERLEAVE), -1, ENOTSUP);
	kvt_fails(kva_os.bind(p, SIZE, KVA_PLACE_PREFERRED(NODES)), -1, EINVAL);
	kvt_fails(kva_os.bind(p, SIZE, KVA_PLACE_BIND(NODES)), -1, EINVAL);
	machine.room[1] = SIZE - 1;
	kvt_fails(kva_os.bind(p, SIZE, KVA_PLACE_PREFERRED(1)), -1, ENOMEM);
	kvt_fails(kva_os.bind(p, SIZE, KVA_PLACE_BIND(1)), -1, ENOMEM);
	kvt_eq(kva_os.unmap(p, SIZE), 0);
}
END_TEST

START_TEST(a_thread_has_no_preference_of_its_own)
{
	kvt_fails(kva_os.prefer(1), -1, ENOTSUP);
	kvt_fails(kva_os.prefer(NODES), -1, EINVAL);
}
END_TEST

/* A test has no process of its own here: the machine is as new for each. */
static void
repair(void)
{
	machine.room[1] = machine.room[0];
	machine.full = machine.silent = false;
}

int
main(void)
{
	Suite *s = suite_create("os-windows");
	TCase *g = kvt_group(s, "two nodes");

	tcase_add_checked_fixture(g, repair, NULL);
	tcase_add_loop_test(g, a_node_is_wished_for_when_addresses_are_given_out, 0, 6);
	tcase_add_test(g, memory_that_came_from_its_node_is_bound);
	tcase_add_test(g, memory_that_came_from_another_node_is_not_bound);
	tcase_add_test(g, memory_that_came_from_another_node_may_be_preferred);
	tcase_add_test(g, what_cannot_be_placed_is_said);
	tcase_add_test(g, a_thread_has_no_preference_of_its_own);
	return kvt_run(s, 20);
}
