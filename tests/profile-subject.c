/* profile-subject.c -- a program whose profile is known: parses nested lists
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * usage: profile-subject DIRECTORY	writes profile.pb and *.folded there, and says
 *	how many bytes and objects there were, and whether stacks are known or calls
 */
#include <kv_arena.h>

#include <stdlib.h>

#define OWN_FRAME __attribute__((__noinline__))

struct node {
	struct node *first, *next;
	char *name;
};

static unsigned long bytes, objects;

static void *
take(void *p, size_t size)
{
	if (!p)
		abort();
	bytes += size;
	objects++;
	return p;
}

OWN_FRAME static struct node *
new_node(kv_arena_t *a)
{
	return take(kv_arena_calloc(a, 1, sizeof(struct node)), sizeof(struct node));
}

OWN_FRAME static char *
new_name(kv_arena_t *a, int i)
{
	char text[16];
	int n = snprintf(text, sizeof text, "node %d", i);

	return take(kv_arena_strdup(a, text), (size_t)n + 1);
}

OWN_FRAME static struct node *
parse(kv_arena_t *a, int depth)
{
	struct node *n = new_node(a);

	n->name = new_name(a, depth);
	for (int i = 0; depth > 0 && i < 4; i++) {
		struct node *child = parse(a, depth - 1);

		child->next = n->first;
		n->first = child;
	}
	return n;
}

OWN_FRAME static char *
grow_text(kv_arena_t *a)
{
	size_t size = 16;
	char *text = take(kv_arena_alloc(a, size), size);

	for (; size < 1 << 20; size *= 2) {
		take(kv_arena_alloc(a, 8), 8);
		text = take(kv_arena_realloc(a, text, size, 2 * size), 2 * size);
	}
	return text;
}

static void
write_file(kv_arena_t *a, const char *directory, const char *name,
	kv_arena_profile_format_t format)
{
	FILE *out = fopen(kv_arena_printf(a, "%s/%s", directory, name), "wb");

	if (!out || kv_arena_write_profile(NULL, out, format) != 0 || fclose(out) != 0)
		abort();
}

int
main(int argc, char **argv)
{
	kv_arena_config_t config = KV_ARENA_DEFAULT_CONFIG;
	kv_arena_t *tree, *text, *plain = kv_arena_create(0);

	if (argc < 2)
		return 2;
	config.sample_interval = 4096;
	config.name = "tree";
	tree = kv_arena_create_ex(&config);
	config.name = "text <&>";
	config.thread_mode = KV_ARENA_THREAD_SAFE;
	text = kv_arena_create_child(tree, &config);
	parse(tree, 7)->next = NULL;
	grow_text(text)[0] = 'x';
	write_file(plain, argv[1], "profile.pb", KV_ARENA_PROFILE_PPROF);
	write_file(plain, argv[1], "bytes.folded", KV_ARENA_PROFILE_FOLDED);
	write_file(plain, argv[1], "objects.folded", KV_ARENA_PROFILE_FOLDED_OBJECTS);
	write_file(plain, argv[1], "padding.folded", KV_ARENA_PROFILE_FOLDED_PADDING);
	write_file(plain, argv[1], "abandoned.folded",
		KV_ARENA_PROFILE_FOLDED_ABANDONED);
	kv_arena_reset_stats(tree);
	kv_arena_reset_stats(text);
	write_file(plain, argv[1], "empty.pb", KV_ARENA_PROFILE_PPROF);
	printf("%lu %lu %s\n", bytes, objects,
		kv_arena_has("profile") ? "stacks" : "calls");
	kv_arena_destroy(tree);
	kv_arena_destroy(plain);
	return 0;
}
