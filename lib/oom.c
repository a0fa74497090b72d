/* oom.c [6] -- what happens when memory cannot be had
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "oom.h"

#include <stdio.h>
#include <string.h>

static const char *
name_of(const struct kva_arena *a)
{
	return a->extras && a->extras->name[0] ? a->extras->name : "?";
}

static const struct kva_arena *
ancestor(const struct kva_arena *a, unsigned steps)
{
	while (steps-- > 0)
		a = a->parent;
	return a;
}

int
kva_oom_path(const struct kva_arena *a, char *buffer, size_t size)
{
	unsigned depth = 0;
	size_t length = 0;

	while (ancestor(a, depth)->parent)
		depth++;
	for (unsigned up = depth + 1; up-- > 0; ) {
		size_t room = length < size ? size - length : 0;

		length += (size_t)snprintf(room ? buffer + length : NULL, room, "%s%s",
			name_of(ancestor(a, up)), up > 0 ? "/" : "");
	}
	return (int)length;
}

/* The first limit on the way up that has no room for this; 0: none of them. */
static size_t
limit_that_refuses(const struct kva_arena *a, size_t wanted)
{
	for (; a; a = a->parent) {
		size_t limit = a->extras ? a->extras->memory_limit : 0;

		if (limit && (wanted > limit || kva_load_relaxed(&a->charged) > limit - wanted))
			return limit;
	}
	return 0;
}

bool
kva_oom_retry(struct kva_arena *a, size_t wanted)
{
	const struct kva_extras *e = a->extras;
	char path[256], message[400];
	kv_arena_oom_t oom = { kva_arena_public(a), wanted, 0, message };
	int error = errno;
	bool again;

	kva_add_relaxed(&a->failed, 1);
	if (error != ENOMEM)
		return false;
	kva_arena_probe(oom, a, wanted);
	if (!e || !e->on_oom)
		return false;
	oom.limit = limit_that_refuses(a, wanted);
	kva_oom_path(a, path, sizeof path);
	if (oom.limit)
		snprintf(message, sizeof message,
			"kvarena: %s: %zu bytes refused by a limit of %zu, %zu held",
			path, wanted, oom.limit, kva_load_relaxed(&a->charged));
	else
		snprintf(message, sizeof message,
			"kvarena: %s: no memory for %zu bytes, %zu held",
			path, wanted, kva_load_relaxed(&a->charged));
	again = e->on_oom(e->on_oom_context, &oom);
	errno = error;
	return again;
}
