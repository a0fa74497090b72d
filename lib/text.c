/* text.c [7] -- copies of bytes and strings, and formatted text
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * All of it is packed: text needs no alignment.
 */
#include "alloc.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char *
invalid(void)
{
	errno = EINVAL;
	return NULL;
}

void *
kv_arena_memdup(kv_arena_t *arena, const void *p, size_t n)
{
	void *copy;

	if (!arena || !p || n == 0)
		return invalid();
	copy = kva_alloc(kva_arena_of(arena), n, 1);
	return copy ? memcpy(copy, p, n) : NULL;
}

/* n bytes of s and a terminator. */
static char *
copy_text(const void *caller, kv_arena_t *arena, const char *s, size_t n)
{
	char *copy = kva_alloc_for(caller, kva_arena_of(arena), n + 1, 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *
kv_arena_strdup(kv_arena_t *arena, const char *s)
{
	if (!arena || !s)
		return invalid();
	return copy_text(KVA_CALLER(), arena, s, strlen(s));
}

/* strnlen reads no byte beyond the n-th, nor beyond the terminator. */
char *
kv_arena_strndup(kv_arena_t *arena, const char *s, size_t n)
{
	if (!arena || !s)
		return invalid();
	return copy_text(KVA_CALLER(), arena, s, strnlen(s, n));
}

static char *
print_text(const void *caller, kv_arena_t *arena, const char *format, va_list args)
{
	va_list again;
	char *text;
	int n;

	if (!arena || !format)
		return invalid();
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0) {	/* errno is EOVERFLOW beyond INT_MAX, else of the format */
		errno = errno == EOVERFLOW ? EOVERFLOW : EINVAL;
		return NULL;
	}
	text = kva_alloc_for(caller, kva_arena_of(arena), (size_t)n + 1, 1);
	if (text)
		vsnprintf(text, (size_t)n + 1, format, args);
	return text;
}

char *
kv_arena_vprintf(kv_arena_t *arena, const char *format, va_list args)
{
	return print_text(KVA_CALLER(), arena, format, args);
}

char *
kv_arena_printf(kv_arena_t *arena, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = print_text(KVA_CALLER(), arena, format, args);
	va_end(args);
	return text;
}
