/* tool.h -- what every command of kvarena-trace needs
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exit status: 0 done, 1 it could not be done, 2 it was asked for wrongly.
 */
#ifndef KVT_TOOL_H
#define KVT_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVT_NORETURN __attribute__((__noreturn__))
#define KVT_PRINTF(f, first) __attribute__((__format__(__printf__, f, first)))

/* Print "kvarena-trace: ..." to stderr and exit with 1, or 2 and where help is
 * to be had. */
KVT_NORETURN void kvt_fail(const char *format, ...) KVT_PRINTF(1, 2);
KVT_NORETURN void kvt_misuse(const char *format, ...) KVT_PRINTF(1, 2);
void kvt_warn(const char *format, ...) KVT_PRINTF(1, 2);

/* Return n zeroed elements; no memory ends the program. */
void *kvt_array(size_t n, size_t size);

/* Make room for one more element in an array that grows by halves. */
void *kvt_grow(void *array, size_t n, size_t *room, size_t size);

/* Read "64k", "1m", "2g" or a plain number. False: it is none, or too large. */
bool kvt_read_size(const char *text, uint64_t *size);

/* Read an option's number between two bounds, or misuse(). */
unsigned kvt_option_number(const char *option, const char *text, unsigned least,
	unsigned most);
size_t kvt_option_size(const char *option, const char *text);

/* Write a size for people, as "1.5 MiB", into one of a few static buffers. */
const char *kvt_size_text(uint64_t bytes);

/* A line on stderr that is written over; nothing unless stderr is a terminal. */
void kvt_progress(const char *format, ...) KVT_PRINTF(1, 2);
void kvt_progress_end(void);

/* The commands: argv[0] is the command's name. */
int kvt_record(int argc, char **argv);
int kvt_replay(int argc, char **argv);
int kvt_tune(int argc, char **argv);
int kvt_advise(int argc, char **argv);
int kvt_dump(int argc, char **argv);
int kvt_html(int argc, char **argv);
int kvt_flame(int argc, char **argv);

#endif
