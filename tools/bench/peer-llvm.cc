/* peer-llvm.cc -- LLVM's BumpPtrAllocator
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/Support/Allocator.h>

#include <new>

#define KB_ARENA llvm::BumpPtrAllocator
#define KB_ALLOC(a, l, size) (a)->Allocate((size), 8)
#include "loops.h"

namespace {

bool
open_llvm(life *l)
{
	l->arena = new (std::nothrow) KB_ARENA;
	return l->arena != nullptr;
}

void
reset_llvm(life *l)
{
	static_cast<KB_ARENA *>(l->arena)->Reset();
}

void
close_llvm(life *l)
{
	delete static_cast<KB_ARENA *>(l->arena);
}

std::size_t
held(life *l)
{
	return static_cast<KB_ARENA *>(l->arena)->getTotalMemory();
}

void *
pack(life *l, std::size_t size)
{
	return static_cast<KB_ARENA *>(l->arena)->Allocate(size, 1);
}

const char *
version()
{
	return LLVM_VERSION_STRING;
}

} // namespace

extern "C" const struct peer kb_llvm = {
	"llvm", "BumpPtrAllocator, slabs that grow from 4 KiB",
	nullptr, 0, &kb_loops,
	open_llvm, reset_llvm, close_llvm, nullptr, held, pack, version,
	nullptr,
};
