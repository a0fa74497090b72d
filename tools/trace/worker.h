/* worker.h -- a fresh process that runs a script once
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_WORKER_H
#define KVT_WORKER_H

#include "script.h"

enum kvt_touch {
	KVT_TOUCH_NONE,
	KVT_TOUCH_FIRST,		/* the first 8 bytes */
	KVT_TOUCH_ALL
};

/* How arenas are made. */
struct kvt_setting {
	size_t block_size;		/* 0: as the plan has it for each arena */
	size_t max_block_size;
	bool safe;
	bool cache;
};

struct kvt_result {
	uint64_t ns;			/* of processor time */
	uint64_t peak;			/* bytes by which resident memory grew */
	uint64_t faults;
	uint64_t blocks;		/* that arenas took fresh */
	uint64_t reused;		/* and warm */
	uint64_t failed;		/* calls that returned NULL */
};

/* Run a script in a new process; what goes wrong ends the program. */
void kvt_worker_run(const struct kvt_script *script,
	const struct kvt_setting *setting, enum kvt_touch touch,
	struct kvt_result *result);

/* What that process does. */
int kvt_worker_main(int argc, char **argv);

#endif
