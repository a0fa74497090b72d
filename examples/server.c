/* server.c -- a server's loop: an arena per request
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Recorded requests are parsed as a server does, into lists of strings; an answer
 * is looked up and built; all of it ends with the request. The same code serves
 * from malloc, where every piece is freed, and from an arena, where one reset
 * follows. The network is left out: it would cost both the same.
 *
 * usage: server [--quick] [--line] [REQUESTS.TXT]
 */
#include <ctype.h>
#include <kv_arena.h>

#include "must.h"
#include "race.h"

/* ---- Memory of a request ------------------------------------------------------- */

struct memory {
	enum race_lane lane;
	kv_arena_t *arena;
};

static inline void *
take(struct memory *m, size_t size)
{
	void *p = m->arena ? kv_arena_alloc(m->arena, size) :
		m->lane == RACE_COUNT ? race_malloc(NULL, size) : malloc(size);

	must(p != NULL);
	return p;
}

static inline void *
grow(struct memory *m, void *old, size_t old_size, size_t size)
{
	void *p = m->arena ? kv_arena_realloc(m->arena, old, old_size, size) :
		m->lane == RACE_COUNT ? race_realloc(NULL, old, size) :
		realloc(old, size);

	must(p != NULL);
	return p;
}

static inline void
end(struct memory *m, void *p)
{
	if (m->arena)
		return;
	if (m->lane == RACE_COUNT)
		race_free(NULL, p);
	else
		free(p);
}

/* ---- A request ------------------------------------------------------------------- */

struct pair {
	struct pair *next;
	char *key, *value;
};

struct request {
	char *method, *path, *body;
	struct pair *headers, *params, *cookies;
};

static char *
copy(struct memory *m, const char *s, size_t n)
{
	char *p = take(m, n + 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

static unsigned
hex(int c)
{
	return isdigit(c) ? (unsigned)c - '0' : ((unsigned)c | 32) - 'a' + 10;
}

/* A copy with %41 and + decoded. */
static char *
decoded(struct memory *m, const char *s, size_t n)
{
	char *p = take(m, n + 1), *to = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i] == '%' && i + 2 < n && isxdigit((unsigned char)s[i + 1]) &&
		    isxdigit((unsigned char)s[i + 2])) {
			*to++ = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
			i += 2;
		} else {
			*to++ = s[i] == '+' ? ' ' : s[i];
		}
	*to = '\0';
	return p;
}

static void
add(struct memory *m, struct pair **list, char *key, char *value)
{
	struct pair *p = take(m, sizeof *p);

	p->key = key;
	p->value = value;
	p->next = *list;
	*list = p;
}

static const char *
find(const struct pair *list, const char *key)
{
	for (; list; list = list->next)
		if (strcmp(list->key, key) == 0)
			return list->value;
	return NULL;
}

/* key=value pairs with something between them, as in "a=1&b=2". */
static void
add_all(struct memory *m, struct pair **list, const char *s, size_t n, char between)
{
	const char *stop = s + n;

	while (s < stop) {
		const char *e, *eq;

		while (s < stop && *s == ' ')
			s++;
		e = memchr(s, between, (size_t)(stop - s));
		e = e ? e : stop;
		eq = memchr(s, '=', (size_t)(e - s));
		if (eq)
			add(m, list, decoded(m, s, (size_t)(eq - s)),
				decoded(m, eq + 1, (size_t)(e - eq - 1)));
		s = e + 1;
	}
}

static void
add_header(struct memory *m, struct request *r, const char *line, size_t n)
{
	size_t name = strcspn(line, ":\n"), i;
	char *key, *value;

	if (name >= n)
		return;
	key = copy(m, line, name);
	for (i = 0; i < name; i++)
		key[i] = (char)tolower((unsigned char)key[i]);
	line += name + 1;
	n -= name + 1;
	while (n && *line == ' ')
		line++, n--;
	value = copy(m, line, n);
	add(m, &r->headers, key, value);
	if (strcmp(key, "cookie") == 0)
		add_all(m, &r->cookies, value, n, ';');
}

static void
parse(struct memory *m, struct request *r, const char *text)
{
	size_t method = strcspn(text, " ");
	const char *target = text + method + 1, *type;
	size_t all = strcspn(target, " "), path = strcspn(target, "? ");

	memset(r, 0, sizeof *r);
	r->method = copy(m, text, method);
	r->path = decoded(m, target, path);
	if (path < all)
		add_all(m, &r->params, target + path + 1, all - path - 1, '&');
	text += strcspn(text, "\n") + 1;
	while (*text && *text != '\n') {
		size_t n = strcspn(text, "\n");

		add_header(m, r, text, n);
		text += n + 1;
	}
	text += *text == '\n';
	r->body = copy(m, text, strlen(text));
	type = find(r->headers, "content-type");
	if (type && strcmp(type, "application/x-www-form-urlencoded") == 0)
		add_all(m, &r->params, r->body, strlen(r->body), '&');
}

static void
end_list(struct memory *m, struct pair *list)
{
	while (list) {
		struct pair *next = list->next;

		end(m, list->key);
		end(m, list->value);
		end(m, list);
		list = next;
	}
}

static void
end_request(struct memory *m, struct request *r)
{
	end(m, r->method);
	end(m, r->path);
	end(m, r->body);
	end_list(m, r->headers);
	end_list(m, r->params);
	end_list(m, r->cookies);
}

/* ---- The answer --------------------------------------------------------------------- */

struct text {
	char *p;
	size_t n, room;
};

static void
put(struct memory *m, struct text *t, const char *s, size_t n)
{
	if (t->n + n > t->room) {
		size_t room = t->room ? 2 * t->room : 256;

		while (room < t->n + n)
			room *= 2;
		t->p = grow(m, t->p, t->room, room);
		t->room = room;
	}
	memcpy(t->p + t->n, s, n);
	t->n += n;
}

static void
puts_to(struct memory *m, struct text *t, const char *s)
{
	put(m, t, s, strlen(s));
}

/* The zones of each country by its two letters, and of all under "@@". */
enum { COUNTRIES = 27 * 27 };
static struct {
	const char **tz;
	size_t n;
} zones[COUNTRIES];

static size_t
country_index(const char *code)
{
	size_t a = (size_t)(code[0] - '@'), b = a < 27 ? (size_t)(code[1] - '@') : 0;

	return a < 27 && b < 27 ? 27 * a + b : 0;
}

static void
add_zone(kv_arena_t *a, const char *code, const char *tz)
{
	size_t i = country_index(code), n = zones[i].n;

	zones[i].tz = kv_arena_realloc(a, zones[i].tz, n * sizeof tz,
		(n + 1) * sizeof tz);
	must(zones[i].tz != NULL);
	zones[i].tz[n] = tz;
	zones[i].n++;
}

static void
read_zones(kv_arena_t *a, const char *line)
{
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *code, *tz = line;

		if (*line == '#')
			continue;
		tz += strcspn(tz, "\t") + 1;		/* the codes */
		tz += strcspn(tz, "\t") + 1;		/* the coordinates */
		tz = kv_arena_strndup(a, tz, strcspn(tz, "\t\n"));
		add_zone(a, "@@", tz);
		for (code = line; ; code += 3) {
			add_zone(a, code, tz);
			if (code[2] != ',')
				break;
		}
	}
}

/* Put the zones of a country, or all, as JSON. */
static void
put_zones(struct memory *m, struct text *t, const char *country, size_t limit)
{
	size_t c = country_index(country ? country : "@@"), i;

	puts_to(m, t, "{\"zones\":[");
	for (i = 0; i < zones[c].n && i < limit; i++) {
		puts_to(m, t, i ? ",{\"tz\":\"" : "{\"tz\":\"");
		puts_to(m, t, zones[c].tz[i]);
		puts_to(m, t, "\"}");
	}
	puts_to(m, t, "]}\n");
}

static void
answer(struct memory *m, const struct request *r, struct text *t)
{
	const char *limit = find(r->params, "limit");
	const char *session = find(r->cookies, "session");
	const char *agent = find(r->headers, "user-agent");
	struct text body = { NULL, 0, 0 };
	char length[40];

	put_zones(m, &body, find(r->params, "country"),
		limit ? strtoul(limit, NULL, 10) : 5);
	puts_to(m, t, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
	if (session) {
		puts_to(m, t, "Set-Cookie: session=");
		puts_to(m, t, session);
		puts_to(m, t, "\r\n");
	}
	snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", body.n);
	puts_to(m, t, length);
	if (strcmp(r->method, "HEAD") != 0)
		put(m, t, body.p, body.n);
	puts_to(m, t, agent ? agent : "-");	/* for the log */
	end(m, body.p);
}

/* ---- The loop --------------------------------------------------------------------------- */

enum { MAX_REQUESTS = 100 };
static char *requests[MAX_REQUESTS];

static uint64_t
request(enum race_lane lane, kv_arena_t *arena)
{
	struct memory m = {
		lane, lane == RACE_ARENA || lane == RACE_DISCARD ? arena : NULL
	};
	struct text out = { NULL, 0, 0 };
	struct request r;
	uint64_t sum;

	parse(&m, &r, requests[race_item]);
	answer(&m, &r, &out);
	sum = race_sum(1, out.p, out.n);	/* "send" */
	if (lane != RACE_DISCARD) {
		end(&m, out.p);
		end_request(&m, &r);
	}
	return sum;
}

int
main(int argc, char **argv)
{
	struct race race = { "server", NULL, request, false, 0 };
	kv_arena_t *table = kv_arena_create(0);
	size_t size, zones_size;
	char *text = race_read(race_input(argc, argv, DATA "/requests.txt"), &size);
	char *zones_text = race_read(DATA "/zones.tab", &zones_size);
	char *s = text, job[100];
	int status;

	must(table != NULL);
	read_zones(table, zones_text);
	free(zones_text);
	while (s && *s && race.items < MAX_REQUESTS) {
		requests[race.items++] = s;
		s = strstr(s, "\n----\n");
		if (s) {
			*s = '\0';
			s += 6;
		}
	}
	snprintf(job, sizeof job, "%zu recorded requests", race.items);
	race.job = job;
	status = race_run(&race, argc, argv);
	kv_arena_destroy(table);
	free(text);
	return status;
}
