/* spawn.h -- cells in processes of their own
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KB_SPAWN_H
#define KB_SPAWN_H

#include "bench.h"

/* Run a cell in a new process and call take for each line it prints. Returns
 * its exit status, or 128 + the signal that ended it. */
int kb_spawn(const struct cell *c, void (*take)(const struct cell *c,
	const char *name, const char *value));

/* Run it under ptrace and return the system calls between its two marks; -1:
 * this system does not let us count. */
long kb_spawn_counted(const struct cell *c);

/* What a child's command line says; false: not a child. */
bool kb_child(int argc, char **argv, struct cell *c);

#endif
