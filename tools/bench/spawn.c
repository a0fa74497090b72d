/* spawn.c -- cells in processes of their own
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The program runs itself: --cell WORKLOAD COLUMN TOUCH PEER SEED BUDGET FILE
 * COUNT MARK. What a child prints comes back through a pipe; what it complains
 * of goes to our standard error.
 */
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/ptrace.h>
#endif

enum { ARGS = 11 };

bool
kb_child(int argc, char **argv, struct cell *c)
{
	if (argc != ARGS || strcmp(argv[1], "--cell"))
		return false;
	c->workload = argv[2];
	c->column = argv[3];
	c->touch = (enum touch)atoi(argv[4]);
	c->peer = kb_peer_find(argv[5]);
	c->seed = strtoull(argv[6], NULL, 10);
	c->budget_ms = (unsigned)strtoul(argv[7], NULL, 10);
	c->records = argv[8];
	c->nrecords = strtoul(argv[9], NULL, 10);
	c->count = argv[10][0] == '1';
	return c->peer != NULL;
}

static void
become(const struct cell *c, int out)
{
	char touch[4], seed[24], budget[16], nrecords[24];
	char *argv[ARGS + 1] = { "kvarena-bench", "--cell", (char *)c->workload,
		(char *)c->column, touch, (char *)c->peer->name, seed, budget,
		(char *)(c->records ? c->records : ""), nrecords,
		c->count ? "1" : "0", NULL };

	snprintf(touch, sizeof touch, "%d", (int)c->touch);
	snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->seed);
	snprintf(budget, sizeof budget, "%u", c->budget_ms);
	snprintf(nrecords, sizeof nrecords, "%zu", c->nrecords);
	if (c->peer->preload)
		setenv("LD_PRELOAD", c->peer->preload, 1);
	/* The loader complains of a preload that is not here; we only ask. */
	if (!strcmp(c->workload, "probe") && !freopen("/dev/null", "w", stderr))
		_exit(126);
	dup2(out, STDOUT_FILENO);
	if (out != STDOUT_FILENO)
		close(out);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static pid_t
start(const struct cell *c, int *from, bool traced)
{
	int fd[2];
	pid_t pid;

	if (pipe(fd))
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(fd[0]);
#ifdef __linux__
		if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(126);
#endif
		become(c, fd[1]);
	}
	close(fd[1]);
	*from = fd[0];
	return pid;
}

static int
status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
kb_spawn(const struct cell *c, void (*take)(const struct cell *c,
	const char *name, const char *value))
{
	char line[256];
	int from;
	pid_t pid = start(c, &from, false);
	FILE *in = pid > 0 ? fdopen(from, "r") : NULL;

	if (!in)
		return -1;
	while (fgets(line, sizeof line, in)) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = 0;
		value[strcspn(value, "\n")] = 0;
		take(c, line, value);
	}
	fclose(in);
	return status_of(pid);
}

#if defined(__linux__) && defined(PTRACE_GET_SYSCALL_INFO)

/* Follow a stopped child from call to call until it ends. */
static long
count_calls(pid_t pid)
{
	long counted = -1;
	int status;

	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		struct __ptrace_syscall_info info = { 0 };
		int deliver = WSTOPSIG(status);

		if (deliver == SIGTRAP || deliver == (SIGTRAP | 0x80))
			deliver = 0;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
			ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0 &&
			info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			if (info.entry.nr == KB_MARK && counted >= 0)
				break;		/* the second mark */
			if (info.entry.nr == KB_MARK || counted >= 0)
				counted++;
		}
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)deliver))
			break;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, __WALL);
	return counted;
}

long
kb_spawn_counted(const struct cell *c)
{
	int from, status;
	long calls = -1;
	pid_t pid = start(c, &from, true);

	if (pid < 0)
		return -1;
	if (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		ptrace(PTRACE_SETOPTIONS, pid, NULL,
			(void *)(intptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		calls = count_calls(pid);
	}
	close(from);
	return calls;
}

#else

long
kb_spawn_counted(const struct cell *c)
{
	(void)c;
	return -1;
}

#endif
