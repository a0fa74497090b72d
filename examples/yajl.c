/* yajl.c -- a control: an event parser has nothing for an arena to win
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: yajl [--quick] [--line] [FILE.JSON]
 */
#include <kv_arena_adapters.h>
#include <yajl/yajl_parse.h>

#include "must.h"
#include "race.h"

static char *text;
static size_t text_size;

static int
on_number(void *sum, const char *s, size_t size)
{
	*(uint64_t *)sum = race_sum(*(uint64_t *)sum, s, size);
	return 1;
}

static int
on_string(void *sum, const unsigned char *s, size_t size)
{
	*(uint64_t *)sum = race_sum(*(uint64_t *)sum, s, size);
	return 1;
}

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	yajl_callbacks on = {
		.yajl_number = on_number, .yajl_string = on_string,
		.yajl_map_key = on_string
	};
	yajl_alloc_funcs from_arena = {
		kv_arena_adapter_malloc, kv_arena_adapter_realloc,
		kv_arena_adapter_free, arena
	};
	yajl_alloc_funcs counted = { race_malloc, race_realloc, race_free, NULL };
	uint64_t sum = 1;
	yajl_handle h = yajl_alloc(&on, lane == RACE_MALLOC ? NULL :
		lane == RACE_COUNT ? &counted : &from_arena, &sum);

	must(h != NULL);
	must(yajl_parse(h, (unsigned char *)text, text_size) == yajl_status_ok);
	must(yajl_complete_parse(h) == yajl_status_ok);
	if (lane != RACE_DISCARD)
		yajl_free(h);
	return sum;
}

int
main(int argc, char **argv)
{
	struct race race = { "yajl", NULL, request, false, 0 };
	char job[100];
	int status;

	text = race_read(race_input(argc, argv, DATA "/zones.json"), &text_size);
	snprintf(job, sizeof job, "the events of %zu bytes of JSON", text_size);
	race.job = job;
	status = race_run(&race, argc, argv);
	free(text);
	return status;
}
