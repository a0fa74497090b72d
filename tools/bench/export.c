/* export.c -- every figure for machines: JSON and CSV
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <errno.h>
#include <string.h>

#include "report.h"
#include "results.h"

static void
put_string(FILE *f, const char *s)
{
	putc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putc('\\', f);
		if ((unsigned char)*s >= ' ')
			putc(*s, f);
	}
	putc('"', f);
}

static void
put_field(FILE *f, const char *name, const char *value, const char *after)
{
	put_string(f, name);
	fprintf(f, ": ");
	put_string(f, value);
	fprintf(f, "%s", after);
}

static void
put_series(FILE *f, const struct series *s)
{
	fprintf(f, "    {");
	put_field(f, "workload", s->workload, ", ");
	put_field(f, "column", s->column, ", ");
	put_field(f, "touch", kb_touch_names[s->touch], ", ");
	put_field(f, "peer", s->peer, ", ");
	put_field(f, "metric", s->metric, ", ");
	fprintf(f, "\"median\": %.6g, \"min\": %.6g, \"max\": %.6g, \"values\": [",
		kb_mid(s), kb_low(s), kb_high(s));
	for (size_t i = 0; i < s->n; i++)
		fprintf(f, "%s%.6g", i ? ", " : "", s->value[i]);
	fprintf(f, "]}");
}

static bool
finish(FILE *f, const char *path)
{
	bool bad = ferror(f);

	bad |= fclose(f) != 0;
	if (bad)
		fprintf(stderr, "kvarena-bench: %s: %s\n", path, strerror(errno));
	return !bad;
}

static FILE *
begin(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		fprintf(stderr, "kvarena-bench: %s: %s\n", path, strerror(errno));
	return f;
}

bool
kb_write_json(const struct options *o, const struct presence *presence)
{
	static const char *const met[] = { "null", "true", "false" };
	FILE *f = begin(o->json);
	size_t n;
	const struct fact *facts = kb_facts(&n);
	const struct row *rows;

	if (!f)
		return false;
	fprintf(f, "{\n  \"facts\": {\n");
	for (size_t i = 0; i < n; i++) {
		fprintf(f, "    ");
		put_field(f, facts[i].name, facts[i].value, i + 1 < n ? ",\n" : "\n");
	}
	fprintf(f, "  },\n  \"rounds\": %u, \"quick\": %s, \"seed\": %llu,\n"
		"  \"peers\": [\n", o->rounds, o->quick ? "true" : "false",
		(unsigned long long)o->seed);
	for (size_t i = 0; kb_peers[i]; i++) {
		fprintf(f, "    {");
		put_field(f, "name", kb_peers[i]->name, ", ");
		put_field(f, "about", kb_peers[i]->about, ", ");
		put_field(f, "version", presence[i].version, ", ");
		fprintf(f, "\"here\": %s}%s\n", presence[i].here ? "true" : "false",
			kb_peers[i + 1] ? "," : "");
	}
	fprintf(f, "  ],\n  \"rows\": [\n");
	rows = kb_rows(o, &n);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, "    {");
		put_field(f, "row", rows[i].what, ", ");
		put_field(f, "must", rows[i].must, ", ");
		put_field(f, "measured", rows[i].measured, ", ");
		fprintf(f, "\"met\": %s}%s\n", met[rows[i].met], i + 1 < n ? "," : "");
	}
	fprintf(f, "  ],\n  \"figures\": [\n");
	for (size_t i = 0; i < kb_series_count(); i++) {
		put_series(f, kb_series_at(i));
		fprintf(f, "%s\n", i + 1 < kb_series_count() ? "," : "");
	}
	fprintf(f, "  ]\n}\n");
	return finish(f, o->json);
}

bool
kb_write_csv(const struct options *o)
{
	FILE *f = begin(o->csv);

	if (!f)
		return false;
	fprintf(f, "workload,column,touch,peer,metric,rounds,median,min,max\n");
	for (size_t i = 0; i < kb_series_count(); i++) {
		const struct series *s = kb_series_at(i);

		fprintf(f, "%s,%s,%s,%s,%s,%zu,%.6g,%.6g,%.6g\n", s->workload,
			s->column, kb_touch_names[s->touch], s->peer, s->metric, s->n,
			kb_mid(s), kb_low(s), kb_high(s));
	}
	return finish(f, o->csv);
}
