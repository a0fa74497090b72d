/* symbol.c -- names of code addresses
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "config.h"

#include "addresses.h"
#include "elf_file.h"
#include "line.h"
#include "symbol.h"
#include "tool.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known {
	const char *name;
	const char *line;
	bool asked;			/* for the line */
};

struct kvt_symbols {
	struct kvt_symbols *next;
	const struct kvt_trace *trace;
	struct kvt_elf **files;		/* by map; opened when first needed */
	bool *opened;
	struct known *known;
	size_t nknown;
	size_t room;
	struct kvt_addresses *index;	/* frame to known */
	char *(*demangle)(const char *name, char *buffer, size_t *size,
		int *status);
};

static struct kvt_symbols *all;		/* they stay until the end */

struct kvt_symbols *
kvt_symbols_new(const struct kvt_trace *trace)
{
	struct kvt_symbols *s = kvt_array(1, sizeof(*s));
	void *cxx = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);

	s->next = all;
	all = s;
	s->trace = trace;
	s->files = kvt_array(trace->nmaps, sizeof(*s->files));
	s->opened = kvt_array(trace->nmaps, sizeof(*s->opened));
	s->index = kvt_addresses_new();
	if (cxx)
		*(void **)&s->demangle = dlsym(cxx, "__cxa_demangle");
	return s;
}

/* Return the map that holds an address, the latest; or nmaps. */
static size_t
map_of(const struct kvt_trace *t, uint64_t address)
{
	size_t i;

	for (i = t->nmaps; i-- > 0;)
		if (address - t->maps[i].start < t->maps[i].size)
			return i;
	return t->nmaps;
}

static struct kvt_elf *
file_of(struct kvt_symbols *s, size_t map)
{
	if (!s->opened[map]) {
		s->opened[map] = true;
		s->files[map] = kvt_elf_open(s->trace->maps[map].path);
	}
	return s->files[map];
}

static char *
copy_of(const char *text)
{
	return strcpy(kvt_array(strlen(text) + 1, 1), text);
}

/* Shorten a C++ name in place: "std::map<int, char>::insert(int const&)" becomes
 * "std::map<>::insert". */
static void
shorten(char *name)
{
	const char *from = name;
	char *to = name;
	int angles = 0, braces = 0;

	while (*from) {
		static const char word[] = "operator";
		char c = *from;
		if (angles == 0 && strncmp(from, word, sizeof(word) - 1) == 0) {
			size_t n = sizeof(word) - 1;
			n += strncmp(from + n, "()", 2) == 0 ? 2
				: strspn(from + n, "<>=-![]");
			memmove(to, from, n);
			to += n;
			from += n;
			continue;
		}
		if (c == '(' && angles == 0 && braces == 0 &&
			strncmp(from, "(anonymous", 10) != 0)
			break;
		braces += (c == '{') - (c == '}');
		if (c == '>' && angles > 0)
			angles--;
		if (angles == 0)
			*to++ = c;
		if (c == '<')
			angles++;
		from++;
	}
	*to = '\0';
}

/* Take off the type that a template function's name begins with. */
static void
drop_type(char *name)
{
	char *c, *start = name;
	int parentheses = 0;

	for (c = name; *c && strncmp(c, "operator", 8) != 0; c++) {
		parentheses += (*c == '(') - (*c == ')');
		if (*c == ' ' && parentheses == 0)
			start = c + 1;
	}
	memmove(name, start, strlen(start) + 1);
}

/* Without what compilers and linkers add (".isra.0", "@@GLIBC_2.34") and
 * without the arguments of C++. */
static char *
readable(const struct kvt_symbols *s, const char *symbol)
{
	char *plain = NULL;
	int status = 0;

	if (s->demangle && strncmp(symbol, "_Z", 2) == 0)
		plain = s->demangle(symbol, NULL, NULL, &status);
	if (plain) {
		shorten(plain);
		drop_type(plain);
		return plain;
	}
	plain = copy_of(*symbol ? symbol : "?");
	plain[1 + strcspn(plain + 1, ".@")] = '\0';
	return plain;
}

static const char *
find_name(struct kvt_symbols *s, uint64_t frame)
{
	const struct kvt_map *m;
	const char *base, *name = NULL;
	struct kvt_elf *elf;
	uint64_t address, into;
	char text[300];
	size_t map;

	/* A return address is after the call; the call is what is meant. */
	map = map_of(s->trace, frame - 1);
	if (map == s->trace->nmaps) {
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)frame);
		return copy_of(text);
	}
	m = &s->trace->maps[map];
	address = frame - 1 - m->start + m->offset;
	elf = file_of(s, map);
	if (elf) {
		address = kvt_elf_address(elf, address);
		name = kvt_elf_function(elf, address, &into);
	}
	if (name)
		return readable(s, name);
	base = strrchr(m->path, '/');
	snprintf(text, sizeof(text), "%.255s+0x%llx", base ? base + 1 : m->path,
		(unsigned long long)address);
	return copy_of(text);
}

static struct known *
know(struct kvt_symbols *s, uint64_t frame)
{
	uint32_t i = kvt_addresses_take(s->index, frame << 3);

	if (i == KVT_NO_OBJECT) {
		s->known = kvt_grow(s->known, s->nknown, &s->room,
			sizeof(*s->known));
		i = (uint32_t)s->nknown++;
		memset(&s->known[i], 0, sizeof(s->known[i]));
		s->known[i].name = find_name(s, frame);
	}
	kvt_addresses_put(s->index, frame << 3, i);
	return &s->known[i];
}

const char *
kvt_symbol_name(struct kvt_symbols *s, uint64_t frame)
{
	return know(s, frame)->name;
}

const char *
kvt_symbol_line(struct kvt_symbols *s, uint64_t frame)
{
	struct known *k = know(s, frame);
	size_t map = map_of(s->trace, frame - 1);
	const struct kvt_map *m;
	struct kvt_elf *elf;

	if (k->asked || map == s->trace->nmaps)
		return k->line;
	k->asked = true;
	m = &s->trace->maps[map];
	elf = file_of(s, map);
	if (elf)
		k->line = kvt_line_of(m->path, kvt_elf_address(elf,
			frame - 1 - m->start + m->offset));
	return k->line;
}

/* ---- Chains -------------------------------------------------------------------- */

/* Functions of which the user would say "that is malloc, too". */
static bool
hands_on(const char *name)
{
	static const char *const words[] = {
		"malloc", "Malloc", "MALLOC", "calloc", "Calloc", "realloc",
		"Realloc", "operator new", "strdup", "StrDup", "strndup",
		"StrNDup", "memdup", "Alloc", "alloc", "vasprintf", "asprintf",
		"operator delete", "DbFree", "sqlite3_free", "xfree",
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(name, words[i]))
			return true;
	return false;
}

unsigned
kvt_symbol_first(struct kvt_symbols *s, const struct kvt_site *site)
{
	unsigned i;

	for (i = 0; i < site->n; i++)
		if (!hands_on(kvt_symbol_name(s, site->frames[i])))
			return i;
	return 0;
}

char *
kvt_symbol_chain(struct kvt_symbols *s, const struct kvt_site *site, unsigned n,
	char *buffer, size_t size)
{
	unsigned i, first = kvt_symbol_first(s, site);
	size_t used = 0;
	const char *last = "";

	snprintf(buffer, size, "%s", site->n ? "" : "unknown");
	for (i = first; i < site->n && n > 0 && used + 1 < size; i++) {
		const char *name = kvt_symbol_name(s, site->frames[i]);
		if (strcmp(name, last) == 0)	/* recursion */
			continue;
		used += (size_t)snprintf(buffer + used, size - used, "%s%s",
			used ? " < " : "", name);
		last = name;
		n--;
	}
	return buffer;
}
