/* session.h -- the files that one run of record made
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_SESSION_H
#define KVT_SESSION_H

#include "format.h"

struct kvt_session_file {
	char *name;
	struct kvt_header header;	/* as it was when it was listed */
};

struct kvt_session {
	struct kvt_session_file *files;
	size_t n;
};

/* List FILE and FILE.* of a session, FILE first. */
void kvt_session_list(struct kvt_session *session, const char *file, uint64_t id);
void kvt_session_free(struct kvt_session *session);

/* Finish a file whose process has ended: give each chunk its sum, and cut off
 * what was never used. False: the process runs, or the file cannot be written. */
bool kvt_session_seal(struct kvt_session_file *file);

#endif
