/* pprof.c [6] -- a profile as a protocol buffer
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The format is pprof's profile.proto; tests/profile.proto has the part of it that
 * is written here. Fields of a message may come in any order, so each is written as
 * soon as it is known, and a string when it is first used: its number is its turn.
 * Only code addresses are kept, sorted: an address is a location, and its place among
 * them is the location's number. Functions have names as far as the dynamic symbols
 * tell; mappings let pprof find the others in the files.
 */
#include "pprof.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of fields. */
enum { SAMPLE_TYPE = 1, SAMPLE, MAPPING, LOCATION, FUNCTION, STRING_TABLE,
	PERIOD_TYPE = 11, PERIOD = 12, DEFAULT_SAMPLE_TYPE = 14 };
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_LOCATIONS = 1, SAMPLE_VALUES, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STRING };
enum { MAPPING_ID = 1, MAPPING_START, MAPPING_LIMIT, MAPPING_OFFSET, MAPPING_FILE };
enum { LOCATION_ID = 1, LOCATION_MAPPING, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION = 1 };
enum { FUNCTION_ID = 1, FUNCTION_NAME };

/* What follows a field's number: a number, or a length and as many bytes. */
enum wire { VARINT = 0, BYTES = 2 };

/* A message being made. The longest is a sample: 64 locations of at most 5 bytes, 4
 * values of 10, a label. */
struct message {
	size_t n;
	unsigned char bytes[512];
};

struct location {
	uintptr_t address;
	uint64_t mapping;		/* 0: in none */
};

struct writer {
	FILE *out;
	uint64_t strings, functions, mappings;	/* written so far */
	struct location *locations;
	size_t nlocations;
};

/* ---- Fields ------------------------------------------------------------------- */

static size_t
encode(uint64_t value, unsigned char *bytes)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (unsigned char)(value | 0x80);
	bytes[n++] = (unsigned char)value;
	return n;
}

static void
put_varint(struct message *m, uint64_t value)
{
	assert(m->n + 10 <= sizeof m->bytes);
	m->n += encode(value, m->bytes + m->n);
}

/* 0 is what a field is if it is not there. */
static void
put_number(struct message *m, unsigned field, uint64_t value)
{
	if (value == 0)
		return;
	put_varint(m, field << 3 | VARINT);
	put_varint(m, value);
}

static void
put_message(struct message *m, unsigned field, const struct message *inner)
{
	put_varint(m, field << 3 | BYTES);
	put_varint(m, inner->n);
	assert(m->n + inner->n <= sizeof m->bytes);
	memcpy(m->bytes + m->n, inner->bytes, inner->n);
	m->n += inner->n;
}

/* The outermost message is never seen whole. */
static void
write_bytes(struct writer *w, unsigned field, const void *bytes, size_t n)
{
	struct message head = { 0 };

	put_varint(&head, field << 3 | BYTES);
	put_varint(&head, n);
	fwrite(head.bytes, 1, head.n, w->out);
	fwrite(bytes, 1, n, w->out);
}

static void
write_message(struct writer *w, unsigned field, const struct message *m)
{
	write_bytes(w, field, m->bytes, m->n);
}

static void
write_number(struct writer *w, unsigned field, uint64_t value)
{
	struct message m = { 0 };

	put_number(&m, field, value);
	fwrite(m.bytes, 1, m.n, w->out);
}

/* Returns the string's number. The first, 0, must be empty. */
static uint64_t
write_string(struct writer *w, const char *s)
{
	write_bytes(w, STRING_TABLE, s, strlen(s));
	return w->strings++;
}

/* ---- What is counted ---------------------------------------------------------- */

static const struct {
	const char *type, *unit;
} amounts[KVA_AMOUNTS] = {
	[KVA_BYTES] = { "bytes", "bytes" },
	[KVA_OBJECTS] = { "objects", "count" },
	[KVA_PADDING] = { "padding", "bytes" },
	[KVA_ABANDONED] = { "abandoned", "bytes" },
};

static void
write_type(struct writer *w, unsigned field, uint64_t type, uint64_t unit)
{
	struct message m = { 0 };

	put_number(&m, TYPE_TYPE, type);
	put_number(&m, TYPE_UNIT, unit);
	write_message(w, field, &m);
}

static void
write_head(struct writer *w, const struct kva_profile *p)
{
	uint64_t type, unit;

	write_string(w, "");
	for (unsigned i = 0; i < KVA_AMOUNTS; i++) {
		type = write_string(w, amounts[i].type);
		unit = write_string(w, amounts[i].unit);
		write_type(w, SAMPLE_TYPE, type, unit);
		if (i != KVA_BYTES)
			continue;
		write_number(w, DEFAULT_SAMPLE_TYPE, type);
		write_type(w, PERIOD_TYPE, type, unit);
	}
	write_number(w, PERIOD, p->interval);
}

/* ---- Where -------------------------------------------------------------------- */

static int
compare_locations(const void *a, const void *b)
{
	const struct location *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* False: ENOMEM. */
static bool
gather_locations(struct writer *w, const struct kva_profile *p)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < p->nsites; i++)
		n += p->sites[i].depth;
	w->locations = kva_os.alloc((n + 1) * sizeof *w->locations, sizeof(uint64_t));
	if (!w->locations)
		return false;
	n = 0;
	for (size_t i = 0; i < p->nsites; i++)
		for (size_t f = 0; f < p->sites[i].depth; f++)
			w->locations[n++] = (struct location){
				kva_profile_call(p->sites[i].frames[f]), 0
			};
	qsort(w->locations, n, sizeof *w->locations, compare_locations);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || w->locations[i].address != w->locations[kept - 1].address)
			w->locations[kept++] = w->locations[i];
	w->nlocations = kept;
	return true;
}

static uint64_t
location_of(const struct writer *w, const void *frame)
{
	struct location key = { kva_profile_call(frame), 0 };
	const struct location *l = bsearch(&key, w->locations, w->nlocations,
		sizeof key, compare_locations);

	return (uint64_t)(l - w->locations) + 1;
}

static void
write_mapping(void *writer, const struct kva_mapping *mapping)
{
	struct writer *w = writer;
	struct message m = { 0 };

	put_number(&m, MAPPING_ID, ++w->mappings);
	put_number(&m, MAPPING_START, mapping->start);
	put_number(&m, MAPPING_LIMIT, mapping->end);
	put_number(&m, MAPPING_OFFSET, mapping->offset);
	put_number(&m, MAPPING_FILE, write_string(w, mapping->path));
	write_message(w, MAPPING, &m);
	for (size_t i = 0; i < w->nlocations; i++)
		if (w->locations[i].address >= mapping->start &&
		    w->locations[i].address < mapping->end)
			w->locations[i].mapping = w->mappings;
}

static void
write_function(struct writer *w, const char *name)
{
	struct message m = { 0 };

	put_number(&m, FUNCTION_ID, ++w->functions);
	put_number(&m, FUNCTION_NAME, write_string(w, name));
	write_message(w, FUNCTION, &m);
}

/* Where is in the function written last if it has one. */
static void
write_location(struct writer *w, uint64_t id, struct location where, bool has_function)
{
	struct message m = { 0 }, line = { 0 };

	put_number(&m, LOCATION_ID, id);
	put_number(&m, LOCATION_MAPPING, where.mapping);
	put_number(&m, LOCATION_ADDRESS, where.address);
	put_number(&line, LINE_FUNCTION, w->functions);
	if (has_function)
		put_message(&m, LOCATION_LINE, &line);
	write_message(w, LOCATION, &m);
}

/* Sorted as they are, those of one function follow each other. The last stands for
 * the stacks that are not known. */
static void
write_locations(struct writer *w)
{
	struct kva_symbol s;
	uintptr_t start = 0;
	bool is_known;

	kva_os.mappings(write_mapping, w);
	for (size_t i = 0; i < w->nlocations; i++) {
		is_known = kva_os.symbol((void *)w->locations[i].address, &s) && s.name;
		if (is_known && s.start != start) {
			write_function(w, s.name);
			start = s.start;
		}
		write_location(w, i + 1, w->locations[i], is_known);
	}
	write_function(w, KVA_OTHER_STACKS);
	write_location(w, w->nlocations + 1, (struct location){ 0, 0 }, true);
}

/* ---- Samples ------------------------------------------------------------------ */

static void
write_sample(struct writer *w, const struct kva_site *s, const struct message *label)
{
	struct message m = { 0 }, locations = { 0 }, values = { 0 };

	for (size_t f = 0; f < s->depth; f++)
		put_varint(&locations, location_of(w, s->frames[f]));
	if (s->depth == 0)
		put_varint(&locations, w->nlocations + 1);
	for (unsigned i = 0; i < KVA_AMOUNTS; i++)
		put_varint(&values, kva_profile_amount(s, (enum kva_amount)i));
	put_message(&m, SAMPLE_LOCATIONS, &locations);
	put_message(&m, SAMPLE_VALUES, &values);
	put_message(&m, SAMPLE_LABEL, label);
	write_message(w, SAMPLE, &m);
}

static bool
is_empty(const struct kva_site *s)
{
	for (unsigned i = 0; i < KVA_AMOUNTS; i++)
		if (kva_profile_amount(s, (enum kva_amount)i) > 0)
			return false;
	return true;
}

static void
write_part(struct writer *w, const struct kva_part *part, uint64_t key)
{
	struct message label = { 0 };

	put_number(&label, LABEL_KEY, key);
	put_number(&label, LABEL_STRING, write_string(w, part->path));
	for (size_t i = 0; i < part->n; i++)
		if (!is_empty(&part->sites[i]))
			write_sample(w, &part->sites[i], &label);
}

bool
kva_pprof_write(const struct kva_profile *p, FILE *out)
{
	struct writer w = { .out = out };
	uint64_t key;

	if (!gather_locations(&w, p))
		return false;
	write_head(&w, p);
	write_locations(&w);
	key = write_string(&w, "arena");
	for (size_t i = 0; i < p->nparts; i++)
		write_part(&w, &p->parts[i], key);
	kva_os.free(w.locations);
	return true;
}
