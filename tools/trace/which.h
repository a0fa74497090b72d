/* which.h -- --arena: what goes to arenas in a replay
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_WHICH_H
#define KVT_WHICH_H

#include "plan.h"

struct kvt_which {
	enum { KVT_WHOLE_RUN, KVT_ADVISED, KVT_ONE_GROUP } what;
	uint32_t group;			/* from 1, as advise prints it */
	char label[24];
};

/* Read the option's argument, or misuse(). */
void kvt_which_read(struct kvt_which *which, const char *argument);

/* Make its plan; folds the trace's call sites. False: there is no group that
 * would go to an arena. */
bool kvt_which_plan(struct kvt_plan *plan, const struct kvt_which *which,
	struct kvt_trace *trace);

#endif
