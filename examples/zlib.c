/* zlib.c -- compress an answer, in a context of its own
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Few, large pieces: five that are 270 KB together. What counts is not the
 * pointer but that the pages stay.
 *
 * usage: zlib [--quick] [--line] [FILE]
 */
#include <kv_arena_adapters.h>
#include <zlib.h>

#include "must.h"
#include "race.h"

static char *text;
static size_t text_size;

static void *
counted_zalloc(void *context, unsigned n, unsigned size)
{
	return race_malloc(context, (size_t)n * size);
}

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	static unsigned char answer[1 << 16];
	z_stream z = { 0 };
	uint64_t sum;

	if (lane == RACE_COUNT) {
		z.zalloc = counted_zalloc;
		z.zfree = race_free;
	} else if (lane != RACE_MALLOC) {
		z.zalloc = kv_arena_adapter_zalloc;
		z.zfree = kv_arena_adapter_free;
		z.opaque = arena;
	}
	must(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	z.next_in = (unsigned char *)text;
	z.avail_in = (unsigned)text_size;
	z.next_out = answer;
	z.avail_out = sizeof answer;
	must(deflate(&z, Z_FINISH) == Z_STREAM_END);
	sum = race_sum(1, answer, z.total_out);
	if (lane != RACE_DISCARD)
		deflateEnd(&z);
	return sum;
}

int
main(int argc, char **argv)
{
	struct race race = { "zlib", NULL, request, false, 0 };
	char job[100];
	int status;

	text = race_read(race_input(argc, argv, DATA "/requests.txt"), &text_size);
	snprintf(job, sizeof job, "gzip %zu bytes", text_size);
	race.job = job;
	status = race_run(&race, argc, argv);
	free(text);
	return status;
}
