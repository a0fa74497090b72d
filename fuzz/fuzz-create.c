/* fuzz-create.c -- every configuration, sensible or not
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The model says of each configuration whether the header allows it, and what the
 * arena that comes of it must then respect: its limit, its source, its buffer, its
 * name, its block size, its zeroing. What is refused must leave nothing behind.
 */
#include "fuzz.h"

#define MOST_BUFFER 8192

struct oom {
	unsigned calls, retries;
	bool is_wrong;
};

static bool
note_oom(void *context, const kv_arena_oom_t *oom)
{
	struct oom *o = context;

	o->calls++;
	o->is_wrong |= oom->wanted == 0 || !oom->message || !*oom->message ||
		strchr(oom->message, '\n');
	if (o->retries == 0)
		return false;
	o->retries--;
	return true;
}

static size_t
wild_size(struct input *in)
{
	unsigned b = next(in);

	if (b < 64)
		return b == 0 ? 0 : (size_t)next16(in) << b % 8;
	return next_size(in);
}

static const char *
some_name(struct input *in, char name[64])
{
	size_t n = next(in) % 60;

	if (n > 50)
		return NULL;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)(next(in) | 1);
	name[n] = '\0';
	return name;
}

#define RESERVED (sizeof(kv_arena_config_t){ 0 }.reserved / sizeof(void *))

/* Whether kv_arena.h says EINVAL. */
static bool
is_invalid(const kv_arena_config_t *c)
{
	for (size_t i = 0; i < RESERVED; i++)
		if (c->reserved[i])
			return true;
	return (unsigned)c->thread_mode > 1 || (unsigned)c->numa_policy > 3 ||
		(unsigned)c->huge_pages > 2 || (unsigned)c->debug > 3 ||
		c->block_size > SIZE_MAX / 4 || c->max_block_size > SIZE_MAX / 4 ||
		(c->block_source.take != NULL) != (c->block_source.give != NULL) ||
		(c->enable_numa && c->numa_policy == KV_ARENA_NUMA_BIND &&
		 (c->preferred_numa_node < 0 || c->preferred_numa_node > 4));
}

static void
configure(kv_arena_config_t *c, struct input *in, struct kvt_source *source,
	struct oom *oom, char name[64])
{
	unsigned flags = next(in), odd = next(in), enums = next(in);

	*c = (kv_arena_config_t)KV_ARENA_DEFAULT_CONFIG;
	c->block_size = wild_size(in);
	c->max_block_size = flags & 1 ? wild_size(in) : 0;
	c->memory_limit = flags & 2 ? wild_size(in) : 0;
	c->max_cached_blocks = flags & 4 ? wild_size(in) : flags % 16;
	c->enable_block_cache = flags & 8;
	c->enable_numa = flags & 16;
	c->enable_detailed_stats = flags & 32;
	c->zero = flags & 64;
	c->learn_block_size = flags & 128;
	c->thread_mode = (kv_arena_thread_mode_t)(enums % 2);
	c->numa_policy = (kv_arena_numa_policy_t)(enums / 2 % 4);
	c->huge_pages = (kv_arena_huge_pages_t)(enums / 8 % 3);
	c->debug = (kv_arena_debug_t)(enums / 32 % 4);
	c->preferred_numa_node = (int)next(in) % 3 - 1;
	c->name = some_name(in, name);
	source->budget = SIZE_MAX;
	switch (odd % 16) {
	case 0:
		c->reserved[odd / 16 % RESERVED] = name;
		break;
	case 1:
		c->thread_mode = (kv_arena_thread_mode_t)(odd / 16 - 3);
		break;
	case 2:
		c->numa_policy = (kv_arena_numa_policy_t)(odd / 16 - 3);
		break;
	case 3:
		c->huge_pages = (kv_arena_huge_pages_t)(odd / 16 - 3);
		break;
	case 4:
		c->debug = (kv_arena_debug_t)(odd / 16 - 3);
		break;
	case 5:
		c->preferred_numa_node = odd & 16 ? INT32_MAX : INT32_MIN;
		break;
	case 6: case 7:
		c->block_source = kvt_hooks(source);
		source->budget = odd & 16 ? SIZE_MAX : (size_t)next16(in) * 4;
		break;
	case 8:
		c->block_source = kvt_hooks(source);
		if (odd & 16)
			c->block_source.take = NULL;
		else
			c->block_source.give = NULL;
		break;
	case 9:
		c->on_oom = note_oom;
		c->on_oom_context = oom;
		oom->retries = odd / 16;
		break;
	case 10:
		c->block_source = odd & 16 ? kv_arena_source_malloc() :
			kv_arena_source_pages();
		break;
	default:
		break;
	}
}

/* A few allocations of all kinds: what can be had is kept and stays as it is. */
static void
use(kv_arena_t *a, const kv_arena_config_t *c, struct input *in)
{
	struct kvt_book book = { .salt = 1 };
	kv_arena_stats_t s;

	for (unsigned n = next(in) % 64; n > 0; n--) {
		size_t size = next_size(in), alignment = (size_t)1 << next(in) % 14;
		char *p;

		if (size == 0 || !is_serious(size))
			continue;
		p = kv_arena_alloc_aligned(a, size, alignment);
		must(p || errno == ENOMEM);
		must(!p || size < HOPELESS);
		for (size_t i = 0; p && c->zero && i < size; i++)
			must(p[i] == 0);
		if (p)
			kvt_enter(&book, p, size, alignment);
		s = stats_of(a);
		must(!c->memory_limit || s.current_memory_usage <= c->memory_limit);
		must_balance(a);
		if (next(in) == 1) {
			must_be_intact(&book);
			kv_arena_reset(a);
			kvt_strike(&book, 0);
		}
	}
	must_be_intact(&book);
	kvt_drop(&book);
}

static void
see_name(const kv_arena_t *a, const kv_arena_config_t *c)
{
	char path[64];
	int n = kv_arena_path(a, path, sizeof path);
	size_t named = c->name ? strlen(c->name) : 0;

	if (named == 0)
		must(n > 0 && n < 64);
	else
		must(n == (int)(named < 31 ? named : 31) &&
			memcmp(path, c->name, (size_t)n) == 0 && path[n] == '\0');
}

static void
suggest(struct input *in)
{
	char text[40];
	size_t n = 0, size;

	while (n < sizeof text - 1 && in->p < in->end)
		text[n++] = (char)next(in);
	text[n] = '\0';
	size = kv_arena_suggest_block_size(text);
	must(size >= KV_ARENA_MIN_BLOCK_SIZE && size <= SIZE_MAX / 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct kvt_source source = KVT_SOURCE;
	struct oom oom = { 0, 0, false };
	kv_arena_config_t c;
	kv_arena_t *a;
	char name[64], *buffer = NULL;
	size_t room, used = 0;

	if (next(&in) % 8 == 0) {
		suggest(&in);
		return 0;
	}
	configure(&c, &in, &source, &oom, name);
	errno = 0;
	if (next(&in) % 4 == 0) {
		room = next16(&in) % MOST_BUFFER;
		used = next(&in) % 32;
		buffer = malloc(room + used + 1);
		must(buffer);
		a = kv_arena_create_in(buffer + used, room, &c);
		must(!a || room >= KV_ARENA_MIN_BLOCK_SIZE);
	} else {
		a = kv_arena_create_ex(&c);
	}
	if (!a) {
		must(errno == EINVAL || errno == ENOMEM || errno == ENOTSUP);
		must(!is_invalid(&c) || errno == EINVAL);
		must(errno != EINVAL || is_invalid(&c) ||
			(c.enable_numa && c.numa_policy == KV_ARENA_NUMA_BIND));
		must(errno != ENOTSUP || c.huge_pages == KV_ARENA_HUGE_REQUIRE);
		must(errno != ENOMEM || buffer || c.memory_limit);
	} else {
		must(!is_invalid(&c));
		see_name(a, &c);
		must_balance(a);
		use(a, &c, &in);
		kv_arena_destroy(a);
	}
	must(!oom.is_wrong);
	must(source.held == 0 && source.faults == 0);
	free(buffer);
	return 0;
}
