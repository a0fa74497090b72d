/* kvrefuse.h -- a kernel that refuses system calls
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The refusal holds for the calling thread and those it starts, until the process
 * ends, so only a test that runs in a process of its own may ask for it.
 */
#ifndef KVREFUSE_H
#define KVREFUSE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the test has a process to itself, which it may leave in any state. If
 * not, it counts as skipped. */
bool kvr_has_own_process(void);

/* Whether calls can be refused here: on Linux, in such a process, with no sanitizer
 * that would need the calls itself. If not, the test counts as skipped. */
bool kvr_works_here(void);

/* From now on, have the call with this SYS_ number fail; or only where one of its
 * arguments, counted from 0, has this value. */
void kvr_refuse(long call, int error);
void kvr_refuse_if(long call, unsigned argument, uint32_t value, int error);

/* The same for files that are opened with these flags, by whichever call. */
void kvr_refuse_open(int flags, int error);

#endif
