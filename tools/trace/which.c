/* which.c -- --arena: what goes to arenas in a replay
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "fold.h"
#include "tool.h"
#include "which.h"

#include <stdio.h>
#include <string.h>

void
kvt_which_read(struct kvt_which *w, const char *argument)
{
	uint64_t n;

	memset(w, 0, sizeof(*w));
	if (strcmp(argument, "whole") == 0) {
		w->what = KVT_WHOLE_RUN;
	} else if (strcmp(argument, "advised") == 0) {
		w->what = KVT_ADVISED;
	} else if (kvt_read_size(argument, &n) && n > 0 && n < KVT_NO_GROUP) {
		w->what = KVT_ONE_GROUP;
		w->group = (uint32_t)n;
	} else {
		kvt_misuse("--arena: '%s' is not whole, advised or a group's "
			"number", argument);
	}
	snprintf(w->label, sizeof(w->label), "%s%.10s",
		w->what == KVT_ONE_GROUP ? "group " : "", argument);
}

bool
kvt_which_plan(struct kvt_plan *plan, const struct kvt_which *w,
	struct kvt_trace *t)
{
	struct kvt_symbols *symbols;
	struct kvt_groups groups;
	bool found;

	if (w->what == KVT_WHOLE_RUN) {
		kvt_plan_whole(plan, t);
		return true;
	}
	symbols = kvt_symbols_new(t);
	kvt_fold_sites(t, symbols);
	kvt_groups_find(&groups, t, symbols);
	if (w->what == KVT_ONE_GROUP && w->group > groups.n)
		kvt_fail("--arena: there is no group %u: %s has %zu", w->group,
			t->input.name, groups.n);
	found = groups.n > 0;
	if (w->what == KVT_ONE_GROUP)
		kvt_plan_group(plan, t, &groups, w->group - 1);
	else if (found)
		kvt_plan_all_groups(plan, t, &groups);
	kvt_groups_free(&groups);
	return found;
}
