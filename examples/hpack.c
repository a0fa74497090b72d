/* hpack.c -- the header compression of an HTTP/2 connection
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A connection has a compressor and a decompressor with dynamic tables: entries
 * come and go, so this is the case with churn, and the arena takes more than is
 * alive. It lives as long as the connection.
 *
 * usage: hpack [--quick] [--line] [REQUESTS.TXT]
 */
#include <ctype.h>
#include <kv_arena_adapters.h>
#include <nghttp2/nghttp2.h>

#include "must.h"
#include "race.h"

enum { MAX_REQUESTS = 100, MAX_HEADERS = 40 };

struct header_list {
	nghttp2_nv nv[MAX_HEADERS];
	size_t n;
};

static struct header_list requests[MAX_REQUESTS];
static size_t nrequests;

/* ---- A connection ------------------------------------------------------------- */

static void *
counted_malloc(size_t size, void *context)
{
	return race_malloc(context, size);
}

static void *
counted_calloc(size_t n, size_t size, void *context)
{
	return race_calloc(context, n, size);
}

static void *
counted_realloc(void *ptr, size_t size, void *context)
{
	return race_realloc(context, ptr, size);
}

static void
counted_free(void *ptr, void *context)
{
	race_free(context, ptr);
}

static uint64_t
inflate(nghttp2_hd_inflater *in, const uint8_t *p, size_t size)
{
	uint64_t sum = 0;
	nghttp2_nv nv;
	int flags = 0;

	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		ssize_t n = nghttp2_hd_inflate_hd2(in, &nv, &flags, p, size, 1);

		must(n >= 0);
		p += n;
		size -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			sum = race_sum(sum, nv.value, nv.valuelen);
	}
	nghttp2_hd_inflate_end_headers(in);
	return sum;
}

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	nghttp2_mem from_arena = {
		arena, kv_arena_adapter_malloc_in, kv_arena_adapter_free_in,
		kv_arena_adapter_calloc_in, kv_arena_adapter_realloc_in
	};
	nghttp2_mem counted = {
		NULL, counted_malloc, counted_free, counted_calloc, counted_realloc
	};
	nghttp2_mem *memory = lane == RACE_MALLOC ? NULL :
		lane == RACE_COUNT ? &counted : &from_arena;
	nghttp2_hd_deflater *out;
	nghttp2_hd_inflater *in;
	uint64_t sum = 0;
	size_t i;

	must(nghttp2_hd_deflate_new2(&out, 4096, memory) == 0);
	must(nghttp2_hd_inflate_new2(&in, memory) == 0);
	for (i = 0; i < nrequests; i++) {
		uint8_t frame[4096];
		ssize_t size = nghttp2_hd_deflate_hd(out, frame, sizeof frame,
			requests[i].nv, requests[i].n);

		must(size > 0);
		sum = sum * 31 + inflate(in, frame, (size_t)size);
	}
	if (lane != RACE_DISCARD) {
		nghttp2_hd_deflate_del(out);
		nghttp2_hd_inflate_del(in);
	}
	return sum;
}

/* ---- The requests, as header lists ------------------------------------------------ */

static void
add(kv_arena_t *a, const char *name, const char *value, size_t size)
{
	struct header_list *l = &requests[nrequests];
	nghttp2_nv *nv = &l->nv[l->n++];
	char *lower = kv_arena_strdup(a, name), *p;

	must(l->n < MAX_HEADERS && lower != NULL);
	for (p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	memset(nv, 0, sizeof *nv);
	nv->name = (uint8_t *)lower;
	nv->namelen = strlen(lower);
	nv->value = kv_arena_memdup(a, value, size ? size : 1);
	nv->valuelen = size;
}

static void
add_header(kv_arena_t *a, const char *line)
{
	size_t name = strcspn(line, ":\n");
	const char *value = line + name + 1;

	if (line[name] != ':')
		return;
	value += strspn(value, " ");
	if (strncmp(line, "Host:", 5) == 0 || strncmp(line, "host:", 5) == 0)
		add(a, ":authority", value, strcspn(value, "\n"));
	else if (tolower((unsigned char)*line) != 'c' || line[2] != 'n' ||
		 line[3] != 'n')			/* Connection: */
		add(a, kv_arena_strndup(a, line, name), value,
			strcspn(value, "\n"));
}

static void
read_requests(kv_arena_t *a, const char *text)
{
	while (*text && nrequests < MAX_REQUESTS) {
		size_t method = strcspn(text, " ");
		const char *path = text + method + 1;

		add(a, ":method", text, method);
		add(a, ":scheme", "https", 5);
		add(a, ":path", path, strcspn(path, " "));
		text += strcspn(text, "\n") + 1;
		while (*text && *text != '\n') {
			add_header(a, text);
			text += strcspn(text, "\n") + 1;
		}
		nrequests++;
		text = strstr(text, "\n----\n");
		if (!text)
			return;
		text += 6;
	}
}

int
main(int argc, char **argv)
{
	struct race race = { "nghttp2", NULL, request, false, 0 };
	kv_arena_t *a = kv_arena_create(0);
	size_t size;
	char *text = race_read(race_input(argc, argv, DATA "/requests.txt"), &size);
	int status;

	must(a != NULL);
	read_requests(a, text);
	race.job = kv_arena_printf(a, "the headers of a connection of %zu requests",
		nrequests);
	status = race_run(&race, argc, argv);
	kv_arena_destroy(a);
	free(text);
	return status;
}
