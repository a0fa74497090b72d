/* recording.c -- the file that this process records to
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * States: COLD -> STARTING -> ON -> OFF. One thread starts; calls of others are
 * not recorded meanwhile. OFF is for ever.
 *
 * A forked child must not write to its parent's file, and it may have been made
 * behind the C library's back. So there is a page that the kernel wipes in the
 * child: a 0 on it means that a new life begins.
 */
#include "config.h"

#include "recording.h"
#include "site.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { COLD, STARTING, ON, OFF };

extern char **environ;

static _Atomic int state = COLD;
static _Atomic unsigned life;
static volatile char *alive;		/* on a page that fork wipes */
static struct kvt_header *header;
static char path[KVT_MAX_PATH + 64];
static dev_t device;
static ino_t inode;

/* open, read and close as the kernel has them: the C library's are
 * cancellation points, and malloc is none. */
static int
open_file(const char *name, int flags)
{
	return (int)syscall(SYS_openat, AT_FDCWD, name, flags | O_CLOEXEC, 0666);
}

static void
close_file(int fd)
{
	syscall(SYS_close, fd);
}

static size_t
read_file(const char *name, char *buffer, size_t size)
{
	size_t n = 0;
	int fd = open_file(name, O_RDONLY);

	if (fd < 0)
		return 0;
	while (n < size) {
		long got = syscall(SYS_read, fd, buffer + n, size - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close_file(fd);
	return n;
}

void *
kvt_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t
kvt_recording_time(void)
{
	return clock_ns(CLOCK_REALTIME) - header->start_ns;
}

unsigned
kvt_recording_life(void)
{
	return atomic_load_explicit(&life, memory_order_relaxed);
}

struct kvt_header *
kvt_recording_header(void)
{
	return header;
}

static void
stop(uint32_t flag)
{
	__atomic_fetch_or(&header->flags, flag, __ATOMIC_RELAXED);
	atomic_store(&state, OFF);
}

/* ---- Starting ------------------------------------------------------------ */

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : otherwise;
}

static const char *
base_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* Fill in who we are. Program and command stay 0-terminated. */
static void
name_program(struct kvt_header *h)
{
	ssize_t n = readlink("/proc/self/exe", h->program, sizeof(h->program) - 1);

	if (n < 0)
		h->program[0] = '\0';
	read_file("/proc/self/cmdline", h->command, sizeof(h->command) - 1);
}

static bool
is_wanted(const struct kvt_header *h)
{
	const char *only = getenv(KVT_ENV_ONLY);
	uint64_t first = number_of(KVT_ENV_FIRST, 0);

	if (first && first != h->pid)
		return false;
	return !only || strcmp(only, base_of(h->program)) == 0 ||
		strcmp(only, base_of(h->command)) == 0;
}

/* Create the first of FILE, FILE.PID, FILE.PID.1, ... that is not there. */
static int
create_file(const char *file, uint64_t pid)
{
	unsigned i;
	int fd;

	if (strlen(file) > KVT_MAX_PATH)
		return -1;
	strcpy(path, file);
	fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
	for (i = 0; fd < 0 && errno == EEXIST && i < 1000; i++) {
		char suffix[16] = "";
		if (i)
			snprintf(suffix, sizeof(suffix), ".%u", i);
		snprintf(path, sizeof(path), "%s.%llu%s", file,
			(unsigned long long)pid, suffix);
		fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
	}
	return fd;
}

/* Map the first page of a new file and note which file it is. */
static struct kvt_header *
map_header(int fd)
{
	struct stat st;
	void *p;

	if (ftruncate(fd, KVT_HEADER_SIZE) != 0 || fstat(fd, &st) != 0)
		return NULL;
	device = st.st_dev;
	inode = st.st_ino;
	p = mmap(NULL, KVT_HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static bool
watch_forks(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!alive) {
		char *p = kvt_pages(page);
		if (!p || madvise(p, page, MADV_WIPEONFORK) != 0)
			return false;
		alive = p;
	}
	*alive = 1;
	return true;
}

static bool
start(void)
{
	static struct kvt_header draft;
	const char *file = getenv(KVT_ENV_FILE);
	int fd;

	if (!file)
		return false;
	memset(&draft, 0, sizeof(draft));
	memcpy(draft.magic, KVT_MAGIC, sizeof(draft.magic));
	draft.version = KVT_VERSION;
	draft.byte_order = KVT_BYTE_ORDER;
	draft.header_size = KVT_HEADER_SIZE;
	draft.chunk_size = KVT_CHUNK_SIZE;
	draft.size = KVT_HEADER_SIZE;
	draft.limit = number_of(KVT_ENV_LIMIT, UINT64_MAX);
	draft.session = number_of(KVT_ENV_SESSION, 0);
	draft.depth = (uint32_t)number_of(KVT_ENV_DEPTH, 1);
	if (draft.depth < 1 || draft.depth > KVT_MAX_DEPTH)
		draft.depth = 1;
	draft.pid = (uint64_t)getpid();
	draft.start_ns = clock_ns(CLOCK_REALTIME);
	name_program(&draft);
	if (!is_wanted(&draft) || !watch_forks() || !kvt_site_start() ||
		!kvt_stream_start())
		return false;

	fd = create_file(file, draft.pid);
	if (fd < 0)
		return false;
	header = map_header(fd);
	close_file(fd);
	if (!header)
		return false;
	memcpy(header, &draft, sizeof(draft));
	return true;
}

/* Only the forking thread is in the child, so nothing here needs a lock. */
static void
begin_new_life(void)
{
	munmap(header, KVT_HEADER_SIZE);
	header = NULL;
	kvt_stream_forget();
	kvt_site_forget();
	atomic_fetch_add(&life, 1);
	atomic_store(&state, COLD);
}

bool
kvt_recording(void)
{
	int now = atomic_load_explicit(&state, memory_order_acquire);
	int saved_errno;

	if (now == ON && !*alive) {
		begin_new_life();
		now = COLD;
	}
	if (now != COLD)
		return now == ON;
	/* Before the C library has set up its environment there is nobody to
	 * ask; that is a handful of calls of the dynamic linker. */
	if (!environ || !atomic_compare_exchange_strong(&state, &now, STARTING))
		return false;
	saved_errno = errno;
	now = start() ? ON : OFF;
	errno = saved_errno;
	atomic_store_explicit(&state, now, memory_order_release);
	return now == ON;
}

/* ---- Chunks --------------------------------------------------------------- */

/* Give the file its next bytes now, on the disk: a mapped page without them
 * would be a SIGBUS. Returns 0 or an errno value. */
static int
extend(int fd, uint64_t offset)
{
	char zero = 0;

	/* On 32 bits the system call would take its offsets in halves. */
	errno = ENOSYS;
	if (sizeof(long) >= sizeof(offset) && syscall(SYS_fallocate, fd, 0,
		(long)offset, (long)KVT_CHUNK_SIZE) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return errno;
	if (lseek(fd, (off_t)(offset + KVT_CHUNK_SIZE - 1), SEEK_SET) < 0 ||
		syscall(SYS_write, fd, &zero, 1) != 1)
		return errno;
	return 0;
}

static void *
map_chunk(uint64_t offset)
{
	struct stat st;
	void *p = MAP_FAILED;
	int fd = open_file(path, O_RDWR);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode &&
		extend(fd, offset) == 0)
		p = mmap(NULL, KVT_CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, (off_t)offset);
	close_file(fd);
	return p == MAP_FAILED ? NULL : p;
}

struct kvt_chunk *
kvt_recording_take_chunk(void)
{
	uint64_t size = __atomic_load_n(&header->size, __ATOMIC_RELAXED);
	void *p;

	do {
		if (header->limit < KVT_CHUNK_SIZE ||
			size > header->limit - KVT_CHUNK_SIZE) {
			stop(KVT_FLAG_LIMIT);
			return NULL;
		}
	} while (!__atomic_compare_exchange_n(&header->size, &size,
		size + KVT_CHUNK_SIZE, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	p = map_chunk(size);
	if (!p)
		stop(KVT_FLAG_NO_SPACE);
	return p;
}

void
kvt_recording_drop_chunk(struct kvt_chunk *chunk)
{
	munmap(chunk, KVT_CHUNK_SIZE);
}

/* Runs before the other libraries' last words, whose frees still are recorded;
 * says only that the program came here. */
__attribute__((destructor)) static void
note_end(void)
{
	if (atomic_load(&state) == ON && *alive)
		__atomic_fetch_or(&header->flags, KVT_FLAG_ENDED, __ATOMIC_RELAXED);
}
