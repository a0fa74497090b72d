/* memtable.c -- the table of a storage engine: a skip list over records
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Edge T1: a node and its entry, written before the release CAS that links
 * them, are visible after the acquire load that finds them. Nodes are never
 * unlinked, so nothing is freed under a reader and there is no ABA.
 */
#include "memtable.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

static struct node *
next_of(const struct node *n, unsigned level)
{
	return __atomic_load_n(&n->next[level], __ATOMIC_ACQUIRE);	/* T1 */
}

static int
compare(const char *a, const char *b)
{
	uint32_t na, nb;
	uint64_t sa, sb;
	int order;

	memcpy(&na, a, 4);
	memcpy(&nb, b, 4);
	order = memcmp(a + KB_ENTRY_HEAD, b + KB_ENTRY_HEAD, na < nb ? na : nb);
	if (order || na != nb)
		return order ? order : na < nb ? -1 : 1;
	memcpy(&sa, a + 4, 8);
	memcpy(&sb, b + 4, 8);
	return sa < sb ? 1 : sa > sb ? -1 : 0;	/* newest first */
}

void
kb_table_start(struct table *t)
{
	memset(&t->head, 0, sizeof t->head);
}

/* Go right on a level as long as the entries there are smaller. */
static struct node *
last_before(struct node *n, unsigned level, const char *entry, struct node **after)
{
	for (;;) {
		struct node *next = next_of(n, level);

		if (!next || compare(next->entry, entry) >= 0) {
			*after = next;
			return n;
		}
		n = next;
	}
}

void
kb_table_insert(struct table *t, struct node *node, unsigned height,
	const char *entry)
{
	struct node *before[KB_MAX_HEIGHT];
	struct node *after[KB_MAX_HEIGHT];
	struct node *n = &t->head.node;

	for (unsigned level = KB_MAX_HEIGHT; level-- > 0;) {
		n = last_before(n, level, entry, &after[level]);
		before[level] = n;
	}
	node->entry = entry;
	for (unsigned level = 0; level < height; level++) {
		for (;;) {
			/* relaxed: the CAS below publishes it (T1) */
			__atomic_store_n(&node->next[level], after[level],
				__ATOMIC_RELAXED);
			if (__atomic_compare_exchange_n(&before[level]->next[level],
				&after[level], node, false, __ATOMIC_RELEASE,
				__ATOMIC_RELAXED))
				break;
			before[level] = last_before(before[level], level, entry,
				&after[level]);
		}
	}
}

size_t
kb_table_check(const struct table *t)
{
	const struct node *n = next_of(&t->head.node, 0);
	size_t count = 0;

	for (; n; count++) {
		const struct node *next = next_of(n, 0);

		if (next && compare(n->entry, next->entry) >= 0)
			return 0;
		n = next;
	}
	return count;
}

/* Big text files that systems have, the most record-like first. */
const char *
kb_records_default(void)
{
	static const char *const paths[] = {
		"/var/lib/dpkg/status", "/usr/share/dict/words",
		"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids",
		"/usr/share/common-licenses/GPL-3", "/etc/services",
		"/proc/self/smaps",
	};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (!access(paths[i], R_OK))
			return paths[i];
	}
	return NULL;
}

static char *
read_all(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	size_t room = 0;

	*size = 0;
	if (!f)
		return NULL;
	do {
		char *more = realloc(text, room += 1 << 20);

		if (!more)
			break;
		text = more;
		*size += fread(text + *size, 1, room - *size, f);
	} while (*size == room);
	fclose(f);
	return text;
}

/* The text stays allocated: records point into it until the process ends. */
size_t
kb_records_read(const char *path, struct record *records, size_t count)
{
	size_t size;
	char *text = read_all(path, &size);
	size_t n = 0;

	while (text && n < count) {
		size_t before = n;
		char *line = text;

		while (n < count && line < text + size) {
			char *end = memchr(line, '\n', (size_t)(text + size - line));

			if (!end)
				end = text + size;
			if (end - line > 0 && end - line < 4096) {
				records[n].line = line;
				records[n].size = (uint32_t)(end - line);
				records[n].key_size = records[n].size < 32
					? records[n].size : 32;
				n++;
			}
			line = end + 1;
		}
		if (n == before)
			return 0;
	}
	return n;
}
