/* line.c -- source lines, from addr2line
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * One addr2line for each file stays open and answers address by address; it is
 * started only when lines are asked for.
 */
#include "config.h"

#include "line.h"
#include "tool.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

struct helper {
	const char *path;
	FILE *ask;			/* NULL: could not be started */
	FILE *answer;
};

static struct helper *helpers;
static size_t nhelpers, room;

static void
start(struct helper *h)
{
	char *argv[] = { "addr2line", "-e", (char *)(uintptr_t)h->path, NULL };
	posix_spawn_file_actions_t actions;
	int ask[2], answer[2];
	pid_t pid;

	if (pipe2(ask, O_CLOEXEC) != 0)
		return;
	if (pipe2(answer, O_CLOEXEC) != 0) {
		close(ask[0]);
		close(ask[1]);
		return;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ask[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, answer[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
		O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0) {
		h->ask = fdopen(ask[1], "w");
		h->answer = fdopen(answer[0], "r");
	} else {
		close(ask[1]);
		close(answer[0]);
	}
	posix_spawn_file_actions_destroy(&actions);
	close(ask[0]);
	close(answer[1]);
}

static struct helper *
helper_of(const char *path)
{
	struct helper *h;
	size_t i;

	for (i = 0; i < nhelpers; i++)
		if (strcmp(helpers[i].path, path) == 0)
			return &helpers[i];
	helpers = kvt_grow(helpers, nhelpers, &room, sizeof(*helpers));
	h = &helpers[nhelpers++];
	memset(h, 0, sizeof(*h));
	h->path = path;
	start(h);
	return h;
}

/* Write a question; false: nobody reads it, which must not end us. */
static bool
ask(FILE *f, uint64_t address)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	bool asked = fprintf(f, "0x%llx\n", (unsigned long long)address) > 0 &&
		fflush(f) == 0;

	signal(SIGPIPE, before);
	return asked;
}

const char *
kvt_line_of(const char *path, uint64_t address)
{
	struct helper *h = helper_of(path);
	char text[4096], *base, *end;
	size_t n;

	if (!h->ask || !h->answer)
		return NULL;
	if (!ask(h->ask, address) || !fgets(text, sizeof(text), h->answer)) {
		h->ask = NULL;
		return NULL;
	}
	end = strpbrk(text, " \n");	/* " (discriminator 3)" */
	if (end)
		*end = '\0';
	base = strrchr(text, '/');
	base = base ? base + 1 : text;
	n = strlen(base);
	if (n < 3 || *base == '?' || strcmp(base + n - 2, ":?") == 0 ||
		strcmp(base + n - 2, ":0") == 0)
		return NULL;
	return strcpy(kvt_array(strlen(base) + 1, 1), base);
}
