/* t-adapters-other.c -- a second file that includes the adapters
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena_adapters.h>

void *other_file_malloc(size_t size);
void other_file_free(void *ptr);

void *
other_file_malloc(size_t size)
{
	return kv_arena_current_malloc(size);
}

void
other_file_free(void *ptr)
{
	kv_arena_current_free(ptr);
}
