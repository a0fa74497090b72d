/* kvpages.h -- pages as the system sees them
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Asked of the system itself, and not through lib/os.h, which is under test.
 */
#ifndef KVPAGES_H
#define KVPAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the page at p belongs to the process, and whether it has memory. */
bool kvpg_is_mapped(const void *p);
bool kvpg_is_resident(const void *p);

/* Whether reading or writing the byte at p ends the process. */
bool kvpg_stops_reading(const void *p);
bool kvpg_stops_writing(void *p);

/* Whether the system's map of the process has this text. */
bool kvpg_map_says(const char *text);

/* The size of a page. */
size_t kvpg_size(void);

#endif
