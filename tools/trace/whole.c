/* whole.c -- files read and written whole
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "tool.h"
#include "whole.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *
kvt_whole_read(kv_arena_t *arena, const char *name, size_t *size, time_t *when)
{
	FILE *in = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
	char *text = NULL;
	size_t room = 0, n;
	struct stat st;

	if (!in || fstat(fileno(in), &st) != 0)
		kvt_fail("%s: %s", name, strerror(errno));
	if (when)
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

void
kvt_whole_write(const char *name, void (*write)(void *what, FILE *out), void *what)
{
	char *draft;
	FILE *out = stdout;
	size_t n;

	if (!name) {
		write(what, out);
		return;
	}
	n = strlen(name) + 8;
	draft = kvt_array(n, 1);
	snprintf(draft, n, "%s.part", name);
	out = fopen(draft, "w");
	if (!out)
		kvt_fail("%s: %s", draft, strerror(errno));
	write(what, out);
	if (ferror(out) | fclose(out) || rename(draft, name) != 0) {
		int error = errno;
		unlink(draft);
		kvt_fail("%s: %s", name, strerror(error));
	}
	free(draft);
}
