/* t-api-defer.c -- kv_arena_defer
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "kvsource.h"
#include "kvtest.h"

#include <string.h>

struct trace {
	kv_arena_t *arena;
	int order[100];
	int n;
};

struct step {
	struct trace *trace;
	int number;
};

static void
record(void *arg)
{
	struct step *step = arg;

	step->trace->order[step->trace->n++] = step->number;
}

static struct step *
plan(struct step *steps, struct trace *trace, int n)
{
	for (int i = 0; i < n; i++)
		steps[i] = (struct step){ trace, i };
	return steps;
}

START_TEST(defers_run_last_in_first_out)
{
	for (int end = 0; end < 2; end++) {
		kv_arena_t *a = kv_arena_create(0);
		struct trace trace = { 0 };
		struct step steps[50];

		plan(steps, &trace, 50);
		for (int i = 0; i < 50; i++) {
			kvt_true(kv_arena_alloc(a, 100) != NULL);
			kvt_eq(kv_arena_defer(a, record, &steps[i]), 0);
		}
		kvt_eq(trace.n, 0);
		if (end == 0)
			kv_arena_reset(a);
		kv_arena_destroy(a);
		kvt_eq(trace.n, 50);
		for (int i = 0; i < 50; i++)
			kvt_eq(trace.order[i], 49 - i);
	}
}
END_TEST

START_TEST(rewind_runs_the_defers_made_since)
{
	kv_arena_t *a = kv_arena_create(0);
	struct trace trace = { 0 };
	struct step steps[4];
	kv_arena_mark_t mark;

	plan(steps, &trace, 4);
	kvt_eq(kv_arena_defer(a, record, &steps[0]), 0);
	mark = kv_arena_mark(a);
	kvt_eq(kv_arena_defer(a, record, &steps[1]), 0);
	kvt_eq(kv_arena_defer(a, record, &steps[2]), 0);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_true(trace.n == 2 && trace.order[0] == 2 && trace.order[1] == 1);
	kvt_eq(kv_arena_rewind(a, mark), 0);
	kvt_eq(trace.n, 2);
	kvt_eq(kv_arena_defer(a, record, &steps[3]), 0);
	kv_arena_reset(a);
	kvt_true(trace.n == 4 && trace.order[2] == 3 && trace.order[3] == 0);
	kv_arena_reset(a);
	kv_arena_destroy(a);
	kvt_eq(trace.n, 4);
}
END_TEST

START_TEST(memory_is_alive_when_its_defer_runs)
{
	kv_arena_t *a = kv_arena_create(1024);
	struct trace trace = { 0 };

	for (int i = 0; i < 50; i++) {
		struct step *step = kv_arena_new(a, struct step);

		*step = (struct step){ &trace, i };
		kvt_eq(kv_arena_defer(a, record, step), 0);
		kvt_true(kv_arena_alloc(a, 200) != NULL);
	}
	kv_arena_destroy(a);
	kvt_eq(trace.n, 50);
	for (int i = 0; i < 50; i++)
		kvt_eq(trace.order[i], 49 - i);
}
END_TEST

static void
allocate_and_record(void *arg)
{
	struct step *step = arg;
	char *p = kv_arena_alloc(step->trace->arena, 5000);

	if (p != NULL) {
		memset(p, 'd', 5000);
		record(arg);
	}
}

static void
defer_again(void *arg)
{
	struct step *step = arg;

	record(arg);
	if (step->number > 0) {
		step->number--;
		kv_arena_defer(step->trace->arena, defer_again, step);
	}
}

START_TEST(defers_may_allocate)
{
	kv_arena_t *a = kv_arena_create(1024);
	struct trace trace = { .arena = a };
	struct step steps[20];
	struct kvt_book book = { 0 };

	plan(steps, &trace, 20);
	for (int round = 0; round < 3; round++) {
		trace.n = 0;
		for (int i = 0; i < 20; i++)
			kvt_eq(kv_arena_defer(a, allocate_and_record, &steps[i]),
				0);
		kv_arena_reset(a);
		kvt_eq(trace.n, 20);
		kvt_eq(kv_arena_total_allocated(a), 0);
		kvt_balanced(a);
		kvt_load(a, &book, 100);
		kvt_intact(&book);
		kvt_drop(&book);
	}
	kvt_eq(kv_arena_defer(a, allocate_and_record, &steps[0]), 0);
	kv_arena_destroy(a);
	kvt_eq(trace.n, 21);
}
END_TEST

START_TEST(defer_made_in_a_defer_runs_next)
{
	kv_arena_t *a = kv_arena_create(0);
	struct trace trace = { .arena = a };
	struct step steps[3] = { { &trace, 90 }, { &trace, 2 }, { &trace, 91 } };
	static const int want[] = { 91, 2, 1, 0, 90 };

	kvt_eq(kv_arena_defer(a, record, &steps[0]), 0);
	kvt_eq(kv_arena_defer(a, defer_again, &steps[1]), 0);
	kvt_eq(kv_arena_defer(a, record, &steps[2]), 0);
	kv_arena_destroy(a);
	kvt_eq(trace.n, 5);
	for (int i = 0; i < 5; i++)
		kvt_eq(trace.order[i], want[i]);
}
END_TEST

START_TEST(defer_without_a_function_is_refused)
{
	kv_arena_t *a = kv_arena_create(0);
	struct trace trace = { 0 };
	struct step step = { &trace, 1 };

	kvt_fails(kv_arena_defer(a, NULL, &step), -1, EINVAL);
	kvt_fails(kv_arena_defer(NULL, record, &step), -1, EINVAL);
	kv_arena_destroy(a);
	kvt_eq(trace.n, 0);
}
END_TEST

START_TEST(defer_without_memory_fails_and_never_runs)
{
	struct kvt_source source = KVT_SOURCE;
	kv_arena_config_t config = kvt_sourced(&source);
	struct trace trace = { 0 };
	struct step step = { &trace, 1 };
	kv_arena_t *a = kv_arena_create_ex(&config);

	source.budget = 0;
	kvt_fails(kv_arena_defer(a, record, &step), -1, ENOMEM);
	kvt_balanced(a);
	kv_arena_destroy(a);
	kvt_eq(trace.n, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("api-defer");
	TCase *g = kvt_group(s, "defers");

	tcase_add_test(g, defers_run_last_in_first_out);
	tcase_add_test(g, rewind_runs_the_defers_made_since);
	tcase_add_test(g, memory_is_alive_when_its_defer_runs);
	tcase_add_test(g, defers_may_allocate);
	tcase_add_test(g, defer_made_in_a_defer_runs_next);
	tcase_add_test(g, defer_without_a_function_is_refused);
	tcase_add_test(g, defer_without_memory_fails_and_never_runs);
	return kvt_run(s, 1000);
}
