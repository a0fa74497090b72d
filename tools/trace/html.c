/* html.c -- the html command: a report as a page
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "options.h"
#include "page.h"
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Read all of a file, "-" for standard input, into the arena. */
static char *
read_all(kv_arena_t *arena, const char *name, size_t *size, time_t *when)
{
	FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
	char *text = NULL;
	size_t room = 0, n;
	struct stat st;

	if (!in || fstat(fileno(in), &st) != 0)
		kvt_fail("%s: %s", name, strerror(errno));
	*when = S_ISREG(st.st_mode) ? st.st_mtime : time(NULL);
	*size = 0;
	do {
		if (*size == room) {
			size_t more = room ? 2 * room : 65536;
			text = kv_arena_realloc(arena, text, room, more);
			if (!text)
				kvt_fail("no memory for %s", name);
			room = more;
		}
		n = fread(text + *size, 1, room - *size, in);
		*size += n;
	} while (n > 0);
	if (ferror(in))
		kvt_fail("%s: %s", name, strerror(errno));
	if (in != stdin)
		fclose(in);
	return text;
}

/* Write the page; to a file only when all of it is there. */
static void
write_page(struct kvr_report *report, const char *name, const char *date,
	const char *output)
{
	char *draft;
	FILE *out = stdout;
	size_t n;

	if (!output) {
		kvt_page_write(report, name, date, out);
		return;
	}
	n = strlen(output) + 8;
	draft = kvt_array(n, 1);
	snprintf(draft, n, "%s.part", output);
	out = fopen(draft, "w");
	if (!out)
		kvt_fail("%s: %s", draft, strerror(errno));
	kvt_page_write(report, name, date, out);
	if (ferror(out) | fclose(out) || rename(draft, output) != 0) {
		int error = errno;
		unlink(draft);
		kvt_fail("%s: %s", output, strerror(error));
	}
	free(draft);
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
	struct kvr_report report;
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
	text = read_all(arena, file, &size, &when);
	if (!kvr_report_parse(&report, arena, text, size, &line, &message)) {
		if (line)
			snprintf(place, sizeof(place), "line %u: ", line);
		kvt_fail("%s: %s%s", file, place, message);
	}
	if (localtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	base = strrchr(file, '/');
	base = base ? base + 1 : file;
	write_page(&report, strcmp(file, "-") ? base : "a report", date, output);
	kv_arena_destroy(arena);
	return 0;
}
