/* real.h -- the allocator that the program would have without the recorder
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Looking the functions up may itself allocate; until that is done memory comes
 * from a small heap of our own, which never takes anything back.
 */
#ifndef KVT_REAL_H
#define KVT_REAL_H

#include <stdbool.h>
#include <stddef.h>

struct kvt_real {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t n, size_t size);
	void *(*realloc)(void *p, size_t size);
	void (*free)(void *p);
	int (*posix_memalign)(void **p, size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	void *(*pvalloc)(size_t size);
};

/* Valid after kvt_real_ready has returned true. */
extern struct kvt_real kvt_real;

/* Look the functions up, once. False: that is under way, in this very thread or
 * in another; use the small heap. */
bool kvt_real_ready(void);

/* Return size zeroed bytes of the small heap, or NULL: it is full. */
void *kvt_small_alloc(size_t size, size_t alignment);

bool kvt_small_owns(const void *p);

/* Bytes that may be read at p, which the small heap owns. */
size_t kvt_small_room(const void *p);

#endif
