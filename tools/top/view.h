/* view.h -- what kvarena-top shows
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVP_VIEW_H
#define KVP_VIEW_H

#include "sample.h"
#include "source.h"

#include <stdio.h>

enum kvp_page { KVP_LIST, KVP_DETAIL, KVP_HELP };

struct kvp_view {
	enum kvp_page page;
	enum kvp_column column;		/* that the list is sorted by */
	bool backwards;
	uint64_t selected;		/* id of an arena; it stays selected where
					 * the order changes */
	size_t first;			/* row at the top of the list */
	double delay;
	char message[128];		/* a line for the user, or "" */
	int rows;			/* of the screen; 0: no end, no colours */
	int columns;
};

/* Return the column of a name, as "HELD"; KVP_COLUMNS: there is none. */
enum kvp_column kvp_view_column(const char *name);
const char *kvp_view_column_name(enum kvp_column column);

/* Write a screen. */
void kvp_view_draw(struct kvp_view *view, const struct kvp_sample *sample,
	const struct kvp_source *source, FILE *out);

/* Move the selection by rows. */
void kvp_view_move(struct kvp_view *view, const struct kvp_sample *sample,
	long by);

#endif
