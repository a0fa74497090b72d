/* report.h [6] -- statistics for people and machines
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_REPORT_H
#define KVA_REPORT_H

#include "arena.h"

/* Write an arena and its descendants, or every live arena (NULL). -1: EIO. */
int kva_report_write(struct kva_arena *a, FILE *out, kv_arena_report_format_t format);

/* Write every live arena as JSON, from any thread and at any time: those of one thread
 * as they showed themselves last (publish.h). -1: EIO. */
int kva_report_publish(FILE *out);

#endif
