/* 20-cplusplus.cc -- objects and containers in an arena
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <kv_arena.hpp>

#include <functional>
#include <string>
#include <vector>

#include "must.h"

struct logger {
	explicit logger(int &n) : gone(n) {}
	~logger() { gone++; }
	int &gone;
};

int
main()
{
	kv::arena arena;
	int gone = 0;

	{
		kv::scope turn(arena);

		/* Destructors run when the scope ends. */
		arena.create<logger>(gone);
		arena.create<logger>(gone);
		must(gone == 0);
	}
	must(gone == 2);

	/* The containers of the library, in the arena. */
	std::vector<int, kv::allocator<int>> squares{ kv::allocator<int>(arena) };
	for (int i = 0; i < 100; i++)
		squares.push_back(i * i);
	must(squares[99] == 9801);
	must(kv_arena_owns(arena.get(), squares.data()));

	int *counts = arena.create_array<int>(10);
	must(counts[9] == 0);

#if __cplusplus >= 201703L
	kv::memory_resource resource(arena);
	std::pmr::vector<std::pmr::string> names(&resource);
	names.emplace_back("a name that is too long to be kept inside the string");
	must(kv_arena_owns(arena.get(), names[0].data()));
#endif
	return 0;
}
