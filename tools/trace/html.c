/* html.c -- the html command: a report as a page
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "options.h"
#include "page.h"
#include "tool.h"
#include "whole.h"

#include <string.h>

/* A report, and where it came from. */
struct origin {
	struct kvr_report report;
	const char *name, *date;
};

static void
write_page(void *origin, FILE *out)
{
	struct origin *o = origin;

	kvt_page_write(&o->report, o->name, o->date, out);
}

int
kvt_html(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	kv_arena_t *arena = kv_arena_create(0);
	const char *output = NULL, *file, *message, *base;
	struct origin o;
	char date[32] = "?", place[24] = "";
	unsigned line;
	time_t when;
	size_t size;
	struct tm tm;
	char *text;
	int c;

	kvt_options_begin();
	while ((c = kvt_options_next(argc, argv, ":o:", options)) != -1)
		output = optarg;
	file = kvt_options_file(argc, argv);
	if (!arena)
		kvt_fail("no memory");
	text = kvt_whole_read(arena, file, &size, &when);
	if (!kvr_report_parse(&o.report, arena, text, size, &line, &message)) {
		if (line)
			snprintf(place, sizeof(place), "line %u: ", line);
		kvt_fail("%s: %s%s", file, place, message);
	}
	if (localtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	base = strrchr(file, '/');
	base = base ? base + 1 : file;
	o.name = strcmp(file, "-") ? base : "a report";
	o.date = date;
	kvt_whole_write(output, write_page, &o);
	kv_arena_destroy(arena);
	return 0;
}
