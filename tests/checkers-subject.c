/* checkers-subject.c -- one fault, for a memory checker to find; see t-checkers.sh
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: checkers-subject FAULT; "none" is the control.
 */
#include <kv_arena_adapters.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int out;

static void
look_at(const volatile char *p)
{
	if (*p == 'x')			/* a decision, which memcheck looks at */
		out++;
}

static int
commit(kv_arena_t *a, const char *fault)
{
	char *volatile p = kv_arena_alloc(a, 13);
	char *volatile q = kv_arena_alloc(a, 13);
	kv_arena_mark_t m;

	memset(p, 'x', 13);
	memset(q, 'x', 13);
	look_at(p + 12);
	if (strcmp(fault, "none") == 0) {
		kv_arena_reset(a);
		p = kv_arena_calloc(a, 1, 13);
		look_at(p);
		p = kv_arena_realloc(a, p, 13, 400);
		look_at(p + 12);
	} else if (strcmp(fault, "overflow") == 0) {
		p[13] = 'x';
	} else if (strcmp(fault, "neighbour") == 0) {
		p[24] = 'x';			/* 8 past the rounded end */
	} else if (strcmp(fault, "unset") == 0) {
		look_at(kv_arena_alloc(a, 8));
	} else if (strcmp(fault, "reset") == 0) {
		kv_arena_reset(a);
		look_at(p);
	} else if (strcmp(fault, "rewind") == 0) {
		m = kv_arena_mark(a);
		p = kv_arena_strdup(a, "xyz");
		kv_arena_rewind(a, m);
		look_at(p);
	} else if (strcmp(fault, "moved") == 0) {
		q = kv_arena_realloc(a, p, 13, 100);
		look_at(p);
	} else if (strcmp(fault, "freed") == 0) {
		p = kv_arena_adapter_malloc(a, 13);
		memset(p, 'x', 13);
		kv_arena_adapter_free(a, p);
		look_at(p);
	} else if (strcmp(fault, "packed") == 0) {
		p = kv_arena_strdup(a, "abc");
		p[4] = 'x';
	} else if (strcmp(fault, "destroyed") == 0) {
		a = kv_arena_create(0);
		kv_arena_destroy(a);
		kv_arena_alloc(a, 8);
	} else if (strcmp(fault, "twice") == 0) {
		a = kv_arena_create(0);
		kv_arena_destroy(a);
		kv_arena_destroy(a);
	} else {
		return 2;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	kv_arena_t *a = kv_arena_create(0);
	int status = argc == 2 && a ? commit(a, argv[1]) : 2;

	kv_arena_destroy(a);
	return status;
}
