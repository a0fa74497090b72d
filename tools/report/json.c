/* json.c -- JSON text as a tree
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * RFC 8259, by recursive descent. Nesting is bounded, so that no text can
 * exhaust the stack.
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define DEEPEST 64

struct parser {
	kv_arena_t *arena;
	const char *p;
	const char *end;
	struct kvr_json_error *error;
	unsigned depth;
};

/* Note the first thing that is wrong; always NULL. */
static void *
fail(struct parser *s, const char *message)
{
	if (!s->error->message)
		s->error->message = message;
	return NULL;
}

static void
skip_space(struct parser *s)
{
	for (; s->p < s->end; s->p++) {
		if (*s->p == '\n')
			s->error->line++;
		else if (*s->p != ' ' && *s->p != '\t' && *s->p != '\r')
			return;
	}
}

/* Take a character, after white space, if it is next. */
static bool
take(struct parser *s, char c)
{
	skip_space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static struct kvr_json *
new_value(struct parser *s, enum kvr_json_kind kind)
{
	struct kvr_json *v = kv_arena_calloc(s->arena, 1, sizeof(*v));

	if (!v)
		return fail(s, "no memory");
	v->kind = kind;
	return v;
}

/* ---- Strings ---------------------------------------------------------------------- */

static bool
read_hex(struct parser *s, unsigned *value)
{
	unsigned i;

	if (s->end - s->p < 4)
		return false;
	*value = 0;
	for (i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdef";
		char c = *s->p++;
		const char *d = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c)
			: NULL;
		if (!d)
			return false;
		*value = *value << 4 | (unsigned)(d - digits);
	}
	return true;
}

static char *
put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* Read what follows "\u": one character, of two escapes where it is a pair. A
 * half of a pair alone becomes U+FFFD, and so does 0, which would end the
 * string. */
static char *
read_unicode(struct parser *s, char *to)
{
	unsigned c, low;

	if (!read_hex(s, &c))
		return NULL;
	if (c >= 0xd800 && c < 0xdc00 && s->end - s->p >= 6 && s->p[0] == '\\' &&
		s->p[1] == 'u') {
		s->p += 2;
		if (!read_hex(s, &low))
			return NULL;
		if (low >= 0xdc00 && low < 0xe000)
			return put_utf8(to, 0x10000 + ((c & 0x3ff) << 10) +
				(low & 0x3ff));
		to = put_utf8(to, 0xfffd);
		c = low;
	}
	if ((c >= 0xd800 && c < 0xe000) || c == 0)
		c = 0xfffd;
	return put_utf8(to, c);
}

static char *
read_escape(struct parser *s, char *to)
{
	static const char from[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *at;
	char c;

	if (s->p == s->end)
		return NULL;
	c = *s->p++;
	if (c == 'u')
		return read_unicode(s, to);
	at = c ? strchr(from, c) : NULL;
	if (!at)
		return NULL;
	*to++ = means[at - from];
	return to;
}

/* The opening quote has been taken. No escape grows when it is decoded. */
static const char *
read_string(struct parser *s)
{
	const char *close = s->p;
	char *text, *to;

	while (close < s->end && *close != '"')
		close += *close == '\\' && s->end - close > 1 ? 2 : 1;
	if (close >= s->end)
		return fail(s, "a string does not end");
	/* "\u0000" is 6 bytes and becomes 3, so that the 0 always fits. */
	to = text = kv_arena_alloc(s->arena, (size_t)(close - s->p) + 1);
	if (!text)
		return fail(s, "no memory");
	while (s->p < close) {
		unsigned char c = (unsigned char)*s->p++;
		if (c < 0x20)
			return fail(s, "a control character in a string");
		if (c != '\\')
			*to++ = (char)c;
		else if (!(to = read_escape(s, to)))
			return fail(s, "a bad escape in a string");
	}
	s->p = close + 1;
	*to = '\0';
	return text;
}

/* ---- Numbers and words --------------------------------------------------------------- */

static bool
is_digit(const struct parser *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static bool
take_digits(struct parser *s)
{
	if (!is_digit(s))
		return false;
	while (is_digit(s))
		s->p++;
	return true;
}

static bool
take_number(struct parser *s, bool *is_whole)
{
	*is_whole = true;
	if (s->p < s->end && *s->p == '-') {
		*is_whole = false;
		s->p++;
	}
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!take_digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		*is_whole = false;
		s->p++;
		if (!take_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		*is_whole = false;
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return take_digits(s);
	}
	return true;
}

static struct kvr_json *
read_number(struct parser *s)
{
	const char *start = s->p;
	struct kvr_json *v = new_value(s, KVR_NUMBER);
	char text[64];
	size_t n;
	bool is_whole;

	if (!v)
		return NULL;
	if (s->p == s->end)
		return fail(s, "it ends too early");
	if (!take_number(s, &is_whole))
		return fail(s, "a value is missing or not one");
	n = (size_t)(s->p - start);
	if (n >= sizeof(text))
		return fail(s, "too long a number");
	memcpy(text, start, n);
	text[n] = '\0';
	v->number = strtod(text, NULL);
	v->whole = is_whole ? strtoull(text, NULL, 10) : 0;
	return v;
}

static bool
take_word(struct parser *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

/* ---- Values ---------------------------------------------------------------------------- */

static struct kvr_json *read_value(struct parser *s);

/* The opening bracket has been taken. */
static struct kvr_json *
read_members(struct parser *s, enum kvr_json_kind kind)
{
	char close = kind == KVR_ARRAY ? ']' : '}';
	struct kvr_json *v = new_value(s, kind), **link, *member;
	const char *name = NULL;

	if (!v || take(s, close))
		return v;
	for (link = &v->first;; link = &member->next) {
		if (kind == KVR_OBJECT) {
			if (!take(s, '"'))
				return fail(s, "a member's name is missing");
			name = read_string(s);
			if (name && !take(s, ':'))
				return fail(s, "a colon is missing");
		}
		if (kind == KVR_OBJECT && !name)
			return NULL;
		member = *link = read_value(s);
		if (!member)
			return NULL;
		member->name = name;
		if (take(s, close))
			return v;
		if (!take(s, ','))
			return fail(s, "a comma or closing bracket is missing");
	}
}

static struct kvr_json *
read_value(struct parser *s)
{
	struct kvr_json *v = NULL;

	if (++s->depth > DEEPEST)
		return fail(s, "nested too deeply");
	if (take(s, '{')) {
		v = read_members(s, KVR_OBJECT);
	} else if (take(s, '[')) {
		v = read_members(s, KVR_ARRAY);
	} else if (take(s, '"')) {
		v = new_value(s, KVR_STRING);
		if (v && !(v->text = read_string(s)))
			v = NULL;
	} else if (take_word(s, "true")) {
		v = new_value(s, KVR_BOOL);
		if (v)
			v->number = 1;
	} else if (take_word(s, "false")) {
		v = new_value(s, KVR_BOOL);
	} else if (take_word(s, "null")) {
		v = new_value(s, KVR_NULL);
	} else {
		v = read_number(s);
	}
	s->depth--;
	return v;
}

struct kvr_json *
kvr_json_parse(kv_arena_t *arena, const char *text, size_t size,
	struct kvr_json_error *error)
{
	struct parser s = { arena, text, text + size, error, 0 };
	struct kvr_json *v;

	error->line = 1;
	error->message = NULL;
	v = read_value(&s);
	skip_space(&s);
	if (v && s.p != s.end)
		return fail(&s, "something follows the end");
	return v;
}

const struct kvr_json *
kvr_json_get(const struct kvr_json *object, const char *name)
{
	const struct kvr_json *m;

	if (!object || object->kind != KVR_OBJECT)
		return NULL;
	for (m = object->first; m; m = m->next)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}
