/* options.c -- the command line of one command
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "options.h"
#include "tool.h"

void
kvt_options_begin(void)
{
	optind = 1;
	opterr = 0;		/* the messages are ours */
}

int
kvt_options_next(int argc, char **argv, const char *letters,
	const struct option *options)
{
	int at = optind;
	int c = getopt_long(argc, argv, letters, options, NULL);

	if (c == ':')
		kvt_misuse("%s: option '%s' needs an argument", argv[0],
			argv[optind - 1]);
	if (c == '?' && optopt && optopt < 256 && argv[at] && argv[at][1] != '-')
		kvt_misuse("%s: unknown option '-%c'", argv[0], optopt);
	if (c == '?')
		kvt_misuse("%s: unknown option or bad use of '%s'", argv[0],
			argv[optind - 1]);
	return c;
}

const char *
kvt_options_file(int argc, char **argv)
{
	if (optind >= argc)
		kvt_misuse("%s: a file is missing", argv[0]);
	if (optind + 1 < argc)
		kvt_misuse("%s: one file only, but there is also '%s'",
			argv[0], argv[optind + 1]);
	return argv[optind];
}
