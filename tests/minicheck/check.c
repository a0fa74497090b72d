/* check.c -- the stand-in's runner
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Suites, groups and tests are kept in the order they were added and are never
 * moved. A test passes if it returns, or ends with the signal or exit status it
 * was added with.
 */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

struct test {
	const TTest *test;
	int signal_wanted, exit_wanted;
	int start, end;			/* values of _i */
	struct test *next;
};

struct TCase {
	const char *name;
	unsigned timeout;		/* seconds; 0: the runner's */
	SFun setup, teardown;		/* around each test */
	SFun first, last;		/* around the group */
	struct test *tests, **tail;
	TCase *next;
};

struct Suite {
	const char *name;
	TCase *groups, **tail;
	Suite *next;
};

struct SRunner {
	Suite *suites;
	enum fork_status forks;
	int run, failures, errors;
};

/* The check that failed, or the last that was passed. */
static jmp_buf out_of_test;
static const char *last_file = "-";
static int last_line;

static void *
make(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		abort();
	return p;
}

Suite *
suite_create(const char *name)
{
	Suite *s = make(sizeof *s);

	s->name = name;
	s->tail = &s->groups;
	return s;
}

void
suite_add_tcase(Suite *s, TCase *group)
{
	*s->tail = group;
	s->tail = &group->next;
}

TCase *
tcase_create(const char *name)
{
	TCase *group = make(sizeof *group);

	group->name = name;
	group->tail = &group->tests;
	return group;
}

void
tcase_set_timeout(TCase *group, double seconds)
{
	group->timeout = (unsigned)(seconds + 0.999);
}

void
tcase_add_checked_fixture(TCase *group, SFun setup, SFun teardown)
{
	group->setup = setup;
	group->teardown = teardown;
}

void
tcase_add_unchecked_fixture(TCase *group, SFun setup, SFun teardown)
{
	group->first = setup;
	group->last = teardown;
}

void
kv_minicheck_add(TCase *group, const TTest *test, int signal_wanted,
	int exit_wanted, int start, int end)
{
	struct test *t = make(sizeof *t);

	t->test = test;
	t->signal_wanted = signal_wanted;
	t->exit_wanted = exit_wanted;
	t->start = start;
	t->end = end;
	*group->tail = t;
	group->tail = &t->next;
}

void
kv_minicheck_mark(const char *file, int line)
{
	last_file = file;
	last_line = line;
}

void
kv_minicheck_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("%s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	longjmp(out_of_test, 1);
}

static void
call(SFun fn)
{
	if (fn != NULL)
		fn();
}

/* Whether the test returned without a failed check. */
static int
run_here(const TCase *group, const struct test *t, int i)
{
	if (setjmp(out_of_test) != 0)
		return 0;
	call(group->setup);
	t->test->fn(i);
	call(group->teardown);
	return 1;
}

enum result { PASSED, FAILED, BROKEN, NOT_RUN };

#ifdef _WIN32
static int
has_fork(const SRunner *runner)
{
	(void)runner;
	return 0;
}

static enum result
run_in_child(const TCase *group, const struct test *t, int i)
{
	(void)group, (void)t, (void)i;
	return NOT_RUN;
}
#else
#define STATUS_OF_FAILURE 125

static int
has_fork(const SRunner *runner)
{
	const char *env = getenv("CK_FORK");

	if (runner->forks != CK_FORK_GETENV)
		return runner->forks == CK_FORK;
	return env == NULL || strcmp(env, "no") != 0;
}

static enum result
run_in_child(const TCase *group, const struct test *t, int i)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		alarm(group->timeout ? group->timeout : 60);
		exit(run_here(group, t, i) ? 0 : STATUS_OF_FAILURE);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return BROKEN;
	if (WIFSIGNALED(status)) {
		if (WTERMSIG(status) == t->signal_wanted)
			return PASSED;
		printf("%s: ended by signal %d%s\n", t->test->name,
			WTERMSIG(status),
			WTERMSIG(status) == SIGALRM ? " (too slow)" : "");
		return BROKEN;
	}
	if (t->signal_wanted != 0) {
		printf("%s: was to end by signal %d\n", t->test->name,
			t->signal_wanted);
		return FAILED;
	}
	if (WEXITSTATUS(status) == t->exit_wanted)
		return PASSED;
	if (WEXITSTATUS(status) == STATUS_OF_FAILURE)
		return FAILED;
	printf("%s: ended with status %d\n", t->test->name, WEXITSTATUS(status));
	return BROKEN;
}
#endif

static enum result
run_one(const SRunner *runner, const TCase *group, const struct test *t, int i)
{
	if (has_fork(runner))
		return run_in_child(group, t, i);
	/* A test that means to end the process needs one of its own. */
	if (t->signal_wanted != 0 || t->exit_wanted != 0)
		return NOT_RUN;
	return run_here(group, t, i) ? PASSED : FAILED;
}

static void
run_group(SRunner *runner, const TCase *group)
{
	call(group->first);
	for (const struct test *t = group->tests; t != NULL; t = t->next)
		for (int i = t->start; i < t->end; i++) {
			enum result result = run_one(runner, group, t, i);

			if (result == NOT_RUN)
				continue;
			runner->run++;
			runner->failures += result == FAILED;
			runner->errors += result == BROKEN;
			if (result != PASSED)
				printf("%s: %s: FAILED (%d)\n", group->name,
					t->test->name, i);
		}
	call(group->last);
}

SRunner *
srunner_create(Suite *s)
{
	SRunner *runner = make(sizeof *runner);

	runner->suites = s;
	return runner;
}

void
srunner_add_suite(SRunner *runner, Suite *s)
{
	s->next = runner->suites;
	runner->suites = s;
}

void
srunner_set_fork_status(SRunner *runner, enum fork_status status)
{
	runner->forks = status;
}

enum fork_status
srunner_fork_status(SRunner *runner)
{
	return has_fork(runner) ? CK_FORK : CK_NOFORK;
}

void
srunner_run_all(SRunner *runner, enum print_output verbosity)
{
	int good;

	(void)verbosity;
	for (const Suite *s = runner->suites; s != NULL; s = s->next) {
		printf("Running suite(s): %s\n", s->name);
		for (const TCase *g = s->groups; g != NULL; g = g->next)
			run_group(runner, g);
	}
	good = runner->run - runner->failures - runner->errors;
	printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n",
		runner->run ? 100 * good / runner->run : 100, runner->run,
		runner->failures, runner->errors);
	fflush(stdout);
}

int
srunner_ntests_failed(SRunner *runner)
{
	return runner->failures + runner->errors;
}

int
srunner_ntests_run(SRunner *runner)
{
	return runner->run;
}

void
srunner_free(SRunner *runner)
{
	for (Suite *s = runner->suites, *after; s != NULL; s = after) {
		after = s->next;
		for (TCase *g = s->groups, *next; g != NULL; g = next) {
			next = g->next;
			for (struct test *t = g->tests, *n; t != NULL; t = n) {
				n = t->next;
				free(t);
			}
			free(g);
		}
		free(s);
	}
	free(runner);
}
