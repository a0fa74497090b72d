/* sample.h -- two reports, one after the other, and what happened between
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVP_SAMPLE_H
#define KVP_SAMPLE_H

#include "../report/report.h"

/* By the second; below 0: not known, for there was no earlier report. */
struct kvp_rates {
	double allocations;
	double bytes;
	double resets;
	double waits;
	double blocks;			/* fresh */
};

struct kvp_row {
	const struct kvr_arena *arena;
	struct kvp_rates rates;
};

struct kvp_sample {
	kv_arena_t *memory;
	struct kvr_report report;
	uint64_t when;			/* ns since 1970 */
	struct kvp_row *rows;
	struct kvp_rates total;
};

enum kvp_column {
	KVP_HELD, KVP_PEAK, KVP_USED, KVP_LOST, KVP_FREE, KVP_BLOCKS,
	KVP_ALLOCATIONS, KVP_BYTES, KVP_RESETS, KVP_WAITS, KVP_PATH, KVP_COLUMNS
};

/* Read a report into the sample; before is the sample before it, or one without
 * rows. False: *line and *message say what is wrong, and the sample is empty. */
bool kvp_sample_read(struct kvp_sample *sample, const struct kvp_sample *before,
	const char *text, size_t size, uint64_t when, unsigned *line,
	const char **message);

/* Put the rows in the order of a column, the largest first, or backwards. */
void kvp_sample_sort(struct kvp_sample *sample, enum kvp_column column,
	bool backwards);

/* Return the share of used bytes in what is held, in percent. */
double kvp_used_share(const kv_arena_stats_t *stats);

/* Return the bytes that nobody has use for: padding, tails, abandoned. */
uint64_t kvp_lost_bytes(const kv_arena_stats_t *stats);

#endif
