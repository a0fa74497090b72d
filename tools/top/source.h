/* source.h -- where kvarena-top has its reports from
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A file that the watched process writes anew from time to time, or a pipe in
 * which one report follows the other.
 */
#ifndef KVP_SOURCE_H
#define KVP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A process publishes under a name by writing this file. */
#define KVP_PUBLISHED "/dev/shm/kvarena."

enum kvp_news {
	KVP_NEW,			/* there is a report that was not there before */
	KVP_SAME,
	KVP_GONE			/* no file, or the pipe has ended */
};

struct kvp_source {
	char *path;			/* NULL: standard input */
	const char *name;		/* for the screen */
	int error;			/* errno of KVP_GONE; 0: the end */
	char *text;			/* of the newest report */
	size_t size;
	uint64_t when;			/* it was written, ns since 1970 */

	/* of the file last read */
	uint64_t inode;
	uint64_t file_time;
	uint64_t file_size;

	/* of the pipe */
	char *pending;
	size_t npending;
	size_t room;
};

/* "-": standard input; a file; or the name of a process that publishes. */
void kvp_source_open(struct kvp_source *source, const char *what);

/* Look for news; never waits. */
enum kvp_news kvp_source_look(struct kvp_source *source);

uint64_t kvp_now(void);

#endif
