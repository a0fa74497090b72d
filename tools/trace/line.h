/* line.h -- source lines, from addr2line
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_LINE_H
#define KVT_LINE_H

#include <stdint.h>

/* Return "file.c:12" for an address of a file, or NULL: there is no addr2line,
 * or it does not know. Kept until the end. */
const char *kvt_line_of(const char *path, uint64_t address);

#endif
