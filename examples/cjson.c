/* cjson.c -- parse a document, use it, forget it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * cJSON's hooks are global and have no context: the arena is found in a
 * thread-local variable that is pushed and popped around the use. With hooks cJSON
 * never calls realloc, so the bare pair will do. cJSON_Delete, which visits every
 * node, is not needed.
 *
 * usage: cjson [--quick] [--line] [FILE.JSON]
 */
#include <cjson/cJSON.h>
#include <kv_arena_adapters.h>

#include "must.h"
#include "race.h"

static char *text;
static size_t text_size;

static void *
counted_malloc(size_t size)
{
	return race_malloc(NULL, size);
}

static void
counted_free(void *ptr)
{
	race_free(NULL, ptr);
}

/* The hooks of a lane; a program sets them once. NULL gives cJSON its own. */
static void
use_lane(enum race_lane lane)
{
	cJSON_Hooks from_arena = {
		kv_arena_current_bare_malloc, kv_arena_current_bare_free
	};
	cJSON_Hooks counted = { counted_malloc, counted_free };

	cJSON_InitHooks(lane == RACE_MALLOC ? NULL :
		lane == RACE_COUNT ? &counted : &from_arena);
}

static uint64_t
weigh(const cJSON *item)
{
	uint64_t sum = 0;

	for (; item; item = item->next) {
		sum = sum * 31 + (unsigned)item->type;
		if (item->valuestring)
			sum += (unsigned char)item->valuestring[0];
		sum += weigh(item->child);
	}
	return sum;
}

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	kv_arena_t *before;
	uint64_t sum;
	cJSON *doc;

	use_lane(lane);
	before = kv_arena_current_push(arena);
	doc = cJSON_ParseWithLength(text, text_size);
	must(doc != NULL);
	sum = weigh(doc);
	if (lane != RACE_DISCARD)
		cJSON_Delete(doc);
	kv_arena_current_pop(before);
	return sum;
}

int
main(int argc, char **argv)
{
	struct race race = { "cJSON", NULL, request, false, 0 };
	char job[100];
	int status;

	text = race_read(race_input(argc, argv, DATA "/zones.json"), &text_size);
	snprintf(job, sizeof job, "parse a document of %zu bytes", text_size);
	race.job = job;
	status = race_run(&race, argc, argv);
	free(text);
	return status;
}
