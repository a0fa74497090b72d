/* os_generic.c [1] -- a POSIX system without Linux's extensions
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "os.h"

static int
absent(void)
{
	errno = ENOTSUP;
	return -1;
}

static int
no_range(void *p, size_t size)
{
	(void)p, (void)size;
	return absent();
}

static int
no_huge(void *p, size_t size, bool on)
{
	(void)on;
	return no_range(p, size);
}

static bool
has_no_huge(void)
{
	return false;
}

/* Touch each page; writing back what is there keeps the contents. */
static int
touch(void *p, size_t size)
{
	volatile char *byte = p;

	for (size_t i = 0; i < size; i += kva_posix_page())
		byte[i] = byte[i];
	return 0;
}

static int
no_label(void *p, size_t size, const char *name)
{
	(void)name;
	return no_range(p, size);
}

static int
no_bind(void *p, size_t size, kva_place_t place)
{
	(void)place;
	return no_range(p, size);
}

static int
no_where(void *const *pages, int *node, size_t n)
{
	(void)pages, (void)node, (void)n;
	return absent();
}

static int
one_node(void)
{
	return 1;
}

static int
unknown_node(void)
{
	return KVA_NO_NODE;
}

static int
no_preference(int node)
{
	(void)node;
	return absent();
}

static void
no_mappings(void (*visit)(void *context, const struct kva_mapping *m), void *context)
{
	(void)visit, (void)context;
}

struct kva_os kva_os = {
	.alloc = kva_posix_alloc,
	.free = kva_posix_free,
	.map = kva_posix_map,
	.unmap = kva_posix_unmap,
	.discard = no_range,
	.huge = no_huge,
	.has_huge = has_no_huge,
	.protect = kva_posix_protect,
	.populate = touch,
	.label = no_label,
	.bind = no_bind,
	.where = no_where,
	.nodes = one_node,
	.node_here = unknown_node,
	.prefer = no_preference,
	.exit_hook = kva_posix_exit_hook,
	.exit_value = kva_posix_exit_value,
	.record = kva_posix_record,
	.fork_hook = kva_posix_fork_hook,
	.page = kva_posix_page,
	.memory = kva_posix_memory,
	.backtrace = kva_posix_backtrace,
	.symbol = kva_posix_symbol,
	.mappings = no_mappings,
};
