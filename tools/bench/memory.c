/* memory.c -- W5: of the bytes an arena holds, how many were asked for
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Bytes without alignment, the kv mix and strings, are packed where the peer can do
 * that, in an arena told to take memory in small steps, as one would for them.
 * Twice: by the peer's own account, and by the pages that the process gained
 * when all of it was written, which no account can embellish.
 */
#include "bench.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double
resident(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);
	char *second;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof text - 1) < 0)
		*text = 0;
	close(fd);
	second = strchr(text, ' ');
	return second ? strtod(second, NULL) * (double)sysconf(_SC_PAGESIZE) : 0;
}

static void
pack_all(const struct cell *c, struct life *l, const uint32_t *sizes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		void *p = c->peer->pack(l, sizes[i]);

		if (!p)
			exit(1);
		memset(p, 1, sizes[i]);
	}
}

int
kb_run_memory(const struct cell *c)
{
	bool packed = strcmp(c->column, "seed") != 0;
	size_t n = packed ? 1000000 : 100000;
	uint32_t *sizes = kb_room(n * sizeof *sizes);
	struct life l = {
		.kept = kb_room(n * sizeof(void *)), .expect_n = n,
		.step = packed ? 4096 : 0,
	};
	double asked = 0;
	double before, after;

	l.expect_bytes = kb_mix(c->column, c->seed, sizes, n);
	for (size_t i = 0; i < n; i++)
		asked += sizes[i];
	before = resident();
	if (!kb_open(c, &l))
		return 1;
	if (packed && c->peer->pack)
		pack_all(c, &l, sizes, n);
	else
		c->peer->loops->pass[TOUCH_WHOLE](&l, sizes, n);
	after = resident();
	if (after > before)
		kb_emit("resident", 100 * asked / (after - before));
	if (c->peer->held)
		kb_emit("own", 100 * asked / (double)c->peer->held(&l));
	if (c->peer->handed)
		kb_emit("formula", 100 * (double)c->peer->handed(&l) /
			(double)c->peer->held(&l));
	c->peer->close(&l);
	return 0;
}
