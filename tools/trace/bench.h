/* bench.h -- several ways to run a trace, measured side by side
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_BENCH_H
#define KVT_BENCH_H

#include "worker.h"

struct kvt_way {
	char label[64];
	const struct kvt_script *script;
	struct kvt_setting setting;
	struct kvt_result *results;	/* one for each run, while they go on */
	struct kvt_result median;	/* each figure on its own */
	uint64_t least_ns;
	uint64_t most_ns;
};

struct kvt_bench {
	unsigned runs;
	enum kvt_touch touch;
};

/* The options that all commands with a replay share. */
#define KVT_BENCH_OPTIONS						\
	{ "runs", required_argument, NULL, 'r' },			\
	{ "touch", required_argument, NULL, 't' }

#define KVT_BENCH_DEFAULT { 7, KVT_TOUCH_ALL }

/* Take one of these options; false: it is another. */
bool kvt_bench_option(struct kvt_bench *bench, int c, const char *argument);

/* Run all ways, first each once, then each again, and so on. */
void kvt_bench_run(const struct kvt_bench *bench, struct kvt_way *ways, size_t n,
	const char *what);

/* Tell whether this machine has the memory for a script; if not, say so. */
bool kvt_bench_fits(const struct kvt_script *script, const char *label);

/* Print the ways, compared with the first; live is what the program itself had
 * live at once. */
void kvt_bench_print_head(void);
void kvt_bench_print(const struct kvt_way *way, const struct kvt_way *first,
	uint64_t live);

#endif
