/* conf.c [6] -- a configuration checked and completed
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * KVARENA_CONF is a comma-separated list; what is not understood is passed over,
 * as a library has nowhere to say so, and a setuid program ignores it all:
 *	nocache		arenas keep no blocks
 *	stats		detailed statistics in every arena
 *	nohuge		no huge pages
 *	debug		KV_ARENA_DEBUG_FILL in every arena; debug:N: level N
 *	sample		every arena is sampled, once in 512 KiB; sample:N: in N bytes
 *	publish:NAME	arenas are shown to kvarena-top NAME
 *	trace		a recorder that is loaded is told of each allocation
 *	fail:nth=N	the N-th call to the system fails
 *	fail:from=N	and all that follow
 */
#include "conf.h"
#include "fault.h"
#include "learn.h"
#include "publish.h"
#include "registry.h"
#include "size.h"
#include "watch.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_ISSETUGID
#include <unistd.h>
#endif

#define LARGEST_BLOCK (SIZE_MAX / 4)	/* half the address space, signed */
#define USUAL_INTERVAL ((size_t)512 << 10)

static struct {
	bool nocache, stats, nohuge, trace;
	kv_arena_debug_t debug;		/* least level of every arena */
	size_t sample_interval;		/* of arenas that have none */
} environment;

/* ---- The environment ------------------------------------------------------- */

static bool
is_word(const char *text, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(text, word, n) == 0;
}

static bool
number_after(const char *text, size_t n, const char *prefix, uint64_t *value)
{
	size_t length = strlen(prefix);
	char *end;

	if (n <= length || memcmp(text, prefix, length) != 0)
		return false;
	if (text[length] < '0' || text[length] > '9')
		return false;
	errno = 0;
	*value = strtoull(text + length, &end, 10);
	return errno == 0 && end == text + n;
}

static void
read_word(const char *text, size_t n)
{
	struct kva_fault plan = { .calls = KVA_ALL_CALLS };
	uint64_t value;

	if (is_word(text, n, "nocache"))
		environment.nocache = true;
	else if (is_word(text, n, "stats"))
		environment.stats = true;
	else if (is_word(text, n, "nohuge"))
		environment.nohuge = true;
	else if (n > 8 && memcmp(text, "publish:", 8) == 0)
		kva_publish_begin(text + 8, n - 8);
	else if (is_word(text, n, "trace"))
		environment.trace = kvarena_record_alloc != NULL;
	else if (is_word(text, n, "debug"))
		environment.debug = KV_ARENA_DEBUG_FILL;
	else if (number_after(text, n, "debug:", &value) &&
		 value <= KV_ARENA_DEBUG_GUARD)
		environment.debug = (kv_arena_debug_t)value;
	else if (is_word(text, n, "sample"))
		environment.sample_interval = USUAL_INTERVAL;
	else if (number_after(text, n, "sample:", &value) && value <= LARGEST_BLOCK)
		environment.sample_interval = (size_t)value;
	else if (number_after(text, n, "fail:nth=", &plan.nth))
		kva_fault_plan(&plan);
	else if (number_after(text, n, "fail:from=", &plan.nth)) {
		plan.for_ever = true;
		kva_fault_plan(&plan);
	}
}

#if defined(HAVE_SECURE_GETENV)
#define environment_variable secure_getenv
#elif defined(HAVE_ISSETUGID)
#define environment_variable(name) (issetugid() ? NULL : getenv(name))
#else
#define environment_variable getenv	/* Windows has no setuid programs */
#endif

static void
read_environment(void)
{
	const char *text = environment_variable("KVARENA_CONF");
	int error = errno;

	while (text && *text) {
		size_t n = strcspn(text, ",");

		read_word(text, n);
		text += n + (text[n] == ',');
	}
	errno = error;
}

void
kva_conf_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_environment);
}

kv_arena_config_t
kva_conf_with_environment(const kv_arena_config_t *config)
{
	kv_arena_config_t c = KV_ARENA_DEFAULT_CONFIG;

	if (config)
		c = *config;
	if (environment.nocache)
		c.enable_block_cache = false;
	if (environment.stats)
		c.enable_detailed_stats = true;
	if (environment.debug > c.debug)
		c.debug = environment.debug;
	if (c.sample_interval == 0)
		c.sample_interval = environment.sample_interval;
	if (environment.nohuge && c.huge_pages == KV_ARENA_HUGE_AUTO)
		c.huge_pages = KV_ARENA_HUGE_OFF;
	return c;
}

/* ---- Checking ----------------------------------------------------------------- */

static bool
is_known(const kv_arena_config_t *c)
{
	for (size_t i = 0; i < sizeof c->reserved / sizeof c->reserved[0]; i++)
		if (c->reserved[i])
			return false;
	return (unsigned)c->thread_mode <= KV_ARENA_THREAD_SAFE &&
		(unsigned)c->numa_policy <= KV_ARENA_NUMA_LOCAL &&
		(unsigned)c->huge_pages <= KV_ARENA_HUGE_REQUIRE &&
		(unsigned)c->debug <= KV_ARENA_DEBUG_GUARD &&
		!c->block_source.take == !c->block_source.give &&
		c->block_size <= LARGEST_BLOCK && c->max_block_size <= LARGEST_BLOCK &&
		c->sample_interval <= LARGEST_BLOCK;
}

static size_t
whole_block(size_t size)
{
	if (size <= KV_ARENA_MIN_BLOCK_SIZE)
		return KV_ARENA_MIN_BLOCK_SIZE;
	if (size > KVA_SEGMENT_SIZE)
		return kva_round_up(size, KVA_SEGMENT_SIZE);
	return kva_power_above(size);
}

/* A node that is not there is a mistake only if the caller insists on it. */
static int
choose_place(const kv_arena_config_t *c, struct kva_setup *setup)
{
	int node = c->preferred_numa_node;
	bool exists = node >= 0 && node < kva_os.nodes();
	int nearest = node < KVA_NODES ? node : KVA_NODES - 1;

	if (!c->enable_numa)
		return 0;
	switch (c->numa_policy) {
	case KV_ARENA_NUMA_INTERLEAVE:
		setup->place = KVA_PLACE_INTERLEAVE;
		return 0;
	case KV_ARENA_NUMA_LOCAL:
		setup->local = !c->block_source.take;
		return 0;
	case KV_ARENA_NUMA_BIND:
		if (!exists) {
			errno = EINVAL;
			return -1;
		}
		setup->place = KVA_PLACE_BIND(node);
		return 0;
	default:
		if (node >= 0)	/* one that is not there: each block counts as misplaced */
			setup->place = KVA_PLACE_PREFERRED(nearest);
		return 0;
	}
}

static void
choose_sizes(const kv_arena_config_t *c, struct kva_setup *setup)
{
	size_t block = c->block_size ? c->block_size : KV_ARENA_DEFAULT_BLOCK_SIZE;
	size_t most = c->max_block_size;

	setup->step = whole_block(block);
	if (most == 0)
		most = KVA_SEGMENT_SIZE;
	setup->max_block = whole_block(most);
	if (setup->max_block < setup->step)
		setup->max_block = setup->step;
	if (c->enable_block_cache)
		setup->max_spares = c->max_cached_blocks > UINT32_MAX ? UINT32_MAX
			: (uint32_t)c->max_cached_blocks;
}

static bool
fill_extras(const kv_arena_config_t *c, struct kva_extras *extras)
{
	size_t n = 0;

	memset(extras, 0, sizeof *extras);
	extras->memory_limit = c->memory_limit;
	extras->on_oom = c->on_oom;
	extras->on_oom_context = c->on_oom_context;
	extras->source = c->block_source;
	if (c->name) {
		while (n < sizeof extras->name - 1 && c->name[n])
			n++;
		memcpy(extras->name, c->name, n);
	}
	return c->debug || c->memory_limit || c->on_oom || c->block_source.take ||
		c->sample_interval || n > 0;
}

int
kva_conf_read(const kv_arena_config_t *c, struct kva_setup *setup,
	struct kva_extras *extras, bool *needs_extras)
{
	if (!is_known(c)) {
		errno = EINVAL;
		return -1;
	}
	if (c->huge_pages == KV_ARENA_HUGE_REQUIRE && !kva_os.has_huge()) {
		errno = ENOTSUP;
		return -1;
	}
	memset(setup, 0, sizeof *setup);
	if (choose_place(c, setup) != 0)
		return -1;
	choose_sizes(c, setup);
	setup->small_pages = c->huge_pages == KV_ARENA_HUGE_OFF;
	setup->small_first = c->huge_pages == KV_ARENA_HUGE_AUTO &&
		setup->place == KVA_PLACE_INTERLEAVE;
	setup->zero = c->zero;
	setup->debug = (uint8_t)c->debug;
	setup->learns = c->learn_block_size && c->name && *c->name;
	setup->late = !c->memory_limit && !c->zero && !c->block_source.take;
	setup->traced = environment.trace && !kva_watch_on();
	*needs_extras = fill_extras(c, extras) || setup->traced || kva_is_published();
	return 0;
}

/* ---- Hints ----------------------------------------------------------------------- */

static size_t
read_size(const char *text)
{
	char *end;
	unsigned long long n;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end == 'k' || *end == 'K')
		shift = 10;
	else if (*end == 'm' || *end == 'M')
		shift = 20;
	else if (*end == 'g' || *end == 'G')
		shift = 30;
	if (errno != 0 || end[shift > 0] != '\0' || n > LARGEST_BLOCK >> shift)
		return 0;
	return whole_block((size_t)n << shift);
}

size_t
kva_conf_suggest(const char *hint)
{
	size_t size;
	int error = errno;

	if (!hint)
		return KV_ARENA_DEFAULT_BLOCK_SIZE;
	if (strcmp(hint, "small") == 0)
		return KV_ARENA_SMALL_BLOCK_SIZE;
	if (strcmp(hint, "large") == 0)
		return (size_t)KV_ARENA_LARGE_BLOCK_SIZE;
	size = read_size(hint);
	errno = error;
	if (size == 0) {
		kva_registry_lock();
		size = kva_learn_size(hint);
		kva_registry_unlock();
		size = size ? whole_block(size) : KV_ARENA_DEFAULT_BLOCK_SIZE;
	}
	return size;
}
