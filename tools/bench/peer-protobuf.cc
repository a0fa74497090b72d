/* peer-protobuf.cc -- Google's protobuf Arena (C++)
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/stubs/common.h>

#include <new>

using google::protobuf::Arena;
using google::protobuf::ArenaOptions;

#define KB_ARENA Arena
#define KB_ALLOC(a, l, size) Arena::CreateArray<char>((a), (size))
#include "loops.h"

namespace {

bool
open_arena(life *l)
{
	ArenaOptions options;

	options.start_block_size = 65536;
	options.max_block_size = 65536;
	l->arena = new (std::nothrow) Arena(options);
	return l->arena != nullptr;
}

void
reset_arena(life *l)
{
	static_cast<Arena *>(l->arena)->Reset();
}

void
close_arena(life *l)
{
	delete static_cast<Arena *>(l->arena);
}

std::size_t
held(life *l)
{
	return static_cast<std::size_t>(
		static_cast<Arena *>(l->arena)->SpaceAllocated());
}

const char *
version()
{
	static char text[16];

	snprintf(text, sizeof text, "%d.%d.%d", GOOGLE_PROTOBUF_VERSION / 1000000,
		GOOGLE_PROTOBUF_VERSION / 1000 % 1000,
		GOOGLE_PROTOBUF_VERSION % 1000);
	return text;
}

} // namespace

extern "C" const struct peer kb_protobuf = {
	"protobuf", "Arena::CreateArray<char>, 64 KiB blocks",
	nullptr, PEER_SHARED, &kb_loops,
	open_arena, reset_arena, close_arena, nullptr, held, nullptr, version,
	nullptr,
};
