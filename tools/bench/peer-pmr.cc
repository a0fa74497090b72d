/* peer-pmr.cc -- std::pmr::monotonic_buffer_resource
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <memory_resource>
#include <new>

#define KB_ARENA std::pmr::monotonic_buffer_resource
#define KB_ALLOC(a, l, size) (a)->allocate((size), 8)
#include "loops.h"

namespace {

/* The manual's way: the first buffer is kept over release(). */
constexpr std::size_t FIRST = 65536;
alignas(64) unsigned char first[FIRST];

bool
open_pmr(life *l)
{
	l->arena = new (std::nothrow) KB_ARENA(first, FIRST);
	return l->arena != nullptr;
}

void
reset_pmr(life *l)
{
	static_cast<KB_ARENA *>(l->arena)->release();
}

void
close_pmr(life *l)
{
	delete static_cast<KB_ARENA *>(l->arena);
}

void *
pack(life *l, std::size_t size)
{
	return static_cast<KB_ARENA *>(l->arena)->allocate(size, 1);
}

const char *
version()
{
#ifdef __GLIBCXX__
	return "libstdc++ of " __VERSION__;
#else
	return __VERSION__;
#endif
}

} // namespace

extern "C" const struct peer kb_pmr = {
	"pmr", "std::pmr::monotonic_buffer_resource with a 64 KiB first buffer",
	nullptr, 0, &kb_loops,
	open_pmr, reset_pmr, close_pmr, nullptr, nullptr, pack, version,
	nullptr,
};
