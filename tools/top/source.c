/* source.c -- where kvarena-top has its reports from
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LARGEST (256u << 20)		/* bytes of a report */

uint64_t
kvp_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
kvp_source_open(struct kvp_source *s, const char *what)
{
	size_t n = strlen(what) + sizeof(KVP_PUBLISHED);

	memset(s, 0, sizeof(*s));
	s->name = what;
	if (strcmp(what, "-") == 0) {
		s->name = "standard input";
		return;
	}
	s->path = malloc(n);
	if (!s->path)
		abort();
	snprintf(s->path, n, "%s", what);
	if (!strchr(what, '/') && access(what, F_OK) != 0)
		snprintf(s->path, n, "%s%s", KVP_PUBLISHED, what);
}

static void
replace_text(struct kvp_source *s, char *text, size_t size, uint64_t when)
{
	free(s->text);
	s->text = text;
	s->size = size;
	s->when = when;
}

/* ---- A file ---------------------------------------------------------------------- */

/* Read the whole of a file. NULL: errno. */
static char *
read_file(int fd, size_t size, size_t *got)
{
	char *text = malloc(size + 1);
	ssize_t n = 1;

	*got = 0;
	while (text && n > 0 && *got < size) {
		n = read(fd, text + *got, size - *got);
		if (n < 0) {
			free(text);
			return NULL;
		}
		*got += (size_t)n;
	}
	return text;
}

static enum kvp_news
look_at(struct kvp_source *s, int fd)
{
	struct stat st;
	uint64_t time;
	size_t got;
	char *text;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
		(uint64_t)st.st_size > LARGEST) {
		s->error = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return KVP_GONE;
	}
	time = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
		(uint64_t)st.st_mtim.tv_nsec;
	if (s->text && st.st_ino == s->inode && time == s->file_time &&
		(uint64_t)st.st_size == s->file_size)
		return KVP_SAME;
	text = read_file(fd, (size_t)st.st_size, &got);
	if (!text) {
		s->error = errno;
		return KVP_GONE;
	}
	s->inode = st.st_ino;
	s->file_time = time;
	s->file_size = (uint64_t)st.st_size;
	replace_text(s, text, got, time);
	return KVP_NEW;
}

/* ---- A pipe ------------------------------------------------------------------------ */

/* Return the bytes of the first whole object in the text, or 0: it is not all
 * there yet. */
static size_t
first_object(const char *text, size_t n)
{
	size_t i;
	int depth = 0;
	bool in_string = false;

	for (i = 0; i < n; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '{' || text[i] == '[') {
			depth++;
		} else if ((text[i] == '}' || text[i] == ']') && --depth <= 0) {
			return i + 1;
		}
	}
	return 0;
}

/* Take the first whole report off what is pending. */
static bool
take_pending(struct kvp_source *s)
{
	size_t n = first_object(s->pending, s->npending);
	char *text = n ? malloc(n) : NULL;

	if (!text)
		return false;
	memcpy(text, s->pending, n);
	s->npending -= n;
	memmove(s->pending, s->pending + n, s->npending);
	replace_text(s, text, n, kvp_now());
	return true;
}

static enum kvp_news
look_at_pipe(struct kvp_source *s)
{
	struct pollfd p = { STDIN_FILENO, POLLIN, 0 };
	ssize_t n;

	while (!take_pending(s)) {
		if (poll(&p, 1, 0) <= 0)
			return KVP_SAME;
		if (s->npending == s->room) {
			char *more = realloc(s->pending, s->room * 2 + 65536);
			if (!more || s->room > LARGEST) {
				s->error = ENOMEM;
				return KVP_GONE;
			}
			s->pending = more;
			s->room = s->room * 2 + 65536;
		}
		n = read(STDIN_FILENO, s->pending + s->npending,
			s->room - s->npending);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return KVP_SAME;
		if (n <= 0) {
			s->error = n < 0 ? errno : 0;
			return KVP_GONE;
		}
		s->npending += (size_t)n;
	}
	return KVP_NEW;
}

enum kvp_news
kvp_source_look(struct kvp_source *s)
{
	enum kvp_news news;
	int fd;

	if (!s->path)
		return look_at_pipe(s);
	fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		s->error = errno;
		return KVP_GONE;
	}
	news = look_at(s, fd);
	close(fd);
	return news;
}
