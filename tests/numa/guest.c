/* guest.c -- runs in the NUMA machine: guest four|memoryless|cpuless|offline
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "guest.h"

#include <fcntl.h>
#include <numaif.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Test anything ------------------------------------------------------ */

/* Shared with the children. */
static struct {
	unsigned tests, failures;
} *count;

void
ok(bool good, const char *name, const char *seen, ...)
{
	va_list args;

	count->tests++;
	count->failures += !good;
	printf("%s %u - %s\n", good ? "ok" : "not ok", count->tests, name);
	if (seen) {
		printf("# ");
		va_start(args, seen);
		vprintf(seen, args);
		va_end(args);
		printf("\n");
	}
	fflush(stdout);
}

void
in_child(const char *name, void (*fn)(void))
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		fn();
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		ok(false, name, "the child ended with status %#x", (unsigned)status);
}

/* ---- Places ---------------------------------------------------------------- */

void
run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		ok(false, "a thread can be moved to a CPU", "cpu %d, errno %d", cpu,
			errno);
}

bool
take_pages(kv_arena_t *a, struct book *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *p = kv_arena_alloc_aligned(a, PAGE, PAGE);

		if (!p)
			return false;
		p[17] = 1;
		if (b->n == b->room) {
			b->room = b->room ? 2 * b->room : 1024;
			b->page = realloc(b->page, b->room * sizeof *b->page);
			if (!b->page)
				abort();
		}
		b->page[b->n++] = p;
	}
	return true;
}

void
drop_book(struct book *b)
{
	free(b->page);
	*b = (struct book){ NULL, 0, 0 };
}

struct spread
spread_of(const struct book *b, size_t first)
{
	struct spread s = { .all = b->n - first };
	int node[512];

	for (size_t i = first; i < b->n; i += 512) {
		size_t n = b->n - i < 512 ? b->n - i : 512;

		memset(node, -1, sizeof node);
		if (move_pages(0, n, (void **)&b->page[i], NULL, node, 0) != 0)
			ok(false, "the kernel tells where pages are", "errno %d", errno);
		for (size_t j = 0; j < n; j++) {
			if (node[j] < 0)
				s.untouched++;
			else if (node[j] < NODES)
				s.on[node[j]]++;
			else
				s.elsewhere++;
		}
	}
	return s;
}

unsigned
share_of(const struct spread *s, int node)
{
	return s->all ? (unsigned)(1000 * s->on[node] / s->all) : 0;
}

const char *
told(const struct spread *s)
{
	static char text[8][64];
	static unsigned turn;
	char *t = text[turn++ % 8];

	snprintf(t, sizeof text[0], "%lu %lu %lu %lu of %lu", s->on[0], s->on[1],
		s->on[2], s->on[3], s->all);
	return t;
}

unsigned long
node_figure(int node, const char *file, const char *word)
{
	char path[96], text[4096], *at;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/%s", node, file);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, word);
	return at ? strtoul(at + strlen(word), NULL, 10) : 0;
}

bool
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

kv_arena_t *
arena_on(kv_arena_numa_policy_t policy, int node, kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;

	config.enable_numa = true;
	config.numa_policy = policy;
	config.preferred_numa_node = node;
	config.thread_mode = mode;
	config.name = "guest";
	return kv_arena_create_ex(&config);
}

const char *
report_of(const kv_arena_t *a, kv_arena_report_format_t format)
{
	static char text[16384];
	FILE *out = fmemopen(text, sizeof text, "w");

	text[0] = '\0';
	if (!out || kv_arena_write_report(a, out, format) != 0)
		ok(false, "a report can be written", "errno %d", errno);
	if (out)
		fclose(out);
	return text;
}

/* ---- The machines --------------------------------------------------------- */

static const struct {
	const char *machine;
	void (*test)(void);
} tests[] = {
	{ "four", test_policies },
	{ "four", test_threads },
	{ "four", test_truth },
	{ "four", test_refusals },
	{ "four", test_full_node },
	{ "memoryless", test_node_without_memory },
	{ "cpuless", test_node_without_cpu },
	{ "offline", test_node_going_offline },
};

/* Everything that anybody prints on stderr meanwhile goes to a file. */
static void
be_silent(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, 2) < 0)
		abort();
	close(fd);
}

static long
size_of(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0 ? (long)s.st_size : -1;
}

int
main(int argc, char **argv)
{
	static const char printed[] = "/tmp/stderr";

	count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);
	if (argc != 2 || count == MAP_FAILED)
		return 2;
	be_silent(printed);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		if (strcmp(tests[i].machine, argv[1]) == 0)
			in_child("a group of tests ends by itself", tests[i].test);
	ok(size_of(printed) == 0, "nothing was printed by anybody but this program",
		"%ld bytes on stderr", size_of(printed));
	printf("1..%u\n", count->tests);
	return count->failures > 0;
}
