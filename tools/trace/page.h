/* page.h -- a report of arenas as one HTML page
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_PAGE_H
#define KVT_PAGE_H

#include "../report/report.h"

#include <stdio.h>

/* Write a page that needs nothing but itself: no script, no font, no picture
 * from elsewhere. name and date say where the report came from. The arenas are
 * sorted, the largest first. */
void kvt_page_write(struct kvr_report *report, const char *name,
	const char *date, FILE *out);

#endif
