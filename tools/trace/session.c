/* session.c -- the files that one run of record made
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "session.h"
#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
read_header(const char *name, struct kvt_header *h)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool read_all;

	if (fd < 0)
		return false;
	read_all = pread(fd, h, sizeof(*h), 0) == (ssize_t)sizeof(*h);
	close(fd);
	return read_all && memcmp(h->magic, KVT_MAGIC, sizeof(h->magic)) == 0;
}

static int
compare_files(const void *a, const void *b)
{
	const struct kvt_session_file *x = a, *y = b;
	size_t m = strlen(x->name), n = strlen(y->name);

	return m != n ? (m < n ? -1 : 1) : strcmp(x->name, y->name);
}

void
kvt_session_list(struct kvt_session *s, const char *file, uint64_t id)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	size_t length = strlen(base), room = 0;
	size_t prefix = (size_t)(base - file);
	char *directory = kvt_array(prefix + 2, 1);
	struct kvt_header header;
	struct dirent *entry;
	DIR *d;

	memset(s, 0, sizeof(*s));
	memcpy(directory, prefix ? file : ".", prefix ? prefix : 1);
	d = opendir(directory);
	while (d && (entry = readdir(d))) {
		char *name;
		if (strncmp(entry->d_name, base, length) != 0 ||
			(entry->d_name[length] && entry->d_name[length] != '.'))
			continue;
		name = kvt_array(prefix + strlen(entry->d_name) + 1, 1);
		memcpy(name, file, prefix);
		strcpy(name + prefix, entry->d_name);
		if (!read_header(name, &header) || header.session != id) {
			free(name);
			continue;
		}
		s->files = kvt_grow(s->files, s->n, &room, sizeof(*s->files));
		s->files[s->n].name = name;
		s->files[s->n++].header = header;
	}
	if (d)
		closedir(d);
	free(directory);
	if (s->n)
		qsort(s->files, s->n, sizeof(*s->files), compare_files);
}

void
kvt_session_free(struct kvt_session *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->files[i].name);
	free(s->files);
}

static bool
write_at(int fd, const void *p, size_t n, uint64_t offset)
{
	return pwrite(fd, p, n, (off_t)offset) == (ssize_t)n;
}

/* Sum the chunk at offset; *end is raised to where its events end. */
static bool
seal_chunk(int fd, uint64_t offset, uint64_t *end)
{
	static uint8_t data[KVT_CHUNK_SIZE];
	struct kvt_chunk c;
	ssize_t n = pread(fd, data, sizeof(data), (off_t)offset);

	if (n < (ssize_t)sizeof(c))
		return n >= 0;
	memcpy(&c, data, sizeof(c));
	if (c.magic != KVT_CHUNK_MAGIC || c.used > (size_t)n - sizeof(c))
		return true;
	c.sum = kvt_sum(data + sizeof(c), c.used);
	*end = offset + sizeof(c) + c.used;
	return write_at(fd, &c, sizeof(c), offset);
}

bool
kvt_session_seal(struct kvt_session_file *file)
{
	struct kvt_header *h = &file->header;
	uint64_t offset, end = KVT_HEADER_SIZE;
	off_t size;
	bool done;
	int fd;

	if (h->pid == 0 || kill((pid_t)h->pid, 0) == 0 || errno != ESRCH)
		return false;
	fd = open(file->name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = lseek(fd, 0, SEEK_END);
	done = size >= 0 && pread(fd, h, sizeof(*h), 0) == (ssize_t)sizeof(*h);
	for (offset = end; done && offset < (uint64_t)size; offset += KVT_CHUNK_SIZE)
		done = seal_chunk(fd, offset, &end);
	if (done && ftruncate(fd, (off_t)end) == 0) {
		h->size = end;
		h->flags |= KVT_FLAG_SEALED;
		done = write_at(fd, h, sizeof(*h), 0);
	}
	close(fd);
	return done;
}
