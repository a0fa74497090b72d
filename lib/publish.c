/* publish.c [6] -- a report that a process keeps in a file, for kvarena-top
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The library has no thread, so the file is written by whichever thread comes to a
 * slow path, creates, resets or destroys an arena when the file is a PERIOD old: what
 * nobody does anything with is shown as it was. Shared arenas are read there and
 * then, under their locks. An arena of one thread may be read by that thread only,
 * so each leaves its statistics behind when it comes by.
 *
 * The file is replaced as a whole, and goes away when the process ends.
 */
#include "publish.h"
#include "atomic.h"
#include "registry.h"
#include "report.h"
#include "stats.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PERIOD 200		/* ms; kvarena-top looks every 2 s, if not told otherwise */
#define SHARED_MEMORY "/dev/shm/kvarena."

static char path[1024], draft[1040];	/* "": nothing is published */
static pid_t publisher;			/* a child of fork is another process */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static uint64_t written;		/* ms; under it, but read at any time: a hint */

bool
kva_is_published(void)
{
	return path[0] != '\0';
}

/* Copy a name, and write the process for %p. False: it is too long. */
static bool
expand(const char *name, size_t n, char *to, size_t size)
{
	int length;

	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && name[i] == '%' && name[i + 1] == 'p') {
			length = snprintf(to, size, "%ld", (long)publisher);
			i++;
		} else {
			length = snprintf(to, size, "%c", name[i]);
		}
		if ((size_t)length >= size)
			return false;
		to += length;
		size -= (size_t)length;
	}
	return true;
}

void
kva_publish_begin(const char *name, size_t n)
{
	size_t prefix = memchr(name, '/', n) ? 0 : sizeof SHARED_MEMORY - 1;

	publisher = getpid();
	memcpy(path, SHARED_MEMORY, prefix);
	if (expand(name, n, path + prefix, sizeof path - prefix))
		snprintf(draft, sizeof draft, "%s.%ld~", path, (long)publisher);
	else
		path[0] = '\0';
}

static uint64_t
milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

static void
show(struct kva_arena *a, uint64_t now)
{
	struct kva_shown *s = a->extras->shown;

	if (a->team || !s || (s->when && now - s->when < PERIOD))
		return;
	kva_registry_lock();
	kva_stats_read(a, &s->stats);
	s->when = now;
	kva_registry_unlock();
}

/* Nobody else's file is followed, or written to. */
static FILE *
open_draft(void)
{
	FILE *out = NULL;
	int fd;

	unlink(draft);
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0 && !(out = fdopen(fd, "w")))
		close(fd);
	return out;
}

static bool
is_due(uint64_t now)
{
	uint64_t last = kva_load_relaxed(&written);

	return last == 0 || now - last >= PERIOD;
}

static void
replace_file(void)
{
	FILE *out = open_draft();
	bool good;

	if (!out)
		return;
	good = kva_report_publish(out) == 0;	/* and it has been flushed */
	fclose(out);
	if (!good || rename(draft, path) != 0)
		unlink(draft);
}

void
kva_publish_if_due(struct kva_arena *a)
{
	uint64_t now = milliseconds();
	int error = errno;

	if (a)
		show(a, now);
	if (is_due(now) && getpid() == publisher &&
	    pthread_mutex_trylock(&writing) == 0) {
		replace_file();
		kva_store_relaxed(&written, now);
		pthread_mutex_unlock(&writing);
	}
	errno = error;
}

__attribute__((__destructor__)) static void
end(void)
{
	if (kva_is_published() && getpid() == publisher)
		unlink(path);
}
