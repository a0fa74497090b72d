/* worker.c -- a fresh process that runs a script once
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The tool runs itself anew for each replay: a heap in which a trace has been
 * read is not the heap that a program starts with. Script and table of pointers
 * are there, page tables and all, before the clock starts, so that what is
 * measured is the allocator and the memory that it gives.
 *
 * A free of an object in an arena looks its pointer up as the real free does,
 * and then does nothing: the look-up is the replay's and not the allocator's.
 */
#include "config.h"

#include "tool.h"
#include "worker.h"

#include <kv_arena.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct stage {				/* where a script is run */
	const struct kvt_step *steps;
	const struct kvt_step *end;
	void **pointers;		/* by object */
	kv_arena_t **arenas;		/* NULL where not yet made */
	const uint32_t *blocks;		/* by arena: the plan's block size */
	kv_arena_config_t config;
	enum kvt_touch touch;
	uint64_t failed;
};

static void
touch(enum kvt_touch how, void *p, uint64_t from, uint64_t to)
{
	if (how == KVT_TOUCH_ALL)
		memset((char *)p + from, 1, (size_t)(to - from));
	else if (how == KVT_TOUCH_FIRST && from == 0)
		memset(p, 1, to < 8 ? (size_t)to : 8);
}

static kv_arena_t *
arena_of(struct stage *s, const struct kvt_step *step)
{
	uint32_t i = step->code_and_arena >> 4;
	kv_arena_config_t config;

	if (s->arenas[i])
		return s->arenas[i];
	config = s->config;
	if (config.block_size == 0)
		config.block_size = s->blocks[i];
	return s->arenas[i] = kv_arena_create_ex(&config);
}

/* An arena has no empty allocations; malloc's are not NULL. */
static size_t
some(uint64_t size)
{
	return size ? (size_t)size : 1;
}

static void *
allocate(struct stage *s, const struct kvt_step *step)
{
	size_t size = (size_t)step->size;
	size_t other = (size_t)step->other;
	void *p = NULL;

	switch ((enum kvt_call_code)(step->code_and_arena & 15)) {
	case KVT_DO_MALLOC:
		return malloc(size);
	case KVT_DO_CALLOC:
		return calloc(1, size);
	case KVT_DO_ALIGNED:
		return posix_memalign(&p, other < sizeof(void *) ? sizeof(void *)
			: other, size) ? NULL : p;
	case KVT_DO_REALLOC:
		return realloc(s->pointers[step->object], some(size));
	case KVT_DO_ARENA_MALLOC:
		return kv_arena_alloc(arena_of(s, step), some(size));
	case KVT_DO_ARENA_CALLOC:
		return kv_arena_calloc(arena_of(s, step), 1, some(size));
	case KVT_DO_ARENA_ALIGNED:
		return kv_arena_alloc_aligned(arena_of(s, step), some(size),
			other);
	case KVT_DO_ARENA_REALLOC:
		return kv_arena_realloc(arena_of(s, step),
			s->pointers[step->object], some(other), some(size));
	default:
		return NULL;
	}
}

static void
run(struct stage *s)
{
	const struct kvt_step *step;

	for (step = s->steps; step < s->end; step++) {
		unsigned code = step->code_and_arena & 15;
		void *p;

		if (code == KVT_DO_FREE) {
			free(s->pointers[step->object]);
			continue;
		}
		if (code == KVT_DO_ARENA_FREE) {
			__asm__ volatile("" : : "r"(s->pointers[step->object]));
			continue;
		}
		if (code == KVT_DO_ARENA_RESET) {
			kv_arena_reset(s->arenas[step->code_and_arena >> 4]);
			continue;
		}
		p = allocate(s, step);
		if (!p) {
			s->failed++;
			continue;
		}
		s->pointers[step->object] = p;
		if (code == KVT_DO_REALLOC || code == KVT_DO_ARENA_REALLOC) {
			if (step->size > step->other)
				touch(s->touch, p, step->other, step->size);
		} else if (code != KVT_DO_CALLOC && code != KVT_DO_ARENA_CALLOC) {
			touch(s->touch, p, 0, step->size);
		}
	}
}

/* ---- Measuring -------------------------------------------------------------------- */

/* Return a figure of /proc/self/status in bytes; 0: it is not there. */
static uint64_t
status_bytes(const char *name)
{
	char line[256];
	unsigned long long kib = 0;
	size_t length = strlen(name);
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			kib = strtoull(line + length + 1, NULL, 10);
	if (f)
		fclose(f);
	return (uint64_t)kib * 1024;
}

/* Have the kernel forget the peak so far. */
static void
forget_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "5", 1) != 1)
		errno = 0;		/* the peak then is a little too high */
	close(fd);
}

/* Of the processor and not of the wall: on a busy machine the replay must wait,
 * and that is not what malloc costs. */
static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t
faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)u.ru_minflt;
}

/* What an allocator does once in a process is not what is asked here. */
static void
warm_up(const struct stage *s)
{
	kv_arena_config_t config = s->config;
	kv_arena_t *arena;
	void *volatile p = malloc(64);

	free(p);
	config.block_size = 4096;
	arena = kv_arena_create_ex(&config);
	if (arena && !kv_arena_alloc(arena, 64))
		errno = 0;		/* the replay will say so */
	kv_arena_destroy(arena);
}

static void
measure(struct stage *s, size_t narenas, struct kvt_result *r)
{
	uint64_t resident, start_faults, start;
	kv_arena_stats_t stats;
	size_t i;

	memset(r, 0, sizeof(*r));
	warm_up(s);
	status_bytes("VmRSS");		/* stdio has its buffer now */
	forget_peak();
	resident = status_bytes("VmRSS");
	start_faults = faults();
	start = now();
	run(s);
	r->ns = now() - start;
	r->faults = faults() - start_faults;
	r->peak = status_bytes("VmHWM");
	r->peak -= r->peak < resident ? r->peak : resident;
	r->failed = s->failed;
	for (i = 0; i < narenas; i++)
		if (s->arenas[i] && kv_arena_get_stats(s->arenas[i], &stats) == 0) {
			r->blocks += stats.block_allocations;
			r->reused += stats.block_reuses;
		}
}

static void *
map(size_t bytes, int flags, int fd)
{
	void *p = mmap(NULL, bytes ? bytes : 1,
		fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ,
		flags | MAP_POPULATE, fd, 0);

	if (p == MAP_FAILED)
		kvt_fail("replay: %zu bytes: %s", bytes, strerror(errno));
	return p;
}

enum { STEPS, RESULT, NSTEPS, NOBJECTS, NARENAS, BLOCK, MAX_BLOCK, SAFE, CACHE,
	TOUCH, NUMBERS };

int
kvt_worker_main(int argc, char **argv)
{
	size_t n[NUMBERS] = { 0 };
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	struct stage s = { 0 };
	struct kvt_result result;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < NUMBERS; i++) {
		if (i + 1 >= argc)
			kvt_misuse("%s is for kvarena-trace itself", argv[0]);
		n[i] = (size_t)strtoull(argv[i + 1], NULL, 10);
	}
	config.block_size = n[BLOCK];
	config.max_block_size = n[MAX_BLOCK];
	config.thread_mode = n[SAFE] ? KV_ARENA_THREAD_SAFE
		: KV_ARENA_THREAD_UNSAFE;
	config.enable_block_cache = n[CACHE];
	config.enable_detailed_stats = false;
	config.name = "replay";
	s.config = config;
	s.touch = (enum kvt_touch)n[TOUCH];
	s.steps = map(n[NSTEPS] * sizeof(*s.steps) +
		n[NARENAS] * sizeof(*s.blocks), MAP_SHARED, (int)n[STEPS]);
	s.end = s.steps + n[NSTEPS];
	s.blocks = (const void *)s.end;
	s.pointers = map(n[NOBJECTS] * sizeof(*s.pointers),
		MAP_PRIVATE | MAP_ANONYMOUS, -1);
	s.arenas = map(n[NARENAS] * sizeof(*s.arenas),
		MAP_PRIVATE | MAP_ANONYMOUS, -1);
	measure(&s, n[NARENAS], &result);
	if (write((int)n[RESULT], &result, sizeof(result)) != sizeof(result))
		return 1;
	/* No tidying up: it would only take time. */
	_exit(0);
}

static void
start(const struct kvt_script *script, const struct kvt_setting *setting,
	enum kvt_touch how, int result)
{
	unsigned long long n[NUMBERS];
	char text[NUMBERS][24], *argv[NUMBERS + 3];
	int i;

	n[STEPS] = (unsigned long long)script->fd;
	n[RESULT] = (unsigned long long)result;
	n[NSTEPS] = script->nsteps;
	n[NOBJECTS] = script->nobjects;
	n[NARENAS] = script->narenas;
	n[BLOCK] = setting->block_size;
	n[MAX_BLOCK] = setting->max_block_size;
	n[SAFE] = setting->safe;
	n[CACHE] = setting->cache;
	n[TOUCH] = how;
	argv[0] = "kvarena-trace";
	argv[1] = "worker";
	for (i = 0; i < NUMBERS; i++) {
		snprintf(text[i], sizeof(text[i]), "%llu", n[i]);
		argv[2 + i] = text[i];
	}
	argv[2 + NUMBERS] = NULL;
	fcntl(script->fd, F_SETFD, 0);
	fcntl(result, F_SETFD, 0);
	execv("/proc/self/exe", argv);
	_exit(127);
}

void
kvt_worker_run(const struct kvt_script *script, const struct kvt_setting *setting,
	enum kvt_touch how, struct kvt_result *result)
{
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		kvt_fail("a process for the replay: %s", strerror(errno));
	if (pid == 0)
		start(script, setting, how, ends[1]);
	close(ends[1]);
	n = read(ends[0], result, sizeof(*result));
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		kvt_fail("the replay was ended by signal %d (%s)",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (n != (ssize_t)sizeof(*result))
		kvt_fail("the replay ended without a result (status %d)",
			WEXITSTATUS(status));
}
