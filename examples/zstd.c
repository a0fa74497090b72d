/* zstd.c -- compress and decompress an answer, in contexts of their own
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Contexts of hundreds of kilobytes, taken and given back for each message.
 *
 * usage: zstd [--quick] [--line] [FILE]
 */
#define ZSTD_STATIC_LINKING_ONLY	/* ZSTD_customMem */
#include <kv_arena_adapters.h>
#include <zstd.h>

#include "must.h"
#include "race.h"

static char *text;
static size_t text_size;

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	static char packed[1 << 17], unpacked[1 << 17];
	ZSTD_customMem from_arena = {
		kv_arena_adapter_bare_malloc, kv_arena_adapter_bare_free, arena
	};
	ZSTD_customMem counted = { race_malloc, race_free, NULL };
	ZSTD_customMem none = { NULL, NULL, NULL };
	ZSTD_customMem memory = lane == RACE_MALLOC ? none :
		lane == RACE_COUNT ? counted : from_arena;
	ZSTD_CCtx *c = ZSTD_createCCtx_advanced(memory);
	ZSTD_DCtx *d = ZSTD_createDCtx_advanced(memory);
	size_t n;

	must(c != NULL && d != NULL);
	n = ZSTD_compressCCtx(c, packed, sizeof packed, text, text_size, 3);
	must(!ZSTD_isError(n));
	n = ZSTD_decompressDCtx(d, unpacked, sizeof unpacked, packed, n);
	must(n == text_size);
	if (lane != RACE_DISCARD) {
		ZSTD_freeCCtx(c);
		ZSTD_freeDCtx(d);
	}
	return race_sum(1, unpacked, n);
}

int
main(int argc, char **argv)
{
	struct race race = { "zstd", NULL, request, false, 0 };
	char job[100];
	int status;

	text = race_read(race_input(argc, argv, DATA "/requests.txt"), &text_size);
	snprintf(job, sizeof job, "pack and unpack %zu bytes", text_size);
	race.job = job;
	status = race_run(&race, argc, argv);
	free(text);
	return status;
}
