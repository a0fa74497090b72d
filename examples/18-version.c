/* 18-version.c -- which library is this, and what can it do here
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.h>

#include "must.h"

int
main(void)
{
	static const char *const features[] = { "numa", "huge-pages", "valgrind",
		"asan", "usdt", "inline-shared", "profile" };
	size_t i;
	int major;

	printf("kvarena %s; compiled against %d.%d.%d\n", kv_arena_version(),
		KV_ARENA_VERSION_MAJOR, KV_ARENA_VERSION_MINOR,
		KV_ARENA_VERSION_PATCH);
	must(sscanf(kv_arena_version(), "%d.", &major) == 1);
	must(major == KV_ARENA_VERSION_MAJOR);

	for (i = 0; i < sizeof features / sizeof *features; i++)
		printf("%-14s %s\n", features[i],
			kv_arena_has(features[i]) ? "yes" : "no");
	must(!kv_arena_has("a feature nobody has"));
	return 0;
}
