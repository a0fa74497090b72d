/* codemap.c -- which code lies where in the recorded program
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Read from /proc/self/maps at the first call site, and again whenever one lies
 * outside all that is known, as after dlopen. Code without a file, of a just in
 * time compiler, is remembered so that it is not looked for again, but not told.
 */
#include "config.h"

#include "codemap.h"
#include "recording.h"
#include "stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#define MAX_RANGES 16384

struct range {
	uintptr_t start;
	uintptr_t end;
};

static struct range *ranges;
static unsigned nranges;
static struct range unwinder;		/* set once, before it is needed */

/* One line of the map is put together here; longer paths are cut. */
static char line[KVT_MAX_PATH + 128];
static char buffer[8192];

bool
kvt_codemap_start(void)
{
	if (!ranges)
		ranges = kvt_pages(MAX_RANGES * sizeof(*ranges));
	return ranges;
}

void
kvt_codemap_forget(void)
{
	nranges = 0;
}

static bool
is_known(uintptr_t address)
{
	unsigned i;

	for (i = 0; i < nranges; i++)
		if (address - ranges[i].start < ranges[i].end - ranges[i].start)
			return true;
	return false;
}

static bool
has_range(uintptr_t start, uintptr_t end)
{
	unsigned i;

	for (i = 0; i < nranges; i++)
		if (ranges[i].start == start && ranges[i].end == end)
			return true;
	return false;
}

static uint64_t
read_hex(char **p, char stop)
{
	uint64_t value = strtoull(*p, p, 16);

	if (**p == stop)
		++*p;
	return value;
}

/* "start-end rwxp offset dev inode   path" */
static void
note_line(struct kvt_stream *stream)
{
	char *p = line;
	uintptr_t start = (uintptr_t)read_hex(&p, '-');
	uintptr_t end = (uintptr_t)read_hex(&p, ' ');
	uint64_t offset;
	char *path;

	if (strlen(p) < 5 || p[2] != 'x' || has_range(start, end) ||
		nranges == MAX_RANGES)
		return;
	p += 5;
	offset = read_hex(&p, ' ');
	ranges[nranges].start = start;
	ranges[nranges++].end = end;
	if ((uintptr_t)_Unwind_Backtrace - start < end - start) {
		unwinder.start = start;
		unwinder.end = end;
	}
	path = strchr(p, '/');
	if (path)
		kvt_stream_tell_map(stream, start, end - start, offset, path);
}

static void
scan(struct kvt_stream *stream)
{
	size_t used = 0;
	long i, n;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps",
		O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while ((n = syscall(SYS_read, fd, buffer, sizeof(buffer))) > 0)
		for (i = 0; i < n; i++) {
			if (buffer[i] != '\n') {
				if (used < sizeof(line) - 1)
					line[used++] = buffer[i];
				continue;
			}
			line[used] = '\0';
			used = 0;
			note_line(stream);
		}
	syscall(SYS_close, fd);
}

void
kvt_codemap_cover(struct kvt_stream *stream, const uintptr_t *addresses,
	unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (!is_known(addresses[i]))
			break;
	if (i == n)
		return;
	scan(stream);
	/* What the map does not have either is not asked for again. */
	for (i = 0; i < n; i++)
		if (!is_known(addresses[i]) && nranges < MAX_RANGES) {
			ranges[nranges].start = addresses[i] & ~(uintptr_t)4095;
			ranges[nranges].end = ranges[nranges].start + 4096;
			nranges++;
		}
}

bool
kvt_codemap_is_unwinder(uintptr_t address)
{
	return address - unwinder.start < unwinder.end - unwinder.start;
}
