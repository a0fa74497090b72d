/* numa-none.c -- kvarena-bench --numa where threads cannot be put on nodes
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report.h"

int
kb_numa(unsigned mib)
{
	(void)mib;
	fprintf(stderr, "kvarena-bench: --numa needs Linux\n");
	return 1;
}
