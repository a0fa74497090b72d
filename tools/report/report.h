/* report.h -- a report of arenas, read back
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What kv_arena_write_report writes as KV_ARENA_REPORT_JSON. Figures that a
 * report lacks are 0, members that are not known are passed over: reports of
 * earlier and later libraries can be read.
 */
#ifndef KVR_REPORT_H
#define KVR_REPORT_H

#include <kv_arena.h>

struct kvr_arena {
	const char *path;
	uint64_t id;
	bool shared;
	kv_arena_stats_t stats;
};

struct kvr_report {
	const char *version;
	struct kvr_arena *arenas;
	size_t n;
	kv_arena_stats_t total;		/* of the bytes and counts that add up */
};

/* Read a report; it lives in the arena. False: *message says why; *line is 0 where
 * it is JSON, but no report. */
bool kvr_report_parse(struct kvr_report *report, kv_arena_t *arena,
	const char *text, size_t size, unsigned *line, const char **message);

/* The parts of what an arena holds, in the order in which they are shown. */
#define KVR_PARTS 6
extern const char *const kvr_part_names[KVR_PARTS];
void kvr_report_parts(const kv_arena_stats_t *stats, uint64_t parts[KVR_PARTS]);

/* Write bytes for people, as "1.5M", at most 6 characters. */
const char *kvr_size(uint64_t bytes, char text[8]);

#endif
