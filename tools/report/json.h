/* json.h -- JSON text as a tree
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Everything lives in the caller's arena: to be rid of it, reset that.
 */
#ifndef KVR_JSON_H
#define KVR_JSON_H

#include <kv_arena.h>

enum kvr_json_kind {
	KVR_NULL,
	KVR_BOOL,
	KVR_NUMBER,
	KVR_STRING,
	KVR_ARRAY,
	KVR_OBJECT
};

struct kvr_json {
	enum kvr_json_kind kind;
	struct kvr_json *next;		/* in its array or object */
	const char *name;		/* in its object */
	struct kvr_json *first;		/* of an array or object */
	const char *text;		/* KVR_STRING */
	double number;			/* KVR_NUMBER, and 0 or 1 of KVR_BOOL */
	uint64_t whole;			/* the number, if it is a whole one >= 0 */
};

struct kvr_json_error {
	unsigned line;
	const char *message;		/* of static storage */
};

/* Parse text, which need not be 0-terminated. NULL: *error says why and where. */
struct kvr_json *kvr_json_parse(kv_arena_t *arena, const char *text, size_t size,
	struct kvr_json_error *error);

/* Return a member of an object, or NULL: there is none, or this is no object. */
const struct kvr_json *kvr_json_get(const struct kvr_json *object,
	const char *name);

#endif
