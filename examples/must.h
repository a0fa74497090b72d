/* must.h -- what an example expects, checked
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#define must(x) do {							\
	if (!(x)) {							\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x); \
		exit(EXIT_FAILURE);					\
	}								\
} while (0)

#endif
