/* record.c -- run a program with the recorder in it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "options.h"
#include "recording.h"
#include "session.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RECORDER "libkvarena-record.so"

struct order {				/* what was asked for */
	const char *file;
	uint64_t limit;
	unsigned depth;
	const char *only;
	bool children;
	bool quiet;
	char **program;
};

/* ---- The recorder ------------------------------------------------------------------ */

/* Write directory/middle/RECORDER; false: there is no such file. */
static bool
try_path(char *path, size_t size, const char *directory, const char *middle)
{
	int n = snprintf(path, size, "%s%s/%s", directory, middle, RECORDER);

	return n > 0 && (size_t)n < size && access(path, R_OK) == 0;
}

/* Beside this program in a build tree, else where it was installed to, else
 * where that has been moved to. */
static void
find_recorder(char *path, size_t size)
{
	static const char *const places[] = { "", "/.libs", "/../lib/kvarena",
		"/../lib64/kvarena" };
	char here[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);
	char *slash;
	size_t i;

	here[n > 0 ? n : 0] = '\0';
	slash = strrchr(here, '/');
	if (slash)
		*slash = '\0';
	if (!(slash && (try_path(path, size, here, places[0]) ||
		try_path(path, size, here, places[1]))) &&
		!try_path(path, size, KVT_LIBDIR, "")) {
		for (i = 2; i < sizeof(places) / sizeof(*places); i++)
			if (slash && try_path(path, size, here, places[i]))
				break;
		if (!slash)
			kvt_fail("%s is not in %s, and /proc does not tell where this "
				"program is", RECORDER, KVT_LIBDIR);
		if (i == sizeof(places) / sizeof(*places))
			kvt_fail("%s is neither in %s nor in %s", RECORDER, here,
				KVT_LIBDIR);
	}
	if (strpbrk(path, " :"))
		kvt_fail("%s: a space or colon in this path, which LD_PRELOAD "
			"cannot express", path);
}

/* ---- The program -------------------------------------------------------------------- */

/* Make way for the file, but only if it is one of ours. Returns its full path. */
static char *
make_way(const char *file)
{
	char magic[8] = "", directory[PATH_MAX] = "", *full;
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	size_t size;
	ssize_t n;

	if (fd < 0)
		kvt_fail("%s: %s", file, strerror(errno));
	n = read(fd, magic, sizeof(magic));
	if (n > 0 && memcmp(magic, KVT_MAGIC, sizeof(magic)) != 0)
		kvt_fail("%s: there is a file of another kind; it stays", file);
	close(fd);
	if (n < 0 || unlink(file) != 0)
		kvt_fail("%s: not a regular file", file);
	if (*file != '/' && !getcwd(directory, sizeof(directory)))
		kvt_fail("the current directory: %s", strerror(errno));
	size = strlen(directory) + strlen(file) + 2;
	full = kvt_array(size, 1);
	snprintf(full, size, "%s%s%s", directory, *directory ? "/" : "", file);
	if (strlen(full) > KVT_MAX_PATH)
		kvt_fail("%s: too long a path", full);
	return full;
}

static void
set_number(const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	setenv(name, text, 1);
}

/* Have the arenas of a program that has some tell of their allocations, too. */
static void
trace_arenas(void)
{
	const char *words = getenv("KVARENA_CONF");
	char text[1024];

	snprintf(text, sizeof(text), "trace%s%s", words ? "," : "", words ? words : "");
	setenv("KVARENA_CONF", text, 1);
}

/* In the child: set the recorder's environment and become the program. */
KVT_NORETURN static void
become(const struct order *o, const char *file, uint64_t session,
	const char *recorder, int report)
{
	const char *others = getenv("LD_PRELOAD");
	char preload[2 * PATH_MAX];
	int error;

	if (!others)
		others = "";
	if (snprintf(preload, sizeof(preload), "%s%s%s", recorder,
		*others ? ":" : "", others) >= (int)sizeof(preload))
		kvt_fail("LD_PRELOAD is too long");
	setenv("LD_PRELOAD", preload, 1);
	setenv(KVT_ENV_FILE, file, 1);
	trace_arenas();
	set_number(KVT_ENV_LIMIT, o->limit);
	set_number(KVT_ENV_DEPTH, o->depth);
	set_number(KVT_ENV_SESSION, session);
	if (o->only)
		setenv(KVT_ENV_ONLY, o->only, 1);
	else
		unsetenv(KVT_ENV_ONLY);
	if (o->children)
		unsetenv(KVT_ENV_FIRST);
	else
		set_number(KVT_ENV_FIRST, (uint64_t)getpid());
	execvp(o->program[0], o->program);
	error = errno;
	if (write(report, &error, sizeof(error)) < 0)
		_exit(125);
	_exit(error == ENOENT ? 127 : 126);
}

static pid_t
start_program(const struct order *o, const char *file, uint64_t session,
	const sigset_t *signals)
{
	char recorder[PATH_MAX];
	int report[2], error = 0;
	pid_t pid;

	find_recorder(recorder, sizeof(recorder));
	if (pipe2(report, O_CLOEXEC) != 0)
		kvt_fail("a pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		kvt_fail("fork: %s", strerror(errno));
	if (pid == 0) {
		sigprocmask(SIG_UNBLOCK, signals, NULL);
		become(o, file, session, recorder, report[1]);
	}
	close(report[1]);
	if (read(report[0], &error, sizeof(error)) == (ssize_t)sizeof(error)) {
		kvt_warn("%s: %s", o->program[0], strerror(error));
		exit(error == ENOENT ? 127 : 126);
	}
	close(report[0]);
	return pid;
}

static void
show_progress(const char *file, uint64_t session, time_t start)
{
	struct kvt_session s;
	uint64_t events = 0, bytes = 0;
	size_t i;

	if (!isatty(STDERR_FILENO))
		return;
	kvt_session_list(&s, file, session);
	for (i = 0; i < s.n; i++) {
		events += s.files[i].header.seq;
		bytes += s.files[i].header.size;
	}
	kvt_progress("recording: %ld s, %zu %s, %llu events, %s",
		(long)(time(NULL) - start), s.n, s.n == 1 ? "process" : "processes",
		(unsigned long long)events, kvt_size_text(bytes));
	kvt_session_free(&s);
}

/* Wait for the program. A signal from the terminal has reached it already; one
 * that was sent to us alone is passed on. Returns its wait status. */
static int
wait_for(pid_t pid, const struct order *o, const char *file, uint64_t session,
	const sigset_t *signals)
{
	const struct timespec half_second = { 0, 500000000 };
	time_t start = time(NULL);
	siginfo_t info;
	int status, signal;

	for (;;) {
		signal = sigtimedwait(signals, &info, &half_second);
		if (signal > 0 && signal != SIGCHLD && info.si_code <= 0)
			kill(pid, signal);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (!o->quiet && signal < 0)
			show_progress(file, session, start);
	}
}

/* Seal the files and say what there is. Returns how many there are. */
static size_t
finish(const char *file, uint64_t session, bool quiet)
{
	struct kvt_session s;
	size_t i, n;

	kvt_progress_end();
	kvt_session_list(&s, file, session);
	for (i = 0; i < s.n; i++) {
		struct kvt_session_file *f = &s.files[i];
		bool sealed = kvt_session_seal(f);
		if (quiet)
			continue;
		f->header.program[sizeof(f->header.program) - 1] = '\0';
		kvt_warn("%s: %s: %llu events, %s%s%s", f->name,
			f->header.program, (unsigned long long)f->header.seq,
			kvt_size_text(f->header.size),
			f->header.flags & KVT_FLAG_LIMIT ? ", the bound was reached"
				: f->header.flags & KVT_FLAG_NO_SPACE
				? ", the file could not grow" : "",
			sealed ? "" : ", still being written");
	}
	n = s.n;
	kvt_session_free(&s);
	return n;
}

static void
read_order(struct order *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "limit", required_argument, NULL, 'l' },
		{ "depth", required_argument, NULL, 'd' },
		{ "only", required_argument, NULL, 'n' },
		{ "no-children", no_argument, NULL, 'c' },
		{ "quiet", no_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	const uint64_t least = KVT_HEADER_SIZE + KVT_CHUNK_SIZE;
	int c;

	kvt_options_begin();
	while ((c = kvt_options_next(argc, argv, "+:o:q", options)) != -1)
		switch (c) {
		case 'o': o->file = optarg; break;
		case 'l': o->limit = kvt_option_size("--limit", optarg); break;
		case 'd':
			o->depth = kvt_option_number("--depth", optarg, 1,
				KVT_MAX_DEPTH);
			break;
		case 'n': o->only = optarg; break;
		case 'c': o->children = false; break;
		case 'q': o->quiet = true; break;
		}
	if (o->limit < least)
		kvt_misuse("--limit: %llu bytes are too few; the least is %llu",
			(unsigned long long)o->limit, (unsigned long long)least);
	if (!*o->file)
		kvt_misuse("-o: the file's name is empty");
	if (optind >= argc)
		kvt_misuse("record: a program to run is missing");
	o->program = argv + optind;
}

int
kvt_record(int argc, char **argv)
{
	struct order o = { "kvarena.trace", 256u << 20, 8, NULL, true, false, NULL };
	uint64_t session = (uint64_t)time(NULL) << 24 ^ (uint64_t)getpid();
	sigset_t signals;
	char *file;
	int status;
	pid_t pid;

	read_order(&o, argc, argv);
	file = make_way(o.file);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	pid = start_program(&o, file, session, &signals);
	status = wait_for(pid, &o, file, session, &signals);
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (finish(file, session, o.quiet) == 0) {
		kvt_warn("%s: nothing was recorded: is %s linked statically, "
			"set-user-ID, or not what --only names?", o.file,
			o.program[0]);
		status = status ? status : 1;
	}
	free(file);
	return status;
}
