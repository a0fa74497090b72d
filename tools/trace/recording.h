/* recording.h -- the file that this process records to
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * No descriptor is kept: programs close descriptors that they do not know, and
 * number 7 may be theirs tomorrow. The header stays mapped; for each chunk the
 * file is opened anew, by its path, and must still be the same file.
 *
 * None of these functions allocates, and none is a cancellation point, for they
 * run inside malloc.
 */
#ifndef KVT_RECORDING_H
#define KVT_RECORDING_H

#include "format.h"

/* Names of the environment, from the launcher to the recorder. */
#define KVT_ENV_FILE "KVARENA_RECORD"		/* absolute path */
#define KVT_ENV_LIMIT "KVARENA_RECORD_LIMIT"	/* bytes */
#define KVT_ENV_DEPTH "KVARENA_RECORD_DEPTH"	/* frames */
#define KVT_ENV_ONLY "KVARENA_RECORD_ONLY"	/* a program's name */
#define KVT_ENV_FIRST "KVARENA_RECORD_FIRST"	/* record this pid and no other */
#define KVT_ENV_SESSION "KVARENA_RECORD_SESSION"

/* Tell whether calls are to be recorded, and start at the first call that finds
 * the environment there. A forked child starts a recording of its own. */
bool kvt_recording(void);

/* Number of the recording in this process image: a fork makes it grow. */
unsigned kvt_recording_life(void);

/* The header, while recording. */
struct kvt_header *kvt_recording_header(void);

/* Return a new chunk, mapped and zeroed; or NULL: the bound is reached or the
 * disk is full, and recording has stopped. */
struct kvt_chunk *kvt_recording_take_chunk(void);
void kvt_recording_drop_chunk(struct kvt_chunk *chunk);

uint64_t kvt_recording_time(void);

/* Map zeroed private memory that is had only where touched; NULL: none. */
void *kvt_pages(size_t size);

#endif
