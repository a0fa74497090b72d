/* installcheck.c -- a user's program: knows the installed header and library
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: installcheck VERSION	(the one pkg-config tells)
 */
#include <kv_arena.h>

#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
	kv_arena_t *a = kv_arena_create(0);
	char *p;

	if (a == NULL) {
		fprintf(stderr, "installcheck: no arena\n");
		return 1;
	}
	p = kv_arena_alloc(a, 100);
	if (p == NULL) {
		fprintf(stderr, "installcheck: no memory\n");
		return 1;
	}
	memset(p, 'k', 100);
	kv_arena_destroy(a);

	if (argc > 1 && strcmp(argv[1], kv_arena_version()) != 0) {
		fprintf(stderr, "installcheck: library %s, package %s\n",
			kv_arena_version(), argv[1]);
		return 1;
	}
	printf("installcheck: ok, version %s\n", kv_arena_version());
	return 0;
}
