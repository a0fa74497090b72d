/* tool.c -- what every command of kvarena-trace needs
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool on_a_line;			/* a progress line is on the screen */

static void
say(const char *format, va_list args)
{
	kvt_progress_end();
	fflush(stdout);
	fputs("kvarena-trace: ", stderr);
	vfprintf(stderr, format, args);
	putc('\n', stderr);
}

void
kvt_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	exit(1);
}

void
kvt_misuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	fputs("Try 'kvarena-trace --help'.\n", stderr);
	exit(2);
}

void
kvt_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void *
kvt_array(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		kvt_fail("no memory for %zu times %zu bytes", n, size);
	return p;
}

void *
kvt_grow(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = *room + *room / 2 + 64;
	array = realloc(array, *room * size);
	if (!array)
		kvt_fail("no memory for %zu times %zu bytes", *room, size);
	return array;
}

bool
kvt_read_size(const char *text, uint64_t *size)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;
	unsigned shift = 0;
	unsigned long long n;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
		if (strcmp(end, "iB") == 0 || strcmp(end, "B") == 0)
			end = "";
	}
	if (*end || n > UINT64_MAX >> shift)
		return false;
	*size = (uint64_t)n << shift;
	return true;
}

unsigned
kvt_option_number(const char *option, const char *text, unsigned least,
	unsigned most)
{
	uint64_t n;

	if (!kvt_read_size(text, &n) || n < least || n > most)
		kvt_misuse("%s: '%s' is not a number from %u to %u", option, text,
			least, most);
	return (unsigned)n;
}

size_t
kvt_option_size(const char *option, const char *text)
{
	uint64_t n;

	if (!kvt_read_size(text, &n) || (size_t)n != n)
		kvt_misuse("%s: '%s' is not a size, as 64k, 16m or 1g", option,
			text);
	return (size_t)n;
}

const char *
kvt_size_text(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	static char buffers[8][32];
	static unsigned next;
	char *buffer = buffers[next++ % 8];
	double value = (double)bytes;
	int unit = -1;

	for (; value >= 1000 && unit < 5; unit++)
		value /= 1024;
	if (unit < 0)
		snprintf(buffer, sizeof(buffers[0]), "%d B", (int)bytes);
	else
		snprintf(buffer, sizeof(buffers[0]), "%.*f %s",
			value == (double)(uint64_t)value ? 0 : value < 10 ? 2 : 1,
			value, units[unit]);
	return buffer;
}

void
kvt_progress(const char *format, ...)
{
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\033[K", stderr);
	fflush(stderr);
	on_a_line = true;
}

void
kvt_progress_end(void)
{
	if (!on_a_line)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	on_a_line = false;
}
