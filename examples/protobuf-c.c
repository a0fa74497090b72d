/* protobuf-c.c -- unpack a message, use it, discard it
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hook is the best there is: an allocator with a context for each call. What
 * an unpacked message holds is memory and nothing else, so it need not be freed;
 * and there is no realloc, so nothing need stand in front of a piece.
 *
 * usage: protobuf-c [--quick] [--line] [ZONES.TAB]
 */
#include <kv_arena_adapters.h>

#include "must.h"
#include "race.h"
#include "zones.pb-c.h"

static uint8_t *packed;
static size_t packed_size;

/* One request: unpack, look at everything, end. */
static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	ProtobufCAllocator from_arena = {
		kv_arena_adapter_bare_malloc, kv_arena_adapter_bare_free, arena
	};
	ProtobufCAllocator counted = { race_malloc, race_free, NULL };
	ProtobufCAllocator *memory = lane == RACE_MALLOC ? NULL :
		lane == RACE_COUNT ? &counted : &from_arena;
	Zones__Table *table = zones__table__unpack(memory, packed_size, packed);
	uint64_t sum = 0;
	size_t i, c;

	must(table != NULL);
	for (i = 0; i < table->n_zones; i++) {
		const Zones__Zone *z = table->zones[i];

		sum += (unsigned char)z->tz[0] + z->n_countries;
		for (c = 0; c < z->n_countries; c++)
			sum = sum * 31 + (unsigned char)z->countries[c]->code[1];
	}
	if (lane != RACE_DISCARD)
		zones__table__free_unpacked(table, memory);
	return sum;
}

/* ---- The message: built in an arena too --------------------------------------- */

static Zones__Zone *
zone_of(kv_arena_t *a, const char *line)
{
	Zones__Zone *z = kv_arena_new(a, Zones__Zone);
	size_t codes = strcspn(line, "\t"), room = codes / 3 + 1;
	const char *where = line + codes + 1, *tz, *rest;

	must(z != NULL);
	zones__zone__init(z);
	z->countries = kv_arena_new_array(a, Zones__Country *, room);
	for (; codes >= 2; line += 3, codes -= codes > 2 ? 3 : 2) {
		Zones__Country *c = kv_arena_new(a, Zones__Country);

		zones__country__init(c);
		c->code = kv_arena_strndup(a, line, 2);
		c->name = kv_arena_printf(a, "country %s", c->code);
		z->countries[z->n_countries++] = c;
	}
	tz = where + strcspn(where, "\t") + 1;
	rest = tz + strcspn(tz, "\t\n");
	z->coordinates = kv_arena_strndup(a, where, (size_t)(tz - 1 - where));
	z->tz = kv_arena_strndup(a, tz, (size_t)(rest - tz));
	if (*rest == '\t')
		z->comments = kv_arena_strndup(a, rest + 1,
			strcspn(rest + 1, "\n"));
	return z;
}

static size_t
pack(const char *path)
{
	kv_arena_t *a = kv_arena_create(0);
	Zones__Table table = ZONES__TABLE__INIT;
	size_t size;
	char *text = race_read(path, &size), *line;

	must(a != NULL);
	table.zones = kv_arena_new_array(a, Zones__Zone *, size / 8);
	for (line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (*line != '#')
			table.zones[table.n_zones++] = zone_of(a, line);
	packed_size = zones__table__get_packed_size(&table);
	packed = malloc(packed_size);
	must(packed != NULL);
	zones__table__pack(&table, packed);
	kv_arena_destroy(a);
	free(text);
	return table.n_zones;
}

int
main(int argc, char **argv)
{
	struct race race = { "protobuf-c", NULL, request, false, 0 };
	char job[100];
	int status;
	size_t n = pack(race_input(argc, argv, DATA "/zones.tab"));

	snprintf(job, sizeof job, "unpack %zu zones from %zu bytes", n, packed_size);
	race.job = job;
	status = race_run(&race, argc, argv);
	free(packed);
	return status;
}
