/* whole.h -- files read and written whole
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_WHOLE_H
#define KVT_WHOLE_H

#include <kv_arena.h>

#include <stdio.h>
#include <time.h>

/* Read all of a file, "-" for standard input, into the arena. when, if not NULL, is
 * when it was written. Failure ends the program. */
char *kvt_whole_read(kv_arena_t *arena, const char *name, size_t *size, time_t *when);

/* Have write(what, out) write a file, NULL for standard output; it is there only
 * when all of it is. Failure ends the program. */
void kvt_whole_write(const char *name, void (*write)(void *what, FILE *out),
	void *what);

#endif
