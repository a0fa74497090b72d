/* report.c -- a report of arenas, read back
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "report.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

struct field {
	const char *name;
	size_t offset;
	bool adds_up;			/* over all arenas */
};

#define FIELD(name, adds_up) { #name, offsetof(kv_arena_stats_t, name), adds_up }

static const struct field fields[] = {
	FIELD(total_allocations, true),
	FIELD(total_bytes_allocated, true),
	FIELD(total_bytes_wasted, true),
	FIELD(peak_memory_usage, false),
	FIELD(current_memory_usage, true),
	FIELD(block_allocations, true),
	FIELD(block_reuses, true),
	FIELD(used_bytes, true),
	FIELD(padding_bytes, true),
	FIELD(tail_bytes, true),
	FIELD(abandoned_bytes, true),
	FIELD(free_bytes, true),
	FIELD(header_bytes, true),
	FIELD(blocks, true),
	FIELD(blocks_returned, true),
	FIELD(large_allocations, true),
	FIELD(failed_allocations, true),
	FIELD(resets, true),
	FIELD(shards, true),
	FIELD(shard_handovers, true),
	FIELD(lock_waits, true),
	FIELD(numa_fallbacks, true),
	FIELD(children_memory_usage, false),
};

#define NFIELDS (sizeof(fields) / sizeof(*fields))

const char *const kvr_part_names[KVR_PARTS] = {
	"used", "padding", "block tails", "abandoned", "free", "headers"
};

void
kvr_report_parts(const kv_arena_stats_t *s, uint64_t parts[KVR_PARTS])
{
	parts[0] = s->used_bytes;
	parts[1] = s->padding_bytes;
	parts[2] = s->tail_bytes;
	parts[3] = s->abandoned_bytes;
	parts[4] = s->free_bytes;
	parts[5] = s->header_bytes;
}

static uint64_t *
value_at(kv_arena_stats_t *s, const struct field *f)
{
	return (uint64_t *)(void *)((char *)s + f->offset);
}

static uint64_t
number_of(const struct kvr_json *object, const char *name)
{
	const struct kvr_json *m = kvr_json_get(object, name);

	return m && m->kind == KVR_NUMBER ? m->whole : 0;
}

static void
read_array(const struct kvr_json *object, const char *name, uint64_t *values,
	size_t n)
{
	const struct kvr_json *m = kvr_json_get(object, name);

	if (!m || m->kind != KVR_ARRAY)
		return;
	for (m = m->first; m && n > 0; m = m->next, n--)
		*values++ = m->whole;
}

/* False: this is not an arena. */
static bool
read_arena(struct kvr_arena *a, const struct kvr_json *object)
{
	const struct kvr_json *path = kvr_json_get(object, "path");
	const struct kvr_json *held = kvr_json_get(object, "current_memory_usage");
	const struct kvr_json *shared = kvr_json_get(object, "shared");
	size_t i;

	if (!path || path->kind != KVR_STRING || !held || held->kind != KVR_NUMBER)
		return false;
	a->path = path->text;
	a->id = number_of(object, "id");
	a->shared = shared && shared->number != 0;
	for (i = 0; i < NFIELDS; i++)
		*value_at(&a->stats, &fields[i]) = number_of(object, fields[i].name);
	read_array(object, "size_distribution", a->stats.size_distribution, 16);
	read_array(object, "alignment_requests", a->stats.alignment_requests, 8);
	return true;
}

static void
add_to_total(struct kvr_report *r, struct kvr_arena *a)
{
	size_t i;

	for (i = 0; i < NFIELDS; i++)
		if (fields[i].adds_up)
			*value_at(&r->total, &fields[i]) +=
				*value_at(&a->stats, &fields[i]);
	for (i = 0; i < 16; i++)
		r->total.size_distribution[i] += a->stats.size_distribution[i];
}

bool
kvr_report_parse(struct kvr_report *r, kv_arena_t *arena, const char *text,
	size_t size, unsigned *line, const char **message)
{
	struct kvr_json_error error;
	const struct kvr_json *root = kvr_json_parse(arena, text, size, &error);
	const struct kvr_json *version, *list, *m;
	size_t n = 0;

	memset(r, 0, sizeof(*r));
	*line = error.line;
	*message = error.message;
	if (!root)
		return false;
	*line = 0;
	*message = "not a report of kvarena";
	version = kvr_json_get(root, "kvarena");
	list = kvr_json_get(root, "arenas");
	if (!version || version->kind != KVR_STRING || !list ||
		list->kind != KVR_ARRAY)
		return false;
	r->version = version->text;
	for (m = list->first; m; m = m->next)
		n++;
	r->arenas = kv_arena_calloc(arena, n ? n : 1, sizeof(*r->arenas));
	if (!r->arenas) {
		*message = "no memory";
		return false;
	}
	*message = "an arena without path or current_memory_usage";
	for (m = list->first; m; m = m->next) {
		if (!read_arena(&r->arenas[r->n], m))
			return false;
		add_to_total(r, &r->arenas[r->n++]);
	}
	return true;
}

const char *
kvr_size(uint64_t bytes, char text[8])
{
	static const char units[] = " KMGTPE";
	double n = (double)bytes;
	unsigned u = 0;

	for (; n >= 1000 && units[u + 1]; u++)
		n /= 1024;
	if (u == 0)
		snprintf(text, 8, "%u", (unsigned)bytes);
	else
		snprintf(text, 8, n < 9.95 ? "%.1f%c" : "%.0f%c", n, units[u]);
	return text;
}
