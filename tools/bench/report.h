/* report.h -- what a run says in the end
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KB_REPORT_H
#define KB_REPORT_H

#include "plan.h"

/* Facts of the machine, one "name: value" each. */
struct fact {
	const char *name;
	char value[160];
};
const struct fact *kb_facts(size_t *n);

/* A row of the contract (the design's table) with what was measured. */
enum met { NOT_MEASURED, MET, NOT_MET };
struct row {
	char what[72];
	char must[28];
	char measured[48];
	enum met met;
};
const struct row *kb_rows(const struct options *o, size_t *n);
bool kb_unsound(void);		/* a measurement that cannot be true; after kb_rows */

void kb_print_machine(void);
void kb_print_facts(const struct presence *presence);
void kb_print_workload(const struct options *o, const struct workload *w);
void kb_print_rows(const struct options *o);

/* Each returns false if the file could not be written (and says so). */
bool kb_write_json(const struct options *o, const struct presence *presence);
bool kb_write_csv(const struct options *o);
bool kb_write_plots(const struct options *o);

/* numa.c: print what placement is worth here; the exit status. */
int kb_numa(unsigned mib);

#endif
