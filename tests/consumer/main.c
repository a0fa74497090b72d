/* main.c -- what a program outside the tree does with an arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>

#include <stdio.h>
#include <string.h>

int
main(void)
{
	kv_arena_t *a = kv_arena_create(0);
	char *s;

	if (a == NULL)
		return 1;
	s = kv_arena_alloc(a, sizeof("consumer: ok"));
	if (s == NULL)
		return 1;
	strcpy(s, "consumer: ok");
	puts(s);
	kv_arena_destroy(a);
	return 0;
}
