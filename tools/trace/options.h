/* options.h -- the command line of one command
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_OPTIONS_H
#define KVT_OPTIONS_H

#include <getopt.h>

/* Return the next option's val, or -1 after the last; a wrong one ends the
 * program. Its argument is in optarg. Start with kvt_options_begin. */
void kvt_options_begin(void);
int kvt_options_next(int argc, char **argv, const char *letters,
	const struct option *options);

/* Return the one file that is left, or misuse(). */
const char *kvt_options_file(int argc, char **argv);

#endif
