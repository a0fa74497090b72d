/* t-publish.c -- lib/publish.c: the file that a process keeps for kvarena-top
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What kvarena-top makes of it is seen in t-top.sh. A process publishes under one
 * name for all its life, so each case needs one of its own.
 */
#include "kvinside.h"
#include "kvpuppet.h"
#include "kvrefuse.h"
#include "publish.h"
#include "registry.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DUE 250000	/* us; a little more than a period */

static char path[2048], draft[2100];

/* Publish as name, which becomes path; false: this process may publish already. */
static bool
publish_as(const char *name, const char *is)
{
	if (!kvr_has_own_process())
		return false;
	snprintf(path, sizeof path, "%s", is);
	snprintf(draft, sizeof draft, "%s.%ld~", path, (long)getpid());
	kva_publish_begin(name, strlen(name));
	return true;
}

static bool
publish(void)
{
	char name[64];

	snprintf(name, sizeof name, "./published.%ld", (long)getpid());
	return publish_as(name, name);
}

static bool
is_there(const char *file)
{
	return access(file, F_OK) == 0;
}

/* The file is replaced each time it is written. */
static ino_t
file(void)
{
	struct stat s;

	return stat(path, &s) == 0 ? s.st_ino : 0;
}

static bool
says(const char *words)
{
	static char text[100000];
	FILE *in = fopen(path, "r");
	size_t n = in ? fread(text, 1, sizeof text - 1, in) : 0;

	text[n] = '\0';
	if (in)
		fclose(in);
	return strstr(text, words) != NULL;
}

static kv_arena_t *
create(const char *name, kv_arena_thread_mode_t mode)
{
	kv_arena_config_t config = kvi_config(mode);

	config.name = name;
	return kvi_create(&config);
}

/* ---- Names -------------------------------------------------------------------- */

START_TEST(the_file_has_the_name_that_was_given)
{
	static const struct {
		const char *name, *is;
	} names[] = {
		{ "./published", "./published" }, { "./published-%", "./published-%" },
		{ "./published-%d", "./published-%d" },
		{ "./published-%p", "./published-PID" },
		{ "./published-%p-%%p", "./published-PID-%PID" },
		{ "t-publish-%p", "/dev/shm/kvarena.t-publish-PID" },
	};
	char is[100] = "", pid[20];
	kv_arena_t *a;

	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	for (const char *at = names[_i].is; *at; at += strncmp(at, "PID", 3) ? 1 : 3)
		strncat(is, strncmp(at, "PID", 3) ? at : pid,
			strncmp(at, "PID", 3) ? 1 : sizeof pid);
	if (!publish_as(names[_i].name, is))
		return;
	a = create("published", KV_ARENA_THREAD_UNSAFE);
	if (is[0] == '/' && access("/dev/shm", W_OK) != 0)
		kvt_skip("there is no shared memory");
	else
		kvt_true(says("\"path\": \"published\""));
	kvt_true(!is_there(draft));
	kvi_destroy(a);
	unlink(path);
}
END_TEST

START_TEST(the_environment_names_the_file)
{
	kv_arena_t *a;

	if (!kvr_has_own_process())
		return;
	snprintf(path, sizeof path, "./published.%ld.x", (long)getpid());
	setenv("KVARENA_CONF", "stats,publish:./published.%p.x,nohuge", 1);
	a = kv_arena_create(0);
	kvt_true(says("\"path\": \"?\""));
	kv_arena_destroy(a);
	unlink(path);
}
END_TEST

START_TEST(the_environment_may_give_a_name_of_one_letter)
{
	kv_arena_t *a;

	if (!kvr_has_own_process())
		return;
	setenv("KVARENA_CONF", "publish:.", 1);
	a = kv_arena_create(0);
	kvt_true(kva_is_published());
	kv_arena_destroy(a);
	unlink("/dev/shm/kvarena..");
}
END_TEST

START_TEST(a_name_that_is_too_long_publishes_nothing)
{
	char name[1100];

	memset(name, '/', sizeof name);
	kva_publish_begin(name, 1100);
	kvt_true(!kva_is_published());
	kva_publish_begin(name, 1024);
	kvt_true(!kva_is_published());
	memcpy(name + 1021, "%p", 2);
	kva_publish_begin(name, 1023);
	kvt_eq(kva_is_published(), getpid() < 100);
	memset(name, 'n', sizeof name);
	kva_publish_begin(name, 1023);
	kvt_true(!kva_is_published());
}
END_TEST

/* ---- When --------------------------------------------------------------------- */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The least that is not in use. */
static int
descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

START_TEST(the_file_is_replaced_when_it_is_due)
{
	int unused = descriptor();
	kv_arena_t *a;
	double before;
	ino_t old;

	if (!publish())
		return;
	before = seconds();
	a = create("published", (kv_arena_thread_mode_t)_i);
	old = file();
	kvt_true(old != 0);
	kvt_true(says("\"resets\": 0"));
	kv_arena_reset(a);
	if (seconds() - before < .2)
		kvt_true(says("\"resets\": 0"));

	usleep(DUE);
	errno = 77;
	kv_arena_reset(a);
	kvt_eq(errno, 77);
	kvt_true(file() != old || !says("\"resets\": 0"));
	kvt_true(says("\"resets\": 2"));

	usleep(DUE);
	kvi_destroy(a);
	kvt_true(!says("\"path\": "));
	kvt_eq(descriptor(), unused);
	unlink(path);
}
END_TEST

START_TEST(a_child_of_fork_is_not_who_is_published)
{
	int status = 0;
	kv_arena_t *a;
	pid_t child;

	if (!publish())
		return;
	a = create("parent", KV_ARENA_THREAD_UNSAFE);
	child = fork();
	if (child == 0) {
		usleep(DUE);
		create("child", KV_ARENA_THREAD_UNSAFE);
		exit(says("\"path\": \"child\""));	/* nor does its end matter */
	}
	kvt_true(waitpid(child, &status, 0) == child);
	kvt_eq(status, 0);
	kvt_true(says("\"path\": \"parent\""));
	kvi_destroy(a);
	unlink(path);
}
END_TEST

START_TEST(the_file_goes_when_the_process_ends)
{
	int status = 1;
	pid_t child;

	snprintf(path, sizeof path, "./published.%ld", (long)getpid());
	child = fork();
	if (child == 0) {
		kva_publish_begin(path, strlen(path));
		create("published", KV_ARENA_THREAD_UNSAFE);
		exit(!is_there(path));
	}
	kvt_true(waitpid(child, &status, 0) == child);
	kvt_eq(status, 0);
	kvt_true(!is_there(path));
}
END_TEST

static void
reset(void *arena)
{
	kv_arena_reset(arena);
}

/* Whoever publishes reads what was shown under the same lock. */
START_TEST(what_an_arena_shows_of_itself_waits_for_who_publishes)
{
	struct kva_shown *shown;
	struct kvp p;
	kv_arena_t *a;

	if (!publish())
		return;
	a = create("published", KV_ARENA_THREAD_UNSAFE);
	shown = kva_arena_of(a)->extras->shown;
	shown->when = 0;		/* due */
	kvp_begin(&p);
	kva_registry_lock();
	kvp_tell(&p, reset, a);
	usleep(20000);
	kvt_eq(shown->when, 0);
	kva_registry_unlock();
	kvp_wait(&p);
	kvt_cmp(shown->when, >, 0);
	kvp_end(&p);
	kvi_destroy(a);
	unlink(path);
}
END_TEST

START_TEST(descriptor_0_is_as_good_as_any)
{
	kv_arena_t *a;

	if (!publish())
		return;
	close(STDIN_FILENO);
	a = create("published", KV_ARENA_THREAD_UNSAFE);
	kvt_true(says("\"path\": \"published\""));
	kvi_destroy(a);
	unlink(path);
}
END_TEST

static void
come_by(void *arena)
{
	kv_arena_alloc_aligned(arena, 8, 16);
}

START_TEST(a_thread_does_not_wait_for_one_that_writes)
{
	struct kvp writer, other;
	kv_arena_t *a;

	if (!publish())
		return;
	a = create("published", KV_ARENA_THREAD_SAFE);
	kvp_begin(&writer);
	kvp_begin(&other);
	kvp_do(&writer, come_by, a);
	kvp_do(&other, come_by, a);
	usleep(DUE);
	kva_registry_lock();	/* which the report needs */
	kvp_tell(&writer, come_by, a);
	for (int i = 0; i < 5000 && !is_there(draft); i++)
		usleep(1000);
	kvt_true(is_there(draft));
	kvp_do(&other, come_by, a);
	kvt_true(is_there(draft));
	kva_registry_unlock();
	kvp_end(&writer);
	kvp_end(&other);
	kvt_true(!is_there(draft));
	kvi_destroy(a);
	unlink(path);
}
END_TEST

/* ---- What --------------------------------------------------------------------- */

START_TEST(without_memory_for_it_an_arena_is_shown_as_empty)
{
	kv_arena_config_t config = kvi_config(KV_ARENA_THREAD_UNSAFE);
	kv_arena_t *a = NULL, *other;

	if (!publish())
		return;
	for (uint64_t nth = 1; !a || kva_arena_of(a)->extras->shown; nth++) {
		kv_arena_destroy(a);
		kvo_fail_once(KVO_CALL(ALLOC), nth, 0);
		a = kv_arena_create_ex(&config);
		kvo_heal();
	}
	kvi_load(a, 10000);
	other = create("other", KV_ARENA_THREAD_UNSAFE);
	kvi_load(other, 10000);
	usleep(DUE);
	kv_arena_reset(a);
	kv_arena_reset(other);
	usleep(DUE);
	kv_arena_reset(other);
	kvt_true(says("\"path\": \"?\""));
	kvt_true(says("\"current_memory_usage\": 0,"));
	kvt_true(says("\"resets\": 0,") && says("\"resets\": 2,"));
	kvi_destroy(a);
	kvi_destroy(other);
	unlink(path);
}
END_TEST

/* Its own thread may be at work in it meanwhile. */
START_TEST(an_arena_of_one_thread_is_shown_as_it_was_when_it_came_by)
{
	kv_arena_t *a, *other;

	if (!publish())
		return;
	other = create("other", KV_ARENA_THREAD_SAFE);
	a = create("resting", KV_ARENA_THREAD_UNSAFE);
	kva_arena_of(a)->resets = 77;
	for (int i = 0; i < 2; i++) {
		usleep(DUE);
		kv_arena_reset(i ? a : other);
		kvt_true(says("\"path\": \"resting\""));
		kvt_true(says("\"resets\": 78,") == i);
		kvt_true(!says("\"resets\": 77,"));
	}
	kva_arena_of(a)->resets = 0;
	kvi_destroy(a);
	kvi_destroy(other);
	unlink(path);
}
END_TEST

/* ---- What goes wrong ---------------------------------------------------------- */

START_TEST(no_file_can_be_made)
{
	kv_arena_t *a;

	if (!publish_as("./no-such-directory/published", "./no-such-directory/published"))
		return;
	errno = 77;
	a = create("published", KV_ARENA_THREAD_UNSAFE);
	kvt_eq(errno, 77);
	kvi_destroy(a);
}
END_TEST

START_TEST(the_name_is_a_directory)
{
	kv_arena_t *a;

	if (!publish())
		return;
	kvt_eq(mkdir(path, 0700), 0);
	a = create("published", KV_ARENA_THREAD_UNSAFE);
	kvt_true(!is_there(draft));
	kvi_destroy(a);
	kvt_eq(rmdir(path), 0);
}
END_TEST

START_TEST(there_is_no_room_for_the_file)
{
	struct rlimit old, none;
	kv_arena_t *a;

	if (!publish())
		return;
	a = create("before", KV_ARENA_THREAD_UNSAFE);
	usleep(DUE);
	signal(SIGXFSZ, SIG_IGN);
	kvt_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	kvt_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	kv_arena_reset(a);
	kvt_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	kvt_true(!is_there(draft));
	kvt_true(says("\"resets\": 0,"));	/* what was there stays */
	kvi_destroy(a);
	unlink(path);
}
END_TEST

START_TEST(nobody_elses_file_is_written)
{
	kv_arena_t *a;
	FILE *mine;

	if (!publish())
		return;
	mine = fopen("published-mine", "w");
	kvt_true(mine && fputs("mine", mine) >= 0 && fclose(mine) == 0);
	kvt_eq(symlink("published-mine", draft), 0);
	a = create("published", KV_ARENA_THREAD_UNSAFE);
	kvt_true(says("\"path\": \"published\""));
	kvi_destroy(a);
	unlink(path);
	snprintf(path, sizeof path, "published-mine");
	kvt_true(says("mine"));
	unlink(path);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("publish");
	TCase *g = kvi_group(s, "names");

	tcase_add_loop_test(g, the_file_has_the_name_that_was_given, 0, 6);
	tcase_add_test(g, a_name_that_is_too_long_publishes_nothing);

	g = kvt_group(s, "environment");
	tcase_add_test(g, the_environment_names_the_file);
	tcase_add_test(g, the_environment_may_give_a_name_of_one_letter);

	g = kvi_group(s, "when");
	tcase_add_loop_test(g, the_file_is_replaced_when_it_is_due, 0, 2);
	tcase_add_test(g, a_child_of_fork_is_not_who_is_published);
	tcase_add_test(g, the_file_goes_when_the_process_ends);
	tcase_add_test(g, what_an_arena_shows_of_itself_waits_for_who_publishes);
	tcase_add_test(g, descriptor_0_is_as_good_as_any);
	tcase_add_test(g, a_thread_does_not_wait_for_one_that_writes);

	g = kvi_group(s, "what");
	tcase_add_test(g, without_memory_for_it_an_arena_is_shown_as_empty);
	tcase_add_test(g, an_arena_of_one_thread_is_shown_as_it_was_when_it_came_by);

	g = kvi_group(s, "what goes wrong");
	tcase_add_test(g, no_file_can_be_made);
	tcase_add_test(g, the_name_is_a_directory);
	tcase_add_test(g, there_is_no_room_for_the_file);
	tcase_add_test(g, nobody_elses_file_is_written);
	return kvt_run(s, 10);
}
