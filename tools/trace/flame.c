/* flame.c -- the flame command: folded stacks as a picture
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Each line of the input is "outermost;...;innermost N". Stacks that begin alike are
 * one frame as long as they do: a tree, of which each frame is as wide as the sum of
 * what lies in it, and stands on the frame that called it. The widest is leftmost.
 */
#include "config.h"

#include "elf_file.h"
#include "names.h"
#include "options.h"
#include "tool.h"
#include "whole.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 1200
#define MARGIN 10
#define HEAD 52				/* title and total, above the flames */
#define ROW 18
#define LETTER 7.3			/* width of one */
#define LEAST_WIDTH 0.4			/* of a frame that is drawn */
#define MOST_DEPTH 1000

struct frame {
	struct frame *child;		/* any of those it calls */
	struct frame *next;		/* with the same caller */
	uint32_t name;
	uint64_t total;
};

struct graph {
	kv_arena_t *arena;
	struct frame all;
	unsigned depth;
	unsigned left_out;		/* frames too narrow to be seen */
	struct kvt_names names;		/* as they are shown */
	struct kvt_names tokens;	/* as they stand in the input, */
	uint32_t *shown;		/* by number their name's, */
	size_t room;
	struct kvt_names paths;		/* the files they speak of, */
	struct kvt_elf **files;		/* and by number what is in these */
	size_t file_room;
	const char *title, *unit;
};

static void *
take(struct graph *g, size_t size)
{
	void *p = kv_arena_calloc(g->arena, 1, size);

	if (!p)
		kvt_fail("no memory");
	return p;
}

/* ---- Names -------------------------------------------------------------------- */

static struct kvt_elf *
open_file(struct graph *g, const char *path)
{
	uint32_t known = g->paths.n, i = kvt_names_number(&g->paths, path);

	if (i == known) {
		g->files = kvt_grow(g->files, i, &g->file_room, sizeof(*g->files));
		g->files[i] = kvt_elf_open(path);
	}
	return g->files[i];
}

/* What "file+0x12" is called: by the function, if the file tells, or else without
 * the directories. The number counts from where the file begins in memory. */
static const char *
look_up(struct graph *g, const char *token)
{
	const char *plus = strrchr(token, '+'), *name = NULL, *slash;
	struct kvt_elf *elf;
	uint64_t into;
	char *path;

	if (!plus || strncmp(plus, "+0x", 3) != 0)
		return token;
	path = take(g, (size_t)(plus - token) + 1);
	memcpy(path, token, (size_t)(plus - token));
	elf = open_file(g, path);
	if (elf)
		name = kvt_elf_function(elf, kvt_elf_address(elf, 0) +
			strtoull(plus + 1, NULL, 16), &into);
	slash = strrchr(token, '/');
	return name ? name : slash ? slash + 1 : token;
}

static uint32_t
name_of(struct graph *g, const char *token)
{
	uint32_t known = g->tokens.n, i = kvt_names_number(&g->tokens, token);

	if (i == known) {
		g->shown = kvt_grow(g->shown, i, &g->room, sizeof(*g->shown));
		g->shown[i] = kvt_names_number(&g->names, look_up(g, token));
	}
	return g->shown[i];
}

/* ---- Reading ------------------------------------------------------------------ */

static struct frame *
callee(struct graph *g, struct frame *caller, uint32_t name)
{
	struct frame *f = caller->child;

	while (f && f->name != name)
		f = f->next;
	if (f)
		return f;
	f = take(g, sizeof(*f));
	f->name = name;
	f->next = caller->child;
	caller->child = f;
	return f;
}

static void
add_stack(struct graph *g, char *stack, uint64_t n)
{
	struct frame *f = &g->all;
	unsigned depth = 0;
	char *end;

	f->total += n;
	for (; stack; stack = end) {
		end = strchr(stack, ';');
		if (end)
			*end++ = '\0';
		f = callee(g, f, name_of(g, stack));
		f->total += n;
		if (++depth > MOST_DEPTH)
			kvt_fail("a stack of more than %d frames", MOST_DEPTH);
	}
	if (depth > g->depth)
		g->depth = depth;
}

static void
read_stacks(struct graph *g, const char *file, char *text)
{
	unsigned long long n;
	unsigned number = 0;
	char *line, *end, *last;

	for (line = text; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		number++;
		if (!*line)
			continue;
		last = strrchr(line, ' ');
		if (!last || last == line || last[1] < '0' || last[1] > '9')
			kvt_fail("%s: line %u: no stack with a number", file, number);
		*last++ = '\0';
		n = strtoull(last, &last, 10);
		if (*last && *last != '\r')
			kvt_fail("%s: line %u: no stack with a number", file, number);
		add_stack(g, line, n);
	}
}

/* ---- Drawing ------------------------------------------------------------------ */

static const char style[] =
"svg{--paper:#fcfcfb;--ink:#1a1a19;--soft:#65635e}\n"
"@media(prefers-color-scheme:dark){svg{--paper:#191918;--ink:#eceae5;"
"--soft:#a3a099}}\n"
".paper{fill:var(--paper)}text{font:12px ui-monospace,monospace;fill:#1a1a19}"
".head{font:600 16px system-ui,sans-serif;fill:var(--ink)}"
".soft{font:12px system-ui,sans-serif;fill:var(--soft)}\n"
"g:hover rect{stroke:#1a1a19}\n";

static void
put_text(FILE *out, const char *text, size_t n)
{
	for (; *text && n > 0; text++) {
		n -= (*text & 0xc0) != 0x80;
		switch (*text) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		case '"': fputs("&quot;", out); break;
		default: putc((unsigned char)*text < 0x20 || *text == 0x7f ? '?'
			: *text, out);
		}
	}
}

static void
put_amount(const struct graph *g, uint64_t n, FILE *out)
{
	if (strcmp(g->unit, "bytes") == 0)
		fputs(kvt_size_text(n), out);
	else
		fprintf(out, "%" PRIu64 " %s", n, g->unit);
}

/* Arenas are blue; of functions each has a warm colour of its own, everywhere the
 * same; what has no name is grey. */
static void
put_colour(const char *name, unsigned depth, FILE *out)
{
	unsigned hash = 2166136261u;
	const char *c;

	for (c = name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	hash ^= hash >> 15;
	if (depth == 0)
		fputs("#9ec3e6", out);
	else if (strstr(name, "+0x") || strncmp(name, "0x", 2) == 0)
		fputs("#cfccc4", out);
	else
		fprintf(out, "hsl(%u,%u%%,%u%%)", 18 + hash % 34, 70 + hash / 64 % 22,
			62 + hash / 4096 % 12);
}

static void
write_frame(struct graph *g, const struct frame *f, unsigned depth, double x,
	double width, FILE *out)
{
	double y = HEAD + (double)(g->depth - depth - 1) * ROW;
	const char *name = g->names.names[f->name];
	size_t letters = width > 8 ? (size_t)((width - 8) / LETTER) : 0;
	bool is_cut = letters < strlen(name);

	fprintf(out, "<g><title>");
	put_text(out, name, SIZE_MAX);
	fprintf(out, ": ");
	put_amount(g, f->total, out);
	fprintf(out, ", %.2f %%</title><rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" "
		"height=\"%d\" rx=\"1\" fill=\"", 100 * (double)f->total /
		(double)g->all.total, x, y, width > 1 ? width - .5 : width, ROW - 1);
	put_colour(name, depth, out);
	fprintf(out, "\"/>");
	if (letters > 2) {
		fprintf(out, "<text x=\"%.2f\" y=\"%.0f\">", x + 4, y + 13);
		put_text(out, name, is_cut ? letters - 1 : letters);
		fprintf(out, "%s</text>", is_cut ? "\u2026" : "");
	}
	fprintf(out, "</g>\n");
}

/* Put the widest first. */
static struct frame *
sort(struct frame *list)
{
	struct frame *sorted = NULL, *f, **at;

	while ((f = list) != NULL) {
		list = f->next;
		for (at = &sorted; *at && (*at)->total >= f->total; at = &(*at)->next)
			;
		f->next = *at;
		*at = f;
	}
	return sorted;
}

static void
write_callees(struct graph *g, struct frame *caller, unsigned depth, double x,
	FILE *out)
{
	double scale = (double)(WIDTH - 2 * MARGIN) / (double)g->all.total, width;
	struct frame *f;

	caller->child = sort(caller->child);
	for (f = caller->child; f; f = f->next) {
		width = (double)f->total * scale;
		if (width < LEAST_WIDTH) {
			g->left_out++;
			continue;
		}
		write_frame(g, f, depth, x, width, out);
		write_callees(g, f, depth + 1, x, out);
		x += width;
	}
}

static void
write_picture(void *graph, FILE *out)
{
	struct graph *g = graph;
	unsigned height = HEAD + g->depth * ROW + 2 * MARGIN + ROW;

	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" "
		"width=\"%d\" height=\"%u\">\n<style>\n%s</style>\n<rect class=\"paper\" "
		"width=\"100%%\" height=\"100%%\"/>\n<text class=\"head\" x=\"%d\" "
		"y=\"24\">", WIDTH, height, WIDTH, height, style, MARGIN);
	put_text(out, g->title, 140);
	fprintf(out, "</text>\n<text class=\"soft\" x=\"%d\" y=\"42\">", MARGIN);
	put_amount(g, g->all.total, out);
	fprintf(out, " in all; a frame stands on the one that calls it, and is as wide as "
		"its share</text>\n");
	if (g->all.total > 0)
		write_callees(g, &g->all, 0, MARGIN, out);
	if (g->left_out > 0)
		fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%u\">%u frames are too "
			"narrow to be drawn</text>\n", MARGIN, height - MARGIN,
			g->left_out);
	fprintf(out, "</svg>\n");
}

int
kvt_flame(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "title", required_argument, NULL, 't' },
		{ "unit", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	struct graph g = { .title = "Allocations by call stack", .unit = "bytes" };
	const char *output = NULL, *file;
	size_t size;
	char *text;
	int c;

	kvt_options_begin();
	while ((c = kvt_options_next(argc, argv, ":o:", options)) != -1)
		*(c == 'o' ? &output : c == 't' ? &g.title : &g.unit) = optarg;
	file = kvt_options_file(argc, argv);
	g.arena = kv_arena_create(0);
	if (!g.arena)
		kvt_fail("no memory");
	text = kvt_whole_read(g.arena, file, &size, NULL);
	text = kv_arena_strndup(g.arena, text, size);
	if (!text)
		kvt_fail("no memory for %s", file);
	read_stacks(&g, file, text);
	kvt_whole_write(output, write_picture, &g);
	while (g.paths.n > 0)
		kvt_elf_close(g.files[--g.paths.n]);
	kvt_names_free(&g.names);
	kvt_names_free(&g.tokens);
	kvt_names_free(&g.paths);
	free(g.shown);
	free(g.files);
	kv_arena_destroy(g.arena);
	return 0;
}
