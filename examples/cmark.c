/* cmark.c -- a Markdown document to HTML: build a tree, render it, drop it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * cmark's hooks have no context. It never looks for NULL: a program that limits
 * its arena gives it functions that do not return then.
 *
 * usage: cmark [--quick] [--line] [FILE.MD]
 */
#include <cmark.h>
#include <kv_arena_adapters.h>

#include "must.h"
#include "race.h"

static char *text;
static size_t text_size;

static void *
counted_calloc(size_t n, size_t size)
{
	return race_calloc(NULL, n, size);
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

static cmark_mem from_arena = {
	kv_arena_current_calloc, kv_arena_current_realloc, kv_arena_current_free
};
static cmark_mem counted = { counted_calloc, counted_realloc, counted_free };

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	cmark_mem *memory = lane == RACE_MALLOC ?
		cmark_get_default_mem_allocator() :
		lane == RACE_COUNT ? &counted : &from_arena;
	kv_arena_t *before = kv_arena_current_push(arena);
	cmark_parser *parser = cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, memory);
	cmark_node *document;
	uint64_t sum;
	char *html;

	cmark_parser_feed(parser, text, text_size);
	document = cmark_parser_finish(parser);
	html = cmark_render_html(document, CMARK_OPT_DEFAULT);
	sum = race_sum(1, html, strlen(html));
	if (lane != RACE_DISCARD) {
		memory->free(html);
		cmark_node_free(document);
		cmark_parser_free(parser);
	}
	kv_arena_current_pop(before);
	return sum;
}

int
main(int argc, char **argv)
{
	struct race race = { "cmark", NULL, request, false, 0 };
	char job[100];
	int status;

	text = race_read(race_input(argc, argv, DOC), &text_size);
	snprintf(job, sizeof job, "a document of %zu bytes to HTML", text_size);
	race.job = job;
	status = race_run(&race, argc, argv);
	free(text);
	return status;
}
