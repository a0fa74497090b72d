/* main.c -- kvarena-trace: what a program's allocations would be in an arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "tool.h"
#include "worker.h"

#include <kv_arena.h>

#include <stdio.h>
#include <string.h>

static const char help[] =
"usage: kvarena-trace record [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
"       kvarena-trace replay|tune|advise|dump [OPTION...] FILE\n"
"       kvarena-trace html [-o FILE] REPORT\n"
"       kvarena-trace flame [OPTION...] STACKS\n"
"\n"
"Records what a program allocates, and tells what an arena would make of it.\n"
"\n"
"  record    run PROGRAM and write its calls of malloc, calloc, realloc, free\n"
"            and their aligned sisters to a file, each with thread and call site\n"
"    -o FILE         the file (kvarena.trace); other processes that PROGRAM\n"
"                    starts write FILE.PID\n"
"    --limit SIZE    stop recording when a file has SIZE bytes (256m)\n"
"    --depth N       frames kept of each call site, 1 to 32 (8)\n"
"    --only NAME     record only processes that run a program of this name\n"
"    --no-children   record only PROGRAM itself\n"
"    -q, --quiet     neither progress nor summary\n"
"  replay    run the recorded calls against malloc and against arenas: time,\n"
"            peak, waste, blocks, page faults\n"
"    --block SIZE    an arena with blocks of SIZE; may be repeated\n"
"                    (4k, 64k, 1m, and what fits each arena)\n"
"  tune      find the best block size, growth and cache for the arenas\n"
"  advise    which call sites die together: where an arena would pay\n"
"    --top N         the N best groups (10)\n"
"    --all           those that do not pay, too\n"
"    --lines         file and line of each call site (needs addr2line)\n"
"  replay, tune, advise:\n"
"    --runs N        runs of each setting, alternating; the median counts (7)\n"
"    --touch WHAT    what is written to: none, first (8 bytes of each), all\n"
"                    (all)\n"
"  replay, tune:\n"
"    --arena WHICH   what goes to arenas: whole (everything, in one arena),\n"
"                    advised (the groups of advise), or the number of a group\n"
"                    (replay: both; tune: advised)\n"
"  dump      print the recorded calls, one on a line\n"
"    --summary       print counts only\n"
"    --sites         print the call sites, the largest first\n"
"    --lines         with file and line\n"
"  html      make a page of a report of arenas (kv_arena_write_report as JSON;\n"
"            - reads standard input), with plots, that needs nothing but itself\n"
"    -o FILE         where it goes (standard output)\n"
"  flame     draw folded stacks (kv_arena_write_profile; - reads standard input)\n"
"            as a picture in SVG, with the names of functions as their files tell\n"
"    -o FILE         where it goes (standard output)\n"
"    --title TEXT    what stands above it\n"
"    --unit NAME     what is counted (bytes)\n"
"\n"
"  -h, --help        this text          -V, --version     the version\n"
"\n"
"Exit status: that of PROGRAM for record; else 0 done, 1 it could not be done,\n"
"2 wrong usage. SIZE may end in k, m or g.\n";

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "record", kvt_record },
	{ "replay", kvt_replay },
	{ "tune", kvt_tune },
	{ "advise", kvt_advise },
	{ "dump", kvt_dump },
	{ "html", kvt_html },
	{ "flame", kvt_flame },
	{ "worker", kvt_worker_main },	/* what the tool starts for a replay */
};

static int
finish(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		kvt_fail("the output could not be written");
	return status;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	size_t i;

	if (!name)
		kvt_misuse("a command is missing");
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
		strcmp(name, "help") == 0) {
		fputs(help, stdout);
		return finish(0);
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		printf("kvarena-trace %s\n", kv_arena_version());
		return finish(0);
	}
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(name, commands[i].name) == 0) {
			if (argc == 3 && (strcmp(argv[2], "--help") == 0 ||
				strcmp(argv[2], "-h") == 0)) {
				fputs(help, stdout);
				return finish(0);
			}
			return finish(commands[i].run(argc - 1, argv + 1));
		}
	kvt_misuse("unknown command '%s'", name);
}
