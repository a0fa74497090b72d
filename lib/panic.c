/* panic.c [0] -- the end, for corruption that was detected
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
kva_panic(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	fprintf(stderr, "kvarena: %s\n", line);
	abort();
}
