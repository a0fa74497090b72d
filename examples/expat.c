/* expat.c -- a control: an event parser has nothing for an arena to win
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Expat keeps a few buffers and uses them again itself.
 *
 * usage: expat [--quick] [--line] [FILE.XML]
 */
#include <expat.h>
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

static void *
counted_realloc(void *ptr, size_t size)
{
	return race_realloc(NULL, ptr, size);
}

static void
counted_free(void *ptr)
{
	race_free(NULL, ptr);
}

static void
on_start(void *sum, const XML_Char *name, const XML_Char **attributes)
{
	*(uint64_t *)sum = race_sum(*(uint64_t *)sum, name, strlen(name));
	for (; *attributes; attributes += 2)
		*(uint64_t *)sum += (unsigned char)attributes[1][0];
}

static void
on_text(void *sum, const XML_Char *s, int size)
{
	(void)s;
	*(uint64_t *)sum += (unsigned)size;
}

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	XML_Memory_Handling_Suite from_arena = {
		kv_arena_current_malloc, kv_arena_current_realloc,
		kv_arena_current_free
	};
	XML_Memory_Handling_Suite counted = {
		counted_malloc, counted_realloc, counted_free
	};
	kv_arena_t *before = kv_arena_current_push(arena);
	XML_Parser parser = XML_ParserCreate_MM(NULL, lane == RACE_MALLOC ? NULL :
		lane == RACE_COUNT ? &counted : &from_arena, NULL);
	uint64_t sum = 1;

	must(parser != NULL);
	XML_SetUserData(parser, &sum);
	XML_SetElementHandler(parser, on_start, NULL);
	XML_SetCharacterDataHandler(parser, on_text);
	must(XML_Parse(parser, text, (int)text_size, 1) == XML_STATUS_OK);
	if (lane != RACE_DISCARD)
		XML_ParserFree(parser);
	kv_arena_current_pop(before);
	return sum;
}

int
main(int argc, char **argv)
{
	struct race race = { "expat", NULL, request, false, 0 };
	char job[100];
	int status;

	text = race_read(race_input(argc, argv, DATA "/zones.xml"), &text_size);
	snprintf(job, sizeof job, "the events of %zu bytes of XML", text_size);
	race.job = job;
	status = race_run(&race, argc, argv);
	free(text);
	return status;
}
