/* guest.h -- what the tests in the NUMA machine share
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * They see the library as its users do and ask the kernel themselves, by system
 * call, where each page lies: nothing that the library says is taken for granted.
 */
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <kv_arena.h>

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)
#define NODES 4

/* ---- Test anything ------------------------------------------------------ */

/* One line of TAP; why is what was seen, printed after a failure and as a figure. */
void ok(bool good, const char *name, const char *seen, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/* Run fn in a child, whose lines are counted here. One that is killed fails: the
 * OOM killer is what a refusal must not be. */
void in_child(const char *name, void (*fn)(void));

/* ---- Places ---------------------------------------------------------------- */

/* Run on this CPU from now on. In these machines CPU i is of node i. */
void run_on(int cpu);

/* Pages by node, as move_pages tells. */
struct spread {
	unsigned long on[NODES], elsewhere, untouched, all;
};

/* Pages that the test took of an arena, each touched. */
struct book {
	char **page;
	size_t n, room;
};

/* Allocate n whole pages and write to each. False: some could not be had. */
bool take_pages(kv_arena_t *a, struct book *b, size_t n);
void drop_book(struct book *b);

/* Where the pages of a book from number first on lie. */
struct spread spread_of(const struct book *b, size_t first);

/* Per mille of them on a node. */
unsigned share_of(const struct spread *s, int node);

/* "12 0 500 0". */
const char *told(const struct spread *s);

/* Of /sys/devices/system/node/nodeN/FILE, the number after a word. */
unsigned long node_figure(int node, const char *file, const char *word);
bool write_file(const char *path, const char *text);

kv_arena_t *arena_on(kv_arena_numa_policy_t policy, int node,
	kv_arena_thread_mode_t mode);

/* The report of an arena in a format, as a string until the next call. */
const char *report_of(const kv_arena_t *a, kv_arena_report_format_t format);

/* ---- The machines --------------------------------------------------------- */

void test_policies(void);	/* four nodes alike */
void test_threads(void);
void test_truth(void);
void test_refusals(void);
void test_full_node(void);
void test_node_without_memory(void);	/* node 3 has none */
void test_node_without_cpu(void);	/* node 3 has none */
void test_node_going_offline(void);	/* node 1 can be taken away */

#endif
